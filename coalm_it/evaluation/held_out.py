"""The benchmark `held_out`: validation rows of a build; calls, the decision not to call, and dialogue states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from coalm_it.calls.markup import (
    COLUMN_FORMATS,
    FENCE,
    TEMPLATE_FORMATS,
    Format,
    Reading,
    find_format,
    read_move,
    split_thought,
)
from coalm_it.dataset.finished import CONFIG_OF_FORM, FinishedBuild
from coalm_it.dataset.published import open_anywhere
from coalm_it.draw import stable_hash
from coalm_it.errors import RequestError, ShortfallError
from coalm_it.evaluation.config import Evaluation
from coalm_it.evaluation.items import (
    Item,
    ItemList,
    JudgedItem,
    Judgement,
    Output,
    Verdict,
    dump_calls,
    judge_missing,
    judge_unreadable,
)
from coalm_it.evaluation.metrics import Scores, score_calls, score_state
from coalm_it.listener import Silent
from coalm_it.rendering.chat import Conversation, Form, read_conversation
from coalm_it.rendering.messages import parse_texts
from coalm_it.schema import Call, parse_dialogue_name

CONFIG = Evaluation
READS_BUILD = True


class HeldOutError(RequestError):
    """The build has no rows to evaluate on; one line."""


Reference = tuple[Call, ...] | dict[str, Any]
"""The expected calls (empty where no call is expected), or the expected state."""


# --- items ---


def list_items(data: Path, config: Evaluation) -> ItemList:
    """The prompts of the validation rows of the build in `data`, a folder or USER/NAME on the Hub.

    Replies of the published layout are not asked: their prompt shows no functions, so there is nothing to decide. If a
    part and task has more rows than `config.rows`, a stable hash of seed and id selects them.
    Raises HeldOutError: no validation rows; FolderError: no finished build, or a file has changed since it was built.
    """
    build = _open_build(data)
    rows = list(_read_rows(build, config.form))
    asked = [row for row in rows if not _needs_no_decision(row, build, config.form)]
    order = sorted(asked, key=lambda row: (stable_hash("held out rows", config.seed, row["id"]), row["id"]))
    taken: Counter[tuple[str, str]] = Counter()
    items = []
    for row in order:
        group = row["part"], row["task"]
        taken[group] += 1
        if config.rows is None or taken[group] <= config.rows:
            items.append(_make_item(row, config))
    items.sort(key=lambda item: (item.part, item.task, item.id))
    origin = {"build": build.manifest.build, "name": build.manifest.name, "manifest_sha256": build.sha256}
    return ItemList(items, origin, not_asked=len(rows) - len(asked))


def _open_build(data: Path) -> FinishedBuild:
    build = open_anywhere(data, Silent())
    names = [name for config in CONFIG_OF_FORM.values() for name in build.list_files(config, "validation")]
    if not names:
        raise HeldOutError(f"{data} has no validation rows: build it with --set validation=0.01")
    build.check_files(names)
    return build


def _read_rows(build: FinishedBuild, form: Form) -> Iterator[dict[str, Any]]:
    """The rows of config `samples`; for form columns with the three columns added."""
    for name in build.list_files("samples", "validation"):
        rows: list[dict[str, Any]] = pq.read_table(build.folder / name).to_pylist()
        if form == "columns":
            columns_file = build.folder / name.replace("/samples/", f"/{CONFIG_OF_FORM[form]}/")
            columns = pq.read_table(columns_file).to_pylist()
            rows = [{**row, **three} for row, three in zip(rows, columns, strict=True)]
        yield from rows


def _needs_no_decision(row: Mapping[str, Any], build: FinishedBuild, form: Form) -> bool:
    layout = build.manifest.recipe.parts[row["part"]].layout
    return form == "columns" and row["task"] == "react_response" and layout != "varied"


def _make_item(row: Mapping[str, Any], config: Evaluation) -> Item:
    conversation = read_conversation(row, config.form, config.thoughts)
    *before, target = conversation.messages
    functions = tuple(tool["function"]["name"] for tool in parse_texts(row["tools"]))
    reference, formats = _read_reference(row, target, config.form, functions)
    return Item(
        id=row["id"],
        part=row["part"],
        task=row["task"],
        cluster=parse_dialogue_name(row["id"]),
        prompt=conversation._replace(messages=before),
        reference=reference,
        gold=reference if isinstance(reference, dict) else dump_calls(reference) or "no call",
        formats=formats,
        functions=functions,
    )


def _read_reference(
    row: Mapping[str, Any], target: Mapping[str, Any], form: Form, functions: tuple[str, ...]
) -> tuple[Reference, tuple[Format, ...]]:
    """The target of the row, read like an answer of a model, and the formats that an answer may have."""
    if row["task"] == "state_tracking":
        state = read_state(target["content"])[1]
        if state is None:
            raise ShortfallError(f"{row['id']}: the target of the row is not a state")
        return state, ()
    if form == "messages":
        calls = [one["function"] for one in target.get("tool_calls", ())]
        return tuple(Call(name=one["name"], arguments=one["arguments"]) for one in calls), TEMPLATE_FORMATS
    if "tool_calls" not in parse_texts(row["completion"])[0]:
        return (), COLUMN_FORMATS
    found = find_format(target["content"])
    if found is None:
        raise ShortfallError(f"{row['id']}: the calls in the target of the row cannot be read")
    return read_move(target["content"], [found], functions).calls or (), (found,)


def next_prompt(item: Item, outputs: Sequence[Output]) -> Conversation | None:
    """A row has one prompt."""
    return None


# --- answers ---


def judge(item: Item, outputs: Sequence[Output]) -> Judgement:
    """Scores: exact, function and argument_f1 if calls are expected, refusal if none is; jga and slot_f1 of states."""
    (output,) = outputs
    worst = _score(item.reference, None)
    if judgement := judge_missing(output, worst):
        return judgement
    if isinstance(item.reference, dict):
        return _judge_state(item.reference, output.text)
    reading = read_move(output.text, item.formats, item.functions)
    if judgement := judge_unreadable(reading, worst):
        return judgement
    scores = _score(item.reference, reading)
    parsed = dump_calls(reading.calls) if reading.calls is not None else reading.text
    return Judgement(_find_verdict(item.reference, reading, scores), scores, parsed, reading.thought)


def _judge_state(reference: dict[str, Any], text: str) -> Judgement:
    thought, state = read_state(text)
    scores = score_state(state, reference)
    if state is None:
        return Judgement("unparsable", scores, None, thought, "no JSON object")
    return Judgement("right" if scores["jga"][0] else "wrong", scores, state, thought)


def _score(reference: Reference, reading: Reading | None) -> Scores:
    """`reading` None: there is no readable answer, and every score is 0."""
    if isinstance(reference, dict):
        return score_state(None, reference)
    if reference:
        return score_calls(reading.calls if reading else None, reference)
    return {"refusal": (float(reading is not None and reading.makes_no_call), 1)}


def _find_verdict(reference: tuple[Call, ...], reading: Reading, scores: Scores) -> Verdict:
    if not reference:
        return "right" if reading.makes_no_call else "needless call"
    if reading.makes_no_call:
        return "no call"
    return "right" if scores["exact"][0] else "wrong"


def read_state(output: str) -> tuple[str | None, dict[str, Any] | None]:
    """The thought, and the JSON object of a state; None if the rest of the output is anything else."""
    thought, body = split_thought(output)
    try:
        value = json.loads(FENCE.sub("", body))
    except (ValueError, RecursionError):
        return thought, None
    return thought, value if isinstance(value, dict) else None


def sum_up(judged: Sequence[JudgedItem]) -> dict[str, float]:
    """Nothing is published about the rows of a build."""
    return {}
