"""Messages in a row, as chat corpora have them -> the Turns of a Dialogue.

A turn begins where the user speaks. Assistant messages with calls are its steps, each with the results that
follow it; the assistant's text is its reply. What is made of less regular conversations:

- Messages of the user in a row are one, and so are texts of the assistant; a line break joins them.
- Text of the assistant that is followed by calls, not by the user, stands beside those calls: it is their thought.
- Only the last calls of a conversation may lack results. Elsewhere every call has exactly one.
- An assistant message without text and calls is an empty reply: one lost target, which the checks turn away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from coalm_it.corpora.records import BadRecord
from coalm_it.schema import Call, Labels, Step, Tool, Turn

_NO_LABELS = Labels()

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came back of one call; `name` and `id` where the corpus says which."""

    value: Any
    name: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message. `calls` is None for mere text, and empty for the decision, stated by the corpus, to make none."""

    role: Role
    text: str = ""
    thought: str | None = None
    calls: tuple[Call, ...] | None = None
    results: tuple[Result, ...] = ()


@dataclass(slots=True)
class _OpenStep:
    thought: str | None
    calls: tuple[Call, ...]
    observations: tuple[Any, ...] = ()


@dataclass(slots=True)
class _OpenTurn:
    user: str
    steps: list[_OpenStep] = field(default_factory=list)
    thought: str | None = None
    reply: str | None = None
    results: list[Result] = field(default_factory=list)
    """Those of the last step's calls, as far as they are read."""

    @property
    def begun(self) -> bool:
        return bool(self.steps) or self.reply is not None

    @property
    def waits(self) -> bool:
        """Whether the last step's calls have no results yet."""
        return bool(self.steps) and bool(self.steps[-1].calls) and not self.steps[-1].observations


def build_turns(messages: Sequence[RawMessage], tools: Sequence[Tool]) -> tuple[Turn, ...]:
    """The turns of a conversation; messages of the system are passed over.

    Ids of calls are kept where every call has its own, and else made: call_TURN_N. Raises BadRecord, with the
    message's number (from 0): the user does not speak first, calls and results do not pair, a call that is of no
    function among `tools`, or of several; or nothing in the conversation is the assistant's.
    """
    names = Counter(tool.name for tool in tools)
    turns: list[_OpenTurn] = []
    for number, message in enumerate(messages):
        try:
            if message.role == "user":
                _add_user(turns, message)
            elif message.role != "system":
                if not turns:
                    raise BadRecord(f"the user should speak first, not the {message.role}")
                _add_answer(turns[-1], message, names)
        except BadRecord as error:
            raise BadRecord(f"message {number}: {error}") from None
    if turns and turns[-1].results:
        _settle(turns[-1])
    if not any(turn.begun for turn in turns):
        raise BadRecord("no message of the assistant")
    return tuple(_close_turns(turns))


def _add_user(turns: list[_OpenTurn], message: RawMessage) -> None:
    if turns and turns[-1].begun:
        _settle(turns[-1])
    if turns and not turns[-1].begun:
        turns[-1].user = _join(turns[-1].user, message.text) or ""
    else:
        turns.append(_OpenTurn(message.text))


def _add_answer(turn: _OpenTurn, message: RawMessage, names: Counter[str]) -> None:
    if message.role == "tool":
        if not turn.waits:
            raise BadRecord("a result, but no call before it")
        turn.results += message.results
        return
    _settle(turn)
    if message.calls is None:
        turn.reply = message.text if turn.reply is None else _join(turn.reply, message.text)
        turn.thought = _join(turn.thought, message.thought)
        return
    for call in message.calls:
        if not names[call.name]:
            listed = f"which is not among the {len(names)} functions" if names else "but no functions are listed"
            raise BadRecord(f"a call of {call.name!r}, {listed}")
        if names[call.name] > 1:
            raise BadRecord(f"a call of {call.name!r}, which may be any of {names[call.name]} functions of that name")
    thought = _join(turn.thought, turn.reply, message.thought, message.text)
    turn.thought = turn.reply = None
    turn.steps.append(_OpenStep(thought, message.calls))


def _join(*texts: str | None) -> str | None:
    return "\n".join(text for text in texts if text) or None


# --- calls and their results ---


def _settle(turn: _OpenTurn) -> None:
    """Gives the last step its results, in the order of its calls."""
    if not turn.waits:
        return
    step = turn.steps[-1]
    results = _spread(turn.results, len(step.calls))
    if len(results) != len(step.calls):
        raise BadRecord(f"calls and results do not pair: {len(step.calls)} calls, {len(results)} results")
    step.observations = tuple(result.value for result in _pair(step.calls, results))
    turn.results = []


def _spread(results: list[Result], calls: int) -> list[Result]:
    """One result that lists as many as there are calls is as many results."""
    if len(results) == 1 < calls and isinstance(results[0].value, list) and len(results[0].value) == calls:
        return [Result(value) for value in results[0].value]
    return results


def _pair(calls: Sequence[Call], results: Sequence[Result]) -> list[Result]:
    """The results in the order of the calls: by id, else by name, else as they come."""
    if all(call.id for call in calls) and all(result.id for result in results):
        by_id = {result.id: result for result in results}
        if by_id.keys() != {call.id for call in calls}:
            raise BadRecord(f"results of {', '.join(by_id)}, but calls {', '.join(call.id for call in calls)}")
        return [by_id[call.id] for call in calls]
    if all(result.name for result in results):
        if Counter(result.name for result in results) != Counter(call.name for call in calls):
            named = ", ".join(repr(result.name) for result in results)
            raise BadRecord(f"results of {named}, but calls of {', '.join(repr(call.name) for call in calls)}")
        left = list(results)
        return [left.pop(next(n for n, one in enumerate(left) if one.name == call.name)) for call in calls]
    return list(results)


def _close_turns(turns: Sequence[_OpenTurn]) -> Iterator[Turn]:
    ids = [call.id for turn in turns for step in turn.steps for call in step.calls]
    keep = all(ids) and len(set(ids)) == len(ids)
    for number, turn in enumerate(turns):
        places = count()
        steps = tuple(
            Step(
                thought=step.thought,
                calls=step.calls if keep else tuple(_name_call(call, number, next(places)) for call in step.calls),
                observations=step.observations,
            )
            for step in turn.steps
        )
        # What is left to its default is copied deeply for every turn, at a third of the whole cost.
        yield Turn(user=turn.user, steps=steps, thought=turn.thought, reply=turn.reply, state={}, labels=_NO_LABELS)


def _name_call(call: Call, turn: int, place: int) -> Call:
    return Call(id=f"call_{turn}_{place}", name=call.name, arguments=call.arguments)
