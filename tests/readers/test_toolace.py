from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coalm_it.calls import decode_calls
from coalm_it.corpora.corpus import Corpus, RawFile, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.records import BadRecord
from coalm_it.corpora.sources import load_source
from coalm_it.corpora.system_tools import read_system
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.readers import toolace
from coalm_it.readers.toolace import restore_name
from coalm_it.schema import Call, Dialogue, Fault, Step, Tool, Turn


def function(name: str, *required: str, **types: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in types.items()}
    parameters = {"type": "dict", "properties": properties, "required": list(required)}
    return {"name": name, "description": "", "parameters": parameters, "required": None}


FERRY = function("Ferry Times (car)", "pier", pier="string", day="string")
TIDE = function("tides/get-heights", "harbour", harbour="string")
SYSTEM = f"Choose functions.\n{json.dumps([FERRY, TIDE])}. \nWrite them as [func1(name=value), func2(name=value)]"
ASK = ("user", "Boats from Uig?")
CALL = ("assistant", '[Ferry Times (car)(pier="Uig")]')
RESULT = ("tool", '[{"name": "Ferry Times (car)", "results": ["06:45"]}]')
SAY = ("assistant", "At 06:45.")


def talk(*messages: tuple[str, str], system: str = SYSTEM) -> dict[str, Any]:
    return {"system": system, "conversations": [{"from": who, "value": text} for who, text in messages]}


def at_hand(path: Path, layout: str) -> Corpus:
    file = RawFile(path, None, path.name)
    return Corpus("toolace", layout, ".", {"train": (file,)}, {path.name: file})


def read(corpus: Corpus) -> list[Dialogue | Fault]:
    return [
        record
        for shard in cut_shards(corpus, "train")
        for record in toolace.read_dialogues(corpus, "train", shard, licence="Apache-2.0")
    ]


def read_talks(folder: Path, *talks: Any, layout: str = "upstream") -> list[Dialogue | Fault]:
    (folder / "data.json").write_text(json.dumps(talks))
    return read(at_hand(folder / "data.json", layout))


def read_talk(folder: Path, *messages: tuple[str, str], layout: str = "upstream") -> tuple[Turn, ...]:
    (dialogue,) = read_talks(folder, talk(*messages), layout=layout)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue.turns


def fault_of(folder: Path, *messages: tuple[str, str], layout: str = "upstream") -> str:
    (fault,) = read_talks(folder, talk(*messages), layout=layout)
    assert isinstance(fault, Fault), fault
    return fault.reason


# --- as published ---


def test_a_conversation_keeps_its_tools_calls_results_and_replies(tmp_path: Path) -> None:
    thanks = [("user", "Thanks!"), ("assistant", "Any time.")]
    (dialogue,) = read_talks(tmp_path, talk(ASK, CALL, RESULT, SAY, *thanks))
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, dialogue.source, dialogue.licence) == ("data_0", "toolace", "Apache-2.0")
    assert [tool.spec for tool in dialogue.tools] == [FERRY, TIDE]
    call = Call(id="call_0_0", name="Ferry Times (car)", arguments={"pier": "Uig"})
    step = Step(calls=(call,), observations=(["06:45"],))
    assert dialogue.turns == (
        Turn(user="Boats from Uig?", steps=(step,), reply="At 06:45."),
        Turn(user="Thanks!", reply="Any time."),
    )


def test_most_conversations_end_in_calls(tmp_path: Path) -> None:
    calls = '[tides/get-heights(harbour="Uig"), Ferry Times (car)(pier="Uig", day="today")]'
    (turn,) = read_talk(tmp_path, ASK, ("assistant", calls))
    assert turn.reply is None
    (step,) = turn.steps
    assert [call.name for call in step.calls] == ["tides/get-heights", "Ferry Times (car)"]
    assert step.observations == ()


def test_results_pair_with_calls_by_name(tmp_path: Path) -> None:
    calls = '[tides/get-heights(harbour="Uig"), Ferry Times (car)(pier="Uig")]'
    results = '[{"name": "Ferry Times (car)", "results": 1}, {"name": "tides/get-heights", "results": 2}]'
    (turn,) = read_talk(tmp_path, ASK, ("assistant", calls), ("tool", results), SAY)
    assert turn.steps[0].observations == (2, 1)


def test_a_result_that_is_no_list_of_results_is_kept_as_it_is(tmp_path: Path) -> None:
    (turn,) = read_talk(tmp_path, ASK, CALL, ("tool", "no boats today"), SAY)
    assert turn.steps[0].observations == ("no boats today",)


@pytest.mark.parametrize(
    "text",
    [
        "[1] The early boat [2] the late boat",
        "[Note: boats may be late]",
        "[See the timetable](https://ferries.example)",
        "[Ferry Times (car)] is what I would use.",
        "None of the functions (there are two) books a hotel.",
    ],
)
def test_text_that_looks_like_calls_is_a_reply(tmp_path: Path, text: str) -> None:
    assert read_talk(tmp_path, ASK, ("assistant", text)) == (Turn(user="Boats from Uig?", reply=text),)


def test_a_reply_keeps_its_lines(tmp_path: Path) -> None:
    (turn,) = read_talk(tmp_path, ASK, ("assistant", " Two boats:\n\n- 06:45\n- 07:30\n"))
    assert turn.reply == "Two boats:\n\n- 06:45\n- 07:30"


def test_an_empty_message_is_an_empty_reply(tmp_path: Path) -> None:
    """The published file has such messages; a check turns the row away, the rest of the conversation stays."""
    assert [turn.reply for turn in read_talk(tmp_path, ASK, ("assistant", ""), ("user", "?"), SAY)] == ["", "At 06:45."]


def test_brackets_alone_are_the_decision_to_make_no_call(tmp_path: Path) -> None:
    assert read_talk(tmp_path, ASK, ("assistant", "[]")) == (Turn(user="Boats from Uig?", steps=(Step(),)),)


def test_names_and_arguments_may_be_chinese(tmp_path: Path) -> None:
    system = "你可以调用以下函数：\n" + json.dumps([function("查询列车", "城市", 城市="string")], ensure_ascii=False)
    record = talk(("user", "去昆明的火车"), ("assistant", '[查询列车(城市="昆明")]'), system=system)
    (dialogue,) = read_talks(tmp_path, record)
    assert isinstance(dialogue, Dialogue)
    (call,) = dialogue.turns[0].steps[0].calls
    assert (call.name, call.arguments) == ("查询列车", {"城市": "昆明"})


# --- the system text ---


def test_the_tools_are_the_first_list_of_functions_in_the_system_text() -> None:
    assert [tool.name for tool in read_system(SYSTEM)] == ["Ferry Times (car)", "tides/get-heights"]
    assert [tool.name for tool in read_system(f"Write [] or [{{}}]. {json.dumps([TIDE])}")] == ["tides/get-heights"]


@pytest.mark.parametrize("system", ["You are a pilot.", "Functions: []", ""])
def test_a_system_text_may_list_no_functions(tmp_path: Path, system: str) -> None:
    assert read_system(system) == ()
    (dialogue,) = read_talks(tmp_path, talk(ASK, SAY, system=system))
    assert isinstance(dialogue, Dialogue)


# --- bad input ---


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([ASK, ("assistant", "[Ferry Times (car)(pier=)]")], "message 1: calls that cannot be read: expected a value"),
        (
            [ASK, ("assistant", "[Ferry Times (car)(pier=Uig)]")],
            "message 1: calls that cannot be read: expected a value",
        ),
        (
            [ASK, ("assistant", '[Ferry Times (car)(pier="Uig")] I will look.')],
            "message 1: calls that cannot be read: expected the end after ']'",
        ),
        (
            [ASK, ("assistant", 'I will look. [Ferry Times (car)(pier="Uig")]')],
            "message 1: calls that cannot be read: there is text before them",
        ),
        ([ASK, ("assistant", '[Sail(to="Uig")]')], "message 1: a call of 'Sail', which is not among the 2 functions"),
        ([ASK, RESULT, SAY], "message 1: a result, but no call before it"),
        ([ASK, CALL, SAY], "message 2: calls and results do not pair: 1 calls, 0 results"),
        (
            [ASK, CALL, ("tool", '[{"name": "tides/get-heights", "results": 1}]'), SAY],
            "message 3: results of 'tides/get-heights', but calls of 'Ferry Times (car)'",
        ),
        ([ASK, ("pilot", "Aye.")], "message 1: 'pilot' is none of user, assistant, tool"),
        ([SAY], "message 0: the user should speak first, not the assistant"),
        ([ASK], "no message of the assistant"),
        ([], "no message of the assistant"),
    ],
)
def test_an_inconsistent_record_is_a_fault(tmp_path: Path, messages: list[tuple[str, str]], reason: str) -> None:
    assert fault_of(tmp_path, *messages).startswith(reason)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"conversations": []}, "field 'system' is missing; there is 'conversations'"),
        ({"system": SYSTEM}, "field 'conversations' is missing; there is 'system'"),
        ({"system": SYSTEM, "conversations": {}}, "'conversations' should be a list, found {}"),
        ({"system": SYSTEM, "conversations": [{"from": "user"}]}, "field 'value' is missing; there is 'from'"),
        (
            talk(ASK, SAY, system=f"Functions: {json.dumps([TIDE])[:-9]}"),
            "the list of functions in the system text is not",
        ),
        (talk(ASK, SAY, system='Functions: [{"name": ""}]'), "a function of tools has no name"),
        (talk(ASK, CALL, system="Be kind."), "message 1: a call of 'Ferry Times (car)', but no functions are listed"),
        ([], "an object with 'system' was expected, found []"),
    ],
)
def test_an_invalid_record_is_a_fault_and_the_next_is_read(tmp_path: Path, record: Any, reason: str) -> None:
    fault, dialogue = read_talks(tmp_path, record, talk(ASK, SAY))
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("data.json", "data_0")
    assert fault.reason.startswith(reason)
    assert isinstance(dialogue, Dialogue)


def test_a_truncated_file_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps([talk(ASK, SAY)])[:-9])
    (fault,) = read(at_hand(path, "upstream"))
    assert isinstance(fault, Fault)
    assert (fault.record, fault.reason[:24]) == (None, "not JSON, or cut off: un")


# --- sharegpt: names that were cut off ---

HUMAN, SAID = ("human", "Boats from Uig?"), ("gpt", "At 06:45.")


def call_of(name: str, **arguments: Any) -> Call:
    return Call(name=name, arguments=arguments)


def tools_of(*functions: dict[str, Any]) -> tuple[Tool, ...]:
    return read_tools(list(functions))


SEARCH = function("Image Search", "words", words="string")
DATES = function("Date Search", "day", day="string")
BOTH = function("Any Search", words="string", day="string")


def test_the_last_word_settles_a_name_where_only_one_ends_so() -> None:
    assert restore_name(call_of("Search", words="x"), tools_of(SEARCH, TIDE)) == ("Image Search", "word")
    assert restore_name(call_of("heights", harbour="x"), tools_of(SEARCH, TIDE)) == ("tides/get-heights", "word")
    assert restore_name(call_of("Search"), tools_of(function("Search"))) == ("Search", "word")


def test_else_the_names_of_the_arguments_do() -> None:
    assert restore_name(call_of("Search", day="x"), tools_of(SEARCH, DATES)) == ("Date Search", "arguments")


def test_else_the_name_of_the_result() -> None:
    call, tools = call_of("Search", words="x"), tools_of(SEARCH, BOTH)
    assert restore_name(call, tools, "Any Search") == ("Any Search", "result")


def test_else_what_is_required() -> None:
    assert restore_name(call_of("Search"), tools_of(SEARCH, BOTH)) == ("Any Search", "required")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            call_of("Search", words="x"),
            "a call of 'Search', whose name was cut off and may be any of 'Image Search', 'Any Se",
        ),
        (
            call_of("Search", colour="x"),
            "a call of 'Search', and no function of that name or ending takes its arguments",
        ),
        (call_of("Sail"), "a call of 'Sail', and no function of that name or ending takes its arguments"),
    ],
)
def test_where_none_or_several_are_left_the_name_is_not_guessed(call: Call, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        restore_name(call, tools_of(SEARCH, BOTH))
    assert str(caught.value).startswith(reason)


def test_a_cut_name_is_whole_again_in_the_dialogue(tmp_path: Path) -> None:
    call = ("function_call", '{"name": "heights", "arguments": {"harbour": "Uig"}}')
    result = ("observation", '[{"name": "tides/get-heights", "results": {"m": 4.2}}]')
    (turn,) = read_talk(tmp_path, HUMAN, call, result, SAID, layout="sharegpt")
    (step,) = turn.steps
    assert (step.calls[0].name, step.observations, turn.reply) == ("tides/get-heights", ({"m": 4.2},), "At 06:45.")


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([HUMAN, ("function_call", "{")], "message 1: calls: not JSON: "),
        ([HUMAN, ("function_call", '{"arguments": {}}')], "message 1: calls: expected an object with the name"),
        ([HUMAN, ("function_call", "[]"), ("observation", "[]")], "message 2: a result, but no call before it"),
        ([("user", "?")], "message 0: 'user' is none of human, gpt, function_call, observation"),
    ],
)
def test_what_the_conversion_broke_is_a_fault(tmp_path: Path, messages: list[tuple[str, str]], reason: str) -> None:
    assert fault_of(tmp_path, *messages, layout="sharegpt").startswith(reason)


# --- recognised ---


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "a" / "sharegpt_func_fixed.json").write_text(
        json.dumps([{"conversations": talk(HUMAN)["conversations"]}])
    )
    (tmp_path / "b" / "data.json").write_text(json.dumps([talk(ASK, SAY)]))
    (tmp_path / "c" / "data.json").write_text('{"SNG01.json": {}}')
    found = find_corpora(tmp_path, [load_source("toolace")])
    assert [(item.root, item.layout, item.used) for item in found] == [
        ("b", "upstream", True),
        ("c", "upstream", False),
        ("a", "sharegpt", False),
    ]


def test_the_bundled_conversations_are_all_good(bundled: Path) -> None:
    (found,) = (found for found in find_corpora(bundled, [load_source("toolace")]) if found.used)
    assert found.corpus
    records = read(found.corpus)
    assert len(records) == 14
    assert all(isinstance(record, Dialogue) for record in records)


# --- the real conversations ---


@pytest.fixture(scope="module")
def real(corpora: Path) -> Path:
    return corpora / "function_calling" / "toolace"


@pytest.mark.corpora
def test_the_native_sample_is_read(real: Path) -> None:
    records = read(at_hand(real / "native_sample.jsonl", "upstream"))
    dialogues = [record for record in records if isinstance(record, Dialogue)]
    assert [dialogue.id for dialogue in dialogues] == [f"native_sample_{number}" for number in range(3)]
    (call,) = dialogues[2].turns[0].steps[0].calls
    assert call.name == "User Feed (Video Posts) V2"


@pytest.mark.corpora
def test_the_converted_conversations_are_read_but_for_two_that_lost_a_call(real: Path) -> None:
    records = read(at_hand(real / "sharegpt_func_fixed.json", "sharegpt"))
    assert len(records) == 100
    assert [(record.record, record.reason) for record in records if isinstance(record, Fault)] == [
        ("sharegpt_func_fixed_81", "message 9: calls and results do not pair: 1 calls, 2 results"),
        ("sharegpt_func_fixed_85", "message 4: a result, but no call before it"),
    ]
    dialogues = [record for record in records if isinstance(record, Dialogue)]
    assert sum(len(step.calls) for one in dialogues for turn in one.turns for step in turn.steps) == 197


@pytest.mark.corpora
def test_every_cut_name_is_mapped_back_and_by_which_rule(real: Path) -> None:
    rules: Counter[str] = Counter()
    for record in json.loads((real / "sharegpt_func_fixed.json").read_text()):
        tools = read_system(record["system"])
        messages = record["conversations"]
        for message, following in zip(messages, [*messages[1:], {"from": ""}], strict=True):
            if message["from"] == "function_call":
                calls = decode_calls(json.loads(message["value"]))
                results = json.loads(following["value"]) if following["from"] == "observation" else []
                names = [result["name"] for result in results] if len(results) == len(calls) else [""] * len(calls)
                for call, name in zip(calls, names, strict=True):
                    whole, rule = restore_name(call, tools, name)
                    rules["not cut" if whole == call.name else rule] += 1
    assert rules == {"not cut": 38, "word": 138, "arguments": 18, "result": 5, "required": 1}
