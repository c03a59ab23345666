"""Other names for functions and parameters, so that a model reads the descriptions and does not guess from names.

The augmentation is Hammer's (MadeAgents/Hammer, whose data code gives the lengths, the alphabet and the steps of
numbers): names are replaced by drawn ones, defaults that the answer used by other values, and the tools are
shuffled. What differs from it:

- A name begins with a letter or an underscore, and no name occurs twice in a sample or was there before.
- Tools and calls stay consistent, in the history too: names and values are replaced as whole keys and values, never
  inside a text. Descriptions stay as they are, as Hammer's do, and so do observations.
- What the conversation calls by its name (`user_id`, `getWeather`, `Get Joke`; a plain word such as `search` is no
  such call) keeps that name. So does what has no description of its own to be known by, and what no tool defines;
  the checks turn such calls away.
- A default changes only where a call of the target states it, nobody else does, and `_other_default` finds it safe.
- Names inside a nested object stay.

Everything is drawn from the seed and the sample's id. `unmask_sample` undoes it from `provenance["mask"]`:

    functions, parameters    new name -> name
    defaults                 new name of the parameter -> [default, new default]
    order                    for each tool as shown, its place before
"""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coalm_it.draw import draw_items, stable_hash
from coalm_it.schema import Call, Sample, Step, Tool, Turn
from coalm_it.values import mentions, read_value

Style = Literal["plain", "hammer"]

FUNCTION_LENGTHS = (5, 15)
PARAMETER_LENGTHS = (4, 10)
TEXT_LENGTH = 5

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_TABLES = {
    style: bytes(ord(letters[byte % len(letters)]) for byte in range(256))
    for style, letters in (("plain", _LETTERS), ("hammer", _LETTERS + "."))
}
_NEVER_FIRST = frozenset("0123456789.")
_CHUNK = FUNCTION_LENGTHS[1] + 2
"""Bytes for one draw: the characters of the longest name, and two for its length."""
_PLAIN_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


@dataclass(frozen=True, slots=True)
class _Mask:
    """What takes the place of what: functions by name, parameters and their defaults by function and name."""

    functions: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, str]]
    defaults: Mapping[str, Mapping[str, tuple[Any, Any]]] = field(default_factory=dict)


def draw_mask(sample_id: str, *, probability: float, seed: int = 0) -> bool:
    """Whether the sample of this id is among those to be masked."""
    return stable_hash("whether to mask", seed, sample_id) < probability * 2**64


def mask_sample(sample: Sample, *, style: Style = "plain", seed: int = 0) -> Sample:
    """The sample with other names, its tools in another order, and the way back in its provenance.

    `plain` draws names of letters, digits and underscores; `hammer`, as in the published rows, with single dots inside.
    Raises ValueError for a sample that is masked already.
    """
    if "mask" in sample.provenance:
        raise ValueError(f"{sample.id} is masked already")
    described = {tool.name: tool.description for tool in sample.tools}
    entries: dict[str, dict[str, str]] = {name: {} for name in described}
    for tool in sample.tools:
        for name, entry in tool.properties.items():
            entries[tool.name][name] = entry.get("description") or ""
    pen = _Pen(style, ("mask", seed, sample.id), sample)
    functions = pen.write_names(described, FUNCTION_LENGTHS)
    parameters = {function: pen.write_names(names, PARAMETER_LENGTHS) for function, names in entries.items()}
    mask = _Mask(functions, parameters, _draw_defaults(sample, parameters, pen))
    order = draw_items(range(len(sample.tools)), len(sample.tools), "order", seed, sample.id)
    way_back = {
        "style": style,
        "functions": {new: name for name, new in functions.items() if new != name},
        "parameters": {new: name for names in parameters.values() for name, new in names.items() if new != name},
        "defaults": {
            parameters[function][name]: list(pair)
            for function, pairs in mask.defaults.items()
            for name, pair in pairs.items()
        },
        "order": order,
    }
    shuffled = [sample.tools[place] for place in order]
    return _apply(mask, sample, shuffled, {**sample.provenance, "mask": way_back})


def unmask_sample(sample: Sample) -> Sample:
    """The sample that `mask_sample` was given. Raises ValueError for one that is not masked."""
    provenance = dict(sample.provenance)
    way_back = provenance.pop("mask", None)
    if way_back is None:
        raise ValueError(f"{sample.id} is not masked")
    names = [tool.name for tool in sample.tools]
    defaults = {name: (new, value) for name, (value, new) in way_back["defaults"].items()}
    mask = _Mask(
        way_back["functions"],
        dict.fromkeys(names, way_back["parameters"]),
        dict.fromkeys(names, defaults) if defaults else {},
    )
    places = sorted(range(len(names)), key=way_back["order"].__getitem__)
    return _apply(mask, sample, [sample.tools[place] for place in places], provenance)


# --- drawing names ---


class _Pen:
    """Writes names from a stream of bytes that hangs on the key alone: none twice, and none that is in use."""

    def __init__(self, style: Style, key: tuple[object, ...], sample: Sample) -> None:
        self._table = _TABLES[style]
        self._stream = hashlib.shake_256(stable_hash(*key).to_bytes(8, "big"))
        self._bytes = self._stream.digest(32 * _CHUNK)
        self._place = 0
        self._taken = set(keyword.kwlist)
        for tool in sample.tools:
            self._taken.add(tool.name)
            self._taken.update(tool.properties)
        for call in _all_calls(sample):
            self._taken.add(call.name)
            self._taken.update(call.arguments)
        self.said = _conversation(sample)

    def draw(self) -> bytes:
        """The next _CHUNK bytes."""
        start = self._place
        self._place += _CHUNK
        if self._place > len(self._bytes):
            # A longer digest begins with the shorter one.
            self._bytes = self._stream.digest(2 * len(self._bytes))
        return self._bytes[start : self._place]

    def draw_below(self, below: int) -> int:
        return int.from_bytes(self.draw(), "big") % below

    def write_text(self, length: int) -> str:
        return self.draw()[:length].translate(self._table).decode("ascii")

    def write_names(self, described: Mapping[str, str], lengths: tuple[int, int]) -> dict[str, str]:
        """Another name for each, or itself where the conversation says it or no description tells what it is."""
        shortest, longest = lengths
        descriptions = list(described.values())
        unlike = len(set(descriptions)) == len(descriptions)
        written: dict[str, str] = {}
        for name, description in described.items():
            known = description and (unlike or descriptions.count(description) == 1)
            if not known or (name in self.said and _is_said(name, self.said)):
                written[name] = name
            while name not in written:
                drawn = self.draw()
                length = shortest + (drawn[-2] << 8 | drawn[-1]) % (longest - shortest + 1)
                new = drawn[:length].translate(self._table).decode("ascii")
                if new[0] not in _NEVER_FIRST and new[-1] != "." and ".." not in new and new not in self._taken:
                    self._taken.add(new)
                    written[name] = new
        return written


def _is_said(name: str, said: str) -> bool:
    if _PLAIN_WORD.fullmatch(name):
        return False
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", said) is not None


def _all_calls(sample: Sample) -> list[Call]:
    return [call for turn in sample.turns for step in turn.steps for call in step.calls]


def _conversation(sample: Sample) -> str:
    """All that is said, as one text; not what is written for machines."""
    texts: list[str | None] = []
    for turn in sample.turns:
        texts += (turn.user, turn.thought, turn.reply)
        texts += [step.thought for step in turn.steps]
    return "\n".join(filter(None, texts))


# --- drawing defaults ---

_SAID_NUMBER = re.compile(
    r"\b(?:half|quarters?|couple|few|several|pairs?|both|dozens?|minutes?|hours?|hourly|days?|daily|weeks?|weekly"
    r"|weekend|fortnight|months?|monthly|years?|yearly|annual|decades?|century|percent|all|every|each)\b|%"
)
"""Words that may say a number which is not their own: an hour is 60, a day 24, a dozen 12."""
_WORD = re.compile(r"[a-z]{3,}")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME = re.compile(r"(?=.*[a-z])[A-Za-z]{4,}(?:[ _-][A-Za-z]+)*")


def _draw_defaults(
    sample: Sample, parameters: Mapping[str, Mapping[str, str]], pen: _Pen
) -> dict[str, dict[str, tuple[Any, Any]]]:
    drawn: dict[str, dict[str, tuple[Any, Any]]] = {}
    tools = {tool.name: tool for tool in sample.tools}
    for call in sample.calls:
        if call.name not in tools:
            continue
        tool = tools[call.name]
        for name, value in call.arguments.items():
            entry = tool.properties.get(name, {})
            if "default" not in entry or not _is_same(entry["default"], value) or name in drawn.get(call.name, {}):
                continue
            if parameters[call.name][name] == name or not _is_only_default(sample, tool, name):
                continue
            new = _other_default(value, name, entry, _all_said(sample, pen.said), pen)
            given = [other.arguments.get(name) for other in _all_calls(sample) if other.name == call.name]
            if new is not None and not any(_is_same(new, other) for other in (value, *given)):
                drawn.setdefault(call.name, {})[name] = (value, new)
    return drawn


def _other_default(value: Any, name: str, entry: Mapping[str, Any], said: str, pen: _Pen) -> Any:
    """A value of the same type that may stand for a default, or None where the default should stay.

    It stays where the conversation may mean it in other words: short words and codes (`en`: English), numbers below
    3 (a, first, both) or that a unit may say, booleans, and values of a shape of their own (dates, addresses); where
    a word of the parameter's name or description is said; where the description speaks of the default or of
    numbers. A choice gives way to another choice.
    """
    described = str(entry.get("description", "")).lower()
    heard = _WORD.findall(said)
    topics = {word[:5] for word in _WORD.findall(_HUMP.sub(" ", name).lower())}
    topics |= {word[:5] for word in _WORD.findall(described) if len(word) > 4}
    if isinstance(value, bool) or "default" in described or not topics.isdisjoint(word[:5] for word in heard):
        return None
    if mentions(said, value):
        return None
    if choices := entry.get("enum"):
        others = [item for item in choices if type(item) is type(value) and item != value and not mentions(said, item)]
        return others[pen.draw_below(len(others))] if others else None
    if isinstance(value, str):
        known = {word[:3] for word in (*heard, *_WORD.findall(described))}
        heard_of = not known.isdisjoint(word[:3] for word in _WORD.findall(value.lower()))
        return None if heard_of or read_value(value) or not _NAME.fullmatch(value) else pen.write_text(TEXT_LENGTH)
    if not isinstance(value, int | float) or abs(value) < 3:
        return None
    if _SAID_NUMBER.search(said) or re.search(r"\d", described):
        return None
    return value + 1 + pen.draw_below(4) if isinstance(value, int) else round(value + (1 + pen.draw_below(9)) / 10, 6)


def _is_same(value: Any, other: Any) -> bool:
    """Whether two values are one, where True is not 1 and 1 not 1.0."""
    return type(value) is type(other) and bool(value == other)


def _is_only_default(sample: Sample, tool: Tool, name: str) -> bool:
    """Whether the corpus's own form of the tool has the same default, and no other tool goes by its name."""
    function = tool.spec or {}
    if isinstance(function.get("function"), dict):
        function = function["function"]
    schema = function.get("parameters", tool.parameters)
    entry = _find_entries(schema, tool).get(name, {})
    alone = [other.name for other in sample.tools].count(tool.name) == 1
    return alone and _is_same(entry.get("default"), tool.properties[name]["default"])


def _all_said(sample: Sample, said: str) -> str:
    """The conversation with its observations, in lower case."""
    observations = [observation for turn in sample.turns for step in turn.steps for observation in step.observations]
    return f"{said}\n{observations}".lower()


# --- putting names in place ---


def _apply(mask: _Mask, sample: Sample, tools: list[Tool], provenance: dict[str, Any]) -> Sample:
    return sample.model_copy(
        update={
            "tools": tuple(_rename_tool(mask, tool) for tool in tools),
            "turns": tuple(_rename_turn(mask, turn) for turn in sample.turns),
            "provenance": provenance,
        }
    )


def _rename_turn(mask: _Mask, turn: Turn) -> Turn:
    if not turn.steps:
        return turn
    steps = tuple(
        Step(
            thought=step.thought,
            calls=tuple(_rename_call(mask, call) for call in step.calls),
            observations=step.observations,
        )
        for step in turn.steps
    )
    return turn.model_copy(update={"steps": steps})


def _rename_call(mask: _Mask, call: Call) -> Call:
    names = mask.parameters.get(call.name, {})
    arguments = {names.get(name, name): value for name, value in call.arguments.items()}
    for name, (value, new) in mask.defaults.get(call.name, {}).items():
        if name in call.arguments and _is_same(call.arguments[name], value):
            arguments[names[name]] = new
    name = mask.functions.get(call.name, call.name)
    return Call(id=call.id, name=name, arguments=arguments, service=call.service)


def _rename_tool(mask: _Mask, tool: Tool) -> Tool:
    new = mask.functions.get(tool.name, tool.name)
    names, defaults = mask.parameters[tool.name], mask.defaults.get(tool.name, {})
    # Made anew: a copy would keep the cached signature of the old names.
    return Tool(
        name=new,
        service=tool.service,
        description=tool.description,
        parameters=_rename_schema(tool.parameters, tool, names, defaults),
        results=tool.results,
        transactional=tool.transactional,
        spec=None if tool.spec is None else _rename_spec(tool.spec, new, tool, names, defaults),
    )


Pairs = Mapping[str, tuple[Any, Any]]


def _rename_spec(
    spec: dict[str, Any], new: str, tool: Tool, names: Mapping[str, str], defaults: Pairs
) -> dict[str, Any]:
    """The function as its corpus writes it, by itself or as {"type": "function", "function": {...}}."""
    renamed = dict(spec)
    for key, value in spec.items():
        if key == "name":
            # Blanks around a name are the corpus's; the tool's own name has none.
            renamed[key] = value.replace(tool.name, new)
        elif key == "parameters" and isinstance(value, dict):
            renamed[key] = _rename_schema(value, tool, names, defaults)
        elif key == "required" and isinstance(value, list):
            renamed[key] = [names.get(name, name) for name in value]
        elif key == "function" and isinstance(value, dict):
            renamed[key] = _rename_spec(value, new, tool, names, defaults)
    return renamed


def _rename_schema(schema: dict[str, Any], tool: Tool, names: Mapping[str, str], defaults: Pairs) -> dict[str, Any]:
    entries = _find_entries(schema, tool)
    if entries is schema:
        return _rename_entries(schema, names, defaults)
    renamed = dict(schema)
    if entries:
        renamed["properties"] = _rename_entries(entries, names, defaults)
    if isinstance(required := schema.get("required"), list):
        renamed["required"] = [names.get(name, name) for name in required]
    return renamed


def _find_entries(schema: dict[str, Any], tool: Tool) -> dict[str, Any]:
    """The parameters in a JSON Schema of any dialect, or, as xLAM has them, by themselves; their names tell."""
    properties = schema.get("properties")
    if isinstance(properties, dict) and properties.keys() == tool.properties.keys():
        return properties
    return schema if schema.keys() == tool.properties.keys() else {}


def _rename_entries(entries: dict[str, Any], names: Mapping[str, str], defaults: Pairs) -> dict[str, Any]:
    renamed = {names.get(name, name): entry for name, entry in entries.items()}
    for name, (value, new) in defaults.items():
        if name in entries and _is_same(entries[name].get("default"), value):
            renamed[names[name]] = {**entries[name], "default": new}
    return renamed
