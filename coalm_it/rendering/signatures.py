"""Functions as signatures, for people to read, with the keys of nested objects:

plan_tour(stops: array of {town: string, nights?: integer}, pace?: "slow" | "fast", dogs: boolean = false)
    Plans a tour.
    - stops: Where it goes.
    - stops[].town: Name of the town.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from coalm_it.rendering.messages import dump_json
from coalm_it.schema import Tool

Schema = Mapping[str, Any]
_CHOICES = {"anyOf": " | ", "oneOf": " | ", "allOf": " & "}
"""Keywords with several schemas, and what stands between their types."""


def write_signature(name: str, tool: Tool) -> str:
    """`name(required: type, optional: type = default, other?: type)`, followed by the descriptions."""
    types = _TypeWriter(tool.parameters)
    lines = [f"{name}({types.write_keys(tool.parameters)})"]
    lines += [f"    {' '.join(tool.description.split())}"] * bool(tool.description)
    lines += [f"    - {path}: {' '.join(text.split())}" for path, text in types.list_descriptions(tool.parameters)]
    return "\n".join(lines)


class _TypeWriter:
    """Writes the types of one function, whose schema `root` has the definitions that its parts may refer to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._open: list[Any] = []
        """The references that are being written: one inside itself is written as object."""

    def write_keys(self, schema: Schema) -> str:
        """`required: type, optional?: type` for the properties of an object."""
        required = schema.get("required")
        required = required if isinstance(required, list | tuple) else ()
        return ", ".join(
            self._write_key(key, entry, key in required) for key, entry in _find_properties(schema).items()
        )

    def _write_key(self, name: str, entry: Schema, required: bool) -> str:
        kind = self.write_type(entry)
        if "default" in entry:
            return f"{name}: {kind} = {dump_json(entry['default'])}"
        return f"{name}: {kind}" if required else f"{name}?: {kind}"

    def write_type(self, entry: Schema) -> str:
        """`string`, `integer | null`, `array of string`, `{town: string}`, or the values that are allowed."""
        if entry.get("enum"):
            return " | ".join(map(dump_json, entry["enum"]))
        if isinstance(reference := entry.get("$ref"), str):
            return self._write_reference(reference)
        for key, between in _CHOICES.items():
            if choices := _find_choices(entry, key):
                return between.join(dict.fromkeys(map(self.write_type, choices)))
        kinds = entry.get("type", "any")
        names = [kinds] if isinstance(kinds, str) else list(kinds)
        return " | ".join(self._write_kind(name, entry) for name in names)

    def _write_kind(self, kind: str, entry: Schema) -> str:
        if kind == "array" and isinstance(items := entry.get("items"), dict) and items:
            item = self.write_type(items)
            return (
                f"array of ({item})"
                if " | " in item and not items.get("enum") and item[0] != "{"
                else (f"array of {item}")
            )
        if kind in ("object", "any") and _find_properties(entry):
            return f"{{{self.write_keys(entry)}}}"
        if kind == "object" and isinstance(values := entry.get("additionalProperties"), dict) and values:
            return f"object of {self.write_type(values)}"
        return kind

    def _write_reference(self, reference: str) -> str:
        target = self._find_reference(reference)
        if target is None:
            return "object"
        self._open.append(reference)
        try:
            return self.write_type(target)
        finally:
            self._open.pop()

    def _find_reference(self, reference: str) -> Schema | None:
        """What `#/$defs/Town` refers to; None if nothing, or if it is being written."""
        found: Any = self._root
        for key in reference.removeprefix("#").split("/")[1:]:
            found = found.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found if isinstance(found, dict) and found and reference not in self._open else None

    def list_descriptions(self, schema: Schema, before: str = "") -> Iterator[tuple[str, str]]:
        """The path of each key that has a description, those of nested objects too, and the description."""
        for name, entry in _find_properties(schema).items():
            if entry.get("description"):
                yield before + name, str(entry["description"])
            yield from self._list_nested(entry, before + name)

    def _list_nested(self, entry: Schema, path: str) -> Iterator[tuple[str, str]]:
        if isinstance(reference := entry.get("$ref"), str) and (target := self._find_reference(reference)):
            self._open.append(reference)
            yield from self._list_nested(target, path)
            self._open.pop()
        for key in _CHOICES:
            for choice in _find_choices(entry, key):
                yield from self._list_nested(choice, path)
        if isinstance(items := entry.get("items"), dict):
            yield from self._list_nested(items, f"{path}[]")
        yield from self.list_descriptions(entry, f"{path}.")


def _find_properties(schema: Schema) -> dict[str, dict[str, Any]]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: entry for name, entry in properties.items() if isinstance(entry, dict)}


def _find_choices(entry: Schema, key: str) -> list[dict[str, Any]]:
    choices = entry.get(key)
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
