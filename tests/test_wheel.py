"""What people install: the wheel, in an environment that knows nothing of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of a fresh environment with the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, CHECKOUT)
    [wheel] = folder.glob("coalm_it-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    pip("--python", environment, "install", "--no-compile", "-c", CHECKOUT / "constraints.txt", wheel)
    return environment / "bin"


def run_away(command: list[str | Path], folder: Path) -> str:
    """Runs in `folder`, with neither the checkout's modules nor the user's settings in sight."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_wheel_builds_a_data_set_from_the_bundled_samples(binaries: Path, tmp_path: Path) -> None:
    run_away([binaries / "coalm-it", "build", "tod", "--out", tmp_path / "out"], tmp_path)
    count = (
        "import sys, pyarrow.dataset\nprint(*(pyarrow.dataset.dataset(folder).count_rows() for folder in sys.argv[1:]))"
    )
    folders = [tmp_path / "out" / "data" / config for config in ("coalm_it", "samples")]
    rows, samples = run_away([binaries / "python", "-c", count, *folders], tmp_path).split()
    assert int(rows) == int(samples) > 70


def test_the_wheel_carries_every_asset_of_the_checkout(binaries: Path, tmp_path: Path) -> None:
    listing = (
        "from coalm_it.assets import asset, list_assets\n"
        "for kind in 'eval', 'recipes', 'sources', 'templates', 'train':\n"
        "    for path in list_assets(kind, ''):\n"
        "        print(kind, path.relative_to(asset(kind)))"
    )
    here = subprocess.run([sys.executable, "-c", listing], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert here.stdout
    assert run_away([binaries / "python", "-c", listing], tmp_path) == here.stdout
