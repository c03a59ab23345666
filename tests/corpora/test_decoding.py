"""What a raw file may hold that JSON does not: it costs a record, not the file, and nothing is rounded."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from coalm_it.corpora.corpus import Corpus, RawFile, Shard
from coalm_it.corpora.decoding import BrokenRecord
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.record_ids import list_earlier_ids, read_id
from coalm_it.corpora.records import BadRecord, DialogueContent, convert_dialogues, decode_result, get_field, parse_json
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue, Fault, Turn


def write(folder: Path, name: str, content: str | bytes) -> RawFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return RawFile(path, None, name)


# --- whole files ---


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e400", '"half a pair \\ud83d"'])
def test_a_value_that_json_does_not_have_costs_its_record(tmp_path: Path, name: str, value: str) -> None:
    records = ['{"n": 1}', f'{{"n": [{value}]}}', '{"n": 3}']
    content = f"[{', '.join(records)}]" if name == "a.json" else "\n".join(records)
    first, broken, third = read_records(write(tmp_path, name, content))
    assert (first, third) == ({"n": 1}, {"n": 3})
    assert isinstance(broken, BrokenRecord)


def test_in_an_object_of_records_it_costs_its_record_too(tmp_path: Path) -> None:
    talks = write(tmp_path, "data.json", '{"a": {"n": NaN}, "b": {"n": 2}, "c": [1, {"n": NaN}]}').read_json()
    assert isinstance(talks["a"], BrokenRecord)
    assert talks["b"] == {"n": 2}
    assert talks["c"][0] == 1
    assert isinstance(talks["c"][1], BrokenRecord)


def test_a_file_that_is_cut_off_is_not_used_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^a\.json: not JSON, or cut off: "):
        read_records(write(tmp_path, "a.json", '[{"n": NaN}, {"n": 2'))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_byte_order_mark_is_skipped(tmp_path: Path, name: str) -> None:
    content = '[{"n": 1}]' if name == "a.json" else '{"n": 1}\n'
    file = write(tmp_path, name, content.encode("utf-8-sig"))
    assert read_records(file) == [{"n": 1}]
    assert file.read_head().startswith((b"[", b"{"))
    assert not file.read_text().startswith("\ufeff")


def test_utf_16_is_named_as_such(tmp_path: Path) -> None:
    file = write(tmp_path, "a.jsonl", '{"n": 1}\n'.encode("utf-16"))
    with pytest.raises(SourceError, match=r"^a\.jsonl: the file is UTF-16; it should be saved as UTF-8$"):
        read_records(file)


@pytest.mark.parametrize("content", ['{"n":\n 1}', '{\n "n": 1\n}\n{\n "n": 2\n}\n'])
def test_objects_over_several_lines_are_read(tmp_path: Path, content: str) -> None:
    assert read_records(write(tmp_path, "a.json", content)) == [{"n": 1}, {"n": 2}][: content.count("n")]


def test_a_broken_line_is_named_by_its_line_in_the_file(tmp_path: Path) -> None:
    *_, broken = read_records(write(tmp_path, "a.jsonl", '\n\n{"n": 1}\n\n{"n"\n'))
    assert isinstance(broken, BrokenRecord)
    assert broken.reason.startswith("line 5 is not JSON, or cut off: ")


def test_compressed_files_are_unpacked(tmp_path: Path) -> None:
    content = b'{"n": 1}\n{"n": 2}\n'
    zipped = write(tmp_path, "a.jsonl.gz", gzip.compress(content))
    packed = write(tmp_path, "a.jsonl.zst", pa.Codec("zstd").compress(content).to_pybytes())
    assert read_records(zipped) == read_records(packed) == [{"n": 1}, {"n": 2}]
    assert zipped.read_head() == packed.read_head() == content


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_compressed_file_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=rf"^{name}: cannot be read: [^\n]+$"):
        read_records(write(tmp_path, name, b"{}"))


def test_the_arrow_files_of_datasets_are_read(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"n": 1, "m": None}, {"n": 2, "m": "x"}])
    for opened, name in ((ipc.new_stream, "data-00000-of-00001.arrow"), (ipc.new_file, "data.arrow")):
        path = tmp_path / name
        with opened(path, table.schema) as writer:
            writer.write_table(table)
        assert read_records(RawFile(path, None, name)) == [{"n": 1}, {"n": 2, "m": "x"}]


# --- numbers ---


def test_integers_of_any_length_stay_exact(tmp_path: Path) -> None:
    number = 12345678901234567890123
    for name, content in (("a.json", f'[{{"n": {number}}}]'), ("a.jsonl", f'{{"n": {number}}}\n')):
        assert read_records(write(tmp_path, name, content)) == [{"n": number}]
    assert parse_json(f'{{"n": {number}}}', "x") == {"n": number}


def test_a_number_too_large_is_refused_and_never_infinity() -> None:
    with pytest.raises(BadRecord, match=r"^x: the number 1e400 is too large"):
        parse_json('{"n": 1e400}', "x")
    with pytest.raises(BadRecord, match=r"^result: the number 1e400 is too large"):
        decode_result('{"n": 1e400}')
    assert decode_result('{"n": NaN}') == '{"n": NaN}'


# --- tables ---


def write_table(folder: Path, *rows: dict[str, Any]) -> RawFile:
    path = folder / "a.parquet"
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return RawFile(path, None, path.name)


def test_what_json_does_not_have_is_converted_in_a_table(tmp_path: Path) -> None:
    row = {
        "a": {
            "day": datetime.date(2024, 3, 1),
            "at": datetime.datetime(2024, 3, 1, 6, 10),
            "price": decimal.Decimal("12.50"),
            "name": b"Oban",
        },
        "many": decimal.Decimal("7"),
        "exact": decimal.Decimal("0.12345678901234567890123"),
    }
    (read,) = read_records(write_table(tmp_path, row))
    assert read == {
        "a": {"day": "2024-03-01", "at": "2024-03-01T06:10:00", "price": 12.5, "name": "Oban"},
        "many": 7,
        "exact": "0.12345678901234567890123",
    }
    json.dumps(read)


def test_nan_in_a_column_is_absent_and_inside_a_value_costs_the_record(tmp_path: Path) -> None:
    nan = float("nan")
    rows = [{"n": 1.5, "a": {"x": 1.0}}, {"n": nan, "a": {"x": 1.0}}, {"n": 1.5, "a": {"x": nan}}]
    first, second, third = read_records(write_table(tmp_path, *rows))
    assert first == {"n": 1.5, "a": {"x": 1.0}}
    assert second == {"a": {"x": 1.0}}
    assert isinstance(third, BrokenRecord)


def test_bytes_that_are_no_text_cost_the_record(tmp_path: Path) -> None:
    (broken,) = read_records(write_table(tmp_path, {"image": b"\xff\xd8"}))
    assert broken == BrokenRecord(r"bytes that are no text: b'\xff\xd8'")


# --- errors of ours, and ids ---


def convert(folder: Path, *files: list[dict[str, Any]]) -> list[list[Dialogue | Fault]]:
    raw = [write(folder, f"a-{number}.json", json.dumps(records)) for number, records in enumerate(files)]
    corpus = Corpus("own", "any", ".", {"train": tuple(raw)}, {file.name: file for file in raw})

    def make(record: Any) -> DialogueContent:
        return DialogueContent((Turn(user=get_field(record, "say", str).strip(record.get("strip"))),))

    def read(file: RawFile) -> list[Dialogue | Fault]:
        earlier = list_earlier_ids(corpus, "train", file, "id")
        return list(
            convert_dialogues(
                corpus,
                "train",
                Shard(file),
                "CC0-1.0",
                records=read_records(file),
                convert=make,
                name=lambda record, index: read_id(record, "id", file, index),
                earlier=earlier,
            )
        )

    return [read(file) for file in raw]


def test_an_error_of_ours_is_a_fault_of_its_record(tmp_path: Path) -> None:
    ((first, fault, third),) = convert(tmp_path, [{"say": "a"}, {"say": "b", "strip": 7}, {"say": "c"}])
    assert isinstance(first, Dialogue)
    assert isinstance(third, Dialogue)
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("a-0.json", "a-0_1")
    expected = "an error of coalm-it, please report it: TypeError: strip arg must be None or str"
    assert fault.reason.startswith(expected)


def test_every_record_has_an_id_of_its_own(tmp_path: Path) -> None:
    given = [7, "7", None, "", True, "a/b", {"x": 1}, "7~2", " "]
    other = ["7", "a/b", "new"]
    read = convert(tmp_path, *([{"say": "x", "id": id} for id in ids] for ids in (given, other)))
    ids = [[one.id for one in records if isinstance(one, Dialogue)] for records in read]
    numbered = ["a-0_2", "a-0_3", "a-0_4"]
    assert ids[0] == ["7", "7~3", *numbered, "a/b", "a-0_6", "7~2", "a-0_8"]
    assert ids[1][1:] == ["a/b~2", "new"]
    assert len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1])
