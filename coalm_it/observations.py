"""Observations in the form that readers with annotation give them, {"matches": N, "results": [records]}, read and made.

`matches` says how many results there were, of which `results` may show only some; a record maps slots to typed values.
Observations of function-calling corpora and of models may have any other form; these functions accept them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coalm_it.schema import DONT_CARE, Call

Record = Mapping[str, Any]
BookingStatus = Literal["done", "alternative", "empty"]


def make_observation(records: Sequence[Record]) -> dict[str, Any]:
    """The observation of a call that returned these records, and no others."""
    return {"matches": len(records), "results": records}


def read_records(observation: Any) -> tuple[Record, ...]:
    """The records that an observation shows; none if it has another form."""
    results = observation.get("results") if isinstance(observation, dict) else None
    return tuple(record for record in results if isinstance(record, dict)) if isinstance(results, list) else ()


def read_content(observation: Any) -> Any:
    """What is under `results`, or the whole observation if it has another form."""
    return observation.get("results", observation) if isinstance(observation, dict) else observation


def replace_results(observation: dict[str, Any], results: Sequence[Any]) -> dict[str, Any]:
    """The observation with other results; `matches` stays."""
    return {**observation, "results": results}


def count_matches(observation: Any) -> int | None:
    """The number of results, whether shown or not; None if the observation does not give it."""
    matches = observation.get("matches") if isinstance(observation, dict) else None
    return matches if isinstance(matches, int) else None


def booking_outcome(call: Call, observation: Any) -> BookingStatus | None:
    """Whether a call that books or pays went through; None if the observation is not an object.

    `done` if a record has every argument as requested (arguments that it does not repeat do not count), `alternative`
    if every record differs from the request, `empty` if there is no record.
    """
    if not isinstance(observation, dict):
        return None
    records = read_records(observation)
    if not records:
        return "empty"
    return "alternative" if all(find_differing_slots(call, record) for record in records) else "done"


def find_differing_slots(call: Call, record: Record) -> list[str]:
    """The slots in which a record contradicts the arguments of the call, in the order of the arguments.

    Values are compared as text: a service that answers "2" to 2 does not contradict it.
    """
    return [
        slot
        for slot, value in call.arguments.items()
        if (given := record.get(slot, value)) != value and value != DONT_CARE and str(given) != str(value)
    ]
