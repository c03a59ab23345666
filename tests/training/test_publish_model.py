"""A trained model on a local Hub (hub_server.py): what goes up, what its card says, and which folders are refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_server import File, Hub, HubRequest, cut
from huggingface_hub import ModelCard
from peft import AutoPeftModelForCausalLM
from typer.testing import CliRunner, Result

from coalm_it.cli import app
from coalm_it.evaluation.run import evaluate
from coalm_it.pipeline.build import build
from coalm_it.training import load_training, train

pytestmark = pytest.mark.libraries

TOKEN = "hf_adas_secret"
REPO = "ada/sailor"
SHORT = ["rows.limit=4", "sft.per_device_train_batch_size=2", "sft.num_train_epochs=1", "sft.logging_steps=1"]
"""Two steps, with a checkpoint after each."""
MODEL_FILES = {
    "README.md", "adapter_config.json", "adapter_model.safetensors", "base/chat_template.jinja", "base/config.json",
    "base/generation_config.json", "base/model.safetensors", "base/tokenizer.json", "base/tokenizer_config.json",
    "chat_template.jinja", "run.json", "tokenizer.json", "tokenizer_config.json",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with validation rows; read-only."""
    return build("tod", out=tmp_path_factory.mktemp("data") / "tod", changes=["validation=0.2"]).out


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder; read-only."""
    out = tmp_path_factory.mktemp("my own place") / "model"
    train(load_training("smoke", [*SHORT, "rows.validation_limit=2", "sft.save_steps=1"]), data=data, out=out)
    return out


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A model folder to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


@pytest.fixture(scope="module")
def measured(trained: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of its evaluation."""
    out = tmp_path_factory.mktemp("measured") / "held_out"
    evaluate("held_out", data=data, out=out, model=str(trained), changes=["rows=1", "max_tokens=4"])
    return out


def publish(hub: Hub, folder: Path, *options: str | Path) -> Result:
    hub.asked.clear()
    arguments = ["publish", str(folder), "--repo", REPO, "--endpoint", hub.address, *map(str, options)]
    result = CliRunner().invoke(app, arguments)
    assert TOKEN not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def publish_well(hub: Hub, folder: Path, *options: str | Path) -> dict[str, Any]:
    result = publish(hub, folder, "--json", *options)
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def assert_refused(result: Result, code: int, message: str) -> None:
    assert result.exit_code == code, result.output
    complaints = [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]
    assert len(complaints) == 1, result.stderr
    assert re.search(message, complaints[0]), complaints[0]


# --- what goes up ---


def test_a_dry_run_lists_files_and_sizes_and_shows_the_card(hub: Hub, trained: Path, measured: Path) -> None:
    result = publish(hub, trained, "--dry-run", "--data-set", "ada/talks", "--results", measured)
    assert result.exit_code == 0, result.output
    assert hub.asked == []
    listed = re.findall(r"^(\S+)  +(\d+)$", result.stdout, re.MULTILINE)
    assert {name for name, _ in listed} == MODEL_FILES
    total = sum(int(size) for _, size in listed)
    assert re.search(
        rf"^{REPO}, private, tag v1-[0-9a-f]{{8}}: 13 files, {total:,} bytes\. The card:$", result.stdout, re.M
    )
    assert result.stderr == (
        f"next: coalm-it publish '{trained}' --repo {REPO} --data-set ada/talks --results {measured}\n"
    )
    publish_well(hub, trained, "--data-set", "ada/talks", "--results", measured)
    files = hub.models[REPO].files()
    assert files["README.md"].decode().rstrip("\n") in result.stdout
    assert {name: len(content) for name, content in files.items()} == {name: int(size) for name, size in listed}


def test_the_hub_gets_the_model_and_run_json_last(hub: Hub, trained: Path) -> None:
    result = publish(hub, trained)
    assert result.exit_code == 0, result.output
    repo = hub.models[REPO]
    files = repo.files()
    assert hub.repos == {}, "no data set"
    assert repo.private
    assert files.keys() == MODEL_FILES
    for name in MODEL_FILES - {"README.md", "run.json", "adapter_config.json"}:
        assert files[name] == (trained / name).read_bytes()
    listed = json.loads(files.pop("run.json"))["files"]
    assert listed == {name: {"bytes": len(it), "sha256": File(it).sha256} for name, it in files.items()}
    _, before, whole = repo.commits
    assert whole.files.keys() - before.files.keys() == {"run.json"}
    [tag] = repo.tags
    assert result.stdout == f"{hub.address}/{REPO}/tree/{tag} (private): 13 files sent, the others were there already\n"
    assert publish_well(hub, trained)["sent"] == []
    assert {method for method, _ in hub.asked} == {"GET"}
    assert publish_well(hub, trained, "--public")["private"] is False
    assert not repo.private


def test_an_interrupted_upload_is_no_model_and_a_rerun_sends_what_is_missing(hub: Hub, trained: Path) -> None:
    hub.tricks += [("POST", "/commit/", HubRequest.answer), ("POST", "/commit/", cut)]
    assert publish(hub, trained).exit_code == 3
    assert "run.json" not in hub.models[REPO].files()
    assert hub.models[REPO].tags == {}
    assert publish_well(hub, trained)["sent"] == ["run.json"]
    assert hub.sent() == []
    assert hub.models[REPO].files().keys() == MODEL_FILES


def test_another_version_replaces_the_first(hub: Hub, trained: Path, measured: Path) -> None:
    first = publish_well(hub, trained)
    second = publish_well(hub, trained, "--results", measured)
    assert second["sent"] == ["README.md", "run.json"]
    repo = hub.models[REPO]
    assert repo.tags.keys() == {first["tag"], second["tag"]}
    assert b"## Measured" not in repo.files(first["tag"])["README.md"]


def test_files_that_are_not_the_model_stay_here(hub: Hub, model: Path) -> None:
    (model / "notes.json").write_text("{}")
    publish_well(hub, model)
    assert hub.models[REPO].files().keys() == MODEL_FILES


def test_a_model_of_an_earlier_version_whose_run_json_lists_no_files(hub: Hub, model: Path) -> None:
    run = json.loads((model / "run.json").read_bytes())
    del run["files"], run["data"]["repository"]
    (model / "run.json").write_text(json.dumps(run))
    publish_well(hub, model)
    assert hub.models[REPO].files().keys() == MODEL_FILES


def test_a_repository_that_holds_something_else_is_left_alone(hub: Hub, trained: Path) -> None:
    hub.add_repo(REPO, kind="model", README__md="---\ntags: [poems]\n---\n", weights__bin="O")
    assert_refused(publish(hub, trained), 2, "holds something other than a model of coalm-it: use another name$")


# --- the card ---


def read_head(card: str) -> dict[str, Any]:
    """Its metadata, as huggingface_hub reads them."""
    head: dict[str, Any] = vars(ModelCard(card).data)
    return {key: value for key, value in head.items() if value is not None}


def test_the_hub_reads_data_set_and_results_in_the_card(
    hub: Hub, trained: Path, measured: Path, tmp_path: Path
) -> None:
    publish_well(hub, trained, "--data-set", "ada/talks", "--results", measured)
    content = hub.models[REPO].files()["README.md"].decode()
    (tmp_path / "README.md").write_text(content, encoding="utf-8")
    card = ModelCard.load(tmp_path / "README.md")
    head = read_head(content)
    assert head["datasets"] == ["ada/talks"]
    assert head["library_name"] == "peft"
    assert head["tags"] == ["coalm-it", "trl", "sft", "lora"]
    assert "base_model" not in head, "tiny is not on the Hub"
    assert card.data.model_name == "sailor"
    results = json.loads((measured / "results.json").read_bytes())
    rows = [row for row in results["metrics"] if row["value"] is not None]
    read = card.data.eval_results
    assert [(one.metric_type, one.metric_value) for one in read] == [(row["metric"], row["value"]) for row in rows]
    assert {one.dataset_type for one in read} == {"ada/talks"}
    assert {one.dataset_name for one in read} >= {"tod: all", "tod: snips, state_tracking"}
    for row in rows:
        name = row["metric"].replace("_", r"\_")
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        assert f"| {name} | {row['n']} | {row['value']:.3f} | {interval} |" in card.text


def test_the_data_set_is_known_if_the_model_was_trained_on_one_of_the_hub(hub: Hub, model: Path) -> None:
    run = json.loads((model / "run.json").read_bytes())
    run["data"]["repository"] = "ada/talks"
    (model / "run.json").write_text(json.dumps(run))
    publish_well(hub, model)
    files = hub.models[REPO].files()
    assert read_head(files["README.md"].decode())["datasets"] == ["ada/talks"]
    publish_well(hub, model, "--data-set", "ada/moved")
    files = hub.models[REPO].files()
    assert read_head(files["README.md"].decode())["datasets"] == ["ada/moved"]
    assert json.loads(files["run.json"])["data"]["repository"] == "ada/moved"


def test_a_base_of_the_hub_is_linked(hub: Hub, model: Path) -> None:
    run = json.loads((model / "run.json").read_bytes())
    run |= {"base": "ada/base", "base_is_folder": False, "config": {**run["config"], "base": "ada/base"}}
    (model / "run.json").write_text(json.dumps(run))
    publish_well(hub, model)
    card = hub.models[REPO].files()["README.md"].decode()
    head = read_head(card)
    assert (head["base_model"], head["base_model_relation"]) == ("ada/base", "adapter")
    assert f'AutoPeftModelForCausalLM.from_pretrained("{REPO}")' in card
    assert "base/config.json" not in hub.models[REPO].files()


def test_no_path_of_this_machine_is_published(hub: Hub, trained: Path, data: Path, tmp_path: Path) -> None:
    place = tmp_path / "private folder" / "clients"
    base = Path(shutil.copytree(trained / "base", place / "granite"))
    template = Path(shutil.copyfile(trained / "chat_template.jinja", place / "mine.jinja"))
    changes = [*SHORT, "sft.max_steps=1", "rows.validation_limit=1", "sft.save_steps=1", f"base={base}"]
    out = place / "model"
    train(load_training("smoke", [*changes, f"sft.chat_template_path={template}"]), data=data, out=out)
    publish_well(hub, out, "--with-checkpoints")
    repo = hub.models[REPO]
    for revision in ("main", "checkpoint-1"):
        files = repo.files(revision)
        for name, content in files.items():
            assert b"private folder" not in content, name
            assert b"clients" not in content, name
        assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == "granite"
        run = json.loads(files["run.json"])
        assert (run["config"]["base"], run["config"]["sft"]["chat_template_path"]) == ("granite", "mine.jinja")
        assert b"A LoRA adapter of `granite`" in files["README.md"]


def test_a_model_with_all_weights_trained_needs_no_base(hub: Hub, data: Path, tmp_path: Path) -> None:
    changes = [*SHORT, "sft.max_steps=1", "rows.validation_limit=1", "lora=null"]
    train(load_training("smoke", changes), data=data, out=tmp_path / "model")
    publish_well(hub, tmp_path / "model")
    files = hub.models[REPO].files()
    assert files["model.safetensors"] == (tmp_path / "model" / "model.safetensors").read_bytes()
    assert not any(name.startswith("base/") for name in files)
    card = files["README.md"].decode()
    assert read_head(card)["library_name"] == "transformers"
    assert f'AutoModelForCausalLM.from_pretrained("{REPO}")' in card


# --- checkpoints ---


def test_checkpoints_are_branches(hub: Hub, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = publish_well(hub, trained, "--with-checkpoints")
    repo = hub.models[REPO]
    assert repo.branches.keys() == {"checkpoint-1", "checkpoint-2"}
    assert "checkpoint-1:adapter_model.safetensors" in said["sent"]
    weights = [
        repo.files(revision)["adapter_model.safetensors"] for revision in ("checkpoint-1", "checkpoint-2", "main")
    ]
    assert weights[0] == (trained / "checkpoints" / "checkpoint-1" / "adapter_model.safetensors").read_bytes()
    assert weights[0] != weights[1] == weights[2]
    files = repo.files("checkpoint-1")
    assert files.keys() == MODEL_FILES, "nothing that only the trainer needs"
    assert json.loads(files["run.json"])["checkpoint"] == 1
    assert b"This is the checkpoint after step 1 of 2" in files["README.md"]
    assert b"Checkpoints are branches: `checkpoint-1`, `checkpoint-2`." in repo.files()["README.md"]
    assert publish_well(hub, trained, "--with-checkpoints")["sent"] == []

    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    assert AutoPeftModelForCausalLM.from_pretrained(".").active_adapter == "default"


def test_checkpoints_may_follow_later(hub: Hub, trained: Path) -> None:
    publish_well(hub, trained)
    said = publish_well(hub, trained, "--with-checkpoints")
    assert "checkpoint-1:run.json" in said["sent"]
    assert "checkpoint-2:adapter_model.safetensors" not in said["sent"], "as on main, where the branch begins"
    assert hub.models[REPO].files("checkpoint-1").keys() == MODEL_FILES


def test_a_dry_run_lists_the_branches(hub: Hub, trained: Path) -> None:
    said = publish_well(hub, trained, "--with-checkpoints", "--dry-run")
    assert said["branches"].keys() == {"checkpoint-1", "checkpoint-2"}
    assert {one["file"] for one in said["branches"]["checkpoint-1"]} == MODEL_FILES


# --- what is refused ---


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def list_file(out: Path, name: str, entry: dict[str, Any]) -> None:
    (out.parent / "secret").write_text("mine")
    run = json.loads((out / "run.json").read_bytes())
    (out / "run.json").write_text(json.dumps({**run, "files": {**run["files"], name: entry}}))


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda out: (out / "run.json").unlink(), [], r"is not a finished model: it has no run\.json; the same"),
        (lambda out: (out / "run.json").write_text('["'), [], r"/run\.json is not the run\.json of a training"),
        (lambda out: (out / "run.json").write_text('{"name": "x"}'), [], r"is not the run\.json of a training"),
        (lambda out: (out / "adapter_model.safetensors").unlink(), [], r"adapter_model\.safetensors is missing: run"),
        (lambda out: list_file(out, "../secret", {"sha256": "x"}), [], r"/secret is missing: run\.json lists it$"),
        (lambda out: list_file(out, "more.json", {}), [], r"is not the run\.json of a training by coalm-it$"),
        (lambda out: change(out / "adapter_model.safetensors"), [], r"is not the file that was trained: its sha"),
        (lambda out: shutil.rmtree(out / "checkpoints"), ["--with-checkpoints"], r"has no checkpoints: sft"),
        (
            lambda out: (out / "checkpoints/checkpoint-1/adapter_model.safetensors").unlink(),
            ["--with-checkpoints"],
            r"checkpoint-1 has no weights that can be loaded: adapter_config\.json and \*\.safetensors are expected$",
        ),
        (shutil.rmtree, [], r"is neither a finished build \(no manifest\.json\) nor a finished model \(no run"),
        (lambda out: None, ["--with-rejects"], r"--with-rejects is for builds, and .* is a model$"),
        (lambda out: None, ["--data-set", "talks"], r"'talks' is not a repository name: write it as USER/NAME$"),
        (lambda out: None, ["--results", "nowhere"], r"nowhere has no results\.json: name a folder that `coalm-it"),
    ],
)  # fmt: skip
def test_a_folder_or_an_option_that_is_wrong_is_one_line(
    hub: Hub, model: Path, spoil: Callable[[Path], object], options: list[str], message: str
) -> None:
    spoil(model)
    assert_refused(publish(hub, model, *options), 2, message)
    assert_refused(publish(hub, model, "--dry-run", *options), 2, message)
    assert hub.asked == []


def test_options_of_models_are_refused_for_a_build(hub: Hub, data: Path) -> None:
    result = publish(hub, data, "--results", "x", "--with-checkpoints")
    assert_refused(result, 2, r"--results, --with-checkpoints: only for models, and .* is a build$")


def test_results_of_another_model_are_refused(hub: Hub, model: Path, measured: Path, tmp_path: Path) -> None:
    publish_well(hub, model, "--results", measured)  # a copy of the model that was measured
    results = json.loads((measured / "results.json").read_bytes())
    for name, message in ((str(tmp_path), "not of"), ("tiny", "are those of tiny, not of .*: evaluate this model$")):
        (tmp_path / "results.json").write_text(json.dumps({**results, "model": name}))
        assert_refused(publish(hub, model, "--results", tmp_path), 2, message)
    (tmp_path / "results.json").write_text(json.dumps({**results, "model": "as served elsewhere"}))
    publish_well(hub, model, "--results", tmp_path)
    for content, message in (
        ("{", "is not JSON"),
        ("{}", r"is not what `coalm-it eval` writes: missing keys 'evaluat"),
    ):
        (tmp_path / "results.json").write_text(content)
        assert_refused(publish(hub, model, "--results", tmp_path), 2, message)
