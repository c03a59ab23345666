"""TRL without us: `SFTTrainer` takes `samples` and `dialogues` as `load_dataset` gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer

from coalm_it.dataset.finished import open_build
from coalm_it.rendering.chat import read_conversation, tokenize_examples, write_example
from coalm_it.training.config import RowSelection
from coalm_it.training.rows import read_rows
from coalm_it.training.tiny import make_tiny

pytestmark = pytest.mark.libraries


@pytest.fixture(scope="module")
def tiny(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "base"
    make_tiny(folder, read_rows(open_build(demo), RowSelection(), "train"), seed=1)
    return folder


def load(demo: Path, config: str, folder: Path) -> Dataset:
    return load_dataset(str(demo), config, split="train", cache_dir=str(folder / "cache"))


def train(tiny: Path, rows: Dataset, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    """The rows as a trainer has prepared them, after a step of training."""
    arguments = SFTConfig(
        output_dir=str(folder / "out"), max_length=None, max_steps=1, per_device_train_batch_size=2,
        report_to="none", use_cpu=True, bf16=False, save_strategy="no", **settings,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    trainer = SFTTrainer(str(tiny), args=arguments, train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    prepared: Any = trainer.train_dataset
    return list(prepared)


def test_samples_as_they_are_have_exactly_the_target_in_the_loss(demo: Path, tiny: Path, tmp_path: Path) -> None:
    rows = load(demo, "samples", tmp_path).filter(lambda row: row["part"] == "sgd").select(range(60))
    prepared = train(tiny, rows, tmp_path, completion_only_loss=True)
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(tiny)
    examples = [write_example(read_conversation(row, "messages"), tokenizer) for row in rows]
    assert len(prepared) == len(rows)
    for row, ours in zip(prepared, tokenize_examples(examples, tokenizer), strict=True):
        learnt = [token for token, counts in zip(row["input_ids"], row["labels"], strict=True) if counts != -100]
        assert row["input_ids"][: len(ours.ids)] == ours.ids
        assert learnt[: len(ours.ids) - ours.start] == ours.ids[ours.start :]
        assert not str(tokenizer.decode(learnt[len(ours.ids) - ours.start :])).strip()


def test_dialogues_as_they_are_train_too(demo: Path, tiny: Path, tmp_path: Path) -> None:
    rows = load(demo, "dialogues", tmp_path)
    prepared = train(tiny, rows, tmp_path)
    assert len(prepared) == len(rows)
    text = AutoTokenizer.from_pretrained(tiny).decode(prepared[0]["input_ids"])
    assert all(message["content"] in text for message in rows[0]["messages"])
    assert all(tool["function"]["name"] in text for tool in rows[0]["tools"])
