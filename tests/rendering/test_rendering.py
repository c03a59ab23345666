from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from decoded import decode_messages

from coalm_it.calls import parse_calls
from coalm_it.pipeline.build import build
from coalm_it.recipe import Part, Recipe
from coalm_it.rendering import Renderer, Row
from coalm_it.samples.targets import make_samples, shorten_observations, show_tools
from coalm_it.schema import SCHEMA_VERSION, Call, Dialogue, Inventory, Sample, Step, Tool, Turn

Dialogues = dict[str, Dialogue]


def samples_of(dialogue: Dialogue, inventory: Inventory) -> dict[str, Sample]:
    """TURN/TASK -> sample of both ReAct tasks, as a build makes them."""
    part = Part(source=("sgd",), task=("react_action", "react_response"))
    tools = show_tools(dialogue, inventory, 6, seed=12)
    samples = make_samples(shorten_observations(dialogue, 2), "sgd", part, tools)
    return {sample.id.split("/", 3)[3]: sample for sample in samples}


def rows_of(dialogue: Dialogue, inventory: Inventory) -> dict[str, Row]:
    renderer = Renderer(inventory)
    return {name: renderer.render_row(sample) for name, sample in samples_of(dialogue, inventory).items()}


def decoded(row: Row) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return decode_messages(row._asdict())


# --- the three columns, whole ---

TODAY = (
    "{'matches': 1, 'results': [{'city': 'Seattle', 'date': '2019-03-01', 'high': '48', 'low': '39', "
    "'outlook': 'rainy', 'rain_chance': '85', 'wind': '11'}]}"
)
TOMORROW = (
    "{'matches': 1, 'results': [{'city': 'Seattle', 'date': '2019-03-02', 'high': '51', 'low': '40', "
    "'outlook': 'cloudy', 'rain_chance': '30', 'wind': '7'}]}"
)
REPLY = "I'm afraid so. Today is rainy in Seattle, with an 85 percent chance of rain and a high of 48 degrees."
HISTORY = f"""\
[BEGIN OF CONVERSATION HISTORY]
User: Do I need an umbrella in Seattle?
Thought: act 0.0
Action: GetForecast(city='Seattle')
Observation: {TODAY}
Thought: say 0
System: {REPLY}
[END OF CONVERSATION HISTORY]"""
ACTION = """\
[BEGIN OF TASK INSTRUCTION]
You help a user over several turns and can call the functions below. Today is Friday, 2019-03-01. For each user turn:
1. Work out from the conversation what the user wants now and what is already known.
2. Call the function that serves it, with the values that the conversation gives.
3. Afterwards answer in plain language and move the conversation on.
[END OF TASK INSTRUCTION]

[BEGIN OF AVAILABLE TOOLS]
1. CallCab(destination, passengers)
2. FindCoach(from_city, to_city, travel_date)
3. BuyCoachTicket(from_city, to_city, travel_date, departure_time, passengers)
4. BookTable(restaurant_name, city, time)
5. FindRestaurant(cuisine, city)
6. GetForecast(city)
7. FindEvents(city)
8. ReserveEntry(event_name, city, visit_date)
9. BuyTickets(event_name, city, date, tickets)
10. FindEvents(city, kind)
11. FindSong()
12. PlaySong(title)
13. BookRoom(stay_name, city, arrival_date, nights)
14. SearchStay(city)
[END OF AVAILABLE TOOLS]

[BEGIN OF FORMAT INSTRUCTION]
Answer with one line for each call:
Action: function_name(argument1='value1', argument2='value2')
[END OF FORMAT INSTRUCTION]"""
RESPONSE = """\
[BEGIN OF TASK INSTRUCTION]
You help a user over several turns. Today is Friday, 2019-03-01. \
The current turn is shown with your thoughts and with what the functions that you called gave back. Now answer the user:
1. Say what the observation and the conversation so far support, and nothing beyond it.
2. Ask for what is still missing, have the user confirm what commits them, or offer the next step.
[END OF TASK INSTRUCTION]

[BEGIN OF FORMAT INSTRUCTION]
Answer with one line of plain language:
System: what you tell the user
[END OF FORMAT INSTRUCTION]"""


def test_an_action_row_to_the_blank_line(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    row = rows_of(sgd_dialogues["1_00007"], sgd_inventory)["1/react_action"]
    assert row.instruction == f"{ACTION}\n\n{HISTORY}"
    assert row.input == "User: And tomorrow?\nThought: act 1.0"
    assert row.output == "Action: GetForecast(city='Seattle', date='2019-03-02')"


def test_a_response_row_to_the_blank_line(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    row = rows_of(sgd_dialogues["1_00007"], sgd_inventory)["1/react_response"]
    assert row.instruction == f"{RESPONSE}\n\n{HISTORY}"
    assert row.input == (
        "User: And tomorrow?\n"
        "Thought: act 1.0\n"
        "Action: GetForecast(city='Seattle', date='2019-03-02')\n"
        f"Observation: {TOMORROW}\n"
        "Thought: say 1"
    )
    assert row.output == (
        "System: Tomorrow looks cloudy. The chance of rain drops to 30 percent, and it gets up to 51 degrees."
    )


def test_a_first_turn_has_no_history_block(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    rows = rows_of(sgd_dialogues["1_00007"], sgd_inventory)
    assert rows["0/react_action"].instruction == ACTION
    assert rows["0/react_response"].instruction == RESPONSE


def test_a_turn_without_a_call_is_user_thought_system(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    rows = rows_of(sgd_dialogues["1_00009"], sgd_inventory)
    assert rows["0/react_response"].input == "User: I need a cab to 1426 1st Avenue.\nThought: say 0"
    assert "0/react_action" not in rows
    assert rows["1/react_response"].instruction == (
        RESPONSE + "\n\n[BEGIN OF CONVERSATION HISTORY]\n"
        "User: I need a cab to 1426 1st Avenue.\n"
        "Thought: say 0\n"
        "System: How many people are riding, and would you mind sharing with other passengers?\n"
        "[END OF CONVERSATION HISTORY]"
    )


def test_arguments_have_the_types_of_the_tool(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    row = rows_of(sgd_dialogues["1_00009"], sgd_inventory)["3/react_action"]
    assert row.output == "Action: CallCab(destination='1426 1st Avenue', passengers=3, shared=False)"


def test_two_calls_at_once_are_two_action_lines_and_two_observation_lines(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    rows = rows_of(sgd_dialogues["2_00003"], sgd_inventory)
    assert rows["0/react_action"].output == (
        "Action: GetForecast(city='Seattle', date='2019-03-01')\n"
        "Action: FindRestaurant(city='Seattle', cuisine='Italian')"
    )
    labels = [line.split(":")[0] for line in rows["0/react_response"].input.split("\n")]
    assert labels == ["User", "Thought", "Action", "Action", "Observation", "Observation", "Thought"]
    history = rows["1/react_response"].instruction.split("[BEGIN OF CONVERSATION HISTORY]\n")[1]
    assert [line.split(":")[0] for line in history.split("\n")[:-1]] == [*labels, "System"]


def test_functions_with_one_signature_are_listed_once(sgd_dialogues: Dialogues) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = tuple(Tool(name="Find", service=service, parameters=parameters) for service in ("A_1", "A_2"))
    other = Tool(name="Find", service="A_3", parameters={**parameters, "required": []})
    dialogue = sgd_dialogues["1_00007"].model_copy(update={"tools": (*tools, other)})
    row = rows_of(dialogue, Inventory(tools=(*tools, other)))["0/react_action"]
    assert "[BEGIN OF AVAILABLE TOOLS]\n1. Find(city)\n2. Find()\n[END OF AVAILABLE TOOLS]" in row.instruction


def test_without_a_clock_no_day_is_named(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    timeless = sgd_dialogues["1_00007"].model_copy(update={"clock": None})
    row = rows_of(timeless, sgd_inventory)["0/react_action"]
    assert "can call the functions below. For each user turn:" in row.instruction
    assert "Today is" not in decoded(row)[0][0]["content"]


def test_a_state_tracking_row_to_the_blank_line() -> None:
    slots = {"BookRestaurant": ("restaurant_type", "country"), "PlayMusic": ("artist",)}
    turn = Turn(
        user="Book a café in Portugal, no, Spain",
        state={"BookRestaurant": {"restaurant_type": ("café",), "country": ("Portugal", "Spain")}},
    )
    dialogue = Dialogue(id="br_1", source="snips", split="train", licence="CC0-1.0", turns=(turn,))
    (sample,) = make_samples(dialogue, "snips", Part(source=("snips",), task=("state_tracking",)), ())
    row = Renderer(Inventory(slots=slots)).render_row(sample)
    assert row.instruction == (
        "You find out what a user's request is about. It belongs to one of 2 domains, each with slots of its own:\n"
        "BookRestaurant: restaurant_type, country\n"
        "PlayMusic: artist\n"
        "Take each value from the request in its own words, and fill no slot that the list does not give "
        "for the domain.\n"
        "\n"
        "# Task\n"
        "Read the user's request and write one line of JSON with the domain and the values of the slots "
        "that it names.\n"
        "\n"
        "# Sample Output\n"
        'System: {"domain": "RateBook", "slot_values": {"object_name": "The Long Way Home", "rating_value": "4"}}'
    )
    assert row.input == "User: Book a café in Portugal, no, Spain"
    state = '{"domain": "BookRestaurant", "slot_values": {"restaurant_type": "café", "country": "Spain"}}'
    assert row.output == f"System: {state}"
    assert row.tools is None
    assert decoded(row) == (
        [
            {"role": "system", "content": row.instruction},
            {"role": "user", "content": "Book a café in Portugal, no, Spain"},
            {"role": "assistant", "content": state},
        ],
        [],
    )


# --- messages and tools ---


def test_the_messages_of_an_action_end_with_its_call(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    rows = rows_of(sgd_dialogues["1_00007"], sgd_inventory)
    messages, _ = decoded(rows["1/react_action"])
    system, *rest = messages
    assert system["role"] == "system"
    assert "Today is Friday, 2019-03-01." in system["content"]
    today = {
        "city": "Seattle", "date": "2019-03-01", "high": "48", "low": "39",
        "outlook": "rainy", "rain_chance": "85", "wind": "11",
    }  # fmt: skip
    assert rest == [
        {"role": "user", "content": "Do I need an umbrella in Seattle?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "act 0.0",
            "tool_calls": [
                {
                    "id": "call_0_0",
                    "type": "function",
                    "function": {"name": "GetForecast", "arguments": {"city": "Seattle"}},
                }
            ],
        },
        {
            "role": "tool",
            "content": json.dumps({"matches": 1, "results": [today]}),
            "tool_call_id": "call_0_0",
            "name": "GetForecast",
        },
        {
            "role": "assistant",
            "reasoning_content": "say 0",
            "content": REPLY,
        },
        {"role": "user", "content": "And tomorrow?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "act 1.0",
            "tool_calls": [
                {
                    "id": "call_1_0",
                    "type": "function",
                    "function": {"name": "GetForecast", "arguments": {"city": "Seattle", "date": "2019-03-02"}},
                }
            ],
        },
    ]


def test_the_messages_of_a_response_end_with_the_reply(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    rows = rows_of(sgd_dialogues["1_00007"], sgd_inventory)
    action, response = (decoded(rows[name])[0] for name in ("1/react_action", "1/react_response"))
    assert response[: len(action)] == action
    assert [message["role"] for message in response[len(action) :]] == ["tool", "assistant"]
    assert response[-1]["content"] == rows["1/react_response"].output.removeprefix("System: ")
    assert response[-1]["reasoning_content"] == "say 1"


def test_keys_without_a_value_are_absent_and_a_call_has_an_empty_content(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    keys = {
        "system": {"role", "content"},
        "user": {"role", "content"},
        "tool": {"role", "content", "tool_call_id", "name"},
        "assistant": {"role", "content", "reasoning_content"},
    }
    for row in rows_of(sgd_dialogues["2_00004"], sgd_inventory).values():
        for message in decoded(row)[0]:
            assert set(message) - {"tool_calls"} == keys[message["role"]]
            assert (message["content"] == "") == ("tool_calls" in message)


def test_parallel_calls_are_one_message_and_each_has_its_result(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    messages, _ = decoded(rows_of(sgd_dialogues["2_00003"], sgd_inventory)["0/react_response"])
    calls = messages[2]["tool_calls"]
    assert [call["id"] for call in calls] == ["call_0_0", "call_0_1"]
    results = messages[3:5]
    assert [(result["role"], result["tool_call_id"], result["name"]) for result in results] == [
        ("tool", call["id"], call["function"]["name"]) for call in calls
    ]
    assert json.loads(results[1]["content"])["matches"] == 3


def test_a_name_that_two_services_share_is_qualified_in_messages_and_plain_in_the_columns(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    row = rows_of(sgd_dialogues["2_00002"], sgd_inventory)["3/react_response"]
    messages, tools = decoded(row)
    called = [call["function"]["name"] for message in messages for call in message.get("tool_calls", ())]
    assert called == ["Museums_1_FindEvents", "Museums_1_FindEvents", "Shows_1_FindEvents"]
    assert [message["name"] for message in messages if message["role"] == "tool"] == called
    names = [tool["function"]["name"] for tool in tools]
    assert len(set(names)) == len(names)
    assert {"Museums_1_FindEvents", "Shows_1_FindEvents", "BuyTickets", "ReserveEntry"} <= set(names)
    assert "FindEvents" not in names
    assert "_1_FindEvents" not in row.instruction + row.input + row.output
    assert "Action: FindEvents(city='Chicago', kind='Theatre')" in row.input


def test_tools_are_json_schema_with_types_enums_and_defaults(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    _, tools = decoded(rows_of(sgd_dialogues["1_00009"], sgd_inventory)["0/react_response"])
    assert len(tools) == 7
    assert all(tool["type"] == "function" for tool in tools)
    (cab,) = [tool["function"] for tool in tools if tool["function"]["name"] == "CallCab"]
    assert list(cab) == ["name", "description", "parameters"]
    assert cab["description"]
    parameters = cab["parameters"]
    assert (parameters["type"], parameters["required"]) == ("object", ["destination", "passengers"])
    properties = parameters["properties"]
    assert list(properties) == ["destination", "passengers", "shared"]
    assert properties["destination"]["type"] == "string"
    assert (properties["passengers"]["type"], properties["passengers"]["enum"][0]) == ("integer", 1)
    assert (properties["shared"]["type"], properties["shared"]["default"]) == ("boolean", False)


def test_all_rows_of_a_dialogue_show_the_same_tools(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    assert len({tuple(row.tools or ()) for row in rows_of(sgd_dialogues["2_00008"], sgd_inventory).values()}) == 1


def test_a_long_observation_says_how_many_there_were_in_both_forms(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    rows = rows_of(sgd_dialogues["1_00008"], sgd_inventory)
    line = rows["0/react_response"].input.split("\n")[3]
    assert line.startswith("Observation: {'matches': 10, 'results': [{'album': 'Ballast', ")
    assert line.count("'title':") == 3
    assert line in rows["1/react_response"].instruction
    messages, _ = decoded(rows["1/react_action"])
    result = json.loads(messages[3]["content"])
    assert (result["matches"], len(result["results"])) == (10, 3)


# --- both forms say the same ---


def test_every_bundled_action_is_read_back_as_its_target(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    actions = 0
    for dialogue in sgd_dialogues.values():
        samples = samples_of(dialogue, sgd_inventory)
        for name, row in rows_of(dialogue, sgd_inventory).items():
            if not name.endswith("react_action"):
                continue
            actions += 1
            lines = [line.removeprefix("Action: ") for line in row.output.split("\n")]
            read = parse_calls("\n".join(lines), "python")
            said = [(call.name, call.arguments) for call in samples[name].calls]
            assert [(call.name, call.arguments) for call in read] == said
            messages, tools = decoded(row)
            functions = [call["function"] for call in messages[-1]["tool_calls"]]
            assert [function["arguments"] for function in functions] == [arguments for _, arguments in said]
            assert {function["name"] for function in functions} <= {tool["function"]["name"] for tool in tools}
    assert actions > 50


def test_rows_do_not_depend_on_what_was_rendered_before(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    samples = [
        sample
        for dialogue in list(sgd_dialogues.values())[:4]
        for sample in samples_of(dialogue, sgd_inventory).values()
    ]
    renderer = Renderer(sgd_inventory)
    in_turn = [renderer.render_row(sample) for sample in samples]
    alone = [Renderer(sgd_inventory).render_row(sample) for sample in samples]
    backwards = [renderer.render_row(sample) for sample in reversed(samples)]
    assert in_turn == alone == backwards[::-1]


@pytest.mark.parametrize("text", ["{{ 7 * 7 }}", "{% raw %}", "50 % off", "<b>&amp;</b>", "a\\nb", "{#"])
def test_text_is_data(sgd_dialogues: Dialogues, sgd_inventory: Inventory, text: str) -> None:
    call = Call(id="call_0_0", name="GetForecast", arguments={"city": text}, service="Forecast_1")
    step = Step(thought=text, calls=(call,), observations=({"matches": 0, "results": []},))
    turn = Turn(user=text, steps=(step,), thought=text, reply=text)
    dialogue = sgd_dialogues["1_00007"].model_copy(update={"turns": (turn, turn)})
    row = rows_of(dialogue, sgd_inventory)["1/react_action"]
    assert row.input == f"User: {text}\nThought: {text}"
    assert f"System: {text}\n[END OF CONVERSATION HISTORY]" in row.instruction
    assert parse_calls(row.output.removeprefix("Action: "), "python")[0].arguments == {"city": text}
    messages, _ = decoded(row)
    assert messages[-1]["tool_calls"][0]["function"]["arguments"] == {"city": text}


# --- provenance ---


def test_provenance_names_file_record_and_what_the_row_was_made_with(
    sgd_dialogues: Dialogues, sgd_inventory: Inventory
) -> None:
    row = rows_of(sgd_dialogues["2_00002"], sgd_inventory)["0/react_action"]
    provenance = json.loads(row.provenance)
    assert (provenance["file"], provenance["record"]) == ("train/dialogues_002.json", 2)
    assert provenance["schema"] == SCHEMA_VERSION
    assert provenance["inventory"] == sgd_inventory.fingerprint
    other = Inventory(tools=sgd_inventory.tools[1:])
    elsewhere = json.loads(rows_of(sgd_dialogues["2_00002"], other)["0/react_action"].provenance)
    assert elsewhere["inventory"] != provenance["inventory"]
    assert elsewhere["templates"] == provenance["templates"]


def test_objects_serve_as_the_texts_of_a_row(sgd_dialogues: Dialogues, sgd_inventory: Inventory) -> None:
    """`load_dataset` hands out objects, a Parquet file texts."""
    row = rows_of(sgd_dialogues["1_00007"], sgd_inventory)["0/react_action"]._asdict()
    loaded = {**row, **{name: [json.loads(text) for text in row[name]] for name in ("prompt", "completion", "tools")}}
    assert decode_messages(loaded) == decode_messages(row)


# --- thoughts of earlier turns ---


@pytest.mark.parametrize("layout", ["toolace", "varied"])
def test_a_recipe_may_leave_out_the_thoughts_of_earlier_turns(tmp_path: Path, layout: str) -> None:
    part = {"source": "sgd", "task": ["react_action", "react_response"], "layout": layout}
    recipe = Recipe.model_validate({"name": "r", "history_thoughts": False, "parts": {"sgd": part}})
    out = build(recipe, out=tmp_path / "out").out
    rows, columns, dialogues = (read_config(out, config) for config in ("samples", "coalm_it", "dialogues"))
    whole = {row["id"]: [json.loads(text) for text in row["messages"]] for row in dialogues}
    assert all(message.get("reasoning_content") for one in whole.values() for message in one if is_assistants(message))
    for row, column in zip(rows, columns, strict=True):
        messages, _ = decode_messages(row)
        last_user = max(place for place, message in enumerate(messages) if message["role"] == "user")
        assert not [message for message in messages[:last_user] if "reasoning_content" in message]
        assert all("reasoning_content" in message for message in messages[last_user:] if is_assistants(message))
        text = "".join(column.values())
        earlier = whole[f"sgd/train/{row['dialogue_id']}"][:last_user]
        assert not [message for message in earlier if is_assistants(message) and message["reasoning_content"] in text]
        assert row["thought"] in text


def read_config(out: Path, config: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "data" / config).to_pylist()
    return rows


def is_assistants(message: dict[str, Any]) -> bool:
    return bool(message["role"] == "assistant")
