"""MultiWOZ's databases as functions that can be called: find and book, as the people who wrote the dialogues did.

The databases are the corpus's own `*_db.json` (Budzianowski et al. 2018): restaurants, hotels, attractions, trains,
taxis, a hospital, a police station. How a search matches, and who says so (names as in multiwoz_values):
- What is not given, or `dontcare`, does not constrain (EVALUATION, CONVLAB).
- A value that the database does not know ("?") matches every wish (EVALUATION, CONVLAB).
- `leave_at` finds trains that leave then or later, `arrive_by` those that arrive then or earlier (EVALUATION, CONVLAB,
  the SQL of MultiWOZ 2.0).
- A name matches the venue that is called so; if there is none, each whose name is like it (`same_name`; EVALUATION too
  compares names fuzzily). So do departments of the hospital.
- Everything else must be equal after `normalise` (CONVLAB; EVALUATION takes food and stations fuzzily too, by which
  "european" would find "modern european").
A booking needs a venue or train that is there; the databases hold no free tables or beds, so that it fails only there
or where the annotation says so. References, cars and phone numbers that the annotation does not give are drawn by a
stable hash of the call and its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from coalm_it.assets import asset
from coalm_it.multiwoz_values import DONT_CARE, format_pounds, name_slot, normalise, plain_venue, same_name
from coalm_it.schema import Call, Tool
from coalm_it.sources import RawFile, SourceError

DOMAINS = ("restaurant", "hotel", "attraction", "train", "taxi", "hospital", "police")
TRAIN_KEYS = ("train_id", "departure", "destination", "day")
INTEGERS = frozenset({"stars", "people", "stay"})
REFERENCE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

Record = dict[str, Any]
Observation = dict[str, Any]

_UNKNOWN = "?"
_MISSING: dict[str, Record] = {
    "hospital": {"address": "hills road, cambridge", "postcode": "cb20qq"},
    "police": {"postcode": "cb11jg"},
}
"""What the corpus's databases lack and its dialogues give: CONVLAB adds it in the same way."""


@dataclass(frozen=True)
class Databases:
    """The records of each domain, in file order, and the functions over them."""

    records: Mapping[str, tuple[Record, ...]]
    tools: tuple[Tool, ...]
    trains: Mapping[str, Mapping[str, tuple[Record, ...]]]
    """Slot -> value -> the trains that have it: there are 2,828 of them, and most searches are for one line."""

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


# --- loading ---


def load_databases(files: Mapping[str, RawFile]) -> Databases:
    """The databases among a corpus's files: `restaurant_db.json` and so on, in whatever folder.

    Raises SourceError: a database is missing or has another form.
    """
    records = {domain: _read_records(domain, files) for domain in DOMAINS}
    return Databases(records, _read_tools(records), {slot: _index(records["train"], slot) for slot in TRAIN_KEYS})


def _index(records: Sequence[Record], slot: str) -> dict[str, tuple[Record, ...]]:
    index: dict[str, list[Record]] = {}
    for record in records:
        index.setdefault(record[slot], []).append(record)
    return {value: tuple(same) for value, same in index.items()}


def _read_records(domain: str, files: Mapping[str, RawFile]) -> tuple[Record, ...]:
    name = f"{domain}_db.json"
    file = next((file for path, file in sorted(files.items()) if path.rpartition("/")[2] == name), None)
    if file is None:
        raise SourceError(f"{name}: missing; the corpus's databases are needed to execute its calls")
    raw = file.read_json()
    if not isinstance(raw, list) or not all(isinstance(record, dict) for record in raw):
        raise SourceError(f"{file.name}: a list of records was expected")
    if domain == "taxi":
        return tuple(raw)
    read = _TOOL_RESULTS[domain]
    return tuple(_read_record(domain, record, read) for record in raw)


def _read_record(domain: str, raw: Mapping[str, Any], slots: Sequence[str]) -> Record:
    """Slots in the order of the tool's results, typed; what the database does not know is left out."""
    values = _MISSING.get(domain, {}) | {name_slot(domain, key): value for key, value in raw.items()}
    return {slot: _type_value(slot, values[slot]) for slot in slots if values.get(slot) not in (None, "", _UNKNOWN)}


def _type_value(slot: str, value: Any) -> Any:
    text = value if isinstance(value, str) else str(value)
    if slot in INTEGERS and text.isdecimal():
        return int(text)
    return normalise("", slot, text) if slot == "type" else text


_SPECS: dict[str, dict[str, Any]] = yaml.safe_load(asset("templates", "tools", "multiwoz.yaml").read_text("utf-8"))
_TOOL_RESULTS: dict[str, list[str]] = {
    spec["service"]: spec["results"] for spec in _SPECS.values() if not spec.get("transactional")
}


def _read_tools(records: Mapping[str, tuple[Record, ...]]) -> tuple[Tool, ...]:
    return tuple(_read_tool(name, spec, records[spec["service"]]) for name, spec in _SPECS.items())


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
class Outcome:
    """What the annotation says of a booking. Without it, the databases decide alone."""

    refused: bool = False
    details: Mapping[str, str] | None = None
    """What it says came back: reference, or a taxi's type and phone."""


def execute(databases: Databases, call: Call, key: str = "", outcome: Outcome | None = None) -> Observation:
    """What a call returns: `{"matches": N, "results": [records]}`, every record, in database order.

    `key` sets the drawn references of one dialogue apart from another's. A call that the functions do not allow
    returns `{"error": why}`: an agent may have written it.
    """
    tool = databases.tool(call.name)
    if tool is None:
        return {"error": f"there is no function {call.name}"}
    unknown = [name for name in call.arguments if name not in tool.properties]
    if unknown:
        return {"error": f"{call.name} has no parameter {unknown[0]}"}
    given = {name: value for name, value in call.arguments.items() if value not in (None, "", DONT_CARE)}
    missing = [name for name in tool.required if name not in given]
    if missing:
        return {"error": f"{call.name} needs {missing[0]}"}
    if not tool.transactional:
        results = find(databases, tool.service, given)
    else:
        outcome = outcome or Outcome()
        booked = None if outcome.refused else _BOOK[tool.service](databases, given)
        results = [] if booked is None else [booked | _draw_details(tool, booked, databases, key, outcome)]
    return {"matches": len(results), "results": results}


def find(databases: Databases, domain: str, wanted: Mapping[str, Any]) -> list[Record]:
    """Every record of a domain that has what is wanted (see above for what counts as having it)."""
    records: Iterable[Record] = databases.records[domain]
    if domain == "train":
        known = [databases.trains[slot].get(normalise(domain, slot, str(wanted[slot])), ()) for slot in TRAIN_KEYS if slot in wanted]
        records = min(known, key=len, default=records)
    for slot, value in wanted.items():
        records = _filter(records, domain, slot, str(value))
    return list(records)


def _filter(records: Iterable[Record], domain: str, slot: str, value: str) -> list[Record]:
    wish = normalise(domain, slot, value)
    if wish in ("", DONT_CARE):
        return list(records)
    if slot in ("name", "department"):
        return find_named(list(records), slot, value)
    if slot == "leave_at":
        return [record for record in records if record[slot] >= wish]
    if slot == "arrive_by":
        return [record for record in records if record[slot] <= wish]
    return [record for record in records if slot not in record or str(record[slot]) == wish]


def find_named(records: Sequence[Record], slot: str, said: str) -> list[Record]:
    """The records that are called exactly so, else those with a name like it."""
    plain = plain_venue(said)
    exact = [record for record in records if slot in record and plain_venue(record[slot]) == plain]
    return exact or [record for record in records if slot in record and same_name(said, record[slot])]


# --- booking ---


def _book_venue(databases: Databases, domain: str, given: Record) -> Record | None:
    found = find_named(databases.records[domain], "name", str(given["name"]))
    return {**given, "name": found[0]["name"]} if len(found) == 1 else None


def _book_restaurant(databases: Databases, given: Record) -> Record | None:
    return _book_venue(databases, "restaurant", given)


def _book_hotel(databases: Databases, given: Record) -> Record | None:
    return _book_venue(databases, "hotel", given)


def _book_train(databases: Databases, given: Record) -> Record | None:
    """The train with its fare for all: price times people."""
    trains = find(databases, "train", {slot: value for slot, value in given.items() if slot != "people"})
    if not trains:
        return None
    total = float(trains[0]["price"].split()[0]) * int(given["people"])
    return {**trains[0], "people": given["people"], "total_price": format_pounds(total)}


def _book_taxi(databases: Databases, given: Record) -> Record | None:
    return dict(given)


_BOOK: dict[str, Callable[[Databases, Record], Record | None]] = {
    "restaurant": _book_restaurant,
    "hotel": _book_hotel,
    "train": _book_train,
    "taxi": _book_taxi,
}


def _draw_details(tool: Tool, booked: Record, databases: Databases, key: str, outcome: Outcome) -> Record:
    """Reference, or car and phone number: the annotation's, else drawn."""
    told = outcome.details or {}
    number = int.from_bytes(hashlib.blake2b(repr((key, tool.name, booked)).encode(), digest_size=16).digest())
    if "reference" in tool.results:
        letters = [REFERENCE_LETTERS[number // 36**place % 36] for place in range(8)]
        return {"reference": told.get("reference") or "".join(letters)}
    cars = databases.records["taxi"][0]
    colours, makes = cars["taxi_colors"], cars["taxi_types"]
    car = f"{colours[number % len(colours)]} {makes[number // len(colours) % len(makes)]}"
    return {"type": told.get("type") or car, "phone": told.get("phone") or f"07{number % 10**9:09}"}
