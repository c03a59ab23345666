"""Reads an export of coalm-it in verl: data.custom_cls.path=verl_dataset.py data.custom_cls.name=ExportedDataset.

Tools and arguments are parsed, keys without a value are left out, and only the messages from `learnt_from` on are
learnt: of a sample its target, of a dialogue every answer. This file stands beside the data and needs verl alone.
"""

import json
from typing import Any

import torch
from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset


class ExportedDataset(MultiTurnSFTDataset):  # type: ignore[misc]
    tools: list[Any]

    def _read_files_and_process(self) -> None:
        super()._read_files_and_process()
        self.tools = [json.loads(text) or None for text in self.tools]

    def _build_messages(self, example: dict[str, Any]) -> list[dict[str, Any]]:
        messages = []
        for index, message in enumerate(super()._build_messages(example)):
            shown = {key: value for key, value in message.items() if value is not None}
            for call in shown.get("tool_calls", ()):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
            messages.append({**shown, "learnt": index >= example["learnt_from"]})
        return messages

    def _process_single_message(self, index: int, message: dict[str, Any], *rest: Any, **options: Any) -> Any:
        ids, mask, attention, inputs = super()._process_single_message(index, message, *rest, **options)
        return ids, mask if message["learnt"] else torch.zeros_like(mask), attention, inputs
