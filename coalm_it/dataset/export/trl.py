"""TRL: JSON lines with `prompt`, `completion` and `tools`, or `messages` and `tools`; calls are objects.

README.md declares messages and tools as `Json` to `datasets`, which would otherwise give each call the arguments of
all others, as nulls.
"""

from __future__ import annotations

from typing import Any

import yaml

from coalm_it.dataset.export.format import Conversation, Format, Losses, Written


def convert(conversation: Conversation, losses: Losses) -> dict[str, Any]:
    messages, cut = conversation.messages, conversation.learnt_from
    shown = {"prompt": messages[:cut], "completion": messages[cut:]} if cut else {"messages": messages}
    return {"id": conversation.id, **shown, "tools": conversation.tools or None}


def describe(written: Written) -> dict[str, str]:
    columns = ["prompt", "completion"] if written.config == "samples" else ["messages"]
    lists = [{"name": name, "list": "json"} for name in (*columns, "tools")]
    sizes = {split: {"num_examples": written.rows[split], "num_bytes": written.bytes[split]} for split in written.files}
    head = {
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": names} for split, names in written.files.items()],
            }
        ],
        "dataset_info": {
            "features": [{"name": "id", "dtype": "string"}, *lists],
            "splits": [{"name": split, **size} for split, size in sizes.items()],
            "download_size": sum(written.bytes.values()),
            "dataset_size": sum(written.bytes.values()),
        },
    }
    return {"README.md": f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"}


def write_command(_: Written) -> str:
    return "trl sft --model_name_or_path MODEL --dataset_name DIR --max_length 4096"


FORMAT = Format("TRL's SFTTrainer", ("samples", "dialogues"), convert, write_command, describe=describe)
