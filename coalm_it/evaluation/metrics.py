"""Metrics: scores of one item, ratios over many, and their confidence intervals.

The score of an item is a pair (numerator, denominator). The value over many items is the sum of the numerators divided
by the sum of the denominators: a mean if every denominator is 1, F1 if a score is (2 hits, predicted + gold).
Intervals come from a seeded bootstrap over whole dialogues: the rows of one dialogue are not independent evidence.
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
    """A value with its 95 % interval; None if there is nothing to measure."""

    n: int
    """Number of items."""
    value: float | None
    low: float | None
    high: float | None


# --- one item ---


def score_calls(predicted: Sequence[Call] | None, gold: Sequence[Call]) -> Scores:
    """exact, function, argument_f1; parallel calls in any order. `predicted` None: the answer could not be read."""
    predicted = predicted or ()
    calls, gold_calls = (Counter(_freeze([call.name, call.arguments]) for call in some) for some in (predicted, gold))
    names, gold_names = (Counter(call.name for call in some) for some in (predicted, gold))
    return {
        "exact": (float(calls == gold_calls), 1),
        "function": (float(names == gold_names), 1),
        "argument_f1": _score_f1(_count_arguments(predicted), _count_arguments(gold)),
    }


def score_state(predicted: Mapping[str, Any] | None, gold: Mapping[str, Any]) -> Scores:
    """jga, slot_f1 of service -> slot -> value, or the domain and slot_values of SNIPS; case and blanks are ignored.

    `predicted` None: the answer could not be read.
    """
    slots, gold_slots = _count_slots(predicted or {}), _count_slots(gold)
    jga = float(predicted is not None and slots == gold_slots)
    return {"jga": (jga, 1), "slot_f1": _score_f1(slots, gold_slots)}


def _score_f1(predicted: Counter[Any], gold: Counter[Any]) -> Score:
    return 2 * (predicted & gold).total(), predicted.total() + gold.total()


def _count_arguments(calls: Iterable[Call]) -> Counter[Any]:
    """(function, name, value) of each argument."""
    return Counter((call.name, name, _freeze(value)) for call in calls for name, value in call.arguments.items())


def _count_slots(state: Mapping[str, Any]) -> Counter[Any]:
    """(service, slot, value) of each slot; the domain of SNIPS counts as a slot."""
    if state.keys() == {"domain", "slot_values"} and isinstance(state["slot_values"], dict):
        domain = _normalise(state["domain"])
        slots = [(domain, slot, _normalise(value)) for slot, value in state["slot_values"].items()]
        return Counter([("", "domain", domain), *slots])
    return Counter(
        (service, slot, _normalise(value))
        for service, slots in state.items()
        for slot, value in (slots.items() if isinstance(slots, dict) else [("", slots)])
    )


def _normalise(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def _freeze(value: Any) -> Any:
    """A hashable value, equal for equal JSON values: 2 equals 2.0, but 1 does not equal true, nor "1"."""
    if isinstance(value, Mapping):
        return "object", frozenset((key, _freeze(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(map(_freeze, value))
    return ("boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text"), value


# --- many items ---


class ClusterScore(NamedTuple):
    """The score of one item in one metric; items of one cluster (a dialogue) are resampled together."""

    cluster: str
    score: Score


def estimate(scores: Sequence[ClusterScore], resamples: int, seed: int) -> Estimate:
    """The ratio over the items, with the 2.5th and 97.5th percentile of `resamples` bootstrap samples of clusters."""
    if not sum(denominator for _, (_, denominator) in scores):
        return Estimate(len(scores), None, None, None)
    ratios = _resample(_sum_clusters(scores), resamples, seed)
    return Estimate(len(scores), _divide([score for _, score in scores]), *_find_interval(ratios))


def estimate_difference(
    before: Sequence[ClusterScore], after: Sequence[ClusterScore], resamples: int, seed: int
) -> Estimate:
    """The ratio after minus the ratio before, over the same items, with the same bootstrap samples for both.

    Raises ValueError if the clusters differ.
    """
    sums_before, sums_after = _sum_clusters(before), _sum_clusters(after)
    if [cluster for cluster, _ in sums_before] != [cluster for cluster, _ in sums_after]:
        raise ValueError("a difference needs the same items before and after")
    if not all(sum(denominator for _, (_, denominator) in sums) for sums in (sums_before, sums_after)):
        return Estimate(len(before), None, None, None)
    value = _divide([score for _, score in after]) - _divide([score for _, score in before])
    ratios_before, ratios_after = (_resample(sums, resamples, seed) for sums in (sums_before, sums_after))
    differences = [later - earlier for earlier, later in zip(ratios_before, ratios_after, strict=True)]
    return Estimate(len(before), value, *_find_interval(differences))


def _sum_clusters(scores: Sequence[ClusterScore]) -> list[tuple[str, Score]]:
    sums: dict[str, Score] = {}
    for cluster, (numerator, denominator) in scores:
        total = sums.get(cluster, (0.0, 0.0))
        sums[cluster] = (total[0] + numerator, total[1] + denominator)
    return sorted(sums.items())


def _resample(clusters: Sequence[tuple[str, Score]], resamples: int, seed: int) -> list[float]:
    """The ratio of each bootstrap sample."""
    generator = random.Random(seed)
    scores = [score for _, score in clusters]
    return [_divide(generator.choices(scores, k=len(scores))) for _ in range(resamples)]


def _divide(scores: Sequence[Score]) -> float:
    """The ratio; 0 for a bootstrap sample in which there is nothing to measure."""
    denominator = sum(score[1] for score in scores)
    return sum(score[0] for score in scores) / denominator if denominator else 0.0


def _find_interval(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    index = round(0.025 * (len(ordered) - 1))
    return ordered[index], ordered[-1 - index]
