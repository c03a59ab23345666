"""The searches that the agent of a MultiWOZ dialogue must have made.

The annotation has no calls. A search can be inferred from what the reply says about a domain that the user has
mentioned: a name, a count, an address, no results (REVEALING), or a value that the user did not give. It is repeated
only if the wanted values have changed since the last one and no earlier result has them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coalm_it.observations import Record, read_records
from coalm_it.readers.multiwoz.databases import Observation, execute, find_named
from coalm_it.readers.multiwoz.forms import RawAct, RawTurn
from coalm_it.readers.multiwoz.matching import agrees
from coalm_it.readers.multiwoz.memory import Memory, type_arguments
from coalm_it.schema import Call

SEARCH_BY = {
    "restaurant": ("area", "food", "price_range", "name"),
    "hotel": ("area", "price_range", "type", "stars", "parking", "internet", "name"),
    "attraction": ("area", "type", "name"),
    "train": ("departure", "destination", "day", "leave_at", "arrive_by"),
    "hospital": ("department",),
    "police": (),
}
"""Domain -> the arguments of a search, in order."""
REVEALING = frozenset(
    {"name", "count", "address", "phone", "postcode", "entrance_fee", "open_hours", "train_id", "price", "duration"}
)
"""Slots whose values can be known only from the database."""
_TELLING = frozenset({"inform", "recommend", "select", "offerbook"})


def plan_search(memory: Memory, turn: RawTurn, acts: Sequence[RawAct], domain: str, needed: bool) -> Call | None:
    """The search that the reply implies, or that a booking needs first (`needed`); None if there was none."""
    own = [act for act in acts if act.domain == domain]
    if not needed and not (domain in memory.wished and any(_implies_search(turn, act) for act in own)):
        return None
    wanted = memory.read_wishes(turn, acts, domain, SEARCH_BY[domain])
    before = memory.searched.get(domain)
    memory.searched[domain] = wanted
    named = find_named(memory.found.get(domain, []), "name", wanted["name"]) if "name" in wanted else []
    if wanted == before or any(_satisfies(domain, record, wanted) for record in named):
        return None
    arguments = _choose_arguments(wanted, before or {}, memory.state.get(domain, {}))
    return Call(name=f"find_{domain}", service=domain, arguments=type_arguments(arguments))


def _choose_arguments(
    wanted: Mapping[str, str], before: Mapping[str, str], state: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """A new name is searched with the values given along with it; an old one is dropped if others have changed."""
    fresh = {slot: value for slot, value in wanted.items() if value not in state.get(slot, ())}
    if "name" in fresh:
        return fresh
    changed = {slot for slot, value in wanted.items() if before.get(slot) != value}
    return {slot: value for slot, value in wanted.items() if slot != "name" or changed <= {"name"}}


def _satisfies(domain: str, record: Record, wanted: Mapping[str, str]) -> bool:
    return all(slot not in record or agrees(domain, slot, value, str(record[slot])) for slot, value in wanted.items())


def _implies_search(turn: RawTurn, act: RawAct) -> bool:
    """Whether an act contains something that only a search can have returned."""
    if act.intent == "nooffer":
        return True
    if not act.value or act.intent not in _TELLING:
        return False
    wanted = turn.state.get(act.domain, {}).get(act.slot, ())
    known = any(agrees(act.domain, act.slot, act.value, value) for value in wanted)
    if act.slot in REVEALING:
        return act.intent != "offerbook" or not known
    return act.intent != "select" and act.slot in SEARCH_BY.get(act.domain, ()) and not known


def search(memory: Memory, call: Call) -> Observation:
    """The observation of a search, which the memory keeps; there is no current record any more."""
    observation = execute(memory.databases, call)
    memory.found[call.service] = list(read_records(observation))
    memory.topic.pop(call.service, None)
    return observation
