"""Variety and speed of the grounded thoughts, over a whole split of SGD.

    python benchmarks/thoughts.py CORPORA [--split train] [--seed 12] [--top 15]

Prints the share of distinct texts among thoughts with content and among closing thoughts (before a reply that only says
goodbye or only asks for more), the most frequent frames (the text with values masked) and opening words, and the
CPU time of writing the thoughts.
"""

from __future__ import annotations

import argparse
import gc
import re
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from coalm_it.readers import read_dialogues
from coalm_it.samples.targets import shorten_observations
from coalm_it.schema import Dialogue, Turn
from coalm_it.thoughts.grounded import write_thoughts
from coalm_it.thoughts.grounded.words import list_noun_phrases, plain_value, short_value

CLOSING = ({"GOODBYE"}, {"REQ_MORE"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="a folder with SGD somewhere in it")
    parser.add_argument("--split", default="train")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--top", type=int, default=15, help="how many frames and openings to print")
    options = parser.parse_args()

    dialogues = list(read_sgd(options.corpora, options.split))
    gc.freeze()  # the garbage collector skips what was read
    started = time.process_time()
    written = [write_thoughts(dialogue, options.seed) for dialogue in dialogues]
    seconds = time.process_time() - started

    content: list[str] = []
    closing: list[str] = []
    frames: Counter[str] = Counter()
    openings: Counter[str] = Counter()
    for dialogue in written:
        names = value_pattern(dialogue)
        for turn in dialogue.turns:
            for thought in list_thoughts(turn):
                is_closing = {act.name for act in turn.labels.system_acts} in CLOSING and not turn.steps
                (closing if is_closing else content).append(thought)
                frames[mask_values(thought, names)] += 1
                openings[" ".join(thought.split()[:3])] += 1

    total = len(content) + len(closing)
    print(f"{len(written):,} dialogues, {total:,} thoughts in {seconds:.1f} CPU s, {seconds / total * 1e6:.0f} us each")
    print(f"with content: {len(content):,}, distinct {len(set(content)) / len(content):.2%}")
    text, count = Counter(closing).most_common(1)[0]
    share = count / len(closing)
    print(f"closing: {len(closing):,}, {len(set(closing)):,} distinct texts, the most frequent {share:.2%}: {text}")
    lengths = sorted(len(thought.split()) for thought in content)
    print("words (content): " + ", ".join(f"p{p} {lengths[len(lengths) * p // 100]}" for p in (5, 25, 50, 75, 95, 99)))
    for title, counted in (("frames", frames), ("three opening words", openings)):
        print(f"\n{title}: {len(counted):,}")
        for text, count in counted.most_common(options.top):
            print(f"  {count / total:6.2%}  {text}")


def read_sgd(corpora: Path, split: str) -> Iterator[Dialogue]:
    """The dialogues as a build has them before thoughts are added."""
    for record in read_dialogues("sgd", corpora, split):
        if isinstance(record, Dialogue):
            yield shorten_observations(record, 2)


def list_thoughts(turn: Turn) -> list[str]:
    """A turn's thoughts, in order."""
    return [thought for thought in [*(step.thought for step in turn.steps), turn.thought] if thought]


def find_values(dialogue: Dialogue) -> Iterator[str]:
    """Every value of a dialogue, in each wording that a thought may use."""
    for turn in dialogue.turns:
        for act in (*turn.labels.user_acts, *turn.labels.system_acts):
            yield from act.values
            for value in act.canonical:
                yield from say_value(act.slot, act.service, value)
        for step in turn.steps:
            for call in step.calls:
                yield call.name
                for slot, typed in call.arguments.items():
                    yield from say_value(slot, call.service, str(typed))


@cache
def say_value(slot: str, service: str, value: str) -> tuple[str, ...]:
    said = (
        *list_noun_phrases(slot, service, value),
        plain_value(slot, service, value),
        short_value(slot, service, value),
    )
    return tuple(text for text in (value, *said) if len(text) > 2 or text.isdecimal())


def value_pattern(dialogue: Dialogue) -> re.Pattern[str]:
    ordered = sorted(map(re.escape, set(find_values(dialogue))), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(ordered) or '(?!)'})(?!\w)", re.IGNORECASE)


_NUMBER = re.compile(r"\$?\b\d[\d:.,-]*\b|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b", re.IGNORECASE)


def mask_values(thought: str, values: re.Pattern[str]) -> str:
    """The thought with `_` for its values and numbers."""
    return re.sub(r"_(?:(?:, | and | )_)+", "_", _NUMBER.sub("_", values.sub("_", thought)))


if __name__ == "__main__":
    main()
