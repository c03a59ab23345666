"""A row as prompt and target: which tokens the loss is on, in each form, and what templates leave out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import trl
from decoded import decode_messages
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from coalm_it.assets import asset
from coalm_it.pipeline.build import build
from coalm_it.rendering.chat import (
    ChatError,
    Conversation,
    Example,
    Form,
    Tokens,
    read_conversation,
    tokenize_examples,
    write_example,
    write_prompt,
)

pytestmark = pytest.mark.libraries

Row = dict[str, Any]

OWN_TEMPLATE = asset("train", "tiny.jinja").read_text(encoding="utf-8")
"""One that TRL has never seen."""
OWN_TOKENS = ["<|end|>", "<|user|>", "<|system|>", "<|assistant|>", "<|tool|>", "<|tools|>", "<|call|>", "<|thought|>"]
PLAIN_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As many small models have it: it knows of no thoughts, calls and tools."""


def trl_template(name: str) -> str:
    return (Path(trl.__file__).parent / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The rows of both recipes on the bundled samples: RECIPE:ID -> both forms of the row in one."""
    found: dict[str, Row] = {}
    for recipe in ("coalm_it", "coalm_it_plus"):
        out = build(recipe, out=tmp_path_factory.mktemp(recipe) / "out", changes=["allow_short=true"]).out
        forms = [pq.read_table(out / "data" / config).to_pylist() for config in ("coalm_it", "samples")]
        found |= {f"{recipe}:{sample['id']}": {**row, **sample} for row, sample in zip(*forms, strict=True)}
    return found


@pytest.fixture(scope="module")
def words(rows: dict[str, Row]) -> Tokenizer:
    """Tokens are words and marks, each with the blanks before it."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s*\w+|\s*[^\w\s]|\s+"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.WordLevelTrainer(special_tokens=["?", *OWN_TOKENS, "<|/thought|>"], show_progress=False)
    tokenizer.train_from_iterator((text for row in rows.values() for text in list_texts(row)), trainer)
    return tokenizer


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    """Tokens are bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=[*OWN_TOKENS, "<|/thought|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([], trainer)
    return tokenizer


def list_texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in list_texts(one)]


def wrap(tokenizer: Tokenizer, template: str | None, **names: Any) -> PreTrainedTokenizerBase:
    wrapped: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = wrapped(tokenizer_object=tokenizer, eos_token="<|end|>", unk_token="?", **names)
    made.chat_template = template
    return made


@pytest.fixture
def own(words: Tokenizer) -> PreTrainedTokenizerBase:
    return wrap(words, OWN_TEMPLATE)


def tokenize(row: Row, form: Form, thoughts: bool, tokenizer: PreTrainedTokenizerBase) -> tuple[Example, Tokens]:
    example = write_example(read_conversation(row, form, thoughts), tokenizer)
    (tokens,) = tokenize_examples([example], tokenizer)
    return example, tokens


def learnt(tokens: Tokens, tokenizer: PreTrainedTokenizerBase) -> str:
    """The text, with each token that the loss is on in brackets."""
    return "".join(f"[{tokenizer.decode([token])}]" for token in tokens.ids[tokens.start :])


# --- the loss mask, token by token ---

IN_COLUMNS = {
    # state tracking
    "coalm_it:snips/train/pm_737/0/state_tracking": (
        '[System][:][ {]["][domain]["][:][ "][PlayMusic]["][,][ "][slot_values]["][:][ {]["][playlist]["][:]'
        '[ "][Dinner][ With][ Nobody]["][}][}][<|end|>]'
    ),
    # action and response
    "coalm_it:sgd/train/1_00004/0/react_action": ("[Action][:][ SearchStay][(][city][=]['][Boston]['][)][<|end|>]"),
    "coalm_it:sgd/train/1_00002/0/react_response": (
        "[System][:][ Sure][.][ What][ time][ would][ you][ like][ to][ come][?][<|end|>]"
    ),
    # Hammer, a call and none
    "coalm_it:xlam/train/20/0/function_call": (
        '[[][{]["][name]["][:][ "][is_prime]["][,][ "][arguments]["][:][ {]["][number]["][:][ 104729104729]'
        "[}][}][]][<|end|>]"
    ),
    "coalm_it:xlam_irrelevance/train/19/0/function_call~1": "[[][]][<|end|>]",
    # ToolACE
    "coalm_it:toolace/train/data_8/0/function_call": (
        '[System][:][ [][Get][ Stock][ of][ Seeds][(][seed][=]["][kale]["][)][]][<|end|>]'
    ),
    # varied: an action, a response, a dialogue's state
    "coalm_it_plus:sgd/train/1_00008/0/react_action": (
        "[Thought][:][ No][ hint][ of][ what][ kind][.][ FindSong][ can][ run][ on][ nothing][,][ and][ its]"
        '[ results][ may][ help][ them][ choose][.][\n[][{]["][name]["][:][ "][FindSong]["][,][ "][arguments]["]'
        "[:][ {][}][}][]][<|end|>]"
    ),
    "coalm_it_plus:multiwoz/train/SNG0105/1/react_response": (
        "[Thought][:][ Everything][ is][ answered][.][ Just][ a][ farewell][ now][.]"
        "[\nAll][ the][ best][ to][ you][.][<|end|>]"
    ),
    "coalm_it_plus:sgd/train/1_00004/0/state_tracking": (
        '[{]["][Stays_1]["][:][ {]["][city]["][:][ "][Boston]["][}][}][<|end|>]'
    ),
}


@pytest.mark.parametrize("name", IN_COLUMNS)
def test_in_columns_the_loss_is_on_the_output_and_the_end_token(
    name: str, rows: dict[str, Row], own: PreTrainedTokenizerBase
) -> None:
    row = rows[name]
    example, tokens = tokenize(row, "columns", True, own)
    assert example.prompt == f"<|user|>{row['instruction']}\n\n{row['input']}<|end|><|assistant|>"
    assert learnt(tokens, own) == IN_COLUMNS[name]


IN_MESSAGES = {
    # a call, with its thought and without
    ("sgd/train/1_00008/0/react_action", True): (
        "[<|thought|>][No][ hint][ of][ what][ kind][.][ FindSong][ can][ run][ on][ nothing][,][ and][ its]"
        "[ results][ may][ help][ them][ choose][.][<|/thought|>][<|call|>][FindSong][ {][}][<|end|>]"
    ),
    ("sgd/train/1_00008/0/react_action", False): "[<|call|>][FindSong][ {][}][<|end|>]",
    # a reply
    ("multiwoz/train/SNG0105/1/react_response", True): (
        "[<|thought|>][Everything][ is][ answered][.][ Just][ a][ farewell][ now][.][<|/thought|>]"
        "[All][ the][ best][ to][ you][.][<|end|>]"
    ),
    ("multiwoz/train/SNG0105/1/react_response", False): "[All][ the][ best][ to][ you][.][<|end|>]",
    # two calls at once
    ("xlam/train/19/0/function_call", True): (
        '[<|call|>][is_prime][ {]["][number]["][:][ 97][}][<|call|>][is_prime][ {]["][number]["][:][ 91][}][<|end|>]'
    ),
    # the decision not to call
    ("xlam_irrelevance/train/12/0/function_call", True): (
        "[This][ is][ beyond][ the][ functions][ available][ to][ me][.][<|end|>]"
    ),
    # a state
    ("snips/train/pm_737/0/state_tracking", True): (
        '[{]["][domain]["][:][ "][PlayMusic]["][,][ "][slot_values]["][:][ {]["][playlist]["][:]'
        '[ "][Dinner][ With][ Nobody]["][}][}][<|end|>]'
    ),
}


@pytest.mark.parametrize(("name", "thoughts"), IN_MESSAGES)
def test_in_messages_the_loss_is_on_the_last_message(
    name: str, thoughts: bool, rows: dict[str, Row], own: PreTrainedTokenizerBase
) -> None:
    example, tokens = tokenize(rows[f"coalm_it_plus:{name}"], "messages", thoughts, own)
    assert learnt(tokens, own) == IN_MESSAGES[name, thoughts]
    assert example.prompt.endswith("<|end|><|assistant|>")
    assert thoughts or "<|thought|>" not in example.prompt


def test_the_prompt_has_the_tools_and_all_earlier_messages(rows: dict[str, Row], own: PreTrainedTokenizerBase) -> None:
    example, _ = tokenize(rows["coalm_it_plus:sgd/train/1_00002/4/react_response"], "messages", True, own)
    assert example.prompt.startswith("<|tools|>[{")
    pieces = ["<|user|>Book me a table at Via Tomasi", "<|thought|>", "<|call|>BookTable", '<|tool|>{"matches": 1']
    places = [example.prompt.index(piece) for piece in pieces]
    assert places == sorted(places)


@pytest.mark.parametrize("form", ["columns", "messages"])
def test_prompt_and_target_are_the_whole_output_of_the_template(
    form: Form, rows: dict[str, Row], letters: Tokenizer
) -> None:
    own = wrap(letters, OWN_TEMPLATE)
    conversations = [read_conversation(row, form) for row in list(rows.values())[::5]]
    examples = [write_example(one, own) for one in conversations]
    for conversation, example, tokens in zip(conversations, examples, tokenize_examples(examples, own), strict=True):
        tools: Any = conversation.tools or None
        whole = own.apply_chat_template(conversation.messages, tools=tools, tokenize=False)
        assert [str(own.decode(tokens.ids[at])) for at in (slice(tokens.start), slice(tokens.start, None))] == [
            *example
        ]
        assert example.prompt + example.target == whole


# The templates in which TRL marks what an assistant writes, for its own use, and marks it to the token.
MARKED_BY_TRL = ["phi3", "gemma3", "lfm2_v2", "llama3", "qwen3_instruct_2507"]


@pytest.mark.parametrize("name", MARKED_BY_TRL)
def test_the_mask_is_the_one_that_trl_marks_in_templates_that_it_knows(
    name: str, rows: dict[str, Row], letters: Tokenizer
) -> None:
    special = sorted(set(re.findall(r"<\|?[a-z_]+\|?>", trl_template(name))))
    tokenizer = wrap(Tokenizer.from_str(letters.to_str()), trl_template(name), bos_token="<|system|>")
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    for row in list(rows.values())[::40]:
        conversation = read_conversation(row, "columns")
        (tokens,) = tokenize_examples([write_example(conversation, tokenizer)], tokenizer)
        marked: Any = tokenizer.apply_chat_template(
            conversation.messages,
            chat_template=trl_template(f"{name}_training"),
            return_assistant_tokens_mask=True,
            return_dict=True,
        )
        size = len(tokens.ids)  # theirs may have a line break after the end token
        assert marked["input_ids"][:size] == tokens.ids
        assert marked["assistant_masks"][:size] == [0] * tokens.start + [1] * (size - tokens.start)


# --- thoughts ---


def test_a_template_with_thinking_is_told_whether_thoughts_are_wanted(rows: dict[str, Row], words: Tokenizer) -> None:
    tokenizer = wrap(words, trl_template("qwen3"))
    row = rows["coalm_it_plus:multiwoz/train/SNG0105/1/react_response"]
    example, _ = tokenize(row, "messages", True, tokenizer)
    assert example.prompt.endswith("<|im_start|>assistant\n")
    assert example.target.startswith("<think>\nEverything is answered. Just a farewell now.\n</think>\n\nAll the best")
    example, _ = tokenize(row, "messages", False, tokenizer)
    assert example.prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert example.target.startswith("All the best")


def test_a_thought_that_the_prompt_opens_is_closed_there_where_the_row_has_none(
    rows: dict[str, Row], words: Tokenizer
) -> None:
    tokenizer = wrap(words, trl_template("nemotron_3_nano"))
    example, _ = tokenize(rows["coalm_it_plus:multiwoz/train/SNG0105/1/react_response"], "messages", True, tokenizer)
    assert example.prompt.endswith("<think>\n")
    example, _ = tokenize(rows["coalm_it_plus:snips/train/pm_737/0/state_tracking"], "messages", True, tokenizer)
    assert example.prompt.endswith("<think></think>")
    assert example.target.startswith('{"domain"')


TAKE_ALL = ["qwen3", "qwen3_8", "glm4moe", "lfm2_2_5_v2", "muse_glimmer", "nemotron_3_nano", "qwen3_5_think"]


@pytest.mark.parametrize("name", TAKE_ALL)
def test_templates_that_know_thoughts_and_calls_show_every_row_whole(
    name: str, rows: dict[str, Row], words: Tokenizer
) -> None:
    tokenizer = wrap(words, trl_template(name))
    for row in list(rows.values())[::15]:
        example, _ = tokenize(row, "messages", True, tokenizer)
        thought = decode_messages(row)[0][-1].get("reasoning_content")
        assert thought is None or thought in example.target
        example, _ = tokenize(row, "messages", False, tokenizer)
        assert thought is None or thought not in example.prompt + example.target


# --- where a target ends ---


def test_a_line_break_after_the_end_token_is_not_in_the_target(rows: dict[str, Row], words: Tokenizer) -> None:
    row = rows["coalm_it:sgd/train/1_00004/0/react_action"]
    example, _ = tokenize(row, "columns", True, wrap(words, PLAIN_CHATML))
    assert example.target == "Action: SearchStay(city='Boston')<|end|>"


def test_a_target_without_an_end_token_gets_the_tokenizers(rows: dict[str, Row], words: Tokenizer) -> None:
    row = rows["coalm_it:sgd/train/1_00004/0/react_action"]
    example, _ = tokenize(row, "columns", True, wrap(words, trl_template("glm4moe")))
    assert example.target == "\nAction: SearchStay(city='Boston')<|end|>"


# --- no chat template ---


def test_columns_without_a_template_are_plain_text(rows: dict[str, Row], words: Tokenizer) -> None:
    row = rows["coalm_it:sgd/train/1_00004/0/react_action"]
    example, _ = tokenize(row, "columns", True, wrap(words, None))
    assert example.prompt == f"{row['instruction']}\n\n{row['input']}\n\n"
    assert example.target == "Action: SearchStay(city='Boston')<|end|>"


def test_plain_text_begins_as_the_tokenizer_begins_its_texts(rows: dict[str, Row], words: Tokenizer) -> None:
    from tokenizers.processors import TemplateProcessing

    begins = Tokenizer.from_str(words.to_str())
    system = begins.token_to_id("<|system|>")
    begins.post_processor = TemplateProcessing(single="<|system|> $A", special_tokens=[("<|system|>", system)])
    row = rows["coalm_it:sgd/train/1_00004/0/react_action"]
    tokenizer = wrap(begins, None, bos_token="<|system|>")
    example, tokens = tokenize(row, "columns", True, tokenizer)
    assert example.prompt.startswith(f"<|system|>{row['instruction'][:20]}")
    assert [token for token in tokens.ids if token == system] == tokens.ids[:1]


def test_messages_need_a_template(rows: dict[str, Row], words: Tokenizer) -> None:
    conversation = read_conversation(rows["coalm_it:sgd/train/1_00004/0/react_action"], "messages")
    with pytest.raises(ChatError, match="has no chat template, which form messages needs; use form columns"):
        write_prompt(conversation, wrap(words, None))


def test_no_token_crosses_the_end_of_the_prompt(rows: dict[str, Row]) -> None:
    letters = {letter: place for place, letter in enumerate("?\nA~", start=1)}
    merges = Tokenizer(models.BPE(vocab={"<|end|>": 0, **letters, "\nA": 5}, merges=[("\n", "A")]))
    tokenizer = wrap(merges, None)
    example = write_example(read_conversation({"instruction": "~", "input": "~", "output": "A"}, "columns"), tokenizer)
    (tokens,) = tokenize_examples([example], tokenizer)
    assert tokenizer(example.prompt + "A")["input_ids"][-1] == 5
    assert tokens.ids == [*tokenizer(example.prompt)["input_ids"], letters["A"], 0]
    assert tokens.start == len(tokens.ids) - 2


# --- a template that leaves something out is an error ---


def write_messages(target: Row, template: str, words: Tokenizer, **more: Any) -> Example:
    asked = {"role": "user", "content": "Is it dry in Seattle?"}
    tokenizer = wrap(words, template)
    tokenizer.name_or_path = "models/some"
    conversation = Conversation([asked, *more.get("between", ()), target], more.get("tools", []), thinks=True)
    return write_example(conversation, tokenizer)


@cache
def call_of(name: str) -> Row:
    call = {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": {"city": "Seattle"}}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


TOOL = {"type": "function", "function": {"name": "GetForecast", "description": "", "parameters": {}}}
RESULT = {"role": "tool", "content": '{"rain": true}', "tool_call_id": "call_GetForecast", "name": "GetForecast"}
REPLY = {"role": "assistant", "content": "It rains."}
THOUGHT = {**REPLY, "reasoning_content": "They are in Seattle."}

LOSSES = {
    "call": (PLAIN_CHATML, call_of("GetForecast"), {}, "leaves out the call of GetForecast, or a part of it"),
    "tools": (PLAIN_CHATML, REPLY, {"tools": [TOOL]}, "leaves out the function GetForecast"),
    "earlier call": (
        PLAIN_CHATML,
        REPLY,
        {"between": [call_of("GetForecast"), RESULT]},
        "leaves out an earlier call of GetForecast",
    ),
    "thought": (trl_template("qwen2_5"), THOUGHT, {}, "leaves out the thought of the target"),
    "user": ("{% for m in messages[1:] %}{{ m.content }}{% endfor %}", REPLY, {}, "leaves out a message of the user"),
    "observation": (
        "{% for m in messages if m.role != 'tool' %}{{ m }}{% endfor %}",
        REPLY,
        {"between": [call_of("GetForecast"), RESULT]},
        "leaves out an observation",
    ),
    "second call": (
        trl_template("gptoss"),
        {**call_of("A"), "tool_calls": [*call_of("A")["tool_calls"], *call_of("GetForecast")["tool_calls"]]},
        {},
        "leaves out the call of GetForecast, or a part of it",
    ),
    "refusal": (
        trl_template("llama3_1"),
        {**call_of("A"), "tool_calls": call_of("A")["tool_calls"] * 2},
        {},
        "fails: This model only supports single tool-calls at once!",
    ),
    "opened thought": (
        trl_template("deepseekv3"),
        REPLY,
        {},
        "renders the prompt differently when the answer follows",
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_a_template_that_leaves_something_out_is_an_error(case: str, words: Tokenizer) -> None:
    template, target, more, message = LOSSES[case]
    with pytest.raises(ChatError) as caught:
        write_messages(target, template, words, **more)
    assert str(caught.value) == f"the chat template of models/some {message}"


def test_a_template_that_leaves_an_argument_out_is_an_error(words: Tokenizer) -> None:
    template = PLAIN_CHATML.replace(
        "m.content", "m.content ~ m.tool_calls[0].function.name if m.tool_calls else m.content"
    )
    with pytest.raises(ChatError, match="leaves out the call of GetForecast, or a part of it"):
        write_messages(call_of("GetForecast"), template, words)


@pytest.mark.parametrize("value", ['it\'s "dry"', "Zürich", "a\nb", "\\", 1.5, True, None, ["x", {"y": 2}]])
def test_escaped_arguments_count_as_shown(value: Any, words: Tokenizer) -> None:
    target = {
        **call_of("F"),
        "tool_calls": [{"type": "function", "function": {"name": "F", "arguments": {"at": value}}}],
    }
    for name in ("qwen3", "lfm2_v2", "gemma4_v5", "glm4moe"):
        assert "F" in write_messages(target, trl_template(name), words).target


def test_a_template_that_wants_arguments_as_text_gets_them_so(words: Tokenizer) -> None:
    """As DeepSeek V3's, which adds them to a text."""
    call = "(m.tool_calls[0].function.name + m.tool_calls[0].function.arguments)"
    template = PLAIN_CHATML.replace("m.content", f"{call} if m.tool_calls else m.content")
    assert 'GetForecast{"city": "Seattle"}' in write_messages(call_of("GetForecast"), template, words).target


def test_a_prompt_can_be_written_for_messages_with_no_answer(words: Tokenizer) -> None:
    conversation = Conversation([{"role": "user", "content": "Hello"}], [TOOL], thinks=False)
    prompt = write_prompt(conversation, wrap(words, OWN_TEMPLATE))
    assert prompt.startswith('<|tools|>[{"type": "function"')
    assert prompt.endswith("<|user|>Hello<|end|><|assistant|>")
