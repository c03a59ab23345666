"""Creates an environment for each peer from the requirements file beside its module in peers/, and keeps it."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from processes import HERE, Client

PEERS = {
    "datatrove": "datatrove",
    "curator": "Curator",
    "sdg_hub": "SDG Hub",
    "data_designer": "Data Designer",
    "distilabel": "distilabel",
}
"""Module -> name of the library."""
QUIET = {
    "TELEMETRY_ENABLED": "false",  # Curator
    "NEMO_TELEMETRY_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_API_KEY": "none",
    "PYTHONPATH": str(HERE),
}
"""Environment variables: no telemetry, no access to the network."""
THROUGH = ("openai", "litellm", "httpx", "aiohttp")


class PeerError(Exception):
    """A peer cannot be installed; one line."""


def make_peer(name: str, folder: Path) -> Client:
    """The peer, installed under `folder`. Raises PeerError."""
    requirements = HERE / "peers" / f"{name}.txt"
    python = folder / name / "bin" / "python"
    installed = folder / name / "requirements.txt"
    if not installed.is_file() or installed.read_text() != requirements.read_text():
        print(f"installing {name} ...", file=sys.stderr)
        venv.create(folder / name, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", "--requirement", str(requirements)]
        got = subprocess.run(command, capture_output=True, text=True)
        if got.returncode:
            said = [line for line in got.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise PeerError(f"cannot be installed: {said[-1]}")
        installed.write_text(requirements.read_text())
    return Client(PEERS[name], (str(python), "-m", f"peers.{name}"), tuple(QUIET.items()))


def read_versions(peer: Client) -> str:
    """The versions of the peer and of its HTTP and API packages."""
    python, _, module = peer.command
    requirements = (HERE / "peers" / f"{module.rpartition('.')[2]}.txt").read_text().splitlines()
    pinned = next(line.partition("==")[0].partition("[")[0] for line in requirements if "==" in line)
    frozen = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    lines = (line.partition("==") for line in frozen.splitlines())
    versions = {one.lower().replace("_", "-"): found for one, _, found in lines}
    through = [f"{one} {versions[one]}" for one in THROUGH if one in versions]
    return f"{pinned} {versions.get(pinned, '?')} ({', '.join(through)})"
