"""The list of messages of a chat corpus -> the Turns of a Dialogue.

A turn begins with a message of the user. Assistant messages with calls are its steps, each with the results that
follow it; the text of the assistant is its reply. Less regular conversations are read as follows:

- Consecutive messages of the user are joined with a line break, and so are consecutive texts of the assistant.
- Consecutive messages of the assistant with calls, whose results come after the last, are one step.
- Text of the assistant that is followed by calls, not by the user, is the thought of these calls.
- Only the last calls of a conversation may lack results; every other call has exactly one.
- Line breaks of other systems (CRLF, a lone CR, U+0085, U+2028, U+2029, form feeds) become plain ones; tabs stay.
- An assistant message without text and calls is an empty reply: one lost target, which the checks reject.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal

from coalm_it.corpora.pairing import Result, pair_results
from coalm_it.corpora.records import BadRecord, DialogueContent
from coalm_it.schema import Call, Labels, Place, Step, Tool, Turn

_NO_LABELS = Labels()

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message. `calls` is None for plain text, and empty for the stated decision to call nothing."""

    role: Role
    text: str = ""
    thought: str | None = None
    calls: tuple[Call, ...] | None = None
    results: tuple[Result, ...] = ()
    learn: bool = True
    """False for a message of the assistant that the corpus marks as context: it is no target."""


@dataclass(slots=True)
class _OpenStep:
    thought: str | None
    calls: tuple[Call, ...]
    learn: bool
    observations: tuple[Any, ...] = ()


@dataclass(slots=True)
class _OpenTurn:
    user: str
    system: str = ""
    told_later: str = ""
    """What the system says after the agent has acted: it holds from the next turn on."""
    steps: list[_OpenStep] = field(default_factory=list)
    thought: str | None = None
    reply: str | None = None
    learn: bool = True
    """Whether the reply may be learnt."""
    results: list[Result] = field(default_factory=list)
    """The results of the last step that have been read so far."""

    @property
    def has_answer(self) -> bool:
        return bool(self.steps) or self.reply is not None

    @property
    def awaits_results(self) -> bool:
        """Whether the calls of the last step have no results yet."""
        return bool(self.steps) and bool(self.steps[-1].calls) and not self.steps[-1].observations


def build_content(messages: Sequence[RawMessage], tools: Sequence[Tool]) -> DialogueContent:
    """The turns of a conversation, its tools, what the system says before it, and the targets that its corpus marks as
    context.

    Raises BadRecord, as `build_turns` does.
    """
    messages = [_unify_breaks(message) for message in messages]
    turns = _collect_turns(messages, tools)
    first = next((number for number, message in enumerate(messages) if message.role == "user"), len(messages))
    system = join_texts(message.text for message in messages[:first] if message.role == "system")
    return DialogueContent(
        tuple(_close_turns(turns)), tuple(tools), system=system, context_only=tuple(_list_context(turns))
    )


def join_texts(texts: Iterable[str]) -> str:
    """System texts as one, each once."""
    return "\n\n".join(dict.fromkeys(text for text in texts if text))


def build_turns(messages: Sequence[RawMessage], tools: Sequence[Tool]) -> tuple[Turn, ...]:
    """The turns of a conversation. A system message in the middle belongs to the turn in which the agent acts next.

    The ids of calls are kept if every call has its own; otherwise new ones are made: call_TURN_N. Raises BadRecord,
    with the index of the message: the user does not speak first, calls and results do not pair, a call matches no
    function in `tools` or several; or the conversation has no message of the assistant.
    """
    return build_content(messages, tools).turns


def _collect_turns(messages: Sequence[RawMessage], tools: Sequence[Tool]) -> list[_OpenTurn]:
    names = Counter(tool.name for tool in tools)
    turns: list[_OpenTurn] = []
    for number, message in enumerate(messages):
        try:
            if message.role == "user":
                _add_user(turns, message)
            elif message.role == "system":
                _add_system(turns, message)
            else:
                if not turns:
                    raise BadRecord(f"the user should speak first, not the {message.role}")
                _add_answer(turns[-1], message, names)
        except BadRecord as error:
            raise BadRecord(f"message {number}: {error}") from None
    if turns and turns[-1].results:
        _assign_results(turns[-1])
    if not any(turn.has_answer for turn in turns):
        raise BadRecord("no message of the assistant")
    return turns


_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")


def _unify_breaks(message: RawMessage) -> RawMessage:
    if not _BREAKS.search(message.text) and not _BREAKS.search(message.thought or ""):
        return message
    thought = message.thought and _BREAKS.sub("\n", message.thought)
    return replace(message, text=_BREAKS.sub("\n", message.text), thought=thought)


def _add_user(turns: list[_OpenTurn], message: RawMessage) -> None:
    if turns and turns[-1].has_answer:
        _assign_results(turns[-1])
    if turns and not turns[-1].has_answer:
        turns[-1].user = _join(turns[-1].user, message.text) or ""
    else:
        turns.append(_OpenTurn(message.text, system=turns[-1].told_later if turns else ""))


def _add_system(turns: list[_OpenTurn], message: RawMessage) -> None:
    """Adds what the system says in the middle of a conversation; of its beginning, see `build_content`."""
    if turns and turns[-1].has_answer:
        turns[-1].told_later = join_texts((turns[-1].told_later, message.text))
    elif turns:
        turns[-1].system = join_texts((turns[-1].system, message.text))


def _add_answer(turn: _OpenTurn, message: RawMessage, names: Counter[str]) -> None:
    if message.role == "tool":
        if not turn.awaits_results:
            raise BadRecord("a result, but no call before it")
        turn.results += message.results
        return
    is_parallel = bool(message.calls) and turn.awaits_results and not turn.results
    if not is_parallel:
        _assign_results(turn)
    if message.calls is None:
        turn.reply = message.text if turn.reply is None else _join(turn.reply, message.text)
        turn.thought = _join(turn.thought, message.thought)
        turn.learn = turn.learn and message.learn
        return
    for call in message.calls:
        if not names[call.name]:
            listed = f"which is not among the {len(names)} functions" if names else "but no functions are listed"
            raise BadRecord(f"a call of {call.name!r}, {listed}")
        if names[call.name] > 1:
            raise BadRecord(f"a call of {call.name!r}, which may be any of {names[call.name]} functions of that name")
    thought = _join(turn.thought, turn.reply, message.thought, message.text)
    learn = turn.learn and message.learn
    turn.thought = turn.reply = None
    turn.learn = True
    if is_parallel:
        step = turn.steps[-1]
        step.thought, step.calls, step.learn = (
            _join(step.thought, thought),
            step.calls + message.calls,
            step.learn and learn,
        )
    else:
        turn.steps.append(_OpenStep(thought, message.calls, learn))


def _assign_results(turn: _OpenTurn) -> None:
    """Assigns the results to the last step, in the order of its calls."""
    if turn.awaits_results:
        step = turn.steps[-1]
        step.observations = pair_results(step.calls, turn.results)
        turn.results = []


def _join(*texts: str | None) -> str | None:
    return "\n".join(text for text in texts if text) or None


def _close_turns(turns: Sequence[_OpenTurn]) -> Iterator[Turn]:
    ids = [call.id for turn in turns for step in turn.steps for call in step.calls]
    keep = all(ids) and len(set(ids)) == len(ids)
    for number, turn in enumerate(turns):
        numbers = count()
        steps = tuple(
            Step(
                thought=step.thought,
                calls=step.calls if keep else tuple(_name_call(call, number, next(numbers)) for call in step.calls),
                observations=step.observations,
            )
            for step in turn.steps
        )
        # Pydantic copies a default deeply for every turn, which would take a third of the time.
        yield Turn(
            user=turn.user,
            system=turn.system,
            steps=steps,
            thought=turn.thought,
            reply=turn.reply,
            state={},
            labels=_NO_LABELS,
        )


def _list_context(turns: Sequence[_OpenTurn]) -> Iterator[Place]:
    for number, turn in enumerate(turns):
        yield from (Place(number, index) for index, step in enumerate(turn.steps) if not step.learn)
        if turn.reply is not None and not turn.learn:
            yield Place(number, None)


def _name_call(call: Call, turn: int, number: int) -> Call:
    return Call(id=f"call_{turn}_{number}", name=call.name, arguments=call.arguments)
