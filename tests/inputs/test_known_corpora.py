"""The known corpora in the forms that other tools write: order of keys, marks, ids, lists of splits, missing acts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coalm_it.errors import RequestError

FILES = {"xlam": "xlam_function_calling_60k.json", "toolace": "data.json", "sgd": "train/dialogues_001.json"}
TOD: dict[str, Any] = {"task": ["react_action", "react_response"]}


def edit(name: str, change: Callable[[Any], Any]) -> Callable[[Path], object]:
    """Replaces the records of a bundled corpus by what `change` makes of them: records, or a text."""

    def run(folder: Path) -> None:
        path = folder / FILES[name]
        changed = change(json.loads(path.read_text()))
        path.write_text(changed if isinstance(changed, str) else json.dumps(changed))

    return run


@pytest.mark.parametrize("name", ["xlam", "toolace"])
def test_json_lines_serve_as_a_list(build_bundled: Any, name: str) -> None:
    built = build_bundled(name, edit(name, lambda records: "".join(json.dumps(record) + "\n" for record in records)))
    assert built.rows
    assert not built.faults


@pytest.mark.parametrize("name", ["xlam", "toolace"])
def test_a_byte_order_mark_does_not_hide_a_corpus(build_bundled: Any, name: str) -> None:
    built = build_bundled(name, edit(name, lambda records: "\ufeff" + json.dumps(records)))
    assert built.rows
    assert not built.faults


def test_toolace_may_have_an_id_before_its_system_text(build_bundled: Any) -> None:
    built = build_bundled("toolace", edit("toolace", lambda records: [{"id": 7, **record} for record in records]))
    assert built.rows
    assert not built.faults


def test_doubled_ids_of_xlam_are_told_apart(build_bundled: Any) -> None:
    count = 0

    def number_alike(records: Any) -> Any:
        nonlocal count
        count = len(records)
        return [{**record, "id": 1} for record in records]

    built = build_bundled("xlam", edit("xlam", number_alike))
    assert len({name.split("/")[0] for name in [*built.rows, *built.rejects]}) == count > 1


def test_nan_costs_one_record_of_xlam(build_bundled: Any) -> None:
    def spoil(records: Any) -> str:
        return json.dumps([{**records[0], "score": "@"}, *records[1:]]).replace('"@"', "NaN")

    whole = build_bundled("xlam", edit("xlam", spoil))
    assert len(whole.faults) == 1
    assert "nan is no JSON value" in whole.faults[0]
    assert whole.rows


def test_an_enum_that_is_null_stops_nothing(build_bundled: Any) -> None:
    def spoil(records: Any) -> Any:
        tools = json.loads(records[0]["tools"])
        for entry in tools[0]["parameters"].values():
            entry["enum"] = None
        return [{**records[0], "tools": json.dumps(tools)}, *records[1:]]

    built = build_bundled("xlam", edit("xlam", spoil))
    assert not built.faults
    assert '"enum": null' not in json.dumps(list(built.samples.values()))


def test_an_enum_that_is_null_in_toolace_stops_nothing(build_bundled: Any) -> None:
    def spoil(records: Any) -> Any:
        return [
            {**record, "system": re.sub(r'("type": "string")', r'\1, "enum": null', record["system"])}
            for record in records
        ]

    built = build_bundled("toolace", edit("toolace", spoil))
    assert built.rows
    assert not built.faults
    assert '"enum": null' not in json.dumps(list(built.samples.values()))


# --- SGD ---


def test_half_a_surrogate_pair_costs_one_dialogue_of_sgd(build_bundled: Any) -> None:
    def spoil(records: Any) -> str:
        return json.dumps([{**records[0], "note": "@"}, *records[1:]]).replace('"@"', '"\\ud83d"')

    built = build_bundled("sgd", edit("sgd", spoil), **TOD)
    assert built.faults == ["train/dialogues_001.json, 0: half a surrogate pair, '\\ud83d'"]
    assert len({name.split("/")[0] for name in built.rows}) > 1


def test_two_dialogues_of_one_id_are_told_apart(build_bundled: Any) -> None:
    built = build_bundled("sgd", edit("sgd", lambda records: [*records, records[0]]), **TOD)
    again = [name for name in built.rows if "~2/" in name]
    assert len(again) == sum(name.replace("~2/", "/") in built.rows for name in again) > 0


# --- MultiWOZ ---


def read_names(folder: Path) -> list[str]:
    return list(json.loads((folder / "data.json").read_text()))


def lower(folder: Path) -> None:
    path = folder / "data.json"
    path.write_text(json.dumps({name.lower(): value for name, value in json.loads(path.read_text()).items()}))
    for listed in folder.glob("*ListFile*"):
        listed.write_text(listed.read_text().lower())


def test_names_of_multiwoz_may_be_in_lower_case(build_bundled: Any) -> None:
    built = build_bundled("multiwoz", lower, **TOD)
    assert {name.split("/")[0].islower() for name in built.rows} == {True}
    assert not built.faults


def test_a_byte_order_mark_in_multiwoz_does_not_matter(build_bundled: Any) -> None:
    def mark(folder: Path) -> None:
        path = folder / "data.json"
        path.write_text("\ufeff" + path.read_text())

    built = build_bundled("multiwoz", mark, **TOD)
    assert built.rows
    assert not built.faults


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda names: "\ufeff" + "\n".join(names),
        lambda names: "\r\n".join(name.removesuffix(".json") for name in names),
        lambda names: " ".join(names),
        lambda names: ", ".join(name.lower() for name in names),
    ],
    ids=["JSON", "byte order mark", "without suffix", "one line", "commas, lower case"],
)
def test_no_form_of_a_list_lets_a_test_dialogue_into_train(
    build_bundled: Any, write: Callable[[list[str]], str]
) -> None:
    held_out: list[str] = []

    def list_first(folder: Path) -> None:
        held_out.extend(read_names(folder)[:2])
        for listed in folder.glob("testListFile*"):
            listed.write_text(write(held_out))

    built = build_bundled("multiwoz", list_first, **TOD)
    used = {name.split("/")[0] for name in [*built.rows, *built.rejects]}
    assert used
    assert used.isdisjoint(name.removesuffix(".json") for name in held_out)


def test_without_any_acts_there_are_no_rows_and_the_missing_file_is_named(
    build_bundled: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def strip(folder: Path) -> None:
        path = folder / "data.json"
        dialogues = json.loads(path.read_text())
        for dialogue in dialogues.values():
            for turn in dialogue["log"]:
                turn.pop("dialog_act", None)
        path.write_text(json.dumps(dialogues))

    with pytest.raises(RequestError, match="see the fault above"):
        build_bundled("multiwoz", strip, **TOD)
    assert "dialogue_acts.json" in capsys.readouterr().out


def test_a_dialogue_without_acts_tells_of_no_place_that_nobody_looked_up(build_bundled: Any) -> None:
    spoiled: list[str] = []

    def strip(folder: Path) -> None:
        path = folder / "data.json"
        dialogues = json.loads(path.read_text())
        listed = " ".join(file.read_text() for file in folder.glob("*ListFile*"))
        name = next(name for name in dialogues if name not in listed)
        spoiled.append(name.removesuffix(".json"))
        for turn in dialogues[name]["log"]:
            turn.pop("dialog_act", None)
        path.write_text(json.dumps(dialogues))

    built = build_bundled("multiwoz", strip, **TOD)
    kept = [name for name in built.rows if name.startswith(spoiled[0])]
    assert kept == []
    assert any(spoiled[0] in fault and "act" in fault for fault in built.faults)


# --- SNIPS ---


def test_a_byte_order_mark_in_the_original_files_of_snips_does_not_matter(build_bundled: Any) -> None:
    def mark(folder: Path) -> None:
        path = folder / "train.json"
        path.write_text("\ufeff" + path.read_text())

    built = build_bundled("snips", mark, task="state_tracking")
    assert built.rows
    assert not built.faults
