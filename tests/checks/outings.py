"""Two dialogues without thoughts, for tests of thoughts: a supper booked at the second attempt, and songs and games.

The first narrows a search, corrects a booking and fails once; the second goes from one service to another, with a
nickname for a city and questions about an earlier result.
"""

from __future__ import annotations

import datetime
from typing import Any

from coalm_it.recipe import Part
from coalm_it.samples.targets import make_samples
from coalm_it.schema import Act, Call, Dialogue, Labels, Sample, Step, Tool, Turn

CLOCK = datetime.date(2019, 3, 1)
PART = Part.model_validate({"source": "sgd", "task": ["react_action", "react_response"]})


def make_tool(
    name: str, service: str, description: str, required: str, transactional: bool = False, **others: Any
) -> Tool:
    properties = {slot: {"type": "string"} for slot in required.split()} | others
    parameters = {"type": "object", "properties": properties, "required": required.split()}
    return Tool(name=name, service=service, description=description, parameters=parameters, transactional=transactional)


def act(name: str, slot: str = "", said: str = "", meant: str = "", service: str = "") -> Act:
    return Act(
        name=name,
        service=service,
        slot=slot,
        values=(said,) if said else (),
        canonical=(meant or said,) if said else (),
    )


def turn(
    user: str,
    reply: str,
    heard: list[Act],
    told: list[Act],
    call: tuple[str, dict[str, Any]] | None = None,
    found: list[dict[str, Any]] | None = None,
    matches: int | None = None,
    service: str = "",
) -> Turn:
    steps: tuple[Step, ...] = ()
    if call:
        name, arguments = call
        observation = {"matches": len(found or []) if matches is None else matches, "results": found or []}
        made = Call(name=name, service=service, arguments=arguments)
        steps = (Step(calls=(made,), observations=(observation,)),)
    user_acts, system_acts = (
        tuple(one.model_copy(update={"service": service}) for one in acts) for acts in (heard, told)
    )
    return Turn(user=user, steps=steps, reply=reply, labels=Labels(user_acts=user_acts, system_acts=system_acts))


def make_dialogue(name: str, tools: tuple[Tool, ...], *turns: Turn) -> Dialogue:
    """The turns as a dialogue, with ids for the calls and in each turn the state that follows from the acts so far."""
    state: dict[str, dict[str, tuple[str, ...]]] = {}
    kept = []
    for number, one in enumerate(turns):
        for told in one.labels.user_acts:
            if told.name == "INFORM":
                state = {**state, told.service: {**state.get(told.service, {}), told.slot: told.values}}
        steps = tuple(
            step.model_copy(update={"calls": tuple(c.model_copy(update={"id": f"call_{number}"}) for c in step.calls)})
            for step in one.steps
        )
        kept.append(one.model_copy(update={"steps": steps, "state": state}))
    return Dialogue(
        id=name, source="outings", split="train", licence="CC0-1.0", clock=CLOCK, tools=tools, turns=tuple(kept)
    )


# --- supper ---

EATING = "Restaurants_1"
CUISINES = ["Mexican", "Chinese", "Indian", "American", "Italian"]
FIND = make_tool(
    "FindRestaurants",
    EATING,
    "Find a restaurant of a particular cuisine in a city",
    "cuisine city",
    cuisine={"type": "string", "enum": CUISINES},
    price_range={"type": "string", "enum": ["inexpensive", "moderate", "expensive"]},
    has_live_music={"type": "boolean"},
    serves_alcohol={"type": "boolean"},
)
RESERVE = make_tool(
    "ReserveRestaurant",
    EATING,
    "Reserve a table at a restaurant",
    "restaurant_name city time",
    transactional=True,
    date={"type": "string", "default": "2019-03-01"},
    party_size={"type": "integer", "default": 2},
)


def place(name: str, street: str, phone: str, alcohol: bool) -> dict[str, Any]:
    return {
        "city": "Port Haven",
        "cuisine": "Mexican",
        "has_live_music": False,
        "phone_number": phone,
        "price_range": "moderate",
        "restaurant_name": name,
        "serves_alcohol": alcohol,
        "street_address": street,
    }


ROSAS = place("Rosa's Cantina", "12 Quay Street", "650-555-0131", False)
LIME = place("The Lime Tree Grill & Bar", "899 Harbor Road", "650-555-0152", True)
WANTED = {"city": "Port Haven", "cuisine": "Mexican"}
TABLE = {
    "city": "Port Haven",
    "date": "2019-03-09",
    "party_size": 6,
    "restaurant_name": "The Lime Tree Grill & Bar",
    "time": "18:30",
}
FOR_TWO = {**TABLE, "party_size": 2}

SUPPER = make_dialogue(
    "supper",
    (RESERVE, FIND),
    turn(
        "I'm looking for somewhere to eat.",
        "Which city should I search in, and what food would you like? Italian, Chinese, something else?",
        [act("INFORM_INTENT")],
        [act("REQUEST", "city"), act("REQUEST", "cuisine", "Italian"), act("REQUEST", "cuisine", "Chinese")],
        service=EATING,
    ),
    turn(
        "Somewhere in Port Haven. Some Latin American food is what I'm looking for.",
        "Rosa's Cantina is a nice restaurant in Port Haven.",
        [act("INFORM", "city", "Port Haven"), act("INFORM", "cuisine", "Latin American", "Mexican")],
        [act("OFFER", "restaurant_name", "Rosa's Cantina"), act("OFFER", "city", "Port Haven")],
        ("FindRestaurants", WANTED),
        [ROSAS, LIME],
        3,
        EATING,
    ),
    turn(
        "Any other suggestions? Specifically places that serve alcohol.",
        "I found 1 restaurant. The Lime Tree Grill & Bar is a nice restaurant in Port Haven.",
        [act("REQUEST_ALTS"), act("INFORM", "serves_alcohol", "True")],
        [act("OFFER", "restaurant_name", "The Lime Tree Grill & Bar"), act("INFORM_COUNT", "count", "1")],
        ("FindRestaurants", {**WANTED, "serves_alcohol": True}),
        [LIME],
        service=EATING,
    ),
    turn(
        "That's good.",
        "Would you like to reserve a table here?",
        [act("SELECT")],
        [act("OFFER_INTENT")],
        service=EATING,
    ),
    turn(
        "Yes I would. Next Friday for six people.",
        "What time is the reservation for?",
        [
            act("AFFIRM_INTENT"),
            act("INFORM", "date", "Next Friday", "2019-03-08"),
            act("INFORM", "party_size", "six", "6"),
        ],
        [act("REQUEST", "time")],
        service=EATING,
    ),
    turn(
        "I want it on the 9th at 5:30 in the evening.",
        "Please confirm: a table at The Lime Tree Grill & Bar in Port Haven on March 9th at 5:30 pm for 6 people.",
        [
            act("INFORM", "date", "the 9th", "2019-03-09"),
            act("INFORM", "time", "5:30 in the evening", "17:30"),
        ],
        [
            act("CONFIRM", "restaurant_name", "The Lime Tree Grill & Bar"),
            act("CONFIRM", "date", "March 9th", "2019-03-09"),
            act("CONFIRM", "time", "5:30 pm", "17:30"),
        ],
        service=EATING,
    ),
    turn(
        "Change the time to 6:30 in the evening.",
        "Please confirm: the city is Port Haven and the reservation is at 6:30 pm.",
        [act("NEGATE"), act("INFORM", "time", "6:30 in the evening", "18:30")],
        [act("CONFIRM", "city", "Port Haven"), act("CONFIRM", "time", "6:30 pm", "18:30")],
        service=EATING,
    ),
    turn(
        "Yes that's right. Is the restaurant low priced with live music?",
        "Sorry, I was unable to make a reservation. Can I help you with anything else?",
        [act("AFFIRM"), act("REQUEST", "price_range"), act("REQUEST", "has_live_music")],
        [act("NOTIFY_FAILURE"), act("REQ_MORE")],
        ("ReserveRestaurant", TABLE),
        service=EATING,
    ),
    turn(
        "I want to make a reservation for 2 people.",
        "Please confirm: a table at The Lime Tree Grill & Bar on March 9th at 6:30 pm for 2 people.",
        [act("INFORM", "party_size", "2")],
        [act("CONFIRM", "party_size", "2"), act("CONFIRM", "time", "6:30 pm", "18:30")],
        service=EATING,
    ),
    turn(
        "Yes that's good.",
        "Your reservation is successful.",
        [act("AFFIRM")],
        [act("NOTIFY_SUCCESS")],
        ("ReserveRestaurant", FOR_TWO),
        [{**LIME, **FOR_TWO}],
        service=EATING,
    ),
    turn("Thank you, that's all I need.", "Have a good day.", [act("THANK_YOU")], [act("GOODBYE")], service=EATING),
)

# --- songs and games ---

MUSIC, EVENTS = "Music_2", "Events_2"
LOOKUP = make_tool(
    "LookupMusic",
    MUSIC,
    "Search for a song based on the artist, the album and the genre",
    "",
    artist={},
    album={},
    genre={},
)
PLAY = make_tool(
    "PlayMedia",
    MUSIC,
    "Play the selected song on the device of choice",
    "song_name",
    transactional=True,
    artist={},
    playback_device={"type": "string", "enum": ["TV", "kitchen speaker"], "default": "TV"},
)
FIND_EVENTS = make_tool(
    "FindEvents",
    EVENTS,
    "Search for events in a city",
    "event_type city",
    event_type={"type": "string", "enum": ["Music", "Sports"]},
    category={"type": "string"},
    date={"type": "string"},
)
DATES = make_tool("GetEventDates", EVENTS, "Look up the dates of an event", "event_name city")
TICKETS = make_tool(
    "BuyEventTickets", EVENTS, "Buy tickets for an event", "event_name number_of_tickets", transactional=True
)


def event(name: str, kind: str, date: str, time: str, venue: str) -> dict[str, Any]:
    return {
        "category": kind,
        "city": "Chicago",
        "date": date,
        "event_name": name,
        "event_type": "Music" if kind == "Jazz" else "Sports",
        "time": time,
        "venue": venue,
    }


SONG = {"album": "Slow Thunder", "artist": "Seven Iron Lanterns", "genre": "Metal", "song_name": "I Forgive"}
HAWKS = event("Hawks Vs Millers", "Baseball", "2019-03-08", "17:00", "Wharf Field")
SOX = event("Grey Sox Vs Rivermen", "Baseball", "2019-03-04", "18:30", "Lakeside Park")
TRUMPET = event("Tommy Cornet", "Jazz", "2019-03-04", "19:00", "Concord Hall")
PLAYED = {"artist": "Seven Iron Lanterns", "playback_device": "TV", "song_name": "I Forgive"}

SONGS = make_dialogue(
    "songs",
    (LOOKUP, PLAY, FIND_EVENTS, DATES, TICKETS),
    turn(
        "Can you help me to search some songs? I love Seven Iron Lanterns ' songs. I really love Metal Songs. There "
        "are so many nice songs in the album Slow thunder.",
        "I have short listed 2 songs. What do you think of I Forgive in the album Slow Thunder?",
        [
            act("INFORM", "artist", "Seven Iron Lanterns"),
            act("INFORM", "genre", "Metal"),
            act("INFORM", "album", "Slow thunder", "Slow Thunder"),
        ],
        [act("INFORM_COUNT", "count", "2"), act("OFFER", "song_name", "I Forgive")],
        ("LookupMusic", {"album": "Slow Thunder", "artist": "Seven Iron Lanterns", "genre": "Metal"}),
        [SONG, {**SONG, "song_name": "Wash Over Me"}],
        service=MUSIC,
    ),
    turn("That's good.", "Would you like to play it now?", [act("SELECT")], [act("OFFER_INTENT")], service=MUSIC),
    turn(
        "Okay. Run the music.",
        "Please confirm: I Forgive on the TV.",
        [act("AFFIRM_INTENT")],
        [act("CONFIRM", "song_name", "I Forgive"), act("CONFIRM", "playback_device", "TV")],
        service=MUSIC,
    ),
    turn(
        "Fine this is okay.",
        "Song started playing now.",
        [act("AFFIRM")],
        [act("NOTIFY_SUCCESS")],
        ("PlayMedia", PLAYED),
        [{**SONG, **PLAYED}],
        service=MUSIC,
    ),
    turn(
        "Thanks a lot. I am searching for things to do.",
        "What is your interest, and in which city should I search?",
        [act("THANK_YOU"), act("INFORM_INTENT")],
        [act("REQUEST", "event_type"), act("REQUEST", "city")],
        service=EVENTS,
    ),
    turn(
        "I am searching for sports around Chi-town.",
        "I searched 10 events of your taste. Hawks Vs Millers is the event at Wharf Field.",
        [act("INFORM", "event_type", "sports", "Sports"), act("INFORM", "city", "Chi-town", "Chicago")],
        [act("INFORM_COUNT", "count", "10"), act("OFFER", "event_name", "Hawks Vs Millers")],
        ("FindEvents", {"city": "Chicago", "event_type": "Sports"}),
        [HAWKS, {**SOX, "date": "2019-03-03"}],
        10,
        EVENTS,
    ),
    turn(
        "At what time the event starts?",
        "The event begins at 5 pm.",
        [act("REQUEST", "time")],
        [act("INFORM", "time", "5 pm", "17:00")],
        service=EVENTS,
    ),
    turn(
        "What type of event is this?",
        "The category of the event is Baseball.",
        [act("REQUEST", "category")],
        [act("INFORM", "category", "Baseball")],
        service=EVENTS,
    ),
    turn(
        "Could you search any other events on 4th of march please?",
        "I have short listed 3 events. Grey Sox Vs Rivermen is at Lakeside Park.",
        [act("REQUEST_ALTS"), act("INFORM", "date", "4th of march", "2019-03-04")],
        [act("INFORM_COUNT", "count", "3"), act("OFFER", "event_name", "Grey Sox Vs Rivermen")],
        ("FindEvents", {"city": "Chicago", "date": "2019-03-04", "event_type": "Sports"}),
        [SOX],
        3,
        EVENTS,
    ),
    turn(
        "Can you tell me some other events please? I want Jazz events and searching for Concert.",
        "I have short listed 1 event. It is Tommy Cornet at Concord Hall.",
        [
            act("REQUEST_ALTS"),
            act("INFORM", "category", "Jazz"),
            act("INFORM", "event_type", "Concert", "Music"),
        ],
        [act("INFORM_COUNT", "count", "1"), act("OFFER", "event_name", "Tommy Cornet")],
        ("FindEvents", {"category": "Jazz", "city": "Chicago", "date": "2019-03-04", "event_type": "Music"}),
        [TRUMPET],
        service=EVENTS,
    ),
    turn(
        "This is perfect for me. That's all i want.",
        "Have a wonderful day.",
        [act("SELECT"), act("GOODBYE")],
        [act("GOODBYE")],
        service=EVENTS,
    ),
)


def think(dialogue: Dialogue, number: int, where: str, thought: str) -> Sample:
    """The sample of a turn's call ("call") or reply ("reply"), with this thought; the other thoughts are plain."""
    turns = []
    for place, one in enumerate(dialogue.turns):
        steps = tuple(step.model_copy(update={"thought": f"Call {place} is due."}) for step in one.steps)
        turns.append(one.model_copy(update={"steps": steps, "thought": f"Reply {place} is due."}))
    meant = turns[number]
    if where == "call":
        changes: dict[str, Any] = {"steps": (meant.steps[0].model_copy(update={"thought": thought}),)}
    else:
        changes = {"thought": thought}
    turns[number] = meant.model_copy(update=changes)
    thought_through = dialogue.model_copy(update={"turns": tuple(turns)})
    task = "react_action" if where == "call" else "react_response"
    samples = make_samples(thought_through, "outings", PART, dialogue.tools)
    return next(sample for sample in samples if sample.turn == number and sample.task == task)
