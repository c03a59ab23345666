"""Good thoughts as people and language models write them, in many styles: no check rejects one."""

from __future__ import annotations

import pytest
from dinner import response, with_turn
from outings import SONGS, SUPPER, think

from coalm_it.checks import run_checks
from coalm_it.schema import Dialogue

SUPPER_THOUGHTS: dict[tuple[int, str], list[str]] = {
    (0, "reply"): [
        "They want a restaurant, but FindRestaurants needs a city and a cuisine and I have neither. I should ask for "
        "both, with an example or two of cuisines.",
        "No city, no cuisine. I can't search yet, so I'll ask for both.",
        "The user is looking for somewhere to eat but hasn't said where or what kind of food. I need the city and the "
        "cuisine before I can use FindRestaurants, so I'll ask about those first.",
        "Before searching I need to know the city and cuisine; let me ask, maybe mentioning Italian or Chinese as "
        "examples.",
        "Two required values are missing: city and cuisine. Ask for them.",
        "The agent needs a location and a cuisine to find a restaurant. Neither has been given, so the best move is "
        "to ask for these two details.",
        "I need to search for restaurants, but where? And which food? I have to ask.",
    ],
    (1, "call"): [
        "Port Haven settles the city, and Latin American food is closest to the Mexican category here. That is "
        "everything a search needs; price and music can wait.",
        "City: Port Haven. Latin American isn't one of the cuisines FindRestaurants knows, but Mexican is the closest "
        "match. I have everything I need to search.",
        "The user wants Latin American food in Port Haven. The tool's cuisine options include Mexican, which fits, so "
        'I\'ll call FindRestaurants with city "Port Haven" and cuisine "Mexican".',
        "Now I have both pieces: Port Haven and Latin American (→ Mexican). Time to search.",
        "Port Haven, and Latin American food, which the search lists as Mexican. Let me look up what's available.",
        "OK, both answers are there. 'Latin American' has to become 'Mexican' for the search; I could ask about the "
        "price range too, but it isn't required.",
        "FindRestaurants(city, cuisine) can be filled now: Port Haven, Mexican.",
    ],
    (1, "reply"): [
        "Three places match. Rosa's Cantina comes first and is in Port Haven, so I'll put that one forward.",
        "The search returned 3 results. I'll suggest the first, Rosa's Cantina, and see what they think.",
        "There are several options; Rosa's Cantina at 12 Quay Street is moderately priced, a sensible first "
        "suggestion.",
        "Got 3 matches. No need to overwhelm them – I'll mention just Rosa's Cantina for now.",
        "Of the 3 restaurants found, Rosa's is the top one. If they don't like it there are 2 more, so I'll start "
        "there.",
    ],
    (2, "call"): [
        "Rosa's doesn't suit. Alcohol is a new condition; Port Haven and Mexican still stand, so I'll search again "
        "with it added.",
        "They didn't go for Rosa's Cantina and now want a place that serves alcohol. I'll rerun FindRestaurants with "
        "alcohol set to true, keeping the city and cuisine.",
        "Same city and cuisine, one extra filter: alcohol. Searching again.",
        "User asks for alternatives with alcohol → new query needed, with the city and the cuisine unchanged.",
    ],
    (2, "reply"): [
        "That leaves a single place, The Lime Tree Grill & Bar. Worth saying that it is the only one.",
        "Only 1 result this time: The Lime Tree Grill & Bar, which does serve alcohol. I'll offer it.",
        "The Lime Tree Grill & Bar is the one match. I'll present it and wait for their reaction.",
    ],
    (3, "reply"): [
        "They like The Lime Tree. The natural next step is a reservation, so I'll offer to book a table.",
        "The user is happy with the suggestion. I could book a table there; let me ask whether they'd like that.",
        "Good, they're pleased. I'll ask if I should reserve a table.",
        "Lime Tree it is. They haven't asked for a booking, but I can offer one; if they agree I'll call "
        "ReserveRestaurant.",
    ],
    (4, "reply"): [
        "So it's a booking at The Lime Tree for six. The restaurant and the city are settled; the one thing "
        "ReserveRestaurant still lacks is the time. I'll ask for it before anything is booked.",
        "Next Friday is March 8th and there will be 6 of them. Still missing: the time.",
        "I have the restaurant, the city, the date (2019-03-08) and the party size (6). ReserveRestaurant also "
        "requires a time, which they have not mentioned, so I need to ask.",
        "A table for six people, Friday the 8th. I'll make the reservation once I know what time they want to come.",
        "I should book the table now, but there is no time yet. First question, then.",
    ],
    (5, "reply"): [
        "The date moves from the 8th to Saturday the 9th, and 5:30 in the evening is 17:30. That completes the "
        "booking details, but since a reservation is a commitment I'll confirm everything first.",
        "OK: The Lime Tree Grill & Bar, Port Haven, March 9, 17:30, party of six. Read it back before booking.",
        "They changed their mind about the date: the 9th, not the 8th. With 5:30 PM as the time I now have all I "
        "need; I should confirm before I reserve.",
    ],
    (6, "reply"): [
        "Only the time moves, to 18:30; party of six on March 9th stays. Since a booking commits them, I'll read the "
        "change back first.",
        "New time: 6:30 pm instead of 5:30 pm. Everything else is unchanged. Once they confirm I'll book it.",
        "The user wants 18:30, an hour later. I'll verify the updated reservation with them and then go ahead and "
        "book.",
        "Half past six then. I have to call ReserveRestaurant with the new time, but not before they have approved it.",
    ],
    (7, "call"): [
        "They've confirmed, so I can book now: The Lime Tree Grill & Bar, Port Haven, six people, 2019-03-09 at "
        "18:30. They also ask about price and live music, which I have from the search.",
        "Confirmed. Booking The Lime Tree Grill & Bar in Port Haven for 6 on 2019-03-09 at 18:30. The question about "
        "price and live music can be answered from the search result.",
        "That's a yes, so I can go ahead with ReserveRestaurant. They also asked whether it's cheap and has live "
        "music – the earlier results say moderate and no live music, I can tell them afterwards.",
        "They agreed to the details, so I'll make the reservation now and answer the price and music question along "
        "with the result.",
        "FindRestaurants already gave me the price range and the music. What's left is the booking itself, which they "
        "just approved.",
    ],
    (7, "reply"): [
        "The booking came back empty: it did not go through. I owe them that plainly, and an offer to try something "
        "else.",
        "No reservation was returned, so the booking failed. I'll apologize and ask if there's anything else I can do.",
        "Zero results – the reservation wasn't made. I shouldn't invent a reason; just say sorry and offer more help.",
        "0 matches: no table for six at 18:30. I'll be honest about it, and leave price and music aside for now.",
    ],
    (8, "reply"): [
        "Two people rather than six may well fit. Same place, date and time unless they say otherwise; I'll read it "
        "all back.",
        "They want to retry with a party of 2. Restaurant, date and time stay as they were. I'll confirm before "
        "trying again.",
        "Party size drops from 6 to 2; everything else carries over (The Lime Tree Grill & Bar, March 9th, 6:30 pm). "
        "Let me double-check with the user before I book.",
    ],
    (9, "call"): [
        "A clear yes. Second attempt, this time for two.",
        "Confirmed – go ahead with the booking for 2 at 18:30 on the 9th.",
        "The user says yes, so I'll call ReserveRestaurant with party size 2.",
    ],
    (9, "reply"): [
        "This time a record came back and it matches what we asked for. The table is booked; I'll let them know.",
        "Success! The reservation for two on Saturday, March 9th went through.",
        "It worked: The Lime Tree, 899 Harbor Road, for 2 people at 18:30. A one-line confirmation is enough.",
    ],
    (10, "reply"): [
        "Nothing left open; a short goodbye will do.",
        "The Lime Tree is booked and they're happy; a short goodbye will do.",
        "The user thanks me and is done. I'll wish them a good day.",
        "They're all set. Time to say goodbye.",
        "Done.",
    ],
}

SONGS_THOUGHTS: dict[tuple[int, str], list[str]] = {
    (0, "call"): [
        'Artist, genre and album are all given: Seven Iron Lanterns, Metal, "Slow Thunder". LookupMusic takes all '
        "three.",
        "The user loves Seven Iron Lanterns, metal songs and the album Slow Thunder. I can use all three to filter "
        "the music search.",
        "Metal by Seven Iron Lanterns, from Slow Thunder. Enough to look songs up.",
    ],
    (0, "reply"): [
        "2 songs found; I'll say so and ask what they think of I Forgive.",
        "There are two matches, both from 'Slow Thunder'. 'I Forgive' is the first, so I'll bring it up.",
        '"I Forgive" and "Wash Over Me" fit. I\'d start with the former.',
    ],
    (1, "reply"): [
        "They like I Forgive. I'll ask whether to play it.",
        "A yes to the song. Should I play it? I'll ask.",
    ],
    (2, "reply"): [
        "They want I Forgive played. PlayMedia needs the song; the device defaults to the TV, which nobody mentioned, "
        "so I'd better check that with them.",
        "I can play it now, on the TV by default. I'll have that confirmed first.",
    ],
    (3, "call"): [
        'Approved – play "I Forgive" by Seven Iron Lanterns on the TV.',
        "The user is fine with it, so start playback.",
        "That was the go-ahead for the TV; PlayMedia it is.",
    ],
    (3, "reply"): [
        "The song has started on the TV. I'll tell them.",
        "Playback works, so a brief note is all it takes.",
    ],
    (4, "reply"): [
        "Music is done. They now want something to do, but FindEvents needs a city and an event type; ask for both.",
        "On to events. I know neither what they like nor where, so two questions.",
    ],
    (5, "call"): [
        "Chi-town is Chicago, and sports is one of the event types. No date was given and FindEvents doesn't insist "
        "on one.",
        "Chi-town means Chicago. With sports as the event type I have the two required parameters. Let me check "
        "what's on.",
        "Chicago + Sports. I'll see what FindEvents has.",
    ],
    (5, "reply"): [
        "Ten games in all; the first is Hawks Vs Millers at Wharf Field. I'll say how many there are and lead with "
        "that one.",
        "10 events came back; I'll mention the number and offer Hawks Vs Millers at Wharf Field on March 8th.",
    ],
    (6, "reply"): [
        "They mean Hawks Vs Millers. The search already returned its start, 17:00, so there's no need to ask the "
        "service again.",
        "Start time of the Hawks game: 5 pm according to the earlier result. No new call needed.",
        "I don't have to look this up again: it starts at 17:00 on Friday the 8th.",
    ],
    (7, "reply"): [
        "The category in the result is Baseball, that's the answer.",
        "Baseball, as the search showed.",
    ],
    (8, "call"): [
        "Still Chicago and still sports, now on a set day: March 4th, which is 2019-03-04 on this calendar.",
        "They want other events on Monday, March 4th. I need to run the search again with that date, same city and "
        "type.",
        "Hawks Vs Millers is on the 8th; they'd rather have something on the 4th, so another search.",
    ],
    (8, "reply"): [
        "3 games that day. I'll name Grey Sox Vs Rivermen at Lakeside Park and say how many there are.",
    ],
    (9, "call"): [
        "That's a change of mind from sports to music, jazz in particular. City and date carry over.",
        "New interest: a jazz concert. In this service that's event type Music with category Jazz; Chicago and March "
        "4 stay.",
    ],
    (9, "reply"): [
        "Just one: Tommy Cornet, 7 pm at Concord Hall. I'll offer it.",
        "One jazz event on Monday the 4th – Tommy Cornet at Concord Hall. Easy choice.",
    ],
    (10, "reply"): [
        "They've found their concert. No tickets wanted, so I'll just say goodbye.",
        "All good here. Farewell.",
    ],
}

ALTERNATIVES = [
    "That time didn't go through: what came back is 18:30, not the 18:15 they asked for. I'll tell them so and offer "
    "the later slot.",
    "The booking wasn't made for 18:15. The closest time is 18:30, 15 minutes later, so I'll offer that instead.",
    "I asked for a quarter past six and got half past six. Not what they wanted, but maybe it suits them; I'll ask "
    "before I book it.",
]

TURNS_OF_PHRASE = [
    # aims, figures of speech, dates and numbers as people write them
    (
        SUPPER,
        0,
        "reply",
        "I need to find a restaurant for the user, starting with the city and the cuisine.",
    ),
    (
        SUPPER,
        0,
        "reply",
        "I should look for their preferences: city and cuisine. The 1st question is the city.",
    ),
    (
        SUPPER,
        0,
        "reply",
        "Before calling FindRestaurants I need 2 required values, the city and the cuisine.",
    ),
    (
        SUPPER,
        0,
        "reply",
        "I can't use the Find Restaurants function yet; the agent then needs a city first, so I'll ask.",
    ),
    (
        SUPPER,
        0,
        "reply",
        "The user wants to eat out. I'm not 100% sure where, so I must ask which city.",
    ),
    (
        SUPPER,
        1,
        "call",
        "I should search with city=Port Haven and cuisine=Mexican.",
    ),
    (
        SUPPER,
        1,
        "call",
        "I'll tell them what I find as soon as FindRestaurants answers.",
    ),
    (
        SUPPER,
        1,
        "call",
        "Latin American: I'd go with Mexican. I'll tell them what there is once the results are in.",
    ),
    (
        SUPPER,
        1,
        "reply",
        "The top result, Rosa's Cantina, is at 12 Quay Street (650-555-0131). The 2nd option is The Lime Tree Grill & "
        "Bar.",
    ),
    (
        SUPPER,
        1,
        "reply",
        "3 results. Out of the top 2 I prefer Rosa's Cantina.",
    ),
    (
        SUPPER,
        4,
        "reply",
        "They'd like 6 seats next Friday (3/8). A week from today, that is. No time yet, so I have to ask.",
    ),
    (
        SUPPER,
        4,
        "reply",
        "Fri, Mar 8 for six. What's NOT given is the time; that is my question.",
    ),
    (
        SUPPER,
        5,
        "reply",
        "17:30 in 24-hour format, on Sat 9 March. Everything is CONFIRMED on my side, but they should hear it back.",
    ),
    (
        SUPPER,
        5,
        "reply",
        "5:30pm on Sat, Mar 9. I'll run the details by them before I reserve.",
    ),
    (
        SUPPER,
        5,
        "reply",
        "So 5:30 PM it is. I'll play it safe and read everything back.",
    ),
    (
        SUPPER,
        6,
        "reply",
        "6.30 pm now. I'll repeat the details and look for their confirmation.",
    ),
    (
        SUPPER,
        7,
        "call",
        "They said yes: 6 people at 6:30 PM on 03/09. Sending the booking.",
    ),
    (
        SUPPER,
        9,
        "call",
        "OK to book, 2 people at half past six.",
    ),
    (
        SONGS,
        2,
        "reply",
        "PlayMedia's device isn't given, so TV by default; I'd better check that first.",
    ),
    (
        SONGS,
        4,
        "reply",
        "I need to look for events now, but the city and the type are both missing.",
    ),
    (
        SONGS,
        5,
        "call",
        'Sports in Chicago ("Chi-town"). They haven\'t said a date, so any will do.',
    ),
    (
        SONGS,
        6,
        "reply",
        "It's at 5 in the afternoon: 17:00 in the result.",
    ),
    (
        SONGS,
        8,
        "call",
        "They want something else on the 4th (a Monday), in Chicago again.",
    ),
    (SUPPER, 4, "reply", "A table for six on Friday the 8th. I'll ask: what time would you like?"),
    (SUPPER, 4, "reply", "The time is missing. 'When should I book your table?' is what I need to know next."),
    (SUPPER, 10, "reply", "They said thank you, and all is booked. A short goodbye."),
    (SUPPER, 10, "reply", "A thank you, and no further wish. I'll see them off."),
]

WRITTEN = [
    (dialogue, turn, where, thought)
    for dialogue, thoughts in ((SUPPER, SUPPER_THOUGHTS), (SONGS, SONGS_THOUGHTS))
    for (turn, where), written in thoughts.items()
    for thought in written
]


@pytest.mark.parametrize(
    ("dialogue", "turn", "where", "thought"), [*WRITTEN, *TURNS_OF_PHRASE], ids=lambda value: str(value)[:40]
)
def test_a_good_thought_passes_every_check(dialogue: Dialogue, turn: int, where: str, thought: str) -> None:
    assert run_checks(think(dialogue, turn, where, thought)) == []


@pytest.mark.parametrize("thought", ALTERNATIVES)
def test_a_good_thought_on_an_alternative_passes_every_check(thought: str) -> None:
    assert run_checks(with_turn(response(3), thought=thought)) == []


def test_there_is_a_thought_for_every_moment_in_many_styles() -> None:
    assert len(WRITTEN) > 90
    for dialogue, thoughts in ((SUPPER, SUPPER_THOUGHTS), (SONGS, SONGS_THOUGHTS)):
        moments = {(number, "reply") for number, _ in enumerate(dialogue.turns)}
        moments |= {(number, "call") for number, turn in enumerate(dialogue.turns) if turn.steps}
        assert set(thoughts) == moments
