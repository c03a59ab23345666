"""Good thoughts with the errors that models make: which checks find them, and what share of each kind.

The thoughts are the grounded ones for the bundled dialogues; all of them pass. The least shares are set by hand a
little below the measured ones; a share below one is explained beside the mutation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from outings import PART, SUPPER, think

from coalm_it.assets import asset
from coalm_it.checks import run_checks
from coalm_it.checks.evidence import read_leaves
from coalm_it.draw import stable_hash
from coalm_it.readers import read_dialogues
from coalm_it.samples.targets import make_samples, shorten_observations
from coalm_it.schema import Dialogue, Sample
from coalm_it.thoughts.grounded import write_thoughts

CHECKS_OF_THOUGHTS = ("thoughts", "agreement", "thought_facts", "leak", "outcome")


def read_samples() -> list[Sample]:
    """The samples of the bundled dialogues, with thoughts."""
    folder = asset("sources", "samples")
    records = [
        record
        for source, split in (("sgd", "train"), ("sgd", "validation"), ("multiwoz", "train"))
        for record in read_dialogues(source, Path(folder), split)
    ]
    dialogues = [write_thoughts(shorten_observations(one, 2), 12) for one in records if isinstance(one, Dialogue)]
    return [sample for one in dialogues for sample in make_samples(one, "broken", PART, one.tools)]


SAMPLES = read_samples()


def put(sample: Sample, thought: str) -> Sample:
    """The sample with another thought."""
    current = sample.current
    if sample.step is None:
        turn = current.model_copy(update={"thought": thought})
    else:
        steps = list(current.steps)
        steps[sample.step] = steps[sample.step].model_copy(update={"thought": thought})
        turn = current.model_copy(update={"steps": tuple(steps)})
    return sample.model_copy(update={"turns": (*sample.history, turn)})


def pick(sample: Sample, among: list[str] | tuple[str, ...]) -> str:
    return among[stable_hash("mutation", sample.id) % len(among)]


def is_action(sample: Sample) -> bool:
    return sample.step is not None


def thought_of(sample: Sample) -> str:
    assert sample.thought
    return sample.thought


# --- mutations: each returns another thought, or None if it does not apply ---

Way = Callable[[Sample], str | None]


def add(*sentences: str) -> Way:
    """One of the sentences after the thought."""
    return lambda sample: f"{thought_of(sample)} {pick(sample, sentences)}"


def say(*thoughts: str) -> Way:
    """One of the thoughts instead."""
    return lambda sample: pick(sample, thoughts)


def before_call(way: Way) -> Way:
    return lambda sample: way(sample) if is_action(sample) else None


def before_reply(way: Way) -> Way:
    return lambda sample: None if is_action(sample) else way(sample)


def leak_observation(sample: Sample) -> str | None:
    """A name from the results that follow."""
    if not is_action(sample):
        return None
    known = repr([sample.tools, sample.history, sample.current.user, sample.calls]).lower()
    names = [
        leaf
        for leaf in read_leaves(list(sample.current.steps[sample.step or 0].observations))
        if leaf[:1].isupper() and " " in leaf and leaf.lower() not in known
    ]
    return (
        f"{thought_of(sample)} {pick(sample, ('I expect {}.', 'That should give {}.'))}".format(names[0])
        if names
        else None
    )


def leak_reply(sample: Sample) -> str | None:
    """A number that only the reply gives: the test gives the reply one."""
    return None if is_action(sample) else f"{thought_of(sample)} I'll pass on 212-555-0{sample.turn + 105}."


NAMES = ("Maple Court", "Nadine's Kitchen", "Orchid Palace", "Willow Creek", "Brennan & Frost")


def invent_name(sample: Sample) -> str | None:
    """Another name instead of one in the thought; else an additional one."""
    found = re.search(r"(?<=[a-z,] )[A-Z][a-z]+ [A-Z][a-z']+", thought_of(sample))
    name = pick(sample, NAMES)
    return thought_of(sample).replace(found[0], name) if found else f"{thought_of(sample)} I'd think of {name} here."


def invent_date(sample: Sample) -> str | None:
    """Another day instead of one in the thought; else a sentence with a day that nobody gave."""
    dates = ("March 21st", "2019-03-23", "April 2nd", "the 27th of March")
    found = re.search(r"March \d+(?:st|nd|rd|th)|\d{4}-\d\d-\d\d", thought_of(sample))
    date = pick(sample, dates)
    return thought_of(sample).replace(found[0], date) if found else f"{thought_of(sample)} This is for {date}."


def invent_time(sample: Sample) -> str | None:
    found = re.search(r"\d\d:\d\d", thought_of(sample))
    time = pick(sample, ("03:40", "23:10", "5:05 am", "21:35"))
    return thought_of(sample).replace(found[0], time) if found else f"{thought_of(sample)} They said {time}."


def invent_number(sample: Sample) -> str | None:
    more = pick(sample, ("They want 7 seats.", "It costs $83.", "There are 9 guests to think of."))
    return f"{thought_of(sample)} {more}"


def invent_count(sample: Sample) -> str | None:
    """A number in words before what it counts."""
    more = pick(sample, ("They want eleven seats.", "It is for nine people.", "A stay of eight nights."))
    return f"{thought_of(sample)} {more}"


def name_other_tool(sample: Sample) -> str | None:
    """The name of another shown tool instead of the called one."""
    others = [tool.name for tool in sample.tools if sample.calls and tool.name != sample.calls[0].name]
    for name in {sample.calls[0].name, sample.calls[0].name.capitalize()} if others else ():
        if name in thought_of(sample):
            return thought_of(sample).replace(name, pick(sample, others))
    return None


def take_from(moment: str) -> Way:
    """The thought of another moment of the dialogue: one before a call, or one that asks."""

    def way(sample: Sample) -> str | None:
        if is_action(sample) == (moment == "call"):
            return None
        if moment == "call":
            thoughts = [str(step.thought) for turn in sample.history for step in turn.steps]
        else:
            asking = [turn for turn in sample.history if {a.name for a in turn.labels.system_acts} == {"REQUEST"}]
            thoughts = [str(turn.thought) for turn in asking]
        # a thought for the same situation would be a repetition, which another check finds
        return thoughts[-1].rstrip(".") + ", as things stand." if thoughts else None

    return way


def copy_nearly(sample: Sample) -> str | None:
    words = sample.current.user.split()
    if len(words) < 8:
        return None
    words[len(words) // 2] = "please"
    return " ".join(words)


def copy_other(sample: Sample) -> str | None:
    thoughts = [turn.thought for turn in sample.history if turn.thought]
    return thoughts[-1] if thoughts else None


def run_on(sample: Sample) -> str | None:
    thoughts = [str(turn.thought) for turn in sample.history]
    return " ".join([*thoughts, thought_of(sample)]) if len(thoughts) > 3 else None


def list_points(sample: Sample) -> str | None:
    first, *rest = thought_of(sample).split(". ")
    return f"- {first}.\n- {'. '.join(rest)}" if rest else None


def find_offered(sample: Sample) -> str | None:
    """A name from the previous turn, and its location."""
    acts = [act for turn in sample.history[-1:] for act in turn.labels.system_acts if act.name == "OFFER"]
    names = [act.canonical[0] for act in acts if act.canonical and act.canonical[0].istitle()]
    return f"{names[0]} in {names[-1]}." if names else None


FOREIGN = (
    "El usuario quiere encontrar un lugar para comer y todavía me falta la ciudad, así que voy a preguntar.",
    "Der Nutzer möchte einen Tisch reservieren, aber die Uhrzeit fehlt noch, also frage ich danach.",
    "L'utilisateur veut réserver une table pour ce soir et il me manque encore l'heure, je vais la demander.",
    "L'utente vuole prenotare un tavolo per la sera, ma non ha detto a che ora; devo chiedere.",
    "O usuário quer um lugar para comer e ainda não disse em que cidade, então vou perguntar.",
    "De gebruiker wil een tafel voor vanavond, maar het tijdstip is nog niet bekend, dus ik vraag ernaar.",
    "用户想找一家餐厅,但是还没有说在哪个城市,所以我先问一下。",
    "Пользователь ищет место, где поесть, но ещё не назвал город; надо спросить.",
)


class Kind(NamedTuple):
    way: Way
    checks: set[str]
    """The checks that may find it; one is enough."""
    floor: float


KINDS = {
    "a name out of the observation": Kind(leak_observation, {"leak", "thought_facts"}, 1.0),
    "a number that only the reply says": Kind(leak_reply, {"thought_facts"}, 1.0),
    "an invented name": Kind(invent_name, {"thought_facts"}, 1.0),
    "an invented date": Kind(invent_date, {"thought_facts"}, 1.0),
    "an invented time": Kind(invent_time, {"thought_facts"}, 1.0),
    "an invented number": Kind(invent_number, {"thought_facts"}, 0.9),
    "an invented number in words": Kind(invent_count, {"thought_facts"}, 0.9),
    "another tool named": Kind(name_other_tool, {"agreement"}, 0.6),
    "a call announced where the reply follows": Kind(
        before_reply(
            add(
                "I'll search again with that.",
                "Let me book it now.",
                "Time to look that up.",
                "I'm going to make the reservation right away.",
                "So I'll check the availability.",
                "Now I will find another one for them.",
            )
        ),
        {"agreement"},
        1.0,
    ),
    "a call by its name where the reply follows": Kind(
        before_reply(
            lambda s: f"{pick(s, ('I need to call {}.', 'I will use {}.', 'Let me call {} next.'))}".format(
                s.tools[0].name
            )
        ),
        {"agreement"},
        1.0,
    ),
    "the thought before a call where the reply follows": Kind(take_from("call"), {"agreement"}, 0.5),
    "a question where a call follows": Kind(
        before_call(
            say(
                "One thing is still missing, so I'll ask them for it.",
                "I need to ask the user which of these they mean before I go on.",
                "They haven't said enough; let me ask what they would like.",
                "I should check with them first.",
                "I'll read it back to them and wait for a yes.",
            )
        ),
        {"agreement"},
        1.0,
    ),
    "the thought before a question where a call follows": Kind(take_from("reply"), {"agreement"}, 0.2),
    "an answer where a call follows": Kind(
        before_call(say("A short goodbye will do.", "Nothing left open, so I'll thank them and say goodbye.")),
        {"agreement"},
        1.0,
    ),
    "the user's words": Kind(lambda s: s.current.user, {"thoughts"}, 1.0),
    "the user's words, nearly": Kind(copy_nearly, {"thoughts"}, 0.9),
    "the reply": Kind(lambda s: s.current.reply, {"thoughts"}, 1.0),
    "the thought before": Kind(copy_other, {"thoughts"}, 1.0),
    "another language": Kind(say(*FOREIGN), {"thoughts"}, 1.0),
    "far too long": Kind(run_on, {"thoughts"}, 0.9),
    "nothing said": Kind(
        say(
            "Okay.",
            "Let me think about this.",
            "I need to respond to the user.",
            "I will now proceed with the next step.",
            "The user has a request, so I should help the user with this request.",
            "...",
        ),
        {"thoughts"},
        0.8,
    ),
    "a bare value": Kind(
        lambda s: pick(
            s,
            (
                "6",
                "2019-03-01",
                s.tools[0].name,
                "PORT HAVEN",
                *(str(v) for call in s.calls for v in call.arguments.values()),
            ),
        ),
        {"thoughts", "thought_facts"},
        1.0,
    ),
    "a name that was offered": Kind(before_reply(find_offered), {"thoughts"}, 1.0),
    "a courtesy": Kind(
        say(
            "Thank you",
            "I'm sorry",
            "Sorry.",
            "You are welcome",
            "No, thank you for your help",
            "Goodbye! Have a nice day!",
        ),
        {"thoughts"},
        1.0,
    ),
    "talk to the user": Kind(
        add(
            "You can find a table there.",
            "Is there anything else I can do for you?",
            "You've made your reservation.",
            "Thanks, I'm glad to have you here.",
            "Your request is plain, and I will see to it.",
        ),
        {"thoughts"},
        1.0,
    ),
    "talk about the thought": Kind(
        say("The thought is different from the original.", "This thought leads to what the agent does."),
        {"thoughts"},
        1.0,
    ),
    "talk about the model": Kind(add("As an AI language model I can't taste it."), {"thoughts"}, 1.0),
    "talk about the annotation": Kind(
        add(
            "The annotation says so.",
            "As per the transcript, that is right.",
            "The dialogue act is a request.",
            "That fills the required slots.",
            "The prompt asks for this.",
            "The user has provided the following details.",
            "This goes in as JSON.",
        ),
        {"thoughts"},
        1.0,
    ),
    "knowledge of what is written next": Kind(
        add(
            "The next turn will confirm it.",
            "The agent then calls the function.",
            "As the reply shows, it works.",
            "That explains the reply that follows.",
        ),
        {"thoughts"},
        1.0,
    ),
    "names in code": Kind(
        add("The pickup_location is known.", "So restaurant_name and party_size are set."), {"thoughts"}, 1.0
    ),
    "bold": Kind(lambda s: f"**{thought_of(s).split()[0]}** {thought_of(s)}", {"thoughts"}, 1.0),
    "code marks": Kind(lambda s: f"{thought_of(s)} `{s.tools[0].name}` it is.", {"thoughts"}, 1.0),
    "points": Kind(list_points, {"thoughts"}, 1.0),
    "numbered points": Kind(lambda s: f"1. {thought_of(s)} 2. Then I go on with it.", {"thoughts"}, 1.0),
    "a label": Kind(
        lambda s: f"{pick(s, ('Thought:', 'Reasoning:', 'Agent thought:', 'Step 1:'))} {thought_of(s)}",
        {"thoughts"},
        1.0,
    ),
    "tags": Kind(lambda s: f"<think>{thought_of(s)}</think>", {"thoughts"}, 1.0),
    "quotation marks": Kind(lambda s: f"“{thought_of(s)}”", {"thoughts"}, 1.0),
    "an object": Kind(lambda s: '{"thought": "' + thought_of(s) + '"}', {"thoughts"}, 1.0),
}


def break_samples(kind: Kind) -> Iterator[Sample]:
    for sample in SAMPLES:
        thought = kind.way(sample)
        if thought is not None and thought != sample.thought:
            broken = put(sample, thought)
            if kind.way is leak_reply:
                reply = f"{sample.current.reply} Call 212-555-0{sample.turn + 105}."
                turn = broken.current.model_copy(update={"reply": reply})
                broken = broken.model_copy(update={"turns": (*broken.history, turn)})
            yield broken


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_the_packages_own_thoughts_pass(sample: Sample) -> None:
    assert run_checks(sample, CHECKS_OF_THOUGHTS) == []


@pytest.mark.parametrize("name", KINDS)
def test_broken_thoughts_are_found(name: str) -> None:
    kind = KINDS[name]
    missed = []
    count = 0
    for sample in break_samples(kind):
        count += 1
        findings = run_checks(sample, CHECKS_OF_THOUGHTS)
        assert all(one.message and "\n" not in one.message and len(one.message) < 600 for one in findings)
        if kind.checks.isdisjoint(one.check for one in findings):
            missed.append((sample.id, sample.thought))
    assert count >= 10
    assert count - len(missed) >= kind.floor * count, missed


def test_a_message_names_the_words_and_says_what_would_be_right() -> None:
    def messages(turn: int, where: str, thought: str) -> list[str]:
        return [one.message for one in run_checks(think(SUPPER, turn, where, thought), CHECKS_OF_THOUGHTS)]

    assert messages(1, "call", "The user has provided a city, so I'll search.") == [
        "the thought says 'user has provided', which an agent in the middle of a conversation would not; leave it out"
    ]
    assert messages(1, "call", "I'll ask them for the city.") == [
        'the thought announces a reply ("i\'ll ask them"), but a call of FindRestaurants follows; '
        "say why the call can be made"
    ]
    assert messages(3, "reply", "They like it. Let me book it now.") == [
        "the thought announces a call ('let me book'), but the reply follows without one; say what the reply is to do"
    ]
    assert messages(4, "reply", "A table for six at Casa Verde; the time is missing, so I'll ask.") == [
        "the thought has 'Casa Verde', which nobody said and nothing that came back so far shows; "
        "leave it out, or give the value that was said or returned"
    ]


def test_a_leak_is_told_from_an_invention() -> None:
    sample = think(SUPPER, 1, "call", "I'll search, and put Rosa's Cantina forward.")
    found = [one.message for one in run_checks(sample, ["thought_facts"])]
    assert found == [
        'the thought has "Rosa\'s Cantina", which only comes afterwards; leave it out, it cannot be known yet'
    ]


def test_other_tasks_and_published_rows_are_not_checked() -> None:
    sample = think(SUPPER, 4, "reply", "A table at Casa Verde.")
    assert Counter(one.check for one in run_checks(sample, CHECKS_OF_THOUGHTS)) == {"thought_facts": 1}
    assert run_checks(sample.model_copy(update={"columns": ("", "", "")}), ["thought_facts"]) == []
    for name in ("thoughts", "agreement", "thought_facts"):
        assert run_checks(sample.model_copy(update={"task": "function_call"}), [name]) == []
        assert run_checks(put(sample, ""), [name]) == []
