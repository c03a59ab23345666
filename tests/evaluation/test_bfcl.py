"""`coalm-it eval bfcl` from end to end, on our own questions in the file format of the benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted import Json, Reply, serve
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.evaluation.bfcl import BfclEvaluation, list_items, sum_up
from coalm_it.evaluation.bfcl.questions import CATEGORIES, BenchmarkError, Question, read_questions
from coalm_it.evaluation.items import Item, JudgedItem, Judgement
from coalm_it.evaluation.report import read_published
from coalm_it.rendering.chat import Conversation


def function(name: str, required: list[str], **properties: Json) -> Json:
    described = {key: {"description": f"The {key}.", **entry} for key, entry in properties.items()}
    parameters = {"type": "dict", "properties": described, "required": required}
    return {"name": name, "description": f"Does {name}.", "parameters": parameters}


FERRY = function("ferry.find", ["to"], to={"type": "string"}, cars={"type": "integer"})
TIDE = function("tide", ["port"], port={"type": "string"}, day={"type": "string"})
SHIP = function(
    "Ship.load", ["ids", "deep"], ids={"type": "Array", "items": {"type": "long"}}, deep={"type": "boolean"}
)

QUESTIONS: dict[str, list[tuple[str, list[Json], list[Json]]]] = {
    "simple": [
        ("A ferry to Split for one car.", [FERRY], [{"ferry.find": {"to": ["Split"], "cars": [1, ""]}}]),
        ("A ferry to Bari.", [FERRY], [{"ferry.find": {"to": ["Bari"], "cars": [0, ""]}}]),
        ("A ferry to Ancona.", [FERRY], [{"ferry.find": {"to": ["Ancona"], "cars": [0, ""]}}]),
    ],
    "parallel_multiple": [
        (
            "A ferry to Bari, and the tide there on Monday.",
            [TIDE, FERRY],
            [{"ferry.find": {"to": ["Bari"], "cars": ["", 0]}}, {"tide": {"port": ["Bari"], "day": ["Monday"]}}],
        )
    ],
    "java": [("Load 1 and 2, deep.", [SHIP], [{"Ship.load": {"ids": [[1, 2]], "deep": [True]}}])],
    "irrelevance": [("How tall is the mast?", [FERRY], []), ("Who built it?", [TIDE], []), ("Why?", [TIDE], [])],
    "live_relevance": [("Something about boats.", [FERRY], []), ("High water?", [TIDE], [])],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "inside"
    (folder / "possible_answer").mkdir(parents=True)
    for category, questions in QUESTIONS.items():
        lines, answers = [], []
        for number, (text, functions, answer) in enumerate(questions):
            name = f"{category}_{number}"
            asked = [[{"role": "user", "content": text}]]
            lines.append(json.dumps({"id": name, "question": asked, "function": functions}))
            answers.append(json.dumps({"id": name, "ground_truth": answer}))
        (folder / f"BFCL_v3_{category}.json").write_text("\n".join(lines))
        if any(answer for _, _, answer in questions):
            (folder / "possible_answer" / f"BFCL_v3_{category}.json").write_text("\n".join(answers))
    return tmp_path / "data"


def run(data: Path, out: Path, reply: Callable[[Json], Reply], *options: str) -> Result:
    with serve(reply) as script:
        command = ["eval", "bfcl", "--data", data, "--out", out, "--ledger", out.with_suffix(".sqlite")]
        command += ["--base-url", script.base_url, "--model-name", "scripted"]
        categories = ["--set", f"categories=[{', '.join(QUESTIONS)}]"]
        return CliRunner().invoke(app, [*map(str, command), *categories, *options])


def say(body: Json) -> str:
    """Right and wrong answers, and none, chosen by the question; a JSON list, as the layout hammer asks for."""
    asked = body["messages"][-1]["content"].rpartition("[BEGIN OF QUERY]")[2]
    answers: dict[str, Any] = {
        "one car": [{"name": "ferry.find", "arguments": {"to": "split", "cars": 1}}],
        "ferry to Bari.": [{"name": "ferry.find", "arguments": {"to": "Bari", "cars": 2}}],
        "Ancona": "ferry.find(to='Ancona')",
        "tide there": [
            {"name": "tide", "arguments": {"port": "bari", "day": "monday"}},
            {"name": "ferry.find", "arguments": {"to": "Bari"}},
        ],
        "Load 1": [{"name": "Ship.load", "arguments": {"ids": "new long[]{1L, 2L}", "deep": "true"}}],
        "mast": [],
        "built it": [{"name": "tide", "arguments": {"port": "x"}}],
        "Why": '[{"name": "tide", ',
        "boats": [{"name": "ferry.find", "arguments": {"to": "anywhere"}}],
        "High water": "I do not know.",
    }
    [answer] = [answer for part, answer in answers.items() if part in asked]
    return answer if isinstance(answer, str) else json.dumps(answer)


@pytest.mark.server
def test_each_category_is_scored_by_its_expected_answer(data: Path, tmp_path: Path) -> None:
    result = run(data, tmp_path / "out", say)
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    values = {(row["task"], row["metric"]): (row["n"], row["value"]) for row in results["metrics"]}
    assert values == {
        ("simple", "accuracy"): (3, pytest.approx(1 / 3)),  # a wrong value; another format
        ("parallel_multiple", "accuracy"): (1, 1),
        ("java", "accuracy"): (1, 1),
        ("irrelevance", "refusal"): (3, pytest.approx(1 / 3)),  # a needless call; one that cannot be read
        ("live_relevance", "relevance"): (2, 0.5),
        ("all", "accuracy"): (5, pytest.approx(3 / 5)),
        ("all", "refusal"): (3, pytest.approx(1 / 3)),
        ("all", "relevance"): (2, 0.5),
    }
    lines = [json.loads(line) for line in (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()]
    assert {line["id"]: (line["verdict"], line["reason"]) for line in lines} == {
        "simple_0": ("right", None),
        "simple_1": ("wrong", "cars: 2 is not among the accepted values"),
        "simple_2": ("other format", "another format: python"),
        "parallel_multiple_0": ("right", None),
        "java_0": ("right", None),
        "irrelevance_0": ("right", None),
        "irrelevance_1": ("needless call", None),
        "irrelevance_2": ("unparsable", "a call that cannot be read"),
        "live_relevance_0": ("right", None),
        "live_relevance_1": ("no call", None),
    }


@pytest.mark.parametrize("layout", ["hammer", "toolace", "varied"])
@pytest.mark.parametrize("form", ["columns", "messages"])
def test_a_question_is_rendered_like_a_row_of_a_build(data: Path, layout: Any, form: Any) -> None:
    config = BfclEvaluation(name="x", version=1, categories=("simple", "java"), layout=layout, form=form)
    items = {item.id: item for item in list_items(data, config).items}
    ferry, ship = items["simple_0"].prompt, items["java_0"].prompt
    text = json.dumps([ferry.messages, ferry.tools])
    assert "A ferry to Split for one car." in text
    assert "ferry.find" in text
    assert [message["role"] for message in ferry.messages] == (["user"] if form == "columns" else ["system", "user"])
    said = json.dumps([ship.messages, ship.tools])
    assert "Write it as Java source text of type Array. Its items are of type long." in said
    if form == "messages":
        assert ship.tools[0]["function"]["parameters"]["properties"]["ids"]["type"] == "string"


def test_questions_are_drawn_by_seed(data: Path) -> None:
    def draw(rows: int, seed: int = 12) -> set[str]:
        config = BfclEvaluation(name="x", version=1, rows=rows, seed=seed, categories=("simple",))
        return {item.id for item in list_items(data, config).items}

    assert len(draw(1)) == 1
    assert draw(1) < draw(2) < draw(3)
    assert len({frozenset(draw(1, seed)) for seed in range(20)}) == 3


def test_the_system_text_of_a_question_precedes_its_user_text(data: Path) -> None:
    path = data / "inside" / "BFCL_v3_live_relevance.json"
    asked = [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "High water?"}]]
    path.write_text(json.dumps({"id": "r", "question": asked, "function": [TIDE]}))
    config = BfclEvaluation(name="x", version=1, categories=("live_relevance",))
    [item] = list_items(data, config).items
    assert "Be brief.\n\nHigh water?" in item.prompt.messages[0]["content"]


def test_the_columns_of_the_leaderboard_follow_its_rules(data: Path) -> None:
    """Shares of each category: simple 1/2, java 0, javascript 1, and so on; each worked out by hand below."""

    def judged(category: str, *verdicts: Any) -> list[JudgedItem]:
        question = Question("x", category, "python", [], [], [])
        item = Item("x", "bfcl", category, "x", Conversation([], [], thinks=False), question, None)
        return [JudgedItem(item, (), Judgement(verdict, {})) for verdict in verdicts]

    some = [
        *judged("simple", "right", "wrong"),
        *judged("java", "wrong"),
        *judged("javascript", "right"),
        *judged("multiple", "right"),
        *judged("parallel", "unparsable", "right", "right", "right"),
        *judged("parallel_multiple", "no answer"),
    ]
    # ((1/2 + 0 + 1) / 3 + 1 + 3/4 + 0) / 4
    assert sum_up(some) == {"non_live_ast": pytest.approx(56.25)}
    live = [
        *judged("live_simple", "right", "right", "wrong"),
        *judged("live_multiple", "right"),
        *judged("live_parallel", "wrong"),
        *judged("live_parallel_multiple", "wrong"),
        *judged("live_irrelevance", "right", "unparsable", "needless call"),
        *judged("live_relevance", "right"),
        *judged("irrelevance", "truncated", "no answer"),
    ]
    assert sum_up(live) == {
        "live": pytest.approx(100 * 6 / 10),  # unreadable answers count as no call
        "relevance": 100,
        "irrelevance": pytest.approx((100 / 2 + 200 / 3) / 2),
    }


def test_published_results_are_complete() -> None:
    published = read_published()
    for benchmark in ("multiwoz", "api_bank", "bfcl", "ablation"):
        columns, models = published[benchmark]["columns"], published[benchmark]["models"]
        assert all(len(values) == len(columns) for values in models.values())
        assert all(value is None or 0 <= value <= 100 for values in models.values() for value in values)
    assert published["bfcl"]["models"]["CoALM 70B"][0] == 60.49


# --- missing and malformed files ---


@pytest.mark.server
def test_missing_files_are_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, tmp_path / "out", say)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(
        f"coalm-it: {tmp_path}: no BFCL questions of category 'simple' (a file like BFCL_v3_simple.json); get them"
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: (f / "possible_answer" / "BFCL_v3_simple.json").unlink(),
            "has no answers: .*possible_answer/BFCL_v3_simple.json is missing",
        ),
        (lambda f: (f / "BFCL_v3_simple.json").write_text('{"id": 1}\n{"id"'), "simple.json, line 2: not JSON"),
        (
            lambda f: (f / "BFCL_v3_simple.json").write_text('{"id": "simple_0"}'),
            "not in the format of BFCL: 'question' is missing",
        ),
        (lambda f: (f / "possible_answer" / "BFCL_v3_simple.json").write_text(""), "'simple_0' is missing"),
    ],
)
def test_malformed_files_are_one_line(data: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(data / "inside")
    with pytest.raises(BenchmarkError, match=message):
        read_questions(data, "simple")


def test_files_are_found_under_their_later_names(data: Path) -> None:
    for folder in (data / "inside", data / "inside" / "possible_answer"):
        (folder / "BFCL_v3_simple.json").rename(folder / "BFCL_v4_simple_python.json")
    assert len(read_questions(data, "simple")) == 3


def test_there_are_thirteen_single_turn_categories() -> None:
    assert len(CATEGORIES) == 13
    assert not any("multi_turn" in name for name in CATEGORIES)


@pytest.mark.corpora
def test_the_real_questions_are_all_there(corpora: Path) -> None:
    data = corpora / "benchmarks" / "bfcl_v3"
    counts = {category: len(read_questions(data, category)) for category in CATEGORIES}
    assert sum(counts.values()) == 3641
    assert counts["live_multiple"] == 1053
    for layout in ("hammer", "varied"):
        items = list_items(data, BfclEvaluation(name="x", version=1, layout=layout)).items
        assert len(items) == 3641
        assert all(item.formats for item in items)
