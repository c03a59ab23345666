r"""xLAM function calling (Liu et al. 2024, APIGen; 60,000 rows, CC BY 4.0), and other corpora in the same layout.

One JSON file with a list of rows; `tools` and `answers` are JSON texts. A shortened row:

    {"id": 7, "query": "Is it raining in Oban, and is it windy?",
     "tools": "[{\"name\": \"get_rain\", \"description\": \"...\", \"parameters\": {\"city\": {\"description\": \"...\",
               \"type\": \"str\", \"default\": \"London\"}, \"hours\": {\"type\": \"int, optional\"}}}]",
     "answers": "[{\"name\": \"get_rain\", \"arguments\": {\"city\": \"Oban\"}}]"}

xlam-irrelevance-7.5k (Lin et al. 2024, Hammer; CC BY 4.0) is the same with the correct function removed and
`answers` "[]". Variants of this form are read too: lists instead of the texts, answers {tool, parameters}
(Seal-Tools), and a list of messages as query (API-Bank: user, agent, assistant with calls, tool or API with the
result; its final words "Generate API Request:" are left out).

A row becomes a dialogue of one turn with one step, whose parallel calls are the answers, or which has no call; there
are no results and no reply. A query of several messages becomes one turn per message of the user.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.calls import CallSyntaxError, decode_calls, parse_calls
from coalm_it.corpora.conversations import RawMessage, Role, build_content
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.pairing import Result
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.record_ids import list_earlier_ids, read_id
from coalm_it.corpora.records import (
    BadRecord,
    DialogueContent,
    convert_dialogues,
    decode_result,
    get_field,
    report_unreadable_file,
)
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.schema import Call, Dialogue, Fault, Inventory

ROLES: dict[str, Role] = {
    "user": "user",
    "agent": "assistant",
    "assistant": "assistant",
    "tool": "tool",
    "API": "tool",
}
REQUEST = "Generate API Request:"
"""The text that API-Bank appends to the last message, whatever its role."""


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: a row shows the functions of its own record."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The rows of one shard; an invalid row is a Fault, and the others are still read."""

    def convert(record: Any) -> DialogueContent:
        query = get_field(record, "query", str, list)
        tools = read_tools(get_field(record, "tools", str, list))
        answer = RawMessage("assistant", calls=_read_answers(get_field(record, "answers", str, list)))
        return build_content([*_read_query(query), answer], tools)

    def name(record: Any, index: int) -> str:
        return read_id(record, "id", shard.file, index)

    earlier = list_earlier_ids(corpus, split, shard.file, "id")
    records = read_records(shard.file)
    return convert_dialogues(
        corpus, split, shard, licence, records=records, convert=convert, name=name, earlier=earlier
    )


def _read_answers(answers: str | list[Any]) -> tuple[Call, ...]:
    try:
        return parse_calls(answers, "json") if isinstance(answers, str) else decode_calls(answers)
    except CallSyntaxError as error:
        raise BadRecord(f"answers: {error}") from None


def _read_query(query: str | list[Any]) -> Iterator[RawMessage]:
    if isinstance(query, str):
        if not query.strip():
            raise BadRecord("the query is empty")
        yield RawMessage("user", query.strip())
        return
    for number, message in enumerate(query):
        text = get_field(message, "content", str).strip()
        if number == len(query) - 1:
            text = text.removesuffix(REQUEST).strip()
        role = get_field(message, "role", str)
        if role not in ROLES:
            raise BadRecord(f"message {number}: role {role!r} is none of {', '.join(ROLES)}")
        if ROLES[role] == "tool":
            yield RawMessage("tool", results=(Result(decode_result(text)),))
        elif role == "assistant" and text.startswith(("```", "[")):
            yield RawMessage("assistant", calls=_read_answers(text))
        elif text:
            yield RawMessage(ROLES[role], text)
