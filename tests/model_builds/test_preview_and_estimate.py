"""Before a build is paid for: what it would ask and cost, and what the model makes of a few dialogues."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from next_steps import read_next
from small import DIALOGUES, SAMPLES, assert_one_line, build_small, order_small, read_files, read_rows
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.pipeline.build import build

PRICE = "reasoning.price={input: 3, output: 15}"


def run(command: str, server: Any, folder: Path, *changes: str, options: tuple[str, ...] = ()) -> Result:
    """`estimate`, or `build` with options, of recipe tod; the ledger is the folder's answers.sqlite."""
    settings = [part for change in order_small(server, *changes) for part in ("--set", change)]
    ledger = ["--ledger", str(folder / "answers.sqlite"), "--workers", "1"]
    return CliRunner().invoke(app, [command, "tod", *ledger, *settings, *options])


def estimate(server: Any, folder: Path, *changes: str) -> dict[str, dict[str, Any]]:
    result = run("estimate", server, folder, *changes, options=("--json",))
    assert result.exit_code == 0, result.stderr
    printed: dict[str, dict[str, Any]] = json.loads(result.stdout)
    return printed


def judged(server: Any) -> str:
    return f"reasoning.judge={{model: critic, base_url: '{server.base_url}', min_score: 1}}"


# --- estimate ---


@pytest.mark.parametrize(
    "mix",
    [
        ("reasoning.turns_per_request=4",),
        ("parts.sgd.rows=70",),
        ("scale=0.2",),
        ("limit=6", "parts.sgd.task=react_action", "parts.responses={source: sgd, task: react_response}"),
        ("rows=60", "parts.snips={source: snips, task: state_tracking, share: 0.5}", "parts.sgd.share=0.5"),
    ],
    ids=lambda mix: mix[0],
)
def test_an_estimate_is_what_the_build_asks(server: Any, tmp_path: Path, mix: tuple[str, ...]) -> None:
    estimated = estimate(server, tmp_path, *mix, judged(server))
    assert server.stats["requests"] == 0
    build_small(server, tmp_path / "out", *mix, judged(server))
    assert [estimated[stage]["stored"] for stage in ("thoughts", "judgements")] == [0, 0]
    assert estimated["thoughts"]["asked"] + estimated["judgements"]["asked"] == server.stats["requests"]

    after = estimate(server, tmp_path, *mix, judged(server))
    for stage in ("thoughts", "judgements"):
        assert (after[stage]["asked"], after[stage]["stored"]) == (0, estimated[stage]["asked"])
        assert after[stage]["prompt_tokens"] == after[stage]["completion_tokens"] == 0


def test_an_estimate_is_followed_by_a_preview_of_the_same_recipe(server: Any, tmp_path: Path) -> None:
    (step,) = read_next(run("estimate", server, tmp_path))
    assert step.endswith(" --preview 3")
    assert f"--set {shlex.quote(order_small(server)[0])} " in step


def test_what_is_half_done_is_half_free(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.2)
    build_small(server, tmp_path / "out", "parts.sgd.rows=100")
    stored = server.stats["requests"]
    dialogues = len({row["dialogue_id"] for row in read_rows(tmp_path / "out")})
    assert stored > dialogues  # some thoughts were asked for again
    estimated = estimate(server, tmp_path)["thoughts"]
    assert (estimated["stored"], estimated["asked"]) == (stored, DIALOGUES - dialogues)


def test_a_repair_that_is_still_to_be_asked_for_counts(server: Any, tmp_path: Path) -> None:
    server.behave(poor=1.0)
    build_small(server, tmp_path / "out", "limit=3", "reasoning.repairs=0")
    estimated = estimate(server, tmp_path, "limit=3", "reasoning.repairs=1")["thoughts"]
    assert (estimated["stored"], estimated["asked"]) == (3, 3)
    build_small(server, tmp_path / "out", "limit=3", "reasoning.repairs=1")
    assert server.stats["requests"] == 6


def test_tokens_are_estimated_about_right_and_dollars_follow_from_them(server: Any, tmp_path: Path) -> None:
    estimated = estimate(server, tmp_path, PRICE)["thoughts"]
    assert estimated["usd"] == pytest.approx(
        (3 * estimated["prompt_tokens"] + 15 * estimated["completion_tokens"]) / 1_000_000
    )
    assert estimated["seconds"] is None  # nobody knows how long this model takes
    build_small(server, tmp_path / "out")
    stats = server.stats
    # the schema is in the estimate, and this server does not charge for it
    assert 0.9 * stats["prompt_tokens"] < estimated["prompt_tokens"] < 1.3 * stats["prompt_tokens"]
    assert stats["completion_tokens"] / 3 < estimated["completion_tokens"] < 5 * stats["completion_tokens"]

    changed = estimate(server, tmp_path, PRICE, "reasoning.temperature=1")["thoughts"]
    mean = stats["completion_tokens"] / DIALOGUES
    assert changed["completion_tokens"] == pytest.approx(mean * DIALOGUES, abs=1)  # as long as the last ones were
    assert changed["seconds"] >= 0


def test_at_most_is_enough_for_a_ceiling(server: Any, tmp_path: Path) -> None:
    estimated = estimate(server, tmp_path, PRICE)["thoughts"]
    assert estimated["worst_case_usd"] > estimated["usd"]
    built = build_small(server, tmp_path / "out", PRICE, f"reasoning.max_usd={estimated['worst_case_usd']}")
    assert built.manifest.parts["sgd"].thoughts == {"first": SAMPLES}


def test_an_estimate_is_a_row_for_each_stage(server: Any, tmp_path: Path) -> None:
    result = run("estimate", server, tmp_path, judged(server), PRICE)
    assert result.exit_code == 0, result.stderr
    header, thoughts, judgements = (line.split() for line in result.stdout.splitlines())
    assert header == "stage requests stored tokens in tokens out dollars at most minutes".split()
    assert thoughts[:3] == ["thoughts", str(DIALOGUES), "0"]
    assert re.fullmatch(r"0\.\d\d", thoughts[5])
    assert judgements[:3] == ["judgements", str(DIALOGUES), "0"]
    assert judgements[5:] == ["?", "?", "?"]  # no price of it, and no answer yet


# --- preview ---


def preview(server: Any, folder: Path, *changes: str, count: int = 2, options: tuple[str, ...] = ()) -> Result:
    result = run("build", server, folder, *changes, options=("--preview", str(count), *options))
    assert result.exit_code == 0, result.stderr
    return result


def test_a_preview_shows_whole_dialogues_with_the_grounded_thoughts_beside_them(server: Any, tmp_path: Path) -> None:
    result = preview(server, tmp_path)
    assert read_next(result)[0].startswith("coalm-it build tod --set ")
    printed = result.stdout
    assert server.stats["requests"] == 2
    assert re.findall(r"^(sgd/train/\S+)  \(part sgd\)$", printed, re.MULTILINE) == [
        "sgd/train/1_00000",
        "sgd/train/1_00001",
    ]
    model = build_small(server, tmp_path / "model" / "out", "limit=2", ledger=tmp_path / "answers.sqlite")
    grounded = build("tod", out=tmp_path / "grounded", changes=["parts.snips=null", "limit=2"])
    for label, rows in (("thought", read_rows(model.out)), ("grounded", read_rows(grounded.out))):
        shown = re.findall(rf"^ +{label}  (.+)$", printed, re.MULTILINE)
        assert sorted(shown) == sorted(row["thought"] for row in rows)
    assert server.stats["requests"] == 2
    lines = printed.splitlines()
    assert sum(line.startswith("     user  ") for line in lines) == 6 + 8
    assert lines[-3] == "The whole build:"
    assert lines[-1].split()[:3] == ["thoughts", str(DIALOGUES - 2), "2"]


def test_a_preview_builds_nothing_and_is_free_the_second_time(server: Any, tmp_path: Path) -> None:
    first = preview(server, tmp_path, options=("--out", str(tmp_path / "out")))
    again = preview(server, tmp_path, options=("--offline",))
    assert server.stats["requests"] == 2
    assert again.stdout == first.stdout
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"answers.sqlite"}


def test_a_preview_says_why_a_thought_did_not_pass_and_how_often_it_was_asked_for(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.4)
    printed = preview(server, tmp_path, count=3).stdout
    assert re.search(r"^ +thought  .+  \((2|3) attempts\)$", printed, re.MULTILINE)
    server.behave(poor=1.0)
    for fallback in ("grounded", "reject"):
        never = preview(server, tmp_path, "seed=2", "reasoning.seed=2", f"reasoning.fallback={fallback}").stdout
        failed = re.findall(r"^ +failed  (.+)\n +grounded  .+$", never, re.MULTILINE)
        assert len(failed) == never.count(" grounded  ") > 10
        assert all("begins like another one of the row: 'Thought:'" in reason for reason in failed)
        assert not re.search(r"^ +thought  ", never, re.MULTILINE)


@pytest.mark.parametrize("quota", ["parts.sgd.rows=1", "scale=0.01"])
def test_a_preview_shows_as_many_dialogues_however_few_the_build_takes(server: Any, tmp_path: Path, quota: str) -> None:
    assert preview(server, tmp_path, quota, count=3).stdout.count("(part sgd)") == 3


def test_a_preview_shows_each_part_whose_thoughts_a_model_writes(server: Any, tmp_path: Path) -> None:
    parts = ("parts.snips={source: snips, task: state_tracking}", "parts.wide={source: multiwoz, task: react_action}")
    printed = preview(server, tmp_path, *parts, count=1).stdout
    assert re.findall(r"\(part (\w+)\)$", printed, re.MULTILINE) == ["sgd", "wide"]


def test_a_preview_as_json_has_every_thought_by_its_place(server: Any, tmp_path: Path) -> None:
    server.behave(poor=0.5)
    printed = json.loads(preview(server, tmp_path, "reasoning.fallback=reject", count=3, options=("--json",)).stdout)
    assert printed["whole"] == estimate(server, tmp_path, "reasoning.fallback=reject")
    built = build_small(
        server, tmp_path / "out", "limit=3", "reasoning.fallback=reject", "expect.rejects_at_most=1", offline=True
    )
    rejects = read_rows(built.out, "rejects")
    made = [*read_rows(built.out), *rejects]  # a reply whose turn lacks a thought before its call is a reject as well
    thoughts = [thought for dialogue in printed["dialogues"] for thought in dialogue["thoughts"]]
    written = sorted(row["thought"] for row in made if row["thought"])
    assert sorted(one["thought"] for one in thoughts if one["thought"]) == written
    missing = [one["missing"] for one in thoughts if one["thought"] is None]
    findings = [row["findings"][0] for row in rejects]
    assert sorted(missing) == sorted(found["message"] for found in findings if found["check"] == "reasoning")
    assert missing
    assert all(one["grounded"] and one["provenance"]["request"] for one in thoughts)
    assert [dialogue["dialogue"] for dialogue in printed["dialogues"]] == [f"sgd/train/1_0000{n}" for n in range(3)]


# --- what is refused ---


@pytest.mark.parametrize(
    ("command", "options"), [("estimate", ()), ("build", ("--preview", "2"))], ids=["estimate", "preview"]
)
@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("reasoning.writer=grounded", r"tod: no model writes thoughts: --set reasoning\.writer=annotate --set "),
        (
            "parts.sgd.task=state_tracking",
            r"tod\.yaml: writer annotate: no part has rows with thoughts, which a model ",
        ),
    ],
)
def test_without_a_model_there_is_nothing_to_estimate(
    server: Any, tmp_path: Path, command: str, options: tuple[str, ...], change: str, line: str
) -> None:
    result = run(command, server, tmp_path, change, options=options)
    assert result.exit_code == 2
    assert_one_line(result.stderr, rf"^coalm-it: {line}")
    assert not list(tmp_path.iterdir())


def test_a_model_must_be_named() -> None:
    result = CliRunner().invoke(app, ["estimate", "tod", "--set", "reasoning.writer=annotate"])
    assert result.exit_code == 2
    assert_one_line(result.stderr, "writer annotate needs a model: --set reasoning.model=NAME")


def test_a_build_needs_a_folder_or_a_preview(server: Any, tmp_path: Path) -> None:
    result = run("build", server, tmp_path)
    assert result.exit_code == 2
    assert_one_line(result.stderr, "build needs --out FOLDER, or --preview N")


def test_a_preview_stops_at_what_stops_a_build(server: Any, tmp_path: Path) -> None:
    for changes, options, code, line in (
        ((), ("--offline",), 3, "there is no ledger"),
        (("reasoning.max_usd=1",), (), 2, "the price of 'small' is unknown"),
        (("reasoning.max_tokens_total=10",), (), 1, "the spending limit does not allow another request"),
    ):
        result = run("build", server, tmp_path, *changes, options=("--preview", "2", *options))
        assert result.exit_code == code
        assert_one_line(result.stderr, line)
        assert result.stdout == ""
    assert server.stats["requests"] == 0


def test_a_recipe_file_that_asks_a_model_builds_what_was_estimated(server: Any, tmp_path: Path) -> None:
    built = build_small(server, tmp_path / "out")
    recipe = str(built.out / "recipe.yaml")
    ledger = ["--ledger", str(tmp_path / "answers.sqlite")]
    estimated = CliRunner().invoke(app, ["estimate", recipe, "--json", *ledger])
    assert json.loads(estimated.stdout)["thoughts"]["stored"] == DIALOGUES
    CliRunner().invoke(app, ["build", recipe, "--out", str(tmp_path / "again"), "--offline", *ledger])
    assert read_files(tmp_path / "again") == read_files(built.out)
