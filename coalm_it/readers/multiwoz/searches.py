"""Where the agent of a MultiWOZ dialogue must have searched.

The annotation has no calls. That there was a search shows in what the reply says of a domain that the user has spoken
of: a name, a count, an address, that there is nothing (REVEALING), or a value that the user did not give. It is made
again only when what the user wants has changed since the last one, and what was found then will not do.
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
"""Domain -> what it can be searched by, in the order of arguments."""
REVEALING = frozenset(
    {"name", "count", "address", "phone", "postcode", "entrance_fee", "open_hours", "train_id", "price", "duration"}
)
"""What nobody can say of a domain without its database."""
_TELLING = frozenset({"inform", "recommend", "select", "offerbook"})


def plan_search(memory: Memory, turn: RawTurn, acts: Sequence[RawAct], domain: str, needed: bool) -> Call | None:
    """The search of a domain that the reply shows, or that a booking needed first; None where there was none."""
    own = [act for act in acts if act.domain == domain]
    if not needed and not (domain in memory.wished and any(_reveals(turn, act) for act in own)):
        return None
    wanted = memory.read_wishes(turn, acts, domain, SEARCH_BY[domain])
    before = memory.searched.get(domain)
    memory.searched[domain] = wanted
    named = find_named(memory.found.get(domain, []), "name", wanted["name"]) if "name" in wanted else []
    if wanted == before or any(_has_all(domain, record, wanted) for record in named):
        return None
    arguments = _choose_arguments(wanted, before or {}, memory.state.get(domain, {}))
    return Call(name=f"find_{domain}", service=domain, arguments=type_arguments(arguments))


def _choose_arguments(
    wanted: Mapping[str, str], before: Mapping[str, str], state: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """A name that is new is looked up with what came with it; an old one gives way to what has changed since."""
    fresh = {slot: value for slot, value in wanted.items() if value not in state.get(slot, ())}
    if "name" in fresh:
        return fresh
    changed = {slot for slot, value in wanted.items() if before.get(slot) != value}
    return {slot: value for slot, value in wanted.items() if slot != "name" or changed <= {"name"}}


def _has_all(domain: str, record: Record, wanted: Mapping[str, str]) -> bool:
    return all(slot not in record or agrees(domain, slot, value, str(record[slot])) for slot, value in wanted.items())


def _reveals(turn: RawTurn, act: RawAct) -> bool:
    """Whether an act says what only a search can have brought."""
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
    """What a search returns; from now on the talk is about that."""
    observation = execute(memory.databases, call)
    memory.found[call.service] = list(read_records(observation))
    memory.topic.pop(call.service, None)
    return observation
