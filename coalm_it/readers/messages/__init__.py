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
  list of parts (see parts.py). The messages of Anthropic and Gemini, and the items of the Responses API, are read too.
- Calls: `tool_calls` or `function_call` of a message, with arguments as an object or its JSON text; a message of the
  role function_call; parts; and in the text, as chat templates write them (see markup.py). Columns, messages and calls
  may be JSON texts.
- Results are paired with calls by id, else by name, else in order. One message may contain several, as a list of
  {name, content} (or results), or as a list with one value per call.
- Reasoning (`reasoning_content`, parts, <think> at the beginning of a text) is the thought of a step or a reply.
- A message of the assistant with `weight: 0`, `loss: false`, `train: false` or `mask: true` is context and no target.
- Functions: the column, or without it `tools` of a system message, or a list in its text (see system_tools).

Arguments that are right but for their form are mended (5.0 or "5" for an integer, see corpora/mending.py) and counted.

A parameter of which nobody says whether it is required is optional where a call of the record omits it.

A record without tools is accepted if it has no calls. Lost in conversion: system messages (a row has the system text of
its layout) and all other columns.
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
from coalm_it.readers.messages.places import find_messages, find_tools, list_records
from coalm_it.readers.messages.talk import read_messages
from coalm_it.schema import Dialogue, Fault, Inventory


def read_inventory(corpus: Corpus, split: str) -> Inventory:
    """Empty: a row shows the functions of its own record."""
    return Inventory()


@report_unreadable_file
def read_dialogues(corpus: Corpus, split: str, shard: Shard, *, licence: str) -> Iterator[Dialogue | Fault]:
    """The conversations of one shard; an invalid record is a Fault, and the others are still read."""
    columns = corpus.columns

    def convert(record: Any) -> DialogueContent:
        value = parse_json(record, "record") if isinstance(record, str) else record
        messages = find_messages(value, columns)
        tools = find_tools(value, corpus, messages)
        content = build_content(list(read_messages(messages, tools)), tools)
        turns, mended = mend_turns(content.turns, tools)
        calls = [call for turn in turns for step in turn.steps for call in step.calls]
        return content._replace(turns=turns, tools=loosen_tools(tools, calls), mended=mended)

    def name(record: Any, index: int) -> str:
        return read_id(record, columns.id, shard.file, index) if columns.id else number_record(shard.file, index)

    earlier = list_earlier_ids(corpus, split, shard.file, columns.id) if columns.id else ()
    records = list_records(shard.file, columns)
    return convert_dialogues(
        corpus, split, shard, licence, records=records, convert=convert, name=name, earlier=earlier
    )
