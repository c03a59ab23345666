"""Where a corpus of messages has what a record consists of: the key `columns` of its YAML file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

Role = Literal["system", "user", "assistant", "call", "tool", "skip"]
Value = str | int | float | bool | None


class Columns(BaseModel):
    """Where a corpus of messages has what a record consists of, where that is not as usual (see readers/messages).

    A place is a column, or keys with dots between them: `answer.messages.-1`. A number counts in a list, `*` goes
    through all items, and a JSON text on the way is opened.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    records: str | None = None
    """Where a file has its records; without it they are the file."""
    messages: str | tuple[str, ...] | None = None
    """One place, or several, whose messages are joined; without it, `messages`, `conversations` or `contents`, else
    `prompt` and `completion`, of which only the completion is learnt, else the `steps` of a trajectory (ATIF)."""
    query: str | None = None
    """A text that is the only message of the user, in place of `messages`; in some records it may be messages."""
    speakers: dict[str, Role] = {}
    """Where `messages` is a transcript in one text: the beginnings of lines at which someone speaks -> who it is."""
    answer: str | None = None
    """The answer beside the question: calls, a message or a text, which ends the conversation."""
    answer_arguments: str | None = None
    """Where `answer` has only the names of the functions: the list of the arguments of each."""
    answer_file: str | None = None
    """Where the answers are in a file of their own, listed under `also`: its name, filled in as for `tools_file`;
    `answer` is then a place in its record of the same id."""
    tools: str | None = None
    """The functions of a record, or a text that lists them; without it, `tools`."""
    tools_file: str | None = None
    """A file with functions for all records, listed under `also`; `{place}` in its name is filled in by a record, and
    `{file}` by the name of the record's file."""
    tools_used: str | None = None
    """The names of the functions of `tools_file` that a record shows; without it, all."""
    system: str | tuple[str, ...] | None = None
    """What the system tells the agent, beside its messages: one place, or several; without it, `system`,
    `system_prompt`, `instructions` and `systemInstruction`."""
    clock: str | None = None
    """The day of the conversation, as a date (2024-05-15), from which relative dates are resolved; without it, the day
    that the system text calls today."""
    id: str | None = None
    """The column with the ids of records; without it, an id is made of file and index."""
    roles: dict[str, Role] = {}
    """Roles of the corpus -> what they are; messages of the role `skip` are left out."""
    keys: dict[str, str] = {}
    """Keys of messages and calls in the corpus -> the usual ones: {speaker: role, utterance: content}. A key of calls
    that is mapped to `result` holds their results; the text of such a message comes after its calls."""
    keep: dict[str, tuple[Value, ...]] = {}
    """Place in a record -> the value, or several: other records are left out, and counted as `filtered`. In a text, `*`
    stands for any characters; in an object or a list, all values below are compared."""
    drop: dict[str, tuple[Value, ...]] = {}
    """Place in a record -> values, as in `keep`: records with one of them are left out, and counted as `filtered`."""
    skip: dict[str, tuple[Value, ...]] = {}
    """Place in a message -> values, as in `keep`: messages with one of them are left out."""
    cut: tuple[str, ...] = ()
    """Texts that are taken out of all messages."""
    replies: dict[str, str] = {}
    """Functions by which the assistant speaks -> the argument with the text: {Finish: final_answer}."""
    thoughts: dict[str, str] = {}
    """Functions by which the assistant thinks -> the argument with the text: {think: thought}."""
    unanswered: Literal["fault", "drop"] = "fault"
    """What becomes of calls within a conversation that have no results: the record is a fault, or they are dropped."""
    prefixes: Literal["keep", "drop"] = "keep"
    """What becomes of records whose messages are the beginning of another record in the file: `drop` leaves them out,
    and counts them as `filtered`."""

    @field_validator("keep", "drop", "skip", mode="before")
    @classmethod
    def _list_values(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        listed = {place: values if isinstance(values, list) else [values] for place, values in given.items()}
        for place, values in listed.items():
            if not values or any(isinstance(value, list | dict) for value in values):
                raise ValueError(f"{place!r} should have a text, a number, true, false or null, or several in a list")
        return listed

    @model_validator(mode="after")
    def _check_together(self) -> Columns:
        needed: dict[str, tuple[str, ...]] = {
            "speakers": ("messages",),
            "answer_arguments": ("answer",),
            "answer_file": ("answer", "id"),
            "tools_used": ("tools_file",),
        }
        for key, others in needed.items():
            missing = [other for other in others if getattr(self, key) and not getattr(self, other)]
            if missing:
                raise ValueError(f"{key} needs {missing[0]}")
        if self.query is not None and self.messages is not None:
            raise ValueError("query and messages exclude each other: a record has one or the other")
        if "" in (*self.speakers, *self.cut):
            raise ValueError("a text of speakers or cut is empty")
        if self.speakers and not isinstance(self.messages, str):
            raise ValueError("with speakers, messages is one place: that of the transcript")
        return self
