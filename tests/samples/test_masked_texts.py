"""Masked names in descriptions: replaced there too, or kept everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from coalm_it.corpora.toolspecs import read_tools
from coalm_it.samples.masking import mask_sample, unmask_sample
from coalm_it.samples.masking.texts import find_unsafe_names, list_texts, mentions_name
from coalm_it.schema import Call, Sample, Step, Turn


def make_sample(*specs: dict[str, Any], user: str = "Go on.", call: Call | None = None) -> Sample:
    about = {"part": "p", "source": "s", "split": "train", "dialogue_id": "d", "licence": "CC0-1.0", "turn": 0}
    calls = (call,) if call else ()
    turns = (Turn(user=user, steps=(Step(calls=calls),)),)
    return Sample(
        id="s/train/d/0/function_call",
        task="function_call",
        layout="varied",
        tools=read_tools(list(specs)),
        turns=turns,
        step=0,
        **about,
    )


FIND = {
    "name": "find_user",
    "description": "Finds a user. Use find_user before get_orders (not find_users).",
    "parameters": {
        "type": "object",
        "properties": {
            "mail_address": {
                "type": "string",
                "description": "Their mail_address, e.g. for find_user(mail_address=...).",
            },
            "filters": {
                "type": "object",
                "description": "More.",
                "properties": {"age": {"type": "integer", "description": "Goes with `mail_address`."}},
            },
        },
        "required": ["mail_address"],
    },
}
ORDERS = {
    "name": "get_orders",
    "description": "Orders of a user, see `find_user` and its mail_address.",
    "parameters": {"type": "object", "properties": {"user_id": {"type": "string", "description": "From find_user."}}},
    "example": "get_orders(user_id='7')",
}


def test_names_are_replaced_in_all_texts_of_all_functions() -> None:
    sample = make_sample(FIND, ORDERS)
    masked = mask_sample(sample, seed=1)
    new = {name: new for new, name in masked.provenance["mask"]["functions"].items()}
    new |= {name: new for new, name in masked.provenance["mask"]["parameters"].items()}
    assert new.keys() == {"find_user", "get_orders", "mail_address", "filters", "user_id"}
    tools = {tool.name: tool for tool in masked.tools}
    find, orders = tools[new["find_user"]], tools[new["get_orders"]]
    assert find.description == f"Finds a user. Use {new['find_user']} before {new['get_orders']} (not find_users)."
    inner = find.properties[new["filters"]]["properties"]["age"]
    assert inner["description"] == f"Goes with `{new['mail_address']}`."
    assert orders.description == f"Orders of a user, see `{new['find_user']}` and its {new['mail_address']}."
    assert orders.spec is not None
    assert orders.spec["example"] == f"{new['get_orders']}({new['user_id']}='7')"
    assert orders.spec["description"] == orders.description
    assert unmask_sample(masked).model_dump_json() == sample.model_dump_json()


def test_descriptions_can_stay_as_in_the_published_rows() -> None:
    masked = mask_sample(make_sample(FIND, ORDERS), seed=1, in_texts=False)
    assert {tool.description for tool in masked.tools} == {FIND["description"], ORDERS["description"]}
    assert "in_texts" not in masked.provenance["mask"]


def describe(name: str, description: str, **entry: Any) -> dict[str, Any]:
    return {
        "name": "get_it",
        "description": description,
        "parameters": {name: {"type": "str", "description": "A.", **entry}},
    }


@pytest.mark.parametrize(
    ("name", "spec", "is_kept"),
    [
        pytest.param("city", describe("city", "Finds the city."), False, id="a word is no mention"),
        pytest.param("city", describe("city", "Call it with city='Oslo'."), True, id="a word with a value"),
        pytest.param("city", describe("city", "Needs `city`."), True, id="a word in quotes"),
        pytest.param("cityName", describe("cityName", "Needs `cityName`."), False, id="a name in quotes"),
        pytest.param("city name", describe("city name", "Takes the city name."), True, id="words of a sentence"),
        pytest.param("city_name", describe("city_name", "B", enum=["city_name", "x"]), True, id="an allowed value"),
        pytest.param("city_name", describe("city_name", "B", default="city_name"), True, id="a default"),
    ],
)
def test_what_cannot_be_replaced_in_a_text_stays_everywhere(name: str, spec: dict[str, Any], is_kept: bool) -> None:
    sample = make_sample(spec)
    (tool,) = mask_sample(sample, seed=2).tools
    assert (name in tool.properties) is is_kept
    assert (name in find_unsafe_names(sample)) is is_kept
    assert name == "city" or mentions_name(list_texts(tool), name) is (is_kept and name in spec["description"])


def test_a_value_of_a_call_keeps_a_name() -> None:
    call = Call(id="call_0_0", name="get_it", arguments={"sort_by": "price_low"})
    spec = {"name": "get_it", "parameters": {"sort_by": {"description": "A."}, "price_low": {"description": "B."}}}
    (tool,) = mask_sample(make_sample(spec, call=call), seed=2).tools
    assert "price_low" in tool.properties
    assert "sort_by" not in tool.properties


def test_a_parameter_of_several_functions_stays_where_a_third_one_mentions_it() -> None:
    def owner(name: str) -> dict[str, Any]:
        return {"name": name, "description": f"Does {name}.", "parameters": {"user_id": {"description": "A."}}}

    third = {"name": "third_one", "description": "Returns a user_id.", "parameters": {}}
    masked = mask_sample(make_sample(owner("first_one"), owner("second_one"), third), seed=2)
    assert [list(tool.properties) for tool in masked.tools if tool.properties] == [["user_id"], ["user_id"]]
    masked = mask_sample(make_sample(owner("first_one"), third), seed=2)
    (name,) = next(list(tool.properties) for tool in masked.tools if tool.properties)
    assert {tool.description for tool in masked.tools} >= {f"Returns a {name}."}


@pytest.mark.corpora
def test_no_masked_row_of_the_real_corpora_says_an_old_name(corpora: Path) -> None:
    rows = [
        row
        for name in ("sealtool", "toolalpaca", "apibank_l1")
        for row in json.loads((corpora / f"function_calling/xlam_format/{name}.json").read_text())
    ]
    renamed = 0
    for number, row in enumerate(rows):
        sample = make_sample(*row["tools"]).model_copy(update={"id": f"s/train/{number}/0/function_call"})
        masked = mask_sample(sample, seed=1)
        mask = masked.provenance["mask"]
        old = {*mask["functions"].values(), *mask["parameters"].values()}
        odd = {name for name in old if not name.isalpha() or not (name.islower() or name.istitle() or name.isupper())}
        for tool in masked.tools:
            text = list_texts(tool)
            assert not [name for name in odd if mentions_name(text, name)], sample.id
        renamed += sum(
            list_texts(tool) != list_texts(was) for tool, was in zip(masked.tools, sample.tools, strict=True)
        )
        assert unmask_sample(masked).model_dump_json() == sample.model_dump_json()
    assert renamed > 20
