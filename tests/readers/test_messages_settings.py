"""The settings of `columns` one by one: what they do at their edges, and the line for a setting that makes no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from coalm_it.corpora.sources import SourceError, load_source
from coalm_it.errors import RequestError
from coalm_it.pipeline.build import build
from coalm_it.readers import read_dialogues
from coalm_it.recipe import Recipe
from coalm_it.schema import Dialogue, Fault, LeftOut

ASK = {"role": "user", "content": "Tide?"}
SAY = {"role": "assistant", "content": "At six."}
SCHEMA = {"type": "object", "properties": {"to": {"type": "string"}}}
TOOLS = [{"name": name, "parameters": SCHEMA} for name in ("tide", "say", "think")]


def call(name: str, id: str = "", **arguments: Any) -> dict[str, Any]:
    return {"id": id, "function": {"name": name, "arguments": arguments}}


def make(*calls: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def result(value: str, id: str = "") -> dict[str, Any]:
    return {"role": "tool", "content": value, "tool_call_id": id}


def write(folder: Path, files: dict[str, list[Any]], columns: dict[str, Any], **more: Any) -> Path:
    for name, records in files.items():
        (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))
    source = {
        "name": "own",
        "title": "Own talks",
        "reader": "messages",
        "licence": "CC0-1.0",
        "homepage": "https://example.org/own",
        "citation": "none",
        "layouts": [{"name": "files", "splits": {"train": "own*.jsonl"}}],
        "columns": columns,
        **more,
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(source))
    return folder / "own.yaml"


def read(folder: Path, *records: Any, **columns: Any) -> list[Dialogue | Fault]:
    return list(read_dialogues(str(write(folder, {"own.jsonl": list(records)}, columns)), folder))


def read_one(folder: Path, *messages: dict[str, Any], **columns: Any) -> Dialogue:
    (dialogue,) = read(folder, {"messages": messages, "tools": TOOLS}, **columns)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


def read_fault(folder: Path, *messages: dict[str, Any], **columns: Any) -> str:
    (fault,) = read(folder, {"messages": messages, "tools": TOOLS}, **columns)
    assert isinstance(fault, Fault), fault
    return fault.reason


# --- which records ---


@pytest.mark.parametrize(
    ("value", "wanted", "is_kept"),
    [
        (1, 1.0, True),
        (True, True, True),
        (0.5, [0.5, 1], True),
        ("won", "won", True),
        ("won by a mile", "won", False),
        ("won by a mile", "won*", True),
        ("over\nwon", "*won", True),
        ("a.b", "a*b", True),
        ("a[1]", "a[1]", True),
        (None, None, True),
        ([], "*", False),
        (["late"], "*", True),
        ({"deep": [{"flag": "x"}]}, "x", True),
        ("1", 1, False),
    ],
)
def test_records_are_kept_by_a_value(tmp_path: Path, value: Any, wanted: Any, is_kept: bool) -> None:
    record = {"messages": [ASK, SAY], "info": json.dumps({"mark": value})}
    (kept,) = read(tmp_path, record, keep={"info.mark": wanted})
    assert isinstance(kept, LeftOut) is not is_kept
    (dropped,) = read(tmp_path, record, drop={"info.mark": wanted})
    assert isinstance(dropped, LeftOut) is is_kept


def test_all_places_of_keep_count_and_any_of_drop(tmp_path: Path) -> None:
    records = [{"messages": [ASK, SAY], "a": a, "b": b} for a in (0, 1) for b in (0, 1)]
    kept = [isinstance(one, Dialogue) for one in read(tmp_path, *records, keep={"a": 1, "b": 1})]
    assert kept == [False, False, False, True]
    kept = [isinstance(one, Dialogue) for one in read(tmp_path, *records, drop={"a": 1, "b": 1})]
    assert kept == [True, False, False, False]


def test_a_place_of_keep_that_is_absent_is_a_fault_unless_it_may_be_null(tmp_path: Path) -> None:
    record = {"messages": [ASK, SAY]}
    (fault,) = read(tmp_path, record, keep={"rewrad": 1})
    assert (type(fault), getattr(fault, "reason", "")) == (Fault, "keep: there is nothing at 'rewrad'")
    (dialogue,) = read(tmp_path, record, keep={"error": [None, "none"]}, drop={"rewrad": 1})
    assert isinstance(dialogue, Dialogue)


def test_of_records_that_begin_alike_the_longest_kept_one_is_read(tmp_path: Path) -> None:
    talk = [ASK, SAY, ASK, SAY]
    records = [{"messages": talk[:2], "ok": 1}, {"messages": talk, "ok": 1}, {"messages": [*talk, ASK, SAY], "ok": 0}]
    settings: dict[str, Any] = {"prefixes": "drop", "keep": {"ok": 1}}
    kept = [isinstance(one, Dialogue) for one in read(tmp_path, *records, **settings)]
    assert kept == [False, True, False]


def test_records_left_out_are_counted_as_filtered_and_their_targets_are_no_rows(tmp_path: Path) -> None:
    records = [{"messages": [ASK, SAY], "reward": reward} for reward in (1, 0, 0)] + [{"messages": []}]
    source = write(tmp_path, {"own.jsonl": records}, {"keep": {"reward": 1}})
    parts = {"own": {"source": str(source), "task": "function_call"}}
    recipe = Recipe.model_validate({"name": "kept", "parts": parts})
    build(recipe, data=tmp_path, out=tmp_path / "out")
    counts = json.loads((tmp_path / "out" / "manifest.json").read_text())["parts"]["own"]
    assert [counts[key] for key in ("dialogues", "filtered", "faults", "rows")] == [3, 2, 1, 1]
    write(tmp_path, {"own.jsonl": records[:3]}, {"keep": {"reward": 2}})
    with pytest.raises(RequestError, match="filter, keep, drop or prefixes leave out 3 of their 3 dialogues"):
        build(recipe, data=tmp_path, out=tmp_path / "none")


def test_a_recipe_refuses_a_benchmark_which_can_still_be_read(tmp_path: Path) -> None:
    source = write(tmp_path, {"own.jsonl": [{"messages": [ASK, SAY]}]}, {}, evaluation=True)
    (dialogue,) = read_dialogues(str(source), tmp_path)
    assert isinstance(dialogue, Dialogue)
    recipe = Recipe.model_validate({"name": "r", "parts": {"a": {"source": str(source), "task": "function_call"}}})
    message = r"part a: own is a benchmark \(evaluation: true in its YAML\), which must not be trained on"
    with pytest.raises(SourceError, match=message):
        build(recipe, data=tmp_path, out=tmp_path / "out")


def test_ids_are_told_apart_across_files_whose_records_are_under_a_key(tmp_path: Path) -> None:
    content = [{"data": [{"id": "a", "messages": [ASK, SAY]}]}]
    source = write(tmp_path, {"own_1.jsonl": content, "own_2.jsonl": content}, {"records": "data", "id": "id"})
    ids = [one.id for one in read_dialogues(str(source), tmp_path) if isinstance(one, Dialogue)]
    assert ids == ["a", "a~2"]


# --- which messages ---


def test_messages_are_skipped_by_a_value(tmp_path: Path) -> None:
    aside = {"role": "narrator", "content": "Rain.", "meta": {"kind": "aside"}}
    dialogue = read_one(tmp_path, ASK, aside, SAY, skip={"meta.kind": "aside"})
    assert [(turn.user, turn.reply) for turn in dialogue.turns] == [("Tide?", "At six.")]


def test_texts_are_cut_out_of_texts_and_of_parts(tmp_path: Path) -> None:
    parts: list[Any] = [{"type": "text", "text": "<<go>>Tide?"}, {"type": "text", "text": "<<go>>"}]
    mark = {"role": "user", "content": "<<stop>>"}
    messages: list[dict[str, Any]] = [{"role": "user", "content": parts}, {**SAY, "content": "At six.<<stop>>"}, mark]
    dialogue = read_one(tmp_path, *messages, cut=["<<go>>", "<<stop>>"])
    assert [(turn.user, turn.reply) for turn in dialogue.turns] == [("Tide?", "At six.")]


def test_a_message_of_calls_stays_where_its_whole_text_is_cut(tmp_path: Path) -> None:
    dialogue = read_one(tmp_path, ASK, make(call("tide"), text="<<go>>"), result("six"), SAY, cut=["<<go>>"])
    assert (dialogue.turns[0].steps[0].thought, dialogue.turns[0].steps[0].observations) == (None, ("six",))


def test_a_transcript_that_begins_with_nobody_is_a_fault(tmp_path: Path) -> None:
    record = {"talk": "Hm.\nU: Tide?\nA: Six."}
    (fault,) = read(tmp_path, record, messages="talk", speakers={"U:": "user", "A:": "assistant"})
    assert isinstance(fault, Fault)
    assert fault.reason == "the transcript begins with 'Hm.', which is none of the speakers"


def test_the_longest_speaker_is_taken_and_one_may_be_skipped(tmp_path: Path) -> None:
    speakers = {"A": "assistant", "A (aside)": "skip", "U": "user"}
    (dialogue,) = read(tmp_path, {"talk": "U: Tide?\nA (aside): Hm.\n A Six."}, messages="talk", speakers=speakers)
    assert isinstance(dialogue, Dialogue), dialogue
    assert [(turn.user, turn.reply) for turn in dialogue.turns] == [(": Tide?", "Six.")]


@pytest.mark.parametrize("text", ["What does </div> mean?", "Is <thinking> a word?", "I think </i>so"])
def test_a_user_may_write_tags(tmp_path: Path, text: str) -> None:
    assert read_one(tmp_path, {"role": "user", "content": text}, SAY).turns[0].user == text


# --- speech and thought as functions ---

SPEECH: dict[str, Any] = {"replies": {"say": "to"}, "thoughts": {"think": "to"}}


def test_a_thought_belongs_to_what_follows(tmp_path: Path) -> None:
    moves = [make(call("think", to="Sea."), text="Hm."), result(""), make(call("tide")), result("six")]
    moves += [make(call("think", to="So.")), result(""), {**SAY, "content": "I say."}]
    moves += [make(call("say", to="At six.")), result("said")]
    dialogue = read_one(tmp_path, ASK, *moves, **SPEECH)
    (turn,) = dialogue.turns
    assert [(step.thought, step.observations) for step in turn.steps] == [("Sea.\nHm.", ("six",))]
    assert (turn.thought, turn.reply) == ("So.\nI say.", "At six.")
    assert [tool.name for tool in dialogue.tools] == ["tide"]


def test_speech_beside_other_calls_is_told_apart_by_ids(tmp_path: Path) -> None:
    both = make(call("think", "c1", to="Sea."), call("tide", "c2"))
    dialogue = read_one(tmp_path, ASK, both, result("six", "c2"), result("", "c1"), SAY, **SPEECH)
    (step,) = dialogue.turns[0].steps
    assert (step.thought, [one.name for one in step.calls], step.observations) == ("Sea.", ["tide"], ("six",))
    reason = read_fault(
        tmp_path, ASK, make(call("think", to="Sea."), call("tide")), result(""), result("six"), **SPEECH
    )
    assert reason == "a result that may be of 'think' or of another call: ''"


def test_speech_without_its_text_is_a_fault(tmp_path: Path) -> None:
    reason = read_fault(tmp_path, ASK, make(call("say", text="At six.")), **SPEECH)
    assert reason == "a call of 'say' should have a text as 'to', found {'text': 'At six.'}"


# --- calls with results inside, and without any ---


def test_results_inside_calls_come_before_the_text(tmp_path: Path) -> None:
    calls = [{"name": "tide", "with": {"to": to}, "output": output} for to, output in (("a", {"n": 1}), ("b", None))]
    message = {"role": "assistant", "content": "Done.", "reasoning_content": "Both.", "tool_calls": calls}
    keys = {"with": "arguments", "output": "result"}
    (turn,) = read_one(tmp_path, ASK, message, keys=keys).turns
    assert [(step.thought, *step.observations) for step in turn.steps] == [("Both.", {"n": 1}), (None, "")]
    assert turn.reply == "Done."


def test_calls_within_a_conversation_may_be_dropped_and_the_last_stay(tmp_path: Path) -> None:
    talk = [ASK, make(call("tide", to="a"), text="Wait."), ASK, make(call("tide", to="b")), result("six"), SAY, ASK]
    dialogue = read_one(tmp_path, *talk, make(call("tide", to="c")), unanswered="drop")
    steps = [[(step.calls[0].arguments["to"], *step.observations) for step in turn.steps] for turn in dialogue.turns]
    assert steps == [[], [("b", "six")], [("c",)]]
    assert dialogue.turns[0].reply == "Wait."
    assert dialogue.context_only == ((0, None),)
    assert "calls and results do not pair" in read_fault(tmp_path, *talk)


# --- settings that make no sense ---


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"kep": {"a": 1}}, "unknown key 'columns.kep'; did you mean 'keep'?"),
        (
            {"keep": {"a": []}},
            "columns.keep: 'a' should have a text, a number, true, false or null, or several in a list",
        ),
        ({"skip": {"a": {"b": 1}}}, "columns.skip: 'a' should have a text, a number, true, false or null, or several"),
        ({"drop": "a"}, "columns.drop: should be a mapping of keys to values (found 'a')"),
        ({"cut": "Begin!"}, "columns.cut: should be a list (found 'Begin!')"),
        ({"cut": [""]}, "columns: a text of speakers or cut is empty"),
        ({"speakers": {"U:": "user"}}, "columns: speakers needs messages"),
        ({"speakers": {"U:": "usr"}, "messages": "talk"}, "should be 'system', 'user', 'assistant', 'call', 'tool' or"),
        (
            {"speakers": {"U:": "user"}, "messages": ["a", "b"]},
            "columns: with speakers, messages is one place: that of the transcript",
        ),
        ({"answer_file": "gold.json", "answer": "gold"}, "columns: answer_file needs id"),
        ({"answer_arguments": "gold"}, "columns: answer_arguments needs answer"),
        ({"tools_used": "apis"}, "columns: tools_used needs tools_file"),
        ({"query": "q", "messages": "m"}, "columns: query and messages exclude each other"),
        ({"unanswered": "split"}, "columns.unanswered: should be 'fault' or 'drop' (found 'split')"),
        ({"replies": ["Finish"]}, "columns.replies: should be a mapping of keys to values (found ['Finish'])"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_line(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as caught:
        load_source(write(tmp_path, {}, columns))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("gold", "reason"),
    [
        ([{"id": 1, "gold": "x"}, {"id": 1, "gold": "y"}], "2 answers with the id '1' in gold_own.jsonl"),
        ([{"id": 2, "gold": "x"}], "no answers with the id '1' in gold_own.jsonl"),
        ([{"id": 1, "gold": None}], "answer: gold is null; [] would be the decision to call nothing"),
        ([{"id": 1}], "field 'gold' is missing; there is 'id'"),
        (None, "there is no file gold_own.jsonl; the layout should list it under also"),
    ],
)
def test_an_answer_in_another_file_is_the_one_of_the_same_id(
    tmp_path: Path, gold: list[Any] | None, reason: str
) -> None:
    files = {"own.jsonl": [{"id": 1, "messages": [ASK]}], **({"gold_own.jsonl": gold} if gold else {})}
    columns = {"answer": "gold", "answer_file": "gold_{file}", "id": "id"}
    layouts = [{"name": "files", "splits": {"train": "own*.jsonl"}, "also": ["gold_*"]}]
    (fault,) = read_dialogues(str(write(tmp_path, files, columns, layouts=layouts)), tmp_path)
    assert isinstance(fault, Fault)
    assert fault.reason == reason
