r"""Conversations with tools in the format of OpenAI or ShareGPT: any such corpus needs only a YAML file.

A JSON list, JSON lines, or Parquet (as `load_dataset` opens it). The columns are called `messages` (or
`conversations`) and `tools`, unless `columns` in the YAML of the source says otherwise. A shortened record:

    {"messages": [{"role": "user", "content": "How warm is it in Oban?"},
       {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
          "function": {"name": "get_weather", "arguments": "{\"city\": \"Oban\"}"}}]},
       {"role": "tool", "tool_call_id": "c1", "content": "{\"celsius\": 11}"},
       {"role": "assistant", "content": "11 degrees."}],
     "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {...}}}]}

- Role and text: role and content, or from and value (human, gpt, function_call, observation). Content is a text, or a
  list of parts (see parts.py). The messages of Anthropic, Gemini and Bedrock, and the items of the Responses API, are
  read too.
- Calls: `tool_calls` or `function_call` of a message, with arguments as an object or its JSON text; a message of the
  role function_call; parts; and in the text, as chat templates and ReAct write them (see markup.py). Columns, messages
  and calls may be JSON texts.
- Results are paired with calls by id, else by name, else in order. One message may contain several, as a list of
  {name, content} (or results), or as a list with one value per call.
- Reasoning (`reasoning_content`, parts, <think> at the beginning of a text) is the thought of a step or a reply.
- A message of the assistant with `weight: 0`, `loss: false`, `train: false` or `mask: true` is context and no target.
- Functions: the column, or without it `tools` of a system message, or a list in its text (see system_tools).
- Arguments that are right but for their form are mended and counted: 5.0 or "5" for an integer (see corpora/mending).
  A parameter of which nobody says whether it is required is optional where a call of the record omits it.
- A record with `prompt` and `completion` is a conversation of which only the completion is learnt (see own_rows); the
  trajectories of agents (ATIF, the session traces of the Hub) are read too (see trajectories).
- What the system says (system and developer messages, the columns `system`, `system_prompt`, `instructions` and
  `systemInstruction`) is kept, without lists of functions and the format of calls (see system_text). The day that it
  calls today, or the column `clock`, is the clock of the dialogue.

Other shapes are described in the YAML: see `Columns`, and docs/own_corpus.md for the settings of many corpora.

A record without tools is accepted if it has no calls. Lost in conversion: all other columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coalm_it.corpora.conversations import build_content
from coalm_it.corpora.corpus import Corpus, Shard
from coalm_it.corpora.mending import mend_turns
from coalm_it.corpora.record_ids import list_earlier_ids, number_record, read_id
from coalm_it.corpora.records import DialogueContent, convert_dialogues, parse_json, report_unreadable_file
from coalm_it.corpora.toolspecs import loosen_tools
from coalm_it.readers.messages.answers import find_answer
from coalm_it.readers.messages.moves import drop_unanswered, hide_speech, take_speech
from coalm_it.readers.messages.own_rows import find_dialogue_column, refuse_state
from coalm_it.readers.messages.places import find_messages, find_tools, list_beginnings, read_records_at
from coalm_it.readers.messages.selection import refuse_beginning, refuse_unwanted
from coalm_it.readers.messages.system import add_system, clean_messages, find_system_texts, find_task_day
from coalm_it.readers.messages.talk import read_messages
from coalm_it.readers.messages.texts import cut_texts
from coalm_it.schema import Dialogue, Fault, Inventory


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: a row shows the functions of its own record."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The conversations of one shard; an invalid record is a Fault, and the others are still read."""
    columns = corpus.columns
    read = read_records_at(columns.records)
    records = read(shard.file)
    id_column = columns.id or find_dialogue_column(records)
    beginnings = list_beginnings(shard.file, columns) if columns.prefixes == "drop" else frozenset()

    def convert(record: Any) -> DialogueContent:
        value = parse_json(record, "record") if isinstance(record, str) else record
        refuse_unwanted(value, columns)
        messages = find_messages(value, columns)
        refuse_beginning(messages, beginnings)
        refuse_state(value, messages)
        texts = find_system_texts(value, columns)
        tools = find_tools(value, corpus, shard.file, messages, texts)
        if columns.answer is not None:
            answer = find_answer(value, corpus, shard.file, [tool.name for tool in tools])
            messages += cut_texts([answer], columns.cut)
        moves = clean_messages(read_messages(messages, tools), tools)
        if columns.replies or columns.thoughts:
            moves, tools = list(take_speech(moves, columns)), hide_speech(tools, columns)
        if columns.unanswered == "drop":
            moves = drop_unanswered(moves)
        content = build_content(moves, tools)
        turns, mended = mend_turns(content.turns, tools)
        calls = [call for turn in turns for step in turn.steps for call in step.calls]
        content = content._replace(turns=turns, tools=loosen_tools(tools, calls), mended=mended)
        return add_system(content, value, columns, texts, find_task_day(messages))

    def name(record: Any, index: int) -> str:
        return read_id(record, id_column, shard.file, index) if id_column else number_record(shard.file, index)

    earlier = list_earlier_ids(corpus, split, shard.file, id_column, read) if id_column else ()
    return convert_dialogues(
        corpus, split, shard, licence, records=records, convert=convert, name=name, earlier=earlier
    )
