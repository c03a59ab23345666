from __future__ import annotations

import json
import keyword
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.calls import decode_calls
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.samples.masking import Style, draw_mask, mask_sample, unmask_sample
from coalm_it.schema import Call, Sample, Step, Tool, Turn

CITY = {"type": "str", "description": "Where to look."}
DAYS = {"type": "int, optional", "description": "How far to look ahead.", "default": 20}

XLAM = {"name": "get_weather", "description": "Weather of a city.", "parameters": {"city": CITY, "day_count": DAYS}}
TOOLACE = {
    "name": "Market Trends API",
    "description": "Trends of a market.",
    "parameters": {
        "type": "dict",
        "properties": {
            "trend_type": {"type": "string", "description": "Kind of trend."},
            "country": {"type": "string", "description": "A country's code."},
        },
        "required": ["trend_type"],
    },
    "required": None,
}
OPENAI = {
    "type": "function",
    "function": {
        "name": "send-mail",
        "description": "Sends a mail.",
        "parameters": {
            "type": "object",
            "properties": {
                "to": {"type": "string", "description": "Address of the mail."},
                "name": {"type": "string", "description": "Who gets the mail."},
            },
            "required": ["name", "to"],
        },
    },
}
SEAL_TOOLS = {
    "name": "getBlog",
    "description": "Details of a blog.",
    "parameters": {"blog_id": {"type": "int", "description": "Number of the blog.", "required": True}},
    "required": ["blog_id"],
}
WEATHER = Call(id="call_0_0", name="get_weather", arguments={"city": "Oslo"})


def make_sample(
    specs: list[dict[str, Any]], *calls: Call, user: str = "Will it rain in Oslo?", history: tuple[Turn, ...] = ()
) -> Sample:
    return Sample(
        id="xlam/train/17/0/function_call",
        part="hammer",
        task="function_call",
        layout="hammer",
        source="xlam",
        split="train",
        dialogue_id="17",
        turn=len(history),
        licence="CC-BY-4.0",
        tools=read_tools(specs),
        turns=(*history, Turn(user=user, steps=(Step(calls=calls),))),
        step=0,
        provenance={"file": "xlam.json", "record": 17},
    )


def names_of(sample: Sample) -> list[str]:
    return [name for tool in sample.tools for name in (tool.name, *tool.properties)]


def plain(sample: Sample) -> str:
    """The sample as text, which shows the order of keys and the types of numbers too."""
    return sample.model_dump_json()


# Names


def test_names_change_in_both_tools_and_calls() -> None:
    sample = make_sample([XLAM], WEATHER)
    masked = mask_sample(sample, seed=3)
    (tool,), (call,) = masked.tools, masked.calls
    city, days = tool.properties
    assert tool.spec == {
        "name": tool.name,
        "description": "Weather of a city.",
        "parameters": {city: CITY, days: DAYS},
    }
    assert tool.required == (city,)
    assert (call.id, call.name, call.arguments) == ("call_0_0", tool.name, {city: "Oslo"})
    assert {tool.name, city, days}.isdisjoint(names_of(sample))
    assert masked.provenance == {
        "file": "xlam.json",
        "record": 17,
        "mask": {
            "style": "plain",
            "functions": {tool.name: "get_weather"},
            "parameters": {city: "city", days: "day_count"},
            "defaults": {},
            "order": [0],
            "in_texts": True,
        },
    }
    assert masked.current.user == sample.current.user


@pytest.mark.parametrize("spec", [XLAM, TOOLACE, OPENAI, SEAL_TOOLS], ids=["xlam", "toolace", "openai", "seal_tools"])
def test_every_raw_form_of_a_tool_is_masked_completely(spec: dict[str, Any]) -> None:
    sample = make_sample([spec])
    masked = mask_sample(sample)
    assert read_tools([masked.tools[0].spec]) == masked.tools
    assert not set(names_of(sample)) & set(names_of(masked))
    assert unmask_sample(masked) == sample


def test_a_parameter_may_have_the_name_of_the_function_or_of_a_json_schema_key() -> None:
    inner = {name: {"type": "string", "description": f"Tells {name}."} for name in ("type", "properties", "f")}
    flat = {name: inner[name] for name in ("type", "properties")}
    specs = [
        {"name": "f", "description": "F.", "parameters": {"type": "dict", "properties": inner, "required": ["f"]}},
        {"name": "g", "description": "G.", "parameters": flat},
    ]
    sample = make_sample(specs, Call(name="f", arguments={"f": "f", "type": "type", "properties": "name"}))
    masked = mask_sample(sample)
    assert list(masked.calls[0].arguments.values()) == ["f", "type", "name"]
    assert read_tools([tool.spec for tool in masked.tools]) == masked.tools
    assert not set(names_of(sample)) & set(names_of(masked))
    assert plain(unmask_sample(masked)) == plain(sample)


def test_earlier_calls_are_masked_with_the_target() -> None:
    earlier = Turn(
        user="And in Bergen?", steps=(Step(calls=(WEATHER,), observations=({"city": "Bergen"},)),), reply="No."
    )
    masked = mask_sample(make_sample([XLAM, SEAL_TOOLS], WEATHER, history=(earlier,)))
    step = masked.turns[0].steps[0]
    assert step.calls == masked.calls
    assert step.observations == ({"city": "Bergen"},)


def test_names_in_the_conversation_stay() -> None:
    said = "Is the blog_id of getBlog 7, and where is the day_counter?"
    masked = mask_sample(make_sample([SEAL_TOOLS, XLAM], user=said))
    kept = {"getBlog", "blog_id", "get_weather", "city", "day_count"} & set(names_of(masked))
    assert kept == {"getBlog", "blog_id"}


def test_a_plain_word_in_the_query_is_not_a_name() -> None:
    sample = make_sample([XLAM], WEATHER, user="Which city is the wettest?")
    assert "city" not in names_of(mask_sample(sample))


def test_names_without_a_description_of_their_own_stay() -> None:
    end = {"type": "float", "description": "Latitude."}
    parameters = {"lat1": end, "lat2": end, "unit": {"type": "str"}, "digits": {"description": "How exact."}}
    specs = [{"name": "distance", "description": "", "parameters": parameters}]
    masked = mask_sample(make_sample(specs))
    assert names_of(masked)[:4] == ["distance", "lat1", "lat2", "unit"]
    assert "digits" not in names_of(masked)


def test_names_that_no_tool_defines_stay() -> None:
    unknown = Call(name="get_time", arguments={"zone": "CET"})
    extra = Call(name="get_weather", arguments={"city": "Oslo", "zone": "CET"})
    masked = mask_sample(make_sample([XLAM], unknown, extra))
    assert masked.calls[0] == unknown
    assert masked.calls[1].name == masked.tools[0].name
    assert "zone" in masked.calls[1].arguments


def test_the_cached_signature_of_a_tool_is_not_carried_over() -> None:
    sample = make_sample([XLAM], WEATHER)
    assert "day_count" in sample.tools[0].signature_json
    masked = mask_sample(sample)
    assert "day_count" not in masked.tools[0].signature_json
    assert unmask_sample(masked).tools[0].signature_json == sample.tools[0].signature_json


def test_tools_are_shuffled() -> None:
    specs = [{"name": f"f{number}", "description": str(number), "parameters": {}} for number in range(6)]
    sample = make_sample(specs)
    copies = [sample.model_copy(update={"id": f"{sample.id}~{number}"}) for number in range(20)]
    assert len({tuple(mask_sample(sample, seed=seed).provenance["mask"]["order"]) for seed in range(20)}) > 15
    assert len({tuple(mask_sample(copy).provenance["mask"]["order"]) for copy in copies}) > 15
    masked = mask_sample(sample)
    assert [int(tool.description) for tool in masked.tools] == masked.provenance["mask"]["order"]


def test_names_depend_only_on_seed_and_id() -> None:
    sample = make_sample([XLAM, TOOLACE], WEATHER)
    copy = sample.model_copy(update={"id": sample.id + "~1"})
    assert mask_sample(sample, seed=5) == mask_sample(sample, seed=5)
    masked = [mask_sample(sample, seed=5), mask_sample(sample, seed=6), mask_sample(copy, seed=5)]
    assert len({name for one in masked for name in names_of(one)}) == 3 * len(names_of(sample))


@pytest.mark.parametrize(("style", "letters"), [("plain", r"[A-Za-z_]\w*"), ("hammer", r"[A-Za-z_](?:\.?\w)+")])
def test_names_are_valid_and_of_the_published_lengths(style: Style, letters: str) -> None:
    specs = [
        {
            "name": f"function_{n}",
            "description": f"Function {n}.",
            "parameters": {f"parameter_{k}": {"type": "str", "description": f"Parameter {k}."} for k in range(100)},
        }
        for n in range(500)
    ]
    masked = mask_sample(make_sample(specs), style=style)
    names = names_of(masked)
    assert len(set(names)) == len(names) == 50_500  # among 7,000 names of four letters some are drawn twice
    assert all(re.fullmatch(letters, name, re.ASCII) and not keyword.iskeyword(name) for name in names)
    functions = Counter(len(tool.name) for tool in masked.tools)
    parameters = Counter(len(name) for tool in masked.tools for name in tool.properties)
    assert sorted(functions) == list(range(5, 16))
    assert sorted(parameters) == list(range(4, 11))
    assert all(25 < count < 70 for count in functions.values())
    assert all(6800 < count < 7500 for count in parameters.values())
    assert any("." in name for name in names) == (style == "hammer")


# Defaults


def sample_with_default(user: str, name: str, entry: dict[str, Any], **other: Any) -> Sample:
    spec = {"name": "find_price", "parameters": {"goods": {"type": "str"}, name: entry}}
    return make_sample(
        [spec], Call(name="find_price", arguments={"goods": "steel", name: entry["default"]}), **other, user=user
    )


def masked_default(sample: Sample) -> Any:
    """The default after masking, the same in tool, raw tool and call."""
    masked = mask_sample(sample, seed=1)
    name = list(masked.tools[0].properties)[-1]
    spec = masked.tools[0].spec
    assert spec is not None
    value = masked.calls[0].arguments[name]
    assert value == masked.tools[0].properties[name]["default"] == spec["parameters"][name]["default"]
    assert plain(unmask_sample(masked)) == plain(sample)
    return value


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("market", {"type": "str", "description": "Which prices.", "default": "wholesale"}),
        ("rows", {"type": "int", "description": "Length of the answer.", "default": 20}),
        ("margin", {"type": "float", "description": "Comes on top.", "default": 7.5}),
        ("unit", {"type": "str", "description": "Per what.", "enum": ["ton", "pound"], "default": "ton"}),
        ("grade", {"type": "int", "description": "How pure.", "enum": [1, 2], "default": 1}),
    ],
)
def test_a_default_that_only_the_call_states_becomes_another_of_its_type(name: str, entry: dict[str, Any]) -> None:
    value = masked_default(sample_with_default(COST, name, entry))
    assert value != entry["default"]
    assert type(value) is type(entry["default"])
    assert "enum" not in entry or value in entry["enum"]


COST = "What does steel cost?"
TEXT = {"type": "str", "description": "Which prices.", "default": "wholesale"}
NUMBER = {"type": "int", "description": "Length of the answer.", "default": 20}
PRICES = {"name": "find_price", "description": "Prices of goods.", "parameters": {"rows": NUMBER}}


@pytest.mark.parametrize(
    ("user", "name", "entry"),
    [
        pytest.param("What does steel cost wholesale?", "market", TEXT, id="said"),
        pytest.param("What do wholesalers pay for steel?", "market", TEXT, id="said in another form"),
        pytest.param("Price of steel on the market?", "market", TEXT, id="its parameter is spoken of"),
        pytest.param("What are the prices of steel?", "market", TEXT, id="its description is spoken of"),
        pytest.param(COST, "market", TEXT | {"description": "Wholesale or retail."}, id="described"),
        pytest.param(COST, "market", TEXT | {"description": "Has a default."}, id="default described"),
        pytest.param(COST, "market", TEXT | {"default": "us"}, id="a code"),
        pytest.param(COST, "market", TEXT | {"default": "true"}, id="a boolean in a text"),
        pytest.param(COST, "market", TEXT | {"default": "2024-05-01"}, id="a date"),
        pytest.param(COST, "market", {"default": "wholesale"}, id="not described"),
        pytest.param(COST, "market", TEXT | {"enum": ["wholesale"]}, id="no other choice"),
        pytest.param("Pound of steel?", "market", TEXT | {"enum": ["wholesale", "pound"]}, id="other choice said"),
        pytest.param(COST, "fresh", {"type": "bool", "description": "Not stored.", "default": True}, id="a boolean"),
        pytest.param("Cost of twenty bars?", "rows", NUMBER, id="a number in words"),
        pytest.param("Cost of steel this week?", "rows", NUMBER, id="a unit that may be a number"),
        pytest.param(COST, "rows", NUMBER | {"default": 1}, id="a small number"),
        pytest.param(COST, "rows", NUMBER | {"description": "At most 50."}, id="bounds described"),
    ],
)
def test_a_default_stays_if_the_conversation_may_mean_it(user: str, name: str, entry: dict[str, Any]) -> None:
    value = masked_default(sample_with_default(user, name, entry))
    assert value == entry["default"]
    assert type(value) is type(entry["default"])


def test_a_default_stays_if_the_call_does_not_state_it() -> None:
    sample = make_sample([{"name": "f", "parameters": {"rows": NUMBER}}], Call(name="f"), user="Go on.")
    masked = mask_sample(sample)
    assert [entry["default"] for entry in masked.tools[0].properties.values()] == [20]
    assert masked.calls[0].arguments == {}


def earlier_calls(*rows: float) -> tuple[Turn, ...]:
    calls = tuple(Call(name="find_price", arguments={"rows": number}) for number in rows)
    return (Turn(user="Hello.", steps=(Step(calls=calls),)),)


def test_earlier_calls_with_the_default_change_with_it() -> None:
    sample = sample_with_default(COST, "rows", NUMBER, history=earlier_calls(20, 20.0))
    masked = mask_sample(sample, seed=1)
    first, second = (next(iter(call.arguments.values())) for call in masked.turns[0].steps[0].calls)
    assert first in masked.calls[0].arguments.values()
    assert first != 20
    assert repr(second) == "20.0"


def test_a_default_stays_if_every_other_value_is_used() -> None:
    sample = sample_with_default(COST, "rows", NUMBER, history=earlier_calls(21, 22, 23, 24))
    assert masked_default(sample) == 20


def test_a_value_of_another_type_is_not_the_default() -> None:
    sample = make_sample([PRICES], Call(name="find_price", arguments={"rows": 20.0}), user=COST)
    masked = mask_sample(sample)
    assert repr(list(masked.calls[0].arguments.values())) == "[20.0]"
    assert masked.provenance["mask"]["defaults"] == {}


def test_tools_of_one_name_share_the_new_names_and_keep_their_defaults() -> None:
    sample = make_sample([PRICES], Call(name="find_price", arguments={"rows": 20}), user=COST)
    (tool,) = sample.tools
    other = Tool(name="find_price", service="B", description="Other prices.", parameters=tool.parameters)
    sample = sample.model_copy(update={"tools": (tool, other)})
    masked = mask_sample(sample)
    assert masked.tools[0].name == masked.tools[1].name == masked.calls[0].name
    assert masked.tools[0].properties == masked.tools[1].properties
    assert list(masked.calls[0].arguments.values()) == [20]
    assert plain(unmask_sample(masked)) == plain(sample)


# The way back


def test_a_sample_is_masked_once() -> None:
    sample = make_sample([XLAM], WEATHER)
    with pytest.raises(ValueError, match="xlam/train/17/0/function_call is masked already"):
        mask_sample(mask_sample(sample))
    with pytest.raises(ValueError, match="xlam/train/17/0/function_call is not masked"):
        unmask_sample(sample)


NAMES = st.sampled_from(
    [
        "f",
        "g",
        "get_weather",
        "Market Trends API",
        "type",
        "properties",
        "required",
        "name",
        "default",
        "ü",
        "a.b",
        "$top",
    ]
)
VALUES = st.sampled_from([20, 20.0, True, 1, "wholesale", "20", None, [1], {"f": "g"}, 24])
ENTRIES = st.builds(
    lambda kind, described, default, enum: {"type": kind, "description": described} | default | enum,
    st.sampled_from(["str", "int, optional", "List[int]"]),
    st.sampled_from(["", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]),
    st.one_of(st.just({}), VALUES.map(lambda value: {"default": value})),
    st.sampled_from([{}, {"enum": [20, 24, "20", "wholesale"]}]),
)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    name, entries = draw(NAMES), draw(st.dictionaries(NAMES, ENTRIES, max_size=4))
    required = draw(st.lists(st.sampled_from(list(entries)), unique=True)) if entries else []
    form = draw(st.sampled_from(["xlam", "toolace", "openai", "none"]))
    described = {"description": draw(st.sampled_from([f"Function {name}.", "As `a.b` and get_weather(type=1), $top."]))}
    if form == "none":
        return {**described, "name": f" {name} "}
    if form == "xlam":
        return {**described, "name": name, "parameters": entries, "required": required}
    schema = {"required": required, "type": "dict", "properties": entries}
    function = {"parameters": schema, "name": name, **described}
    return {"type": "function", "function": function} if form == "openai" else function


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    tools = draw(st.lists(specs(), max_size=4, unique_by=lambda spec: str(spec.get("function", spec)["name"]).strip()))
    known = {tool.name: list(tool.properties) for tool in read_tools(tools)}
    turns = []
    for _ in range(draw(st.integers(1, 3))):
        calls = []
        for name in draw(st.lists(st.sampled_from([*known, "h"]), max_size=3)):
            names = st.sampled_from([*known.get(name, ()), "x"])
            calls.append(Call(name=name, arguments=draw(st.dictionaries(names, VALUES, max_size=4))))
        user = draw(st.sampled_from(["Go on.", "Use get_weather.", "The $top of a.b", "20 of them"]))
        turns.append(Turn(user=user, steps=(Step(calls=tuple(calls), observations=({"name": "f"},) * len(calls)),)))
    return make_sample(tools).model_copy(update={"turns": tuple(turns), "turn": len(turns) - 1})


@given(samples(), st.sampled_from(["plain", "hammer"]), st.integers(0, 5), st.booleans())
def test_unmasking_restores_the_sample(sample: Sample, style: Style, seed: int, in_texts: bool) -> None:
    masked = mask_sample(sample, style=style, seed=seed, in_texts=in_texts)
    assert plain(unmask_sample(masked)) == plain(sample)
    stored = Sample.model_validate_json(masked.model_dump_json())
    assert plain(unmask_sample(stored)) == plain(sample)


@given(samples(), st.sampled_from(["plain", "hammer"]))
def test_masking_keeps_what_the_calls_mean(sample: Sample, style: Style) -> None:
    masked = mask_sample(sample, style=style)
    mask = masked.provenance["mask"]
    tools = {tool.name: tool for tool in masked.tools}
    assert len(tools) == len(sample.tools)
    assert read_tools([tool.spec for tool in masked.tools]) == masked.tools
    for call, was in zip(masked.calls, sample.calls, strict=True):
        assert mask["functions"].get(call.name, call.name) == was.name
        assert [mask["parameters"].get(name, name) for name in call.arguments] == list(was.arguments)
        for (name, value), old in zip(call.arguments.items(), was.arguments.values(), strict=True):
            if mask["defaults"].get(name) == [old, value]:
                assert tools[call.name].properties[name]["default"] == value
            else:
                assert repr(value) == repr(old)


# The share, and real corpora


def test_the_share_of_masked_samples_is_the_probability() -> None:
    masked = [draw_mask(f"xlam/train/{number}", probability=2 / 3, seed=12) for number in range(3000)]
    assert 1900 < sum(masked) < 2100
    assert not any(draw_mask(f"{number}", probability=0) for number in range(100))
    assert all(draw_mask(f"{number}", probability=1) for number in range(100))


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["apibank_l1", "sealtool", "toolalpaca"])
def test_real_rows_are_masked_and_unmasked(corpora: Path, name: str) -> None:
    rows = json.loads((corpora / f"function_calling/xlam_format/{name}.json").read_text(encoding="utf-8"))
    names, kept = 0, 0
    for row in rows:
        said = row["query"] if isinstance(row["query"], list) else [{"role": "user", "content": row["query"]}]
        query = " ".join(message["content"] for message in said if message["role"] == "user")
        sample = make_sample(row["tools"], *decode_calls(row["answers"]), user=query)
        masked = mask_sample(sample, style="hammer")
        assert plain(unmask_sample(masked)) == plain(sample)
        names += len(names_of(sample))
        kept += len(set(names_of(sample)) & set(names_of(masked)))
        assert [list(call.arguments.values()) for call in masked.calls] == [
            list(call.arguments.values()) for call in sample.calls
        ]
    assert 0 < kept < 0.12 * names  # said in the query, or without a description
