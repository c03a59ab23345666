"""What needs an extra says in one line which, before it does anything; nothing else needs one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from coalm_it.extras import EXTRAS, SIZES

MODEL = ["--set", "reasoning.writer=annotate", "--set", "reasoning.model=small"]
OUT = ["--out", "out"]
ENDPOINT = ["--base-url", "http://127.0.0.1:9/v1", "--model-name", "small"]


def run_without(missing: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process in which the modules cannot be imported."""
    hidden = "".join(f"sys.modules[{name!r}] = None; " for name in missing.split())
    code = f"import sys; {hidden}from coalm_it.cli import app; app()"
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("missing", "arguments", "line"),
    [
        ("trl peft", ["train", "smoke", "--data", "none", *OUT], "training a model needs peft, trl: [train]"),
        ("torch", ["verify", "tod", "--base", "none", *OUT], "verifying a mix needs torch: [train]"),
        ("openai", ["build", "tod", *MODEL, *OUT], "having a model write thoughts needs openai: [llm]"),
        (
            "json_repair",
            ["build", "tod", *MODEL, *OUT, "--offline"],
            "having a model write thoughts needs json_repair: [llm]",
        ),
        (
            "aiohttp openai",
            ["build", "tod", *MODEL, "--preview", "2"],
            "having a model write thoughts needs aiohttp, openai: [llm]",
        ),
        ("genai_prices", ["estimate", "tod", *MODEL], "estimating a cost needs genai_prices: [llm]"),
        ("openai", ["eval", "bfcl", "--data", "none", *OUT, *ENDPOINT], "asking an endpoint needs openai: [llm]"),
        (
            "torch transformers",
            ["eval", "bfcl", "--data", "none", *OUT, "--model", "tiny"],
            "running a model needs torch, transformers: [train]",
        ),
        ("tokenizers", ["stats", "none", "--tokenizer", "none"], "counting tokens needs tokenizers: [tokens]"),
        (
            "tokenizers",
            ["build", "tod", *OUT, "--set", "parts.sgd.max_tokens={tokenizer: none, at_most: 9}"],
            "counting tokens needs tokenizers: [tokens]",
        ),
        ("huggingface_hub", ["publish", "none", "--repo", "ada/tod"], "publishing needs huggingface_hub: [hub]"),
        (
            "huggingface_hub",
            ["fetch", "mine.yaml", "--data", "corpora"],
            "downloading from the Hub needs huggingface_hub: [hub]",
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_a_missing_extra_is_one_line_before_any_work(
    missing: str, arguments: list[str], line: str, tmp_path: Path
) -> None:
    source = yaml.safe_load((Path(__file__).parents[1] / "sources" / "xlam.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**source, "name": "mine"}))
    ran = run_without(missing, tmp_path, *arguments)
    needs, extra = line.removesuffix("]").split(" [")
    install = f"pip install 'coalm-it[{extra}]', or '.[{extra}]' in a checkout"
    assert re.fullmatch(re.escape(f"coalm-it: {needs} {install} (") + r"[\d.]+ [GM]B.*\)\n", ran.stderr)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_sizes_are_those_of_the_first_page() -> None:
    """The page gives the whole with everything that it needs, the line what the extra adds to the core."""
    page = (Path(__file__).parents[1] / "docs" / "index.md").read_text(encoding="utf-8")
    core, hub, llm, tokens = (
        int(size) for size in re.findall(r"^\| `pip install .*\| (\d+) MB \|$", page, re.MULTILINE)
    )
    assert [SIZES[one] for one in ("hub", "llm", "tokens")] == [f"{one - core} MB" for one in (hub, llm, tokens)]
    for size in re.findall(r"\| ([\d.]+ GB) \|$", page, re.MULTILINE):
        assert size in SIZES["train"]


def test_an_estimate_without_a_model_asks_for_no_package(tmp_path: Path) -> None:
    ran = run_without("genai_prices json_repair", tmp_path, "estimate", "tod")
    assert ran.returncode == 2
    assert ran.stderr == (
        "coalm-it: tod: no model writes thoughts: --set reasoning.writer=annotate --set reasoning.model=NAME\n"
    )


def test_what_needs_no_extra_works_without_any(tmp_path: Path) -> None:
    every = " ".join(module for modules in EXTRAS.values() for module in modules)
    ran = run_without(every, tmp_path, "build", "tod", *OUT, "--workers", "1")
    assert ran.returncode == 0, ran.stderr
    priced = ["estimate", "tod", *MODEL, "--ledger", "a.sqlite", "--set", "reasoning.price={input: 1, output: 2}"]
    ran = run_without("genai_prices openai aiohttp", tmp_path, *priced, "--workers", "1")
    assert ran.returncode == 0, ran.stderr


def test_the_hubs_library_tells_none_of_its_retries() -> None:
    get = "hub.utils.http_backoff('GET', 'http://127.0.0.1:9', max_retries=1, base_wait_time=0.01)"
    code = f"from coalm_it.extras import import_hub; hub = import_hub('a test'); {get}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Connection refused" in ran.stderr
    assert "Retry" not in ran.stderr
