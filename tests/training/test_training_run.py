"""Training the tiny base: the loss falls, the adapter loads and generates, a run resumes, the card is correct."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from coalm_it.cli import app
from coalm_it.dataset.finished import open_build
from coalm_it.files import hash_bytes
from coalm_it.rendering.chat import write_example
from coalm_it.training import MarkedToken, load_training, train
from coalm_it.training.config import RowSelection
from coalm_it.training.rows import read_rows

pytestmark = pytest.mark.libraries

SMALL = ["rows.limit=12", "sft.per_device_train_batch_size=2", "sft.num_train_epochs=1", "sft.logging_steps=1"]
"""Six steps."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads that wait for each other cost more than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Smoke:
    """The smoke training, run once as a user runs it."""

    def __init__(self, data: Path, out: Path) -> None:
        self.out = out
        self.command = ["train", "train/smoke.yaml", "--data", str(data), "--out", str(out)]
        self.result = CliRunner().invoke(app, self.command)
        assert self.result.exit_code == 0, self.result.output
        self.run: dict[str, Any] = json.loads((out / "run.json").read_bytes())


@pytest.fixture(scope="module")
def smoke(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Smoke:
    return Smoke(demo, tmp_path_factory.mktemp("smoke") / "model")


# --- the smoke training ---


def test_the_loss_falls(smoke: Smoke) -> None:
    losses = [entry["loss"] for entry in smoke.run["loss"]]
    assert losses[-1] < losses[0] - 1
    assert [entry["step"] for entry in smoke.run["loss"]] == list(range(2, 17, 2))


def test_the_adapter_loads_and_generates(smoke: Smoke, demo: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(smoke.out)
    row = next(read_rows(open_build(demo), RowSelection(), "train"))
    example = write_example(row.conversation, tokenizer)
    asked = tokenizer(example.prompt, add_special_tokens=False, return_tensors="pt")
    adapted = AutoPeftModelForCausalLM.from_pretrained(str(smoke.out))
    answer = adapted.generate(**asked, max_new_tokens=5, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert 1 <= len(answer) <= 5
    answered = tokenizer(example.prompt + example.target, add_special_tokens=False, return_tensors="pt")
    base = AutoModelForCausalLM.from_pretrained(smoke.out / "base")
    labels = answered["input_ids"].clone()
    labels[:, : asked["input_ids"].shape[1]] = -100
    with torch.no_grad():
        before, after = (float(model(**answered, labels=labels).loss) for model in (base, adapted))
    assert after < before - 1


def test_the_first_row_is_shown_with_its_target_in_brackets(smoke: Smoke, demo: Path) -> None:
    row = pq.read_table(demo / "data" / "coalm_it").to_pylist()[0]
    lines = smoke.result.stderr.split("\n")
    shown = "\n".join(lines[lines.index(next(line for line in lines if line.startswith("The first row; "))) + 1 :])
    prompt, _, target = shown.partition("<|end|><|assistant|>[")
    assert prompt.endswith(row["input"])
    assert target.partition("[<|end|>]\n")[0].replace("][", "").removesuffix("]") == row["output"]


def test_run_json_describes_the_training_and_its_data(smoke: Smoke, demo: Path) -> None:
    run = smoke.run
    manifest = json.loads((demo / "manifest.json").read_bytes())
    assert run["config"] == load_training("smoke").model_dump(mode="json")
    assert run["data"] == {
        "recipe": "tod",
        "recipe_version": 1,
        "build": manifest["build"],
        "manifest_sha256": hash_bytes((demo / "manifest.json").read_bytes()),
        "trained_on": ["sgd train", "snips train"],
        "repository": None,
    }
    assert run["files"] == {
        path.relative_to(smoke.out).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_bytes(path.read_bytes())}
        for folder in (smoke.out, smoke.out / "base")
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (".coalm-it-run", "README.md", "run.json")
    }
    assert run["versions"]["trl"] == version("trl")
    assert run["rows"]["train"]["rows"] == 32
    assert (run["steps"], run["epochs"]) == (16, 2)
    trained = 2 * run["rows"]["train"]["tokens"]
    assert trained / run["seconds"] == pytest.approx(run["tokens_per_second"], rel=0.2)
    times = [entry["seconds"] for entry in run["loss"]]
    assert times == sorted(times)
    assert times[-1] <= run["seconds"]


def test_the_readme_of_the_model_describes_the_training(smoke: Smoke) -> None:
    head, _, text = (smoke.out / "README.md").read_text(encoding="utf-8").removeprefix("---\n").partition("---\n")
    assert yaml.safe_load(head) == {
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["coalm-it", "trl", "sft", "lora"],
    }
    assert f"manifest sha256 `{smoke.run['data']['manifest_sha256']}`" in text
    assert f"| loss, first and last | {smoke.run['loss'][0]['loss']:.3f}, {smoke.run['loss'][-1]['loss']:.3f} |" in text
    assert "| rows | 32 in form columns |" in text


def test_no_temporary_files_remain(smoke: Smoke) -> None:
    names = {path.name for path in smoke.out.iterdir()}
    assert names == {
        ".coalm-it-run", "README.md", "adapter_config.json", "adapter_model.safetensors", "base",
        "chat_template.jinja", "checkpoints", "run.json", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_a_finished_training_is_not_repeated(smoke: Smoke) -> None:
    before = (smoke.out / "run.json").stat().st_mtime_ns
    again = CliRunner().invoke(app, [*smoke.command, "--json"])
    assert json.loads(again.stdout) == smoke.run
    assert (smoke.out / "run.json").stat().st_mtime_ns == before


def test_another_training_does_not_go_into_the_same_folder(smoke: Smoke) -> None:
    result = CliRunner().invoke(app, [*smoke.command, "--set", "sft.seed=1"])
    assert result.exit_code == 2
    assert result.stderr == (
        f"coalm-it: {smoke.out} holds another training (other settings or data): name a new folder\n"
    )


# --- resuming ---


class Interruption:
    """A listener that raises KeyboardInterrupt after a number of steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def say(self, line: str) -> None:
        pass

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if done == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_training_ends_like_an_uninterrupted_one(demo: Path, tmp_path: Path) -> None:
    config = load_training("smoke", [*SMALL, "sft.save_steps=2"])
    whole = train(config, data=demo, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(config, data=demo, out=tmp_path / "cut", listener=Interruption(after=5))
    assert not (tmp_path / "cut" / "run.json").exists()
    assert not (tmp_path / "cut" / "adapter_model.safetensors").exists()
    assert (tmp_path / "cut" / "checkpoints" / "checkpoint-4").is_dir()
    resumed = train(config, data=demo, out=tmp_path / "cut")

    def curve(run: dict[str, Any]) -> list[tuple[int, float]]:
        return [(entry["step"], entry["loss"]) for entry in run["loss"]]

    assert len(curve(whole)) == 6
    assert curve(resumed) == curve(whole)
    assert resumed["rows"] == whole["rows"]
    weights = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "cut")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


# --- other ways to train ---


def hold_out(build: Path, out: Path, rows: int) -> Path:
    """A copy of the build whose last rows are validation rows."""
    shutil.copytree(build, out)
    manifest = json.loads((out / "manifest.json").read_bytes())
    for config in ("coalm_it", "samples"):
        (path,) = (out / "data" / config).iterdir()
        held = path.with_name(path.name.replace("train", "validation"))
        table = pq.read_table(path)
        pq.write_table(table.slice(0, len(table) - rows), path)
        pq.write_table(table.slice(len(table) - rows), held)
        for file in (path, held):
            name = file.relative_to(out).as_posix()
            manifest["files"][name] = {"bytes": file.stat().st_size, "sha256": hash_bytes(file.read_bytes())}
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return out


def test_all_weights_are_trained_on_messages_and_validation_rows_are_evaluated(demo: Path, tmp_path: Path) -> None:
    changes = [*SMALL, "rows.limit=4", "lora=null", "rows.form=messages", "rows.validation_limit=2", "sft.eval_steps=1"]
    shown: list[MarkedToken] = []
    run = train(
        load_training("smoke", [*changes, "sft.eval_strategy=steps"]),
        data=hold_out(demo, tmp_path / "build", rows=10),
        out=tmp_path / "model",
        show=shown.extend,
    )
    assert [entry["step"] for entry in run["validation_loss"]] == [0, 1, 2]
    assert {split: count["rows"] for split, count in run["rows"].items()} == {"train": 4, "validation": 2}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "model" / "base")
    assert not torch.equal(model.model.layers[0].mlp.up_proj.weight, base.model.layers[0].mlp.up_proj.weight)
    text = "".join(token.text for token in shown)
    assert text.startswith(("<|tools|>", "<|system|>"))
    assert [token.text for token in shown if token.has_loss][-1] == "<|end|>"
    assert [token.has_loss for token in shown] == sorted(token.has_loss for token in shown)


def test_a_tokenizer_without_a_pad_token_pads_with_its_end_token_and_says_so(
    smoke: Smoke, demo: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(smoke.out / "base", tmp_path / "base"))
    path = base / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pad_token": None}))
    changes = [option for change in [*SMALL, "sft.max_steps=1", f"base={base}"] for option in ("--set", change)]
    command = ["train", "smoke", "--data", str(demo), "--out", str(tmp_path / "model"), *changes]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert f"{base} has no pad token: <|end|> is used; padding has no loss\n" in result.stderr
    assert AutoTokenizer.from_pretrained(tmp_path / "model").pad_token == "<|end|>"


def test_the_module_runs_the_command_for_accelerate(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coalm_it", "train", "smoke", "--data", "nowhere", "--out", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr == "coalm-it: nowhere is neither a build folder nor a repository of the Hub (USER/NAME)\n"
