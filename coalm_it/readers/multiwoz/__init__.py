"""MultiWOZ 2.0, 2.1, 2.2 and 2.4 (Budzianowski et al. 2018, Eric et al. 2020, Zang et al. 2020, Ye et al. 2022; MIT).

People play a tourist in Cambridge and a clerk who helps. The clerk's searches and bookings are not in the data; they
are reconstructed here and executed on the corpus's own databases (see searches.py and bookings.py). There are two
forms of the data (see forms.py); a shortened example:

    {"PMUL1635": {"goal": {...}, "log": [
      {"text": "I need to book a hotel in the east that has 4 stars .", "metadata": {},
       "dialog_act": {"Hotel-Inform": [["Area", "east"], ["Stars", "4"]]}, "span_info": [...]},
      {"text": "I can help you with that . What is your price range ?",
       "dialog_act": {"Hotel-Request": [["Price", "?"]]},
       "metadata": {"hotel": {"semi": {"area": "east", "stars": "4", "name": "not mentioned", ...},
                              "book": {"booked": [], "people": "", "day": "", "stay": ""}}, ...}}, ...]}}

The state of a turn is in the metadata of the system turn after it. Services are the domains; the functions are those
of databases.py. Values are normalised (see values.py), and the tokens of 2.1 are joined to text again.

Lost in conversion: the goal, the spans, the acts that acts.py names, alternative spellings in states. A dialogue
without acts is a fault; a reply without acts is context and no target, since nothing shows what it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.records import BadRecord, DialogueContent, convert_dialogues, report_unreadable_file
from coalm_it.corpora.sources import SourceError
from coalm_it.readers.multiwoz.acts import read_system_acts, read_user_acts
from coalm_it.readers.multiwoz.bookings import (
    assign_booking_domains,
    book,
    is_booked_record_known,
    plan_booking,
    read_outcome,
)
from coalm_it.readers.multiwoz.databases import DOMAINS, Databases, load_databases
from coalm_it.readers.multiwoz.forms import RawAct, RawTurn, has_acts, read_frames, read_log
from coalm_it.readers.multiwoz.memory import BOOK_SLOTS, Memory
from coalm_it.readers.multiwoz.searches import SEARCH_BY, plan_search, search
from coalm_it.readers.multiwoz.splits import check_lists, describe_lists, name_dialogue, plain_name, select_names
from coalm_it.schema import Call, Dialogue, Fault, Inventory, Labels, Place, Step, Turn

ACTS = ("dialogue_acts.json", "system_acts.json", "dialog_acts.json")
"""Files with the acts, where these are separate from the dialogues: 2.0, 2.1, 2.2."""

_Record = tuple[str, Any]
"""Name and content of a dialogue."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Every function over the databases. Raises SourceError, also for lists that do not tell the splits apart."""
    check_lists(corpus, split)
    return Inventory(tools=load_databases(corpus.files).tools)


def read_notes(corpus: Corpus, split: str, shard: Shard) -> Iterator[str]:
    """What the person who builds should know of the files, in a line each. Raises SourceError."""
    if shard.index or shard.file != corpus.splits[split][0]:
        return
    yield from describe_lists(corpus, split, [name for name, _ in _read_records(shard.file, shard.file.version)])
    if corpus.layout.startswith("frames") and not _find_act_file(corpus):
        yield (
            "dialog_acts.json: missing; acts are derived from the frames and the utterances of 2.2, which show fewer "
            "searches and bookings; replies without any are context, and no rows are made of them"
        )


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The dialogues of one shard; an invalid record is a Fault, and the others are still read."""
    databases = load_databases(corpus.files)
    records = _read_records(shard.file, shard.file.version)
    chosen = select_names(corpus, split, [name for name, _ in records])
    acts = _read_separate_acts(corpus)
    _require_acts(shard.file, records, acts)

    def convert(named: _Record) -> DialogueContent | None:
        name, record = named
        if isinstance(record, BrokenRecord):
            raise BadRecord(record.reason)
        if chosen is not None and plain_name(name) not in chosen:
            return None
        read = read_frames if _has_frames(record) else read_log
        raw = tuple(read(record, acts.get(plain_name(name))))
        turns, services = _read_turns(raw, databases, name)
        tools = tuple(tool for tool in databases.tools if tool.service in services)
        return DialogueContent(turns, tools, context_only=tuple(_list_unannotated(raw)))

    return convert_dialogues(
        corpus, split, shard, licence, records=records, convert=convert, name=lambda named, index: named[0]
    )


# --- files ---


@lru_cache(maxsize=1)
def _read_records(file: RawFile, version: tuple[int, int]) -> Sequence[_Record]:
    """The dialogues of a file. Those of the last file stay in memory, since many shards share a data.json."""
    content = file.read_json()
    if isinstance(content, dict):
        return [(name_dialogue(name), record) for name, record in content.items()]
    if isinstance(content, list):
        return [(_name_record(record, number), record) for number, record in enumerate(content)]
    wanted = "dialogues by name (2.0, 2.1, 2.4) or a list of dialogues (2.2)"
    raise SourceError(f"{file.name}: {wanted} was expected at the top")


def _name_record(record: Any, number: int) -> str:
    name = record.get("dialogue_id") if isinstance(record, dict) else None
    return name_dialogue(name) if isinstance(name, str) and name_dialogue(name) else str(number)


def _has_frames(record: Any) -> bool:
    return isinstance(record, dict) and "turns" in record


def _find_act_file(corpus: Corpus) -> RawFile | None:
    return next((file for path, file in corpus.files.items() if path.rpartition("/")[2] in ACTS), None)


def _read_separate_acts(corpus: Corpus) -> Mapping[str, Any]:
    """Plain name of a dialogue -> its acts by turn, from a separate file; empty if there is no such file."""
    file = _find_act_file(corpus)
    return _read_act_file(file, file.version) if file else {}


@lru_cache(maxsize=1)
def _read_act_file(file: RawFile, version: tuple[int, int]) -> Mapping[str, Any]:
    content = file.read_json()
    if not isinstance(content, dict):
        raise SourceError(f"{file.name}: acts by dialogue were expected at the top")
    return {plain_name(name): acts for name, acts in content.items() if isinstance(acts, dict)}


def _require_acts(file: RawFile, records: Sequence[_Record], acts: Mapping[str, Any]) -> None:
    """Raises SourceError if no dialogue of a data.json has acts, as its searches and bookings are known from them."""
    if any(_has_frames(record) or has_acts(record, acts.get(plain_name(name))) for name, record in records):
        return
    if any(isinstance(record, dict) and "log" in record for _, record in records):
        raise SourceError(
            f"{file.name}: no dialogue has acts, from which the calls are reconstructed; dialogue_acts.json (2.0) or "
            "system_acts.json (2.1), which has them, is missing beside it"
            if not acts
            else f"{file.name}: no dialogue has acts, and the file with the acts has none of these dialogues"
        )


# --- a record -> turns ---


def _list_unannotated(raw: Iterable[RawTurn]) -> Iterator[Place]:
    """The replies without acts: what they tell of venues and bookings was not looked up, as far as anybody knows."""
    return (Place(number, None) for number, turn in enumerate(raw) if not turn.system_acts)


def _read_turns(raw: Sequence[RawTurn], databases: Databases, name: str) -> tuple[tuple[Turn, ...], set[str]]:
    """The turns with calls, observations and acts, and the domains that occur in them."""
    memory = Memory(databases, name)
    turns: list[Turn] = []
    services: set[str] = set()
    intents: dict[str, str] = {}
    for number, turn in enumerate(raw, 1):
        memory.hear(turn, raw[number:])
        acts = assign_booking_domains(memory, turn)
        steps = _reconstruct_steps(memory, turn, acts)
        active = turn.intents or _find_intents(turn)
        begun = {domain: intent for domain, intent in active.items() if intents.get(domain) != intent}
        intents |= active
        user_acts = tuple(read_user_acts(memory, turn, begun))
        labels = Labels(user_acts=user_acts, system_acts=tuple(read_system_acts(memory, turn, acts)), intents=active)
        turns.append(Turn(user=turn.user, reply=turn.reply, steps=steps, state=turn.state, labels=labels))
        named = {*turn.state, *turn.intents, *(act.domain for act in (*acts, *turn.user_acts))}
        services |= named.intersection(DOMAINS)
        memory.end(turn)
    return tuple(turns), services


def _reconstruct_steps(memory: Memory, turn: RawTurn, acts: Sequence[RawAct]) -> tuple[Step, ...]:
    """The searches of a turn as one step, then its bookings as another."""
    domains = dict.fromkeys(act.domain for act in acts)
    outcomes = {domain: told for domain in domains if (told := read_outcome(memory, turn, acts, domain)) is not None}
    searches: list[tuple[Call, Any]] = []
    for domain in domains:
        if domain in SEARCH_BY:
            needed = domain in outcomes and not is_booked_record_known(memory, turn, domain, outcomes[domain])
            call = plan_search(memory, turn, acts, domain, needed)
            if call is not None:
                searches.append((call, search(memory, call)))
    bookings: list[tuple[Call, Any]] = []
    for domain, outcome in outcomes.items():
        call = plan_booking(memory, turn, domain, outcome)
        if call is not None:
            bookings.append((call, book(memory, call, outcome)))
    made = [made for made in (searches, bookings) if made]
    return tuple(_make_step(memory.number, sum(map(len, made[:place])), one) for place, one in enumerate(made))


def _make_step(turn: int, first: int, made: Sequence[tuple[Call, Any]]) -> Step:
    calls = [call.model_copy(update={"id": f"call_{turn}_{place}"}) for place, (call, _) in enumerate(made, first)]
    return Step(calls=tuple(calls), observations=tuple(observation for _, observation in made))


def _find_intents(turn: RawTurn) -> dict[str, str]:
    """Domain -> the intent of the user in this turn: to book, as soon as the state has a slot for booking."""
    intents = {}
    for domain in dict.fromkeys(act.domain for act in turn.user_acts if act.domain in DOMAINS):
        given = turn.state.get(domain, {}).keys() & (BOOK_SLOTS if domain != "train" else {"people"})
        books = domain == "taxi" or (domain in ("restaurant", "hotel", "train") and given)
        intents[domain] = f"{'book' if books else 'find'}_{domain}"
    return intents
