"""The layout `varied`: what is drawn for a row, what its three columns hold, and that its target can be read back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
import yaml
from decoded import decode_messages

from coalm_it.assets import asset
from coalm_it.calls import Syntax, parse_calls
from coalm_it.pipeline.build import build
from coalm_it.rendering import Renderer
from coalm_it.rendering.columns import read_state
from coalm_it.rendering.varied import Form, Kind, draw_form, find_kind, list_syntaxes
from coalm_it.schema import Call, Inventory, Sample, Step, Tool, Turn
from coalm_it.templates import list_macros


@pytest.fixture(scope="module")
def plus(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The rows of recipe coalm_it_plus from the bundled corpora: the three columns, and those of `samples`."""
    out = build("coalm_it_plus", out=tmp_path_factory.mktemp("plus") / "out").out
    return [
        {**typed, **plain} for plain, typed in zip(read_all(out, "coalm_it"), read_all(out, "samples"), strict=True)
    ]


def read_all(out: Path, config: str) -> list[dict[str, Any]]:
    return [row for path in sorted((out / "data" / config).iterdir()) for row in pq.read_table(path).to_pylist()]


def kind_of(row: dict[str, Any]) -> Kind:
    if row["task"] == "state_tracking":
        return "utterance_state" if row["source"] == "snips" else "dialogue_state"
    return "agent"


def form_of(row: dict[str, Any]) -> Form:
    _, tools = decode_messages(row)
    shown = [Tool(name=tool["function"]["name"], parameters=tool["function"]["parameters"]) for tool in tools]
    return draw_form(row["id"], kind_of(row), list_syntaxes(shown))


def split_thought(row: dict[str, Any]) -> tuple[str | None, str]:
    """The thought that an output begins with, and what comes after it."""
    if row["task"] not in ("react_action", "react_response"):
        return None, row["output"]
    first, _, rest = row["output"].partition("\n")
    return first.removeprefix("Thought: "), rest


# --- what is drawn ---


def test_every_output_is_read_back_as_its_target(plus: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for row in plus:
        messages, _ = decode_messages(row)
        thought, target = split_thought(row)
        assert thought is None or thought == row["thought"] == messages[-1]["reasoning_content"]
        if "tool_calls" in messages[-1]:
            said = [call["function"] for call in messages[-1]["tool_calls"]]
            form = form_of(row)
            seen[form.syntax] += 1
            read = parse_calls(target, form.syntax)
            assert [{"name": call.name, "arguments": call.arguments} for call in read] == said, row["id"]
        else:
            assert target == messages[-1]["content"], row["id"]
    assert set(seen) == set(get_args(Syntax))


def test_the_instruction_shows_the_format_that_is_wanted_and_no_other(plus: list[dict[str, Any]]) -> None:
    formats = yaml.safe_load(asset("templates", "rows", "varied", "formats.yaml").read_text("utf-8"))
    for row in plus:
        if kind_of(row) == "agent":
            shown = [syntax for syntax, told in formats.items() if told["example"] in row["instruction"]]
            assert [name.removesuffix("_quoted") for name in shown] == [form_of(row).syntax], row["id"]


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_dozen_wordings_occur_evenly(plus: list[dict[str, Any]], kind: Kind) -> None:
    forms = [form_of(row) for row in plus if kind_of(row) == kind]
    wordings = Counter(form.wording for form in forms)
    assert len(wordings) >= 12
    assert max(wordings.values()) <= 2 * len(forms) / len(list_macros(f"rows/varied/{kind}"))


@pytest.mark.parametrize("calls", [True, False], ids=["calls", "replies"])
def test_calls_and_replies_are_asked_for_in_the_same_dozen_wordings(plus: list[dict[str, Any]], calls: bool) -> None:
    forms = [
        form_of(row)
        for row in plus
        if kind_of(row) == "agent" and ("tool_calls" in decode_messages(row)[0][-1]) is calls
    ]
    for drawn in ("wording", "syntax", "tools"):
        count = Counter(getattr(form, drawn) for form in forms)
        assert max(count.values()) <= 2 * len(forms) / len(count)
    assert {form.wording for form in forms} == set(list_macros("rows/varied/agent"))
    assert {form.syntax for form in forms} == set(get_args(Syntax))


def test_names_that_bracket_cannot_write_are_written_in_another_syntax() -> None:
    plain = Tool(name="find_ferry", parameters={"properties": {"pier": {}}})
    odd = Tool(name="find_ferry", parameters={"properties": {"pier[]": {}}})
    assert list_syntaxes([plain]) == get_args(Syntax)
    others: tuple[Syntax, ...] = ("python", "json", "openai")
    assert list_syntaxes([plain, odd]) == others
    assert {draw_form(f"s/train/{n}/0/function_call", "agent", others).syntax for n in range(30)} == set(others)


@pytest.mark.parametrize(
    ("name", "parameter", "call"),
    [
        ("find_ferry", "pier", "find_ferry(pier='Oban')"),
        ("Find Ferry", "pier", "functions['Find Ferry'](pier='Oban')"),
        ("find_ferry", "from", "find_ferry(**{'from': 'Oban'})"),
    ],
)
def test_the_format_says_how_odd_names_are_written(name: str, parameter: str, call: str) -> None:
    tool = Tool(name=name, parameters={"properties": {parameter: {"type": "string"}}, "required": [parameter]})
    step = Step(calls=(Call(id="call_0_0", name=name, arguments={parameter: "Oban"}),))
    turns = (Turn(user="A ferry from Oban?", steps=(step,)),)
    made = make_sample(0, "function_call", 0, id=find_id(syntax="python"), tools=(tool,), turns=turns)
    row = Renderer(Inventory()).render_row(made)
    assert row.output == call
    assert ("functions['Function name'](argument1='value1'" in row.instruction) is (call != "find_ferry(pier='Oban')")
    reply = Renderer(Inventory()).render_row(
        made.model_copy(update={"step": None, "turns": (Turn(user="A ferry from Oban?", reply="No."),)})
    )
    assert reply.instruction == row.instruction, "the format does not tell whether a call is due"


# --- the columns of a small dialogue ---

FERRY = Tool(
    name="find_ferry",
    service="ferries",
    description="Ferries from a pier.",
    parameters={
        "type": "object",
        "properties": {
            "pier": {"type": "string", "description": "Where it leaves."},
            "car": {"type": "boolean", "default": False},
            "day": {"type": "string", "enum": ["today", "tomorrow"]},
        },
        "required": ["pier"],
    },
)
SEARCH = Step(
    thought="They name the pier.",
    calls=(Call(id="call_0_0", name="find_ferry", service="ferries", arguments={"pier": "Oban"}),),
    observations=({"matches": 1, "results": [{"leaves": "07:30"}]},),
)
TURNS = (
    Turn(
        user="A ferry from Oban?",
        steps=(SEARCH,),
        thought="One came back.",
        reply="At 07:30.",
        state={"ferries": {"pier": ("Oban",)}, "hotels": {}},
    ),
    Turn(
        user="With the car, I mean.",
        thought="No new search.",
        reply="That is fine.",
        state={"ferries": {"car": ("True",), "pier": ("Oban", "Oban town")}},
    ),
)


def make_sample(turn: int, task: Any = "react_response", step: int | None = None, **changes: Any) -> Sample:
    about = {"part": "p", "source": "s", "split": "train", "dialogue_id": "d", "licence": "CC0-1.0", "layout": "varied"}
    fields = {"id": f"s/train/d/{turn}/{task}", "tools": (FERRY,), "turns": TURNS[: turn + 1], **about, **changes}
    return Sample(task=task, turn=turn, step=step, **fields)


def find_id(**wanted: Any) -> str:
    """An id for which this form is drawn."""
    names = (f"s/train/d{number}/0/react_response" for number in range(10_000))
    return next(name for name in names if wanted.items() <= draw_form(name, "agent")._asdict().items())


def test_only_the_output_has_a_thought_and_begins_with_it() -> None:
    row = Renderer(Inventory()).render_row(make_sample(1))
    assert "They name" not in row.instruction + row.input
    assert "One came back" not in row.instruction + row.input
    assert row.output == "Thought: No new search.\nThat is fine."
    assert row.input == "User: With the car, I mean."
    action = Renderer(Inventory()).render_row(make_sample(0, "react_action", 0))
    assert action.output.startswith("Thought: They name the pier.\n")
    assert action.input == "User: A ferry from Oban?"


def test_a_thought_of_several_paragraphs_is_one_line_of_the_output() -> None:
    *before, last = TURNS[:2]
    turns = (*before, last.model_copy(update={"thought": "No new search. \n\nOr is it?\n  No."}))
    row = Renderer(Inventory()).render_row(make_sample(1, turns=turns))
    assert row.output == "Thought: No new search. Or is it? No.\nThat is fine."
    assert json.loads(row.completion[0])["reasoning_content"] == "No new search. \n\nOr is it?\n  No."


def test_function_calling_rows_ask_for_no_thought() -> None:
    for step in (0, None):
        row = Renderer(Inventory()).render_row(make_sample(0, "function_call", step))
        assert "thought" not in (row.instruction + row.output).lower()


@pytest.mark.parametrize(
    ("syntax", "call", "result"),
    [
        ("python", "find_ferry(pier='Oban')", "{'matches': 1, 'results': [{'leaves': '07:30'}]}"),
        ("bracket", '[find_ferry(pier="Oban")]', '{"matches": 1, "results": [{"leaves": "07:30"}]}'),
        (
            "json",
            '[{"name": "find_ferry", "arguments": {"pier": "Oban"}}]',
            '{"matches": 1, "results": [{"leaves": "07:30"}]}',
        ),
        (
            "openai",
            '{"tool_calls": [{"type": "function", "function": {"name": "find_ferry", "arguments": {"pier": "Oban"}}}]}',
            '{"matches": 1, "results": [{"leaves": "07:30"}]}',
        ),
    ],
)
def test_history_and_results_have_the_format_of_the_target(syntax: Syntax, call: str, result: str) -> None:
    name = find_id(syntax=syntax)
    lines = f"User: A ferry from Oban?\nAssistant: {call}\nObservation: {result}"
    assert Renderer(Inventory()).render_row(make_sample(0, id=name)).input == lines
    assert (
        f"{lines}\nAssistant: At 07:30.\n"
        in Renderer(Inventory()).render_row(make_sample(1, id=name)).instruction + "\n"
    )


def test_tools_are_shown_as_signatures_or_as_schema() -> None:
    shown = {
        style: Renderer(Inventory()).render_row(make_sample(0, id=find_id(tools=style))).instruction
        for style in ("signatures", "schema", "openai")
    }
    signature = 'find_ferry(pier: string, car: boolean = false, day?: "today" | "tomorrow")\n    Ferries from a pier.\n'
    assert f"{signature}    - pier: Where it leaves." in shown["signatures"]
    assert '[{"name": "find_ferry", "description": "Ferries from a pier.", "parameters": {' in shown["schema"]
    assert '[{"type": "function", "function": {"name": "find_ferry", ' in shown["openai"]


def test_functions_that_share_a_name_are_told_apart() -> None:
    other = FERRY.model_copy(update={"service": "night_boats"})
    row = Renderer(Inventory()).render_row(make_sample(0, "react_action", 0, tools=(FERRY, other)))
    assert "ferries_find_ferry" in row.output
    assert "night_boats_find_ferry" in row.instruction


def test_a_row_does_not_depend_on_earlier_rows() -> None:
    samples = [make_sample(0, "react_action", 0), make_sample(0), make_sample(1), make_sample(1, "state_tracking")]
    renderer = Renderer(Inventory())
    assert [renderer.render_row(s) for s in samples] == [Renderer(Inventory()).render_row(s) for s in samples]


# --- states of dialogues ---


def test_a_state_is_tracked_over_the_dialogue_without_thoughts_and_calls() -> None:
    sample = make_sample(1, "state_tracking")
    assert find_kind(sample) == "dialogue_state"
    row = Renderer(Inventory()).render_row(sample)
    assert row.input == "User: A ferry from Oban?\nSystem: At 07:30.\nUser: With the car, I mean."
    assert json.loads(row.output) == {"ferries": {"car": "True", "pier": "Oban"}}
    messages, tools = decode_messages(row._asdict())
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[-1] == {"role": "assistant", "content": row.output}
    assert tools == []
    assert "ferries: pier, car (True or False), day (today, tomorrow)" in messages[0]["content"]


def test_a_value_keeps_its_first_surface_while_it_is_annotated() -> None:
    def turn(*surfaces: str) -> Turn:
        return Turn(user="u", state={"ferries": {"pier": surfaces}})

    pier = [turn("Oban"), turn("OB", "Oban"), turn("OB", "Oban town"), turn()]
    states = [read_state(tuple(pier[: number + 1])) for number in range(4)]
    assert states == [{"ferries": {"pier": "Oban"}}, {"ferries": {"pier": "Oban"}}, {"ferries": {"pier": "OB"}}, {}]


# --- unanswerable requests ---


def test_shares_of_function_calls_are_made_unanswerable(tmp_path: Path) -> None:
    changes = [
        "parts.xlam.unanswerable.no_function=0.5",
        "parts.xlam.unanswerable.no_value=0.5",
        "parts.xlam.mask=null",
    ]
    out = build("coalm_it_plus", out=tmp_path / "out", changes=[*changes, *leave_only("xlam")]).out
    taken: Counter[str] = Counter()
    for row in read_all(out, "samples"):
        what = json.loads(row["provenance"]).get("unanswerable")
        messages, tools = decode_messages(row)
        if what is None:
            assert "tool_calls" in messages[-1]
            continue
        taken[what["taken"]] += 1
        assert messages[-1]["content"]
        if what["taken"] == "tool":
            assert not {tool["function"]["name"] for tool in tools} & set(what["tools"])
        if what["taken"] == "value":
            assert str(what["value"]) not in messages[-2]["content"]
    assert taken["tool"]
    assert taken["value"]
    assert taken["nothing"] == 20, "the corpus's own requests that nothing serves get a reply"


def leave_only(name: str) -> list[str]:
    others = {"snips", "sgd", "sgd_state", "multiwoz", "multiwoz_state", "xlam", "toolace"} - {name}
    return [f"parts.{other}=null" for other in sorted(others)]


def test_multiwoz_can_be_left_out(tmp_path: Path) -> None:
    changes = ["parts.multiwoz=null", "parts.multiwoz_state=null"]
    built = build("coalm_it_plus", out=tmp_path / "out", changes=changes)
    assert not {"multiwoz", "multiwoz_state"} & built.manifest.parts.keys()
    assert "multiwoz" not in built.manifest.sources
