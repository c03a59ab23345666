"""The databases of MultiWOZ as functions that can be called to search and to book.

The databases are the corpus's own `*_db.json` (Budzianowski et al. 2018): restaurants, hotels, attractions, trains,
taxis, a hospital, a police station. The rules of a search, with their sources (abbreviated as in values.py):
- A slot that is not given, or is `dontcare`, does not constrain (EVALUATION, CONVLAB).
- A value that the database does not know ("?") matches every request (EVALUATION, CONVLAB).
- `leave_at` finds trains that leave then or later, `arrive_by` those that arrive then or earlier (EVALUATION, CONVLAB,
  the SQL of MultiWOZ 2.0), compared as text: a train that arrives at 01:07 counts as early. (Of the counts given by
  people in validation, 10 agree with this and 2 with the other reading.)
- A name matches the venue with exactly that name; if there is none, every venue with a similar name (`same_name`;
  EVALUATION too compares names fuzzily). The same holds for departments of the hospital.
- A cuisine also matches one that contains it: "european" finds "modern european" (EVALUATION; of the counts in
  validation, 7 agree with this and none with the other reading).
- Everything else must be equal after `normalise` (CONVLAB).
A booking needs an existing venue or train; the databases have no availability, so a booking fails only without one, or
where the annotation says so. References, cars and phone numbers that the annotation does not give are drawn by a
stable hash of the call and its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from coalm_it.calls import find_tool
from coalm_it.corpora.corpus import RawFile
from coalm_it.corpora.sources import SourceError
from coalm_it.draw import stable_hash
from coalm_it.observations import Record, make_observation
from coalm_it.readers.multiwoz.matching import is_exact, is_part, plain_venue, same_name
from coalm_it.readers.multiwoz.values import COUNTS, TIMES, format_pounds, name_slot, normalise
from coalm_it.schema import DONT_CARE, Call, Tool
from coalm_it.templates import read_yaml

Observation = dict[str, Any]

TRAIN_KEYS = ("train_id", "departure", "destination", "day")
REFERENCE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

_UNKNOWN = "?"
_NEEDED = {
    "restaurant": ("name",),
    "hotel": ("name",),
    "attraction": ("name",),
    "train": (*TRAIN_KEYS, "leave_at", "arrive_by", "price"),
    "hospital": ("department",),
    "police": ("name",),
}
"""Domain -> the slots that each of its records must have."""
DOMAINS = (*_NEEDED, "taxi")
_MISSING: dict[str, dict[str, Any]] = {
    "hospital": {"address": "hills road, cambridge", "postcode": "cb20qq"},
    "police": {"postcode": "cb11jg"},
}
"""Values that the databases lack and the dialogues give; CONVLAB adds the same."""
CARS: Record = {
    "taxi_colors": ["black", "white", "red", "yellow", "blue", "grey"],
    "taxi_types": "toyota skoda bmw honda ford audi lexus volvo volkswagen tesla".split(),
}
"""As in taxi_db.json, which was not valid JSON in its first publication."""


@dataclass(frozen=True)
class Databases:
    """The records of each domain, in file order, and the functions over them."""

    records: Mapping[str, Sequence[Record]]
    tools: tuple[Tool, ...]
    trains: Mapping[str, Mapping[str, Sequence[Record]]]
    """Slot -> value -> trains. An index, as there are 2,828 trains and most searches are for one line."""


# --- loading ---


def load_databases(files: Mapping[str, RawFile]) -> Databases:
    """The databases among the files of a corpus: `restaurant_db.json` and so on, in any folder.

    Raises SourceError: a database is missing, or a record lacks a required slot.
    """
    records = {domain: _read_records(domain, files) for domain in _NEEDED} | {"taxi": [_read_cars(files)]}
    tools = tuple(_read_tool(name, spec, records[spec["service"]]) for name, spec in _read_specs().items())
    return Databases(records, tools, {slot: _index(records["train"], slot) for slot in TRAIN_KEYS})


@cache
def _read_specs() -> dict[str, dict[str, Any]]:
    specs: dict[str, dict[str, Any]] = read_yaml("tools/multiwoz.yaml")
    return specs


def _find_file(domain: str, files: Mapping[str, RawFile]) -> RawFile | None:
    return next((file for path, file in sorted(files.items()) if path.rpartition("/")[2] == f"{domain}_db.json"), None)


def _read_records(domain: str, files: Mapping[str, RawFile]) -> list[Record]:
    file = _find_file(domain, files)
    if file is None:
        raise SourceError(f"{domain}_db.json: missing; the corpus's databases are needed to execute its calls")
    raw = file.read_json()
    if not isinstance(raw, list) or not all(isinstance(record, dict) for record in raw):
        raise SourceError(f"{file.name}: a list of records was expected")
    slots = _read_specs()[f"find_{domain}"]["results"]
    records = [_read_record(domain, record, slots) for record in raw]
    for number, record in enumerate(records):
        for slot in _NEEDED[domain]:
            if slot not in record or not is_exact(slot, str(record[slot])):
                raise SourceError(f"{file.name}: record {number}: {slot} is {record.get(slot)!r}; a value was expected")
    return records


def _read_record(domain: str, raw: Mapping[str, Any], slots: Sequence[str]) -> Record:
    """Slots in the order of the tool's results, with typed values; unknown values are left out."""
    values = _MISSING.get(domain, {}) | {name_slot(domain, key): value for key, value in raw.items()}
    return {slot: _type_value(slot, values[slot]) for slot in slots if values.get(slot) not in (None, "", _UNKNOWN)}


def _type_value(slot: str, value: Any) -> Any:
    text = value if isinstance(value, str) else str(value)
    if slot in COUNTS and text.isdecimal():
        return int(text)
    return normalise("", slot, text) if slot == "type" else text


def _read_cars(files: Mapping[str, RawFile]) -> Record:
    file = _find_file("taxi", files)
    try:
        raw = file.read_json() if file else []
    except SourceError:
        return CARS
    cars = raw[0] if isinstance(raw, list) and raw else None
    return cars if isinstance(cars, dict) and all(cars.get(key) for key in CARS) else CARS


def _index(records: Sequence[Record], slot: str) -> dict[str, list[Record]]:
    index: dict[str, list[Record]] = {}
    for record in records:
        index.setdefault(record[slot], []).append(record)
    return index


def _read_tool(name: str, spec: dict[str, Any], records: Sequence[Record]) -> Tool:
    properties = {}
    for slot, schema in spec["parameters"].items():
        properties[slot] = {key: value for key, value in schema.items() if key != "closed"}
        if schema.get("closed"):
            properties[slot]["enum"] = sorted({record[slot] for record in records if slot in record})
    return Tool(
        name=name,
        service=spec["service"],
        description=spec["description"],
        parameters={"type": "object", "properties": properties, "required": spec.get("required", [])},
        results=tuple(spec["results"]),
        transactional=spec.get("transactional", False),
    )


# --- calling ---


@dataclass(frozen=True)
class BookingOutcome:
    """The outcome of a booking according to the annotation; without it, the databases alone decide."""

    refused: bool = False
    details: Mapping[str, str] | None = None
    """What the annotation says was returned: reference and fee, or type and phone of a taxi."""


def execute(databases: Databases, call: Call, key: str = "", outcome: BookingOutcome | None = None) -> Observation:
    """The observation of a call: `{"matches": N, "results": [records]}`, with every record, in database order.

    `key` makes the drawn references of different dialogues different. An invalid call, which an agent may have
    written, returns `{"error": reason}`.
    """
    tool = find_tool(call, databases.tools)
    given = {slot: value for slot, value in call.arguments.items() if value not in (None, "", DONT_CARE)}
    error = _find_error(call, tool, given)
    if error or tool is None:
        return {"error": error}
    if not tool.transactional:
        return make_observation(find(databases, tool.service, given))
    booked = None if outcome and outcome.refused else _book(databases, tool, given)
    if booked is None:
        return make_observation([])
    return make_observation([booked | _draw_details(databases, tool, booked, key, outcome or BookingOutcome())])


def _find_error(call: Call, tool: Tool | None, given: Mapping[str, Any]) -> str:
    if tool is None:
        return f"there is no function {call.name}"
    for slot in call.arguments:
        if slot not in tool.properties:
            return f"{call.name} has no parameter {slot}"
    for slot in tool.required:
        if slot not in given:
            return f"{call.name} needs {slot}"
    for slot, value in given.items():
        wanted = "a time as HH:MM" if slot in TIMES else "a whole number" if slot in COUNTS else ""
        if wanted and not is_exact(slot, normalise(tool.service, slot, str(value))):
            return f"{slot} must be {wanted}, not {value!r}"
    return ""


def find(databases: Databases, domain: str, wanted: Mapping[str, Any]) -> list[Record]:
    """Every record of a domain that matches the wanted values, by the rules above."""
    records: Sequence[Record] = databases.records[domain]
    if domain == "train":
        lines = (_find_trains(databases, slot, wanted) for slot in TRAIN_KEYS if slot in wanted)
        records = min(lines, key=len, default=records)
    for slot, value in wanted.items():
        records = _filter(records, domain, slot, str(value))
    return list(records)


def _find_trains(databases: Databases, slot: str, wanted: Mapping[str, Any]) -> Sequence[Record]:
    return databases.trains[slot].get(normalise("train", slot, str(wanted[slot])), ())


def _filter(records: Sequence[Record], domain: str, slot: str, value: str) -> Sequence[Record]:
    wish = normalise(domain, slot, value)
    if wish in ("", DONT_CARE):
        return records
    if slot in ("name", "department"):
        return find_named(records, slot, value)
    if slot == "leave_at":
        return [record for record in records if record[slot] >= wish]
    if slot == "arrive_by":
        return [record for record in records if record[slot] <= wish]
    if slot == "food":
        return [record for record in records if slot not in record or is_part(wish, record[slot])]
    return [record for record in records if slot not in record or str(record[slot]) == wish]


def find_named(records: Sequence[Record], slot: str, said: str) -> list[Record]:
    """The records with exactly that name; else those where one name contains the other; else those with a similar
    name."""
    plain = plain_venue(said)
    named = [(plain_venue(record[slot]), record) for record in records if slot in record]
    exact = [record for name, record in named if name == plain]
    if exact:
        return exact
    like = [(name, record) for name, record in named if same_name(said, record[slot])]
    return [r for name, r in like if is_part(name, plain) or is_part(plain, name)] or [record for _, record in like]


# --- booking ---


def _book(databases: Databases, tool: Tool, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The booked record, with slots in the order of the tool's results; None if there is none, or not exactly one."""
    booked = {slot: int(normalise("", slot, str(value))) if slot in COUNTS else value for slot, value in given.items()}
    if tool.service == "train":
        trains = find(databases, "train", {slot: value for slot, value in given.items() if slot in TRAIN_KEYS})
        if not trains:
            return None
        total = float(trains[0]["price"].split()[0]) * booked["people"]
        booked |= {**trains[0], "total_price": format_pounds(total)}
    elif tool.service != "taxi":
        venues = find_named(databases.records[tool.service], "name", str(given["name"]))
        if len(venues) != 1:
            return None
        booked["name"] = venues[0]["name"]
    return {slot: booked[slot] for slot in tool.results if slot in booked}


def _draw_details(
    databases: Databases, tool: Tool, booked: Record, key: str, outcome: BookingOutcome
) -> dict[str, Any]:
    """Reference, or car and phone number: as annotated, else drawn."""
    told = outcome.details or {}
    number = stable_hash(key, tool.name, *booked.items(), bits=128)
    if "reference" in tool.results:
        letters = (REFERENCE_LETTERS[number // 36**place % 36] for place in range(8))
        fee = {"total_price": told["total_price"]} if _is_same_fee(booked, told.get("total_price", "")) else {}
        return fee | {"reference": told.get("reference") or "".join(letters)}
    (cars,) = databases.records["taxi"]
    colours, makes = cars["taxi_colors"], cars["taxi_types"]
    car = f"{colours[number % len(colours)]} {makes[number // len(colours) % len(makes)]}"
    return {"type": told.get("type") or car, "phone": told.get("phone") or f"07{number % 10**9:09}"}


def _is_same_fee(booked: Record, told: str) -> bool:
    """Whether an annotated fee equals the computed one, up to the rounding of ticket prices in the database."""
    if "total_price" not in booked or not told.endswith(("pound", "pounds")):
        return False
    difference = float(told.split()[0]) - float(booked["total_price"].split()[0])
    return bool(abs(difference) <= 0.01 * booked["people"] + 0.001)
