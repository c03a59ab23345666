"""How good answers are: scores of one row, ratios over many, and intervals for them.

A score of a row is a share of a ratio: (numerator, denominator). The value over many rows is the sum of the numerators
over the sum of the denominators: a mean where each denominator is 1, F1 where the score is (2 hits, given + due).
Intervals come from resampling whole dialogues with a seed, since the rows of one dialogue are no independent evidence.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from coalm_it.schema import Call

Score = tuple[float, float]
Scores = dict[str, Score]


class Estimate(NamedTuple):
    """A value with its 95 % interval; None where there is nothing to measure."""

    n: int
    """Rows that it is over."""
    value: float | None
    low: float | None
    high: float | None


# --- one row ---


def score_calls(given: Sequence[Call] | None, due: Sequence[Call]) -> Scores:
    """`given` None: nothing that could be read was written. The order of calls made at once does not count."""
    calls = [_freeze([call.name, call.arguments]) for call in given or ()]
    wanted = [_freeze([call.name, call.arguments]) for call in due]
    names, wanted_names = (Counter(call.name for call in some or ()) for some in (given, due))
    return {
        "exact": (float(Counter(calls) == Counter(wanted)), 1),
        "function": (float(names == wanted_names), 1),
        "argument_f1": _score_f1(_list_arguments(given or ()), _list_arguments(due)),
    }


def score_state(given: Mapping[str, Any] | None, due: Mapping[str, Any]) -> Scores:
    """Service -> slot -> value, or SNIPS's domain and slot_values. Case and blanks of a value do not count."""
    held, wanted = _list_slots(given or {}), _list_slots(due)
    return {"jga": (float(given is not None and held == wanted), 1), "slot_f1": _score_f1(held, wanted)}


def _score_f1(given: Counter[Any], due: Counter[Any]) -> Score:
    return 2 * (given & due).total(), given.total() + due.total()


def _list_arguments(calls: Iterable[Call]) -> Counter[Any]:
    """Of each argument the function, the name and the value."""
    return Counter((call.name, name, _freeze(value)) for call in calls for name, value in call.arguments.items())


def _list_slots(state: Mapping[str, Any]) -> Counter[Any]:
    if state.keys() == {"domain", "slot_values"} and isinstance(state["slot_values"], dict):
        domain = _plain(state["domain"])
        found = [(domain, slot, _plain(value)) for slot, value in state["slot_values"].items()]
        return Counter([("", "domain", domain), *found])
    return Counter(
        (service, slot, _plain(value))
        for service, slots in state.items()
        for slot, value in (slots.items() if isinstance(slots, dict) else [("", slots)])
    )


def _plain(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def _freeze(value: Any) -> Any:
    """Equal for equal JSON values: 2 and 2.0 are, 1 and true are not; nor is text and anything else."""
    if isinstance(value, Mapping):
        return "object", frozenset((key, _freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(map(_freeze, value))
    return ("boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"), value


# --- many rows ---


class Scored(NamedTuple):
    """The score of one row in one metric; rows of one `cluster` (a dialogue) are drawn together."""

    cluster: str
    score: Score


def estimate(rows: Sequence[Scored], resamples: int, seed: int) -> Estimate:
    """The ratio over the rows, with the 2.5th and 97.5th percentile of `resamples` draws of as many clusters."""
    if not sum(below for _, (_, below) in rows):
        return Estimate(len(rows), None, None, None)
    drawn = _resample(_sum_clusters(rows), resamples, seed)
    return Estimate(len(rows), _divide([score for _, score in rows]), *_interval(drawn))


def estimate_difference(before: Sequence[Scored], after: Sequence[Scored], resamples: int, seed: int) -> Estimate:
    """How much larger the ratio is after than before, over the same rows; both are resampled alike."""
    pairs = [_sum_clusters(some) for some in (before, after)]
    if [cluster for cluster, _ in pairs[0]] != [cluster for cluster, _ in pairs[1]]:
        raise ValueError("a difference needs the same rows before and after")
    if not all(sum(below for _, (_, below) in some) for some in pairs):
        return Estimate(len(before), None, None, None)
    first, second = (_resample(some, resamples, seed) for some in pairs)
    values = [_divide([score for _, score in some]) for some in (before, after)]
    drawn = [later - earlier for earlier, later in zip(first, second, strict=True)]
    return Estimate(len(before), values[1] - values[0], *_interval(drawn))


def _sum_clusters(rows: Sequence[Scored]) -> list[tuple[str, Score]]:
    sums: dict[str, Score] = {}
    for cluster, (above, below) in rows:
        had = sums.get(cluster, (0.0, 0.0))
        sums[cluster] = (had[0] + above, had[1] + below)
    return sorted(sums.items())


def _resample(clusters: Sequence[tuple[str, Score]], resamples: int, seed: int) -> list[float]:
    drawn = random.Random(seed)
    scores = [score for _, score in clusters]
    return [_divide(drawn.choices(scores, k=len(scores))) for _ in range(resamples)]


def _divide(scores: Sequence[Score]) -> float:
    """The ratio; 0 where a draw has nothing to measure in it."""
    below = sum(score[1] for score in scores)
    return sum(score[0] for score in scores) / below if below else 0.0


def _interval(drawn: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(drawn)
    place = round(0.025 * (len(ordered) - 1))
    return ordered[place], ordered[-1 - place]
