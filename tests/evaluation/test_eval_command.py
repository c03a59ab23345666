"""`coalm-it eval` from end to end, on a build's validation rows, against a server whose answers are known."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from decoded import decode_messages
from scripted import Json, Reply, serve
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.evaluation.benchmarks import BENCHMARKS
from coalm_it.evaluation.config import Endpoint
from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe

TRUSTED = {"grounding": False, "reply_facts": False}
PARTS = {
    "snips": {"source": "snips", "task": "state_tracking"},
    "sgd": {"source": "sgd", "task": ["react_action", "react_response"], "layout": "varied"},
    "sgd_state": {"source": "sgd", "task": "state_tracking", "layout": "varied"},
    "hammer": {
        "source": ["xlam", "xlam_irrelevance"],
        "task": "function_call",
        "layout": "hammer",
        "mask": {"style": "hammer", "probability": 0.5},
        "checks": TRUSTED,
    },
    "toolace": {"source": "toolace", "task": "function_call", "checks": TRUSTED},
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with validation rows of every kind; read-only."""
    recipe = Recipe.model_validate({"name": "mix", "parts": PARTS, "validation": 0.3})
    return build(recipe, out=tmp_path_factory.mktemp("built") / "out", workers=2).out


def read_rows(built: Path) -> list[Json]:
    """The validation rows, with all columns of both configs."""
    samples, columns = (
        pq.read_table(next((built / "data" / config).glob("validation-*"))).to_pylist()
        for config in ("samples", "coalm_it")
    )
    return [{**row, **three} for row, three in zip(samples, columns, strict=True)]


@pytest.fixture(scope="module")
def rows(built: Path) -> dict[str, Json]:
    """Prompt in form columns -> row."""
    return {f"{row['instruction']}\n\n{row['input']}": row for row in read_rows(built)}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)], env={"COLUMNS": "200"})


class Ask:
    """Runs held_out with every validation row against a server; `folder` holds results and ledger."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.built, self.out, self.ledger = built, folder / "results", folder / "answers.sqlite"
        self.asked: list[Json] = []

    def __call__(self, reply: Callable[[Json], Reply], *options: str, finish: str = "stop") -> Result:
        with serve(reply) as script:
            script.finish_reason = finish
            command = ["held_out", "--data", self.built, "--out", self.out, "--ledger", self.ledger]
            command += ["--base-url", script.base_url, "--model-name", "scripted", "--set", "rows=null", *options]
            result = run(*command)
            self.asked = script.asked
        return result

    @property
    def results(self) -> Json:
        results: Json = json.loads((self.out / "results.json").read_text())
        return results

    @property
    def predictions(self) -> list[Json]:
        return [json.loads(line) for line in (self.out / "predictions.jsonl").read_text().splitlines()]

    def values(self, part: str = "all") -> dict[str, float]:
        return {row["metric"]: row["value"] for row in self.results["metrics"] if row["part"] == part}


@pytest.fixture
def ask(built: Path, tmp_path: Path) -> Ask:
    return Ask(built, tmp_path)


def prompt_of(body: Json) -> str:
    return str(body["messages"][-1]["content"])


def test_the_targets_of_the_rows_are_right_in_every_metric(ask: Ask, rows: dict[str, Json]) -> None:
    result = ask(lambda body: str(rows[prompt_of(body)]["output"]))
    assert result.exit_code == 0, result.stderr
    assert set(ask.values().values()) == {1.0}
    assert set(ask.values()) == {"exact", "function", "argument_f1", "refusal", "jga", "slot_f1"}
    assert {row["part"] for row in ask.results["metrics"]} == {*PARTS, "all"}
    assert ask.results["asked"] == ask.results["answered"] == len(rows) == len(ask.predictions)
    assert {row["verdict"] for row in ask.predictions} == {"right"}
    assert "| hammer | function_call | exact |" in (ask.out / "results.md").read_text()
    assert f"{len(rows):,} asked, {len(rows):,} answered. No request failed." in (ask.out / "results.md").read_text()


def test_each_kind_of_mistake_is_counted(ask: Ask, rows: dict[str, Json]) -> None:
    """Gold, a wrong value, nonsense and gold again, in turn; the expected results are counted by hand."""
    total: Counter[str] = Counter()
    expected: Counter[tuple[str, str]] = Counter()
    replies: dict[str, str] = {}
    for number, (prompt, row) in enumerate(sorted(rows.items())):
        kind = (
            "state"
            if row["task"] == "state_tracking"
            else "calls"
            if '"tool_calls"' in row["completion"][0]
            else "text"
        )
        gold, plan = row["output"], ("gold", "mistake", "nonsense", "gold")[number % 4]
        if plan == "mistake":
            verdict, gold = {
                "state": ("wrong", '{"nowhere": {"nothing": "x"}}'),
                "calls": ("no call", "I cannot do that."),
                "text": ("needless call", '[{"name": "do_it", "arguments": {"x": 1}}]'),
            }[kind]
        elif plan == "nonsense":
            verdict, gold = "unparsable", '[{"name": "do_it", '
        else:
            verdict = "right"
        replies[prompt] = gold
        total[kind] += 1
        expected[kind, verdict] += 1
    result = ask(lambda body: replies[prompt_of(body)])
    assert result.exit_code == 0, result.stderr

    found = Counter(row["verdict"] for row in ask.predictions)
    for verdict in ("right", "wrong", "no call", "needless call", "unparsable"):
        assert found[verdict] == sum(count for (_, name), count in expected.items() if name == verdict) > 0
        assert sum(row[verdict] for row in ask.results["verdicts"]) == found[verdict]
    values = ask.values()
    assert values["exact"] == values["function"] == expected["calls", "right"] / total["calls"]
    assert values["refusal"] == expected["text", "right"] / total["text"], "nonsense is not a refusal"
    assert values["jga"] == expected["state", "right"] / total["state"]
    for row in ask.results["metrics"]:
        assert row["value"] is None or row["low"] <= row["value"] <= row["high"]


def test_a_wrong_argument_costs_its_share_of_f1(ask: Ask, rows: dict[str, Json]) -> None:
    """Every call has one argument too many, so the right ones are 2a of 2a + calls."""
    arguments = calls = 0
    replies = {}
    for prompt, row in rows.items():
        replies[prompt] = row["output"]
        if row["part"] == "hammer" and (made := json.loads(row["output"])):
            for call in made:
                calls, arguments = calls + 1, arguments + len(call["arguments"])
                call["arguments"] = {**call["arguments"], "one more": 1}
            replies[prompt] = json.dumps(made)
    ask(lambda body: replies[prompt_of(body)])
    values = ask.values("hammer")
    assert values["exact"] == 0
    assert values["function"] == 1
    assert values["argument_f1"] == 2 * arguments / (2 * arguments + calls)


def test_a_right_call_in_another_format_is_counted_separately(ask: Ask, rows: dict[str, Json]) -> None:
    def reply(body: Json) -> str:
        row = rows[prompt_of(body)]
        if row["part"] != "hammer" or row["output"] == "[]":
            return str(row["output"])
        return f'{{"tool_calls": {row["output"]}}}'

    ask(reply)
    counts = next(row for row in ask.results["verdicts"] if row["part"] == "hammer")
    expected = sum(row["part"] == "hammer" and row["output"] != "[]" for row in rows.values())
    assert counts["other format"] == expected > 0
    assert ask.values("hammer")["exact"] == 0
    assert ask.values("hammer")["refusal"] == 1


def test_thoughts_are_separated_and_recorded(ask: Ask, rows: dict[str, Json]) -> None:
    ask(lambda body: f"<think>Let me see.</think>{rows[prompt_of(body)]['output']}")
    assert set(ask.values().values()) == {1.0}
    assert {(row["thought"] or "").partition("\n")[0] for row in ask.predictions if row["part"] == "hammer"} == {
        "Let me see."
    }


def test_truncated_answers_are_wrong_and_counted(ask: Ask, rows: dict[str, Json]) -> None:
    result = ask(lambda body: str(rows[prompt_of(body)]["output"]), finish="length")
    assert result.exit_code == 0, "a truncated answer is an answer"
    assert set(ask.values().values()) == {0.0}
    assert {row["verdict"] for row in ask.predictions} == {"truncated"}


def test_form_messages_sends_the_conversation_with_its_tools(built: Path, ask: Ask) -> None:
    """The server answers with the last message of each row, and with calls in the form of a server."""

    def key(messages: list[Json], tools: Any) -> str:
        said = [(message["role"], message["content"] or "") for message in messages]
        return json.dumps([said, tools])

    decoded = map(decode_messages, read_rows(built))
    known = {key(messages[:-1], tools or None): messages[-1] for messages, tools in decoded}

    def reply(body: Json) -> Json:
        target = known[key(body["messages"], body.get("tools"))]
        calls = copy.deepcopy(target.get("tool_calls", []))
        for call in calls:
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"])
        return {"role": "assistant", "content": target["content"], "tool_calls": calls}

    result = ask(reply, "--set", "form=messages")
    assert result.exit_code == 0, result.stderr
    assert set(ask.values().values()) == {1.0}
    assert ask.values("sgd")["refusal"] == 1.0
    earlier = [call for body in ask.asked for m in body["messages"] for call in m.get("tool_calls", ())]
    assert earlier
    assert all(isinstance(call["function"]["arguments"], str) for call in earlier)
    assert not any("reasoning_content" in message for body in ask.asked for message in body["messages"])


@pytest.mark.server
def test_replies_whose_prompt_shows_no_functions_are_not_asked(tmp_path: Path) -> None:
    parts = {"sgd": {"source": "sgd", "task": ["react_action", "react_response"]}}
    recipe = Recipe.model_validate({"name": "mix", "parts": parts, "validation": 0.3})
    ask = Ask(build(recipe, out=tmp_path / "out").out, tmp_path)
    ask(lambda body: "no")
    replies = sum(row["task"] == "react_response" for row in read_rows(ask.built))
    assert ask.results["not_asked"] == replies > 0
    assert ask.results["asked"] == len(read_rows(ask.built)) - replies


def test_rows_are_drawn_by_seed_and_a_larger_draw_contains_the_smaller(ask: Ask) -> None:
    drawn = []
    for rows in (2, 4):
        ask(lambda body: "no", "--set", f"rows={rows}")
        drawn.append({row["id"] for row in ask.predictions})
        counts = Counter((row["part"], row["task"]) for row in ask.predictions)
        assert max(counts.values()) == rows
    assert drawn[0] < drawn[1]
    ask(lambda body: "no", "--set", "rows=2", "--set", "seed=13")
    assert {row["id"] for row in ask.predictions} != drawn[0]


# --- the ledger, and failed requests ---


def test_a_rerun_asks_nothing_again_and_gives_the_same_bytes(ask: Ask, rows: dict[str, Json]) -> None:
    ask(lambda body: str(rows[prompt_of(body)]["output"]))
    assert len(ask.asked) == len(rows)
    before = {path.name: path.read_bytes() for path in ask.out.iterdir()}
    ask(lambda body: 500)
    assert ask.asked == []
    assert {path.name: path.read_bytes() for path in ask.out.iterdir()} == before


def test_a_failing_endpoint_is_one_line_and_its_answers_are_kept(ask: Ask, rows: dict[str, Json]) -> None:
    left = iter(range(20))

    def die_soon(body: Json) -> Reply:
        return 401 if next(left, None) is None else str(rows[prompt_of(body)]["output"])

    result = ask(die_soon, "--set", "endpoint.max_in_flight=1")
    assert result.exit_code == 3
    assert [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")] == [
        result.stderr.splitlines()[-1]
    ]
    assert not (ask.out / "results.json").exists()
    assert ask(lambda body: str(rows[prompt_of(body)]["output"])).exit_code == 0
    assert len(ask.asked) == len(rows) - 20
    assert set(ask.values().values()) == {1.0}


def test_an_unreachable_endpoint_is_one_line(built: Path, tmp_path: Path) -> None:
    ledger = ("--ledger", tmp_path / "answers.sqlite")
    result = run("held_out", "--data", built, "--out", tmp_path / "r", *HERE, *ledger)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("coalm-it: http://127.0.0.1:9/v1 does not answer: ")


def test_failed_requests_are_reported_and_count_as_wrong(ask: Ask, rows: dict[str, Json]) -> None:
    """The endpoint rejects every fifth prompt."""
    rejected = set(sorted(rows)[::5])

    def reply(body: Json) -> Reply:
        return 400 if prompt_of(body) in rejected else str(rows[prompt_of(body)]["output"])

    result = ask(reply)
    failed = len(rejected)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"coalm-it: {failed} of {len(rows)} requests failed ({failed} rejected); they count as wrong"
    )
    assert (ask.results["asked"], ask.results["answered"]) == (len(rows), len(rows) - failed)
    assert ask.results["failures"] == {"rejected": failed}
    assert f"REQUESTS FAILED: {failed} rejected; they count as wrong." in (ask.out / "results.md").read_text()
    states = [prompt for prompt, row in rows.items() if row["task"] == "state_tracking"]
    assert ask.values()["jga"] == 1 - len(rejected.intersection(states)) / len(states)
    n = {row["metric"]: row["n"] for row in ask.results["metrics"] if row["part"] == "all"}
    assert n["jga"] == len(states), "averages are over all rows"


# --- wrong requests ---


def complaint(result: Result) -> str:
    assert result.exit_code == 2, result.output
    [line] = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    return str(line)


HERE = ("--base-url", "http://127.0.0.1:9/v1", "--model-name", "x")


def test_a_changed_shard_is_refused(built: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(built, tmp_path / "copy")
    [shard] = (copy / "data" / "samples").glob("validation-*")
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    line = complaint(run("held_out", "--data", copy, "--out", tmp_path / "r", *HERE))
    assert line == f"coalm-it: {shard} is not the file that was built: its sha256 has changed; build it again"
    shard.unlink()
    assert "is missing: manifest.json lists it; build it again" in complaint(
        run("held_out", "--data", copy, "--out", tmp_path / "r", *HERE)
    )


def test_a_build_without_validation_rows_is_refused(demo: Path, tmp_path: Path) -> None:
    line = complaint(run("held_out", "--data", demo, "--out", tmp_path / "r", *HERE))
    assert line == f"coalm-it: {demo} has no validation rows: build it with --set validation=0.01"
    assert complaint(run("held_out", "--data", tmp_path, "--out", tmp_path / "r", *HERE)) == (
        f"coalm-it: {tmp_path} is not a finished build: it has no manifest.json"
    )


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["held_out"], "name one model to ask: --model PATH, or --base-url URL --model-name NAME"),
        (["held_out", *HERE, "--model", "m"], "name one model to ask: --model PATH, or --base-url URL"),
        (["held_out", *HERE[:2]], "an endpoint needs both --base-url URL and --model-name NAME"),
        (["held_uot", *HERE], "no eval/held_uot.yaml; did you mean 'held_out'?"),
        (
            ["held_out", *HERE, "--set", "max_token=5"],
            "held_out.yaml: unknown key 'max_token'; did you mean 'max_tokens'?",
        ),
        (
            ["held_out", *HERE, "--set", "endpoint.max_us=5"],
            "held_out.yaml: unknown key 'endpoint.max_us'; did you mean 'max_usd'?",
        ),
        (
            ["held_out", *HERE, "--set", "benchmark=bfkl"],
            "held_out.yaml: benchmark: no such benchmark; did you mean 'bfcl'? (found 'bfkl')",
        ),
        (
            ["held_out", *HERE, "--set", "layout=hammer"],
            "held_out.yaml: unknown key 'layout'; there are: ",
        ),
        (
            ["bfcl", *HERE, "--set", "categories=[simpel]"],
            "bfcl.yaml: categories: no single-turn category 'simpel' of BFCL; there are:",
        ),
        (
            ["held_out", "--model", "/nowhere/at/all"],
            "no model /nowhere/at/all: no such folder, and not a name on the Hub",
        ),
    ],
)
def test_a_wrong_request_is_one_line(built: Path, tmp_path: Path, options: list[str], line: str) -> None:
    said = complaint(run(*options, "--data", built, "--out", tmp_path / "r"))
    assert said.startswith(f"coalm-it: {line}")


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_every_key_of_an_evaluation_has_help(benchmark: str) -> None:
    for name, field in {**BENCHMARKS[benchmark].CONFIG.model_fields, **Endpoint.model_fields}.items():
        assert field.description, name


def test_a_folder_with_other_content_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    line = complaint(run("held_out", "--data", built, "--out", tmp_path, *HERE))
    assert line == f"coalm-it: {tmp_path} has other content (no results.json): name an empty or a new folder"
    line = complaint(run("held_out", "--data", built, "--out", tmp_path / "mine.txt", *HERE))
    assert line.endswith("mine.txt is a file: name a folder for the results")
