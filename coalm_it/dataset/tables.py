"""A build folder: tables of rows, Parquet files, the marker, the manifest; every file whole or not there."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.files import write_whole
from coalm_it.mixture.split import Functions, list_functions
from coalm_it.rendering import MESSAGE_KEYS, Message, Row
from coalm_it.schema import Finding, Sample, parse_dialogue_name

ROWS_A_FILE = 50_000
ROWS_A_GROUP = 5_000

_MESSAGE = pa.struct([(key, pa.string()) for key in MESSAGE_KEYS])
_FINDING = pa.struct([(name, pa.string()) for name in Finding.model_fields])
_TEXTS = ("id", "part", "task", "source", "split", "dialogue_id")

COALM_IT = pa.schema([(name, pa.string()) for name in ("instruction", "input", "output")])
"""The published three columns."""

SAMPLES = pa.schema(
    [
        *[(name, pa.string()) for name in _TEXTS],
        ("turn", pa.int32()),
        ("licence", pa.string()),
        ("thought", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("tools", pa.string()),
        ("provenance", pa.string()),
    ]
)
"""The typed columns, a row for each row of COALM_IT."""

_FUNCTIONS = [pa.field(name, pa.list_(pa.string())) for name in Functions._fields]

Pick = tuple[int, int, int]
"""A row by the number of its table, its number there, and which further copy of it is meant (0: itself)."""

REJECTS = SAMPLES.append(pa.field("findings", pa.list_(_FINDING)))


# --- tables of rows ---


class TableBuilder:
    """Collects rows into an Arrow table: all columns of COALM_IT and REJECTS, `findings` null for a kept row, and for
    function calls the names of the functions that they are `about` and `shown` (see mixture/split.py).

    A dialogue's rows share their messages, and its tools; the table holds each once and refers to it.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._messages: list[Message] = []
        self._places: dict[int, int] = {}
        self._listed: list[list[int]] = []

    def add_row(self, sample: Sample, row: Row, findings: Sequence[Finding]) -> None:
        columns = self._columns
        for name in _TEXTS:
            columns[name].append(getattr(sample, name))
        columns["turn"].append(sample.turn)
        columns["licence"].append(sample.licence)
        columns["thought"].append(sample.thought)
        for name in ("instruction", "input", "output", "tools", "provenance"):
            columns[name].append(getattr(row, name))
        columns["findings"].append([finding.model_dump() for finding in findings] or None)
        functions = list_functions(sample)
        for name in Functions._fields:
            columns[name].append(sorted(getattr(functions, name)) if functions else None)
        self._listed.append([self._place_message(message) for message in row.messages])

    def _place_message(self, message: Message) -> int:
        place = self._places.get(id(message))
        if place is None:
            place = self._places[id(message)] = len(self._messages)
            self._messages.append(message)
        return place

    def build_table(self) -> pa.Table:
        fields = {field.name: field.type for field in [*COALM_IT, *REJECTS, *_FUNCTIONS]}
        arrays = {}
        for name, kind in fields.items():
            if name == "messages":
                places = pa.array(self._listed, pa.list_(pa.int32()))
                shared = pa.array(self._messages, _MESSAGE)
                values = pa.DictionaryArray.from_arrays(places.values, shared)
                arrays[name] = pa.ListArray.from_arrays(places.offsets, values)
            else:
                arrays[name] = pa.array(self._columns[name], kind)
        arrays["tools"] = arrays["tools"].dictionary_encode()
        return pa.table(arrays)


def read_functions(table: pa.Table) -> Iterator[tuple[str, Functions]]:
    """Dialogue and functions of each function call in a built table; of rejects too, so that no check moves a row."""
    calls = table.select(["id", *Functions._fields]).filter(table["shown"].is_valid())
    ids, about, shown = (column.to_pylist() for column in calls.columns)
    for row_id, *names in zip(ids, about, shown, strict=True):
        yield parse_dialogue_name(row_id), Functions(*map(frozenset, names))


def select_rows(table: pa.Table, schema: pa.Schema, rows: Sequence[int]) -> pa.Table:
    """Some rows of a built table in the columns of `schema`, plain, with nothing shared any more."""
    taken = table.select(schema.names).take(pa.array(rows, pa.int32()))
    columns = []
    for name in schema.names:
        column = taken[name].combine_chunks()
        if name == "messages":
            column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            shared = column.flatten()
            column = pa.ListArray.from_arrays(_offsets(column), shared.dictionary.take(shared.indices))
        columns.append(column.cast(schema.field(name).type))
    return pa.table(columns, schema=schema)


def _offsets(lists: pa.ListArray) -> pa.Array:
    """Offsets that start at 0, also where the array is a slice."""
    return pc.subtract(lists.offsets, lists.offsets[0])


# --- files ---


def write_table(path: Path, table: pa.Table, summary: dict[str, Any]) -> None:
    """An Arrow file for memory-mapped reading, with a JSON summary in its metadata."""
    table = table.replace_schema_metadata({"summary": json.dumps(summary)}).combine_chunks()
    with write_whole(path) as part, pa.ipc.new_file(str(part), table.schema) as writer:
        writer.write_table(table)


@contextmanager
def open_table(path: Path) -> Iterator[pa.Table]:
    """The table of `write_table`, mapped rather than read."""
    with pa.memory_map(str(path)) as file:
        yield pa.ipc.open_file(file).read_all()


def read_summary(path: Path) -> dict[str, Any]:
    with pa.memory_map(str(path)) as file:
        summary: dict[str, Any] = json.loads(pa.ipc.open_file(file).schema.metadata[b"summary"])
        return summary


def is_table(path: Path) -> bool:
    """Whether a whole table of `write_table` is there; one that is cut off has lost its end, where the schema is."""
    try:
        read_summary(path)
    except (OSError, pa.ArrowInvalid):
        return False
    return True


def write_parquet(path: Path, schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> None:
    """The picked rows, in that order, in the columns of `schema`."""
    dictionaries = [name for name in ("part", "task", "source", "split", "licence", "tools") if name in schema.names]
    options = {"compression": "zstd", "use_dictionary": dictionaries, "store_schema": False}
    with write_whole(path) as part, pq.ParquetWriter(part, schema, **options) as writer:
        for start in range(0, len(picks), ROWS_A_GROUP):
            writer.write_table(_gather_rows(schema, tables, picks[start : start + ROWS_A_GROUP]))


def _gather_rows(schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> pa.Table:
    """Each table is opened once; what comes out of them in turn is then put in the order of the picks."""
    by_table: dict[int, list[int]] = defaultdict(list)
    for place, (table, _, _) in enumerate(picks):
        by_table[table].append(place)
    gathered = []
    for number, places in by_table.items():
        with open_table(tables[number]) as table:
            gathered.append(select_rows(table, schema, [picks[place][1] for place in places]))
    places = [place for group in by_table.values() for place in group]
    order = sorted(range(len(places)), key=places.__getitem__)
    rows = pa.concat_tables(gathered).take(pa.array(order, pa.int32()))
    return _mark_repeats(rows, [repeat for _, _, repeat in picks]) if "id" in schema.names else rows


def _mark_repeats(rows: pa.Table, repeats: Sequence[int]) -> pa.Table:
    """Further copies get an id of their own, and name in their provenance the row that they repeat."""
    if not any(repeats):
        return rows
    ids, origins = rows["id"].to_pylist(), rows["provenance"].to_pylist()
    for place, repeat in enumerate(repeats):
        if repeat:
            origins[place] = json.dumps({**json.loads(origins[place]), "repeat_of": ids[place]}, ensure_ascii=False)
            ids[place] = f"{ids[place]}~r{repeat}"
    rows = rows.set_column(rows.schema.get_field_index("id"), "id", pa.array(ids))
    return rows.set_column(rows.schema.get_field_index("provenance"), "provenance", pa.array(origins))


# --- the folder ---
