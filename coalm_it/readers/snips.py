"""SNIPS (Coucke et al. 2018, CC0-1.0): single utterances, each with a domain and slots; seven domains.

Three layouts, in order of preference, with a record of each:

`split`: train.json, valid.json, test.json (13,084 / 700 / 700), true case, one value per slot.

    {"dialog_id": "br_1737", "domain": "BookRestaurant", "utterance": "Book a table in Portugal",
     "slot_values": {"country": "Portugal"}}

`original`: a folder per domain with train_X_full.json and validate_X.json (13,784 / 700), text in segments.

    {"BookRestaurant": [{"data": [{"text": "Book a table in "}, {"text": "Portugal", "entity": "country"}]}]}

`joint_slu`: train, valid, test (13,084 / 700 / 700, a different split), each with seq.in, seq.out, label: one line
per utterance, lower case, as tokens with BIO tags.

    book a table in portugal     O O O O B-country     BookRestaurant

An utterance becomes a dialogue of one turn. A slot that is given twice keeps all its values, in order, in the
state; a row takes the last, as `split` does. Lost in conversion: the position of a value in the text (that the text
contains it is checked) and runs of white space. `split` itself lost one emoji of `original`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.parsing import read_list
from coalm_it.corpora.records import (
    BadRecord,
    DialogueContent,
    convert_dialogues,
    get_field,
    report_unreadable_file,
)
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue, Fault, Inventory, Turn

Slots = dict[str, tuple[str, ...]]
Parsed = tuple[str, str, Slots]
"""Domain, utterance, slots."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """The slots of the split by domain: domains in alphabetical order, slots in order of first occurrence.

    Files and records that cannot be read are left out; read_dialogues reports them.
    """
    slots: dict[str, dict[str, None]] = {}
    for file in corpus.splits.get(split, ()):
        try:
            records = _open(corpus, file)
        except SourceError:
            continue
        for record in records:
            try:
                domain, _, values = _parse(corpus, record)
            except BadRecord:
                continue
            slots.setdefault(domain, {}).update(dict.fromkeys(values))
    return Inventory(slots={domain: tuple(slots[domain]) for domain in sorted(slots)})


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The dialogues of one shard, one turn each; an invalid record is a Fault, and the others are still read."""

    def convert(record: Any) -> DialogueContent:
        domain, text, slots = _parse(corpus, record)
        return DialogueContent((Turn(user=text, state={domain: slots}),))

    def name(record: Any, index: int) -> str:
        """The dialog_id of the record; without one its line (from 1, as in an editor) or its index in the file."""
        if corpus.layout == "joint_slu":
            return f"line_{index + 1}"
        if isinstance(record, dict) and isinstance(record.get("dialog_id"), str):
            return str(record["dialog_id"])
        return f"{PurePosixPath(shard.file.name).stem.removesuffix('_full')}_{index}"

    records = _open(corpus, shard.file)
    return convert_dialogues(corpus, split, shard, licence, records=records, convert=convert, name=name)


def _open(corpus: Corpus, file: RawFile) -> list[Any]:
    return _LAYOUTS[corpus.layout][0](corpus, file)


def _parse(corpus: Corpus, record: Any) -> Parsed:
    """Raises BadRecord."""
    if isinstance(record, BrokenRecord):
        raise BadRecord(record.reason)
    domain, text, slots = _LAYOUTS[corpus.layout][1](record)
    if not (domain and text):
        raise BadRecord(f"the {'utterance' if domain else 'domain'} is empty")
    for slot, values in slots.items():
        for value in values:
            if not value or value not in text:
                raise BadRecord(f"slot {slot!r}: {value!r} is not in the utterance {text!r}")
    return domain, text, slots


def _clean(text: str) -> str:
    return " ".join(text.split())


# --- split: a list of objects ---


def _open_split(corpus: Corpus, file: RawFile) -> list[Any]:
    return read_list(file, "utterances")


def _convert_split(record: Any) -> Parsed:
    given = get_field(record, "slot_values", dict)
    slots: Slots = {slot: (_clean(get_field(given, slot, str)),) for slot in given}
    return get_field(record, "domain", str), _clean(get_field(record, "utterance", str)), slots


# --- original: an object with a list of records per domain ---


def _open_original(corpus: Corpus, file: RawFile) -> list[Any]:
    domains = file.read_json()
    if not isinstance(domains, dict) or not all(isinstance(records, list) for records in domains.values()):
        raise SourceError(f"{file.name}: an object with a list of utterances for the domain was expected")
    return [
        record if isinstance(record, BrokenRecord) else (domain, record)
        for domain, records in domains.items()
        for record in records
    ]


def _convert_original(record: Any) -> Parsed:
    domain, utterance = record
    texts: list[str] = []
    slots: Slots = {}
    for segment in get_field(utterance, "data", list):
        texts.append(get_field(segment, "text", str))
        if "entity" in segment:
            slot = get_field(segment, "entity", str)
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
        # Not splitlines, which would also split at the line separators of Unicode.
        columns.append(corpus.files[path].read_text().removesuffix("\n").split("\n"))
    lines = [len(column) for column in columns]
    if len(set(lines)) > 1:
        counted = f"seq.in has {lines[0]} lines, seq.out {lines[1]}, label {lines[2]}"
        raise SourceError(f"{file.name}: {counted}; each should have one line per utterance")
    return list(zip(*columns, strict=True))


def _convert_joint(record: Any) -> Parsed:
    tokens, tags, domain = record[0].split(), record[1].split(), record[2].strip()
    if len(tokens) != len(tags):
        raise BadRecord(f"{len(tokens)} tokens in seq.in, but {len(tags)} tags in seq.out")
    slots: Slots = {}
    before = ""
    for token, tag in zip(tokens, tags, strict=True):
        kind, _, slot = tag.partition("-")
        if tag != "O" and not (kind in ("B", "I") and slot):
            raise BadRecord(f"tag {tag!r} is none of O, B-SLOT, I-SLOT")
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
