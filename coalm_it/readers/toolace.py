r"""ToolACE (Liu et al. 2024; 11,300 conversations, Apache-2.0), with tools, calls and results all made up by models.

Two layouts. `upstream`, as published; the tools stand as a JSON list in the system text, calls in brackets:

    {"system": "... a list of functions in JSON format that you can invoke:\n[{\"name\": \"Bus Times\",
       \"description\": \"...\", \"parameters\": {\"type\": \"dict\", \"properties\": {...}, \"required\": [\"stop\"]},
       \"required\": null}]. ...",
     "conversations": [
       {"from": "user", "value": "When does the next bus leave from the pier?"},
       {"from": "assistant", "value": "[Bus Times(stop=\"pier\")]"},
       {"from": "tool", "value": "[{\"name\": \"Bus Times\", \"results\": {\"next\": \"14:05\"}}]"},
       {"from": "assistant", "value": "At five past two."}]}

`sharegpt`, a conversion with the roles human, gpt, function_call (JSON) and observation, which cut the names of
functions in calls to what follows the last blank, slash or hyphen ("Bus Times" to "Times"). A cut name is
mapped back where exactly one tool of the record fits; see `restore_name`.

Every assistant message is a target: calls a step, text a reply. Most conversations (8,650) end in calls without
results. An observation is what stands under `results`. Lost in conversion: the system text around the tool list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from coalm_it.calls import CallSyntaxError, decode_calls, parse_calls
from coalm_it.corpora.conversations import RawMessage, Result, build_turns
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.records import (
    BadRecord,
    DialogueContent,
    convert_dialogues,
    decode_result,
    get_field,
    number_record,
    parse_json,
    read_records,
    refuse_constant,
    report_unreadable_file,
)
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.schema import Call, Dialogue, Fault, Inventory, Tool

Rule = Literal["word", "arguments", "result", "required"]

_LIST = re.compile(r"\[\s*+[{\]]")
_CUT = re.compile(r"[\s/-]")
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: a row shows the functions of its own record."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The conversations of one shard; one that does not hold together is a Fault and the rest goes on."""

    def convert(record: Any) -> DialogueContent:
        tools = read_system(get_field(record, "system", str))
        raw = get_field(record, "conversations", list)
        read = _read_sharegpt if corpus.layout == "sharegpt" else _read_upstream
        return DialogueContent(build_turns(list(read(raw, tools)), tools), tools)

    def name(record: Any, index: int) -> str:
        return number_record(shard.file, index)

    records = read_records(shard.file)
    return convert_dialogues(corpus, split, shard, licence, records=records, convert=convert, name=name)


def read_system(text: str) -> tuple[Tool, ...]:
    """The functions in the first JSON list of objects in a system text; none where it holds no such list.

    Raises BadRecord: the list is there but broken, or see `read_tools`.
    """
    broken = None
    for match in _LIST.finditer(text):
        try:
            value, _ = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError) as error:
            broken = broken or error
            continue
        if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
            return read_tools(value)
    if broken:
        raise BadRecord(f"the list of functions in the system text is not JSON: {broken}")
    return ()


# --- upstream ---


def _read_upstream(raw: list[Any], tools: Sequence[Tool]) -> Iterator[RawMessage]:
    for number, message in enumerate(raw):
        role, text = get_field(message, "from", str), get_field(message, "value", str).strip()
        try:
            if role == "user":
                yield RawMessage("user", text)
            elif role == "assistant":
                yield _read_assistant(text, tools)
            elif role == "tool":
                yield _read_results(text)
            else:
                raise BadRecord(f"{role!r} is none of user, assistant, tool")
        except BadRecord as error:
            raise BadRecord(f"message {number}: {error}") from None


def _read_assistant(text: str, tools: Sequence[Tool]) -> RawMessage:
    """Calls, if the text is a bracket list of them, else a reply; a reply may begin with a bracket, but may not hold
    a call."""
    error = None
    if text.startswith("["):
        try:
            return RawMessage("assistant", calls=parse_calls(text, "bracket", tools))
        except CallSyntaxError as problem:
            error = problem
    for tool in tools if "[" in text else ():
        if re.search(rf"\[\s*{re.escape(tool.name)}\s*\(", text):
            raise BadRecord(f"calls that cannot be read: {error or 'there is text before them'}")
    return RawMessage("assistant", text)


def _read_results(text: str) -> RawMessage:
    value = decode_result(text)
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, dict) and item.keys() == {"name", "results"} for item in items):
        return RawMessage("tool", results=tuple(Result(item["results"], name=str(item["name"])) for item in items))
    return RawMessage("tool", results=(Result(value),))


# --- sharegpt ---


def _read_sharegpt(raw: list[Any], tools: Sequence[Tool]) -> Iterator[RawMessage]:
    for number, message in enumerate(raw):
        role, text = get_field(message, "from", str), get_field(message, "value", str).strip()
        try:
            if role == "human":
                yield RawMessage("user", text)
            elif role == "gpt":
                yield RawMessage("assistant", text)
            elif role == "function_call":
                results = _peek_results(raw[number + 1 :])
                yield RawMessage("assistant", calls=tuple(_restore_calls(text, results, tools)))
            elif role == "observation":
                yield _read_results(text)
            else:
                raise BadRecord(f"{role!r} is none of human, gpt, function_call, observation")
        except BadRecord as error:
            raise BadRecord(f"message {number}: {error}") from None


def _peek_results(rest: list[Any]) -> tuple[Result, ...]:
    if rest and get_field(rest[0], "from", str) == "observation":
        return _read_results(get_field(rest[0], "value", str).strip()).results
    return ()


def _restore_calls(text: str, results: Sequence[Result], tools: Sequence[Tool]) -> Iterator[Call]:
    try:
        calls = decode_calls(parse_json(text, "calls"))
    except CallSyntaxError as error:
        raise BadRecord(f"calls: {error}") from None
    paired = len(results) == len(calls)
    for number, call in enumerate(calls):
        name, _ = restore_name(call, tools, results[number].name if paired else "")
        yield call.model_copy(update={"name": name})


def restore_name(call: Call, tools: Sequence[Tool], result: str = "") -> tuple[str, Rule]:
    """The whole name of a function whose name in a call is cut to its end, and the rule that settled it.

    Candidates are the tools whose name ends so (`word`) and has parameters of all the arguments' names
    (`arguments`); where several are left, that of the result's name (`result`), then those whose required
    parameters are all given (`required`). Raises BadRecord where none or several are left after that.
    """
    rules: dict[Rule, list[Tool]] = {"word": [tool for tool in tools if _CUT.split(tool.name)[-1] == call.name]}
    rules["arguments"] = [tool for tool in rules["word"] if call.arguments.keys() <= tool.properties.keys()]
    rules["result"] = [tool for tool in rules["arguments"] if tool.name == result] or rules["arguments"]
    rules["required"] = [tool for tool in rules["result"] if call.arguments.keys() >= set(tool.required)]
    if not rules["arguments"]:
        raise BadRecord(f"a call of {call.name!r}, and no function of that name or ending takes its arguments")
    for rule, left in rules.items():
        if len(left) == 1 and left[0] in rules["arguments"]:
            return left[0].name, rule
    names = ", ".join(repr(tool.name) for tool in rules["result"])
    raise BadRecord(f"a call of {call.name!r}, whose name was cut off and may be any of {names}")
