"""Row of a build -> text for a model: a prompt that ends where the model starts to generate, and its target.

Training and evaluation share it, so that a model is prompted as it was trained. The prompt is the output of the chat
template for the messages before the target. Its output for all messages must begin with the prompt; the rest is the
target. This works for any chat template. A template that leaves something out is an error: a thought, a call or an
argument of the target; a tool, a call, an observation or an utterance of the prompt.

- Form `columns` is one user message (instruction, blank line, input) and the output. A tokenizer without a chat
  template gets plain text: its begin token if it adds one, instruction, input and output separated by blank lines, and
  its end token.
- Form `messages` is the conversation of config `samples`, with its tools. It needs a chat template.
- Templates with the variable `enable_thinking` are told whether thoughts are wanted: Qwen 3 then closes the thought in
  the prompt, or leaves it to the model. If thoughts are wanted, the row has none, and the prompt opens a thought that
  the template does not show as empty in the target (Nemotron 3), the prompt with thinking off is used.
- Text after the end token of the target (a line break) is never generated and so not part of the target. If a template
  ends the target without a special token (GLM 4), the end token of the tokenizer is added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from coalm_it.errors import RequestError
from coalm_it.rendering.messages import parse_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Form = Literal["columns", "messages"]
"""The configs `coalm_it` and `samples` of a build."""


class ChatError(RequestError):
    """A row that the chat template cannot render completely; the message names the template and the reason."""


class Conversation(NamedTuple):
    """Messages in the form for chat templates and endpoints; for a row, the last message is the target."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    thinks: bool
    """Whether the model should write thoughts."""


class Example(NamedTuple):
    """A prompt and its target, with special tokens: tokenize them with `add_special_tokens=False`."""

    prompt: str
    target: str
    """The text that the model should generate, including its end token."""


class Tokens(NamedTuple):
    """The token ids of an example."""

    ids: list[int]
    start: int
    """Index of the first token of the target; the loss is on all tokens from there."""


def read_conversation(row: Mapping[str, Any], form: Form, thoughts: bool = True) -> Conversation:
    """The conversation of a row of config `coalm_it` (form columns) or `samples` (form messages).

    Without `thoughts`, reasoning_content is removed from all messages. In form columns thoughts are part of the text.
    """
    if form == "columns":
        asked = {"role": "user", "content": f"{row['instruction']}\n\n{row['input']}"}
        return Conversation([asked, {"role": "assistant", "content": row["output"]}], [], thinks=False)
    messages = [*parse_texts(row["prompt"]), *parse_texts(row["completion"])]
    if not thoughts:
        messages = [
            {key: value for key, value in message.items() if key != "reasoning_content"} for message in messages
        ]
    return Conversation(messages, parse_texts(row["tools"]), thinks=thoughts)


def write_prompt(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt for the message after the last one; for the target of a row, see `write_example`. Raises ChatError."""
    if not tokenizer.chat_template:
        return _write_plain_prompt(conversation, tokenizer)
    return _apply_template(conversation, tokenizer, add_generation_prompt=True)


def write_example(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> Example:
    """Prompt and target of the conversation of a row. Raises ChatError if the template leaves a part of it out."""
    before, target = conversation._replace(messages=conversation.messages[:-1]), conversation.messages[-1]
    prompt = write_prompt(before, tokenizer)
    if not tokenizer.chat_template:
        return Example(prompt, _end_target(target["content"], tokenizer))
    whole = _apply_template(conversation, tokenizer, add_generation_prompt=False)
    if not whole.startswith(prompt) and conversation.thinks and "reasoning_content" not in target:
        prompt = write_prompt(before._replace(thinks=False), tokenizer)
    if not whole.startswith(prompt):
        raise ChatError(f"{_name_template(tokenizer)} renders the prompt differently when the answer follows")
    example = Example(prompt, _end_target(whole[len(prompt) :], tokenizer))
    lost = next(_find_losses(conversation, example), None)
    if lost:
        raise ChatError(f"{_name_template(tokenizer)} leaves out {lost}")
    return example


def tokenize_examples(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase) -> list[Tokens]:
    """The tokens of each example; those of the prompt are the same as for the prompt alone."""
    prompts = _tokenize([example.prompt for example in examples], tokenizer)
    wholes = _tokenize([example.prompt + example.target for example in examples], tokenizer)
    tokens = []
    for example, prompt, whole in zip(examples, prompts, wholes, strict=True):
        if whole[: len(prompt)] != prompt:  # a token would cross the end of the prompt
            whole = prompt + _tokenize([example.target], tokenizer)[0]
        tokens.append(Tokens(whole, len(prompt)))
    return tokens


def _tokenize(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return ids


# --- chat templates ---


def _apply_template(conversation: Conversation, tokenizer: PreTrainedTokenizerBase, add_generation_prompt: bool) -> str:
    """The output of the template; one that fails on arguments as objects (DeepSeek V3) gets them as JSON texts."""
    try:
        return _render(conversation, tokenizer, add_generation_prompt)
    except ChatError:
        written = [*map(_write_arguments, conversation.messages)]
        if written == conversation.messages:
            raise
        with suppress(ChatError):
            return _render(conversation._replace(messages=written), tokenizer, add_generation_prompt)
        raise


def _write_arguments(message: dict[str, Any]) -> dict[str, Any]:
    """The message with the arguments of its calls as JSON texts."""
    if "tool_calls" not in message:
        return message
    calls = [
        {**call, "function": {**call["function"], "arguments": json.dumps(arguments, ensure_ascii=False)}}
        for call in message["tool_calls"]
        for arguments in (call["function"]["arguments"],)
    ]
    return {**message, "tool_calls": calls}


def _render(conversation: Conversation, tokenizer: PreTrainedTokenizerBase, add_generation_prompt: bool) -> str:
    try:
        text = tokenizer.apply_chat_template(
            conversation.messages,
            tools=[*conversation.tools] or None,
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            enable_thinking=conversation.thinks,
        )
    except Exception as error:  # a template is foreign code
        raise ChatError(f"{_name_template(tokenizer)} fails: {' '.join(str(error).split())}") from None
    return str(text)


def _name_template(tokenizer: PreTrainedTokenizerBase) -> str:
    return f"the chat template of {tokenizer.name_or_path or 'the tokenizer'}"


def _write_plain_prompt(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> str:
    if conversation.tools or [message["role"] for message in conversation.messages] != ["user"]:
        name = tokenizer.name_or_path or "the tokenizer"
        raise ChatError(f"{name} has no chat template, which form messages needs; use form columns")
    begins = tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]
    return f"{tokenizer.bos_token if begins else ''}{conversation.messages[0]['content']}\n\n"


def _end_target(target: str, tokenizer: PreTrainedTokenizerBase) -> str:
    target = target.rstrip()
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    if target.endswith(tuple(special)):
        return target
    if not tokenizer.eos_token:
        raise ChatError(f"the tokenizer {tokenizer.name_or_path} has no end token, which every target needs")
    return f"{target}{tokenizer.eos_token}"


# --- checking that nothing is left out ---


def _find_losses(conversation: Conversation, example: Example) -> Iterator[str]:
    *before, target = conversation.messages
    prompt, answer = (text.replace("\\", "") for text in (example.prompt, example.target))
    if not _is_shown(target.get("reasoning_content", ""), answer):
        yield "the thought of the target"
    if not _is_shown(target.get("content", ""), answer):
        yield "the text of the target"
    for call in target.get("tool_calls", ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        if not all(_is_shown(leaf, answer) for leaf in [name, *_list_leaves(arguments)]):
            yield f"the call of {name}, or a part of it"
    for tool in conversation.tools:
        if not _is_shown(tool["function"]["name"], prompt):
            yield f"the function {tool['function']['name']}"
    for message in before:
        if not _is_shown(message.get("content", ""), prompt):
            yield "an observation" if message["role"] == "tool" else f"a message of the {message['role']}"
        for call in message.get("tool_calls", ()):
            if not _is_shown(call["function"]["name"], prompt):
                yield f"an earlier call of {call['function']['name']}"


def _is_shown(value: Any, text: str) -> bool:
    """Whether a value occurs in a text, as plain text, JSON or Python. Backslashes are ignored (escaped quotes)."""
    if isinstance(value, str) and value.strip() in text:
        return True
    written = (str(value).strip(), json.dumps(value, ensure_ascii=False), json.dumps(value))
    return any(form.strip('"').replace("\\", "") in text for form in written)


def _list_leaves(value: Any) -> Iterator[Any]:
    """The keys and values of arguments, without the structure around them, which templates write differently."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _list_leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_leaves(inner)
    else:
        yield value
