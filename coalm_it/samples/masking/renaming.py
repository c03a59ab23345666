"""Applies a mask to a sample: replaces names and defaults in its tools and calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coalm_it.samples.masking.texts import Rewrite, is_ordinary, make_rewrite, rewrite_texts
from coalm_it.schema import Call, Sample, Step, Tool, Turn


@dataclass(frozen=True, slots=True)
class Mask:
    """The replacements: name -> new name; function -> parameter -> new name, and -> (default, new default)."""

    functions: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, str]]
    defaults: Mapping[str, Mapping[str, tuple[Any, Any]]] = field(default_factory=dict)
    in_texts: bool = False
    """Whether names are replaced inside descriptions too."""
    is_undone: bool = False
    """Whether the new names are the original ones."""

    def make_rewrite(self, tool: Tool) -> Rewrite | None:
        """What replaces the names in the texts of a function: its own parameters before those of others."""
        if not self.in_texts:
            return None
        others = {name: new for names in self.parameters.values() for name, new in names.items()}
        names = {**others, **self.functions, **self.parameters[tool.name]}
        changed = {name: new for name, new in names.items() if name != new}
        return make_rewrite(
            {name: new for name, new in changed.items() if not is_ordinary(new if self.is_undone else name)}
        )


def apply_mask(mask: Mask, sample: Sample, tools: list[Tool], provenance: dict[str, Any]) -> Sample:
    """The sample with the names and defaults of the mask, these tools (renamed too) and this provenance."""
    return sample.model_copy(
        update={
            "tools": tuple(_rename_tool(mask, tool) for tool in tools),
            "turns": tuple(_rename_turn(mask, turn) for turn in sample.turns),
            "provenance": provenance,
        }
    )


def _rename_turn(mask: Mask, turn: Turn) -> Turn:
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


def _rename_call(mask: Mask, call: Call) -> Call:
    names = mask.parameters.get(call.name, {})
    arguments = {names.get(name, name): value for name, value in call.arguments.items()}
    for name, (value, new) in mask.defaults.get(call.name, {}).items():
        if name in call.arguments and is_same(call.arguments[name], value):
            arguments[names[name]] = new
    name = mask.functions.get(call.name, call.name)
    return Call(id=call.id, name=name, arguments=arguments, service=call.service)


def _rename_tool(mask: Mask, tool: Tool) -> Tool:
    new = mask.functions.get(tool.name, tool.name)
    names, defaults = mask.parameters[tool.name], mask.defaults.get(tool.name, {})
    rewrite = mask.make_rewrite(tool)
    if rewrite is not None:
        tool = Tool(
            name=tool.name,
            service=tool.service,
            description=rewrite(tool.description),
            parameters=rewrite_texts(tool.parameters, rewrite),
            results=tool.results,
            transactional=tool.transactional,
            spec=None if tool.spec is None else rewrite_texts(tool.spec, rewrite),
        )
    # A new object: a copy would keep the cached signature with the old names.
    return Tool(
        name=new,
        service=tool.service,
        description=tool.description,
        parameters=_rename_schema(tool.parameters, tool, names, defaults),
        results=tool.results,
        transactional=tool.transactional,
        spec=None if tool.spec is None else _rename_spec(tool.spec, new, tool, names, defaults),
    )


DefaultPairs = Mapping[str, tuple[Any, Any]]


def _rename_spec(
    spec: dict[str, Any], new: str, tool: Tool, names: Mapping[str, str], defaults: DefaultPairs
) -> dict[str, Any]:
    """The description in the form of the corpus, alone or as {"type": "function", "function": {...}}."""
    renamed = dict(spec)
    for key, value in spec.items():
        if key == "name":
            # In the corpus a name may have spaces around it, which `tool.name` has not.
            renamed[key] = value.replace(tool.name, new)
        elif key == "parameters" and isinstance(value, dict):
            renamed[key] = _rename_schema(value, tool, names, defaults)
        elif key == "required" and isinstance(value, list):
            renamed[key] = [names.get(name, name) for name in value]
        elif key == "function" and isinstance(value, dict):
            renamed[key] = _rename_spec(value, new, tool, names, defaults)
    return renamed


def _rename_schema(
    schema: dict[str, Any], tool: Tool, names: Mapping[str, str], defaults: DefaultPairs
) -> dict[str, Any]:
    entries = find_entries(schema, tool)
    if entries is schema:
        return _rename_entries(schema, names, defaults)
    renamed = dict(schema)
    if entries:
        renamed["properties"] = _rename_entries(entries, names, defaults)
    if isinstance(required := schema.get("required"), list):
        renamed["required"] = [names.get(name, name) for name in required]
    return renamed


def find_entries(schema: dict[str, Any], tool: Tool) -> dict[str, Any]:
    """The entry of each parameter in a JSON Schema, or in a plain dict as in xLAM, recognised by their names."""
    properties = schema.get("properties")
    if isinstance(properties, dict) and properties.keys() == tool.properties.keys():
        return properties
    return schema if schema.keys() == tool.properties.keys() else {}


def _rename_entries(entries: dict[str, Any], names: Mapping[str, str], defaults: DefaultPairs) -> dict[str, Any]:
    renamed = {names.get(name, name): entry for name, entry in entries.items()}
    for name, (value, new) in defaults.items():
        if name in entries and is_same(entries[name].get("default"), value):
            renamed[names[name]] = {**entries[name], "default": new}
    return renamed


def is_same(value: Any, other: Any) -> bool:
    """Whether two values are equal and of one type: True is not 1, and 1 is not 1.0."""
    return type(value) is type(other) and bool(value == other)
