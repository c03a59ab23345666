"""The inputs of a training: the files of train/, the rows of a build, their tokens; and wrong inputs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from typer.testing import CliRunner

from coalm_it.assets import list_assets
from coalm_it.cli import app
from coalm_it.configs import ConfigError
from coalm_it.dataset.finished import open_build
from coalm_it.files import hash_bytes
from coalm_it.listener import Silent
from coalm_it.rendering.chat import tokenize_examples, write_example
from coalm_it.training.config import RowSelection, build_arguments, load_training
from coalm_it.training.folder import ModelFolder, ModelFolderError, claim_model_folder
from coalm_it.training.rows import Row, read_rows
from coalm_it.training.tiny import make_tiny
from coalm_it.training.tokens import RowsError, SplitCounts, write_tokens

pytestmark = pytest.mark.libraries


@pytest.fixture(scope="module")
def tiny(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base, made from the rows of the demo."""
    folder = tmp_path_factory.mktemp("tiny") / "base"
    make_tiny(folder, read_rows(open_build(demo), RowSelection(), "train"), seed=1)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> PreTrainedTokenizerBase:
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(tiny)
    return loaded


# --- the files of train/ ---


@pytest.mark.parametrize("name", [path.stem for path in list_assets("train", ".yaml")])
def test_each_training_of_the_package_is_what_the_libraries_take(name: str, tmp_path: Path) -> None:
    config = load_training(name, ["sft.use_cpu=true"])  # bf16 without a GPU
    arguments = build_arguments(config, tmp_path, validates=True)
    assert config.name == name
    assert arguments.lora
    assert arguments.sft.dataset_kwargs == {"skip_prepare_dataset": True}
    assert arguments.sft.eval_strategy == "epoch"


@pytest.mark.parametrize(
    ("name", "rate", "epochs", "a_device"), [("8b", 1e-4, 3, 1), ("70b", 1e-4, 3, 1), ("405b", 1e-4, 1, 2)]
)
def test_the_sizes_of_the_paper_have_its_settings(
    name: str, rate: float, epochs: int, a_device: int, tmp_path: Path
) -> None:
    config = load_training(f"coalm_{name}", ["sft.use_cpu=true"])
    arguments = build_arguments(config, tmp_path, validates=False)
    sft, lora = arguments.sft, arguments.lora
    assert lora
    assert (sft.learning_rate, sft.num_train_epochs, sft.per_device_train_batch_size) == (rate, epochs, a_device)
    assert (sft.warmup_steps, sft.weight_decay, sft.max_grad_norm, sft.max_length) == (0.1, 0.01, 10, 4096)
    assert (lora.r, lora.lora_alpha) == (16, 32)
    assert bool(sft.fsdp) == (name != "8b")
    quantization = arguments.quantization
    assert (quantization is not None) == (name == "405b")
    assert quantization is None or (quantization.load_in_4bit and quantization.bnb_4bit_quant_type == "nf4")


def test_yaml_values_are_converted_to_the_type_of_the_library(tmp_path: Path) -> None:
    config = load_training("smoke", ["sft.learning_rate=1e-4", "sft.save_strategy=no"])
    assert (config.sft["learning_rate"], config.sft["save_strategy"]) == ("1e-4", False)
    sft = build_arguments(config, tmp_path, validates=False).sft
    assert (sft.learning_rate, sft.save_strategy) == (0.0001, "no")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rows.fom=columns", "smoke.yaml: unknown key 'rows.fom'; did you mean 'form'?"),
        ("rows.form=text", "smoke.yaml: rows.form: should be 'columns' or 'messages' (found 'text')"),
        (
            "rows.thoughts=false",
            "smoke.yaml: rows: thoughts can only be set for form messages; in form columns the recipe decides",
        ),
        ("sft.lerning_rate=1", "unknown key 'sft.lerning_rate'; did you mean 'learning_rate'?"),
        ("lora.rank=1", "unknown key 'lora.rank'; there are: "),
        ("quantization.load_in4bit=true", "unknown key 'quantization.load_in4bit'; did you mean 'load_in_4bit'?"),
        ("sft.learning_rate=fast", "sft.learning_rate: should be a number"),
        ("sft.save_strategy=often", "sft: often is not a valid SaveStrategy"),
        ("sft.output_dir=there", "sft.output_dir cannot be set: the option --out sets it"),
        (
            "sft.assistant_only_loss=true",
            "sft.assistant_only_loss cannot be set: the loss is always on the target",
        ),
        ("sft.packing=true", "sft.packing needs FlashAttention (model_init_kwargs), or rows attend to each other"),
        ("sft.bf16=true", "sft: Your setup doesn't support bf16/gpu"),
    ],
)
def test_a_wrong_setting_is_one_line(change: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        build_arguments(load_training("smoke", [change]), tmp_path, validates=False)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


# --- rows ---


def test_rows_of_both_forms_are_in_the_order_of_the_build(demo: Path) -> None:
    samples = pq.read_table(demo / "data" / "samples").to_pylist()
    columns = pq.read_table(demo / "data" / "coalm_it").to_pylist()
    for form, thoughts in (("columns", None), ("messages", True)):
        rows = list(read_rows(open_build(demo), RowSelection(form=form, thoughts=thoughts), "train"))
        assert [row.id for row in rows] == [sample["id"] for sample in samples]
        for row, sample, texts in zip(rows, samples, columns, strict=True):
            target = row.conversation.messages[-1]
            if form == "columns":
                assert target["content"] == texts["output"]
            else:
                assert target.get("reasoning_content") == sample["thought"]


def test_rows_are_selected_by_part_and_limit(demo: Path) -> None:
    samples = pq.read_table(demo / "data" / "samples").to_pylist()
    snips = [sample["id"] for sample in samples if sample["part"] == "snips"]
    rows = read_rows(open_build(demo), RowSelection(parts=("snips",), limit=20), "train")
    assert [row.id for row in rows] == snips[:20]


# --- tokens ---


def read_stream(path: Path) -> list[dict[str, list[int]]]:
    with pa.memory_map(str(path)) as file:
        rows: list[dict[str, list[int]]] = pa.ipc.open_stream(file).read_all().to_pylist()
        return rows


def count_tokens(
    path: Path, rows: Iterable[Row], tokenizer: PreTrainedTokenizerBase, max_length: int | None, **drop: bool
) -> SplitCounts:
    return write_tokens(path, rows, tokenizer, max_length, Silent(), **drop)


@pytest.mark.parametrize("form", ["columns", "messages"])
def test_labels_are_the_tokens_of_the_target_only(
    form: Any, demo: Path, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows = list(read_rows(open_build(demo), RowSelection(form=form, limit=60), "train"))
    count = count_tokens(tmp_path / "train.arrow", rows, tokenizer, None)
    written = read_stream(tmp_path / "train.arrow")
    assert count.rows == len(written) == 60
    for row, tokens in zip(rows, written, strict=True):
        example = write_example(row.conversation, tokenizer)
        with_loss = [label for label in tokens["labels"] if label != -100]
        assert tokens["labels"] == [-100] * (len(tokens["labels"]) - len(with_loss)) + with_loss
        assert tokens["input_ids"][-len(with_loss) :] == with_loss
        assert tokenizer.decode(with_loss) == example.target
        assert tokenizer.decode(tokens["input_ids"]) == example.prompt + example.target
    assert count.tokens == sum(len(tokens["input_ids"]) for tokens in written)
    assert count.target_tokens == sum(label != -100 for tokens in written for label in tokens["labels"])


@pytest.fixture
def three(demo: Path, tokenizer: PreTrainedTokenizerBase) -> tuple[list[Row], list[int]]:
    """Three rows of different lengths, the longest in the middle, and their tokens."""
    rows = list(read_rows(open_build(demo), RowSelection(limit=40), "train"))
    tokens = tokenize_examples([write_example(row.conversation, tokenizer) for row in rows], tokenizer)
    sizes = {len(one.ids): row for row, one in zip(rows, tokens, strict=True)}
    short, middle, long = (sorted(sizes)[place] for place in (0, 20, -1))
    return [sizes[size] for size in (short, long, middle)], [short, long, middle]


def test_a_row_of_exactly_max_length_is_used_in_full(
    three: tuple[list[Row], list[int]], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows, sizes = three
    count = count_tokens(tmp_path / "train.arrow", rows, tokenizer, sizes[1])
    assert [len(tokens["input_ids"]) for tokens in read_stream(tmp_path / "train.arrow")] == sizes
    assert (count.rows, count.too_long, count.longest, count.longest_id) == (3, 0, sizes[1], rows[1].id)


def test_a_row_one_token_longer_than_max_length_is_refused(
    three: tuple[list[Row], list[int]], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows, sizes = three
    with pytest.raises(RowsError) as caught:
        count_tokens(tmp_path / "train.arrow", rows, tokenizer, sizes[1] - 1)
    assert str(caught.value) == (
        f"train: 1 of 3 rows are longer than max_length {sizes[1] - 1:,} (longest: {sizes[1]:,} tokens,"
        f" {rows[1].id}); raise sft.max_length, or leave them out: --drop-long"
    )
    assert list(tmp_path.iterdir()) == []


def test_long_rows_can_be_left_out(
    three: tuple[list[Row], list[int]], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    rows, sizes = three
    count = count_tokens(tmp_path / "train.arrow", rows, tokenizer, sizes[1] - 1, drop_long=True)
    assert [len(tokens["input_ids"]) for tokens in read_stream(tmp_path / "train.arrow")] == [sizes[0], sizes[2]]
    assert (count.rows, count.too_long, count.longest) == (2, 1, sizes[1])
    again = count_tokens(tmp_path / "train.arrow", iter(()), tokenizer, sizes[1] - 1, drop_long=True)
    assert again == count, "existing tokens are not written again"


def test_no_row_left_is_an_error(
    three: tuple[list[Row], list[int]], tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    with pytest.raises(RowsError, match=r"^train: no row is left of 3$"):
        count_tokens(tmp_path / "train.arrow", three[0], tokenizer, 10, drop_long=True)


def test_rows_that_the_template_does_not_render_completely_are_refused_or_left_out(
    demo: Path, tiny: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    rows = list(read_rows(open_build(demo), RowSelection(form="messages", limit=60), "train"))
    states = [row for row in rows if row.id.endswith("state_tracking")]
    with pytest.raises(RowsError, match=r"rows are not rendered completely \(.*leaves out .*: --drop-unfit$"):
        count_tokens(tmp_path / "train.arrow", rows, tokenizer, None)
    count = count_tokens(tmp_path / "train.arrow", rows, tokenizer, None, drop_unfit=True)
    assert (count.rows, count.unfit, sum(count.reasons.values())) == (len(states), 60 - len(states), 60 - len(states))


# --- the model folder ---


def test_the_last_complete_checkpoint_is_found(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    assert folder.find_checkpoint() is None
    for step, state in ((20, "{}"), (100, "{}"), (120, '{"cut o')):
        (folder.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
        (folder.checkpoints / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    (folder.checkpoints / "checkpoint-140").mkdir()
    assert folder.find_checkpoint() == folder.checkpoints / "checkpoint-100"


def test_a_damaged_marker_is_that_of_another_training(tmp_path: Path) -> None:
    folder = claim_model_folder(tmp_path / "model", {})
    (tmp_path / "model" / ".coalm-it-run").write_bytes(bytes(range(256)))
    claim_model_folder(tmp_path / "model", {})
    folder.checkpoints.mkdir()
    (tmp_path / "model" / ".coalm-it-run").write_bytes(b"\xff")
    with pytest.raises(ModelFolderError, match="holds another training"):
        claim_model_folder(tmp_path / "model", {})


def test_a_folder_is_one_training_from_its_first_checkpoint_on(tmp_path: Path) -> None:
    folder = claim_model_folder(tmp_path / "model", {"drop_long": False})
    folder.base.mkdir()
    claim_model_folder(tmp_path / "model", {"drop_long": False})
    assert folder.base.is_dir()
    claim_model_folder(tmp_path / "model", {"drop_long": True})
    assert not folder.base.exists()
    folder.checkpoints.mkdir()
    claim_model_folder(tmp_path / "model", {"drop_long": True})
    with pytest.raises(ModelFolderError, match="holds another training"):
        claim_model_folder(tmp_path / "model", {"drop_long": False})


# --- bad input: one line each ---


def run_train(data: Path, out: Path, *options: str) -> tuple[int, list[str]]:
    """Exit code, and the lines of the command itself on stderr."""
    result = CliRunner().invoke(app, ["train", "smoke", "--data", str(data), "--out", str(out), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, [line for line in result.stderr.splitlines() if line.startswith("coalm-it: ")]


@pytest.fixture
def copied(demo: Path, tmp_path: Path) -> Path:
    """A build to damage."""
    return Path(shutil.copytree(demo, tmp_path / "build"))


def forget_files(build: Path, start: str) -> None:
    """Removes files from the manifest of a build."""
    path = build / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"] = {name: file for name, file in manifest["files"].items() if not name.startswith(start)}
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_a_folder_without_manifest_is_no_data_set(copied: Path, tmp_path: Path) -> None:
    (copied / "manifest.json").unlink()
    line = f"coalm-it: {copied} is not a finished build: it has no manifest.json"
    assert run_train(copied, tmp_path / "model") == (2, [line])


def test_a_broken_manifest_is_one_line(copied: Path, tmp_path: Path) -> None:
    (copied / "manifest.json").write_text('{"files": []')
    line = f"coalm-it: {copied}/manifest.json is not JSON; build it again"
    assert run_train(copied, tmp_path / "model") == (2, [line])


def test_a_form_that_the_data_lacks(copied: Path, tmp_path: Path) -> None:
    forget_files(copied, "data/coalm_it/")
    line = f"coalm-it: {copied} has no rows of config coalm_it, which form columns needs; it has: dialogues, samples"
    assert run_train(copied, tmp_path / "model") == (2, [line])


def test_a_part_that_the_data_lacks(demo: Path, tmp_path: Path) -> None:
    line = f"coalm-it: {demo} has no part 'snps'; did you mean 'snips'?"
    assert run_train(demo, tmp_path / "model", "--set", "rows.parts=[snps]") == (2, [line])


def test_a_file_that_has_changed_since_it_was_built(copied: Path, tmp_path: Path) -> None:
    (shard,) = (copied / "data" / "coalm_it").iterdir()
    shard.write_bytes(shard.read_bytes() + b"!")
    line = f"coalm-it: {shard} is not the file that was built: its sha256 has changed; build it again"
    assert run_train(copied, tmp_path / "model") == (2, [line])
    shard.unlink()
    assert run_train(copied, tmp_path / "model") == (
        2,
        [f"coalm-it: {shard} is missing: manifest.json lists it; build it again"],
    )


def test_a_folder_with_other_content_is_refused(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    line = f"coalm-it: {tmp_path} has other content (no .coalm-it-run): name an empty or a new folder"
    assert run_train(demo, tmp_path) == (2, [line])


def test_a_base_folder_that_does_not_exist(demo: Path, tmp_path: Path) -> None:
    base = tmp_path / "nowhere"
    line = f"coalm-it: no model {base}: no such folder, and not a name on the Hub (USER/NAME)"
    assert run_train(demo, tmp_path / "model", "--set", f"base={base}") == (2, [line])


def test_a_base_folder_without_a_model(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    line = f"coalm-it: {tmp_path}/empty is not a model: the folder has no config.json and no adapter_config.json"
    assert run_train(demo, tmp_path / "model", "--set", f"base={tmp_path / 'empty'}") == (2, [line])


def test_a_hub_that_cannot_be_reached(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # as the variable of that name sets it
    code, lines = run_train(demo, tmp_path / "model", "--set", "base=nobody/nothing")
    assert code == 3
    assert len(lines) == 1
    assert lines[0].startswith("coalm-it: no folder nobody/nothing, and the Hub cannot be reached: ")


def change_tokenizer(tiny: Path, folder: Path, **settings: Any) -> Path:
    """A copy of the tiny base with other settings of its tokenizer."""
    shutil.copytree(tiny, folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    return folder


def test_messages_need_a_chat_template(demo: Path, tiny: Path, tmp_path: Path) -> None:
    base = change_tokenizer(tiny, tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    options = ("--set", f"base={base}", "--set", "rows.form=messages")
    line = f"coalm-it: {base} has no chat template, which form messages needs: set sft.chat_template_path"
    assert run_train(demo, tmp_path / "model", *options) == (2, [line])
    line = "coalm-it: sft.chat_template_path: no file there.jinja"
    assert run_train(demo, tmp_path / "other", *options, "--set", "sft.chat_template_path=there.jinja") == (2, [line])


def test_a_tokenizer_with_neither_pad_nor_end_token(demo: Path, tiny: Path, tmp_path: Path) -> None:
    base = change_tokenizer(tiny, tmp_path / "base", pad_token=None, eos_token=None)
    line = f"coalm-it: the tokenizer of {base} has neither a pad token nor an end token"
    assert run_train(demo, tmp_path / "model", "--set", f"base={base}") == (2, [line])


def test_a_max_length_that_leaves_no_row(demo: Path, tmp_path: Path) -> None:
    code, lines = run_train(demo, tmp_path / "model", "--set", "sft.max_length=20")
    assert code == 1
    assert lines[0].startswith("coalm-it: train: 32 of 32 rows are longer than max_length 20 ")
    line = "coalm-it: train: no row is left of 32"
    assert run_train(demo, tmp_path / "model", "--set", "sft.max_length=20", "--drop-long") == (1, [line])


def test_the_hash_of_a_build_is_that_of_its_manifest(demo: Path) -> None:
    assert open_build(demo).sha256 == hash_bytes((demo / "manifest.json").read_bytes())
