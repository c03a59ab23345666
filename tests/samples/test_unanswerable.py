from __future__ import annotations

import json
import string
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coalm_it.assets import asset
from coalm_it.calls import decode_calls
from coalm_it.corpora.sources import NoCall
from coalm_it.corpora.toolspecs import read_tools
from coalm_it.samples.unanswerable import MAX_DISTRACTORS, decline, remove_tool, remove_value
from coalm_it.samples.unanswerable.phrases import name_parameter
from coalm_it.samples.unanswerable.topics import find_topic, read_words
from coalm_it.schema import Call, Sample, Step, Tool, Turn

WORDINGS: dict[str, list[str]] = yaml.safe_load(asset("templates", "replies", "unanswerable.yaml").read_text("utf-8"))


def make_tool(name: str, description: str, /, **parameters: str | dict[str, Any]) -> Tool:
    """A function whose parameters are all required; each is its description or its whole schema."""
    entries = {
        key: {"type": "string", "description": value} if isinstance(value, str) else value
        for key, value in parameters.items()
    }
    return Tool(
        name=name,
        description=description,
        parameters={"type": "object", "properties": entries, "required": list(entries)},
    )


STOCK = make_tool(
    "QueryStock",
    "Queries the price of a stock.",
    stock_code="The code of the given stock.",
    day="The day, in ISO form.",
)
JOKE = make_tool("get_joke", "Returns a random joke.")
SCENE = make_tool("delete_scene", "Deletes a scene of the smart home.", name="Name of the scene.")
ASK_STOCK = Call(id="call_0_0", name="QueryStock", arguments={"stock_code": "SQ", "day": "2022-03-15"})


def make_sample(
    user: str = "What is the stock price of SQ on March 15th?",
    tools: tuple[Tool, ...] = (STOCK, JOKE),
    calls: tuple[Call, ...] = (ASK_STOCK,),
    history: tuple[Turn, ...] = (),
) -> Sample:
    return Sample(
        id="xlam/train/17/0/function_call",
        part="plus",
        task="function_call",
        layout="hammer",
        source="xlam",
        split="train",
        dialogue_id="17",
        turn=len(history),
        licence="CC-BY-4.0",
        tools=tools,
        turns=(
            *history,
            Turn(user=user, steps=(Step(thought="I look it up.", calls=calls),), thought="So be it.", reply="It is 7."),
        ),
        step=0,
        provenance={"record": 17},
    )


# A function is taken away


def test_without_the_right_function_the_reply_says_that_none_can_answer() -> None:
    sample = make_sample()
    made = remove_tool(sample, seed=3)
    assert made is not None
    assert made.id == "xlam/train/17/0/function_call~no_tool"
    assert made.tools == (JOKE,)
    assert (made.step, made.calls, made.steps, made.thought) == (None, (), (), None)
    assert made.current.user == sample.current.user
    replies = [wording.format(topic="the stock price") for wording in WORDINGS["no_function_topic"]]
    assert made.current.reply in replies
    taken = {"taken": "tool", "tools": ["QueryStock"], "distractors": []}
    assert made.provenance == {"record": 17, "unanswerable": taken}


def test_all_functions_that_the_target_calls_are_removed() -> None:
    user = "What is the stock price of SQ, and please delete the scene Dawn."
    calls = (ASK_STOCK, ASK_STOCK, Call(name="delete_scene", arguments={"name": "Dawn"}))
    made = remove_tool(make_sample(user, (SCENE, JOKE, STOCK), calls))
    assert made is not None
    assert made.tools == (JOKE,)
    assert made.provenance["unanswerable"]["tools"] == ["QueryStock", "delete_scene"]
    assert made.current.reply in WORDINGS["no_function"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(make_tool("get_quote", "Quote of a share."), id="near in meaning"),
        pytest.param(make_tool("StockNews", "Headlines."), id="a word of the right function"),
        pytest.param(make_tool("get_history", "What happened in March."), id="a word of the request"),
        pytest.param(make_tool("lookup", "Asks Google."), id="for every purpose"),
        pytest.param(make_tool("lookup", "Returns it.", stock_code="A code.", day="A day."), id="the same parameters"),
    ],
)
def test_no_sample_if_another_function_may_answer(other: Tool) -> None:
    assert remove_tool(make_sample(tools=(STOCK, JOKE, other))) is None


def test_common_parameters_do_not_make_functions_similar() -> None:
    page = make_tool("list_scenes", "Lists scenes.", page="The page.", limit="How many.")
    jokes = make_tool("list_jokes", "Lists jokes.", page="The page.", limit="How many.")
    calls = (Call(name="list_scenes", arguments={"page": 1, "limit": 5}),)
    made = remove_tool(make_sample("Which scenes are there?", (page, jokes), calls))
    assert made is not None
    assert made.tools == (jokes,)


EARLIER = Turn(user="Hello.", steps=(Step(calls=(ASK_STOCK,)),), reply="It is 6.")


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(make_sample().model_copy(update={"step": None}), id="the target is a reply"),
        pytest.param(make_sample(calls=()), id="the target is no call"),
        pytest.param(make_sample(history=(EARLIER,)), id="called before"),
        pytest.param(make_sample("How much is SQ?"), id="the rule does not see the right function"),
        pytest.param(make_sample("Сколько стоит stock SQ?"), id="not in Latin letters"),
        pytest.param(make_sample(tools=(JOKE,)), id="the called function is not there"),
        pytest.param(make_sample(calls=(ASK_STOCK, Call(name="buy"))), id="one of the called functions is not there"),
        pytest.param(make_sample(tools=(STOCK,)), id="none left, and no pool"),
    ],
)
def test_other_samples_stay_answerable(sample: Sample) -> None:
    assert remove_tool(sample) is None


def test_a_later_step_stays_answerable() -> None:
    sample = make_sample()
    (step,) = sample.current.steps
    first = Step(calls=(Call(name="get_joke"),), observations=("Ha.",))
    later = sample.current.model_copy(update={"steps": (first, step)})
    sample = sample.model_copy(update={"turns": (later,), "step": 1})
    assert sample.calls == (ASK_STOCK,)
    assert remove_tool(sample) is None
    assert remove_value(sample) is None


def test_distractors_come_from_the_pool_and_cannot_answer_either() -> None:
    others = tuple(make_tool(name, "Says it.") for name in ("alarm", "bird", "curtain", "diet", "egg"))
    pool = (STOCK, JOKE, SCENE, make_tool("get_quote", "Quote of a share."), *others)
    drawn = set()
    for number in range(40):
        sample = make_sample(tools=(STOCK,)).model_copy(update={"id": f"xlam/train/{number}"})
        made = remove_tool(sample, pool=pool)
        assert made is not None
        names = [tool.name for tool in made.tools]
        assert names == made.provenance["unanswerable"]["distractors"]
        assert 1 <= len(set(names)) == len(names) <= MAX_DISTRACTORS
        drawn.add(tuple(names))
    assert {len(names) for names in drawn} == {1, 2, 3, 4}
    assert {name for names in drawn for name in names} == {tool.name for tool in pool} - {"QueryStock", "get_quote"}


@pytest.mark.parametrize(
    ("query", "about", "topic"),
    [
        ("What is the stock price of SQ?", "QueryStock: price of a stock", "the stock price"),
        ("I need the tax rates.", "tax rate", "the tax rates"),
        ("Get the quote of the day.", "day quote", ""),
        ("Give me a list of the top paid apps, please.", "top paid apps", "the top paid apps"),
        ("Find the pit stop data for the race.", "pit stops", "the pit stop data"),
        ("Find the pit stop crew.", "pit stops", ""),
        ("Find the price of cubes.", "price cubes", "the price of cubes"),
        ("Show the stock price of data.", "stock price", "the stock price"),
        ("The stock price is high.", "stock price", ""),
        ("Show me stock prices.", "stock price", ""),
        ("Show me the stock.", "stock price", ""),
        ("Find a movie directed by Ang Lee.", "movies directed by somebody", ""),
        ("I like the stock price. How is the weather?", "stock price", ""),
        ("Find the musical instrument 'Violin'.", "musical instrument", ""),
        ("Book a table at the Whole Foods.", "whole foods", ""),
    ],
)
def test_a_topic_is_a_complete_phrase_of_the_request(query: str, about: str, topic: str) -> None:
    assert find_topic(query, read_words(about), read_words(about)) == topic


def test_a_topic_has_a_word_of_the_name_of_the_function() -> None:
    assert find_topic("Find the stock price.", read_words("stock price"), read_words("QueryStock")) == "the stock price"
    assert find_topic("Find the stock price.", read_words("stock price"), read_words("get_quote")) == ""


@pytest.mark.parametrize(
    "other",
    [
        make_tool("lookup", "Returns it.", code="The code of a stock."),
        make_tool("lookup", "Returns it.", stock="A code."),
        make_tool("lookup", "Returns it.", kind={"type": "string", "enum": ["bond", "stock"]}),
    ],
)
def test_a_function_whose_parameters_are_about_the_request_may_serve(other: Tool) -> None:
    assert remove_tool(make_sample(tools=(STOCK, JOKE, other))) is None


@pytest.mark.parametrize(
    ("user", "name", "needs_none"),
    [
        ("Calculate 5 * 3.", "Calculator", True),
        ("Tell me a joke.", "get_joke", True),
        ("Translate 'Hello' to French.", "translate_text", True),
        ("What are synonyms of 'happy'?", "get_synonyms", True),
        ("Convert 5 miles to km.", "convert_units", True),
        ("Who was the first king of Norway?", "find_kings", True),
        ("Convert 5 dollars to yen.", "convert_money", False),
        ("Delete the scene Dawn.", "delete_scene", False),
        ("When is my next meeting?", "get_meetings", False),
        ("What is the weather in Oban?", "get_weather", False),
    ],
)
def test_what_a_model_can_answer_itself_is_not_refused(user: str, name: str, needs_none: bool) -> None:
    tool = make_tool(name, user)
    made = remove_tool(make_sample(user, (tool, make_tool("count_birds", "Counts birds.")), (Call(name=name),)))
    assert (made is None) is needs_none


# The corpus makes no call


def decline_without_call(user: str, tools: tuple[Tool, ...], no_call: NoCall = "unsaid") -> str:
    made = decline(make_sample(user, tools, ()), no_call)
    assert made.provenance["unanswerable"] == {"taken": "nothing"}
    return str(made.current.reply)


def test_that_no_function_fits_is_said_only_where_the_corpus_says_so() -> None:
    user = "Find a blog with pictures of Oslo."
    assert decline_without_call(user, (JOKE,), "irrelevant") in WORDINGS["no_function"]
    assert decline_without_call(user, (JOKE,)) in WORDINGS["no_call"]
    assert decline_without_call(user, ()) in WORDINGS["no_functions_at_all"]
    assert decline_without_call(user, (), "irrelevant") in WORDINGS["no_functions_at_all"]
    assert decline_without_call("What is 5 times 3, a sum?", (JOKE,), "irrelevant") in WORDINGS["no_function_of_use"]


@pytest.mark.parametrize(
    ("user", "value"),
    [
        ("Please delete a scene.", "the name of the scene"),
        ("Delete the scene Dawn.", None),
        ("Delete scene 5.", None),
        ("Delete the scene of the garden.", None),
        ("Hello!", None),
    ],
)
def test_a_value_is_asked_for_where_the_request_states_none(user: str, value: str | None) -> None:
    wordings = WORDINGS["no_call"] if value is None else [one.format(value=value) for one in WORDINGS["no_value"]]
    assert decline_without_call(user, (SCENE, JOKE)) in wordings


# A value is taken away


def test_without_the_value_the_reply_asks_for_it() -> None:
    sample = make_sample()
    made = remove_value(sample, seed=3)
    assert made is not None
    assert made.id == "xlam/train/17/0/function_call~no_value"
    assert made.tools == sample.tools
    assert (made.step, made.calls, made.steps, made.thought) == (None, (), (), None)
    assert made.current.user == "What is the stock price on March 15th?"
    assert made.current.reply in [wording.format(value="the code of the stock") for wording in WORDINGS["no_value"]]
    taken = made.provenance["unanswerable"]
    assert taken == {
        "taken": "value",
        "function": "QueryStock",
        "parameter": "stock_code",
        "value": "SQ",
        "words": " of SQ",
        "place": 23,
        "instead": "",
    }
    assert restore(made) == sample.current.user


def restore(made: Sample) -> str:
    """The request as it was."""
    rest, taken = made.current.user, made.provenance["unanswerable"]
    place, instead = taken["place"], taken["instead"]
    assert rest[place:].startswith(instead)
    return str(rest[:place] + taken["words"] + rest[place + len(instead) :])


BLOG = make_tool("get_blog", "Details of a fashion blog in a town.", blog_id="The ID of the blog.", town="Where it is.")


def cut(user: str, name: str, value: Any, tool: Tool = BLOG) -> str | None:
    """The request without the value, if only this value can be removed."""
    call = Call(name=tool.name, arguments={name: value})
    made = remove_value(make_sample(user, (tool, JOKE), (call,)))
    assert made is None or restore(made) == user
    return made.current.user if made else None


@pytest.mark.parametrize(
    ("user", "name", "value", "rest"),
    [
        ("Show the fashion blog with ID 70.", "blog_id", 70, "Show a fashion blog."),
        ("Show the fashion blog with the ID 'a-1'.", "blog_id", "a-1", "Show a fashion blog."),
        ("Show my blog with the ID 'a-1'.", "blog_id", "a-1", "Show my blog."),
        ("Is the blog called “Dawn” any good?", "blog_id", "Dawn", None),
        ("Open the blog called “Dawn”.", "blog_id", "Dawn", "Open a blog."),
        ("Open the odd blog “Dawn” and show it.", "blog_id", "Dawn", "Open an odd blog and show it."),
        ("Is there a blog in Oslo? Tell me.", "town", "Oslo", "Is there a blog? Tell me."),
        ("Find a blog from Oslo with pictures", "town", "Oslo", "Find a blog with pictures"),
        ("Find a blog in Oslo", "town", "Oslo", "Find a blog"),
        ("Find a blog in oslo.", "town", "Oslo", "Find a blog."),
        ("Find a blog in the town of Oslo.", "town", "Oslo", "Find a blog."),
        ("Give details of the blog with ID 70.", "blog_id", 70, "Give details of a blog."),
        ("Give details of blogs with ID 70.", "blog_id", 70, "Give details of blogs."),
        ("Show my fashion for blog ID 70.", "blog_id", 70, "Show my fashion."),
        ("Get details of blog with ID 70.", "blog_id", 70, "Get details of a blog."),
        ("Tell me about the 'Oslo' town and its blog.", "town", "Oslo", "Tell me about a town and its blog."),
        ("Find a fashion blog. My town is Oslo.", "town", "Oslo", "Find a fashion blog."),
        ("My town is Oslo. Find a fashion blog.", "town", "Oslo", "Find a fashion blog."),
        ("My blog is new and my town is Oslo.", "town", "Oslo", "My blog is new."),
        ("My town is Oslo and my blog is new.", "town", "Oslo", "My blog is new."),
        ("Yes, my town is Oslo and my blog is new.", "town", "Oslo", "Yes, my blog is new."),
        ("My blog is new, my town is Oslo, and my hat is red.", "town", "Oslo", "My blog is new, and my hat is red."),
        ("A blog with a town of Oslo and an age of 7.", "town", "Oslo", "A blog with an age of 7."),
        ("Translate 'Dawn' in a blog.", "blog_id", "Dawn", "Translate something in a blog."),
    ],
)
def test_a_value_is_removed_with_its_phrase(user: str, name: str, value: Any, rest: str | None) -> None:
    assert cut(user, name, value) == rest


@pytest.mark.parametrize(
    ("user", "name", "value"),
    [
        pytest.param("Find the Oslo blog.", "town", "Oslo", id="no phrase"),
        pytest.param("Find a blog in Oslo, Norway.", "town", "Oslo", id="the phrase goes on"),
        pytest.param("Find a blog in Oslo and Rome.", "town", "Oslo", id="one of several"),
        pytest.param("Find a blog in Oslo. Oslo is nice.", "town", "Oslo", id="said twice"),
        pytest.param("Find a blog in Oslo. OSLO is nice.", "town", "Oslo", id="said twice in other letters"),
        pytest.param("Find a blog in Oslo for Osloers.", "town", "Oslo", id="part of another word"),
        pytest.param("Find a blog in Norway's capital.", "town", "Oslo", id="not said"),
        pytest.param("Find a blog in today.", "town", "today", id="not a value to ask for"),
        pytest.param("The blog I look for is in Oslo.", "town", "Oslo", id="the verb needs it"),
        pytest.param("I want a blog, so search in Oslo.", "town", "Oslo", id="the phrase is the verb's"),
        pytest.param("A blog by someone living in Oslo.", "town", "Oslo", id="the phrase is a participle's"),
        pytest.param("Tell me the age of Oslo's blog.", "town", "Oslo", id="a possessive"),
        pytest.param("Get the town of Oslo.", "town", "Oslo", id="no town without its name"),
        pytest.param("Show the blog “Dawn and that blog's age.", "blog_id", "Dawn", id="half a pair of quotes"),
        pytest.param("Find blogs that mention 'Oslo'.", "town", "Oslo", id="the object of a verb"),
        pytest.param("Find a blog of the town 'Oslo' in this town.", "town", "Oslo", id="something points to it"),
        pytest.param("Find a blog in the given town, Oslo.", "town", "Oslo", id="something says that it is given"),
        pytest.param("Find the town of blogs.", "blog_id", "blogs", id="a single noun asks for nothing"),
        pytest.param("Find the blog of the year 2023.", "blog_id", "2023", id="in a year is no question"),
        pytest.param("Find a blog at a rate of 4.2.", "town", 4.2, id="no rate without its number"),
        pytest.param("Find a blog in Oslo. I like its canals.", "town", "Oslo", id="a pronoun may mean it"),
        pytest.param("Find a blog in the snowy Oslo.", "town", "Oslo", id="more than the value would go"),
        pytest.param("Find anybody in Oslo.", "town", "Oslo", id="the rest is about nothing"),
        pytest.param("Find a blog for True.", "town", True, id="a boolean"),
        pytest.param("Find a blog in ['Oslo'].", "town", ["Oslo"], id="a list"),
        pytest.param("Найди blog in Oslo.", "town", "Oslo", id="not in Latin letters"),
    ],
)
def test_a_value_stays_if_the_sentence_or_its_meaning_would_suffer(user: str, name: str, value: Any) -> None:
    assert cut(user, name, value) is None


@pytest.mark.parametrize(
    "town",
    [
        pytest.param({"type": "string", "default": "Oslo"}, id="default"),
        pytest.param({"type": "string", "description": "Where; Oslo by default."}, id="default in the description"),
        pytest.param({"type": "string", "description": "Where (optional)."}, id="optional in the description"),
    ],
)
def test_a_value_stays_if_the_function_does_not_need_it(town: dict[str, Any]) -> None:
    assert cut("Find a blog in Oslo.", "town", "Oslo", make_tool("get_blog", "A blog.", town=town)) is None


def test_a_value_stays_if_it_is_optional_or_has_a_default() -> None:
    tool = make_tool("get_blog", "A blog.", town="Where.", language="Its language.")
    free = tool.model_copy(update={"parameters": {**tool.parameters, "required": []}})
    assert cut("Find a blog in Oslo.", "town", "Oslo", tool) == "Find a blog."
    assert cut("Find a blog in Oslo.", "town", "Oslo", free) is None
    assert cut("Find a blog in Latin.", "language", "Latin", tool) is None


@pytest.mark.parametrize(
    "history",
    [
        (Turn(user="I live in Oslo.", reply="Nice."),),
        (Turn(user="Where am I?", reply="In Oslo."),),
        (Turn(user="Where am I?", steps=(Step(calls=(Call(name="locate"),), observations=({"town": "Oslo"},)),)),),
        (Turn(user="Go on.", steps=(Step(calls=(Call(name="locate", arguments={"town": "Oslo"}),)),)),),
    ],
)
def test_a_value_stays_if_the_history_has_it(history: tuple[Turn, ...]) -> None:
    calls = (Call(name="get_blog", arguments={"town": "Oslo"}),)
    assert remove_value(make_sample("Find a blog in Oslo.", (BLOG,), calls)) is not None
    assert remove_value(make_sample("Find a blog in Oslo.", (BLOG,), calls, history)) is None


def test_a_value_stays_if_another_argument_has_it() -> None:
    calls = (Call(name="get_blog", arguments={"town": "Oslo", "blog_id": "oslo 7"}),)
    assert remove_value(make_sample("Find a blog in Oslo.", (BLOG,), calls)) is None


@pytest.mark.parametrize(
    ("other", "may_answer"),
    [
        (make_tool("all_blogs", "All blogs."), True),
        (make_tool("search_blogs", "Finds blogs.", query="What to look for."), True),
        (make_tool("blogs_by_age", "Finds blogs.", age="Their age."), True),
        (make_tool("open_blog", "Opens a blog.", name="Its name."), False),
        (make_tool("blogs_by_author", "Finds blogs.", author="Who writes it."), False),
        (make_tool("count_birds", "Counts birds."), False),
    ],
)
def test_a_value_stays_if_another_function_may_answer_the_rest(other: Tool, may_answer: bool) -> None:
    tool = make_tool("get_blog", "A blog.", town="Where it is.", age="Its age.")
    calls = (Call(name="get_blog", arguments={"town": "Oslo", "age": "new"}),)
    made = remove_value(make_sample("Find a new blog in Oslo.", (tool, other), calls))
    assert made is None or made.current.user == "Find a new blog."
    assert (made is None) is may_answer


def test_a_value_stays_if_there_are_several_calls() -> None:
    calls = (Call(name="get_blog", arguments={"town": "Oslo"}), Call(name="get_joke"))
    assert remove_value(make_sample("Find a blog in Oslo.", (BLOG, JOKE), calls)) is None


@pytest.mark.parametrize(
    ("name", "description", "phrase"),
    [
        ("blog_id", "The unique identifier of the fashion blog", "the unique identifier of the fashion blog"),
        ("stock_code", "The stock code of the given stock.", "the stock code of the stock"),
        ("name", "Name of the scene", "the name of the scene"),
        ("ip", "IP address to locate.", "the IP address to locate"),
        ("file", "The .jar file to run. Required.", "the .jar file to run"),
        ("description", "A description of the issue", "a description of the issue"),
        ("date", "The date, in the format YYYY-MM-DD", "the date"),
        ("countryCode", "", "the country code"),
        ("patient_name", "The name of patient.", "the name of the patient"),
        ("user_id", "ID of users", "the ID of users"),
        ("postal_code", "Specify the postal code", "the postal code"),
        ("q", "", "the q"),
    ],
)
def test_a_parameter_is_asked_for_in_the_words_of_its_description(name: str, description: str, phrase: str) -> None:
    assert name_parameter(name, {"description": description}) == phrase


# Wordings


@pytest.mark.parametrize(
    ("situation", "slot"),
    [(situation, {"no_function_topic": "topic", "no_value": "value"}.get(situation, "")) for situation in WORDINGS],
)
def test_wordings_are_many_and_filled(situation: str, slot: str) -> None:
    wordings = WORDINGS[situation]
    assert len(set(wordings)) == len(wordings) >= 12
    for wording in wordings:
        assert [field for _, field, _, _ in string.Formatter().parse(wording) if field is not None] == [slot] * bool(
            slot
        )


def test_wordings_depend_on_seed_and_id() -> None:
    replies: Counter[str | None] = Counter()
    for number in range(300):
        made = remove_value(make_sample().model_copy(update={"id": f"xlam/train/{number}"}), seed=3)
        assert made is not None
        replies[made.current.reply] += 1
    assert len(replies) == len(WORDINGS["no_value"])
    assert max(replies.values()) < 45
    assert remove_tool(make_sample(), seed=1) == remove_tool(make_sample(), seed=1)
    assert len({repr(remove_tool(make_sample(), seed=seed)) for seed in range(30)}) > 8


# Anything, and real rows

TEXTS = st.lists(
    st.sampled_from(["blog", "a", "the", "in", "with", "ID", "Oslo", "7", ".", "“", "'", "{x}", "é"]), max_size=9
)


@given(
    TEXTS, st.sampled_from(["Oslo", "7", 7, 7.0, "", ".", "a", "in", "{x}"]), st.sampled_from(["town", "blog_id", "x"])
)
def test_for_any_request_the_value_is_gone_or_there_is_no_sample(words: list[str], value: Any, name: str) -> None:
    user = " ".join(words)
    call = Call(name="get_blog", arguments={name: value})
    made = remove_value(make_sample(user, (BLOG, JOKE), (call,)))
    if made is not None:
        assert str(value) not in made.current.user
        assert restore(made) == user
    remove_tool(make_sample(user, (BLOG, JOKE), (call,)))


@pytest.mark.corpora
def test_real_rows_give_both_kinds(corpora: Path) -> None:
    made: Counter[str] = Counter()
    for name in ("sealtool", "toolalpaca"):
        rows = json.loads((corpora / f"function_calling/xlam_format/{name}.json").read_text(encoding="utf-8"))
        tools = [read_tools(row["tools"]) for row in rows]
        pool = tuple(tool for several in tools for tool in several)
        for row, own in zip(rows, tools, strict=True):
            sample = make_sample(row["query"], own, decode_calls(row["answers"]))
            without_tool, without_value = remove_tool(sample, pool=pool), remove_value(sample)
            if without_tool is not None:
                made["tool"] += 1
                assert not {call.name for call in sample.calls} & {tool.name for tool in without_tool.tools}
            if without_value is not None:
                made["value"] += 1
                assert str(without_value.provenance["unanswerable"]["value"]) not in without_value.current.user
    # Their lists are of similar functions, so that nearly always another one may answer.
    assert made["tool"] >= 1
    assert made["value"] >= 110
