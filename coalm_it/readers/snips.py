"""SNIPS (Coucke et al. 2018, CC0-1.0): single utterances, each with a domain and slots; seven domains.

Three layouts, in order of preference, with a record of each:

`split`: train.json, valid.json, test.json (13,084 / 700 / 700), true case, one value a slot.

    {"dialog_id": "br_1737", "domain": "BookRestaurant", "utterance": "Book a table in Portugal",
     "slot_values": {"country": "Portugal"}}

`original`: a folder a domain with train_X_full.json and validate_X.json (13,784 / 700), text in segments.

    {"BookRestaurant": [{"data": [{"text": "Book a table in "}, {"text": "Portugal", "entity": "country"}]}]}

`joint_slu`: train, valid, test (13,084 / 700 / 700, another draw), each with seq.in, seq.out, label: one line
an utterance, lower case, in tokens with BIO tags.

    book a table in portugal     O O O O B-country     BookRestaurant

An utterance becomes a dialogue of one turn. A slot that is said twice keeps all its values, in order, in the
state; a row takes the last, as `split` does. Lost in conversion: where in the text a value stands (that it
stands there is checked) and runs of white space. `split` itself lost one emoji of `original`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypeVar

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue, Fault, Inventory, Turn

T = TypeVar("T")
Slots = dict[str, tuple[str, ...]]
Parsed = tuple[str, str, Slots]
"""Domain, utterance, slots."""


class _Utterance(NamedTuple):
    id: str
    domain: str
    text: str
    slots: Slots


class _BadRecord(ValueError):
    """A record that lacks something or contradicts itself."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """The split's slots by domain: domains in alphabetical order, slots as they first occur, files by name.

    What cannot be read is left out here; read_dialogues says so.
    """
    slots: dict[str, dict[str, None]] = {}
    for file in corpus.splits.get(split, ()):
        try:
            records = _open(corpus, file)
        except SourceError:
            continue
        for number, record in enumerate(records):
            utterance = _convert(corpus, file, number, record)
            if isinstance(utterance, _Utterance):
                slots.setdefault(utterance.domain, {}).update(dict.fromkeys(utterance.slots))
    return Inventory(slots={domain: tuple(slots[domain]) for domain in sorted(slots)})


def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The dialogues of one shard, one turn each; a record that is no good is a Fault and the rest goes on."""
    file = shard.file
    try:
        first, records = shard.take(_open(corpus, file))
    except SourceError as error:
        yield Fault(file=file.name, reason=str(error).removeprefix(f"{file.name}: "))
        return
    for number, record in enumerate(records, first):
        utterance = _convert(corpus, file, number, record)
        if isinstance(utterance, Fault):
            yield utterance
            continue
        yield Dialogue(
            id=utterance.id,
            source=corpus.source,
            split=split,
            licence=licence,
            turns=(Turn(user=utterance.text, state={utterance.domain: utterance.slots}),),
            file=file.name,
            record=number,
        )


def _open(corpus: Corpus, file: RawFile) -> list[Any]:
    return _LAYOUTS[corpus.layout][0](corpus, file)


def _convert(corpus: Corpus, file: RawFile, number: int, record: Any) -> _Utterance | Fault:
    name, convert = _name(corpus, file, number, record), _LAYOUTS[corpus.layout][1]
    try:
        domain, text, slots = convert(record)
        if not (domain and text):
            raise _BadRecord(f"the {'utterance' if domain else 'domain'} is empty")
        for slot, values in slots.items():
            for value in values:
                if not value or value not in text:
                    raise _BadRecord(f"slot {slot!r}: {value!r} does not stand in the utterance {text!r}")
    except _BadRecord as error:
        return Fault(file=file.name, record=name, reason=str(error))
    return _Utterance(name, domain, text, slots)


def _name(corpus: Corpus, file: RawFile, number: int, record: Any) -> str:
    """The record's dialog_id; without one its line (from 1, as editors count) or its number in the file."""
    if corpus.layout == "joint_slu":
        return f"line_{number + 1}"
    if isinstance(record, dict) and isinstance(record.get("dialog_id"), str):
        return str(record["dialog_id"])
    return f"{PurePosixPath(file.name).stem.removesuffix('_full')}_{number}"


def _clean(text: str) -> str:
    return " ".join(text.split())


_KINDS: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


def _field(record: Any, key: str, kind: type[T]) -> T:
    if not isinstance(record, dict):
        raise _BadRecord(f"an object with {key!r} was expected, found {record!r:.60}")
    if key not in record:
        raise _BadRecord(f"field {key!r} is missing; there is {', '.join(map(repr, record)) or 'none'}")
    value = record[key]
    if not isinstance(value, kind):
        raise _BadRecord(f"{key!r} should be {_KINDS[kind]}, found {value!r:.60}")
    return value


# --- split: a list of objects ---


def _open_split(corpus: Corpus, file: RawFile) -> list[Any]:
    records = file.read_json()
    if not isinstance(records, list):
        raise SourceError(f"{file.name}: a list of utterances was expected at the top")
    return records


def _convert_split(record: Any) -> Parsed:
    given = _field(record, "slot_values", dict)
    slots: Slots = {slot: (_clean(_field(given, slot, str)),) for slot in given}
    return _field(record, "domain", str), _clean(_field(record, "utterance", str)), slots


# --- original: an object with a list of records a domain ---


def _open_original(corpus: Corpus, file: RawFile) -> list[Any]:
    domains = file.read_json()
    if not isinstance(domains, dict) or not all(isinstance(records, list) for records in domains.values()):
        raise SourceError(f"{file.name}: an object with a list of utterances for the domain was expected")
    return [(domain, record) for domain, records in domains.items() for record in records]


def _convert_original(record: Any) -> Parsed:
    domain, utterance = record
    texts: list[str] = []
    slots: Slots = {}
    for segment in _field(utterance, "data", list):
        texts.append(_field(segment, "text", str))
        if "entity" in segment:
            slot = _field(segment, "entity", str)
            slots[slot] = (*slots.get(slot, ()), _clean(texts[-1]))
    return domain, _clean("".join(texts)), slots


# --- joint_slu: three files, line by line ---


def _open_joint(corpus: Corpus, file: RawFile) -> list[Any]:
    folder = PurePosixPath(file.name).parent
    columns = []
    for name in ("seq.in", "seq.out", "label"):
        path = str(folder / name)
        if path not in corpus.files:
            raise SourceError(f"{file.name}: {path} is missing; seq.in, seq.out and label belong together")
        # Not splitlines: it would also cut at the line separators of Unicode.
        columns.append(corpus.files[path].read_text().removesuffix("\n").split("\n"))
    lines = [len(column) for column in columns]
    if len(set(lines)) > 1:
        counted = f"seq.in has {lines[0]} lines, seq.out {lines[1]}, label {lines[2]}"
        raise SourceError(f"{file.name}: {counted}; there should be one line an utterance in each")
    return list(zip(*columns, strict=True))


def _convert_joint(record: Any) -> Parsed:
    tokens, tags, domain = record[0].split(), record[1].split(), record[2].strip()
    if len(tokens) != len(tags):
        raise _BadRecord(f"{len(tokens)} tokens in seq.in, but {len(tags)} tags in seq.out")
    slots: Slots = {}
    before = ""
    for token, tag in zip(tokens, tags, strict=True):
        kind, _, slot = tag.partition("-")
        if tag != "O" and not (kind in ("B", "I") and slot):
            raise _BadRecord(f"tag {tag!r} is none of O, B-SLOT, I-SLOT")
        # An I- tag that continues nothing begins a value, as in the field's scorer conlleval.
        if kind == "I" and slot == before:
            slots[slot] = (*slots[slot][:-1], f"{slots[slot][-1]} {token}")
        elif slot:
            slots[slot] = (*slots.get(slot, ()), token)
        before = slot
    return domain, " ".join(tokens), slots


_LAYOUTS: dict[str, tuple[Callable[[Corpus, RawFile], list[Any]], Callable[[Any], Parsed]]] = {
    "split": (_open_split, _convert_split),
    "original": (_open_original, _convert_original),
    "joint_slu": (_open_joint, _convert_joint),
}
