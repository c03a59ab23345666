"""What a finished build holds, by part and in all: rows, turns, calls, lengths in tokens, languages, licences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import orjson
import pyarrow as pa

from coalm_it.dataset.card import describe_licence, describe_terms
from coalm_it.dataset.finished import FinishedBuild, open_build
from coalm_it.dataset.tables import Split
from coalm_it.licences import group_by_term, permits_commercial_use
from coalm_it.listener import Listener, Silent
from coalm_it.reports.columns import read_batches
from coalm_it.reports.languages import name_language
from coalm_it.schema import parse_dialogue_name
from coalm_it.templates import read_yaml
from coalm_it.tokens import BYTES_PER_TOKEN, TokenCounter, find_tokenizer

LIMITS = (2_048, 4_096, 8_192)
"""Tokens of prompt and completion together, for which the number of longer rows is told."""
_COLUMNS = ["id", "part", "source", "turn", "licence", "prompt", "completion", "tools", "thought"]
_TEXTS = ["instruction", "input", "output"]
_BATCH_ROWS = 1_000


@dataclass
class Lengths:
    """Lengths of some texts, in tokens."""

    texts: int = 0
    tokens: int = 0
    longest: int = 0
    longer_than: dict[int, int] = field(default_factory=lambda: dict.fromkeys(LIMITS, 0))

    def add(self, count: int) -> None:
        self.texts += 1
        self.tokens += count
        self.longest = max(self.longest, count)
        for limit in LIMITS:
            self.longer_than[limit] += count > limit

    @property
    def mean(self) -> float:
        return self.tokens / self.texts if self.texts else 0.0

    def __add__(self, other: Lengths) -> Lengths:
        longer = {limit: self.longer_than[limit] + other.longer_than[limit] for limit in LIMITS}
        return Lengths(self.texts + other.texts, self.tokens + other.tokens, max(self.longest, other.longest), longer)

    def to_json(self, of_rows: bool) -> dict[str, Any]:
        about = {"tokens": self.tokens, "mean": round(self.mean, 1), "longest": self.longest}
        longer = {str(limit): count for limit, count in self.longer_than.items()}
        return {**about, "longer_than": longer} if of_rows else {"number": self.texts, **about}


@dataclass
class PartStats:
    """What the rows of a part hold; parts can be added."""

    rows: Counter[str] = field(default_factory=Counter)
    """Split of the build -> rows."""
    dialogues: set[str] = field(default_factory=set)
    turns: set[tuple[str, int]] = field(default_factory=set)
    calls: int = 0
    without_call: int = 0
    """Rows whose target has no call."""
    arguments: int = 0
    called: set[str] = field(default_factory=set)
    """Functions that targets call."""
    shown: set[str] = field(default_factory=set)
    """Functions that rows show."""
    samples: Lengths = field(default_factory=Lengths)
    """Prompt, completion and functions of each row."""
    columns: Lengths = field(default_factory=Lengths)
    """Instruction, input and output of each row."""
    thoughts: Lengths = field(default_factory=Lengths)
    replies: Lengths = field(default_factory=Lengths)
    """Targets that are a text."""
    languages: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: PartStats) -> PartStats:
        names = self.__dataclass_fields__
        return PartStats(**{name: _join(getattr(self, name), getattr(other, name)) for name in names})

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows.total(),
            "splits": dict(self.rows),
            "dialogues": len(self.dialogues),
            "turns": len(self.turns),
            "calls": self.calls,
            "without_call": self.without_call,
            "arguments": self.arguments,
            "functions_called": len(self.called),
            "functions_shown": len(self.shown),
            "samples": self.samples.to_json(of_rows=True),
            "coalm_it": self.columns.to_json(of_rows=True),
            "thoughts": self.thoughts.to_json(of_rows=False),
            "replies": self.replies.to_json(of_rows=False),
            "languages": dict(self.languages.most_common()),
            "licences": dict(self.licences.most_common()),
        }


@dataclass(frozen=True)
class Stats:
    """What a build holds."""

    name: str
    """Name of the recipe."""
    tokenizer: str
    """Name of the tokenizer; "" where tokens are estimated."""
    parts: dict[str, PartStats]
    licences: dict[str, str]
    """Licence -> what it says."""
    terms: dict[str, dict[str, Any]]
    """What the licences mean for the whole -> `licences` that demand it, and the sentence, `meaning`."""
    commercial_rows: int
    """Rows whose licence is known to permit commercial use and changed copies."""
    published: dict[str, dict[str, int]]
    """`rows`, `tokens` (part -> figure) as published, for the recipe coalm_it; else empty."""

    @property
    def whole(self) -> PartStats:
        """All parts together."""
        return sum(self.parts.values(), PartStats())

    @property
    def method(self) -> str:
        """How tokens were counted, in words."""
        return f"tokenizer {self.tokenizer}" if self.tokenizer else f"estimated, {BYTES_PER_TOKEN} bytes a token"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "tokens_by": self.method,
            "parts": {name: part.to_json() for name, part in self.parts.items()},
            "all": self.whole.to_json(),
            "licences": self.licences,
            "terms": self.terms,
            "commercial_rows": self.commercial_rows,
            "published": self.published,
        }


def _join(one: Any, other: Any) -> Any:
    return one | other if isinstance(one, set) else one + other


def stats(folder: str | Path, *, tokenizer: str = "", listener: Listener | None = None) -> Stats:
    """Measures a build folder. `tokenizer` is a folder with a tokenizer.json, or a name on the Hub; "": an estimate.

    Raises FolderError (no finished build, a changed file), MissingExtraError, TokenizerError, TokenizerHubError.
    """
    counter = TokenCounter(find_tokenizer(tokenizer) if tokenizer else None)
    build = open_build(Path(folder))
    build.check_files(name for name in build.manifest.files if name.startswith(("data/samples/", "data/coalm_it/")))
    parts = {name: PartStats() for name in build.manifest.parts}
    _measure(build, counter, parts, listener or Silent())
    licences = sum((part.licences for part in parts.values()), Counter[str]())
    grouped, meanings = group_by_term(licences), describe_terms(licences)
    return Stats(
        name=build.manifest.name,
        tokenizer=tokenizer and (Path(tokenizer).name if Path(tokenizer).exists() else tokenizer),
        parts=parts,
        licences={name: describe_licence(name) for name in licences},
        terms={term: {"licences": having, "meaning": meanings[term]} for term, having in grouped.items()},
        commercial_rows=sum(rows for name, rows in licences.items() if permits_commercial_use(name)),
        published=read_yaml("release/published.yaml") if build.manifest.name == "coalm_it" else {},
    )


def _measure(build: FinishedBuild, counter: TokenCounter, parts: Mapping[str, PartStats], listener: Listener) -> None:
    languages = {name: source.languages for name, source in build.manifest.sources.items()}
    total = sum(part.rows + part.validation for part in build.manifest.parts.values())
    done = 0
    for split in get_args(Split):
        samples = read_batches(build, "samples", split, _COLUMNS, _BATCH_ROWS)
        texts = read_batches(build, "coalm_it", split, _TEXTS, _BATCH_ROWS)
        for batch, three in zip(samples, texts, strict=True):
            rows = batch.to_pylist()
            _add_contents(rows, parts, split, languages)
            _add_lengths(rows, three, counter, parts)
            done += len(rows)
            listener.advance("rows", done, total)


def _add_contents(
    rows: Sequence[dict[str, Any]], parts: Mapping[str, PartStats], split: str, languages: Mapping[str, Sequence[str]]
) -> None:
    for row in rows:
        part, dialogue = parts[row["part"]], parse_dialogue_name(row["id"])
        part.rows[split] += 1
        part.dialogues.add(dialogue)
        part.turns.add((dialogue, row["turn"]))
        part.licences[row["licence"]] += 1
        part.languages[name_language(row["prompt"], languages.get(row["source"], ()))] += 1
        part.shown.update(map(_read_name, row["tools"] or ()))
        calls = [call["function"] for text in row["completion"] for call in orjson.loads(text).get("tool_calls", ())]
        part.calls += len(calls)
        part.without_call += not calls
        part.arguments += sum(len(call["arguments"]) for call in calls)
        part.called.update(call["name"] for call in calls)


@lru_cache(65_536)
def _read_name(tool: str) -> str:
    return str(orjson.loads(tool)["function"]["name"])


def _add_lengths(
    rows: Sequence[dict[str, Any]], three: pa.RecordBatch, counter: TokenCounter, parts: Mapping[str, PartStats]
) -> None:
    counts = [counter.count_texts(column.to_pylist()) for column in three.columns]
    wholes = counter.count_json([[*row["prompt"], *row["completion"], *(row["tools"] or ())] for row in rows])
    for row, sizes, whole in zip(rows, zip(*counts, strict=True), wholes, strict=True):
        parts[row["part"]].columns.add(sum(sizes))
        parts[row["part"]].samples.add(whole)
    thoughts = [(row["part"], row["thought"]) for row in rows if row["thought"] is not None]
    replies = [(row["part"], text) for row in rows for text in _list_replies(row["completion"])]
    for (part, _), size in zip(thoughts, counter.count_texts([text for _, text in thoughts]), strict=True):
        parts[part].thoughts.add(size)
    for (part, _), size in zip(replies, counter.count_texts([text for _, text in replies]), strict=True):
        parts[part].replies.add(size)


def _list_replies(completion: Iterable[str]) -> list[str]:
    messages = [orjson.loads(text) for text in completion]
    return [message["content"] for message in messages if message["content"]]
