from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.record_ids import number_record
from coalm_it.corpora.records import (
    BadRecord,
    convert_records,
    decode_result,
    get_field,
    parse_json,
    report_unreadable_file,
)
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue, Fault, Turn


def write(folder: Path, name: str, content: str | bytes) -> RawFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return RawFile(path, None, name)


def say(record: Any, number: int) -> Dialogue:
    turns = (Turn(user=get_field(record, "say", str)),)
    return Dialogue(id=str(number), source="x", split="train", licence="CC0-1.0", turns=turns)


def name(record: Any, number: int) -> str:
    return f"number {number}"


# --- a file ---


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("a.json", ' [{"n": 1}, {"n": 2}]'),
        ("a.jsonl", '{"n": 1}\n\n{"n": 2}\n'),
        ("a.json", '{"n": 1}\r\n{"n": 2}'),  # lines under the name of a list, as BFCL has them
        ("a.jsonl", '[{"n": 1}, {"n": 2}]\n'),  # a list under the name of lines
        ("a.jsonl", '[\n  {\n    "n": 1\n  },\n  {"n": 2}\n]'),
        ("a.jsonl", '{\n  "n": 1\n}\n{\n  "n": 2\n}\n'),
    ],
)
def test_a_list_and_lines_give_the_same_records(tmp_path: Path, file_name: str, content: str) -> None:
    assert read_records(write(tmp_path, file_name, content)) == [{"n": 1}, {"n": 2}]


def test_a_null_in_a_parquet_table_is_an_absent_key(tmp_path: Path) -> None:
    rows = [{"calls": [{"name": "f", "arguments": {"a": 1, "b": None}}]}, {"calls": []}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    file = RawFile(tmp_path / "a.parquet", None, "a.parquet")
    assert read_records(file) == [{"calls": [{"name": "f", "arguments": {"a": 1}}]}, {"calls": []}]


def test_a_member_of_a_zip_file_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", '[{"n": 1}]')
    assert read_records(RawFile(tmp_path / "a.zip", "a.json", "a.json")) == [{"n": 1}]


def test_a_file_is_parsed_once_until_it_changes(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json", '[{"n": 1}]')
    assert read_records(file) is read_records(file)
    write(tmp_path, "a.json", '[{"n": 22}]')
    assert read_records(file) == [{"n": 22}]


@pytest.mark.parametrize(
    ("file_name", "content", "reason"),
    [
        ("a.json", "", r"^a\.json: the file is empty$"),
        ("a.jsonl", "\n\n", r"^a\.jsonl: the file is empty$"),
        ("a.json", '[{"n": 1}, {"n"', r"^a\.json: not JSON, or cut off: "),
        ("a.json", "3", r"^a\.json: a list of records was expected at the top$"),
        (
            "a.json",
            '{\n"n": 1\n',
            r"^a\.json: neither a list of records, .* or cut off: Expecting ',' delimiter at line 3, character 1$",
        ),
        ("a.json", '{\n"m": [\n1,\n"x"\n', r"^a\.json: neither .*: Expecting ',' delimiter at line 5, character 1$"),
        (
            "a.json",
            '{\n"m": [\n"x"\n]\n"n": 1\n}',
            r"^a\.json: neither .*: Expecting ',' delimiter at line 5, character 1$",
        ),
        ("a.jsonl", '[\n  {"n": 1},\n  {"n": 2},\n  {"n"', r"^a\.jsonl: not JSON, or cut off: .*line 4 column 7"),
        ("a.jsonl", "n,m\n1,2", r"^a\.jsonl: neither a list .*: Expecting value at line 1, character 1$"),
        ("a.json", b'[{"n": "\xff"}]', r"^a\.json: not UTF-8: "),
        ("a.parquet", b"PAR1....PAR1", r"^a\.parquet: not Parquet, or cut off: "),
    ],
)
def test_a_broken_file_is_explained(tmp_path: Path, file_name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        read_records(write(tmp_path, file_name, content))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_object_over_several_lines_is_one_record(tmp_path: Path, name: str) -> None:
    record = {"m": [1, {"n": ["x"]}], "k": {}}
    assert read_records(write(tmp_path, name, json.dumps(record, indent=2))) == [record]


def test_lines_may_be_texts_and_lists(tmp_path: Path) -> None:
    assert read_records(write(tmp_path, "a.jsonl", '"{}"\n["x"]\n')) == ["{}", ["x"]]


def test_a_file_that_is_gone_is_explained(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^a\.json: cannot be read: No such file"):
        read_records(RawFile(tmp_path / "a.json", None, "a.json"))


def test_a_broken_line_is_kept_among_the_records(tmp_path: Path) -> None:
    good, broken = read_records(write(tmp_path, "a.jsonl", '{"n": 1}\n\n{"n": '))
    assert good == {"n": 1}
    assert isinstance(broken, BrokenRecord)
    assert broken.reason.startswith("line 3 is not JSON, or cut off: ")


# --- records ---


def test_records_after_an_invalid_one_are_still_read(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", '{"say": "one"}\n{"sing": "two"}\n{"say"\n{"say": "four"}')
    one, two, three, four = convert_records(Shard(file), read_records(file), say, name)
    assert isinstance(one, Dialogue)
    assert two == Fault(file="a.jsonl", record="number 1", reason="field 'say' is missing; there is 'sing'")
    assert isinstance(three, Fault)
    assert (three.record, three.reason[:18]) == ("number 2", "line 3 is not JSON")
    assert isinstance(four, Dialogue)
    assert four.id == "3"


def test_shards_together_give_every_record_once_with_its_number(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json", str([{"say": "x"}] * 7).replace("'", '"'))
    shards = [Shard(file, index, 3) for index in range(3)]
    found = [record for shard in shards for record in convert_records(shard, read_records(file), say, name)]
    assert [record.id for record in found if isinstance(record, Dialogue)] == list("0123456")


def test_a_file_that_cannot_be_read_is_one_fault_in_all_its_shards(tmp_path: Path) -> None:
    file = write(tmp_path, "a.json", "[{")

    @report_unreadable_file
    def read(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
        return convert_records(shard, read_records(shard.file), say, name)

    corpus = Corpus("x", "json", ".", {"train": (file,)}, {"a.json": file})
    faults = [fault for index in range(4) for fault in read(corpus, "train", Shard(file, index, 4), licence="")]
    (fault,) = faults
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("a.json", None)
    assert fault.reason.startswith("not JSON, or cut off")


def test_a_record_without_a_name_is_called_by_file_and_number() -> None:
    assert number_record(RawFile(Path("x"), None, "data/train-00000-of-00002.parquet"), 7) == (
        "data_train-00000-of-00002_7"
    )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "field 'say' is missing; there is none"),
        ({"say": 3}, "'say' should be a string or a list, found 3"),
        ("hello", "an object with 'say' was expected, found 'hello'"),
    ],
)
def test_a_missing_field_is_explained(record: Any, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        get_field(record, "say", str, list)
    assert str(caught.value) == reason


# --- JSON inside of JSON ---


def test_long_integers_stay_exact() -> None:
    assert parse_json('{"id": 123456789012345678901}', "answer") == {"id": 123456789012345678901}


@pytest.mark.parametrize("text", ["{", "[NaN]", "[-Infinity]", '"\\ud83c"', "[" * 100_000])
def test_what_is_not_json_is_explained(text: str) -> None:
    with pytest.raises(BadRecord, match=r"^answer: "):
        parse_json(text, "answer")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"n": 1}', {"n": 1}),
        ("[1, 2]", [1, 2]),
        ("3", "3"),
        ("done", "done"),
        ("{'n': 1, 'ok': True, 'at': (1, None)}", {"n": 1, "ok": True, "at": [1, None]}),
        ("{'n': nan}", "{'n': nan}"),
        ("{'n': 1}, other={'n': 2}", "{'n': 1}, other={'n': 2}"),
        ("[1] is the first", "[1] is the first"),
        ("[f(1)]", "[f(1)]"),
        ("[NaN]", "[NaN]"),
        ("", ""),
    ],
)
def test_a_result_is_an_object_or_a_list_where_it_is_one_and_else_text(text: str, value: Any) -> None:
    assert decode_result(text) == value
