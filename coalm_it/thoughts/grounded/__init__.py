"""Writes every thought of a dialogue from its annotation: without a model or network, deterministic for a seed."""

from __future__ import annotations

from coalm_it.observations import booking_outcome
from coalm_it.schema import Call, Dialogue, Step
from coalm_it.thoughts.grounded.acting import think_before_calls
from coalm_it.thoughts.grounded.context import ThoughtContext
from coalm_it.thoughts.grounded.knowledge import AgentKnowledge
from coalm_it.thoughts.grounded.phrasing import PhraseWriter
from coalm_it.thoughts.grounded.plain import write_plain_thoughts
from coalm_it.thoughts.grounded.replying import think_before_reply


def write_thoughts(dialogue: Dialogue, seed: int) -> Dialogue:
    """The dialogue with a thought in every step (before its calls) and every turn (before its reply).

    The thought of a step uses the dialogue so far, the user's utterance and the calls of the step; the thought before
    a reply also uses the observations and the acts of the reply. Without annotation (see plain.py) it uses the words
    alone. Phrasings are chosen by a hash of seed, dialogue and
    turn. Shorten the observations first: a thought may mention anything in them.
    """
    if not dialogue.is_annotated:
        return write_plain_thoughts(dialogue, seed)
    writer = PhraseWriter(seed, dialogue.id)
    knowledge = AgentKnowledge(dialogue)
    turns = []
    for index, turn in enumerate(dialogue.turns):
        context = ThoughtContext(writer, knowledge, turn, knowledge.add_user_turn(turn))
        steps: list[Step] = []
        for step_index, step in enumerate(turn.steps):
            writer.begin_thought(index, f"step{step_index}")
            steps.append(step.model_copy(update={"thought": think_before_calls(context, step.calls)}))
            for call, observation in step.exchanges:
                knowledge.add_call(call, observation, _is_committed(knowledge, call, observation))
        writer.begin_thought(index, "reply")
        thought = think_before_reply(context)
        knowledge.add_reply(turn.labels.system_acts)
        turns.append(turn.model_copy(update={"steps": tuple(steps), "thought": thought}))
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _is_committed(knowledge: AgentKnowledge, call: Call, observation: object) -> bool:
    """Whether the call is a booking that went through."""
    tool = knowledge.tool(call.service, call.name)
    return tool is not None and tool.transactional and booking_outcome(call, observation) == "done"
