"""The lists of MultiWOZ's dialogues for validation and test: read in any form, or refused; and what is told of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.corpus import cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, load_source
from coalm_it.pipeline.build import BuildResult, build
from coalm_it.readers import multiwoz, read_dialogues, read_notes
from coalm_it.recipe import Recipe
from coalm_it.schema import Dialogue, Fault

VALIDATION = ["SNG0201.json", "MUL0201.json"]
TEST = ["SNG0301.json"]
REMEDY = "take the published list, or rename a data.json with dialogues of train alone to train.json"


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        pass


@pytest.fixture
def folder(bundled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled / "multiwoz", tmp_path / "corpus"))


def read_ids(folder: Path, split: str) -> list[str]:
    return [one.id for one in read_dialogues("multiwoz", folder, split) if isinstance(one, Dialogue)]


def read_fault(folder: Path, split: str = "train") -> str:
    (fault,) = read_dialogues("multiwoz", folder, split)
    assert isinstance(fault, Fault)
    return fault.reason


def list_notes(folder: Path, split: str = "train") -> list[str]:
    corpus = next(found.corpus for found in find_corpora(folder, [load_source("multiwoz")]) if found.used)
    assert corpus
    return [
        note for shard in cut_shards(corpus, split, 20_000) for note in read_notes("multiwoz", corpus, split, shard)
    ]


def build_part(data: Path, out: Path, split: str = "train", **settings: Any) -> tuple[BuildResult, list[str]]:
    part = {"source": "multiwoz", "split": split, "task": ["react_action", "react_response"]}
    heard = Heard()
    recipe = Recipe.model_validate({"name": "splits", "parts": {"multiwoz": part}, **settings})
    return build(recipe, data=data, out=out, listener=heard), heard.lines


# --- forms of a list ---


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda names: json.dumps({"validation": names}, indent=1),
        lambda names: json.dumps(dict.fromkeys(names, 1)),
        lambda names: json.dumps([{"names": names}]),
        " ".join,
        ",".join,
        lambda names: "\r\n".join(names) + "\r\n\r\n",
        lambda names: ";\n".join(f'"{name}"' for name in names),
        lambda names: "\n".join(name.lower() for name in names),
        lambda names: "\n".join(name.removesuffix(".json") for name in names),
        lambda names: "\n".join(f"  {name.upper()}\t" for name in names),
    ],
    ids="JSON object keys nested blanks commas CRLF quoted lower plain upper".split(),
)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("names", [("valListFile.json", "testListFile.json"), ("vallistfile.txt", "TestListFile")])
def test_a_list_may_have_any_form(
    write: Callable[[list[str]], str], mark: str, names: tuple[str, str], folder: Path
) -> None:
    for path in folder.glob("*ListFile.json"):
        path.unlink()
    for name, listed in zip(names, (VALIDATION, TEST), strict=True):
        (folder / name).write_text(mark + write(listed), newline="")
    assert (read_ids(folder, "validation"), read_ids(folder, "test")) == (["SNG0201", "MUL0201"], ["SNG0301"])
    assert len(read_ids(folder, "train")) == 10
    assert list_notes(folder) == []


@pytest.mark.parametrize(
    "spell", [str.lower, lambda name: name.removesuffix(".json"), lambda name: name[:-5] + ".JSON"]
)
def test_names_in_data_json_may_have_any_form(spell: Callable[[str], str], folder: Path) -> None:
    path = folder / "data.json"
    path.write_text(json.dumps({spell(name): record for name, record in json.loads(path.read_text()).items()}))
    assert [name.upper() for name in read_ids(folder, "test")] == ["SNG0301"]
    assert len(read_ids(folder, "train")) == 10


def test_two_copies_of_a_list_add_up(folder: Path) -> None:
    (folder / "valListFile").write_text("SNG0101")
    assert read_ids(folder, "validation") == ["SNG0101", "SNG0201", "MUL0201"]
    assert "SNG0101" not in read_ids(folder, "train")


def test_what_is_in_both_lists_is_for_test(folder: Path) -> None:
    (folder / "valListFile.json").write_text("\n".join([*VALIDATION, *TEST]))
    assert (read_ids(folder, "validation"), read_ids(folder, "test")) == (["SNG0201", "MUL0201"], ["SNG0301"])


# --- what is refused, since test dialogues would be taken for training ---


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("\n", "testListFile.json: no dialogue is named; it says which dialogues of data.json are for test; "),
        ("[]", "testListFile.json: no dialogue is named; it says which dialogues of data.json are for test; "),
        ('["SNG0301.json"', "testListFile.json: not JSON, or cut off: Expecting ',' delimiter"),
        ("301\n302", "testListFile.json: none of the 2 names, as '301', is in data.json; "),
        ("SNG0201\nSNG03", "testListFile.json: the last name is 'SNG03': it is cut off; "),
    ],
)
def test_a_list_that_does_not_tell_the_splits_is_refused(content: str, reason: str, folder: Path) -> None:
    (folder / "testListFile.json").write_text(content)
    for split in ("train", "test"):
        assert read_fault(folder, split).startswith(reason)
    with pytest.raises(SourceError, match=r"^(testListFile\.json|no row to write)"):
        build_part(folder, folder.parent / "out")


@pytest.mark.parametrize("write", ["\n".join, json.dumps], ids=["lines", "JSON"])
def test_a_list_that_is_cut_off_within_a_name_keeps_it_out_of_train_or_is_refused(
    write: Callable[[list[str]], str], folder: Path
) -> None:
    whole = write(VALIDATION)
    for end in range(1, len(whole)):
        cut = whole[:end]
        if cut.strip() in ("SNG0201", "SNG0201.json"):
            continue  # a list of one name
        (folder / "valListFile.json").write_text(cut)
        read = list(read_dialogues("multiwoz", folder))
        train = {one.id for one in read if isinstance(one, Dialogue)}
        assert not train & {"SNG0201", "MUL0201"}, cut
        assert train or "valListFile.json: " in getattr(read[0], "reason", ""), cut


def test_a_list_in_utf_16_is_named_as_such(folder: Path) -> None:
    (folder / "testListFile.json").write_text("SNG0301", encoding="utf-16")
    assert read_fault(folder) == "testListFile.json: the file is UTF-16; it should be saved as UTF-8"


def test_a_missing_list_ends_the_build_with_the_remedy(folder: Path) -> None:
    (folder / "testListFile.json").unlink()
    message = f"testListFile: missing; it says which dialogues of data.json are for test; {REMEDY}"
    with pytest.raises(SourceError) as error:
        build_part(folder, folder.parent / "out")
    assert str(error.value) == message
    (folder / "data.json").rename(folder / "train.json")
    built, _ = build_part(folder, folder.parent / "out")
    assert built.manifest.parts["multiwoz"].dialogues == 13


def test_lists_that_leave_more_for_train_than_was_published_are_not_complete(folder: Path) -> None:
    path = folder / "data.json"
    records = json.loads(path.read_text())
    path.write_text(json.dumps(records | {f"MUL{number:05}": {"log": []} for number in range(20_000, 28_440)}))
    assert read_fault(folder) == (
        "valListFile and testListFile: they leave 8,450 dialogues for train, of which MultiWOZ has 8,438: they are not "
        f"complete; {REMEDY}"
    )


# --- what is said in a line ---


def test_names_that_are_not_there_are_one_line_with_examples(folder: Path) -> None:
    (folder / "valListFile.json").write_text("\n".join([*VALIDATION, *(f"PMUL{number}" for number in range(1, 6))]))
    line = "valListFile.json: 5 of its 7 names are not in data.json: 'PMUL1', 'PMUL2', 'PMUL3', ..."
    assert list_notes(folder) == list_notes(folder, "validation") == [line]
    assert list_notes(folder, "test") == []
    built, lines = build_part(folder, folder.parent / "out")
    assert [said for said in lines if said.startswith("note: ")] == [f"note: {line}"]
    assert built.manifest.parts["multiwoz"].faults == 0


def test_if_all_lists_are_empty_all_is_train_and_a_line_says_so(folder: Path) -> None:
    for name in ("valListFile.json", "testListFile.json"):
        (folder / name).write_text("")
    (note,) = list_notes(folder)
    assert note.startswith("valListFile.json and testListFile.json: no dialogue is named; so all 13 dialogues of")
    assert len(read_ids(folder, "train")) == 13
    assert read_fault(folder, "test").startswith("testListFile.json: no dialogue is named")


# --- acts ---


def drop_acts(folder: Path, *dialogues: str) -> None:
    path = folder / "data.json"
    records = json.loads(path.read_text())
    for name in dialogues or records:
        for turn in records[name]["log"]:
            turn.pop("dialog_act")
    path.write_text(json.dumps(records))


def test_a_data_json_without_acts_names_the_file_that_is_missing(folder: Path) -> None:
    drop_acts(folder)
    reason = read_fault(folder)
    assert reason.startswith(
        "no dialogue has acts, from which the calls are reconstructed; dialogue_acts.json (2.0) or"
    )
    with pytest.raises(SourceError, match="no row to write: the corpora hold no usable dialogue; see the fault above"):
        build_part(folder, folder.parent / "out")


def test_a_file_with_acts_of_other_dialogues_is_refused(folder: Path) -> None:
    drop_acts(folder)
    (folder / "dialogue_acts.json").write_text(json.dumps({"MUL9999": {"1": {"general-bye": [["none", "none"]]}}}))
    assert read_fault(folder) == "no dialogue has acts, and the file with the acts has none of these dialogues"


def test_dialogues_without_acts_are_faults_in_one_line(folder: Path) -> None:
    drop_acts(folder, *(f"SNG010{number}.json" for number in range(1, 6)))
    dialogues = read_ids(folder, "train")
    assert not {f"SNG010{number}" for number in range(1, 6)} & set(dialogues)
    built, lines = build_part(folder, folder.parent / "out", expect={"rejects_at_most": 1})
    assert [line for line in lines if line.startswith("fault: ")] == [
        "fault: data.json, 5 records (SNG0101, SNG0102, SNG0103, ...): no turn of the system has acts (dialog_act), "
        "from which its calls are reconstructed"
    ]
    assert len(built.manifest.faults) == 5, "the manifest names each"


def test_acts_of_their_own_file_are_found_by_any_spelling_of_the_name(folder: Path) -> None:
    before = read_ids(folder, "train")
    records = json.loads((folder / "data.json").read_text())
    acts = {
        name.removesuffix(".json").lower(): {
            str(number): turn["dialog_act"] for number, turn in enumerate(record["log"][1::2], 1)
        }
        for name, record in records.items()
    }
    drop_acts(folder)
    (folder / "system_acts.json").write_text(json.dumps(acts))
    assert read_ids(folder, "train") == before


# --- two versions side by side ---


def test_a_split_that_2_1_lacks_is_read_from_2_2(bundled: Path, tmp_path: Path) -> None:
    golden = Path(__file__).parents[1] / "golden"
    shutil.copytree(golden / "multiwoz" / "raw", tmp_path / "data" / "v21")
    (tmp_path / "data" / "v21" / "train.json").unlink()
    shutil.copytree(golden / "multiwoz22" / "raw", tmp_path / "data" / "v22")
    assert [one.id for one in read_dialogues("multiwoz", tmp_path / "data") if isinstance(one, Dialogue)] == ["SNG0003"]
    for split, layout in (("train", "frames_folder"), ("validation", "split_files")):
        built, _ = build_part(tmp_path / "data", tmp_path / split, split, expect={"rejects_at_most": 1})
        assert built.manifest.sources["multiwoz"].layout == layout
    with pytest.raises(SourceError, match="multiwoz has no split 'test' here, only validation, train; --allow-short"):
        build_part(tmp_path / "data", tmp_path / "test", "test")


def test_2_2_is_read_where_2_1_has_no_lists(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "golden" / "multiwoz22" / "raw", tmp_path / "v22")
    (folder / "valListFile.json").unlink()
    built, lines = build_part(tmp_path, tmp_path.parent / "out-22")
    assert built.manifest.sources["multiwoz"].layout == "frames_folder"
    assert any(
        line.startswith("skipped: multiwoz in corpus (layout data_json): valListFile: missing") for line in lines
    )


def test_2_2_without_acts_says_so(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "golden" / "multiwoz22" / "raw", tmp_path / "raw")
    assert list_notes(tmp_path) == []
    (tmp_path / "raw" / "dialog_acts.json").unlink()
    (note,) = list_notes(tmp_path)
    assert note.startswith("dialog_acts.json: missing; acts are derived from the frames")


def test_the_inventory_checks_the_lists(folder: Path) -> None:
    (folder / "valListFile.json").write_text("")
    corpus = next(found.corpus for found in find_corpora(folder, [load_source("multiwoz")]) if found.used)
    assert corpus
    with pytest.raises(SourceError, match=r"valListFile\.json: no dialogue is named"):
        multiwoz.read_inventory(corpus, "train")
