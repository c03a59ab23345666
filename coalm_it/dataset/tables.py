"""Tables of rows: the Arrow file of each shard, and the Parquet files of the data set that are gathered from them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.dataset.summary import ShardSummary
from coalm_it.files import write_whole
from coalm_it.mixture.split import Functions, list_functions
from coalm_it.rendering import MESSAGE_KEYS, Message, Row
from coalm_it.schema import Finding, Sample, parse_dialogue_id, parse_dialogue_name

ROWS_PER_FILE = 50_000
ROWS_PER_GROUP = 5_000

_MESSAGE = pa.struct([(key, pa.string()) for key in MESSAGE_KEYS])
_FINDING = pa.struct([(name, pa.string()) for name in Finding.model_fields])
_STRINGS = ("id", "part", "task", "source", "split", "dialogue_id")

COALM_IT = pa.schema([(name, pa.string()) for name in ("instruction", "input", "output")])
"""The three columns of the published data set."""

SAMPLES = pa.schema(
    [
        *[(name, pa.string()) for name in _STRINGS],
        ("turn", pa.int32()),
        ("licence", pa.string()),
        ("thought", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("tools", pa.string()),
        ("provenance", pa.string()),
    ]
)
"""The typed columns, of the same rows in the same order."""

_FUNCTIONS = [pa.field(name, pa.list_(pa.string())) for name in Functions._fields]

REJECTS = SAMPLES.append(pa.field("findings", pa.list_(_FINDING)))
"""The columns of SAMPLES and what the checks found, of samples that became no row."""

MEANINGS: dict[str, str] = {
    "instruction": "What the model is told: its task, the corpus's own system text if it has one, and in most layouts "
    "the tools, the date and the conversation so far. The wording depends on the layout of the part.",
    "input": "What it answers to: the last utterance of the user, or the lines of the current turn.",
    "output": "What it is to write: calls, a reply or a state; in ReAct rows of the layout `varied`, the thought "
    "before it.",
    "id": "SOURCE/SPLIT/DIALOGUE/TURN/TASK, for `coalm-it show`; `.N` is a further step of the turn, `~N` a further "
    "copy of the sample, `~rN` a second copy that fills a shortage. Dialogue `a~2` is the second record of the id `a`.",
    "part": "Part of the recipe that the row belongs to.",
    "task": "`function_call`, `react_action`, `react_response` or `state_tracking`.",
    "source": "Name of the corpus.",
    "split": "Split of the corpus, which need not be that of the row.",
    "dialogue_id": "Id of the dialogue in its corpus; all its rows are on one side of the validation split.",
    "turn": "Index of the turn that the target belongs to, from 0.",
    "licence": "Licence of the corpus, an SPDX identifier.",
    "thought": "Thought of the target, also of a function_call row, whose `output` does not show it; null where it has "
    "none.",
    "messages": "The conversation up to and including the target, which is the last message. "
    "`coalm_it.decode_messages(row)` gives messages and tools as chat templates take them.",
    "messages.role": "`system` (the corpus's own text, if it has one, else the task), `user`, `assistant` or `tool`.",
    "messages.content": "Text of the message; null beside tool calls.",
    "messages.reasoning_content": "Thought of an assistant message; null without one.",
    "messages.tool_calls": "Calls of an assistant message as JSON text: a list of {id, type, function: {name, "
    "arguments}}.",
    "messages.tool_call_id": "Of a tool message: the id of the call that it answers.",
    "messages.name": "Of a tool message: the name of the function.",
    "tools": "The functions that the model may call, as JSON text: a list of {type: function, function: {name, "
    "description, parameters}}; null where the task has none.",
    "provenance": "How the row came to be, as JSON text; its keys are listed below.",
    "findings": "What the checks found; never empty.",
    "findings.check": "Name of the check.",
    "findings.where": "Where in the sample: `reply`, `thought`, `state`, `step N` or `call N`, or the kind of claim.",
    "findings.message": "What is wrong, in one sentence.",
}
"""Column, or column.field -> its meaning, for docs/data_set.md."""

PROVENANCE: dict[str, str] = {
    "schema": "Version of the columns.",
    "file": "Raw file of the corpus.",
    "record": "Index of the record in the file.",
    "templates": "Hash of the templates of rows.",
    "inventory": "Hash of the corpus's list of functions and slots.",
    "writer": "Who wrote the thought: `grounded`, `annotate`, `rewrite`, or `corpus` where the corpus has it. ReAct "
    "rows have this key and the next ones.",
    "thoughts": "Grounded: hash of the templates of thoughts.",
    "model": "By a model: its name.",
    "request": "By a model: key of the request in the ledger.",
    "attempts": "By a model: number of requests until the thought passed, repairs included.",
    "mended": "By a model: true where the JSON of its answer had to be repaired.",
    "score": "By a model: the judge's score, if there is a judge.",
    "instead_of": "The model's rejected thought that a grounded one replaces: the same keys, and `because`, why it was "
    "rejected.",
    "mask": "New name -> original name of `functions` and `parameters`, `defaults` that were changed, the original "
    "`order` of the tools, and `in_texts` where descriptions have the new names too. Only masked rows.",
    "near_misses": "Original names of functions that look right and are wrong for the request, shown beside those of "
    "its record. Only rows that have some.",
    "unanswerable": "What makes the request unanswerable: `taken` is `tool`, `value` or `nothing` (the corpus makes "
    "no call), with what was taken; of a value the `words` that stood at `place`, where `instead` stands now. Only "
    "such rows.",
    "repeat_of": "Id of the row that this one repeats. Only second copies.",
}
"""Key of `provenance` -> its meaning."""


class Pick(NamedTuple):
    """A row of a table that is written to a Parquet file."""

    table: int
    """Index of the table."""
    row: int
    """Index of the row in the table."""
    repeat: int = 0
    """1 for a second copy, and so on; 0 for the row itself."""
    name: str = ""
    """The id of the written row, if it is another than in the table."""


# --- the Arrow file of a shard ---


class TableBuilder:
    """Collects rows into an Arrow table with all columns of COALM_IT and REJECTS; `findings` is null for a kept row.

    Two more columns, `about` and `shown`, list the functions of function calls (see mixture/split.py). The rows of a
    dialogue share messages and tools; the table stores each message and each tool list once (dictionary-encoded).
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._messages: list[Message] = []
        self._message_index: dict[int, int] = {}
        """id() of a message -> its index in `_messages`."""
        self._messages_of_row: list[list[int]] = []

    def add_row(self, sample: Sample, row: Row, findings: Sequence[Finding]) -> None:
        columns = self._columns
        for name in _STRINGS:
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
        self._messages_of_row.append([self._index_message(message) for message in row.messages])

    def _index_message(self, message: Message) -> int:
        index = self._message_index.get(id(message))
        if index is None:
            index = self._message_index[id(message)] = len(self._messages)
            self._messages.append(message)
        return index

    def build_table(self) -> pa.Table:
        fields = {field.name: field.type for field in [*COALM_IT, *REJECTS, *_FUNCTIONS]}
        arrays = {}
        for name, data_type in fields.items():
            if name == "messages":
                indices = pa.array(self._messages_of_row, pa.list_(pa.int32()))
                values = pa.DictionaryArray.from_arrays(indices.values, pa.array(self._messages, _MESSAGE))
                arrays[name] = pa.ListArray.from_arrays(indices.offsets, values)
            else:
                arrays[name] = pa.array(self._columns[name], data_type)
        arrays["tools"] = arrays["tools"].dictionary_encode()
        return pa.table(arrays)


def write_table(path: Path, table: pa.Table, summary: ShardSummary) -> None:
    """Writes a shard's table as an Arrow file with the summary in its metadata. Raises OutputError."""
    table = table.replace_schema_metadata({"summary": summary.model_dump_json()}).combine_chunks()
    with write_whole(path) as part, pa.ipc.new_file(str(part), table.schema) as writer:
        writer.write_table(table)


@contextmanager
def open_table(path: Path) -> Iterator[pa.Table]:
    """The table that `write_table` wrote, memory-mapped."""
    with pa.memory_map(str(path)) as file:
        yield pa.ipc.open_file(file).read_all()


def read_summary(path: Path) -> ShardSummary:
    with pa.memory_map(str(path)) as file:
        return ShardSummary.model_validate_json(pa.ipc.open_file(file).schema.metadata[b"summary"])


def read_functions(table: pa.Table) -> Iterator[tuple[str, Functions]]:
    """Dialogue and functions of each function call in a shard's table.

    Rejects count too, so that a check never moves a dialogue to the other side of the split.
    """
    calls = table.select(["id", *Functions._fields]).filter(table["shown"].is_valid())
    ids, about, shown = (column.to_pylist() for column in calls.columns)
    for row_id, *names in zip(ids, about, shown, strict=True):
        yield parse_dialogue_name(row_id), Functions(*map(frozenset, names))


# --- the Parquet files of the data set ---


def write_parquet(path: Path, schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> None:
    """Writes the picked rows of the tables, in that order, in the columns of `schema`. Raises OutputError."""
    dictionaries = [name for name in ("part", "task", "source", "split", "licence", "tools") if name in schema.names]
    options = {"compression": "zstd", "use_dictionary": dictionaries, "store_schema": False}
    with write_whole(path) as part, pq.ParquetWriter(part, schema, **options) as writer:
        for start in range(0, len(picks), ROWS_PER_GROUP):
            writer.write_table(_gather_rows(schema, tables, picks[start : start + ROWS_PER_GROUP]))


def _gather_rows(schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> pa.Table:
    """Opens each table once, and puts the rows of all into the order of the picks."""
    by_table: dict[int, list[int]] = defaultdict(list)
    for position, pick in enumerate(picks):
        by_table[pick.table].append(position)
    gathered = []
    for index, positions in by_table.items():
        with open_table(tables[index]) as table:
            gathered.append(_select_rows(table, schema, [picks[position].row for position in positions]))
    positions = [position for group in by_table.values() for position in group]
    order = sorted(range(len(positions)), key=positions.__getitem__)
    rows = pa.concat_tables(gathered).take(pa.array(order, pa.int32()))
    if "id" not in schema.names:
        return rows
    return _mark_repeats(_rename_rows(rows, [pick.name for pick in picks]), [pick.repeat for pick in picks])


def _rename_rows(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Gives rows their new ids, and those of their dialogues; "" leaves a row as it is."""
    if not any(names):
        return rows
    for column in ("id", "dialogue_id"):
        values = rows[column].to_pylist()
        for index, name in enumerate(names):
            if name:
                values[index] = name if column == "id" else parse_dialogue_id(parse_dialogue_name(name))
        rows = rows.set_column(rows.schema.get_field_index(column), column, pa.array(values))
    return rows


def _mark_repeats(rows: pa.Table, repeats: Sequence[int]) -> pa.Table:
    """Gives second copies an id of their own, and names the repeated row in their provenance."""
    if not any(repeats):
        return rows
    ids, provenances = rows["id"].to_pylist(), rows["provenance"].to_pylist()
    for index, repeat in enumerate(repeats):
        if repeat:
            provenance = {**json.loads(provenances[index]), "repeat_of": ids[index]}
            provenances[index] = json.dumps(provenance, ensure_ascii=False)
            ids[index] = f"{ids[index]}~r{repeat}"
    rows = rows.set_column(rows.schema.get_field_index("id"), "id", pa.array(ids))
    return rows.set_column(rows.schema.get_field_index("provenance"), "provenance", pa.array(provenances))


def _select_rows(table: pa.Table, schema: pa.Schema, rows: Sequence[int]) -> pa.Table:
    """Some rows of a shard's table in the columns of `schema`, without dictionary encoding."""
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
