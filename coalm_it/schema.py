"""The types that every room shares: tools, calls, turns, dialogues, samples, findings; and how these are named.

Readers validate raw corpora once and build these types; afterwards they are trusted and frozen. What a reader owes the
other rooms is described in docs/annotation.md.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, SkipValidation

SCHEMA_VERSION = 2
"""Stored in every manifest and row; changes when a type or a column changes its meaning."""

Task = Literal["state_tracking", "function_call", "react_action", "react_response"]
Layout = Literal["state_tracking", "react_action", "react_response", "hammer", "toolace", "varied"]
"""How the three columns are laid out: a template of templates/rows, or one drawn from templates/rows/varied."""
State = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Service (or SNIPS domain) -> slot -> every surface form in the annotation, in its order."""
ActName = Literal[
    "AFFIRM",
    "AFFIRM_INTENT",
    "CONFIRM",
    "GOODBYE",
    "GREET",
    "INFORM",
    "INFORM_COUNT",
    "INFORM_INTENT",
    "NEGATE",
    "NEGATE_INTENT",
    "NOTIFY_FAILURE",
    "NOTIFY_SUCCESS",
    "OFFER",
    "OFFER_INTENT",
    "REQUEST",
    "REQUEST_ALTS",
    "REQ_MORE",
    "SELECT",
    "THANK_YOU",
    "WELCOME",
]
"""The dialogue acts, named as in SGD; docs/annotation.md says what each means."""
DONT_CARE: Final = "dontcare"
"""The value of a slot where the user accepts any value."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(Model):
    """A function that an agent can call. `parameters` is a JSON Schema object with properties and required."""

    name: str
    service: str = ""
    description: str = ""
    parameters: dict[str, Any]
    results: tuple[str, ...] = ()
    """Names of the slots in its results."""
    transactional: bool = False
    """Whether a call commits the user to something (a booking, a payment), according to the schema of the corpus."""
    spec: dict[str, Any] | None = None
    """The description as written in a function-calling corpus, which some layouts show; None for other corpora."""

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.parameters.get("required", ()))

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        properties: dict[str, dict[str, Any]] = self.parameters.get("properties", {})
        return properties

    @cached_property
    def signature_json(self) -> str:
        """Description and parameters as members of a JSON object; cached, as thousands of rows show the same tool."""
        text = json.dumps({"description": self.description, "parameters": self.parameters}, ensure_ascii=False)
        return text[1:-1]

    @cached_property
    def signature(self) -> str:
        """For people to read, with `?` after optional parameters: `FindBus(to, leaving_at?="17:30", seats: 1|2)`."""
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
    """One step of the agent within a turn: a thought, calls made in parallel, and one observation per call.

    Without calls it is the decision, stated by the corpus, that no function should be called.
    """

    thought: str | None = None
    calls: tuple[Call, ...] = ()
    observations: tuple[Any, ...] = ()

    @property
    def exchanges(self) -> Iterator[tuple[Call, Any]]:
        """Each call with its observation; the last calls of a conversation may have none and are left out."""
        return zip(self.calls, self.observations, strict=False)


class Act(Model):
    """One dialogue act of the annotation. `values` are as spoken, `canonical` the same values in canonical form."""

    name: Annotated[ActName, SkipValidation]
    service: str = ""
    slot: str = ""
    values: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()


class Labels(Model):
    """The annotation of a turn, used to write thoughts and to check samples; never shown to a model."""

    user_acts: tuple[Act, ...] = ()
    system_acts: tuple[Act, ...] = ()
    intents: Mapping[str, str] = {}
    """Service -> its active intent after the user's utterance."""


class Turn(Model):
    """The user speaks; the agent takes steps, thinks, and replies. `state` is the state after the user's utterance."""

    user: str
    system: str = ""
    """What the system told the agent in the middle of the conversation, at the latest before it acts in this turn."""
    steps: tuple[Step, ...] = ()
    thought: str | None = None
    reply: str | None = None
    state: State = {}
    labels: Labels = Labels()


class Place(NamedTuple):
    """Where a thought belongs: before the calls of a step, or before the reply of the turn (`step` None)."""

    turn: int
    step: int | None


class Mended(NamedTuple):
    """An argument that a reader brought into the form of its schema: where, its path in the call, what it was before.

    An optional argument that was "" or null is left out of the call.
    """

    turn: int
    step: int
    path: str
    was: Any


class Dialogue(Model):
    """One conversation of a corpus. `file` is relative to the corpus folder; `record` is its index in the file."""

    id: str
    source: str
    split: str
    licence: str
    clock: datetime.date | None = None
    """The day on which the conversation takes place, from which relative dates are resolved."""
    system: str = ""
    """What the corpus tells the agent before the conversation, without what rows say of functions themselves."""
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...]
    context_only: tuple[Place, ...] = ()
    """Steps and replies that the corpus marks as not to be learnt, or does not annotate: they are no targets."""
    mended: tuple[Mended, ...] = ()
    file: str = ""
    record: int = 0

    @property
    def is_annotated(self) -> bool:
        """Whether the corpus says of any utterance what it does; without that, no thought can be derived."""
        return any(turn.labels.user_acts or turn.labels.system_acts for turn in self.turns)

    @property
    def full_name(self) -> str:
        """SOURCE/SPLIT/ID, which no other dialogue has."""
        return format_dialogue_name(self.source, self.split, self.id)


class Sample(Model):
    """One supervised target in its context.

    `turns` is the dialogue so far; the last one is the current turn. The target is the thought and the calls
    of step number `step` of the current turn, or, if `step` is None, its reply (or its state, depending on `task`).
    What follows the target in the current turn is annotation for the checks and is never rendered.
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
    system: str = ""
    """What the corpus tells the agent up to the current turn; rows show it instead of, or beside, the layout's text."""
    tools: tuple[Tool, ...] = ()
    turns: tuple[Turn, ...]
    step: int | None = None
    columns: tuple[str, str, str] | None = None
    """Instruction, input and output of a published row that was read back; they are written unchanged."""
    provenance: dict[str, Any] = {}

    @property
    def history(self) -> tuple[Turn, ...]:
        return self.turns[:-1]

    @property
    def current(self) -> Turn:
        return self.turns[-1]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the current turn before the target."""
        return self.current.steps[: self.step]

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls of the target; empty if the target is a reply or a state."""
        return () if self.step is None else self.current.steps[self.step].calls

    @property
    def place(self) -> Place:
        """Where the thought of the target belongs."""
        return Place(self.turn, self.step)

    @property
    def thought(self) -> str | None:
        """The thought of the target."""
        return self.current.thought if self.step is None else self.current.steps[self.step].thought


class Inventory(Model):
    """What a row needs to know of its corpus as a whole; made once, before the first row."""

    tools: tuple[Tool, ...] = ()
    """Every function of the corpus, in file order: the published list, from which distractors are drawn."""
    slots: dict[str, tuple[str, ...]] = {}
    """Domain -> its slots in order of first occurrence; domains in alphabetical order (SNIPS)."""

    @cached_property
    def fingerprint(self) -> str:
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Finding(Model):
    """An error that a check found: which check, where in the sample, and what is wrong, in one sentence."""

    check: str
    where: str
    message: str


class Fault(Model):
    """A raw record that could not become a dialogue, and why; or a whole file, and then `record` is None."""

    file: str
    record: str | None = None
    reason: str


class LeftOut(Fault):
    """A raw record without fault that the YAML of its source leaves out, and why."""


# --- names of dialogues and samples ---


def format_dialogue_name(source: str, split: str, dialogue_id: str) -> str:
    """The full name of a dialogue: SOURCE/SPLIT/ID."""
    return f"{source}/{split}/{dialogue_id}"


def parse_dialogue_id(full_name: str) -> str:
    """The id in the full name of a dialogue, which may contain `/` itself; an id alone stays as it is."""
    return full_name.split("/", 2)[-1]


def format_sample_id(dialogue_name: str, turn: int, task: Task, step: int = 0) -> str:
    """DIALOGUE_NAME/TURN/TASK, followed by `.STEP` where the turn has several samples of the task."""
    return f"{dialogue_name}/{turn}/{task}.{step}" if step else f"{dialogue_name}/{turn}/{task}"


def parse_record_name(dialogue_name: str) -> str:
    """The name of a dialogue without the number that tells it from others of the same id in its corpus: a~2 -> a."""
    return re.sub(r"~\d+$", "", dialogue_name)


def parse_dialogue_name(sample_id: str) -> str:
    """The full name of the dialogue that a sample belongs to; all copies of a sample have the same one."""
    return sample_id.rsplit("/", 2)[0]
