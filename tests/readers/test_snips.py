from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.corpus import Corpus, Shard, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source
from coalm_it.readers import snips
from coalm_it.schema import Dialogue, Fault


def find(folder: Path, layout: str) -> Corpus:
    found = find_corpora(folder, [load_source("snips")])
    (corpus,) = [item.corpus for item in found if item.corpus and item.layout == layout]
    return corpus


def read(folder: Path, layout: str, split: str = "train") -> list[Dialogue | Fault]:
    corpus = find(folder, layout)
    return [
        record
        for shard in cut_shards(corpus, split)
        for record in snips.read_dialogues(corpus, split, shard, licence="CC0-1.0")
    ]


def utterance(**changes: Any) -> dict[str, Any]:
    good = {
        "dialog_id": "gw_1",
        "domain": "GetWeather",
        "utterance": "Is it windy in Oban today",
        "slot_values": {"city": "Oban", "timeRange": "today"},
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def write_split(folder: Path, *records: Any) -> Path:
    (folder / "train.json").write_text(json.dumps(records))
    return folder


def write_original(folder: Path, content: Any, domain: str = "GetWeather") -> Path:
    path = folder / domain / f"train_{domain}_full.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def write_joint(folder: Path, tokens: str, tags: str, labels: str) -> Path:
    (folder / "train").mkdir(parents=True)
    for name, content in (("seq.in", tokens), ("seq.out", tags), ("label", labels)):
        (folder / "train" / name).write_text(content)
    return folder


# --- what becomes of a good record ---


def test_an_utterance_is_a_dialogue_of_one_turn(tmp_path: Path) -> None:
    (dialogue,) = read(write_split(tmp_path, utterance()), "split")
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, dialogue.source, dialogue.split) == ("gw_1", "snips", "train")
    assert dialogue.licence == "CC0-1.0"
    assert (dialogue.file, dialogue.record, dialogue.clock, dialogue.tools) == ("train.json", 0, None, ())
    (turn,) = dialogue.turns
    assert turn.user == "Is it windy in Oban today"
    assert turn.state == {"GetWeather": {"city": ("Oban",), "timeRange": ("today",)}}
    assert turn.reply is None
    assert turn.steps == ()


def test_runs_of_white_space_collapse_in_utterance_and_value(tmp_path: Path) -> None:
    record = utterance(utterance=" is it windy\nin  Port  Ellen", slot_values={"city": "Port  Ellen "})
    (dialogue,) = read(write_split(tmp_path, record), "split")
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns[0].user == "is it windy in Port Ellen"
    assert dialogue.turns[0].state == {"GetWeather": {"city": ("Port Ellen",)}}


def test_a_record_without_a_dialog_id_is_named_by_file_and_number(tmp_path: Path) -> None:
    records = read(write_split(tmp_path, utterance(), utterance(dialog_id=None)), "split")
    assert [record.id for record in records if isinstance(record, Dialogue)] == ["gw_1", "train_1"]


def test_segments_of_the_original_layout_are_joined(tmp_path: Path) -> None:
    windy = {"data": [{"text": "Windy in "}, {"text": "Oban", "entity": "city"}, {"text": " ?"}]}
    (dialogue,) = read(write_original(tmp_path, {"GetWeather": [windy]}), "original")
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, dialogue.file) == ("train_GetWeather_0", "GetWeather/train_GetWeather_full.json")
    assert dialogue.turns[0].user == "Windy in Oban ?"
    assert dialogue.turns[0].state == {"GetWeather": {"city": ("Oban",)}}


def test_a_slot_said_twice_keeps_its_values_in_order(tmp_path: Path) -> None:
    segments = [{"text": "Oban", "entity": "city"}, {"text": " or "}, {"text": "Mallaig", "entity": "city"}]
    write_original(tmp_path / "a", {"GetWeather": [{"data": segments}]})
    write_joint(tmp_path / "b", "oban or mallaig", "B-city O B-city", "GetWeather")
    (original,), (joint,) = read(tmp_path / "a", "original"), read(tmp_path / "b", "joint_slu")
    assert isinstance(original, Dialogue)
    assert isinstance(joint, Dialogue)
    assert original.turns[0].state == {"GetWeather": {"city": ("Oban", "Mallaig")}}
    assert joint.turns[0].state == {"GetWeather": {"city": ("oban", "mallaig")}}


def test_surrogate_pairs_of_a_cesu_8_file_become_one_character(tmp_path: Path) -> None:
    pizza = "\ud83c\udf55".encode("utf-8", "surrogatepass")
    content = b'{"PlayMusic": [{"data": [{"text": "play caf\xc3\xa9 %s"}]}]}' % pizza
    (dialogue,) = read(write_original(tmp_path, content, "PlayMusic"), "original")
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns[0].user == "play café 🍕"


def test_bio_tags_and_trailing_blanks(tmp_path: Path) -> None:
    tags = "O O B-city I-city B-timeRange \n"
    folder = write_joint(tmp_path, "windy in port ellen today \n", tags, "GetWeather\n")
    (dialogue,) = read(folder, "joint_slu")
    assert isinstance(dialogue, Dialogue)
    assert (dialogue.id, dialogue.file, dialogue.record) == ("line_1", "train/seq.in", 0)
    assert dialogue.turns[0].user == "windy in port ellen today"
    assert dialogue.turns[0].state == {"GetWeather": {"city": ("port ellen",), "timeRange": ("today",)}}


@pytest.mark.parametrize(
    ("tags", "state"),
    [
        ("I-city I-city O", {"city": ("port ellen",)}),  # nothing before it
        ("B-city I-country O", {"city": ("port",), "country": ("ellen",)}),  # another slot before it
        ("B-city O I-city", {"city": ("port", "today")}),  # not beside it
        ("B-city B-city O", {"city": ("port", "ellen")}),
    ],
)
def test_an_i_tag_that_continues_nothing_begins_a_value(tmp_path: Path, tags: str, state: Any) -> None:
    (dialogue,) = read(write_joint(tmp_path, "port ellen today", tags, "GetWeather"), "joint_slu")
    assert isinstance(dialogue, Dialogue)
    assert dialogue.turns[0].state == {"GetWeather": state}


def test_the_inventory_has_domains_by_name_and_slots_as_they_first_occur(tmp_path: Path) -> None:
    play = utterance(domain="PlayMusic", utterance="Ada", slot_values={"artist": "Ada"})
    late = utterance(utterance="snow in Oban", slot_values={"condition": "snow", "city": "Oban"})
    corpus = find(write_split(tmp_path, play, utterance(), late, utterance(domain=None)), "split")
    inventory = snips.read_inventory(corpus, "train")
    assert list(inventory.slots.items()) == [
        ("GetWeather", ("city", "timeRange", "condition")),
        ("PlayMusic", ("artist",)),
    ]


def test_shards_of_a_file_are_its_records_cut_in_order(tmp_path: Path) -> None:
    records = [utterance(dialog_id=f"gw_{number}") for number in range(7)]
    corpus = find(write_split(tmp_path, *records), "split")
    (file,) = corpus.splits["train"]
    numbers = [
        record.record
        for index in range(3)
        for record in snips.read_dialogues(corpus, "train", Shard(file, index, 3), licence="")
    ]
    assert numbers == list(range(7))


# --- bad input: one clear line, and the good records go on ---


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"dialog_id": "gw_1"}, "field 'slot_values' is missing; there is 'dialog_id'"),
        (
            {"dialog_id": "gw_1", "slot_values": {}},
            "field 'domain' is missing; there is 'dialog_id', 'slot_values'",
        ),
        (utterance(domain=7), "'domain' should be a string, found 7"),
        (utterance(utterance=["Oban"]), "'utterance' should be a string, found ['Oban']"),
        (utterance(slot_values=["Oban"]), "'slot_values' should be an object, found ['Oban']"),
        (utterance(slot_values={"city": ["Oban"]}), "'city' should be a string, found ['Oban']"),
        (utterance(utterance=" \n"), "the utterance is empty"),
        (utterance(domain=""), "the domain is empty"),
        (
            utterance(slot_values={"city": "Mallaig"}),
            "slot 'city': 'Mallaig' is not in the utterance 'Is it windy in Oban today'",
        ),
        (
            utterance(slot_values={"city": " "}),
            "slot 'city': '' is not in the utterance 'Is it windy in Oban today'",
        ),
    ],
)
def test_an_invalid_record_is_a_fault_and_the_others_are_read(tmp_path: Path, bad: Any, reason: str) -> None:
    first, second, third = read(
        write_split(tmp_path, utterance(dialog_id="gw_0"), bad, utterance(dialog_id="gw_2")), "split"
    )
    assert isinstance(first, Dialogue)
    assert second == Fault(file="train.json", record="gw_1", reason=reason)
    assert isinstance(third, Dialogue)
    assert third.record == 2


def test_a_record_that_is_no_object_is_named_by_its_number(tmp_path: Path) -> None:
    _, fault = read(write_split(tmp_path, utterance(), "windy"), "split")
    expected = "an object with 'slot_values' was expected, found 'windy'"
    assert fault == Fault(file="train.json", record="train_1", reason=expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (json.dumps([utterance()]).encode()[:-20], "not JSON, or cut off: "),
        (json.dumps(utterance()).encode(), "a list of utterances was expected at the top"),
        (b'[{"utterance": "caf\xe9"}]', "not UTF-8: invalid continuation byte at byte 19"),
        (json.dumps([utterance()]).encode("utf-16"), "the file is UTF-16; it should be saved as UTF-8"),
        (b'["half a surrogate pair: \xed\xa0\xbc"]', "not UTF-8: invalid continuation byte at byte 25"),
    ],
)
def test_a_bad_file_is_one_fault_without_a_record(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "train.json").write_bytes(content)
    (tmp_path / "valid.json").write_text(json.dumps([utterance()]))
    (fault,) = read(tmp_path, "split")
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("train.json", None)
    assert fault.reason.startswith(reason)
    assert "\n" not in fault.reason
    assert len(read(tmp_path, "split", "validation")) == 1
    assert snips.read_inventory(find(tmp_path, "split"), "train").slots == {}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"text": "windy"}, "field 'data' is missing; there is 'text'"),
        ({"data": [{"entity": "city"}]}, "field 'text' is missing; there is 'entity'"),
        ({"data": [{"text": "Oban", "entity": None}]}, "'entity' should be a string, found None"),
        ({"data": ["Oban"]}, "an object with 'text' was expected, found 'Oban'"),
        ({"data": []}, "the utterance is empty"),
    ],
)
def test_a_bad_record_of_the_original_layout(tmp_path: Path, record: Any, reason: str) -> None:
    good = {"data": [{"text": "windy"}]}
    dialogue, fault = read(write_original(tmp_path, {"GetWeather": [good, record]}), "original")
    assert isinstance(dialogue, Dialogue)
    file = "GetWeather/train_GetWeather_full.json"
    assert fault == Fault(file=file, record="train_GetWeather_1", reason=reason)


@pytest.mark.parametrize(
    ("tokens", "tags", "label", "reason"),
    [
        ("windy in oban", "O O", "GetWeather", "3 tokens in seq.in, but 2 tags in seq.out"),
        ("windy in oban", "O O city", "GetWeather", "tag 'city' is none of O, B-SLOT, I-SLOT"),
        ("windy in oban", "O O B-", "GetWeather", "tag 'B-' is none of O, B-SLOT, I-SLOT"),
        ("", "", "GetWeather", "the utterance is empty"),
        ("windy", "O", " ", "the domain is empty"),
    ],
)
def test_a_bad_line(tmp_path: Path, tokens: str, tags: str, label: str, reason: str) -> None:
    folder = write_joint(tmp_path, f"rain\n{tokens}\n", f"O\n{tags}\n", f"GetWeather\n{label}\n")
    dialogue, fault = read(folder, "joint_slu")
    assert isinstance(dialogue, Dialogue)
    assert fault == Fault(file="train/seq.in", record="line_2", reason=reason)


def test_seq_files_of_unequal_length_are_one_fault(tmp_path: Path) -> None:
    folder = write_joint(tmp_path, "rain\nsnow\n", "O\n", "GetWeather\nGetWeather\n")
    reason = "seq.in has 2 lines, seq.out 1, label 2; each should have one line per utterance"
    assert read(folder, "joint_slu") == [Fault(file="train/seq.in", reason=reason)]


def test_a_missing_seq_file_is_one_fault(tmp_path: Path) -> None:
    folder = write_joint(tmp_path, "rain\n", "O\n", "GetWeather\n")
    (folder / "train" / "seq.out").unlink()
    reason = "train/seq.out is missing; seq.in, seq.out and label belong together"
    assert read(folder, "joint_slu") == [Fault(file="train/seq.in", reason=reason)]


# --- the real corpora ---


def clean(text: str) -> str:
    return " ".join(text.split())


def letters(text: str) -> str:
    """What is left when case, blanks and punctuation do not count: seq files are lower case, in tokens."""
    return re.sub(r"[\W_]", "", text.lower())


def load_raw(corpora: Path, *names: str) -> list[dict[str, Any]]:
    folder = corpora / "snips" / "split"
    return [record for name in names for record in json.loads((folder / f"{name}.json").read_text())]


def take_last(dialogue: Dialogue | Fault) -> tuple[str, str, dict[str, str]]:
    """Domain, utterance, and of each slot its last value, as the split has it."""
    assert isinstance(dialogue, Dialogue), dialogue
    ((domain, slots),) = dialogue.turns[0].state.items()
    return domain, dialogue.turns[0].user, {slot: values[-1] for slot, values in slots.items()}


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("split", "name", "count"),
    [("train", "train", 13_084), ("validation", "valid", 700), ("test", "test", 700)],
)
def test_the_split_is_read_whole(corpora: Path, split: str, name: str, count: int) -> None:
    read_dialogues = read(corpora, "split", split)
    raw = load_raw(corpora, name)
    assert len(raw) == count
    for dialogue, record in zip(read_dialogues, raw, strict=True):
        slots = {slot: clean(value) for slot, value in record["slot_values"].items()}
        assert take_last(dialogue) == (record["domain"], clean(record["utterance"]), slots)
    ids = [dialogue.id for dialogue in read_dialogues if isinstance(dialogue, Dialogue)]
    assert ids == [record["dialog_id"] for record in raw]
    assert len(set(ids)) == count


@pytest.mark.corpora
def test_the_domains_of_the_split(corpora: Path) -> None:
    train = [take_last(dialogue) for dialogue in read(corpora, "split")]
    assert Counter(domain for domain, _, _ in train) == {
        "GetWeather": 1_913,
        "PlayMusic": 1_881,
        "BookRestaurant": 1_875,
        "RateBook": 1_860,
        "SearchScreeningEvent": 1_854,
        "SearchCreativeWork": 1_853,
        "AddToPlaylist": 1_848,
    }
    assert len({utterance.lower() for _, utterance, _ in train}) == 12_892


@pytest.mark.corpora
def test_the_original_is_the_split_but_for_one_emoji(corpora: Path) -> None:
    def count(dialogues: list[Dialogue | Fault]) -> Counter[str]:
        return Counter(json.dumps(take_last(dialogue), sort_keys=True) for dialogue in dialogues)

    train, validation = read(corpora, "original"), read(corpora, "original", "validation")
    assert (len(train), len(validation)) == (13_784, 700)
    assert count(validation) == count(read(corpora, "split", "validation"))
    ours, theirs = count(train), count(read(corpora, "split") + read(corpora, "split", "test"))
    (emoji,), (without,) = ours - theirs, theirs - ours
    assert "Pop Punk Perfection 🍕" in json.loads(emoji)[1]
    assert "Pop Punk Perfection off" in json.loads(without)[1]


@pytest.mark.corpora
def test_61_utterances_say_a_slot_twice(corpora: Path) -> None:
    twice = [
        dialogue.turns[0].state
        for dialogue in read(corpora, "original")
        if isinstance(dialogue, Dialogue)
        for slots in dialogue.turns[0].state.values()
        if any(len(values) > 1 for values in slots.values())
    ]
    assert len(twice) == 61


@pytest.mark.corpora
def test_the_seq_files_hold_the_utterances_of_the_split(corpora: Path) -> None:
    def normal(dialogue: Dialogue | Fault) -> str:
        domain, text, slots = take_last(dialogue)
        values = sorted((slot, letters(value)) for slot, value in slots.items())
        return json.dumps([domain, letters(text), values])

    def read_normal(layout: str, *splits: str) -> list[str]:
        return [normal(dialogue) for split in splits for dialogue in read(corpora, layout, split)]

    sizes = [len(read(corpora, "joint_slu", split)) for split in ("train", "validation", "test")]
    assert sizes == [13_084, 700, 700]
    assert read_normal("joint_slu", "validation") == read_normal("split", "validation")
    joint, split = read_normal("joint_slu", "train", "test"), read_normal("split", "train", "test")
    assert Counter(joint) == Counter(split)


@pytest.mark.corpora
def test_the_inventory_has_every_slot_of_the_seven_domains(corpora: Path) -> None:
    slots: dict[str, list[str]] = {}
    for record in load_raw(corpora, "train"):
        known = slots.setdefault(record["domain"], [])
        known += [slot for slot in record["slot_values"] if slot not in known]
    inventory = snips.read_inventory(find(corpora, "split"), "train")
    assert list(inventory.slots) == sorted(slots)
    joint = snips.read_inventory(find(corpora, "joint_slu"), "train")
    for domain, names in slots.items():
        assert list(inventory.slots[domain]) == names
        assert set(joint.slots[domain]) == set(names)
