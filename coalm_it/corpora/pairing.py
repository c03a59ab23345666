"""The results of a step -> the calls that they belong to: by id, else by name, else in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coalm_it.corpora.records import BadRecord
from coalm_it.schema import Call


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one call, with the `name` and the `id` of the call if the corpus gives them."""

    value: Any
    name: str = ""
    id: str = ""


def pair_results(calls: Sequence[Call], results: Sequence[Result]) -> tuple[Any, ...]:
    """The values of the results in the order of the calls.

    Ids that are doubled, or that only some calls or results have, are used as far as only one way is left to pair them.
    Raises BadRecord: there are more or fewer results than calls, ids or names differ, or several ways are left.
    """
    results = _split_result(calls, results)
    if len(results) != len(calls):
        raise BadRecord(f"calls and results do not pair: {len(calls)} calls, {len(results)} results")
    if any(call.id for call in calls) and any(result.id for result in results):
        paired = _pair_by_id(calls, results)
    elif all(result.name for result in results):
        paired = _pair_by_name(calls, results)
    else:
        paired = list(results)
    return tuple(result.value for result in paired)


def _split_result(calls: Sequence[Call], results: Sequence[Result]) -> Sequence[Result]:
    """One result without an id that is a list with an item per call counts as that many results."""
    if len(results) == 1 < len(calls) and not results[0].id:
        value = results[0].value
        if isinstance(value, list) and len(value) == len(calls):
            return [Result(item) for item in value]
    return results


def _pair_by_name(calls: Sequence[Call], results: Sequence[Result]) -> list[Result]:
    if Counter(result.name for result in results) != Counter(call.name for call in calls):
        named = ", ".join(repr(result.name) for result in results)
        raise BadRecord(f"results of {named}, but calls of {', '.join(repr(call.name) for call in calls)}")
    left = list(results)
    return [left.pop(next(n for n, result in enumerate(left) if result.name == call.name)) for call in calls]


def _pair_by_id(calls: Sequence[Call], results: Sequence[Result]) -> list[Result]:
    """Each result in turn that fits one call alone is given to it, until none is left."""
    called, given = ({one.id for one in ones if one.id} for ones in (calls, results))
    open_calls, left = dict(enumerate(calls)), list(results)
    paired: dict[int, Result] = {}
    while left:
        fits = [_find_calls(result, open_calls, called, given) for result in left]
        if not all(fits):
            listed = [", ".join(one.id or "no id" for one in ones) for ones in (results, calls)]
            raise BadRecord(f"results of {listed[0]}, but calls {listed[1]}")
        index = next((index for index, numbers in enumerate(fits) if len(numbers) == 1), None)
        if index is None:
            raise BadRecord("calls and results have doubled or missing ids, and may be paired in several ways")
        number = fits[index][0]
        paired[number] = left.pop(index)
        del open_calls[number]
    return [paired[number] for number in range(len(calls))]


def _find_calls(result: Result, calls: dict[int, Call], called: set[str], given: set[str]) -> list[int]:
    """The numbers of the calls that a result may belong to: of one id, or one of the two has none; then of its name."""
    if result.id in called:
        numbers = [number for number, call in calls.items() if call.id == result.id]
    else:
        numbers = [number for number, call in calls.items() if not call.id or not (result.id or call.id in given)]
    named = [number for number in numbers if calls[number].name == result.name]
    return named or numbers
