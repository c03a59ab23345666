"""Files of the known corpora as other tools write them: lines for a list, a byte order mark, a value outside JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coalm_it.readers import read_dialogues
from coalm_it.schema import Dialogue, Fault

FILES = {
    "snips": "train.json",
    "sgd": "train/dialogues_001.json",
    "multiwoz": "data.json",
    "xlam": "xlam_function_calling_60k.json",
    "toolace": "data.json",
}


@pytest.fixture
def corpus(request: pytest.FixtureRequest, bundled: Path, tmp_path: Path) -> Path:
    name: str = request.param
    return Path(shutil.copytree(bundled / name, tmp_path / name))


def read(folder: Path) -> tuple[list[Dialogue], list[Fault]]:
    records = list(read_dialogues(folder.name, folder))
    return [one for one in records if isinstance(one, Dialogue)], [one for one in records if isinstance(one, Fault)]


def rewrite(folder: Path, content: str | bytes) -> None:
    path = folder / FILES[folder.name]
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def load(folder: Path) -> Any:
    return json.loads((folder / FILES[folder.name]).read_text())


@pytest.mark.parametrize("corpus", FILES, indirect=True)
def test_a_byte_order_mark_does_not_matter(corpus: Path) -> None:
    before, _ = read(corpus)
    rewrite(corpus, (corpus / FILES[corpus.name]).read_text().encode("utf-8-sig"))
    assert read(corpus) == (before, [])


@pytest.mark.parametrize("corpus", ["xlam", "toolace"], indirect=True)
def test_json_lines_are_recognised_as_a_list_is(corpus: Path) -> None:
    before, _ = read(corpus)
    rewrite(corpus, "".join(json.dumps(record) + "\n" for record in load(corpus)))
    assert read(corpus) == (before, [])


@pytest.mark.parametrize("corpus", ["toolace"], indirect=True)
def test_an_id_may_stand_first(corpus: Path) -> None:
    before, _ = read(corpus)
    rewrite(corpus, json.dumps([{"id": number, **record} for number, record in enumerate(load(corpus))]))
    assert read(corpus) == (before, [])


@pytest.mark.parametrize("corpus", ["snips", "sgd", "xlam", "toolace"], indirect=True)
@pytest.mark.parametrize("value", ["NaN", '"\\ud83d"', "1e999"])
def test_a_value_that_is_no_json_costs_one_record(corpus: Path, value: str) -> None:
    before, _ = read(corpus)
    first, *others = load(corpus)
    rewrite(corpus, json.dumps([{**first, "odd": ["@"]}, *others]).replace('"@"', value))
    dialogues, (fault,) = read(corpus)
    assert [one.id for one in dialogues] == [one.id for one in before if one.id != before[0].id or one.record]
    assert fault.record is not None


@pytest.mark.parametrize("corpus", ["multiwoz"], indirect=True)
def test_it_costs_one_record_of_an_object_by_name_too(corpus: Path) -> None:
    before, _ = read(corpus)
    content = load(corpus)
    name = before[0].id
    content[f"{name}.json" if f"{name}.json" in content else name]["odd"] = "@"
    rewrite(corpus, json.dumps(content).replace('"@"', "NaN"))
    dialogues, (fault,) = read(corpus)
    assert (fault.record, len(dialogues)) == (name, len(before) - 1)


@pytest.mark.parametrize("corpus", ["snips", "sgd", "xlam"], indirect=True)
def test_a_doubled_id_is_told_apart(corpus: Path) -> None:
    content = load(corpus)
    rewrite(corpus, json.dumps([*content, content[0]]))
    dialogues, faults = read(corpus)
    assert not faults
    ids = [one.id for one in dialogues]
    assert len(set(ids)) == len(ids)
    assert f"{ids[0]}~2" in ids
