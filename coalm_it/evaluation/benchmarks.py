"""The benchmarks: a module each, with the functions of the protocol `Benchmark`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, field_validator

from coalm_it.configs import load_config
from coalm_it.configs.validation import name_nearest
from coalm_it.evaluation import bfcl, held_out
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import Item, ItemList, JudgedItem, Judgement, Output
from coalm_it.rendering.chat import Conversation


class Benchmark(Protocol):
    """The names that the module of a benchmark defines."""

    CONFIG: type[Evaluation]
    """The keys of its YAML: those of Evaluation and its own."""
    READS_BUILD: bool
    """Whether its data is a build; otherwise a folder with the files of the benchmark."""

    def list_items(self, data: Path, config: Any) -> ItemList:
        """The items that `config`, an instance of CONFIG, selects from the files in `data`, with their first prompts.

        Raises RequestError or ShortfallError for data that cannot be used.
        """

    def next_prompt(self, item: Item, outputs: Sequence[Output]) -> Conversation | None:
        """The prompt after these answers, at least one; None when the item is finished.

        Depends on its arguments alone, so that an interrupted evaluation can be repeated from the ledger.
        """

    def judge(self, item: Item, outputs: Sequence[Output]) -> Judgement:
        """The judgement on all answers to an item; the last one may have failed."""

    def sum_up(self, judged: Sequence[JudgedItem]) -> dict[str, float]:
        """The columns of published tables (see eval/published.yaml), counted as they are; empty if there are none."""


BENCHMARKS: dict[str, Benchmark] = {
    "held_out": held_out,
    "bfcl": bfcl,
}


class _Named(BaseModel):
    """The key of an evaluation that says what its other keys are."""

    benchmark: str

    @field_validator("benchmark")
    @classmethod
    def _refuse_unknown(cls, name: str) -> str:
        if name not in BENCHMARKS:
            raise ValueError(f"no such benchmark; {name_nearest(name, list(BENCHMARKS))}")
        return name


def load_evaluation(name: str, changes: Sequence[str] = ()) -> Evaluation:
    """The evaluation of that name in eval/, or in the YAML file at that path, as CONFIG of its benchmark.

    `changes` are of the form KEY.KEY=VALUE. Raises ConfigError.
    """
    benchmark = load_config("eval", name, _Named, changes).benchmark
    return load_config("eval", name, BENCHMARKS[benchmark].CONFIG, changes)
