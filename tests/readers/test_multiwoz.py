from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.corpus import Corpus, Shard, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import load_source
from coalm_it.readers import multiwoz, read_dialogues
from coalm_it.readers.multiwoz.acts import read_count
from coalm_it.schema import Act, Dialogue, Fault, Step

GOLDEN = Path(__file__).parents[1] / "golden"
SPLITS = ("train", "validation", "test")


def find(folder: Path) -> Corpus:
    (found,) = (found for found in find_corpora(folder, [load_source("multiwoz")]) if found.used)
    assert found.corpus
    return found.corpus


def read(folder: Path, split: str = "train") -> list[Dialogue | Fault]:
    return list(read_dialogues("multiwoz", folder, split))


@pytest.fixture(scope="module")
def dialogues(bundled: Path) -> dict[str, Dialogue]:
    """Every bundled dialogue by its id."""
    records = [record for split in SPLITS for record in read(bundled / "multiwoz", split)]
    return {record.id: record for record in records if isinstance(record, Dialogue)}


@pytest.fixture
def change(bundled: Path, tmp_path: Path) -> Callable[..., list[Dialogue | Fault]]:
    """The bundled train split, read after a record of it was changed."""

    def read_changed(dialogue: str, change: Callable[[dict[str, Any]], object]) -> list[Dialogue | Fault]:
        folder = shutil.copytree(bundled / "multiwoz", tmp_path / "corpus", dirs_exist_ok=True)
        path = folder / "data.json"
        records = json.loads(path.read_text())
        change(records[f"{dialogue}.json"])
        path.write_text(json.dumps(records))
        return read(folder)

    return read_changed


def show_calls(steps: tuple[Step, ...]) -> list[list[str]]:
    return [
        [f"{call.name}({', '.join(f'{k}={v}' for k, v in call.arguments.items())})" for call in step.calls]
        for step in steps
    ]


def show_acts(acts: tuple[Act, ...]) -> list[str]:
    return [" ".join([act.name, act.slot, *act.canonical]).strip() for act in acts]


# --- layouts and splits ---


def test_lists_say_which_dialogues_of_data_json_belong_to_which_split(bundled: Path) -> None:
    names = {
        split: [record.id for record in read(bundled / "multiwoz", split) if isinstance(record, Dialogue)]
        for split in SPLITS
    }
    assert (names["validation"], names["test"]) == (["SNG0201", "MUL0201"], ["SNG0301"])
    assert names["train"][0] == "SNG0101"
    assert len(names["train"]) == 10


def test_dialogues_know_where_they_come_from(dialogues: dict[str, Dialogue]) -> None:
    last = dialogues["SNG0301"]
    assert (last.source, last.split, last.licence, last.file, last.record) == (
        "multiwoz",
        "test",
        "MIT",
        "data.json",
        12,
    )
    assert last.clock is None


def test_shards_of_one_file_are_its_parts(bundled: Path) -> None:
    corpus = find(bundled / "multiwoz")
    shards = cut_shards(corpus, "train", 20_000)
    assert len(shards) == 4
    parts = [record for shard in shards for record in multiwoz.read_dialogues(corpus, "train", shard, licence="MIT")]
    assert parts == read(bundled / "multiwoz")


def test_a_zip_file_for_each_split(tmp_path: Path) -> None:
    raw = GOLDEN / "multiwoz" / "raw"
    shutil.copytree(raw / "db", tmp_path / "multiwoz" / "db")
    for name in ("train.json", "val.json"):
        with zipfile.ZipFile(tmp_path / "multiwoz" / f"{name}.zip", "w") as archive:
            archive.write(raw / name, name)
    corpus = find(tmp_path)
    assert (corpus.layout, corpus.root, list(corpus.splits)) == ("split_files", "multiwoz", ["train", "validation"])
    assert [record.id for record in read(tmp_path, "validation") if isinstance(record, Dialogue)] == ["MUL0002"]
    assert read(tmp_path) == read(raw)


def test_2_2_in_its_repository_and_as_a_folder_alone(tmp_path: Path) -> None:
    raw = GOLDEN / "multiwoz22" / "raw"
    shutil.copytree(raw, tmp_path / "data" / "MultiWOZ_2.2")
    shutil.move(tmp_path / "data" / "MultiWOZ_2.2" / "db", tmp_path / "db")
    assert (find(tmp_path).layout, find(raw).layout) == ("frames", "frames_folder")
    (one,), (other,) = read(tmp_path), read(raw)
    assert isinstance(one, Dialogue)
    assert isinstance(other, Dialogue)
    assert one.turns == other.turns


def test_2_2_is_not_taken_for_sgd_nor_sgd_for_it(bundled: Path) -> None:
    for source, folder in (("sgd", GOLDEN / "multiwoz22"), ("multiwoz", bundled / "sgd")):
        assert not any(found.used for found in find_corpora(folder, [load_source(source)]))


def test_2_0_has_its_acts_in_a_file_of_their_own(tmp_path: Path) -> None:
    raw = GOLDEN / "multiwoz" / "raw"
    shutil.copytree(raw / "db", tmp_path / "db")
    records = json.loads((raw / "train.json").read_text())
    log = records["SNG0001"]["log"]
    acts = {"SNG0001": {str(place + 1): entry.pop("dialog_act") for place, entry in enumerate(log[1::2])}}
    acts["SNG0001"]["2"] = "No Annotation"
    for entry in log:
        entry.pop("dialog_act", None)
        entry.pop("span_info")
    (tmp_path / "data.json").write_text(json.dumps({"SNG0001.json": records["SNG0001"]}))
    (tmp_path / "dialogue_acts.json").write_text(json.dumps(acts))
    for name in ("valListFile.json", "testListFile.json"):
        (tmp_path / name).write_text("")
    (dialogue,) = read(tmp_path)
    assert isinstance(dialogue, Dialogue)
    assert show_calls(dialogue.turns[0].steps) == [["find_restaurant(area=centre, food=seafood)"]]
    assert dialogue.turns[1].labels.system_acts == ()
    assert dialogue.turns[2].steps[0].observations[0]["results"][0]["reference"] == "6GQ1ZB20"


def test_2_2_can_do_without_acts(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "multiwoz22" / "raw", tmp_path / "raw")
    (tmp_path / "raw" / "dialog_acts.json").unlink()
    (dialogue,) = read(tmp_path / "raw")
    assert isinstance(dialogue, Dialogue)
    assert show_acts(dialogue.turns[0].labels.user_acts) == [
        *("INFORM_INTENT intent find_restaurant", "INFORM food thai", "INFORM area centre"),
    ]
    assert show_acts(dialogue.turns[1].labels.user_acts) == ["REQUEST phone"]
    assert [show_calls(turn.steps) for turn in dialogue.turns] == [
        [["find_restaurant(area=centre, food=thai)"]],
        [],
        [["book_restaurant(name=lemongrass, day=monday, time=18:00, people=1)"]],
    ]


# --- states and acts ---


def test_a_state_is_what_the_metadata_of_the_next_system_turn_has(dialogues: dict[str, Dialogue]) -> None:
    assert dialogues["SNG0102"].turns[1].state == {
        "hotel": {
            "area": ("north",),
            "price_range": ("dontcare",),
            "stars": ("4",),
            "internet": ("yes",),
            "type": ("guesthouse",),
        }
    }
    assert dialogues["MUL0102"].turns[0].state["hotel"]["type"] == ("guesthouse", "hotel")
    assert dialogues["SNG0103"].turns[1].state["taxi"]["leave_at"] == ("17:15",)


def test_states_add_up_over_domains_until_the_annotation_takes_something_back(dialogues: dict[str, Dialogue]) -> None:
    states = [turn.state for turn in dialogues["MUL0101"].turns]
    assert list(states[2]) == ["restaurant", "attraction"]
    assert states[2]["attraction"] == {"name": ("lockkeeper's museum",)}
    assert states[3]["attraction"] == {"type": ("museum",)}


def test_utterances_are_joined_again(dialogues: dict[str, Dialogue]) -> None:
    first = dialogues["MUL0102"].turns[0]
    assert first.user == "I'm after a hotel or a guesthouse with parking, moderately priced if you can."
    assert first.reply is not None
    assert first.reply.endswith("Doesn't one of them sound good?")


def test_acts_have_their_names_in_sgd(dialogues: dict[str, Dialogue]) -> None:
    first, _, third = dialogues["SNG0101"].turns[:3]
    assert show_acts(first.labels.user_acts) == [
        *("INFORM_INTENT intent find_restaurant", "INFORM food italian", "INFORM area centre"),
    ]
    assert show_acts(first.labels.system_acts) == [
        "INFORM_COUNT count 2",
        "OFFER name the copper lantern bella vetta",
        "OFFER price_range moderate expensive",
    ]
    assert show_acts(third.labels.system_acts) == [
        *("NOTIFY_SUCCESS", "INFORM reference Q7RT40KX", "INFORM name the copper lantern"),
    ]
    assert first.labels.intents == {"restaurant": "find_restaurant"}
    assert third.labels.intents == {"restaurant": "book_restaurant"}


def test_what_was_said_means_what_the_record_has(dialogues: dict[str, Dialogue]) -> None:
    recommended = dialogues["MUL0101"].turns[1].labels.system_acts
    address = next(act for act in recommended if act.slot == "address")
    assert (address.values, address.canonical) == (("27 Mill Rd",), ("27 Mill Road",))
    taxi = dialogues["MUL0103"].turns[3].labels.system_acts
    destination = next(act for act in taxi if act.slot == "destination")
    assert (destination.values, destination.canonical) == (("the restaurant",), ("brasserie nord",))


def test_failures_offers_to_book_and_questions(dialogues: dict[str, Dialogue]) -> None:
    assert show_acts(dialogues["SNG0102"].turns[2].labels.system_acts) == ["NOTIFY_FAILURE", "REQUEST stay"]
    assert show_acts(dialogues["MUL0101"].turns[0].labels.system_acts) == [
        *("NOTIFY_FAILURE food korean", "NOTIFY_FAILURE area south", "REQUEST food"),
    ]
    assert "OFFER_INTENT intent book_restaurant" in show_acts(dialogues["MUL0103"].turns[0].labels.system_acts)
    assert show_acts(dialogues["MUL0104"].turns[0].labels.system_acts) == [
        *("INFORM_COUNT count 5", "INFORM area centre", "REQUEST type museum college"),
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("33", 33),
        ("Two", 2),
        ("only one", 1),
        ("All 3", 3),
        ("one", None),
        ("several", None),
        ("over 200", None),
        ("a few", None),
    ],
)
def test_only_an_exact_number_is_a_count(text: str, count: int | None) -> None:
    assert read_count(text) == count


# --- calls ---


def test_a_turn_has_a_call_where_the_reply_shows_one(dialogues: dict[str, Dialogue]) -> None:
    assert [show_calls(turn.steps) for turn in dialogues["SNG0102"].turns] == [
        [["find_hotel(area=north, type=guesthouse, internet=yes)"]],
        [["find_hotel(area=north, type=guesthouse, stars=4, internet=yes)"]],
        [["book_hotel(name=rowan lodge, day=wednesday, stay=5, people=2)"]],
        [["book_hotel(name=rowan lodge, day=wednesday, stay=3, people=2)"]],
        [],
    ]


def test_questions_and_small_talk_have_no_call(dialogues: dict[str, Dialogue]) -> None:
    assert [bool(turn.steps) for turn in dialogues["SNG0106"].turns] == [False, True, True, False]
    assert [bool(turn.steps) for turn in dialogues["SNG0103"].turns] == [False, True, False, False]


def test_an_answer_from_the_last_results_has_no_call(dialogues: dict[str, Dialogue]) -> None:
    assert dialogues["SNG0101"].turns[1].steps == ()
    assert dialogues["SNG0104"].turns[1].steps == ()
    assert dialogues["MUL0102"].turns[3].steps == ()


def test_an_observation_is_what_the_database_returns(dialogues: dict[str, Dialogue]) -> None:
    (step,) = dialogues["SNG0101"].turns[0].steps
    (found,) = step.observations
    assert found["matches"] == 2
    assert [record["name"] for record in found["results"]] == ["the copper lantern", "bella vetta"]
    assert dialogues["MUL0101"].turns[0].steps[0].observations == ({"matches": 0, "results": []},)


def test_arguments_are_only_what_is_known_by_then(dialogues: dict[str, Dialogue]) -> None:
    turn = dialogues["MUL0103"].turns[0]
    assert turn.state["restaurant"]["name"] == ("brasserie nord",), "the agent is only about to name it"
    assert show_calls(turn.steps) == [["find_restaurant(food=european, price_range=expensive)"]]


def test_a_new_name_is_looked_up_by_itself(dialogues: dict[str, Dialogue]) -> None:
    turns = dialogues["MUL0101"].turns
    assert show_calls(turns[2].steps) == [["find_attraction(name=lockkeeper's museum)"]]
    assert show_calls(turns[3].steps) == [["find_attraction(type=museum)"]]


def test_a_booking_returns_the_reference_that_the_reply_gives(dialogues: dict[str, Dialogue]) -> None:
    booked = dialogues["SNG0106"].turns[2].steps[0].observations[0]["results"][0]
    assert (booked["reference"], booked["total_price"], booked["people"]) == ("5BD9T0YH", "49.50 pounds", 3)
    (taxi,) = dialogues["SNG0103"].turns[1].steps[0].observations[0]["results"]
    assert (taxi["type"], taxi["phone"]) == ("green skoda", "07700900123")


def test_a_reference_that_is_told_later_is_known_from_the_booking_on(dialogues: dict[str, Dialogue]) -> None:
    booking, asking = dialogues["MUL0103"].turns[1:3]
    assert booking.steps[0].observations[0]["results"][0]["reference"] == "W0YF51GE"
    assert asking.steps == ()
    assert show_acts(asking.labels.system_acts) == ["INFORM reference W0YF51GE"]


def test_a_booking_that_the_annotation_refuses_returns_nothing(dialogues: dict[str, Dialogue]) -> None:
    for dialogue, turn in (("SNG0102", 2), ("MUL0201", 3)):
        (step,) = dialogues[dialogue].turns[turn].steps
        assert step.calls[0].name.startswith("book_")
        assert step.observations == ({"matches": 0, "results": []},)


def test_calls_of_one_turn_have_ids_of_their_own(change: Callable[..., list[Dialogue | Fault]]) -> None:
    def book_at_once(record: dict[str, Any]) -> None:
        """The agent books in the turn in which it first searches."""
        book = record["log"][3]["metadata"]["train"]["book"]
        book |= {"people": "3", "booked": [{"trainID": "TR3031", "reference": "5BD9T0YH"}]}
        record["log"][3]["dialog_act"] = {"Train-OfferBooked": [["Ref", "5BD9T0YH"], ["Id", "TR3031"]]}

    dialogue = next(one for one in change("SNG0106", book_at_once) if isinstance(one, Dialogue) and one.id == "SNG0106")
    steps = dialogue.turns[1].steps
    assert [[(call.id, call.name) for call in step.calls] for step in steps] == [
        [("call_1_0", "find_train")],
        [("call_1_1", "book_train")],
    ]
    assert dialogue.turns[2].steps == ()


def test_a_dialogue_brings_the_functions_of_its_domains(dialogues: dict[str, Dialogue]) -> None:
    assert [tool.name for tool in dialogues["MUL0103"].tools] == ["find_restaurant", "book_restaurant", "book_taxi"]
    assert [tool.name for tool in dialogues["SNG0104"].tools] == ["find_police"]


def test_the_inventory_has_every_function(bundled: Path) -> None:
    tools = multiwoz.read_inventory(find(bundled / "multiwoz"), "train").tools
    assert [tool.name for tool in tools][:3] == ["find_restaurant", "book_restaurant", "find_hotel"]
    assert len(tools) == 10


# --- what the data's makers did wrong ---


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r: r.pop("log"), "field 'log' is missing; there is 'goal'"),
        (lambda r: r["log"].pop(), "there are 7 turns; every user turn needs a system turn after it"),
        (lambda r: r["log"][0].pop("text"), "field 'text' is missing; there is 'metadata', 'dialog_act', 'span_info'"),
        (lambda r: r["log"][1].update(metadata={}), "turn 1: the system's metadata is empty, where the state belongs"),
        (lambda r: r["log"][1]["metadata"]["hotel"].pop("semi"), "field 'semi' is missing; there is 'book'"),
        (
            lambda r: r["log"][1]["metadata"]["hotel"]["semi"].update(area=3),
            "hotel: slot 'area' is 3; a text or a list of texts was expected",
        ),
        (
            lambda r: r["log"][1].update(dialog_act={"Inform": [["Area", "east"]]}),
            "act 'Inform' is [['Area', 'east']]; Domain-Intent with a list of slots and values was expected",
        ),
        (
            lambda r: r["log"][1].update(dialog_act={"Hotel-Inform": [["Area"]]}),
            "act Hotel-Inform has ['Area']; a slot and a value were expected",
        ),
    ],
)
def test_a_broken_record_is_a_fault_and_the_others_are_read(
    change: Callable[..., list[Dialogue | Fault]], spoil: Callable[[dict[str, Any]], object], reason: str
) -> None:
    records = change("SNG0101", spoil)
    assert records[0] == Fault(file="data.json", record="SNG0101", reason=reason)
    assert all(isinstance(record, Dialogue) for record in records[1:])
    assert len(records) == 10


def test_a_user_turn_of_2_2_must_be_the_users(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "multiwoz22" / "raw", tmp_path / "raw")
    path = tmp_path / "raw" / "train" / "dialogues_001.json"
    path.write_text(path.read_text().replace('"speaker": "SYSTEM"', '"speaker": "USER"', 1))
    assert read(tmp_path) == [
        Fault(
            file="train/dialogues_001.json",
            record="SNG0003",
            reason="turn 1 is by 'USER'; 'SYSTEM' was expected",
        )
    ]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("data.json", '{"A1.json": {"goal"', "not JSON, or cut off"),
        (
            "valListFile.json",
            None,
            "valListFile: missing; it says which dialogues of data.json are for validation; take",
        ),
        ("db/hotel_db.json", None, "hotel_db.json: missing; the corpus's databases are needed to execute its calls"),
    ],
)
def test_a_broken_corpus_is_one_fault_however_many_shards(
    bundled: Path, tmp_path: Path, name: str, content: str | None, fault: str
) -> None:
    folder = shutil.copytree(bundled / "multiwoz", tmp_path / "corpus")
    corpus = find(folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    corpus = find(folder) if content is None else corpus
    shards = [Shard(corpus.splits["train"][0], index, 3) for index in range(3)]
    faults = [one for shard in shards for one in multiwoz.read_dialogues(corpus, "train", shard, licence="MIT")]
    (broken,) = faults
    assert isinstance(broken, Fault)
    assert (broken.file, broken.record) == ("data.json", None)
    assert broken.reason.startswith(fault)
