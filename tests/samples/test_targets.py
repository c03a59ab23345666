from __future__ import annotations

from typing import Any

import pytest

from coalm_it.recipe import Filter, Part
from coalm_it.samples.targets import count_context, make_samples, passes_filter, shorten_observations, show_tools
from coalm_it.schema import Act, Call, Dialogue, Inventory, Labels, Place, Sample, Step, Task, Tool, Turn

Dialogues = dict[str, Dialogue]


# --- targets ---


def samples_of(dialogue: Dialogue, *tasks: Task) -> list[Sample]:
    return list(make_samples(dialogue, "mine", Part(source=("sgd",), task=tasks), ()))


def test_a_dialogue_gives_an_action_for_each_turn_with_calls_and_a_response_for_every_turn(
    sgd_dialogues: Dialogues,
) -> None:
    samples = samples_of(sgd_dialogues["1_00007"], "react_action", "react_response")
    assert [sample.id for sample in samples] == [
        "sgd/train/1_00007/0/react_action",
        "sgd/train/1_00007/0/react_response",
        "sgd/train/1_00007/1/react_action",
        "sgd/train/1_00007/1/react_response",
        "sgd/train/1_00007/2/react_response",
        "sgd/train/1_00007/3/react_response",
        "sgd/train/1_00007/4/react_response",
    ]


def test_a_sample_has_its_target_and_the_turns_before_it(sgd_dialogues: Dialogues) -> None:
    dialogue = sgd_dialogues["1_00007"]
    samples = {sample.id: sample for sample in samples_of(dialogue, "react_action", "react_response")}

    action = samples["sgd/train/1_00007/1/react_action"]
    assert action.history == dialogue.turns[:1]
    assert action.current.user == "And tomorrow?"
    assert action.steps == ()
    assert [(call.name, call.arguments) for call in action.calls] == [
        ("GetForecast", {"city": "Seattle", "date": "2019-03-02"})
    ]
    assert action.thought == "act 1.0"

    response = samples["sgd/train/1_00007/1/react_response"]
    assert response.history == dialogue.turns[:1]
    assert response.steps == dialogue.turns[1].steps
    assert response.calls == ()
    assert response.thought == "say 1"


def test_a_sample_keeps_its_provenance(sgd_dialogues: Dialogues) -> None:
    sample = samples_of(sgd_dialogues["2_00002"], "react_action")[0]
    assert (sample.part, sample.source, sample.split, sample.dialogue_id) == ("mine", "sgd", "train", "2_00002")
    assert (sample.licence, str(sample.clock)) == ("CC0-1.0", "2019-03-01")
    assert sample.provenance == {"file": "train/dialogues_002.json", "record": 2}


def test_parallel_calls_are_one_target(sgd_dialogues: Dialogues) -> None:
    sample = samples_of(sgd_dialogues["2_00003"], "react_action")[0]
    assert [call.name for call in sample.calls] == ["GetForecast", "FindRestaurant"]


def test_a_turn_with_several_steps_gives_an_action_for_each() -> None:
    steps = tuple(Step(thought=f"act {n}", calls=(Call(name=f"f{n}"),), observations=(n,)) for n in range(3))
    dialogue = Dialogue(id="d", source="s", split="train", licence="", turns=(Turn(user="u", steps=steps, reply="r"),))
    samples = samples_of(dialogue, "react_action", "react_response")
    assert [sample.id.rpartition("/")[2] for sample in samples] == [
        "react_action", "react_action.1", "react_action.2", "react_response"
    ]  # fmt: skip
    assert [sample.steps for sample in samples] == [steps[:0], steps[:1], steps[:2], steps]
    assert [[call.name for call in sample.calls] for sample in samples] == [["f0"], ["f1"], ["f2"], []]


def test_what_the_corpus_marks_as_context_is_no_target_and_is_counted() -> None:
    step = Step(calls=(Call(name="f"),), observations=(1,))
    turns = (Turn(user="?", steps=(step, step), reply="Wrong."), Turn(user="Sure?", reply="Right."))
    places = (Place(0, 1), Place(0, None))
    dialogue = Dialogue(id="a", source="s", split="train", licence="CC0-1.0", turns=turns, context_only=places)
    samples = samples_of(dialogue, "function_call")
    assert [(sample.turn, sample.step) for sample in samples] == [(0, 0), (1, None)]
    assert samples[1].turns[0].reply == "Wrong."
    assert count_context(dialogue, ["function_call"]) == 2
    assert count_context(dialogue, ["react_response"]) == 1


def test_an_annotated_state_is_a_target_of_state_tracking() -> None:
    turn = Turn(user="play it", state={"PlayMusic": {}})
    dialogue = Dialogue(id="d", source="snips", split="train", licence="", turns=(turn,))
    (sample,) = samples_of(dialogue, "state_tracking")
    assert (sample.id, sample.task) == ("snips/train/d/0/state_tracking", "state_tracking")
    assert samples_of(dialogue, "react_action", "react_response") == []


# --- tools ---


def shown(dialogue: Dialogue, inventory: Inventory, distractors: int = 6, seed: int = 12) -> tuple[Tool, ...]:
    return show_tools(dialogue, inventory, distractors, seed)


def test_every_dialogue_shows_its_own_tools_among_six_others(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    for dialogue in sgd_dialogues.values():
        tools = shown(dialogue, sgd_inventory)
        assert len(tools) == len(dialogue.tools) + 6
        assert all(tool in tools for tool in dialogue.tools)
        others = [tool for tool in tools if tool not in dialogue.tools]
        assert {tool.service for tool in others}.isdisjoint(tool.service for tool in dialogue.tools)
        names = [tool.name for tool in others] + [*{tool.name for tool in dialogue.tools}]
        assert len(set(names)) == len(names), "a distractor's name is no other tool's"


def test_tools_are_drawn_by_seed_and_dialogue(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    one, another = sgd_dialogues["1_00000"], sgd_dialogues["1_00001"]
    assert shown(one, sgd_inventory) == shown(one, sgd_inventory)
    assert shown(one, sgd_inventory) != shown(one, sgd_inventory, seed=13)
    assert set(map(repr, shown(one, sgd_inventory))) != set(map(repr, shown(another, sgd_inventory)))


def test_the_position_does_not_give_the_right_tool_away(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    places = set()
    for dialogue in sgd_dialogues.values():
        tools = shown(dialogue, sgd_inventory)
        places |= {place for place, tool in enumerate(tools) if tool in dialogue.tools}
    assert places >= set(range(8))


def test_a_small_corpus_gives_the_distractors_that_it_has(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    dialogue = sgd_dialogues["1_00007"]
    assert len(shown(dialogue, sgd_inventory, distractors=0)) == len(dialogue.tools) == 1
    everything = shown(dialogue, sgd_inventory, distractors=1000)
    # Museums_1 and Shows_1 both have a FindEvents: only one of them can be shown.
    assert len(everything) == len(sgd_inventory.tools) - 1


def test_without_common_tools_a_dialogue_shows_its_own_in_their_order(
    sgd_dialogues: Dialogues,
) -> None:
    assert shown(sgd_dialogues["2_00000"], Inventory()) == sgd_dialogues["2_00000"].tools
    utterance = Dialogue(id="d", source="snips", split="train", licence="", turns=(Turn(user="u"),))
    assert shown(utterance, Inventory()) == ()


# --- observations ---


def search(*turns: tuple[Act, ...], results: list[dict[str, Any]] | None = None) -> Dialogue:
    """A dialogue that begins with a search of ten results; `turns` are what the system then says, turn by turn."""
    found = [{"name": f"N{n}", "stars": n % 3} for n in range(10)] if results is None else results
    step = Step(calls=(Call(name="Find", service="S"),), observations=({"matches": len(found), "results": found},))
    made = [
        Turn(user="u", steps=(step,) if number == 0 else (), reply="r", labels=Labels(system_acts=acts))
        for number, acts in enumerate(turns)
    ]
    return Dialogue(id="d", source="s", split="train", licence="", turns=tuple(made))


def offer(slot: str, *values: str, name: str = "OFFER", service: str = "S") -> Act:
    return Act(name=name, service=service, slot=slot, values=values, canonical=values)


def kept(dialogue: Dialogue, others: int = 2) -> list[str]:
    observation = shorten_observations(dialogue, others).turns[0].steps[0].observations[0]
    assert observation["matches"] == dialogue.turns[0].steps[0].observations[0]["matches"]
    return [result["name"] for result in observation["results"]]


@pytest.mark.parametrize(
    ("turns", "names"),
    [
        ([()], ["N0", "N1"]),
        ([(offer("name", "N4"),)], ["N0", "N1", "N4"]),
        ([(offer("name", "N0"),)], ["N0", "N1", "N2"]),
        ([(offer("name", "N4"),), (offer("name", "N7"),)], ["N0", "N1", "N4", "N7"]),
        ([(offer("name", "N7", "N3"),)], ["N0", "N1", "N3", "N7"]),
        ([(offer("stars", "2", name="INFORM"),)], ["N0", "N1", "N2"]),
        ([(offer("name", "N5"),), (offer("stars", "2", name="INFORM"),)], ["N0", "N1", "N5"]),
        ([(offer("name", "N5", service="other"),)], ["N0", "N1"]),
        ([(offer("name", "N5", name="CONFIRM"),)], ["N0", "N1"]),
    ],
    ids=[
        "nothing said",
        "one offered",
        "the first offered",
        "two offered in turn",
        "two offered at once",
        "a value informed",
        "what is told of the one offered is no other",
        "another service",
        "only read back",
    ],
)
def test_a_long_observation_keeps_the_used_results_and_two_others(
    turns: list[tuple[Act, ...]], names: list[str]
) -> None:
    assert kept(search(*turns)) == names


def test_the_number_of_other_results_can_be_set() -> None:
    assert kept(search((offer("name", "N4"),)), others=0) == ["N4"]
    assert kept(search((offer("name", "N4"),)), others=20) == [f"N{n}" for n in range(10)]


def test_results_are_used_until_the_next_call_of_the_service() -> None:
    dialogue = search((offer("name", "N4"),), (offer("name", "N8"),))
    first, second = dialogue.turns
    again = dialogue.model_copy(update={"turns": (first, second.model_copy(update={"steps": first.steps}))})
    assert kept(again) == ["N0", "N1", "N4"]


def test_a_short_or_empty_observation_and_one_of_another_form_stay_as_they_are() -> None:
    assert kept(search((), results=[{"name": "A"}, {"name": "B"}])) == ["A", "B"]
    assert kept(search((), results=[])) == []
    dialogue = search(())
    step = dialogue.turns[0].steps[0].model_copy(update={"observations": ("fine, and you?",)})
    odd = dialogue.model_copy(update={"turns": (dialogue.turns[0].model_copy(update={"steps": (step,)}),)})
    assert shorten_observations(odd, 2) == odd


def test_a_bundled_search_shows_three_of_its_ten_songs(sgd_dialogues: Dialogues) -> None:
    dialogue = shorten_observations(sgd_dialogues["1_00008"], 2)
    observation = dialogue.turns[0].steps[0].observations[0]
    assert observation["matches"] == 10
    assert [song["title"] for song in observation["results"]] == [
        "Halfway Lighthouse",  # the one that is offered
        "Tin Roof Serenade",
        "Eleven Minutes to Midnight",
    ]


# --- the filter ---


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(), 26),
        (Filter(services=("Forecast_1",)), 4),
        (Filter(services=("Forecast_1", "Songs_1")), 7),
        (Filter(exclude_services=("Dining_1",)), 16),
        (Filter(services=("Forecast_1",), exclude_services=("Dining_1", "Museums_1")), 2),
        (Filter(max_turns=5), 1),
        (Filter(max_tools=1), 2),
    ],
    ids=str,
)
def test_a_part_takes_the_dialogues_that_pass_its_filter(sgd_dialogues: Dialogues, wanted: Filter, count: int) -> None:
    assert sum(passes_filter(dialogue, wanted) for dialogue in sgd_dialogues.values()) == count
