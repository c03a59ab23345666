from __future__ import annotations

import json
import os
import random
import socket
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.corpora.corpus import Corpus, RawFile, Shard, cut_shards
from coalm_it.corpora.find import CorpusMatch, find_corpora
from coalm_it.corpora.listing import describe_sources
from coalm_it.corpora.sources import SourceError, list_sources, load_source

# The least that is recognised of each layout.
SPLIT = {"train.json": '[{"dialog_id": "gw_1"}]'}
ORIGINAL = {"GetWeather/train_GetWeather_full.json": '{"GetWeather": [{"data": []}]}'}
JOINT = {"train/seq.in": "rain\n", "train/seq.out": "O\n", "train/label": "GetWeather\n"}
SGD = {"train/dialogues_001.json": '[{"dialogue_id": "1_00001"}]', "train/schema.json": "[]"}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def zip_up(path: Path, files: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def find(folder: Path) -> list[tuple[str, str, str, bool]]:
    return [(item.source, item.layout, item.root, item.used) for item in find_corpora(folder, list_sources())]


def use(folder: Path) -> Corpus:
    sources = [load_source("snips"), load_source("sgd")]
    (corpus,) = [item.corpus for item in find_corpora(folder, sources) if item.used]
    assert corpus
    return corpus


# --- recognising ---


def test_corpora_are_found_wherever_in_the_folder_they_lie(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", SPLIT)
    write(tmp_path / "c", SGD)
    write(tmp_path, {"README.md": "", "a/train.json.bak": "", "c/dialogues_001.json": "[]"})
    assert find(tmp_path) == [("sgd", "sgd", "c", True), ("snips", "split", "a/b", True)]


def test_the_folder_itself_may_be_the_corpus(tmp_path: Path) -> None:
    corpus = use(write(tmp_path, SGD))
    assert corpus.root == "."
    assert [file.name for file in corpus.splits["train"]] == ["train/dialogues_001.json"]
    assert list(corpus.files) == ["train/dialogues_001.json", "train/schema.json"]
    assert corpus.files["train/schema.json"].read_json() == []


def test_of_several_layouts_the_first_is_used_and_the_others_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a", JOINT)
    write(tmp_path / "b", ORIGINAL)
    write(tmp_path / "c", SPLIT)
    used, *others = find_corpora(tmp_path, [load_source("snips")])
    assert (used.layout, used.root, used.used) == ("split", "c", True)
    assert [(item.layout, item.root, item.used) for item in others] == [
        ("original", "b", False),
        ("joint_slu", "a", False),
    ]
    assert {item.reason for item in others} == {"snips is read from c (layout split)"}
    assert all(item.corpus for item in others), "who wants another layout can have it"


def test_another_layout_serves_for_a_split_that_the_first_lacks_if_their_splits_are_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a", {"val.json": '{"SNG0001": {"goal": {}, "log": []}}'})
    frames = '[{"dialogue_id": "SNG0002.json"}]'
    write(tmp_path / "b", {f"{split}/dialogues_001.json": frames for split in ("train", "dev")})
    first, other = find_corpora(tmp_path, [load_source("multiwoz")])
    assert (first.layout, first.splits) == ("split_files", ("validation",))
    assert (other.layout, other.splits, other.used) == ("frames_folder", ("train",), True)
    listed = [row["status"] for row in describe_sources(tmp_path) if row["source"] == "multiwoz"]
    assert listed == ["used", "used for train"]


def test_another_layout_with_other_splits_does_not_serve(tmp_path: Path) -> None:
    """658 utterances of train in SNIPS's layout `split` are in test of `joint_slu`."""
    write(tmp_path / "a", SPLIT)
    write(tmp_path / "b", {**JOINT, "test/seq.in": "rain\n"})
    assert find(tmp_path)[-2:] == [("snips", "split", "a", True), ("snips", "joint_slu", "b", False)]


def test_of_several_places_the_first_by_name_is_used(tmp_path: Path) -> None:
    for place in ("new", "copy", "old"):
        write(tmp_path / place, SPLIT)
    assert find(tmp_path) == [
        ("snips", "split", "copy", True),
        ("snips", "split", "new", False),
        ("snips", "split", "old", False),
    ]


def test_the_order_in_which_files_were_written_does_not_matter(tmp_path: Path) -> None:
    names = [f"train/dialogues_{number:03}.json" for number in range(1, 40)]
    files = dict.fromkeys(names, SGD["train/dialogues_001.json"])
    forwards = use(write(tmp_path / "forwards", files))
    backwards = use(write(tmp_path / "backwards", dict(reversed(files.items()))))
    assert [file.name for file in forwards.splits["train"]] == names
    assert [file.name for file in backwards.splits["train"]] == names
    assert list(backwards.files) == list(forwards.files)


@pytest.mark.parametrize(
    "other",
    [
        {"train.json": '[{"conversations": []}]'},  # many data sets are called so
        {"train/seq.in": "flights to boston\n", "train/label": "atis_flight\n"},  # ATIS, as published with SNIPS
        {"train/dialogues_001.json": '[{"dialogue_id": "PMUL4398.json"}]'},  # MultiWOZ 2.2
    ],
)
def test_other_corpora_with_the_same_file_names_are_not_taken(tmp_path: Path, other: dict[str, str]) -> None:
    write(tmp_path / "aaa", other)
    (found,) = find_corpora(tmp_path, [load_source("sgd"), load_source("snips")])
    assert not found.used
    assert found.corpus is None
    assert found.reason == "the files have the names of this layout, but none has its first bytes"
    write(tmp_path / "bbb", SPLIT | SGD)
    assert {item.root for item in find_corpora(tmp_path, [load_source("snips")]) if item.used} == {"bbb"}


def test_a_damaged_file_does_not_hide_the_corpus(tmp_path: Path) -> None:
    corpus = use(write(tmp_path, {"train.json": "", "valid.json": SPLIT["train.json"]}))
    assert sorted(corpus.splits) == ["train", "validation"]


def test_a_folder_without_corpora_holds_nothing(tmp_path: Path) -> None:
    assert find(write(tmp_path, {"notes.txt": "hello"})) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"/nothing: no such folder; --data takes the folder with"):
        find(tmp_path / "nothing")


def test_hidden_folders_are_left_out_and_links_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", SPLIT)
    data = write(tmp_path / "data", {f".cache/{name}": content for name, content in SGD.items()})
    (data / "linked").symlink_to(tmp_path / "elsewhere")
    (data / "again").symlink_to(data)  # a link that leads back
    (data / "gone.json").symlink_to(tmp_path / "nowhere")
    assert find(data) == [("snips", "split", "linked", True)]


# --- zip files ---


def test_members_of_a_zip_file_count_as_files_next_to_it(tmp_path: Path) -> None:
    zip_up(tmp_path / "raw" / "all.zip", {f"sgd/{name}": content for name, content in SGD.items()})
    corpus = use(tmp_path)
    assert corpus.root == "raw/sgd"
    (file,) = corpus.splits["train"]
    assert file.read_json() == [{"dialogue_id": "1_00001"}]
    assert file.size == len(SGD["train/dialogues_001.json"])


def test_data_may_be_a_zip_file(tmp_path: Path) -> None:
    assert use(zip_up(tmp_path / "snips.zip", SPLIT)).layout == "split"


def test_a_corpus_may_be_zipped_file_by_file(tmp_path: Path) -> None:
    zip_up(tmp_path / "train.json.zip", SPLIT)
    write(tmp_path, {"valid.json": SPLIT["train.json"]})
    assert sorted(use(tmp_path).splits) == ["train", "validation"]


def test_an_unzipped_file_wins_over_the_zipped_one(tmp_path: Path) -> None:
    zip_up(tmp_path / "snips.zip", {"train.json": '[{"dialog_id": "zipped"}]'})
    (file,) = use(write(tmp_path, SPLIT)).splits["train"]
    assert file.member is None
    assert file.read_json() == [{"dialog_id": "gw_1"}]


def test_a_broken_zip_file_is_named_and_the_rest_is_found(tmp_path: Path) -> None:
    write(tmp_path, {**SPLIT, "broken.zip": "not a zip file"})
    used, broken = find_corpora(tmp_path, [load_source("snips")])
    assert used.used
    assert (broken.root, broken.used) == ("broken.zip", False)
    assert broken.reason == "cannot be opened as a zip file: File is not a zip file"


def test_a_damaged_member_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = zip_up(tmp_path / "snips.zip", SPLIT)
    path.write_bytes(path.read_bytes().replace(b"gw_1", b"gw_2"))
    (found,) = find_corpora(tmp_path, [load_source("snips")])
    assert not found.used
    assert found.reason == "train.json: cannot be read in snips.zip: Bad CRC-32 for file 'train.json'"


# --- files ---


def raw_file(folder: Path, content: bytes) -> RawFile:
    path = folder / "train.json"
    path.write_bytes(content)
    return RawFile(path, None, "train.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "train.json: the file is empty"),
        (b'[{"a": 1}, {"a"', "train.json: not JSON, or cut off: "),
        ("café".encode("latin-1"), "train.json: not UTF-8: unexpected end of data at byte 3; it should be saved as"),
    ],
)
def test_invalid_json_is_reported_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        raw_file(tmp_path, content).read_json()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@given(st.text())
def test_text_may_be_utf_8_or_cesu_8(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    pairs = text.encode("utf-16-le")
    units = [int.from_bytes(pairs[place : place + 2], "little") for place in range(0, len(pairs), 2)]
    cesu_8 = "".join(map(chr, units)).encode("utf-8", "surrogatepass")
    folder = tmp_path_factory.mktemp("text")
    assert raw_file(folder, text.encode()).read_text() == text
    assert raw_file(folder, cesu_8).read_text() == text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = RawFile(tmp_path / "train.json", None, "train.json")
    with pytest.raises(SourceError, match=r"^train\.json: cannot be read: No such file or directory$"):
        file.read_bytes()
    assert file.size == 0


# --- shards ---


def test_shards_are_cut_by_size_alone(tmp_path: Path) -> None:
    small, large = SGD["train/dialogues_001.json"], json.dumps([{"dialogue_id": "1_00002", "turns": "x" * 2500}])
    files = {"train/dialogues_001.json": small, "train/dialogues_002.json": large}
    shards = cut_shards(use(write(tmp_path, files)), "train", target_bytes=1000)
    assert [(shard.file.name[-8:], shard.index, shard.of) for shard in shards] == [
        ("001.json", 0, 1),
        ("002.json", 0, 3),
        ("002.json", 1, 3),
        ("002.json", 2, 3),
    ]


def test_a_split_that_is_not_there_has_no_shards(tmp_path: Path) -> None:
    assert cut_shards(use(write(tmp_path, SPLIT)), "validation") == []


@given(records=st.lists(st.integers()), of=st.integers(1, 50))
def test_the_shards_of_a_file_are_its_records_once_and_in_order(records: list[int], of: int) -> None:
    file = RawFile(Path("train.json"), None, "train.json")
    taken: list[int] = []
    for index in range(of):
        first, some = Shard(file, index, of).take(records)
        assert first == len(taken)
        taken += some
    assert taken == records


# --- the table of `coalm-it sources` ---


def test_the_table_lists_known_sources() -> None:
    rows = {row["source"]: row for row in describe_sources()}
    assert rows["snips"] == {
        "source": "snips",
        "title": "SNIPS custom intent engines (2017-06)",
        "licence": "CC0-1.0",
        "layout": "split, original, joint_slu",
        "folder": "",
        "files": "",
        "status": "",
    }


def test_the_table_lists_what_is_found_and_what_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a", {**SPLIT, "valid.json": SPLIT["train.json"], "b.zip": ""})
    write(tmp_path / "c", ORIGINAL)
    columns = ("source", "layout", "folder", "files", "status")
    rows = [row for row in describe_sources(tmp_path) if row["source"] in ("sgd", "snips", "")]
    told = [tuple(row[column] for column in columns) for row in rows]
    assert told == [
        ("sgd", "sgd", "", "", "not found"),
        ("snips", "split", "a", "train 1 file, validation 1 file", "used"),
        ("snips", "original", "c", "train 1 file", "skipped: snips is read from a (layout split)"),
        ("", "", "a/b.zip", "", "skipped: cannot be opened as a zip file: File is not a zip file"),
    ]


# --- the real corpora ---


@pytest.mark.corpora
def test_the_real_corpora_are_recognised(corpora: Path) -> None:
    found: dict[tuple[str, str], CorpusMatch] = {}
    for item in find_corpora(corpora, [load_source("sgd"), load_source("snips")]):
        found[item.source, item.layout] = item
    assert {name: item.used for name, item in found.items()} == {
        ("sgd", "sgd"): True,
        ("snips", "split"): True,
        ("snips", "original"): False,
        ("snips", "joint_slu"): False,
    }
    sizes = {
        layout: {split: len(files) for split, files in item.corpus.splits.items()}
        for (_, layout), item in found.items()
        if item.corpus
    }
    assert sizes["sgd"] == {"train": 96, "validation": 17}
    assert sizes["original"] == {"train": 7, "validation": 7}
    assert sizes["split"] == sizes["joint_slu"] == {"train": 1, "validation": 1, "test": 1}


# --- what ties up the machine, or cannot be ---


def tell_skipped(folder: Path) -> list[tuple[str, str]]:
    return [(item.root, item.reason) for item in find_corpora(folder, [load_source("snips")]) if not item.used]


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(write(tmp_path, SPLIT) / "valid.json")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "test.json"))
        (tmp_path / "all.zip").symlink_to("/dev/zero")
        assert sorted(use(tmp_path).splits) == ["train"]
        reason = "is no regular file but a pipe, a socket or a device, which is not opened"
        assert tell_skipped(tmp_path) == [(name, reason) for name in ("all.zip", "test.json", "valid.json")]
    with pytest.raises(
        SourceError, match=r"valid\.json is neither a folder nor a regular file; --data takes the folder"
    ):
        find(tmp_path / "valid.json")


def test_a_file_that_is_no_corpus_is_refused_as_data(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": "hello", **SPLIT})
    with pytest.raises(SourceError, match=r"notes\.txt is a file, but no known corpus; --data takes the folder with"):
        find(tmp_path / "notes.txt")
    assert find(tmp_path / "train.json") == [("snips", "split", ".", True)]


def write_bomb(path: Path, name: str, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for _ in range(size // 1_000_000):
            member.write(bytes(1_000_000))
    return path


def test_a_zip_file_may_unpack_to_a_hundred_times_its_size(tmp_path: Path) -> None:
    bomb = write_bomb(tmp_path / "bomb.zip", "train.json", 101_000_000)
    write(tmp_path / "good", SPLIT)
    assert use(tmp_path).root == "good"
    reason = "unpacks to 101,000,000 bytes, and 100,000,000 are allowed for its size; unpack it to use it"
    assert tell_skipped(tmp_path) == [("bomb.zip", reason)]
    with pytest.raises(SourceError, match=r"^train\.json: cannot be read in bomb\.zip: 101,000,000 bytes, and 100,000"):
        RawFile(bomb, "train.json", "train.json").read_bytes()


def test_a_zip_file_that_understates_its_size_gives_no_more_than_it_says(tmp_path: Path) -> None:
    """100 MB in 97 kB, of which the directory says 10 bytes."""
    bomb = write_bomb(tmp_path / "bomb.zip", "train.json", 100_000_000)
    content = bytearray(bomb.read_bytes())
    directory = content.index(b"PK\1\2")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    bomb.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"^train\.json: cannot be read in bomb\.zip: Bad CRC-32"):
        RawFile(bomb, "train.json", "train.json").read_bytes()
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_members_whose_decoder_knows_no_limit_are_not_read(tmp_path: Path, method: int, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "snips.zip", "w", method) as archive:
        archive.writestr("train.json", SPLIT["train.json"])
    ((place, reason),) = tell_skipped(tmp_path)
    assert place == "."
    assert reason == (
        f"train.json: cannot be read in snips.zip: compressed by method {name}, and only deflate is read; "
        "unpack it to use it"
    )


def test_members_with_names_that_no_file_can_have_are_passed_over(tmp_path: Path) -> None:
    content = {
        **SPLIT,
        "../valid.json": SPLIT["train.json"],
        "/test.json": "[]",
        "C:\\valid.json": "[]",
        "NULx.json": "",
    }
    path = zip_up(tmp_path / "snips.zip", content)
    path.write_bytes(path.read_bytes().replace(b"NULx", b"\0NUL"))
    assert sorted(use(tmp_path).splits) == ["train"]
    assert tell_skipped(tmp_path) == [
        ("snips.zip", r"4 of its files have names that no file can have, as '\x00NUL.json'")
    ]


def test_any_damage_to_a_zip_file_is_one_line(tmp_path: Path) -> None:
    """Seeded: 600 zip files with a few bytes changed, cut out or repeated."""
    path = zip_up(tmp_path / "snips.zip", {**SPLIT, "valid.json": "[]" * 200, "café/test.json": "[]"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a/train.json", SPLIT["train.json"] * 9)
    whole = path.read_bytes()
    rng, snips = random.Random(21), load_source("snips")
    for _ in range(600):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(content))
            change = rng.choice(["flip", "cut", "repeat", "name"])
            if change == "flip":
                content[place] ^= 1 << rng.randrange(8)
            elif change == "cut":
                del content[place : place + rng.randint(1, 9)]
            elif change == "repeat":
                content[place:place] = content[place : place + rng.randint(1, 40)]
            else:
                content = content.replace(
                    b"train.json", rng.choice([b"../../a.js", b"\0" * 10, b"/" * 10, b"\xff" * 10])
                )
        path.write_bytes(content)
        matches = []
        with suppress(SourceError):
            matches = find_corpora(tmp_path, [snips])
        for item in matches:
            assert "\n" not in item.reason
            for file in item.corpus.files.values() if item.corpus else ():
                assert file.size >= 0
                with suppress(SourceError):
                    file.read_json()


def test_files_are_counted_against_those_that_were_published(tmp_path: Path) -> None:
    write(
        tmp_path, {**SGD, "train/dialogues_002.json": SGD["train/dialogues_001.json"], "dev/dialogues_001.json": "[]"}
    )
    (sgd,) = [row for row in describe_sources(tmp_path) if row["source"] == "sgd"]
    assert sgd["files"] == "train 2 of 127 files, validation 1 of 20 files"
