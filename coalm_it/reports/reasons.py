"""Why a row is in one build and not in the other, and what changed in a row that is in both."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile, zip_longest
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.dataset.finished import FinishedBuild
from coalm_it.dataset.tables import Split
from coalm_it.rendering.messages import parse_texts
from coalm_it.schema import parse_dialogue_id, parse_dialogue_name

SHOWN = 120
"""Characters of a text that an example shows, from a little before the first difference."""
_COLUMNS = ["instruction", "input", "output"]


class OtherBuild:
    """The build that lacks rows, asked why."""

    def __init__(self, lacking: FinishedBuild, having: FinishedBuild, rows: Collection[str]) -> None:
        """`rows` are the ids of the rows of the build that lacks others."""
        self._manifest, self._having, self._rows = lacking.manifest, having.manifest, rows
        self._rejects = dict(_read_rejects(lacking))
        self._faults = {fault.record: fault.reason for fault in self._manifest.faults if fault.record}

    def explain(self, row_id: str, part: str) -> tuple[str, str]:
        """Why it lacks the row of a part, and what a check or a reader says of it."""
        counts = self._manifest.parts.get(part)
        if counts is None:
            return "no such part", ""
        name, _, repeat = row_id.rpartition("~r")
        if name and repeat.isdigit() and name in self._rows:
            return "no second copy", ""
        if row_id in self._rejects:
            checks, message = self._rejects[row_id]
            return f"rejected: {checks}", message
        dialogue = parse_dialogue_name(row_id)
        source, split = dialogue.split("/", 2)[:2]
        if source not in self._manifest.sources:
            return f"corpus {source} not read", ""
        if split != self._manifest.recipe.parts[part].split:
            return f"split {split} not read", ""
        if fault := self._faults.get(parse_dialogue_id(dialogue)):
            return "fault", fault
        if counts.left_out:
            return "not drawn", ""
        return "not made", ""


def _read_rejects(build: FinishedBuild) -> Iterable[tuple[str, tuple[str, str]]]:
    """Id of a reject -> the checks that rejected it, and what the first one found."""
    for name in sorted(name for name in build.manifest.files if name.startswith("rejects/")):
        for batch in pq.ParquetFile(build.folder / name).iter_batches(columns=["id", "findings"]):
            for row in batch.to_pylist():
                checks = ", ".join(dict.fromkeys(finding["check"] for finding in row["findings"]))
                yield row["id"], (checks, row["findings"][0]["message"])


# --- changed rows ---


def describe_change(builds: Sequence[FinishedBuild], ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Id of a changed row -> what changed -> what it was and what it is."""
    before, now = (_read_rows(build, ids) for build in builds)
    return {row_id: dict(_compare_rows(before[row_id], now[row_id])) for row_id in ids}


def _read_rows(build: FinishedBuild, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """The rows of these ids with all their columns."""
    rows: dict[str, dict[str, Any]] = {}
    wanted = pa.array(sorted(ids), pa.string())
    for split in get_args(Split) if ids else ():
        names = zip(build.list_files("samples", split), build.list_files("coalm_it", split), strict=True)
        for samples, three in names:
            found = pc.indices_nonzero(pc.is_in(pq.read_table(build.folder / samples, columns=["id"])["id"], wanted))
            if len(found):
                wide = pq.read_table(build.folder / samples).take(found).to_pylist()
                columns = pq.read_table(build.folder / three).take(found).to_pylist()
                rows |= {one["id"]: {**one, **other, "side": split} for one, other in zip(wide, columns, strict=True)}
    return rows


def _compare_rows(was: Mapping[str, Any], row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "split", f"{was['side']} -> {row['side']}"
    for name in ("part", "licence"):
        yield name, f"{was[name] or 'none'} -> {row[name] or 'none'}"
    old, new = ([*parse_texts(one["prompt"]), *parse_texts(one["completion"])] for one in (was, row))
    yield "text", _show_first(map(_without_thought, old), map(_without_thought, new))
    thoughts = ([message.get("reasoning_content", "") for message in messages] for messages in (old, new))
    yield "thought", _show_first(*thoughts) or _show_first([was["thought"] or ""], [row["thought"] or ""])
    yield "tools", _compare_tools(*(parse_texts(one["tools"]) for one in (was, row)))
    yield "provenance", _compare_keys(*(json.loads(one["provenance"]) for one in (was, row)))
    written = _show_first(*([one[name] for name in _COLUMNS] for one in (was, row)))
    yield from (("layout", written), ("wording", written))


def _without_thought(message: Mapping[str, Any]) -> str:
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
    return "\n".join([f"{message['role']}: {message['content']}", *calls])


def _show_first(old: Iterable[str], new: Iterable[str]) -> str:
    """The first texts that differ, from a little before their first difference."""
    for one, other in zip_longest(old, new, fillvalue=""):
        if one != other:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
            begin = max(sum(1 for _ in same) - SHOWN // 4, 0)
            return f"{_cut(one, begin)} -> {_cut(other, begin)}"
    return ""


def _cut(text: str, begin: int) -> str:
    shown = " ".join(text[begin : begin + SHOWN].split())
    return f'"{"..." if begin else ""}{shown}{"..." if len(text) > begin + SHOWN else ""}"'


def _compare_tools(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> str:
    before, now = ([tool["function"]["name"] for tool in tools] for tools in (old, new))
    gone, added = ([name for name in one if name not in other] for one, other in ((before, now), (now, before)))
    listed = [f"without {', '.join(gone)}"] * bool(gone) + [f"with {', '.join(added)}"] * bool(added)
    if listed:
        return "; ".join(listed)
    return "in another order" if sorted(before) == sorted(now) and before != now else "described otherwise"


def _compare_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    values = [f"{key} {_dump(old.get(key))} -> {_dump(new.get(key))}" for key in keys]
    return "; ".join(values)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:SHOWN]
