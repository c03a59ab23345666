"""Reads the results that an evaluation wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from coalm_it.configs.validation import describe_errors
from coalm_it.errors import RequestError
from coalm_it.evaluation.run import RESULTS


class _Metric(BaseModel):
    part: str
    task: str
    metric: str
    n: int
    value: float | None
    low: float | None
    high: float | None


class _Evaluation(BaseModel):
    name: str
    version: int
    form: str
    seed: int


class _Results(BaseModel):
    """The keys that others than the evaluation itself use."""

    evaluation: _Evaluation
    model: str
    data: dict[str, str]
    version: str
    asked: int
    answered: int
    metrics: list[_Metric]


class ResultsError(RequestError):
    """The folder does not have the results of an evaluation; one line."""


def read_results(folder: Path) -> dict[str, Any]:
    """The content of results.json in a folder that `coalm-it eval` wrote. Raises ResultsError."""
    path = folder / RESULTS
    try:
        results = json.loads(path.read_bytes())
    except OSError:
        raise ResultsError(
            f"{folder} has no {RESULTS}: name a folder that `coalm-it eval ... --out {folder.name}` wrote"
        ) from None
    except ValueError:
        raise ResultsError(f"{path} is not JSON: run the evaluation again") from None
    try:
        _Results.model_validate(results)
    except ValidationError as error:
        fault = next(describe_errors(error, _Results))
        raise ResultsError(f"{path} is not what `coalm-it eval` writes: {fault}") from None
    return dict(results)
