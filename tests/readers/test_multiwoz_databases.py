from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coalm_it.calls import find_tool
from coalm_it.corpora.corpus import RawFile
from coalm_it.corpora.sources import SourceError
from coalm_it.readers.multiwoz.databases import BookingOutcome, Databases, execute, load_databases
from coalm_it.readers.multiwoz.matching import agrees, is_exact, same_name
from coalm_it.schema import Call


def list_files(folder: Path) -> dict[str, RawFile]:
    return {f"db/{path.name}": RawFile(path, None, f"db/{path.name}") for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def databases(bundled: Path) -> Databases:
    return load_databases(list_files(bundled / "multiwoz" / "db"))


@pytest.fixture
def folder(bundled: Path, tmp_path: Path) -> Path:
    """A copy of the bundled databases, to be changed."""
    return Path(shutil.copytree(bundled / "multiwoz" / "db", tmp_path / "db"))


def call(
    databases: Databases, function: str, outcome: BookingOutcome | None = None, /, **arguments: Any
) -> dict[str, Any]:
    return execute(databases, Call(name=function, arguments=arguments), "SNG0001", outcome)


def find_names(databases: Databases, function: str, /, **arguments: Any) -> list[str]:
    found = call(databases, function, **arguments)
    assert found["matches"] == len(found["results"])
    return [record.get("name") or record.get("train_id") or record["department"] for record in found["results"]]


# --- functions ---


def test_every_function_says_what_it_takes_and_gives(databases: Databases) -> None:
    assert [tool.name for tool in databases.tools] == [
        *("find_restaurant", "book_restaurant", "find_hotel", "book_hotel", "find_attraction", "find_train"),
        *("book_train", "book_taxi", "find_hospital", "find_police"),
    ]
    for tool in databases.tools:
        assert tool.parameters["type"] == "object"
        assert set(tool.required) <= set(tool.properties)
        assert all({"type", "description"} <= set(schema) for schema in tool.properties.values())
        assert tool.transactional == tool.name.startswith("book_") == bool(tool.required)


def test_stations_and_kinds_of_attraction_are_those_of_the_database(databases: Databases) -> None:
    train, attraction = (find_tool(Call(name=name), databases.tools) for name in ("find_train", "find_attraction"))
    assert train
    assert attraction
    assert train.properties["departure"]["enum"] == ["kingsford", "marlbridge", "port ellery"]
    assert "multiple sports" in attraction.properties["type"]["enum"]


def test_records_are_typed_and_leave_out_what_is_unknown(databases: Databases) -> None:
    (hotel,) = call(databases, "find_hotel", name="the mill house")["results"]
    assert list(hotel)[:6] == ["name", "type", "area", "price_range", "stars", "parking"]
    assert hotel["stars"] == 4
    (theatre,) = call(databases, "find_attraction", type="theatre")["results"]
    assert "entrance_fee" not in theatre


# --- searches ---


def test_without_conditions_everything_matches(databases: Databases) -> None:
    assert len(find_names(databases, "find_restaurant")) == 11
    assert find_names(databases, "find_restaurant", area="dontcare", food="") == find_names(
        databases, "find_restaurant"
    )


def test_conditions_hold_together_in_database_order(databases: Databases) -> None:
    assert find_names(databases, "find_restaurant", area="centre", price_range="expensive") == [
        *("bella vetta", "the spice wharf", "brasserie nord"),
    ]
    assert find_names(databases, "find_hotel", area="north", stars=4, internet="yes") == ["rowan lodge"]
    assert find_names(databases, "find_hotel", area="north", type="hotel") == []


def test_values_may_be_spelt_in_any_known_way(databases: Databases) -> None:
    assert find_names(databases, "find_hotel", area="center") == ["the marlbridge grand"]
    assert find_names(databases, "find_hotel", type="guest house", stars="3") == ["priory guest house"]
    assert find_names(databases, "find_attraction", type="swimming pool") == ["riverside lido"]


def test_what_the_database_does_not_know_matches_every_wish(databases: Databases, folder: Path) -> None:
    path = folder / "restaurant_db.json"
    path.write_text(path.read_text().replace('"area": "west", "food": "indian"', '"area": "?", "food": "indian"'))
    assert "saffron court" not in find_names(databases, "find_restaurant", area="south")
    assert "saffron court" in find_names(load_databases(list_files(folder)), "find_restaurant", area="south")


def test_a_cuisine_also_finds_its_kinds(databases: Databases) -> None:
    assert find_names(databases, "find_restaurant", food="european") == ["brasserie nord", "cafe linden"]
    assert find_names(databases, "find_restaurant", food="modern european") == ["brasserie nord"]


def test_trains_leave_then_or_later_and_arrive_then_or_earlier(databases: Databases) -> None:
    line = {"departure": "marlbridge", "destination": "port ellery", "day": "monday"}
    trains = call(databases, "find_train", **line)["results"]
    assert [train["leave_at"] for train in trains] == ["06:34", "10:34", "14:34", "18:34", "22:34"]
    late = call(databases, "find_train", **line, leave_at="14:34")["results"]
    assert [train["leave_at"] for train in late] == ["14:34", "18:34", "22:34"]
    early = call(databases, "find_train", **line, arrive_by="3:24 pm")["results"]
    assert [train["arrive_by"] for train in early] == ["07:24", "11:24", "15:24"]
    assert call(databases, "find_train", **line, leave_at="10:35", arrive_by="15:23")["matches"] == 0


def test_a_name_finds_the_venue_that_is_called_so_or_those_like_it(databases: Databases) -> None:
    assert find_names(databases, "find_restaurant", name="The Copper Lantern!") == ["the copper lantern"]
    assert find_names(databases, "find_restaurant", name="copper lanturn") == ["the copper lantern"]
    assert find_names(databases, "find_attraction", name="college") == ["st. oda college", "harrow college"]
    assert find_names(databases, "find_attraction", name="Harrow College") == ["harrow college"]
    assert find_names(databases, "find_attraction", name="the oda college") == ["st. oda college"], "before one like it"
    assert find_names(databases, "find_restaurant", name="the blue note") == []


def test_hospital_and_police(databases: Databases) -> None:
    assert find_names(databases, "find_hospital", department="cardiology") == ["cardiology and coronary care unit"]
    assert len(find_names(databases, "find_hospital")) == 3
    (station,) = call(databases, "find_police")["results"]
    assert station["phone"] == "01632960500"


# --- bookings ---

TABLE = {"name": "copper lantern", "day": "friday", "time": "19:00", "people": 2}


def test_a_booking_gives_back_what_was_booked_with_a_reference(databases: Databases) -> None:
    booked = call(databases, "book_restaurant", **TABLE)
    (record,) = booked["results"]
    reference = record.pop("reference")
    assert record == {**TABLE, "name": "the copper lantern"}
    assert len(reference) == 8
    assert reference.isalnum()
    assert reference.isupper() or reference.isdecimal()


def test_a_drawn_reference_is_always_the_same_and_every_booking_has_its_own(databases: Databases) -> None:
    def draw(key: str = "SNG0001", **changed: Any) -> str:
        called = Call(name="book_restaurant", arguments=TABLE | changed)
        return str(execute(databases, called, key)["results"][0]["reference"])

    assert draw() == draw() == "348PP1EQ"
    assert len({draw(), draw(time="19:30"), draw("SNG0002")}) == 3


def test_the_annotation_decides_the_outcome_of_a_booking(databases: Databases) -> None:
    assert call(databases, "book_restaurant", BookingOutcome(refused=True), **TABLE) == {"matches": 0, "results": []}
    told = call(databases, "book_restaurant", BookingOutcome(details={"reference": "ABCD1234"}), **TABLE)
    assert told["results"][0]["reference"] == "ABCD1234"


def test_a_booking_fails_where_the_database_has_no_such_venue_or_several(databases: Databases) -> None:
    assert call(databases, "book_restaurant", **(TABLE | {"name": "the blue note"}))["matches"] == 0
    rooms = {"day": "friday", "stay": 1, "people": 1}
    assert call(databases, "book_hotel", name="priory guest house", **rooms)["matches"] == 1
    assert call(databases, "book_hotel", name="the mill", **rooms)["matches"] == 1
    assert call(databases, "book_restaurant", **(TABLE | {"name": "the"}))["matches"] == 0


def test_tickets_cost_the_fare_times_the_people(databases: Databases) -> None:
    (train,) = call(databases, "find_train", departure="kingsford", day="sunday", leave_at="22:00")["results"]
    (booked,) = call(databases, "book_train", train_id=train["train_id"], day="sunday", people=3)["results"]
    assert (train["price"], booked["total_price"]) == ("8.08 pounds", "24.24 pounds")
    assert {slot: booked[slot] for slot in train} == train
    assert call(databases, "book_train", train_id="TR0000", people=3)["matches"] == 0


def test_a_fee_that_was_told_counts_as_long_as_it_differs_by_pennies(databases: Databases) -> None:
    (train,) = call(databases, "find_train", departure="kingsford", day="sunday", leave_at="22:00")["results"]

    def book(fee: str) -> str:
        booked = call(
            databases, "book_train", BookingOutcome(details={"total_price": fee}), train_id=train["train_id"], people=3
        )
        return str(booked["results"][0]["total_price"])

    assert book("24.22 pounds") == "24.22 pounds"
    assert book("80.80 pounds") == "24.24 pounds"


def test_a_taxi_has_a_car_and_a_number(databases: Databases) -> None:
    way = {"departure": "harrow college", "destination": "bella vetta", "leave_at": "18:00"}
    (drawn,) = call(databases, "book_taxi", **way)["results"]
    assert {slot: drawn[slot] for slot in way} == way
    colour, make = drawn["type"].split()
    assert colour in ("green", "silver", "black")
    assert make in ("skoda", "volvo", "kia")
    assert drawn["phone"].startswith("07")
    assert len(drawn["phone"]) == 11
    told = call(databases, "book_taxi", BookingOutcome(details={"type": "red kia", "phone": "07700900001"}), **way)
    assert (told["results"][0]["type"], told["results"][0]["phone"]) == ("red kia", "07700900001")


# --- calls that cannot be ---


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("find_bus", {}, "there is no function find_bus"),
        ("find_hotel", {"colour": "red"}, "find_hotel has no parameter colour"),
        ("book_hotel", {"name": "rowan lodge", "day": "monday", "people": 1}, "book_hotel needs stay"),
        ("book_hotel", {"name": "rowan lodge", "day": "monday", "people": 1, "stay": ""}, "book_hotel needs stay"),
        ("find_train", {"leave_at": "after lunch"}, "leave_at must be a time as HH:MM, not 'after lunch'"),
        ("book_restaurant", TABLE | {"people": "us"}, "people must be a whole number, not 'us'"),
    ],
)
def test_a_call_that_is_not_allowed_says_why(
    databases: Databases, name: str, arguments: dict[str, Any], error: str
) -> None:
    assert call(databases, name, **arguments) == {"error": error}


# --- databases that cannot be used ---


def test_a_missing_database_is_named(folder: Path) -> None:
    (folder / "train_db.json").unlink()
    with pytest.raises(SourceError, match=r"train_db\.json: missing; the corpus's databases are needed"):
        load_databases(list_files(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{]", "db/hotel_db.json: not JSON"),
        ('{"hotels": []}', "db/hotel_db.json: a list of records was expected"),
        ('[{"name": "a"}, {"area": "north"}]', "db/hotel_db.json: record 1: name is None; a value was expected"),
    ],
)
def test_a_broken_database_is_one_clear_line(folder: Path, content: str, message: str) -> None:
    (folder / "hotel_db.json").write_text(content)
    with pytest.raises(SourceError, match=message.replace("[", r"\[")):
        load_databases(list_files(folder))


def test_the_taxis_may_be_no_json_as_they_were_first_published(folder: Path) -> None:
    (folder / "taxi_db.json").write_text('[\n  "taxi_colors" : ["black",\'grey\']\n]')
    (cars,) = load_databases(list_files(folder)).records["taxi"]
    assert "tesla" in cars["taxi_types"]


def test_what_the_published_databases_lack_is_added(folder: Path) -> None:
    (folder / "police_db.json").write_text(json.dumps([{"name": "A Station", "phone": "1"}]))
    assert load_databases(list_files(folder)).records["police"][0]["postcode"] == "cb11jg"


# --- what was said and what a record has ---


@pytest.mark.parametrize(
    ("said", "name", "same"),
    [
        ("The Alexander B&B", "alexander bed and breakfast", True),
        ("christ college", "christ's college", True),
        ("nandos", "nandos city centre", True),
        ("pizza hut fenditton", "pizza hut fen ditton", True),
        ("cafe uno", "caffe uno", True),
        ("St. Mary's", "saint marys", True),
        ("the", "the copper lantern", False),
        ("rice house", "rice boat", False),
        ("golden house", "golden wok", False),
        ("curry prince", "curry king", False),
    ],
)
def test_names_are_compared_fuzzily(said: str, name: str, same: bool) -> None:
    assert same_name(said, name) is same


@pytest.mark.parametrize(
    ("slot", "said", "value", "expected"),
    [
        ("address", "2 G Bridge St", "2g bridge street city centre", True),
        ("address", "12 bridge street", "15 bridge street", False),
        ("address", "the Bridge Stret", "bridge street", True),
        ("price", "10.1 GBP", "10.10 pounds", True),
        ("price", "10.2 GBP", "10.10 pounds", False),
        ("food", "traditional British", "british", True),
        ("type", "gueshouses", "guesthouse", True),
        ("phone", "01223 452587", "01223452587", True),
        ("stars", "four", "4", True),
        ("leave_at", "5:29", "05:29", True),
    ],
)
def test_what_was_said_agrees_with_a_record(slot: str, said: str, value: str, expected: bool) -> None:
    assert agrees("train", slot, said, value) is expected


def test_only_exact_values_can_be_looked_up() -> None:
    assert is_exact("leave_at", "09:15")
    assert not is_exact("leave_at", "throughout the day")
    assert is_exact("area", "north")
    assert not is_exact("area", "the city")
    assert is_exact("name", "anything")
