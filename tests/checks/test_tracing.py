"""Grounding of dialogues without annotation: what counts as said, and what does not."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import pytest

from coalm_it.checks.grounding import check_grounding, trace_argument
from coalm_it.schema import Call, Sample, Step, Tool, Turn

CLOCK = datetime.date(2024, 5, 3)


def make_sample(
    user: str,
    value: Any,
    *,
    slot: str = "x",
    schema: dict[str, Any] | None = None,
    name: str = "find",
    results: Sequence[Any] = (),
    description: str = "",
    clock: datetime.date | None = None,
) -> Sample:
    """A call with one argument, after what the user said and the results of earlier calls."""
    parameters = {"type": "object", "properties": {slot: schema or {}}}
    earlier = tuple(Step(calls=(Call(id=f"c{n}", name="get"),), observations=(one,)) for n, one in enumerate(results))
    call = Call(id="c", name=name, arguments={slot: value})
    return Sample(
        id="own/train/1/0/function_call",
        part="own",
        task="function_call",
        layout="toolace",
        source="own",
        split="train",
        dialogue_id="1",
        turn=0,
        licence="CC0-1.0",
        clock=clock,
        tools=(Tool(name=name, description=description, parameters=parameters),),
        turns=(Turn(user=user, steps=(*earlier, Step(calls=(call,)))),),
        step=len(earlier),
    )


def is_grounded(*args: Any, **settings: Any) -> bool:
    return check_grounding(make_sample(*args, **settings)) == []


@pytest.mark.parametrize(
    ("user", "good", "bad"),
    [
        ("Send 3 to Ann Lee in Oban, Scotland.", ["Ann Lee", "ann_lee", "Oban", "Scotland, Oban", 3, "3"], ["Mull", 4]),
        ("A table at 6:12 pm on 4 May", ["2024-05-04T18:12", "2024-05-04 18:12:00", "18:12"], ["2024-05-04T18:21"]),
        ("On 4 May at 18:12", ["2024-05-04", "2024/05/04", "04/05/2024", "20240504", "05-04"], ["2024-05-14"]),
        ("From 2 to 4 on 20th May 2022", ["2022-05-20T14:00", "20/05/2022", "02:00"], ["2021-05-20", "15:00"]),
        ("All of March 2023", ["2023-03-01", "2023-03-31", "2023-03-31T23:59:59"], ["2023-03-12", "2023-04-01"]),
        ("Change 50 euros into dollars", ["EUR", "USD", 50, "50"], ["GBP", 55]),
        ("It costs $20", ["USD", 20, "$20", 20.0], ["EUR"]),
        ("At 5% for 30 years", [0.05, 5, "5%", 30], [0.06, 0.5]),
        ("A loan of 1.5M, or $200k", [1_500_000, 200_000], [150_000]),
        ("Translate this from French into English", ["fr", "en", "French"], ["de"]),
        ("How is Apple doing, and Microsoft?", ["AAPL", "MSFT"], ["TSLA"]),
        ("A flight from New York to Paris", ["JFK", "CDG", "New York"], ["SFO"]),
        ("10kg, 5km and 100ml at 20°C", [10, "5 km", 100, "celsius", "kg"], [11, "fahrenheit"]),
        ("Call +44 20 7946 0958 or (555) 019-8234", ["+442079460958", "555-019-8234", "5550198234"], ["555-019-8235"]),
        ("AS15169, order HX-12/7", [15169, "15169", "HX-12/7", "hx127"], ["HX-12/8", 1516, "15169X"]),
        ("See www.example.org/tides", ["https://example.org/tides", "https://www.example.org/tides"], ["example.com"]),
        ("It rained each day", [], ["Rome", "cheat"]),
        ("Tell us in the morning, or not at all", [], ["US", "IN", "OR"]),
        ("The weather in Austin, Texas", ["Austin, TX", "TX", "Austin"], ["Dallas, TX"]),
        ("In Paris, for 2 hours", ["Paris, France", 120, "PT2H"], ["Rome, Italy", 90]),
        ("Am 17. Mai 2024 im Café für €1.250,50", ["2024-05-17", "Cafe", 1250.5], ["2024-05-18", 12.5]),
        ("From 1966 to 1976", ["1966-1976"], ["1966-1977"]),
        ("People aged 26-35, on 12-10", ["26-35", "12-10"], ["26-36", "11-10", "10-13"]),
        ("The time in New York and Tokyo", ["America/New_York", "Asia/Tokyo"], ["Europe/London", "Asia/Tok"]),
        ("Between 10 and 12 of them", ["10-12"], ["10-11", "2024-10-12", "10:12"]),
        ("Democratic voters in African cities", ["Democrat", "Africa"], ["Asia", "Republican", "Afri"]),
        ("summarized reports for the third floor", ["summary report", 3, "third"], ["full report", 4]),
    ],
)
def test_a_value_counts_in_every_form_in_which_it_is_said(user: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not is_grounded(user, value)] == []
    assert [value for value in bad if is_grounded(user, value)] == []


@pytest.mark.parametrize(
    ("user", "good", "bad"),
    [
        (
            "请帮我订2022年4月15日上午10点去北京的票，两张",
            ["北京", "2022-04-15", "2022年4月15日 10:00:00", 2],
            ["上海", 3],
        ),
        ("我要贷款20万美元，利率3.5%", [200000, 3.5, "USD"], [20000, "EUR"]),
        ("三十五个苹果，下午三点半", [35, "15:30", "苹果"], [53, "香蕉"]),
        ("明日の東京の天気は？", ["東京"], ["大阪"]),
        ("อากาศที่เชียงใหม่เป็นอย่างไร", ["เชียงใหม่"], ["ภูเก็ต"]),
        ("原价200元，打八折，10:00见", [20, 0.8, "十点"], [30, "九点"]),
        ("上午去海边，看北京的天气", ["北京天气"], ["上海", "东京"]),
        ("Какая погода в Москве, примерно?", ["Москва"], ["Рим", "Минск"]),
        ("오늘 서울의 날씨는?", ["서울"], ["부산"]),
    ],
)
def test_languages_without_blanks_are_matched_by_characters(user: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not is_grounded(user, value)] == []
    assert [value for value in bad if is_grounded(user, value)] == []


def test_nested_arguments_are_traced_leaf_by_leaf() -> None:
    said = "Book Ann Lee, born 4 May 1990, and Bo for 2 nights"
    guests = [{"name": "Ann Lee", "born": "1990-05-04"}, {"name": "Bo", "nights": 2, "vip": False}]
    assert is_grounded(said, guests)
    findings = check_grounding(make_sample(said, [*guests, {"name": "Eva", "note": {"id": "Q7"}}]))
    assert [finding.message for finding in findings] == [
        "find.x[2].name is 'Eva', which nobody said, no result holds and is no default",
        "find.x[2].note.id is 'Q7', which nobody said, no result holds and is no default",
    ]


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ({"HAT136": {"price": 52}}, "HAT136"),
        ({"list": [{"id": "R-1"}]}, "R-1"),
        ([{"id": "R-1"}, {"id": "R-2"}], "R-2"),
        ("The code is R-7.", "R-7"),
        ("high=06:10", "06:10"),
        (610, 610),
        (0.5, 0.5),
        ({"at": "2024-05-04T18:12:00Z"}, "2024-05-04"),
    ],
)
def test_results_of_every_kind_and_their_keys_are_evidence(result: Any, value: Any) -> None:
    assert is_grounded("Go on.", value, results=[result])
    sample = make_sample("Go on.", value, results=[result])
    assert trace_argument(sample, sample.calls[0], "x", 1) == "observed"


@pytest.mark.parametrize("result", [None, True, "", [], {}, [None], 3, "ok", [[]], {"a": None}])
def test_a_bare_result_never_ends_a_check(result: Any) -> None:
    assert not is_grounded("Go on.", "R-7", results=[result])


@pytest.mark.parametrize(
    ("slot", "schema", "name", "value", "free"),
    [
        ("message", {}, "send", "We will be late.", True),
        ("query", {}, "search", "good tides", True),
        ("title", {}, "create_event", "Team lunch", True),
        ("title", {}, "get_movie", "Team lunch", False),
        ("x", {"description": "Free text for the owner"}, "find", "Hm, well", True),
        ("x", {}, "find", "one two three four five six seven eight nine ten", True),
        ("x", {}, "find", "one two three", False),
        ("message_id", {}, "find", "seven", False),
        ("message", {}, "send", "Q7-99", False),
        ("country_code", {}, "find", "XX", False),
    ],
)
def test_free_text_is_not_traced(slot: str, schema: dict[str, Any], name: str, value: str, free: bool) -> None:
    assert is_grounded("Please.", value, slot=slot, schema=schema, name=name) is free


def test_free_text_of_a_masked_function_is_known_by_its_original_names() -> None:
    mask = {"parameters": {"zq1": "message"}, "functions": {"fx9": "create_event"}}
    sample = make_sample("Please.", "See you soon", slot="zq1", name="fx9")
    assert check_grounding(sample)
    assert check_grounding(sample.model_copy(update={"provenance": {"mask": mask}})) == []
    titled = make_sample("Please.", "Team lunch", slot="zq1", name="fx9")
    mask["parameters"] = {"zq1": "title"}
    assert check_grounding(titled.model_copy(update={"provenance": {"mask": mask}})) == []


@pytest.mark.parametrize("value", [True, False, None, "", "yes", "$$"])
def test_what_no_text_holds_is_not_traced(value: Any) -> None:
    assert is_grounded("Please.", value)


def test_possible_values_defaults_and_the_description_of_the_function_count() -> None:
    assert is_grounded("Please.", "metric", schema={"enum": ["metric"]})
    assert is_grounded("Please.", 7, schema={"default": 7})
    assert is_grounded("Please.", ["metric"], schema={"type": "array", "items": {"enum": ["metric"]}})
    assert is_grounded("Please.", "metric", schema={"description": "metric or imperial"})
    assert not is_grounded("Please.", "Oban", schema={"description": "a harbour, e.g. Oban"})


def test_words_for_a_day_are_resolved_by_the_clock_where_there_is_one() -> None:
    said = "Tomorrow, please."
    assert is_grounded(said, "2024-05-04", clock=CLOCK)
    assert not is_grounded(said, "2024-05-09", clock=CLOCK)
    assert is_grounded(said, "2024-05-09")
    assert is_grounded("Some day next week", "2024-05-09", clock=CLOCK)
    assert not is_grounded("Some day next week", "2029-05-09", clock=CLOCK)
    assert is_grounded("Wake me at 7:15 am", "2024-05-04T07:15:00Z", clock=CLOCK)
    assert not is_grounded("Wake me at 7:15 am", "2024-05-06T07:15:00Z", clock=CLOCK)
    assert not is_grounded("Please.", "2024-05-09")


@pytest.mark.parametrize("value", ["API_call_0", "ORD-7781", "user_12345", "550e8400-e29b", 7781, "a@b.org"])
def test_an_id_that_stands_nowhere_is_a_reject(value: Any) -> None:
    assert not is_grounded("Cancel order ORD-778 of user 1234 and a@b.com, please.", value)


def test_long_runs_of_digits_end_no_check() -> None:
    for text in ("一二三" * 5000, "1" * 5000, "٣" * 100, "1." * 5000):
        assert not is_grounded(text, "Q7", results=[text])
