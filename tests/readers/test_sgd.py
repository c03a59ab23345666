from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from coalm_it.corpora.corpus import Corpus, Shard, cut_shards
from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, load_source
from coalm_it.readers import read_dialogues, sgd
from coalm_it.schema import Act, Call, Dialogue, Fault, Turn

GOLDEN = Path(__file__).parents[1] / "golden" / "sgd" / "raw"


def find(folder: Path) -> Corpus:
    (found,) = find_corpora(folder, [load_source("sgd")])
    assert found.corpus, found.reason
    return found.corpus


def read(folder: Path, split: str = "train") -> list[Dialogue | Fault]:
    return list(read_dialogues("sgd", folder, split))


@pytest.fixture
def library() -> Dialogue:
    """The first golden dialogue: a book is found, held with a correction, refused, and held on another day."""
    dialogue = read(GOLDEN)[0]
    assert isinstance(dialogue, Dialogue)
    return dialogue


# --- what becomes of a good record ---


def test_a_dialogue_knows_where_it_comes_from(library: Dialogue) -> None:
    assert (library.id, library.source, library.split) == ("1_00001", "sgd", "train")
    assert (library.file, library.record) == ("train/dialogues_001.json", 0)
    assert library.licence == "CC-BY-SA-4.0"
    assert f"{library.clock:%A %Y-%m-%d}" == "Friday 2019-03-01"


def test_a_user_turn_and_a_system_turn_are_one_turn(library: Dialogue) -> None:
    assert [(turn.user[:12], (turn.reply or "")[:12], len(turn.steps)) for turn in library.turns] == [
        ("Does the Har", "Yes, The Lig", 1),
        ("Lovely. Hold", "Two copies o", 0),
        ("Make it the ", "I could not ", 1),
        ("Yes, the 7th", "Both copies ", 1),
        ("Thank you, t", "Enjoy the bo", 0),
    ]


def test_runs_of_white_space_collapse(library: Dialogue) -> None:
    assert library.turns[1].user == "Lovely. Hold two copies for me, I'll fetch them on the 5th."


def test_a_call_and_its_results_are_typed_by_the_schema(library: Dialogue) -> None:
    (found,), (refused,) = library.turns[0].steps, library.turns[2].steps
    assert found.calls == (
        Call(
            id="call_0_0",
            name="FindBook",
            service="Libraries_1",
            arguments={"branch": "Harbour", "title": "The Lighthouse Ledger"},
        ),
    )
    assert found.observations[0]["matches"] == 1
    assert found.observations[0]["results"][0]["is_available"] is True
    assert refused.calls[0].arguments["number_of_copies"] == 2
    assert refused.calls[0].arguments["pickup_date"] == "2019-03-06"
    assert refused.observations[0]["results"][0]["pickup_date"] == "2019-03-07"


def test_the_state_keeps_every_surface_form_as_annotated(library: Dialogue) -> None:
    states = [turn.state["Libraries_1"] for turn in library.turns]
    assert states[0] == {"branch": ("Harbour",), "title": ("The Lighthouse Ledger",)}
    assert states[1]["number_of_copies"] == ("two",)
    assert [state.get("pickup_date") for state in states] == [
        None,
        ("the 5th",),
        ("the 6th",),
        ("March 7th", "the 7th"),
        ("March 7th", "the 7th"),
    ]


def test_the_labels_hold_acts_and_intents(library: Dialogue) -> None:
    labels = library.turns[1].labels
    assert labels.intents == {"Libraries_1": "HoldBook"}
    assert labels.user_acts[-1] == Act(
        name="INFORM",
        service="Libraries_1",
        slot="pickup_date",
        values=("the 5th",),
        canonical=("2019-03-05",),
    )
    assert [act.name for act in labels.system_acts] == ["CONFIRM"] * 4


def test_services_of_a_turn_act_at_once_and_share_the_state() -> None:
    dialogue = read(GOLDEN)[1]
    assert isinstance(dialogue, Dialogue)
    first, second = dialogue.turns
    (step,) = first.steps
    assert [(call.id, call.service) for call in step.calls] == [
        ("call_0_0", "Libraries_1"),
        ("call_0_1", "Weather_1"),
    ]
    assert [observation["matches"] for observation in step.observations] == [2, 1]
    assert first.labels.intents == {"Libraries_1": "FindBook", "Weather_1": "GetForecast"}
    assert list(second.state) == ["Libraries_1", "Weather_1"], "what the last turn does not mention still holds"
    assert [tool.name for tool in dialogue.tools] == ["FindBook", "HoldBook", "GetForecast"]


def test_tools_are_json_schema() -> None:
    find_book, hold_book, get_forecast = sgd.read_inventory(find(GOLDEN), "train").tools
    assert hold_book.required == ("title", "branch", "pickup_date")
    assert hold_book.properties["number_of_copies"] == {
        "type": "integer",
        "description": "How many copies to hold",
        "enum": [1, 2, 3],
        "default": 1,
    }
    assert find_book.properties["branch"]["enum"] == ["Central", "Harbour", "North Gate"]
    assert "default" not in find_book.properties["branch"], "dontcare is no default"
    assert get_forecast.properties["date"] == {
        "type": "string",
        "description": "Day of the forecast",
        "default": "2019-03-01",
    }
    assert find_book.results == ("author", "branch", "is_available", "title")
    assert [tool.transactional for tool in (find_book, hold_book, get_forecast)] == [False, True, False]
    assert [tool.service for tool in (find_book, hold_book, get_forecast)] == ["Libraries_1"] * 2 + ["Weather_1"]


# --- bad input: one clear line, and the good records go on ---

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[Edit], Path]:
    """Copies the golden corpus and breaks its first dialogue."""

    def edit_first(edit: Edit) -> Path:
        folder = tmp_path / "sgd"
        shutil.copytree(GOLDEN, folder)
        path = folder / "train" / "dialogues_001.json"
        dialogues = json.loads(path.read_text())
        edit(dialogues[0])
        path.write_text(json.dumps(dialogues))
        return folder

    return edit_first


def frame(dialogue: dict[str, Any], turn: int) -> Any:
    return dialogue["turns"][turn]["frames"][0]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda d: d.pop("services"), "field services is missing"),
        (lambda d: d.update(turns=None), "turns: should be a list, found None"),
        (lambda d: frame(d, 0)["state"].pop("slot_values"), "field turns.0.frames.0.state.slot_values is missing"),
        (lambda d: frame(d, 0).pop("state"), "turn 0: the user's frame of Libraries_1 lacks its state"),
        (
            lambda d: frame(d, 0)["state"]["slot_values"].update(title="Dune"),
            "turns.0.frames.0.state.slot_values.title: should be a list, found 'Dune'",
        ),
        (
            lambda d: frame(d, 1)["service_call"]["parameters"].update(title=7),
            "turns.1.frames.0.service_call.parameters.title: should be a string, found 7",
        ),
        (lambda d: frame(d, 1).pop("service_results"), "turn 1: there is a service_call, but no service_results"),
        (lambda d: d["services"].append("Taxis_1"), "service 'Taxis_1' is not in schema.json"),
        (lambda d: frame(d, 4).update(service="Taxis_1"), "turn 4: service 'Taxis_1' is not in schema.json"),
        (
            lambda d: frame(d, 2)["state"]["slot_values"].update(colour=["red"]),
            "turn 2: slot 'colour' is not in the schema of Libraries_1",
        ),
        (
            lambda d: frame(d, 1)["service_call"]["parameters"].update(colour="red"),
            "turn 1: slot 'colour' is not in the schema of Libraries_1",
        ),
        (
            lambda d: frame(d, 1)["service_results"][0].update(colour="red"),
            "turn 1: slot 'colour' is not in the schema of Libraries_1",
        ),
        (lambda d: frame(d, 1)["service_call"].update(method="Fly"), "turn 1: Libraries_1 has no 'Fly'"),
        (
            lambda d: frame(d, 0)["slots"][0].update(exclusive_end=99),
            "turn 0: span 29:99 of slot 'title' lies outside the utterance "
            "'Does the Harbour branch have The Lighthouse Ledger?'",
        ),
        (
            lambda d: frame(d, 0)["slots"][0].update(start=60, exclusive_end=50),
            "turn 0: span 60:50 of slot 'title' lies outside the utterance "
            "'Does the Harbour branch have The Lighthouse Ledger?'",
        ),
        (lambda d: d["turns"].insert(1, d["turns"][0]), "turn 1 is by 'USER'; 'SYSTEM' was expected"),
        (lambda d: d["turns"].pop(0), "turn 0 is by 'SYSTEM'; 'USER' was expected"),
        (lambda d: d["turns"].pop(), "there are 9 turns; every user turn needs a system turn after it"),
        (lambda d: d["turns"].clear(), "there are 0 turns; every user turn needs a system turn after it"),
    ],
)
def test_an_invalid_record_is_a_fault_and_the_others_are_read(
    broken: Callable[[Edit], Path], edit: Edit, reason: str
) -> None:
    fault, second = read(broken(edit))
    assert fault == Fault(file="train/dialogues_001.json", record="1_00001", reason=reason)
    assert isinstance(second, Dialogue)
    assert (second.id, second.record) == ("1_00002", 1)


def test_an_unknown_act_is_a_fault(broken: Callable[[Edit], Path]) -> None:
    fault, second = read(broken(lambda d: frame(d, 0)["actions"][0].update(act="INFROM")))
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("turns.0.frames.0.actions.0.act: should be 'AFFIRM', ")
    assert fault.reason.endswith(", found 'INFROM'")
    assert isinstance(second, Dialogue)


def test_a_record_without_an_id_is_named_by_its_number(broken: Callable[[Edit], Path]) -> None:
    folder = broken(lambda dialogue: None)
    path = folder / "train" / "dialogues_001.json"
    path.write_text(json.dumps([*json.loads(path.read_text()), {"turns": []}, "not a dialogue"]))
    *_, nameless, text = read(folder)
    assert nameless == Fault(file="train/dialogues_001.json", record="2", reason="field dialogue_id is missing")
    assert isinstance(text, Fault)
    assert text.record == "3"
    assert text.reason.endswith("found 'not a dialogue'")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        ((GOLDEN / "train" / "dialogues_001.json").read_bytes()[:3000], "not JSON, or cut off: "),
        (b'"1_00001"', "a list of records was expected at the top"),
        (b'[{"dialogue_id": "caf\xe9"}]', "not UTF-8: invalid continuation byte at byte 21"),
    ],
)
def test_an_unreadable_file_is_one_fault_and_the_other_files_are_read(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    (tmp_path / "train" / "dialogues_002.json").write_bytes(content)
    *dialogues, fault = read(tmp_path)
    assert len(dialogues) == 2
    assert isinstance(fault, Fault)
    assert (fault.file, fault.record) == ("train/dialogues_002.json", None)
    assert fault.reason.startswith(reason)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (None, "train/schema.json: missing; every split needs its schema"),
        ("[", "train/schema.json: not JSON, or cut off: "),
        ('[{"service_name": "Libraries_1", "slots": []}]', "train/schema.json: field 0.intents is missing"),
    ],
)
def test_without_a_good_schema_nothing_is_read(tmp_path: Path, schema: str | None, reason: str) -> None:
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "train" / "schema.json"
    path.unlink()
    if schema is not None:
        path.write_text(schema)
    (fault,) = read(tmp_path)
    assert isinstance(fault, Fault)
    assert fault.reason.startswith(reason)
    with pytest.raises(SourceError, match=r"train/schema\.json: "):
        sgd.read_inventory(find(tmp_path), "train")


# --- the real corpus ---


@dataclass
class Train:
    """What the reader makes of the train split, counted beside what the raw files say."""

    read: Counter[str] = field(default_factory=Counter)
    raw: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    """Turns of which utterances, state, calls or results are not those of the raw file."""


@pytest.fixture(scope="module")
def train(corpora: Path) -> Train:
    """One pass over all files, file by file: the whole split does not fit in memory twice."""
    corpus, counted = find(corpora), Train()
    for shard in cut_shards(corpus, "train"):
        records = orjson.loads(shard.file.path.read_bytes())
        read_records = list(sgd.read_dialogues(corpus, "train", shard, licence=""))
        counted.faults += [record for record in read_records if isinstance(record, Fault)]
        dialogues = [record for record in read_records if isinstance(record, Dialogue)]
        for raw, dialogue in zip(records, dialogues, strict=True):
            counted.raw.update(count_raw(raw))
            counted.read.update(count_read(dialogue))
            told = list(zip(raw["turns"][::2], raw["turns"][1::2], strict=True))
            states = [find_state(raw, 2 * number) for number in range(len(told))]
            for (user, system), state, turn in zip(told, states, dialogue.turns, strict=True):
                if describe_raw(user, system) != describe_read(turn) or state != dump(turn.state):
                    counted.unequal.append(f"{raw['dialogue_id']}: {turn.user}")
    return counted


def find_state(raw: dict[str, Any], last: int) -> Any:
    """What was last said to hold for each service, up to and with turn `last`."""
    states = [frame for turn in raw["turns"][: last + 1] for frame in turn["frames"] if "state" in frame]
    return {frame["service"]: frame["state"]["slot_values"] for frame in states}


def dump(value: Any) -> Any:
    """As JSON has it: lists for tuples."""
    return orjson.loads(orjson.dumps(value))


def describe_raw(user: dict[str, Any], system: dict[str, Any]) -> Any:
    calls = [frame for frame in system["frames"] if "service_call" in frame]
    return [
        " ".join(user["utterance"].split()),
        " ".join(system["utterance"].split()),
        [(call["service"], call["service_call"]["method"], call["service_call"]["parameters"]) for call in calls],
        [call["service_results"] for call in calls],
    ]


def describe_read(turn: Turn) -> Any:
    calls = [call for step in turn.steps for call in step.calls]
    observations = [observation for step in turn.steps for observation in step.observations]
    return [
        turn.user,
        turn.reply,
        [(call.service, call.name, untype(call.arguments)) for call in calls],
        [[untype(result) for result in observation["results"]] for observation in observations],
    ]


def untype(values: dict[str, Any]) -> dict[str, str]:
    return {slot: str(value) for slot, value in values.items()}


def count_raw(raw: dict[str, Any]) -> Iterator[str]:
    yield "dialogues"
    if len(set(raw["services"])) > 1:
        yield "dialogues over several services"
    for turn in raw["turns"]:
        if turn["speaker"] == "USER":
            yield "user turns"
        calls = [frame for frame in turn["frames"] if "service_call" in frame]
        yield from ["calls"] * len(calls)
        for frame in calls:
            parameters, results = frame["service_call"]["parameters"], frame["service_results"]
            yield from ["arguments"] * len(parameters)
            yield from ["calls without arguments"] * (not parameters)
            yield from ["calls with ten results"] * (len(results) == 10)
            if any(act["act"] == "NOTIFY_FAILURE" for act in frame["actions"]):
                yield from describe_failure(parameters, results)
            for act in frame["actions"]:
                if act["act"] == "INFORM_COUNT":
                    yield f"counts {'as' if int(act['canonical_values'][0]) == len(results) else 'not'} observed"


def count_read(dialogue: Dialogue) -> Iterator[str]:
    yield "dialogues"
    if len({tool.service for tool in dialogue.tools}) > 1:
        yield "dialogues over several services"
    names = [tool.name for tool in dialogue.tools]
    if len(set(names)) < len(names):
        yield "dialogues with a function name twice"
    tools = {(tool.service, tool.name): tool for tool in dialogue.tools}
    for turn in dialogue.turns:
        yield "user turns"
        for step in turn.steps:
            yield from ["turns with several calls"] * (len(step.calls) > 1)
            for call, observation in zip(step.calls, step.observations, strict=True):
                yield "calls"
                yield from ["arguments"] * len(call.arguments)
                yield from ["calls without arguments"] * (not call.arguments)
                yield from ["calls with ten results"] * (observation["matches"] == 10)
                required = set(tools[call.service, call.name].required)
                yield from ["calls without a required argument"] * (not required <= set(call.arguments))
                acts = [act for act in turn.labels.system_acts if act.service == call.service]
                if any(act.name == "NOTIFY_FAILURE" for act in acts):
                    yield from describe_failure(call.arguments, observation["results"])
                for act in acts:
                    if act.name == "INFORM_COUNT":
                        right = int(act.canonical[0]) == observation["matches"]
                        yield f"counts {'as' if right else 'not'} observed"


def describe_failure(asked: dict[str, Any], results: list[dict[str, Any]]) -> Iterator[str]:
    yield "failures"
    if not results:
        yield "failures with nothing"
    elif len(results) == 1 and any(results[0].get(slot) != value for slot, value in asked.items()):
        yield "failures with an alternative"


@pytest.mark.corpora
def test_no_record_of_the_train_split_is_a_fault(train: Train) -> None:
    assert train.faults == []


@pytest.mark.corpora
def test_utterances_states_calls_and_results_are_those_of_the_raw_files(train: Train) -> None:
    assert train.unequal == []


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("what", "count"),
    [
        ("dialogues", 12_174),
        ("dialogues over several services", 6_899),
        ("user turns", 111_878),
        ("calls", 33_963),
        ("arguments", 101_970),
        ("calls without arguments", 354),
        ("calls with ten results", 6_073),
        ("failures", 1_670),
        ("failures with nothing", 834),
        ("failures with an alternative", 836),
        ("counts as observed", 9_111),
        ("counts not observed", 0),
    ],
)
def test_the_train_split_is_what_was_counted_in_the_raw_files(train: Train, what: str, count: int) -> None:
    assert (train.raw[what], train.read[what]) == (count, count)


@pytest.mark.corpora
def test_what_only_the_reader_can_tell(train: Train) -> None:
    assert train.read["calls without a required argument"] == 18
    assert train.read["dialogues with a function name twice"] == 117
    assert train.read["turns with several calls"] == 0


@pytest.mark.corpora
def test_the_schema_of_the_train_split(corpora: Path) -> None:
    tools = sgd.read_inventory(find(corpora), "train").tools
    assert len(tools) == 53
    assert len({tool.service for tool in tools}) == 26
    assert len({f"{tool.name}({', '.join(tool.required)})" for tool in tools}) == 51
    raw = json.loads((corpora / "sgd" / "train" / "schema.json").read_text())
    assert [tool.name for tool in tools] == [intent["name"] for service in raw for intent in service["intents"]]
    defaults = [
        value for service in raw for intent in service["intents"] for value in intent["optional_slots"].values()
    ]
    kept = [spec for tool in tools for spec in tool.properties.values() if "default" in spec]
    assert len(kept) == len(defaults) - 46
    assert {spec["type"] for tool in tools for spec in tool.properties.values()} == {"string", "boolean", "integer"}


@pytest.mark.corpora
def test_the_dev_split_is_read_as_well(corpora: Path) -> None:
    dialogues = read(corpora, "validation")
    assert len(dialogues) == 2_098
    assert all(isinstance(dialogue, Dialogue) for dialogue in dialogues)


def test_a_file_is_parsed_once_however_many_shards_it_has(tmp_path: Path) -> None:
    """After the first shard the files are overwritten, with the same size and time: nothing is parsed again."""
    whole = [one.id for one in read(shutil.copytree(GOLDEN, tmp_path / "whole")) if isinstance(one, Dialogue)]
    corpus = find(shutil.copytree(GOLDEN, tmp_path / "sgd"))
    (file,) = corpus.splits["train"]
    ids = []
    for index in range(2):
        shard = Shard(file, index, 2)
        ids += [one.id for one in sgd.read_dialogues(corpus, "train", shard, licence="") if isinstance(one, Dialogue)]
        for path in (tmp_path / "sgd" / "train").iterdir():
            status = path.stat()
            path.write_bytes(b" " * status.st_size)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert ids == whole
    assert len(ids) > 1
