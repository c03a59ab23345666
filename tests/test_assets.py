from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coalm_it import assets
from coalm_it.assets import asset, list_assets

CHECKOUT = Path(__file__).parents[1]


def test_an_asset_of_a_checkout_lies_at_its_top_level() -> None:
    assert asset("recipes", "tod.yaml") == CHECKOUT / "recipes" / "tod.yaml"
    assert asset("sources", "samples").is_dir()


def test_parts_may_be_given_as_one_path() -> None:
    assert asset("sources", "samples/snips") == asset("sources", "samples", "snips")


def test_list_assets_goes_into_folders_and_is_sorted() -> None:
    templates = list_assets("templates", ".jinja")
    assert templates == sorted(templates)
    assert {path.parent.name for path in templates} >= {"rows", "release"}


def test_list_assets_takes_only_the_suffix() -> None:
    assert asset("sources", "sgd.yaml") in list_assets("sources", ".yaml")
    assert all(path.suffix == ".yaml" for path in list_assets("sources", ".yaml"))


def test_a_missing_asset_is_named_with_the_files_of_its_folder() -> None:
    with pytest.raises(FileNotFoundError, match=r"^no sources/sdg\.yaml in coalm-it; .*\bsgd\.yaml\b"):
        asset("sources", "sdg.yaml")
    with pytest.raises(FileNotFoundError, match=r"^no sources/nowhere/at/all in coalm-it; .* nothing$"):
        asset("sources", "nowhere", "at", "all")


def test_in_a_wheel_the_assets_inside_the_package_are_used(tmp_path: Path) -> None:
    package = tmp_path / "coalm_it"
    (package / "_assets" / "recipes").mkdir(parents=True)
    (package / "_assets" / "recipes" / "only_in_the_wheel.yaml").touch()
    (package / "__init__.py").touch()
    shutil.copy(assets.__file__, package)
    code = "from coalm_it.assets import list_assets; print(*list_assets('recipes', '.yaml'))"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(package.resolve() / "_assets" / "recipes" / "only_in_the_wheel.yaml")
