"""The words everyone speaks: tools, calls, turns, dialogues, samples, and what the checks say of them.

Readers validate raw corpora once and build these types; after that they are trusted and frozen.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
"""Written into every manifest and row; changes when a type or a column changes its meaning."""

Task = Literal["state_tracking", "function_call", "react_action", "react_response"]
Layout = Literal["state_tracking", "react_action", "react_response", "hammer", "toolace", "varied"]
"""How the three columns are laid out: a template of templates/rows, or one drawn among those of rows/varied."""
State = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Service (or SNIPS domain) -> slot -> every surface form that the annotation gives, in its order."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(Model):
    """A function that an agent may call. `parameters` is a JSON Schema object: properties, required."""

    name: str
    service: str = ""
    description: str = ""
    parameters: dict[str, Any]
    results: tuple[str, ...] = ()
    """Names of the slots that come back."""
    transactional: bool = False
    """Whether a call commits the user to something (a booking, a payment), as the corpus's schema says."""
    spec: dict[str, Any] | None = None
    """The tool as a function-calling corpus writes it, for the layouts that show it so; None for the others."""

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.parameters.get("required", ()))

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        properties: dict[str, dict[str, Any]] = self.parameters.get("properties", {})
        return properties

    @cached_property
    def signature_json(self) -> str:
        """Description and parameters as members of a JSON object; thousands of rows show the same tool."""
        text = json.dumps({"description": self.description, "parameters": self.parameters}, ensure_ascii=False)
        return text[1:-1]

    @cached_property
    def signature(self) -> str:
        """As people write it, `?` where a parameter is optional: `FindBus(origin, leaving_at?="17:30", seats: 1|2)`."""
        return f"{self.name}({', '.join(map(self._write_parameter, self.properties))})"

    def _write_parameter(self, name: str) -> str:
        entry = self.properties[name]
        written = name if name in self.required else f"{name}?"
        if "default" in entry:
            return f"{written}={json.dumps(entry['default'], ensure_ascii=False)}"
        if entry.get("enum") and entry.get("type") != "boolean":
            return f"{written}: {'|'.join(map(str, entry['enum']))}"
        return written


class Call(Model):
    id: str = ""
    name: str
    arguments: dict[str, Any] = {}
    service: str = ""


class Step(Model):
    """One move of the agent inside a turn: a thought, the calls made at once, one observation a call.

    Without calls it is the decision, stated by the corpus, that no function is to be called.
    """

    thought: str | None = None
    calls: tuple[Call, ...] = ()
    observations: tuple[Any, ...] = ()


class Act(Model):
    """One dialogue act of the annotation. `canonical` stands beside `values`, item by item."""

    name: str
    service: str = ""
    slot: str = ""
    values: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()


class Labels(Model):
    """What the annotation says of a turn: never shown to a model, only to reasoner and checks."""

    user_acts: tuple[Act, ...] = ()
    system_acts: tuple[Act, ...] = ()
    intents: Mapping[str, str] = {}
    """Service -> the intent that is active in it after the user spoke."""


class Turn(Model):
    """The user speaks, the agent takes steps, thinks, and replies; `state` is what holds after the user spoke."""

    user: str
    steps: tuple[Step, ...] = ()
    thought: str | None = None
    reply: str | None = None
    state: State = {}
    labels: Labels = Labels()


class Place(NamedTuple):
    """Where a thought belongs: before the calls of a turn's step, or (step None) before its reply."""

    turn: int
    step: int | None


class Dialogue(Model):
    """One conversation of a corpus. `file` is relative to the corpus folder, `record` counts from 0 in it."""

    id: str
    source: str
    split: str
    licence: str
    clock: datetime.date | None = None
    """The day on which the conversation takes place; relative dates hang on it."""
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...]
    file: str = ""
    record: int = 0


class Sample(Model):
    """One supervised target in its context.

    `turns` is the dialogue so far; the last of them is the current one. The target is the thought and calls
    of the current turn's step number `step`, or, where `step` is None, its reply (or its state, by `task`).
    What lies behind the target in the current turn is annotation for the checks and is never rendered.
    """

    id: str
    part: str
    task: Task
    layout: Layout
    source: str
    split: str
    dialogue_id: str
    turn: int
    licence: str
    clock: datetime.date | None = None
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...]
    step: int | None = None
    columns: tuple[str, str, str] | None = None
    """Instruction, input and output of a published row that was read back: they are written out as they are."""
    provenance: dict[str, Any] = {}

    @property
    def history(self) -> tuple[Turn, ...]:
        return self.turns[:-1]

    @property
    def current(self) -> Turn:
        return self.turns[-1]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The current turn's steps that are over when the target begins."""
        return self.current.steps[: self.step]

    @property
    def calls(self) -> tuple[Call, ...]:
        """The target's calls; empty when the target is a reply or a state."""
        return () if self.step is None else self.current.steps[self.step].calls

    @property
    def place(self) -> Place:
        """Where the target's thought belongs."""
        return Place(self.turn, self.step)

    @property
    def thought(self) -> str | None:
        """The thought that belongs to the target."""
        return self.current.thought if self.step is None else self.current.steps[self.step].thought


class Inventory(Model):
    """What a row needs of its corpus as a whole; made once, before the first row."""

    tools: tuple[Tool, ...] = ()
    """Every function of the corpus, in file order: the published list, and where distractors come from."""
    slots: dict[str, tuple[str, ...]] = {}
    """Domain -> its slots in order of first occurrence; domains in alphabetical order (SNIPS)."""

    @cached_property
    def fingerprint(self) -> str:
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Finding(Model):
    """What a check found wrong: which check, where in the sample, and what, in one sentence."""

    check: str
    where: str
    message: str


class Fault(Model):
    """A raw record (or a whole file, then `record` is None) that never became a dialogue, and why."""

    file: str
    record: str | None = None
    reason: str
