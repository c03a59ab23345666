"""MultiWOZ 2.0, 2.1, 2.2 and 2.4 (Budzianowski et al. 2018, Eric et al. 2020, Zang et al. 2020, Ye et al. 2022; MIT).

People play a tourist in Cambridge and the clerk who helps; the clerk's searches and bookings are not in the data, so
they are made again here, on the corpus's own databases (see calls.py). Two forms (see forms.py); an example, cut:

    {"PMUL1635": {"goal": {...}, "log": [
      {"text": "I need to book a hotel in the east that has 4 stars .", "metadata": {},
       "dialog_act": {"Hotel-Inform": [["Area", "east"], ["Stars", "4"]]}, "span_info": [...]},
      {"text": "I can help you with that . What is your price range ?", "dialog_act": {"Hotel-Request": [["Price", "?"]]},
       "metadata": {"hotel": {"semi": {"area": "east", "stars": "4", "name": "not mentioned", ...},
                              "book": {"booked": [], "people": "", "day": "", "stay": ""}}, ...}}, ...]}}

The state of a turn stands in the metadata of the system turn after it. Services are the domains; the functions are
those of environments/multiwoz.py. Values are normalised (see multiwoz_values.py), utterances joined again where 2.1
took them apart.

Lost in conversion: the goal, the spans, the acts that acts.py names, alternatives of spelling in states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from coalm_it.environments.multiwoz import DOMAINS, Databases, load_databases
from coalm_it.readers.multiwoz.acts import read_system_acts, read_user_acts
from coalm_it.readers.multiwoz.calls import BOOK_SLOTS, Agent
from coalm_it.readers.multiwoz.forms import BadRecord, RawTurn, read_frames, read_log
from coalm_it.schema import Dialogue, Fault, Inventory, Labels, Turn
from coalm_it.sources import Corpus, RawFile, Shard, SourceError

LISTS = {"validation": "valListFile", "test": "testListFile"}
"""Where all splits are in one data.json: the files that list the others; the rest is train."""
ACTS = ("dialogue_acts.json", "system_acts.json", "dialog_acts.json")
"""Where acts may stand beside the dialogues: 2.0, 2.1, 2.2."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Every function over the databases. Raises SourceError."""
    return Inventory(tools=load_databases(corpus.files).tools)


def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The dialogues of one shard; a record that does not hold together is a Fault and the rest goes on."""
    file = shard.file.name
    try:
        databases = load_databases(corpus.files)
        records = _read_records(shard.file)
        chosen = _read_split(corpus, split, records)
        acts = _read_acts(corpus)
    except SourceError as error:
        yield Fault(file=file, reason=str(error).removeprefix(f"{file}: "))
        return
    first, taken = shard.take(records)
    for number, (name, record) in enumerate(taken, first):
        if chosen is not None and name not in chosen:
            continue
        try:
            read = read_frames if isinstance(record, dict) and "turns" in record else read_log
            turns, services = _play(read(record, acts.get(name)), databases, name)
        except ValidationError as error:
            yield Fault(file=file, record=name, reason=_explain(error))
        except BadRecord as error:
            yield Fault(file=file, record=name, reason=str(error))
        else:
            yield Dialogue(
                id=name,
                source=corpus.source,
                split=split,
                licence=licence,
                tools=tuple(tool for tool in databases.tools if tool.service in services),
                turns=turns,
                file=file,
                record=number,
            )


# --- files ---


@lru_cache(maxsize=1)
def _read_records(file: RawFile) -> tuple[tuple[str, Any], ...]:
    """Name and record of each dialogue. Kept until another file is read: the shards of a data.json share it."""
    content = file.read_json()
    if isinstance(content, dict):
        return tuple((name.removesuffix(".json"), record) for name, record in content.items())
    if isinstance(content, list):
        names = (record.get("dialogue_id") if isinstance(record, dict) else None for record in content)
        return tuple(
            (str(name or number).removesuffix(".json"), record)
            for number, (name, record) in enumerate(zip(names, content, strict=True))
        )
    raise SourceError(f"{file.name}: dialogues by name (2.0, 2.1, 2.4) or a list of them (2.2) were expected at the top")


def _read_split(corpus: Corpus, split: str, records: tuple[tuple[str, Any], ...]) -> frozenset[str] | None:
    """The names of a split's dialogues in a file that holds all splits; None where the file is one split's own."""
    if len({files for files in corpus.splits.values()}) > 1 or len(corpus.splits) == 1:
        return None
    listed = {other: _read_list(corpus, name) for other, name in LISTS.items()}
    if split in listed:
        return listed[split]
    return frozenset(name for name, _ in records) - frozenset().union(*listed.values())


def _read_list(corpus: Corpus, name: str) -> frozenset[str]:
    file = next((file for path, file in corpus.files.items() if path.rpartition("/")[2].startswith(name)), None)
    if file is None:
        raise SourceError(f"{name}: missing; it says which dialogues of data.json belong to which split")
    return frozenset(line.strip().removesuffix(".json") for line in file.read_text().splitlines() if line.strip())


def _read_acts(corpus: Corpus) -> dict[str, Any]:
    """Dialogue -> the acts that stand in a file of their own, by turn; nothing where there is no such file."""
    file = next((file for path, file in corpus.files.items() if path.rpartition("/")[2] in ACTS), None)
    content = _read_act_file(file) if file else {}
    return content


@lru_cache(maxsize=1)
def _read_act_file(file: RawFile) -> dict[str, Any]:
    content = file.read_json()
    if not isinstance(content, dict):
        raise SourceError(f"{file.name}: acts by dialogue were expected at the top")
    return {name.removesuffix(".json"): acts for name, acts in content.items() if isinstance(acts, dict)}


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the record"
    if first["type"] == "missing":
        return f"field {where} is missing"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}, found {first['input']!r:.60}"


# --- a record -> turns ---


def _play(raw: list[RawTurn], databases: Databases, name: str) -> tuple[tuple[Turn, ...], set[str]]:
    """The turns with calls, observations and acts, and the domains that they are about."""
    agent = Agent(databases, name)
    turns: list[Turn] = []
    services: set[str] = set()
    intents: dict[str, str] = {}
    for turn in raw:
        agent.hear(turn)
        acts = agent.settle_domains(turn)
        steps = agent.act(turn, acts)
        active = turn.intents or _find_intents(turn)
        begun = {domain: intent for domain, intent in active.items() if intents.get(domain) != intent}
        intents |= active
        user_acts = tuple(read_user_acts(agent, turn, begun))
        labels = Labels(user_acts=user_acts, system_acts=tuple(read_system_acts(agent, turn, acts)), intents=active)
        turns.append(Turn(user=turn.user, reply=turn.reply, steps=steps, state=turn.state, labels=labels))
        services |= {*turn.state, *(act.domain for act in (*acts, *turn.user_acts))} & set(DOMAINS)
        agent.end(turn)
    return tuple(turns), services


def _find_intents(turn: RawTurn) -> dict[str, str]:
    """Domain -> what the user is after in this turn: to book, once there is something to book with."""
    intents = {}
    for domain in dict.fromkeys(act.domain for act in turn.user_acts if act.domain in DOMAINS):
        books = domain == "taxi" or (
            domain in ("restaurant", "hotel", "train")
            and bool(turn.state.get(domain, {}).keys() & (BOOK_SLOTS - ({"day"} if domain == "train" else set())))
        )
        intents[domain] = f"{'book' if books else 'find'}_{domain}"
    return intents
