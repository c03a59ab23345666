"""Which dialogues of a data.json belong to which split: the published lists name those of validation and test.

What no list names is train. So a list that is missing or cut off, or that names other dialogues, would make train rows
of test dialogues: it is refused. So is an empty list beside one with names; where both are empty, all is train.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coalm_it.corpora.corpus import Corpus, RawFile
from coalm_it.corpora.sources import SourceError, load_source

LISTS = {"validation": "valListFile", "test": "testListFile"}
"""Split -> the beginning of the name of its list, in any case."""
_PURPOSE = "it says which dialogues of data.json are for {split}"
_REMEDY = "take the published list, or rename a data.json with dialogues of train alone to train.json"
_SEPARATORS = re.compile(r"[\s,;\"']+")


def name_dialogue(raw: str) -> str:
    """The id of a dialogue: its name in a file without the ending .json, in the spelling of the file."""
    return re.sub(r"\.json$", "", raw.strip(), flags=re.IGNORECASE)


def plain_name(raw: str) -> str:
    """The same for every spelling of a dialogue's name: `mul0003.json` and `MUL0003` are one dialogue."""
    return name_dialogue(raw).casefold()


def has_lists(corpus: Corpus) -> bool:
    """Whether one file has the dialogues of all splits, so that lists must tell them apart."""
    return len(corpus.splits) > 1 and len(set(corpus.splits.values())) == 1


def check_lists(corpus: Corpus, split: str) -> None:
    """Raises SourceError if a list that the split depends on is missing, empty or unreadable."""
    if has_lists(corpus):
        _read_needed(corpus, split)


def select_names(corpus: Corpus, split: str, names: Sequence[str]) -> frozenset[str] | None:
    """The plain names of the dialogues of a split, of the `names` in data.json; None: all, as the file has no other.

    Raises SourceError: the lists do not tell the splits apart.
    """
    if not has_lists(corpus):
        return None
    present = frozenset(map(plain_name, names))
    lists = _read_needed(corpus, split)
    listed = {other: _match_lists(other, lists[other], present, split) for other in lists}
    if split in listed:  # what is in both lists is for test
        return listed[split].difference(*(names for other, names in listed.items() if other != split))
    chosen = present.difference(*listed.values())
    published = load_source("multiwoz").count_dialogues("train")
    if len(chosen) > published:
        raise SourceError(
            f"{' and '.join(LISTS.values())}: they leave {len(chosen):,} dialogues for train, of which MultiWOZ has "
            f"{published:,}: they are not complete; {_REMEDY}"
        )
    return chosen


def describe_lists(corpus: Corpus, split: str, names: Sequence[str]) -> Iterator[str]:
    """A line for each list with names that data.json does not have: how many, and which, for example; or one line if
    all lists are empty."""
    if not has_lists(corpus):
        return
    present = frozenset(map(plain_name, names))
    lists = [one for files in _read_needed(corpus, split).values() for one in files.items()]
    if not any(given for _, given in lists):
        empty = " and ".join(file.name for file, _ in lists)
        yield f"{empty}: no dialogue is named; so all {len(present):,} dialogues of data.json are taken for train"
    for file, given in lists:
        missing = [name for name in given if plain_name(name) not in present]
        if missing:
            examples = ", ".join(f"{name!r:.40}" for name in missing[:3]) + ", ..." * (len(missing) > 3)
            are = "is" if len(missing) == 1 else "are"
            yield f"{file.name}: {len(missing):,} of its {len(given):,} names {are} not in data.json: {examples}"


# --- the lists ---

_Lists = Mapping[RawFile, list[str]]
"""The lists of a split, and the names in them; a copy of a list under another ending counts as well."""


def _read_needed(corpus: Corpus, split: str) -> dict[str, _Lists]:
    """The lists that a split depends on, by their split. Raises SourceError."""
    needed = ("test",) if split == "test" else tuple(LISTS)
    lists = {listed: _read_lists(corpus, listed) for listed in needed}
    empty = {listed: next(iter(files)) for listed, files in lists.items() if not any(files.values())}
    if empty and (split in empty or len(empty) < len(lists)):
        listed, file = next(iter(empty.items()))
        raise SourceError(f"{file.name}: no dialogue is named; {_PURPOSE.format(split=listed)}; {_REMEDY}")
    return lists


def _read_lists(corpus: Corpus, listed: str) -> _Lists:
    files = [file for file in corpus.files.values() if _has_beginning(file, LISTS[listed])]
    if not files:
        raise SourceError(f"{LISTS[listed]}: missing; {_PURPOSE.format(split=listed)}; {_REMEDY}")
    return {file: _read_names(file) for file in files}


def _match_lists(listed: str, lists: _Lists, present: frozenset[str], split: str) -> frozenset[str]:
    """The dialogues of data.json that the lists of a split name."""
    named: frozenset[str] = frozenset()
    for file, given in lists.items():
        if given and _is_cut_off(plain_name(given[-1]), present):
            raise SourceError(f"{file.name}: the last name is {given[-1]!r:.40}: it is cut off; {_REMEDY}")
        named |= frozenset(map(plain_name, given)) & present
    for file, given in lists.items():
        if given and not named and split in ("train", listed):
            example = f"{given[0]!r:.40}"
            raise SourceError(
                f"{file.name}: none of the {len(given):,} names, as {example}, is in data.json; {_REMEDY}"
            )
    return named


def _is_cut_off(last: str, present: frozenset[str]) -> bool:
    """Whether the last name of a list has lost its end: `mul00`, or `mul0003.js`."""
    stem, dot, ending = last.partition(".")
    if dot and stem in present and "json".startswith(ending):
        return True
    return last not in present and any(name.startswith(last) for name in present)


def _has_beginning(file: RawFile, beginning: str) -> bool:
    return file.name.rpartition("/")[2].lower().startswith(beginning.lower())


def _read_names(file: RawFile) -> list[str]:
    """The names in a list: JSON, as its name says, or text, as it was published, with any separators."""
    text = file.read_text().strip()
    if not text.startswith(("[", "{")):
        return _split_names(text)
    try:
        return [name for one in _list_texts(json.loads(text)) for name in _split_names(one)]
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{file.name}: not JSON, or cut off: {reason}; a name in each line is read too") from None


def _split_names(text: str) -> list[str]:
    return [name for name in _SEPARATORS.split(text) if name]


def _list_texts(content: Any) -> Iterator[str]:
    """The names in JSON: of a list, of an object with lists, or the keys of any other object."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _list_texts(item)
    elif isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        yield from _list_texts(lists) if lists else content
