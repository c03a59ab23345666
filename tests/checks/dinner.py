"""A dialogue for the tests of the checks: a search, a question, a booking that fails, one that succeeds."""

from __future__ import annotations

import datetime
from typing import Any

from coalm_it.schema import Act, Call, Labels, Sample, Step, Task, Tool, Turn

CLOCK = datetime.date(2019, 3, 1)
SERVICE = "Restaurants_1"

FIND = Tool(
    name="FindRestaurants",
    service=SERVICE,
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "cuisine": {"type": "string", "enum": ["Mexican", "Chinese", "Italian"]},
            "has_live_music": {"type": "boolean"},
        },
        "required": ["city", "cuisine"],
    },
)
RESERVE = Tool(
    name="ReserveRestaurant",
    service=SERVICE,
    transactional=True,
    parameters={
        "type": "object",
        "properties": {
            "restaurant_name": {"type": "string"},
            "city": {"type": "string"},
            "time": {"type": "string"},
            "date": {"type": "string"},
            "party_size": {"type": "integer", "enum": [1, 2, 3, 4, 5, 6], "default": 2},
        },
        "required": ["restaurant_name", "city", "time"],
    },
)
WEATHER = Tool(
    name="GetWeather",
    service="Weather_1",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def act(name: str, slot: str = "", value: str = "", canonical: str = "") -> Act:
    values = (value,) if value else ()
    return Act(name=name, service=SERVICE, slot=slot, values=values, canonical=(canonical or value,) if value else ())


def place(name: str, address: str, phone: str) -> dict[str, Any]:
    return {
        "city": "San Francisco",
        "cuisine": "Mexican",
        "has_live_music": False,
        "phone_number": phone,
        "restaurant_name": name,
        "street_address": address,
    }


PLACES = [
    place("Casa Lupita", "18 Harbor Street", "415-555-0123"),
    place("Nopal & Sons", "230 Canyon Road", "415-555-0178"),
    place("The Blue Agave", "9 Mill Lane", "415-555-0190"),
]
SEARCH = {"city": "San Francisco", "cuisine": "Mexican"}
TABLE = {"city": "San Francisco", "date": "2019-03-08", "party_size": 2, "restaurant_name": "Casa Lupita"}

_SEARCHED = {"city": ("San Fran",), "cuisine": ("Latin American",)}
_CHOSEN = {**_SEARCHED, "restaurant_name": ("Casa Lupita",), "date": ("next Friday",), "party_size": ("2",)}

TURNS = (
    Turn(
        user="Find me somewhere Latin American to eat in San Fran.",
        steps=(
            Step(
                thought="San Fran is San Francisco, and Latin American is Mexican here; a search needs no more.",
                calls=(Call(id="call_0_0", name="FindRestaurants", service=SERVICE, arguments=SEARCH),),
                observations=({"matches": 3, "results": PLACES},),
            ),
        ),
        thought="Three places match. Casa Lupita comes first, so I'll put that one forward.",
        reply="I found 3 places. Casa Lupita is a nice restaurant in San Francisco.",
        state={SERVICE: _SEARCHED},
        labels=Labels(
            user_acts=(
                act("INFORM", "city", "San Fran", "San Francisco"),
                act("INFORM", "cuisine", "Latin American", "Mexican"),
            ),
            system_acts=(
                act("INFORM_COUNT", "count", "3"),
                act("OFFER", "restaurant_name", "Casa Lupita"),
                act("OFFER", "city", "San Francisco"),
            ),
        ),
    ),
    Turn(
        user="What is their phone number?",
        thought="The search has it already, so there is nothing to look up.",
        reply="You can reach them at 415-555-0123.",
        state={SERVICE: _SEARCHED},
        labels=Labels(
            user_acts=(act("REQUEST", "phone_number"),), system_acts=(act("INFORM", "phone_number", "415-555-0123"),)
        ),
    ),
    Turn(
        user="Book it for next Friday at a quarter past 6 in the evening.",
        thought="All that the booking needs is there. I'll read it back before anything is booked.",
        reply="A table for 2 at Casa Lupita on March 8th at 6:15 pm, is that right?",
        state={SERVICE: {**_CHOSEN, "time": ("a quarter past 6 in the evening",)}},
        labels=Labels(
            user_acts=(
                act("INFORM", "date", "next Friday", "2019-03-08"),
                act("INFORM", "time", "a quarter past 6 in the evening", "18:15"),
            ),
            system_acts=(
                act("CONFIRM", "restaurant_name", "Casa Lupita"),
                act("CONFIRM", "date", "March 8th", "2019-03-08"),
                act("CONFIRM", "time", "6:15 pm", "18:15"),
                act("CONFIRM", "party_size", "2"),
            ),
        ),
    ),
    Turn(
        user="Yes, please go ahead.",
        steps=(
            Step(
                thought="They've confirmed, so I can book now: Casa Lupita, March 8th at 18:15, the usual two people.",
                calls=(
                    Call(
                        id="call_3_0", name="ReserveRestaurant", service=SERVICE, arguments={**TABLE, "time": "18:15"}
                    ),
                ),
                observations=({"matches": 1, "results": [{**PLACES[0], **TABLE, "time": "18:30"}]},),
            ),
        ),
        thought="18:15 didn't work; the record says 18:30. I'll tell them so and offer the later time.",
        reply="Sorry, I could not book that. Would 6:30 pm suit you?",
        state={SERVICE: {**_CHOSEN, "time": ("a quarter past 6 in the evening", "6:15 pm")}},
        labels=Labels(
            user_acts=(act("AFFIRM"),),
            system_acts=(act("NOTIFY_FAILURE"), act("OFFER", "time", "6:30 pm", "18:30")),
        ),
    ),
    Turn(
        user="Fine, take that one.",
        steps=(
            Step(
                thought="They accept 18:30, so I'll book Casa Lupita once more with the new time.",
                calls=(
                    Call(
                        id="call_4_0", name="ReserveRestaurant", service=SERVICE, arguments={**TABLE, "time": "18:30"}
                    ),
                ),
                observations=({"matches": 1, "results": [{**PLACES[0], **TABLE, "time": "18:30"}]},),
            ),
        ),
        thought="The table is booked as asked. A short confirmation will do.",
        reply="Your table is booked.",
        state={SERVICE: {**_CHOSEN, "time": ("6:30 pm",)}},
        labels=Labels(user_acts=(act("AFFIRM"),), system_acts=(act("NOTIFY_SUCCESS"),)),
    ),
    Turn(
        user="Thanks, that is all.",
        thought="The table is booked and they are content; a goodbye will do.",
        reply="Enjoy your dinner!",
        state={SERVICE: {**_CHOSEN, "time": ("6:30 pm",)}},
        labels=Labels(user_acts=(act("THANK_YOU"), act("GOODBYE")), system_acts=(act("GOODBYE"),)),
    ),
)


def action(turn: int, **changes: Any) -> Sample:
    """The sample whose target is the call of a turn."""
    return _sample("react_action", turn, 0, changes)


def response(turn: int, **changes: Any) -> Sample:
    """The sample whose target is the reply of a turn."""
    return _sample("react_response", turn, None, changes)


def _sample(task: Task, turn: int, step: int | None, changes: dict[str, Any]) -> Sample:
    sample = Sample(
        id=f"dinner/train/1/{turn}/{task}",
        part="dinner",
        task=task,
        layout="react_action" if task == "react_action" else "react_response",
        source="dinner",
        split="train",
        dialogue_id="1",
        turn=turn,
        licence="CC0-1.0",
        clock=CLOCK,
        tools=(FIND, RESERVE, WEATHER),
        turns=TURNS[: turn + 1],
        step=step,
    )
    return sample.model_copy(update=changes)


SAMPLES = [*(action(turn) for turn in (0, 3, 4)), *(response(turn) for turn in range(len(TURNS)))]


def with_turn(sample: Sample, **changes: Any) -> Sample:
    """The sample with a changed current turn."""
    return sample.model_copy(update={"turns": (*sample.history, sample.current.model_copy(update=changes))})


def with_step(sample: Sample, **changes: Any) -> Sample:
    """The sample with a changed first step of its current turn."""
    first, *rest = sample.current.steps
    return with_turn(sample, steps=(first.model_copy(update=changes), *rest))


def with_call(sample: Sample, **changes: Any) -> Sample:
    """The sample with a changed call in its current turn."""
    call = sample.current.steps[0].calls[0]
    return with_step(sample, calls=(call.model_copy(update=changes),))


def with_arguments(sample: Sample, **arguments: Any) -> Sample:
    """The sample with other arguments in its current call."""
    return with_call(sample, arguments={**sample.current.steps[0].calls[0].arguments, **arguments})


def without_argument(sample: Sample, name: str) -> Sample:
    kept = {key: value for key, value in sample.current.steps[0].calls[0].arguments.items() if key != name}
    return with_call(sample, arguments=kept)


def with_acts(sample: Sample, *acts: Act) -> Sample:
    """The sample with other system acts in its current turn."""
    return with_turn(sample, labels=sample.current.labels.model_copy(update={"system_acts": acts}))
