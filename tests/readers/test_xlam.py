from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.corpus import Corpus, RawFile, Shard, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source
from coalm_it.readers import xlam
from coalm_it.schema import Call, Dialogue, Fault, Step, Turn

TOOLS = [
    {"name": "get_tide", "description": "Tides.", "parameters": {"harbour": {"type": "str", "description": "Where."}}},
    {"name": "get_joke", "description": "A joke.", "parameters": {}},
]
OBAN = {"name": "get_tide", "arguments": {"harbour": "Oban"}}


def row(**changes: Any) -> dict[str, Any]:
    """A row as upstream writes it; lists become JSON texts."""
    good = {"id": 7, "query": "Tide at Oban?", "answers": [OBAN], "tools": TOOLS} | changes
    texts = {key: json.dumps(good[key]) for key in ("answers", "tools") if not isinstance(good[key], str)}
    return {key: value for key, value in (good | texts).items() if value != "null"}


def make_corpus(folder: Path, *rows: Any, name: str = "xlam_function_calling_60k.json") -> Corpus:
    (folder / name).write_text(json.dumps(rows))
    return at_hand(folder / name)


def at_hand(path: Path) -> Corpus:
    file = RawFile(path, None, path.name)
    return Corpus("xlam", "upstream", ".", {"train": (file,)}, {path.name: file})


def read(corpus: Corpus) -> list[Dialogue | Fault]:
    return [
        record
        for shard in cut_shards(corpus, "train")
        for record in xlam.read_dialogues(corpus, "train", shard, licence="CC-BY-4.0")
    ]


def read_good(corpus: Corpus) -> list[Dialogue]:
    records = read(corpus)
    assert not [record for record in records if isinstance(record, Fault)]
    return [record for record in records if isinstance(record, Dialogue)]


# --- rows ---


def test_a_row_is_a_turn_with_one_step_and_no_reply(tmp_path: Path) -> None:
    (dialogue,) = read_good(make_corpus(tmp_path, row()))
    assert (dialogue.id, dialogue.source, dialogue.split, dialogue.licence) == ("7", "xlam", "train", "CC-BY-4.0")
    assert (dialogue.file, dialogue.record, dialogue.clock) == ("xlam_function_calling_60k.json", 0, None)
    assert [tool.spec for tool in dialogue.tools] == TOOLS
    assert [tool.required for tool in dialogue.tools] == [("harbour",), ()]
    call = Call(id="call_0_0", name="get_tide", arguments={"harbour": "Oban"})
    assert dialogue.turns == (Turn(user="Tide at Oban?", steps=(Step(calls=(call,)),)),)


def test_several_answers_are_parallel_calls(tmp_path: Path) -> None:
    ullapool = {"name": "get_tide", "arguments": {"harbour": "Ullapool"}}
    joke = {"name": "get_joke", "arguments": {}}
    (dialogue,) = read_good(make_corpus(tmp_path, row(answers=[OBAN, ullapool, joke])))
    (step,) = dialogue.turns[0].steps
    assert [(call.id, call.name) for call in step.calls] == [
        ("call_0_0", "get_tide"),
        ("call_0_1", "get_tide"),
        ("call_0_2", "get_joke"),
    ]


def test_no_answer_is_the_decision_to_make_no_call(tmp_path: Path) -> None:
    rows = [row(answers=[]), row(answers=[], tools=[])]
    for dialogue in read_good(make_corpus(tmp_path, *rows)):
        assert dialogue.turns == (Turn(user="Tide at Oban?", steps=(Step(),)),)


def test_lists_are_read_like_their_texts(tmp_path: Path) -> None:
    lists = {"id": 7, "query": "Tide at Oban?", "answers": [OBAN], "tools": TOOLS}
    text, plain = read_good(make_corpus(tmp_path, row(), lists))
    assert text.turns == plain.turns
    assert text.tools == plain.tools


def test_seal_tools_answers_with_tool_and_parameters(tmp_path: Path) -> None:
    answers = [{"tool": "get_tide", "parameters": {"harbour": "Oban"}}]
    text, sealed = read_good(make_corpus(tmp_path, row(), row(answers=answers)))
    assert text.turns == sealed.turns


def test_a_row_without_an_id_is_named_by_file_and_number(tmp_path: Path) -> None:
    good = row()
    del good["id"]
    (dialogue,) = read_good(make_corpus(tmp_path, good, name="xlam-7.5k-irrelevancek.json"))
    assert dialogue.id == "xlam-7.5k-irrelevancek_0"


def test_a_query_keeps_its_lines(tmp_path: Path) -> None:
    (dialogue,) = read_good(make_corpus(tmp_path, row(query=" Two things:\n1. tide at Oban\n2. a joke ")))
    assert dialogue.turns[0].user == "Two things:\n1. tide at Oban\n2. a joke"


def test_a_query_of_messages_becomes_history_and_the_answers_the_last_step(tmp_path: Path) -> None:
    query = [
        {"role": "user", "content": "Tide, please."},
        {"role": "agent", "content": "Where?"},
        {"role": "user", "content": "Tobermory."},
        {"role": "agent", "content": "One moment."},
        {"role": "assistant", "content": '```[{"name": "get_tide", "arguments": {"harbour": "Tobermory"}}]```'},
        {"role": "tool", "content": "{'high': '06:10'}"},
        {"role": "agent", "content": "High water is at 06:10."},
        {"role": "user", "content": "And Oban?\nGenerate API Request:"},
    ]
    (dialogue,) = read_good(make_corpus(tmp_path, row(query=query)))
    asked, answered, last = dialogue.turns
    assert asked == Turn(user="Tide, please.", reply="Where?")
    (step,) = answered.steps
    assert (step.thought, step.observations, answered.reply) == (
        "One moment.",
        ({"high": "06:10"},),
        "High water is at 06:10.",
    )
    assert last.user == "And Oban?"
    assert last.steps[0].calls[0].arguments == {"harbour": "Oban"}


def test_what_the_agent_says_before_the_answers_stands_beside_them(tmp_path: Path) -> None:
    spoken, silent = (
        [{"role": "user", "content": "Tide?"}, {"role": "agent", "content": f"{text}\nGenerate API Request:"}]
        for text in ("Let me see.", "")
    )
    first, second = read_good(make_corpus(tmp_path, row(query=spoken), row(query=silent)))
    assert [dialogue.turns[0].steps[0].thought for dialogue in (first, second)] == ["Let me see.", None]


def test_long_numbers_stay_exact(tmp_path: Path) -> None:
    answers = [{"name": "get_tide", "arguments": {"harbour": 123456789012345678901}}]
    (dialogue,) = read_good(make_corpus(tmp_path, row(answers=answers)))
    assert dialogue.turns[0].steps[0].calls[0].arguments == {"harbour": 123456789012345678901}


# --- bad input ---


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"query": None}, "'query' should be a string or a list, found None"),
        ({"query": "  "}, "the query is empty"),
        ({"tools": "[{'name'}]"}, "tools: not JSON: Expecting property name"),
        ({"tools": [{"name": "get_tide", "parameters": 3}]}, "the parameters of 'get_tide' should be an object"),
        ({"tools": "null"}, "field 'tools' is missing; there is 'id', 'query', 'answers'"),
        ({"answers": "[{"}, "answers: no JSON: "),
        ({"answers": [{"arguments": {}}]}, "answers: expected an object with the name of a function"),
        ({"answers": [OBAN | {"arguments": ["Oban"]}]}, "answers: expected an object of arguments for 'get_tide'"),
        ({"answers": [OBAN | {"name": "sail"}]}, "message 1: a call of 'sail', which is not among the 2 functions"),
        ({"query": [{"role": "bot", "content": "?"}]}, "message 0: role 'bot' is none of user, agent, assistant"),
        ({"query": [{"role": "agent", "content": "?"}]}, "message 0: the user should speak first"),
    ],
)
def test_an_invalid_row_is_a_fault_and_the_next_is_read(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    fault, dialogue = read(make_corpus(tmp_path, row(**changes), row(id=8)))
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("xlam_function_calling_60k.json", "7")
    assert fault.reason.startswith(reason)
    assert isinstance(dialogue, Dialogue)
    assert dialogue.id == "8"


def test_what_is_no_row_at_all_is_named_by_its_number(tmp_path: Path) -> None:
    (fault,) = read(make_corpus(tmp_path, "hello"))
    assert isinstance(fault, Fault)
    assert fault.record == "xlam_function_calling_60k_0"
    assert fault.reason == "an object with 'query' was expected, found 'hello'"


def test_a_truncated_file_is_one_fault(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, row(), row())
    (file,) = corpus.splits["train"]
    file.path.write_bytes(file.path.read_bytes()[:-20])
    faults = [
        fault
        for shard in (Shard(file, 0, 2), Shard(file, 1, 2))
        for fault in xlam.read_dialogues(corpus, "train", shard, licence="CC-BY-4.0")
    ]
    (fault,) = faults
    assert isinstance(fault, Fault)
    assert fault.record is None
    assert fault.reason.startswith("not JSON, or cut off")


# --- recognised by name, and only by that ---


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("xlam", "xlam_function_calling_60k.json"),
        ("xlam_irrelevance", "xlam-7.5k-irrelevancek.json"),
        ("xlam_irrelevance", "XLAM-7.5k-Irrelevance.json"),
    ],
)
def test_the_publishers_names_are_recognised(tmp_path: Path, source: str, name: str) -> None:
    make_corpus(tmp_path, row(), name=name)
    found = find_corpora(tmp_path, [load_source("xlam"), load_source("xlam_irrelevance")])
    assert [item.source for item in found if item.used] == [source]


def test_another_file_of_that_name_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "xlam_function_calling_60k.json").write_text('{"rows": []}')
    (found,) = find_corpora(tmp_path, [load_source("xlam")])
    assert not found.used


def test_the_bundled_rows_are_all_good(bundled: Path) -> None:
    for source, expected in (("xlam", 48), ("xlam_irrelevance", 20)):
        (found,) = find_corpora(bundled, [load_source(source)])
        assert found.corpus
        dialogues = read_good(found.corpus)
        assert len(dialogues) == expected
        assert all(len(dialogue.turns[0].steps) == 1 for dialogue in dialogues)
    assert not any(dialogue.turns[0].steps[0].calls for dialogue in dialogues)


# --- the real rows ---


@pytest.mark.corpora
def test_public_test_sets_are_not_taken_for_training_data(corpora: Path) -> None:
    assert find_corpora(corpora, [load_source("xlam"), load_source("xlam_irrelevance")]) == []


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("name", "rows", "faults"), [("apibank_l1", 399, 0), ("sealtool", 294, 0), ("toolalpaca", 114, 6)]
)
def test_every_real_row_is_a_dialogue_or_a_true_fault(corpora: Path, name: str, rows: int, faults: int) -> None:
    records = read(at_hand(corpora / "function_calling" / "xlam_format" / f"{name}.json"))
    reasons = [record.reason for record in records if isinstance(record, Fault)]
    assert (len(records), len(reasons)) == (rows, faults)
    # ToolAlpaca calls what its list of functions does not hold: weather_metar_get and others of VATSIM.
    assert all("which is not among the 6 functions" in reason for reason in reasons)
    good = [record for record in records if isinstance(record, Dialogue)]
    assert all(record.turns[-1].steps[-1].calls for record in good)
    assert not any("Generate API Request" in turn.user for record in good for turn in record.turns)


@pytest.mark.corpora
def test_real_calls_leave_out_next_to_nothing_that_is_required(corpora: Path) -> None:
    """How many required parameters the answers leave out: none where the corpus marks them, 27 where it does not."""
    left_out = {}
    for name in ("apibank_l1", "sealtool", "toolalpaca"):
        records = read(at_hand(corpora / "function_calling" / "xlam_format" / f"{name}.json"))
        left_out[name] = sum(
            parameter not in call.arguments
            for record in records
            if isinstance(record, Dialogue)
            for call in record.turns[-1].steps[-1].calls
            for tool in record.tools
            if tool.name == call.name
            for parameter in tool.required
        )
    assert left_out == {"apibank_l1": 27, "sealtool": 0, "toolalpaca": 0}
