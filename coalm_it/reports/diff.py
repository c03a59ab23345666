"""What differs between two finished builds: rows in, out and changed, by part and reason, with examples.

Rows are joined by their ids. A row may have changed in several ways; each is a reason of its own. The order of the rows
is not compared by row: whether that of the common rows is the same is said for the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.folder import FolderError
from coalm_it.files import write_whole
from coalm_it.reports.columns import RowHashes, hash_rows
from coalm_it.reports.reasons import OtherBuild, describe_change

Change = Literal["out", "in", "changed"]

_FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("id", "change", "part", "split_before", "split_now"), pa.string()),
    "reasons": pa.list_(pa.string()),
    "details": pa.string(),
}
DIFF = pa.schema(list(_FIELDS.items()))
"""Columns of the Parquet file of a diff."""


class Difference(NamedTuple):
    """A row that one build has and the other not, or not so. The fields are the columns of DIFF."""

    id: str
    change: Change
    part: str
    split_before: str | None
    split_now: str | None
    reasons: tuple[str, ...]
    details: str
    """What a check found; "" otherwise."""


class PartDiff(NamedTuple):
    """Counts of the rows of a part. A row that moved to another part counts there as changed."""

    before: int
    now: int
    same: int
    rows_out: int
    rows_in: int
    changed: int


class Reason(NamedTuple):
    """How many rows of a part differ for a reason."""

    part: str
    change: Change
    reason: str
    rows: int
    examples: tuple[dict[str, str], ...]
    """Id and details of the first rows, in the order of the build; of a changed row, what it was and what it is."""


@dataclass(frozen=True)
class Diff:
    """What differs between two builds."""

    before: str
    now: str
    parts: dict[str, PartDiff]
    reasons: tuple[Reason, ...]
    same_order: bool
    """Whether the rows that both have stand in the same order."""
    differences: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        """Whether both have the same rows, in whichever order."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "now": self.now,
            "same": self.is_same,
            "same_order": self.same_order,
            "parts": {name: part._asdict() for name, part in self.parts.items()},
            "reasons": [reason._asdict() for reason in self.reasons],
        }


def diff(before: str | Path, now: str | Path, *, examples: int = 3, out: str | Path | None = None) -> Diff:
    """Compares two build folders, `before` and `now`. `out` is a Parquet file to write: one line for each difference.

    Raises FolderError (no finished build, a changed file), OutputError.
    """
    if out is not None and Path(out).suffix != ".parquet":
        raise FolderError(f"{out}: the differences are written as Parquet: name a file that ends in .parquet")
    builds = [open_build(Path(folder)) for folder in (before, now)]
    for build in builds:
        build.check_files(name for name in build.manifest.files if name.endswith(".parquet"))
    old, new = (hash_rows(build) for build in builds)
    differences = tuple(_list_differences(builds, old, new))
    if out is not None:
        _write(Path(out), differences)
    return Diff(
        str(before),
        str(now),
        _count_parts(builds, old, new, differences),
        tuple(_group(builds, differences, examples)),
        [name for name in old if name in new] == [name for name in new if name in old],
        differences,
    )


def _list_differences(
    builds: Sequence[FinishedBuild], old: Mapping[str, RowHashes], new: Mapping[str, RowHashes]
) -> Iterator[Difference]:
    before, now = builds
    if before.sha256 == now.sha256:
        return
    there, here = OtherBuild(now, before, new), OtherBuild(before, now, old)
    for row_id, row in old.items():
        if row_id not in new:
            reason, details = there.explain(row_id, row.part)
            yield Difference(row_id, "out", row.part, row.split, None, (reason,), details)
    for row_id, row in new.items():
        was = old.get(row_id)
        if was is None:
            reason, details = here.explain(row_id, row.part)
            yield Difference(row_id, "in", row.part, None, row.split, (reason,), details)
        elif was != row:
            reasons = tuple(_compare(builds, was, row))
            yield Difference(row_id, "changed", row.part, was.split, row.split, reasons, "")


def _compare(builds: Sequence[FinishedBuild], was: RowHashes, row: RowHashes) -> Iterator[str]:
    """What changed in a row. The three columns follow from the rest, unless their layout or wording is another."""
    for name in ("split", "part", "text", "thought", "tools", "provenance", "licence"):
        if getattr(was, name) != getattr(row, name):
            yield name
    old, new = (build.manifest.recipe.parts[one.part] for build, one in zip(builds, (was, row), strict=True))
    if was.columns != row.columns:
        if old.layout != new.layout:
            yield "layout"
        elif (was.text, was.thought, was.tools) == (row.text, row.thought, row.tools):
            yield "wording"


def _count_parts(
    builds: Sequence[FinishedBuild],
    old: Mapping[str, RowHashes],
    new: Mapping[str, RowHashes],
    differences: Sequence[Difference],
) -> dict[str, PartDiff]:
    before, now = (Counter(row.part for row in rows.values()) for rows in (old, new))
    counts = Counter((one.part, one.change) for one in differences)
    names = dict.fromkeys(name for build in builds for name in build.manifest.parts)
    parts = {}
    for name in names:
        rows_out, rows_in, changed = (counts[name, change] for change in ("out", "in", "changed"))
        parts[name] = PartDiff(before[name], now[name], now[name] - rows_in - changed, rows_out, rows_in, changed)
    return parts


def _group(builds: Sequence[FinishedBuild], differences: Sequence[Difference], examples: int) -> Iterator[Reason]:
    """The reasons by part, the most frequent first."""
    counts: Counter[tuple[str, Change, str]] = Counter()
    first: dict[tuple[str, Change, str], list[Difference]] = {}
    for one in differences:
        for reason in one.reasons:
            key = (one.part, one.change, reason)
            counts[key] += 1
            if len(some := first.setdefault(key, [])) < examples:
                some.append(one)
    wanted = {one.id for shown in first.values() for one in shown if one.change == "changed"}
    described = describe_change(builds, wanted)
    order = list(dict.fromkeys(name for build in builds for name in build.manifest.parts))
    for (part, change, reason), rows in sorted(counts.items(), key=lambda item: (order.index(item[0][0]), -item[1])):
        told = tuple(
            {"id": one.id, "details": described[one.id].get(reason, "") if change == "changed" else one.details}
            for one in first.get((part, change, reason), ())
        )
        yield Reason(part, change, reason, rows, told)


def _write(path: Path, differences: Sequence[Difference]) -> None:
    columns = zip(*differences, strict=True) if differences else [[] for _ in DIFF]
    arrays = [pa.array(list(values), field.type) for values, field in zip(columns, DIFF, strict=True)]
    with write_whole(path) as part:
        pq.write_table(pa.table(arrays, schema=DIFF), part, compression="zstd")
