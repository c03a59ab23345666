"""The answer that a corpus keeps beside the question: in a column, in two places, or in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from coalm_it.corpora.columns import Columns
from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.parsing import read_records
from coalm_it.corpora.records import BadRecord, parse_json
from coalm_it.corpora.sources import SourceError
from coalm_it.readers.messages.lookup import get_value
from coalm_it.readers.messages.parts import NAMES
from coalm_it.readers.messages.places import fill_name, find_file

_OF_CALLS = {*NAMES, "function", "tool_calls"}


def find_answer(record: Any, corpus: Corpus, file: RawFile, functions: Collection[str]) -> dict[str, Any]:
    """The answer as the last message: it is one, or calls, or a text. No calls are the decision to make none.

    `functions` are the names of the functions of the record. Raises BadRecord.
    """
    columns = corpus.columns
    if columns.answer_file is not None:
        record = _join(record, corpus, columns, fill_name(columns.answer_file, record, file))
    value = _parse(get_value(record, str(columns.answer)), "answer")
    if columns.answer_arguments is not None:
        given = _parse(get_value(record, columns.answer_arguments), columns.answer_arguments)
        return {"role": "function_call", "content": _join_lists(value, given)}
    if value is None:
        raise BadRecord(f"answer: {columns.answer} is null; [] would be the decision to call nothing")
    if isinstance(value, dict) and ("role" in value or "content" in value):
        return {"role": "assistant", **value}
    if isinstance(value, str):
        return {"role": "assistant", "content": value}
    items = value if isinstance(value, list) else [value]
    calls = [call for item in items for call in (_list_by_name(item, functions) if _is_by_name(item) else [item])]
    return {"role": "function_call", "content": calls}


def _parse(value: Any, what: str) -> Any:
    return parse_json(value, what) if isinstance(value, str) and value.lstrip().startswith(("{", "[")) else value


def _join_lists(names: Any, arguments: Any) -> list[dict[str, Any]]:
    """Calls, of their names and their arguments."""
    lists = [one if isinstance(one, list) else [one] for one in (names, arguments)]
    if len(lists[0]) != len(lists[1]):
        raise BadRecord(f"answer: {len(lists[0])} functions, but arguments for {len(lists[1])}")
    return [{"name": name, "arguments": given} for name, given in zip(*lists, strict=True)]


def _is_by_name(item: Any) -> bool:
    """Whether an object has the arguments of each call under the name of the function."""
    if not isinstance(item, dict) or not item or not _OF_CALLS.isdisjoint(item):
        return False
    return all(isinstance(value, dict) for value in item.values())


def _list_by_name(item: Mapping[str, Any], functions: Collection[str]) -> Iterator[dict[str, Any]]:
    """The calls; a key can't occur twice, so that the second call of a function `f` has the key `f_1` or `f_2`."""
    for key, arguments in item.items():
        base = re.sub(r"_\d+$", "", key)
        yield {"name": base if key not in functions and base in functions else key, "arguments": arguments}


# --- a file of answers ---


def _join(record: Any, corpus: Corpus, columns: Columns, name: str) -> Any:
    """The record of the same id in the file of answers."""
    id = str(get_value(record, str(columns.id)))
    other = find_file(corpus, name)
    found = _group_by_id(other, other.version, str(columns.id)).get(id, [])
    if len(found) != 1:
        raise BadRecord(f"{len(found) or 'no'} answers with the id {id!r} in {name}")
    return found[0]


@lru_cache(maxsize=8)
def _group_by_id(file: RawFile, version: tuple[int, int], column: str) -> dict[str, list[Any]]:
    try:
        records = read_records(file)
    except SourceError as error:
        raise BadRecord(str(error)) from None
    grouped: dict[str, list[Any]] = {}
    for record in records:
        if isinstance(record, dict) and column in record:
            grouped.setdefault(str(record[column]), []).append(record)
    return grouped
