"""Tables of rows: the Arrow file of each shard, and the Parquet files of the data set that are gathered from them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from coalm_it.dataset.summary import ShardSummary
from coalm_it.files import write_whole
from coalm_it.mixture.split import Functions, list_functions
from coalm_it.rendering import Message, Row
from coalm_it.schema import Finding, Sample, format_dialogue_name, parse_dialogue_id, parse_dialogue_name

Config = Literal["coalm_it", "samples", "dialogues"]
Split = Literal["train", "validation"]

ROWS_PER_FILE = 50_000
ROWS_PER_GROUP = 5_000

_FINDING = pa.struct([(name, pa.string()) for name in Finding.model_fields])
_STRINGS = ("id", "part", "task", "source", "split", "dialogue_id")
_TEXTS = pa.list_(pa.string())
"""A list of JSON texts, one a message or a tool. The card's head declares it as List(Json()), so that `datasets` hands
out objects; pandas, polars and duckdb show the texts."""

COALM_IT = pa.schema([(name, pa.string()) for name in ("instruction", "input", "output")])
"""The three columns of the published data set."""

SAMPLES = pa.schema(
    [
        *[(name, _TEXTS) for name in ("prompt", "completion", "tools")],
        *[(name, pa.string()) for name in _STRINGS],
        ("turn", pa.int32()),
        ("licence", pa.string()),
        ("thought", pa.string()),
        ("provenance", pa.string()),
    ]
)
"""The typed columns, of the same rows in the same order."""

DIALOGUES = pa.schema(
    [
        *[(name, _TEXTS) for name in ("messages", "tools")],
        *[(name, pa.string()) for name in ("id", "part", "source", "split", "licence")],
        ("turns", pa.int32()),
    ]
)
"""Each dialogue of the rows, once and whole, up to the first turn that a check rejected."""
CONFIGS: dict[Config, pa.Schema] = {"coalm_it": COALM_IT, "samples": SAMPLES, "dialogues": DIALOGUES}
"""Config of the data set -> its columns."""
_STORED = {"messages": "prompt", "turns": "turn"}
"""Column of DIALOGUES -> that of the shard's table which has it."""
_DIALOGUE = "dialogue"
"""Task of the rows of a shard's table that are dialogues."""

_FUNCTIONS = [pa.field(name, pa.list_(pa.string())) for name in Functions._fields]

REJECTS = SAMPLES.append(pa.field("findings", pa.list_(_FINDING)))
"""The columns of SAMPLES and what the checks found, of samples that became no row."""

_PLAIN: dict[str, pa.DataType] = {
    field.name: field.type for field in [*COALM_IT, *REJECTS, *_FUNCTIONS] if field.name not in ("prompt", "tools")
}
"""Column of a shard's table -> its type, of those that are no SharedTexts."""

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
    "prompt": "The conversation before the target: a list of messages.",
    "completion": "The target: a list of one message of the role `assistant`.",
    "messages": "The dialogue: a list of messages, with the thoughts and calls of all turns.",
    "turns": "Number of turns: how often the user speaks.",
    "tools": "The functions that the model may call: a list of {type: function, function: {name, description, "
    "parameters}}; null where the task has none.",
    "provenance": "How the row came to be, as JSON text; its keys are listed below.",
    "findings": "What the checks found; never empty.",
    "findings.check": "Name of the check.",
    "findings.where": "Where in the sample: `reply`, `thought`, `state`, `step N` or `call N`, or the kind of claim.",
    "findings.message": "What is wrong, in one sentence.",
}
"""Column, or column.field -> its meaning, for docs/data_set.md."""

MESSAGE_KEYS: dict[str, str] = {
    "role": "`system` (the corpus's own text, if it has one, else the task), `user`, `assistant` or `tool`.",
    "content": "Text of the message; empty beside tool calls.",
    "reasoning_content": "Thought of an assistant message.",
    "tool_calls": "Calls of an assistant message: a list of {id, type, function: {name, arguments}}; the "
    "arguments are an object.",
    "tool_call_id": "Of a tool message: the id of the call that it answers.",
    "name": "Of a tool message: the name of the function.",
}
"""Key of a message -> its meaning."""

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


def describe_features(schema: pa.Schema) -> list[dict[str, str]]:
    """The columns as the head of a data set card declares them to `datasets`."""
    return [
        {"name": field.name, **({"list": "json"} if field.type == _TEXTS else {"dtype": str(field.type)})}
        for field in schema
    ]


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


class SharedTexts:
    """A column of lists of texts. A text that stands in many lists, as the same object, is stored once."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._index: dict[int, int] = {}
        """id() of a text -> its index in `_texts`."""
        self._lists: list[list[int] | None] = []

    def append(self, texts: Sequence[str] | None) -> None:
        self._lists.append(None if texts is None else [self._find(text) for text in texts])

    def _find(self, text: str) -> int:
        index = self._index.get(id(text))
        if index is None:
            index = self._index[id(text)] = len(self._texts)
            self._texts.append(text)
        return index

    def build(self) -> pa.ListArray:
        indices = pa.array(self._lists, pa.list_(pa.int32()))
        values = pa.DictionaryArray.from_arrays(indices.values, pa.array(self._texts, pa.string()))
        return pa.ListArray.from_arrays(indices.offsets, values, mask=indices.is_null())


class TableBuilder:
    """Collects rows into an Arrow table with all columns of COALM_IT and REJECTS; `findings` is null for a kept row.

    Two more columns, `about` and `shown`, list the functions of function calls (see mixture/split.py). A dialogue is a
    row of the task `dialogue` with its messages in `prompt`. The rows of a dialogue share messages and tools.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._prompts, self._tools = SharedTexts(), SharedTexts()

    def add_row(self, sample: Sample, row: Row, findings: Sequence[Finding]) -> None:
        functions = list_functions(sample)
        self._prompts.append(row.prompt)
        self._tools.append(row.tools)
        self._append(
            **{name: getattr(sample, name) for name in (*_STRINGS, "turn", "licence", "thought")},
            **{name: getattr(row, name) for name in ("instruction", "input", "output", "completion", "provenance")},
            **{name: sorted(getattr(functions, name)) if functions else None for name in Functions._fields},
            findings=[finding.model_dump() for finding in findings] or None,
        )

    def add_dialogue(
        self, sample: Sample, messages: Sequence[Message], tools: Sequence[str] | None, turns: int
    ) -> None:
        """Adds the dialogue of a sample; `turns` is the number of turns that the messages have."""
        self._prompts.append(messages)
        self._tools.append(tools)
        name = format_dialogue_name(sample.source, sample.split, sample.dialogue_id)
        shared = {name: getattr(sample, name) for name in (*_STRINGS, "licence")}
        self._append(**{**shared, "id": name, "task": _DIALOGUE, "turn": turns})

    def _append(self, **values: Any) -> None:
        for name in _PLAIN:
            self._columns[name].append(values.get(name))

    def build_table(self) -> pa.Table:
        arrays = {name: pa.array(self._columns[name], data_type) for name, data_type in _PLAIN.items()}
        return pa.table({**arrays, "prompt": self._prompts.build(), "tools": self._tools.build()})


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


class TableRows(NamedTuple):
    """The rows of a shard's table: the ids of all, and the indexes of each kind."""

    ids: list[str]
    kept: list[int]
    rejects: list[int]
    dialogues: list[int]


def list_rows(table: pa.Table) -> TableRows:
    is_dialogue = pc.equal(table["task"], _DIALOGUE)
    is_kept = pc.and_not(table["findings"].is_null(), is_dialogue)
    kinds = (is_kept, table["findings"].is_valid(), is_dialogue)
    return TableRows(table["id"].to_pylist(), *(pc.indices_nonzero(kind).to_pylist() for kind in kinds))


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
    with write_whole(path) as part, pq.ParquetWriter(part, schema, **choose_options(schema)) as writer:
        for start in range(0, len(picks), ROWS_PER_GROUP):
            writer.write_table(_gather_rows(schema, tables, picks[start : start + ROWS_PER_GROUP]))


def choose_options(schema: pa.Schema) -> dict[str, Any]:
    """How the Parquet files are written: pages are cut by content, so that the Hub stores unchanged rows once, and have
    an index, for its viewer."""
    dictionaries = [name for name in ("part", "task", "source", "split", "licence") if name in schema.names]
    if "tools" in schema.names:
        dictionaries.append("tools.list.element")
    return {
        "compression": "zstd",
        "use_dictionary": dictionaries,
        "store_schema": False,
        "write_page_index": True,
        "use_content_defined_chunking": True,
    }


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
    rows = _rename_rows(rows, [pick.name for pick in picks])
    return _mark_repeats(rows, [pick.repeat for pick in picks]) if "provenance" in schema.names else rows


def _rename_rows(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """Gives rows their new ids, and those of their dialogues; "" leaves a row as it is."""
    if not any(names):
        return rows
    for column in ("id", "dialogue_id"):
        if column not in rows.column_names:
            continue
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
    taken = table.select([_STORED.get(name, name) for name in schema.names]).take(pa.array(rows, pa.int32()))
    columns = [column.combine_chunks().cast(field.type) for column, field in zip(taken.columns, schema, strict=True)]
    return pa.table(columns, schema=schema)
