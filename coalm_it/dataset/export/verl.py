"""verl: Parquet for its multi-turn supervised fine-tuning, and verl_dataset.py, the class that reads all of it.

Parquet gives each struct the keys of all others, so arguments and tools are JSON texts. verl's own class hands them to
the chat template as they are and learns every answer; verl_dataset.py parses them, and learns what is to be learnt. It
is named in the training's `data.custom_cls`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from coalm_it.assets import asset
from coalm_it.dataset.export.format import Conversation, Format, Losses, Record, Written
from coalm_it.dataset.export.messages import dump_json, write_arguments
from coalm_it.dataset.tables import Split

ROWS_PER_GROUP = 1_000
READER = "verl_dataset.py"

_FUNCTION = pa.struct([("name", pa.string()), ("arguments", pa.string())])
_CALL = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", _FUNCTION)])
_MESSAGE = pa.struct(
    [
        *[(name, pa.string()) for name in ("role", "content", "reasoning_content")],
        ("tool_calls", pa.list_(_CALL)),
        *[(name, pa.string()) for name in ("tool_call_id", "name")],
    ]
)
SCHEMA = pa.schema(
    [("id", pa.string()), ("messages", pa.list_(_MESSAGE)), ("tools", pa.string()), ("learnt_from", pa.int32())]
)


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    messages = [
        {**message, "tool_calls": write_arguments(message["tool_calls"])} if "tool_calls" in message else message
        for message in conversation.messages
    ]
    tools = dump_json(conversation.tools)
    return {"id": conversation.id, "messages": messages, "tools": tools, "learnt_from": conversation.learnt_from}


def write_parquet(folder: Path, split: Split, records: Iterable[Record]) -> list[str]:
    name, rest = f"{split}.parquet", iter(records)
    with pq.ParquetWriter(folder / name, SCHEMA, compression="zstd") as writer:
        while group := list(islice(rest, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
    return [name]


def describe(_: Written) -> dict[str, str]:
    return {READER: asset("templates", "release", READER).read_text(encoding="utf-8")}


def write_command(_: Written) -> str:
    return (
        "torchrun -m verl.trainer.sft_trainer model.path=MODEL data.train_files=DIR/train.parquet "
        f"data.custom_cls.path=DIR/{READER} data.custom_cls.name=ExportedDataset"
    )


FORMAT = Format("verl", ("samples", "dialogues"), convert, write_command, write_parquet, describe)
