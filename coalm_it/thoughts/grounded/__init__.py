"""Writes every thought of a dialogue from its annotation: no model, no network, the same for the same seed."""

from __future__ import annotations

from coalm_it.observations import booking_outcome
from coalm_it.schema import Call, Dialogue, Step
from coalm_it.thoughts.grounded.acting import think_before_calls
from coalm_it.thoughts.grounded.moment import Moment
from coalm_it.thoughts.grounded.phrasing import Pen
from coalm_it.thoughts.grounded.replying import think_before_reply
from coalm_it.thoughts.grounded.situation import Memory


def write_thoughts(dialogue: Dialogue, seed: int) -> Dialogue:
    """The dialogue with a thought in every step (before its calls) and every turn (before its reply).

    A step's thought draws on the dialogue so far, the user's turn and the step's own calls; a reply's thought
    on these, the observations and the acts of the reply. Phrasings hang on a hash of seed, dialogue and turn.
    Observations are best shortened first: whatever they show may be mentioned.
    """
    pen = Pen(seed, dialogue.id)
    memory = Memory(dialogue)
    turns = []
    for number, turn in enumerate(dialogue.turns):
        moment = Moment(pen, memory, turn, memory.hear(turn))
        steps: list[Step] = []
        for place, step in enumerate(turn.steps):
            pen.begin(number, f"step{place}")
            steps.append(step.model_copy(update={"thought": think_before_calls(moment, step.calls)}))
            for call, observation in step.exchanges:
                memory.see(call, observation, _is_committed(memory, call, observation))
        pen.begin(number, "reply")
        thought = think_before_reply(moment)
        memory.tell(turn.labels.system_acts)
        turns.append(turn.model_copy(update={"steps": tuple(steps), "thought": thought}))
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _is_committed(memory: Memory, call: Call, observation: object) -> bool:
    """Whether the call is a booking that went through."""
    tool = memory.tool(call.service, call.name)
    return tool is not None and tool.transactional and booking_outcome(call, observation) == "done"
