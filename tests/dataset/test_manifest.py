"""The manifest and the summaries of shards as types: written as they are read, and clear about what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coalm_it.dataset.finished import open_build
from coalm_it.dataset.folder import FolderError
from coalm_it.dataset.manifest import MANIFEST, ManifestError, find_shortfall, parse_manifest
from coalm_it.dataset.summary import ShardSummary
from coalm_it.recipe import Expect
from coalm_it.schema import Fault


def test_a_manifest_is_written_as_it_was_read(demo: Path) -> None:
    content = (demo / MANIFEST).read_bytes()
    assert parse_manifest(content).to_json().encode() == content


def test_only_data_files_have_rows(demo: Path) -> None:
    files = json.loads((demo / MANIFEST).read_bytes())["files"]
    assert {name for name, file in files.items() if "rows" not in file} == {"README.md", "recipe.yaml"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "is not JSON"),
        ([], "is not the manifest of a coalm-it build"),
        ({"schema_version": None}, "is not the manifest of a coalm-it build"),
        ({"schema_version": 9}, "has schema version 9; this coalm-it reads version 2"),
        ({"answers": {}}, "is damaged, or of another version of coalm-it (answers.requests: Field required)"),
        ({"more": 1}, "is damaged, or of another version of coalm-it (more: Extra inputs are not permitted)"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_one_line(
    demo: Path, tmp_path: Path, change: dict[str, Any] | list[Any] | None, message: str
) -> None:
    text = (demo / MANIFEST).read_text()
    if isinstance(change, dict):
        text = json.dumps({**json.loads(text), **change})
    else:
        text = text[:-9] if change is None else json.dumps(change)
    with pytest.raises(ManifestError) as raised:
        parse_manifest(text.encode())
    assert str(raised.value) == message
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(FolderError) as refused:
        open_build(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / MANIFEST} {message}; build it again")


def test_the_shortfall_is_what_the_recipe_expects_and_the_counts_do_not_meet(demo: Path) -> None:
    manifest = parse_manifest((demo / MANIFEST).read_bytes())
    assert find_shortfall(manifest) is None
    parts = {name: part.model_copy(update={"faults": part.candidates}) for name, part in manifest.parts.items()}
    shortfall = find_shortfall(manifest.model_copy(update={"parts": parts}))
    assert shortfall
    assert "more than rejects_at_most (2.0%) allows; mend the records, or accept so many: --set expect." in shortfall
    accepted = float(shortfall.rpartition("expect.rejects_at_most=")[2])
    recipe = manifest.recipe.model_copy(update={"expect": Expect(rejects_at_most=accepted)})
    assert find_shortfall(manifest.model_copy(update={"parts": parts, "recipe": recipe})) is None


def test_the_summaries_of_shards_add_up() -> None:
    fault = Fault(file="a.json", reason="broken")
    one = ShardSummary(dialogues=3, rows=4, rejects=2, rejected_by={"leak": 2}, seconds={"read": 0.5, "check": 1})
    other = ShardSummary(dialogues=1, filtered=1, unasked=7, rejected_by={"grounding": 1, "leak": 1}, faults=(fault,))
    total = sum([one, other], ShardSummary(thoughts={"grounded": 5}))
    assert total == ShardSummary(
        dialogues=4,
        filtered=1,
        rows=4,
        rejects=2,
        rejected_by={"leak": 3, "grounding": 1},
        unasked=7,
        thoughts={"grounded": 5},
        faults=(fault,),
        seconds={"read": 0.5, "check": 1},
    )
