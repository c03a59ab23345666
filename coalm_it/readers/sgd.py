"""Schema-Guided Dialogue (Rastogi et al. 2020, CC BY-SA 4.0): tasks over services that a schema describes.

Layout: `train/`, `dev/`, `test/`, each with `schema.json` and `dialogues_001.json`, ... A shortened example:

    {"dialogue_id": "1_00000", "services": ["Restaurants_1"], "turns": [
      {"speaker": "USER", "utterance": "Find me Ethiopian cuisine in Berkeley.", "frames": [
        {"service": "Restaurants_1", "actions": [{"act": "INFORM", "slot": "city", "values": ["Berkeley"],
         "canonical_values": ["Berkeley"]}], "slots": [{"slot": "city", "start": 29, "exclusive_end": 37}],
         "state": {"active_intent": "FindRestaurants", "requested_slots": [], "slot_values": {...}}}]},
      {"speaker": "SYSTEM", "utterance": "Of the 4 Ethiopian ...", "frames": [{..., "service_call": {"method":
         "FindRestaurants", "parameters": {...}}, "service_results": [{...}, ...]}]}]}

Lost in conversion: the character spans (checked, then dropped) and `requested_slots` (given by the REQUEST acts).
The conversations take place on Friday 2019-03-01 (the schema's default dates, and "today" in utterances).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic asks for this one below Python 3.12

from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.parsing import read_list
from coalm_it.corpora.records import BadRecord, DialogueContent, convert_dialogues, report_unreadable_file
from coalm_it.corpora.sources import SourceError
from coalm_it.observations import make_observation
from coalm_it.schema import DONT_CARE, ActName, Call, Dialogue, Fault, Inventory, Step, Tool, Turn

CLOCK = datetime.date(2019, 3, 1)
FOLDERS = {"train": "train", "validation": "dev", "test": "test"}


# --- the publishers' files, as far as they are read ---


class _RawAct(TypedDict):
    act: ActName
    slot: str
    values: list[str]
    canonical_values: list[str]


class _RawSpan(TypedDict):
    slot: str
    start: int
    exclusive_end: int


class _RawState(TypedDict):
    active_intent: str
    slot_values: dict[str, list[str]]


class _RawCall(TypedDict):
    method: str
    parameters: dict[str, str]


class _RawFrame(TypedDict):
    service: str
    actions: list[_RawAct]
    slots: list[_RawSpan]
    state: NotRequired[_RawState]
    service_call: NotRequired[_RawCall]
    service_results: NotRequired[list[dict[str, str]]]


class _RawTurn(TypedDict):
    speaker: str
    utterance: str
    frames: list[_RawFrame]


class _RawDialogue(TypedDict):
    dialogue_id: str
    services: list[str]
    turns: list[_RawTurn]


class _RawSlot(TypedDict):
    name: str
    description: str
    is_categorical: bool
    possible_values: list[str]


class _RawIntent(TypedDict):
    name: str
    description: str
    is_transactional: bool
    required_slots: list[str]
    optional_slots: dict[str, str]
    result_slots: list[str]


class _RawService(TypedDict):
    service_name: str
    slots: list[_RawSlot]
    intents: list[_RawIntent]


_DIALOGUE = TypeAdapter(_RawDialogue)
_SERVICES = TypeAdapter(list[_RawService])


def _describe_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "the record"
    if first["type"] == "missing":
        return f"field {where} is missing"
    return f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}, found {first['input']!r:.60}"


# --- schema.json -> tools ---


class _Schema(NamedTuple):
    tools: dict[str, dict[str, Tool]]
    """Service -> function -> tool."""
    types: dict[str, dict[str, str]]
    """Service -> slot -> its JSON Schema type."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Every function of the split's schema, in file order. Raises SourceError."""
    tools = _read_schema(corpus, split).tools.values()
    return Inventory(tools=tuple(tool for service in tools for tool in service.values()))


def _read_schema(corpus: Corpus, split: str) -> _Schema:
    name = f"{FOLDERS[split]}/schema.json"
    if name not in corpus.files:
        raise SourceError(f"{name}: missing; every split needs its schema")
    try:
        services = _SERVICES.validate_python(corpus.files[name].read_json())
        return _Schema(
            tools={raw["service_name"]: {tool.name: tool for tool in _read_tools(raw)} for raw in services},
            types={raw["service_name"]: _read_types(raw) for raw in services},
        )
    except ValidationError as error:
        raise SourceError(f"{name}: {_describe_error(error)}") from None
    except KeyError as error:
        raise SourceError(f"{name}: slot {error} of an intent is not among its service's slots") from None


def _read_types(service: _RawService) -> dict[str, str]:
    return {slot["name"]: _slot_type(slot) for slot in service["slots"]}


def _slot_type(slot: _RawSlot) -> str:
    """Boolean or integer if every possible value is one, else string: the schema itself has no types."""
    values = slot["possible_values"] if slot["is_categorical"] else []
    if values and set(values) <= {"True", "False"}:
        return "boolean"
    if values and all(value.isdecimal() for value in values):
        return "integer"
    return "string"


def _typed(value: str, kind: str) -> str | int | bool:
    if kind == "boolean" and value in ("True", "False"):
        return value == "True"
    if kind == "integer" and value.isdecimal():
        return int(value)
    return value


def _read_tools(service: _RawService) -> Iterator[Tool]:
    slots = {slot["name"]: slot for slot in service["slots"]}
    for intent in service["intents"]:
        properties: dict[str, dict[str, Any]] = {}
        for name in [*intent["required_slots"], *intent["optional_slots"]]:
            kind = _slot_type(slots[name])
            properties[name] = {"type": kind, "description": slots[name]["description"]}
            if slots[name]["is_categorical"] and kind != "boolean":
                properties[name]["enum"] = [_typed(value, kind) for value in slots[name]["possible_values"]]
            default = intent["optional_slots"].get(name, DONT_CARE)
            if default != DONT_CARE:
                properties[name]["default"] = _typed(default, kind)
        required = intent["required_slots"]
        yield Tool(
            name=intent["name"],
            service=service["service_name"],
            description=intent["description"],
            parameters={"type": "object", "properties": properties, "required": required},
            results=tuple(intent["result_slots"]),
            transactional=intent["is_transactional"],
        )


# --- a record -> a dialogue ---


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The dialogues of one shard; an invalid record is a Fault, and the others are still read."""
    schema = _read_schema(corpus, split)

    def convert(record: Any) -> DialogueContent:
        try:
            raw = _DIALOGUE.validate_python(record)
            turns = _read_turns(raw, schema)
        except ValidationError as error:
            raise BadRecord(_describe_error(error)) from None
        tools = tuple(tool for service in raw["services"] for tool in schema.tools[service].values())
        return DialogueContent(turns, tools, CLOCK)

    def name(record: Any, index: int) -> str:
        name = record.get("dialogue_id") if isinstance(record, dict) else None
        return str(name or index)

    records = read_list(shard.file, "dialogues")
    return convert_dialogues(corpus, split, shard, licence, records=records, convert=convert, name=name)


def _read_turns(raw: _RawDialogue, schema: _Schema) -> tuple[Turn, ...]:
    for service in raw["services"]:
        if service not in schema.tools:
            raise BadRecord(f"service {service!r} is not in schema.json")
    for number, turn in enumerate(raw["turns"]):
        expected = "SYSTEM" if number % 2 else "USER"
        if turn["speaker"] != expected:
            raise BadRecord(f"turn {number} is by {turn['speaker']!r}; {expected!r} was expected")
        _check_frames(turn, number, schema)
    if not raw["turns"] or len(raw["turns"]) % 2:
        raise BadRecord(f"there are {len(raw['turns'])} turns; every user turn needs a system turn after it")
    turns: list[Turn] = []
    state: dict[str, dict[str, list[str]]] = {}
    for user, system in zip(raw["turns"][::2], raw["turns"][1::2], strict=True):
        state = state | {frame["service"]: frame["state"]["slot_values"] for frame in user["frames"]}
        step = _read_step(system["frames"], len(turns), schema)
        labels = {
            "user_acts": _read_acts(user),
            "system_acts": _read_acts(system),
            "intents": {frame["service"]: frame["state"]["active_intent"] for frame in user["frames"]},
        }
        fields = {
            "user": _clean(user["utterance"]),
            "steps": (step,) if step.calls else (),
            "reply": _clean(system["utterance"]),
            "state": state,
            "labels": labels,
        }
        turns.append(Turn.model_validate(fields))
    return tuple(turns)


def _clean(text: str) -> str:
    return " ".join(text.split())


def _check_frames(turn: _RawTurn, number: int, schema: _Schema) -> None:
    for frame in turn["frames"]:
        service = frame["service"]
        known = schema.types.get(service)
        if known is None:
            raise BadRecord(f"turn {number}: service {service!r} is not in schema.json")
        named = [span["slot"] for span in frame["slots"]]
        if turn["speaker"] == "USER":
            if "state" not in frame:
                raise BadRecord(f"turn {number}: the user's frame of {service} lacks its state")
            named += frame["state"]["slot_values"]
        elif "service_call" in frame:
            if "service_results" not in frame:
                raise BadRecord(f"turn {number}: there is a service_call, but no service_results")
            if frame["service_call"]["method"] not in schema.tools[service]:
                raise BadRecord(f"turn {number}: {service} has no {frame['service_call']['method']!r}")
            named += frame["service_call"]["parameters"]
            named += [slot for result in frame["service_results"] for slot in result]
        for slot in named:
            if slot not in known:
                raise BadRecord(f"turn {number}: slot {slot!r} is not in the schema of {service}")
        for span in frame["slots"]:
            if not 0 <= span["start"] < span["exclusive_end"] <= len(turn["utterance"]):
                place = f"span {span['start']}:{span['exclusive_end']} of slot {span['slot']!r}"
                raise BadRecord(f"turn {number}: {place} lies outside the utterance {turn['utterance']!r}")


def _read_acts(turn: _RawTurn) -> list[dict[str, Any]]:
    """As plain values, since constructing each Act takes a quarter of the reader's time."""
    return [
        {
            "name": act["act"],
            "service": frame["service"],
            "slot": act["slot"],
            "values": act["values"],
            "canonical": act["canonical_values"],
        }
        for frame in turn["frames"]
        for act in frame["actions"]
    ]


def _read_step(frames: list[_RawFrame], turn: int, schema: _Schema) -> Step:
    calls: list[Call] = []
    observations: list[dict[str, Any]] = []
    for frame in frames:
        if "service_call" not in frame:
            continue
        called, kinds = frame["service_call"], schema.types[frame["service"]]
        calls.append(
            Call(
                id=f"call_{turn}_{len(calls)}",
                name=called["method"],
                service=frame["service"],
                arguments=_type_values(called["parameters"], kinds),
            )
        )
        results = [_type_values(result, kinds) for result in frame["service_results"]]
        observations.append(make_observation(results))
    return Step(calls=tuple(calls), observations=tuple(observations))


def _type_values(values: dict[str, str], kinds: dict[str, str]) -> dict[str, Any]:
    return {slot: _typed(value, kinds[slot]) for slot, value in values.items()}
