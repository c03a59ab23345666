"""What grounded thoughts say and never say in each situation, with any phrasing that the hash may choose."""

from __future__ import annotations

import datetime
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coalm_it.observations import count_matches, read_records
from coalm_it.readers import read_dialogues
from coalm_it.samples.targets import shorten_observations
from coalm_it.schema import Act, Call, Dialogue, Labels, Step, Tool, Turn
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.grounded.knowledge import find_differences
from coalm_it.thoughts.grounded.phrasing import join_sentences, read_phrasings

SEEDS = range(40)


# --- a small restaurant guide, and a cab company ---


def make_tool(name: str, required: str, optional: dict[str, Any], service: str, transactional: bool = False) -> Tool:
    defaults = {slot: {} if value is None else {"default": value} for slot, value in optional.items()}
    properties: dict[str, Any] = {slot: {} for slot in required.split()} | defaults
    parameters = {"type": "object", "properties": properties, "required": required.split()}
    return Tool(name=name, service=service, parameters=parameters, transactional=transactional)


TOOLS = (
    make_tool("FindRestaurants", "city cuisine", {"has_live_music": None, "price_range": None}, "Restaurants_1"),
    make_tool("ReserveRestaurant", "restaurant_name city time", {"date": None, "party_size": 2}, "Restaurants_1", True),
    make_tool("GetRide", "destination ride_type", {}, "Cabs_7", True),
    make_tool("LookupMusic", "", {"genre": None, "artist": None}, "Music_2"),
)
BISTRO = {
    "city": "San Bruno",
    "cuisine": "Mexican",
    "has_live_music": False,
    "price_range": "moderate",
    "restaurant_name": "Celia's",
    "street_address": "201 El Camino Real",
}
GRILL = {**BISTRO, "restaurant_name": "Chili's Grill & Bar", "price_range": "expensive", "street_address": "899 Elm St"}
FOUND = {"matches": 3, "results": [BISTRO, GRILL]}


def act(name: str, slot: str = "", *values: str, meant: str = "", service: str = "Restaurants_1") -> Act:
    return Act(name=name, service=service, slot=slot, values=values, canonical=(meant,) if meant else values)


def turn(
    heard: list[Act],
    said: list[Act],
    *made: tuple[Call, Any],
    intent: str = "FindRestaurants",
    state: dict[str, str] | None = None,
) -> Turn:
    steps = tuple(Step(calls=(call,), observations=(observation,)) for call, observation in made)
    service = (heard or said)[0].service
    return Turn(
        user=" ".join(value for act in heard for value in act.values),
        steps=steps,
        reply="...",
        state={service: {slot: (value,) for slot, value in (state or {}).items()}},
        labels=Labels(user_acts=tuple(heard), system_acts=tuple(said), intents={service: intent}),
    )


def call(name: str, service: str = "Restaurants_1", **arguments: Any) -> Call:
    return Call(name=name, service=service, arguments=arguments)


def make_dialogue(*turns: Turn) -> Dialogue:
    clock = datetime.date(2019, 3, 1)
    return Dialogue(id="d", source="s", split="train", licence="CC0-1.0", clock=clock, tools=TOOLS, turns=turns)


def reply_thoughts(*turns: Turn) -> list[str]:
    """The thought before the last reply, for every seed."""
    return [str(write_thoughts(make_dialogue(*turns), seed).turns[-1].thought) for seed in SEEDS]


def step_thoughts(*turns: Turn) -> list[str]:
    """The thought before the last turn's first call, for every seed."""
    return [str(write_thoughts(make_dialogue(*turns), seed).turns[-1].steps[0].thought) for seed in SEEDS]


def search(*heard: Act, observation: Any = FOUND, **arguments: Any) -> Turn:
    offered = [act("OFFER", "restaurant_name", "Celia's"), act("OFFER", "city", "San Bruno")]
    count = act("INFORM_COUNT", "count", str(count_matches(observation)))
    return turn([*heard], [*offered, count], (call("FindRestaurants", **arguments), observation))


MEXICAN = act("INFORM", "cuisine", "Latin American", meant="Mexican")
FIRST = search(act("INFORM", "city", "San Bruno"), MEXICAN, city="San Bruno", cuisine="Mexican")
READ_BACK = {"restaurant_name": "Celia's", "city": "San Bruno", "time": "16:45", "party_size": "2"}
CONFIRMING = turn(
    [act("SELECT"), act("INFORM", "time", "quarter to five", meant="16:45")],
    [act("CONFIRM", slot, value) for slot, value in READ_BACK.items()],
    intent="ReserveRestaurant",
    state={slot: value for slot, value in READ_BACK.items() if slot != "party_size"},
)
BOOKING = call("ReserveRestaurant", restaurant_name="Celia's", city="San Bruno", time="16:45", party_size=2)
BOOKED = {**BISTRO, "time": "16:45", "party_size": 2}


def book(observation: Any, *said: Act, heard: tuple[Act, ...] = ()) -> Turn:
    return turn([act("AFFIRM"), *heard], [*said], (BOOKING, observation), intent="ReserveRestaurant")


# --- before an action ---


def test_before_a_search_the_new_values_and_the_function_are_named() -> None:
    for thought in step_thoughts(FIRST):
        assert "San Bruno" in thought
        assert "Mexican" in thought
        assert re.search("FindRestaurants|restaurants|they (would )?(want|like|need)|for", thought)


def test_a_value_with_another_name_is_explained() -> None:
    assert all("Latin American" in thought for thought in step_thoughts(FIRST))


def test_words_that_the_user_did_not_say_are_not_quoted() -> None:
    respelt = turn(
        [act("INFORM", "city", "San Bruno"), MEXICAN],
        [act("OFFER", "restaurant_name", "Celia's")],
        (call("FindRestaurants", city="San Bruno", cuisine="Mexican"), FOUND),
    ).model_copy(update={"user": "Mexican food in San Bruno, please."})
    assert not any("Latin" in thought for thought in step_thoughts(respelt))


def test_no_thought_begins_like_the_label_of_a_line() -> None:
    assert join_sentences(["Action: that is all.", "Time to look."]) == '"Action": that is all. Time to look.'
    assert join_sentences(["Action films: that is all."]) == "Action films: that is all."


def test_a_relative_date_is_resolved() -> None:
    friday = act("INFORM", "date", "next Friday", meant="2019-03-08")
    for thought in step_thoughts(search(friday, city="San Bruno", cuisine="Mexican", date="2019-03-08")):
        assert "next friday" in thought.lower()
        assert "March 8th" in thought or "2019-03-08" in thought


def test_another_search_says_what_is_new_dropped_and_kept() -> None:
    music = act("INFORM", "has_live_music", "True")
    again = search(music, act("REQUEST_ALTS"), city="San Bruno", cuisine="Mexican", has_live_music=True)
    for thought in step_thoughts(FIRST, again):
        assert "Celia's" in thought
        assert "live music" in thought.lower()
        assert "San Bruno" in thought


def test_a_changed_condition_says_what_it_replaces() -> None:
    again = search(act("INFORM", "city", "Millbrae"), act("REQUEST_ALTS"), city="Millbrae", cuisine="Mexican")
    for thought in step_thoughts(FIRST, again):
        assert "Millbrae" in thought
        assert "San Bruno" in thought


def test_a_value_from_another_service_names_its_source() -> None:
    ride = call("GetRide", "Cabs_7", destination="201 El Camino Real", ride_type="Pool")
    heard = [act("INFORM_INTENT", "intent", "GetRide", service="Cabs_7"), act("AFFIRM", service="Cabs_7")]
    taken = turn(
        heard, [act("NOTIFY_SUCCESS", service="Cabs_7")], (ride, {"matches": 0, "results": []}), intent="GetRide"
    )
    told = turn([act("REQUEST", "street_address")], [act("INFORM", "street_address", "201 El Camino Real")])
    for thought in step_thoughts(FIRST, told, taken):
        assert "201 El Camino Real" in thought


def test_a_search_takes_its_city_from_the_restaurant() -> None:
    heard = [act("INFORM_INTENT", "intent", "LookupMusic", service="Music_2")]
    lookup = (call("LookupMusic", "Music_2", artist="San Bruno"), {"matches": 0, "results": []})
    for thought in step_thoughts(
        FIRST, turn(heard, [act("REQ_MORE", service="Music_2")], lookup, intent="LookupMusic")
    ):
        assert "San Bruno" in thought
        assert "restaurant" in thought


def test_a_call_without_arguments_needs_none() -> None:
    heard = [act("INFORM_INTENT", "intent", "LookupMusic", service="Music_2")]
    lookup = (call("LookupMusic", "Music_2"), {"matches": 0, "results": []})
    thoughts = step_thoughts(turn(heard, [act("REQ_MORE", service="Music_2")], lookup, intent="LookupMusic"))
    assert len(set(thoughts)) > 8


def test_a_slot_left_open_is_said_to_be_open() -> None:
    any_price = act("INFORM", "price_range", "dontcare")
    again = search(any_price, act("REQUEST_ALTS"), city="San Bruno", cuisine="Mexican")
    assert all("price range" in thought for thought in step_thoughts(FIRST, again))


def test_before_a_booking_values_are_named_but_no_outcome() -> None:
    went_through = book({"matches": 1, "results": [BOOKED]}, act("NOTIFY_SUCCESS"))
    for thought in step_thoughts(FIRST, CONFIRMING, went_through):
        assert "Celia's" in thought
        assert not re.search(r"\b(is|are) (booked|reserved)|went through|failed", thought)


def test_a_question_asked_while_confirming_is_noted() -> None:
    price = act("REQUEST", "price_range")
    failed = book({"matches": 0, "results": []}, act("NOTIFY_FAILURE"), act("REQ_MORE"), heard=(price,))
    for thought in step_thoughts(FIRST, CONFIRMING, failed):
        assert "price range" in thought
        assert re.search("earlier|before|already|seen", thought)
        assert "moderate" not in thought


# --- before a reply ---


def test_what_is_missing_is_asked_for_and_nothing_else() -> None:
    asks = turn([act("INFORM", "city", "San Bruno")], [act("REQUEST", "cuisine")], state={"city": "San Bruno"})
    for thought in reply_thoughts(asks):
        assert re.search("cuisine|kind of food", thought)
        assert "San Bruno" in thought


def test_questions_for_later_are_mentioned() -> None:
    asks = turn([act("INFORM_INTENT", "intent", "FindRestaurants")], [act("REQUEST", "city")])
    for thought in reply_thoughts(asks):
        assert "city" in thought


def test_a_read_back_names_the_default_that_nobody_said() -> None:
    for thought in reply_thoughts(FIRST, CONFIRMING):
        assert "16:45" in thought
        assert re.search("default", thought)


def test_a_correction_says_what_it_replaces() -> None:
    heard = [act("NEGATE"), act("INFORM", "time", "6:30 in the evening", meant="18:30")]
    said = [act("CONFIRM", "time", "6:30 pm", meant="18:30"), act("CONFIRM", "city", "San Bruno")]
    state = {**READ_BACK, "time": "6:30 pm"}
    for thought in reply_thoughts(FIRST, CONFIRMING, turn(heard, said, intent="ReserveRestaurant", state=state)):
        assert "18:30" in thought
        assert "16:45" in thought


def test_after_a_search_count_and_name_agree_with_the_observation() -> None:
    for thought in reply_thoughts(FIRST):
        assert "Celia's" in thought
        assert "three" in thought.lower()
        assert "Chili's" not in thought


def test_a_single_result_is_said_to_be_the_only_one() -> None:
    alone = search(MEXICAN, city="San Bruno", cuisine="Mexican", observation={"matches": 1, "results": [BISTRO]})
    for thought in reply_thoughts(alone):
        assert "Celia's" in thought
        assert "three" not in thought.lower()


def test_an_offer_of_several_names_them() -> None:
    names = ("Celia's", "Chili's Grill & Bar")
    offer = turn(
        [act("INFORM", "city", "San Bruno")],
        [Act(name="OFFER", service="Restaurants_1", slot="restaurant_name", values=names, canonical=names)],
        (call("FindRestaurants", city="San Bruno", cuisine="Mexican"), FOUND),
    )
    for thought in reply_thoughts(offer):
        assert "Celia's and Chili's Grill & Bar" in thought


def test_an_offer_that_is_in_no_result_is_not_repeated() -> None:
    """An error of the corpus is not repeated: the thought names only what the agent has seen."""
    offered = [act("OFFER", "restaurant_name", "Nowhere Inn")]
    made = (call("FindRestaurants", city="San Bruno", cuisine="Mexican"), FOUND)
    assert all("Nowhere" not in thought for thought in reply_thoughts(turn([MEXICAN], offered, made)))


def test_no_result_is_said_to_be_none() -> None:
    nothing = {"matches": 0, "results": []}
    said = [act("NOTIFY_FAILURE"), act("REQ_MORE")]
    alternatives = turn(
        [act("REQUEST_ALTS")], said, (call("FindRestaurants", city="San Bruno", cuisine="Mexican"), nothing)
    )
    for thought in reply_thoughts(FIRST, alternatives):
        assert re.search(r"\b(no|nothing|none|zero|empty|exhausted)\b", thought, re.IGNORECASE)


def test_a_successful_booking_is_described_from_its_record() -> None:
    went_through = book({"matches": 1, "results": [BOOKED]}, act("NOTIFY_SUCCESS"))
    for thought in reply_thoughts(FIRST, CONFIRMING, went_through):
        assert "Celia's" in thought
        assert not re.search(r"\b(fail|not\b|sorry|empty|unfortunately)", thought)


def test_a_booking_with_an_empty_result_failed_and_no_reason_is_invented() -> None:
    failed = book({"matches": 0, "results": []}, act("NOTIFY_FAILURE"), act("REQ_MORE"))
    for thought in reply_thoughts(FIRST, CONFIRMING, failed):
        assert re.search(r"\b(no|not|nothing|failed|zero|empty|didn't|can't)\b", thought, re.IGNORECASE)
        assert not re.search("fully booked|sold out|closed|unavailable", thought)


@pytest.mark.parametrize("offered", [True, False])
def test_an_alternative_is_not_a_booking(offered: bool) -> None:
    later = {**BOOKED, "time": "17:00"}
    said = act("OFFER", "time", "5 pm", meant="17:00") if offered else act("REQ_MORE")
    for thought in reply_thoughts(
        FIRST, CONFIRMING, book({"matches": 1, "results": [later]}, act("NOTIFY_FAILURE"), said)
    ):
        assert "17:00" in thought
        assert "16:45" in thought
        assert re.search(r"\b(no|not|nothing|failed|didn't|wasn't)\b", thought, re.IGNORECASE)
        assert not re.search(r"^The table is (booked|reserved)|It went through|Success", thought)


def test_a_record_at_another_time_that_the_agent_takes_as_booked_keeps_the_difference() -> None:
    later = {**BOOKED, "time": "17:00"}
    for thought in reply_thoughts(FIRST, CONFIRMING, book({"matches": 1, "results": [later]}, act("NOTIFY_SUCCESS"))):
        assert "17:00" in thought
        assert "16:45" in thought


def test_values_of_other_types_are_no_difference() -> None:
    """A service that returns "2" for 2 has returned the requested value."""
    record = {**BOOKED, "party_size": "2"}
    assert find_differences(BOOKING, record) == []


def test_an_answer_beside_a_booking_comes_from_its_record() -> None:
    went_through = book(
        {"matches": 1, "results": [BOOKED]},
        act("NOTIFY_SUCCESS"),
        act("INFORM", "has_live_music", "False"),
        heard=(act("REQUEST", "has_live_music"),),
    )
    for thought in reply_thoughts(FIRST, CONFIRMING, went_through):
        assert "live music" in thought
        assert re.search(r"\bno\b|\bnot\b", thought)


def test_an_answer_from_an_earlier_search_needs_no_call() -> None:
    asks = turn([act("REQUEST", "street_address")], [act("INFORM", "street_address", "201 El Camino Real")])
    thoughts = reply_thoughts(FIRST, asks)
    for thought in thoughts:
        assert "201 El Camino Real" in thought
        assert re.search("search|result|record|earlier|before|already|call|returned|came with|needn't", thought)
    assert sum("Celia's" in thought for thought in thoughts) > len(thoughts) / 3


def test_an_answer_that_is_in_no_record_is_not_given() -> None:
    asks = turn([act("REQUEST", "phone_number")], [act("INFORM", "phone_number", "555-0100")])
    assert all("555" not in thought for thought in reply_thoughts(FIRST, asks))


def test_a_question_about_a_value_is_answered_for_that_value() -> None:
    asks = turn([act("REQUEST", "price_range", "inexpensive")], [act("INFORM", "price_range", "moderate")])
    assert all("moderate" in thought for thought in reply_thoughts(FIRST, asks))


def test_another_result_of_the_same_search_needs_no_call() -> None:
    said = [act("OFFER", "restaurant_name", "Chili's Grill & Bar"), act("OFFER", "city", "San Bruno")]
    for thought in reply_thoughts(FIRST, turn([act("REQUEST_ALTS")], said)):
        assert "Chili's Grill & Bar" in thought


def test_the_next_step_is_offered_and_not_taken() -> None:
    offers = turn([act("SELECT")], [act("OFFER_INTENT", "intent", "ReserveRestaurant")])
    for thought in reply_thoughts(FIRST, offers):
        assert "Celia's" in thought
        assert re.search("table|reserv", thought)


def test_a_declined_offer_is_not_pressed() -> None:
    offers = turn([act("SELECT")], [act("OFFER_INTENT", "intent", "ReserveRestaurant")])
    declines = turn([act("NEGATE_INTENT")], [act("REQ_MORE")])
    for thought in reply_thoughts(FIRST, offers, declines):
        assert not re.search(r"\bis booked|reserved", thought)


def test_a_goodbye_is_short() -> None:
    thoughts = reply_thoughts(turn([act("THANK_YOU"), act("GOODBYE")], [act("GOODBYE")]))
    assert max(len(thought.split()) for thought in thoughts) <= 20
    assert len(set(thoughts)) > len(thoughts) / 2


def test_a_corpus_without_acts_gets_thoughts_too() -> None:
    bare = Turn(user="Hi", steps=(Step(calls=(BOOKING,), observations=(None,)),), reply="Hello")
    written = write_thoughts(make_dialogue(bare, Turn(user="And?", reply="Well.")), 1)
    assert all(turn.thought for turn in written.turns)
    assert written.turns[0].steps[0].thought


def test_parallel_calls_are_all_in_the_thought() -> None:
    thai, pop = call("FindRestaurants", city="Millbrae", cuisine="Thai"), call("LookupMusic", "Music_2", genre="Pop")
    two = Step(calls=(thai, pop))
    labels = Labels(user_acts=(act("INFORM", "city", "Millbrae"),))
    for seed in SEEDS:
        written = write_thoughts(make_dialogue(Turn(user="...", steps=(two,), reply="...", labels=labels)), seed)
        assert "Millbrae" in str(written.turns[0].steps[0].thought)
        assert "Pop" in str(written.turns[0].steps[0].thought)


# --- what holds for every thought ---


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).map(str.strip).filter(bool)


@example(name="ı", city="0", seed=0)
@given(name=NAMES, city=NAMES, seed=st.integers(0, 1000))
def test_any_value_survives(name: str, city: str, seed: int) -> None:
    record = {**BISTRO, "restaurant_name": name, "city": city}
    found = turn(
        [act("INFORM", "city", city.lower(), meant=city), MEXICAN],
        [act("OFFER", "restaurant_name", name)],
        (call("FindRestaurants", city=city, cuisine="Mexican"), {"matches": 1, "results": [record]}),
    )
    (written,) = write_thoughts(make_dialogue(found), seed).turns
    collapsed = name.replace("..", ".")
    assert collapsed.casefold() in str(written.thought).replace("..", ".").casefold()


def test_the_same_seed_writes_the_same_thoughts_and_another_seed_others() -> None:
    dialogue = make_dialogue(FIRST, CONFIRMING, book({"matches": 1, "results": [BOOKED]}, act("NOTIFY_SUCCESS")))
    assert write_thoughts(dialogue, 7) == write_thoughts(dialogue, 7)
    assert write_thoughts(dialogue, 7) != write_thoughts(dialogue, 8)


def test_thoughts_do_not_depend_on_earlier_dialogues(sgd_dialogues: dict[str, Dialogue]) -> None:
    dialogues = list(sgd_dialogues.values())
    forwards = [write_thoughts(dialogue, 1) for dialogue in dialogues]
    backwards = [write_thoughts(dialogue, 1) for dialogue in reversed(dialogues)]
    assert forwards == backwards[::-1]


def hide_outcome(dialogue: Dialogue, number: int) -> Dialogue:
    """The dialogue up to a user turn and its calls: no observation, no reply, nothing later."""
    last = dialogue.turns[number]
    steps = tuple(step.model_copy(update={"observations": ({},) * len(step.calls)}) for step in last.steps)
    labels = last.labels.model_copy(update={"system_acts": ()})
    hidden = last.model_copy(update={"steps": steps, "reply": "", "labels": labels})
    return dialogue.model_copy(update={"turns": (*dialogue.turns[:number], hidden)})


def assert_nothing_leaks(dialogue: Dialogue) -> None:
    """The thought of a step does not change if all that follows is hidden; that of a reply, if later turns are."""
    written = write_thoughts(dialogue, 5)
    for number, turn in enumerate(written.turns):
        if len(turn.steps) == 1:
            hidden = write_thoughts(hide_outcome(dialogue, number), 5).turns[number]
            assert turn.steps[0].thought == hidden.steps[0].thought, f"{dialogue.id}, turn {number}"
        cut = dialogue.model_copy(update={"turns": dialogue.turns[: number + 1]})
        assert turn.thought == write_thoughts(cut, 5).turns[number].thought, f"{dialogue.id}, turn {number}"


def test_no_thought_knows_what_follows(sgd_dialogues: dict[str, Dialogue]) -> None:
    for dialogue in sgd_dialogues.values():
        assert_nothing_leaks(shorten_observations(dialogue, 2))


def list_thoughts(dialogue: Dialogue) -> list[str]:
    written = write_thoughts(dialogue, 12)
    return [str(text) for turn in written.turns for text in [*(step.thought for step in turn.steps), turn.thought]]


CODE = re.compile(r"\b\w+_\w+\b|[{}\0]|\.\.(?!\.)|  |the user has provided|annotation")


def assert_reads_well(dialogue: Dialogue) -> None:
    texts = {text for turn in dialogue.turns for act in turn.labels.user_acts for text in act.values}
    for thought in list_thoughts(dialogue):
        assert thought[0] == thought[0].upper(), thought
        assert thought[-1] in ".!?", thought
        assert len(thought.split()) < 110, thought
        found = CODE.search(thought)
        assert not found or any(found[0] in text for text in texts), thought


def test_thoughts_have_no_code_in_them(sgd_dialogues: dict[str, Dialogue]) -> None:
    for dialogue in sgd_dialogues.values():
        assert_reads_well(dialogue)


# --- the phrasings themselves ---

PLAIN = {"function", "values", "calls", "facts"}
ALLOWED = set(
    "all answer ask asked bare call count deal deed described details do done dropped examples found got guess iso"
    " kept left lender lent main missing missing_or name names new offer old open preset query said taken thing things"
    " topics v want wanted".split()
)


def test_every_phrasing_uses_known_placeholders() -> None:
    endings = {"s", "es", "ies", "is", "was", "has", "isnt", "doesnt", "it", "none"}
    for situation, phrasings in read_phrasings().items():
        for phrasing in phrasings:
            for _, name, _, _ in string.Formatter().parse(phrasing):
                base, _, ending = (name or "v").rpartition("_")
                allowed = PLAIN if situation.startswith("plain/") else ALLOWED
                known = name is None or name in allowed or (base in ALLOWED and ending in endings)
                assert known, f"{situation}: {name}"


def test_no_phrasing_occurs_twice_in_its_situation() -> None:
    for situation, phrasings in read_phrasings().items():
        assert len(set(phrasings)) == len(phrasings), situation


# --- real corpora ---


@pytest.fixture(scope="module")
def dev(corpora: Path) -> list[Dialogue]:
    records = read_dialogues("sgd", corpora, "validation")
    return [shorten_observations(record, 2) for record in records if isinstance(record, Dialogue)]


@pytest.mark.corpora
def test_no_thought_on_real_dialogues_knows_what_follows(dev: list[Dialogue]) -> None:
    for dialogue in dev[::10]:
        assert_nothing_leaks(dialogue)


def list_hidden(turn: Turn) -> Iterator[str]:
    """The values of a turn's observations and reply, as the service writes them."""
    for step in turn.steps:
        for observation in step.observations:
            for record in read_records(observation):
                yield from map(str, record.values())
    for one in turn.labels.system_acts:
        yield from one.canonical


@pytest.mark.corpora
def test_no_value_of_the_observation_or_the_reply_is_in_the_thought_before_the_action(dev: list[Dialogue]) -> None:
    for dialogue in dev:
        known = ""
        for turn, plain in zip(write_thoughts(dialogue, 12).turns, dialogue.turns, strict=True):
            known += f" {plain.user} {plain.labels.user_acts} {[step.calls for step in plain.steps]} {plain.state}"
            for step in turn.steps:
                for value in list_hidden(plain):
                    if len(value) > 3 and value not in ("True", "False") and value.casefold() not in known.casefold():
                        assert value not in str(step.thought), f"{dialogue.id}: {value!r} in {step.thought!r}"
            known += f" {plain.reply} {[step.observations for step in plain.steps]} {plain.labels.system_acts}"


@pytest.mark.corpora
def test_thoughts_on_real_dialogues_read_well(dev: list[Dialogue]) -> None:
    for dialogue in dev:
        assert_reads_well(dialogue)


@pytest.mark.corpora
def test_record_and_request_tell_the_outcome_of_a_booking(dev: list[Dialogue]) -> None:
    """Where they agree the agent reports success, where nothing came back failure. A record that differs is an
    alternative in most cases; in the others the corpus's agent takes another time as booked. In three dialogues it
    reports failure although the record is what was asked: true faults of the corpus."""
    seen: Counter[tuple[str, bool]] = Counter()
    for dialogue in dev:
        transactional = {(tool.service, tool.name) for tool in dialogue.tools if tool.transactional}
        for turn in dialogue.turns:
            success = any(one.name == "NOTIFY_SUCCESS" for one in turn.labels.system_acts)
            for step in turn.steps:
                for made, observation in zip(step.calls, step.observations, strict=True):
                    if (made.service, made.name) in transactional:
                        records = read_records(observation)
                        differs = bool(records) and bool(find_differences(made, records[0]))
                        seen["nothing" if not records else "differs" if differs else "agrees", success] += 1
    assert seen["agrees", True] > 1000
    assert seen["agrees", False] <= 3
    assert seen["nothing", True] == 0
    assert seen["differs", False] > seen["differs", True]


@pytest.mark.corpora
def test_thoughts_on_real_dialogues_are_varied(dev: list[Dialogue]) -> None:
    thoughts = [thought for dialogue in dev for thought in list_thoughts(dialogue)]
    openings = Counter(" ".join(thought.split()[:3]) for thought in thoughts)
    assert openings.most_common(1)[0][1] < 0.05 * len(thoughts)
    assert len(set(thoughts)) > 0.9 * len(thoughts)
