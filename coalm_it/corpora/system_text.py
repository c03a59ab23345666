"""A system text without what the row's layout says itself: the list of functions, and how calls are written.

Only their places decide: JSON that describes functions, the tags and examples of calls, and the sentences that hold or
announce them. In a text that has such places, a sentence goes too that speaks of nothing but calling functions ("If
none of the functions can be used, point it out"), as all its words show. Every other sentence stays as it is, and a
text without such places stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from coalm_it.corpora.system_places import PLACE, mark_places

_TOPICS = frozenset(
    "function functions tool tools api apis call calls calling invoke invocation invocations json xml format formats "
    "schema schemas signature signatures parameter parameters argument arguments text output outputs tags".split()
)
_FILLER = _TOPICS | frozenset(
    "a ability able about above access according accurate achieve act action actions actually additional additionally "
    "adhere after ai all allowed along also always am an and answer answering answers any appropriate are array as "
    "assist assistance assistant assistants assisting assumptions at available based be begin below between block "
    "both brackets but by can cannot capabilities capable choice choose clarification clear complete composing "
    "contain containing contents correct correctly could decide decision define defined definition definitions "
    "describe described description descriptions designed determine dict dictionary directly do does doesn't don't "
    "each either else empty enclose enclosed end ensure entire environment exactly example examples executable "
    "execute executing exist exists expert explanation explanations explicitly extra false field fields final follow "
    "following follows for from fulfill further generate generation given gives guess have help helpful here how "
    "however if in include included including indicate information input inside instead instruction instructions into "
    "invent is it its itself key keys lack lacking lacks language large leave like line list listed lists made make "
    "makes making many matching may me mean message mind missing model models more most multiple must name named "
    "names natural necessary need needed needs new next no none nor not note nothing notify number object objects of "
    "on one only optional or order other otherwise out own parsed pass passed please plug point possible prefix "
    "problem problems properly provide provided providing purpose put pydantic query querying question questions "
    "refuse related relevant reminder reply request requests require required requires respond responding response "
    "responses result results return returned returning returns s same section sections select sequence set several "
    "shall should similar simply single so solve solving some specified specify state step steps still strictly "
    "string structure such suffix suitable sure system task tasks than that the their them then there these they this "
    "those to true two type types under unless up use used useful user user's users uses using valid value values "
    "various very want was well what when where whether which while will with within without won't words would wrap "
    "wrapped write written you your zero".split()
)
"""Words of sentences that speak of calling functions in general; one of `_TOPICS` must be among them. Words of rules
("never", "before", "one at a time") are not: such a sentence tells the agent how to act."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][a-z]+)?")
_NUMBER = re.compile(r"\d")
_MARKER = re.compile(r"\s*(?:[-*•#>]+|\d{1,2}[.)]|\(?[a-z]\))\s+")
_OTHER_TOPICS = re.compile(
    r"funktion|werkzeug|fonction|outil|funci[oó]n|herramient|funzion|strument|fun[cç][aãõ]|ferrament|функци|инструмент"
    r"|函数|工具|関数|ツール|함수|도구|araç|fonksiyon",
    re.IGNORECASE,
)
_SHORT = 90
"""Characters of a sentence in another language that only announces a list of functions."""
_BOUNDARY = re.compile(
    r"(?<=[.!?。！？])(?<!\d\.)[\"'”’)\]*]*\s+(?![a-z])|\n[^\S\n]*\n\s*|\n[^\S\n]*(?![a-z\s])|(?<=[。！？])(?=\S)"
    rf"|(?<={PLACE})\s+(?=[A-Z])"
)
_ANNOUNCES = (":", "：", "-", "–", "—")
_HEADING = re.compile(r"(#{1,6})\s+\S")
_EMPTY_BLOCK = re.compile(
    r"(?P<open><(?P<tag>\w+)>)\s*</(?P=tag)>|\[BEGIN OF (?P<block>[^\]\n]+)\]\s*\[END OF (?P=block)\]"
)


class _Piece(NamedTuple):
    """A sentence, a heading or an item of a list, and the blanks after it."""

    text: str
    blanks: str


@lru_cache(maxsize=1 << 8)
def clean_system_text(text: str, functions: tuple[str, ...] = ()) -> str:
    """What a system text says beside functions and the format of calls; `functions` are the names in its record."""
    marked = mark_places(text, functions)
    if PLACE not in marked:
        return text.strip()
    kept = "".join(piece.text + piece.blanks for piece in _keep_pieces(list(_split(marked)), functions))
    while (shorter := _EMPTY_BLOCK.sub("", kept)) != kept:
        kept = shorter
    kept = re.sub(r"[^\S\n]+$", "", _drop_empty_headings(kept), flags=re.MULTILINE)
    kept = re.sub(r"\n{3,}", "\n\n", kept).strip()
    kept = re.sub(r"(?:\A|\n\n)(?:-{3,}\n+)+(?=-{3,}|\Z)|\A(?:-{3,}\s*)+|(?:\s*-{3,})+\Z", "", kept).strip()
    return kept if any(map(str.isalnum, kept)) else ""


def _split(marked: str) -> Iterator[_Piece]:
    start = 0
    for boundary in _BOUNDARY.finditer(marked):
        end = boundary.end()
        whole = marked[start:end]
        text = whole.rstrip()
        if text:
            yield _Piece(text, whole[len(text) :])
            start = end
    if marked[start:].strip():
        yield _Piece(marked[start:].rstrip(), "")


def _keep_pieces(pieces: Sequence[_Piece], functions: Collection[str]) -> list[_Piece]:
    """What stays of each piece, from the last to the first: an announcement goes with what it announces."""
    kept: list[_Piece] = []
    following, is_gone, blanks = "", False, ""
    for piece in reversed(pieces):
        text = _keep_text(piece.text, following, functions)
        if text and is_gone and text.endswith(_ANNOUNCES) and not _list_strange_words(text):
            text = ""  # "Reminder:"
        blanks = max(blanks, piece.blanks, key=lambda one: (one.count("\n"), len(one)))
        if text:
            kept.append(_Piece(text, blanks))
            blanks = ""
        following, is_gone = piece.text, not text
    return kept[::-1]


def _keep_text(text: str, following: str, functions: Collection[str]) -> str:
    if PLACE in text:
        before = text.partition(PLACE)[0].rstrip(" `\"'\n")
        return _keep_announcement(before, functions) if before.endswith(_ANNOUNCES) else ""
    if text.endswith(_ANNOUNCES) and following.startswith(PLACE):
        return _keep_announcement(text, functions)
    return "" if _is_filler(text) else text


def _keep_announcement(text: str, functions: Collection[str]) -> str:
    """What stays of a sentence before a list of functions: all of it, if it says something of its own."""
    only_announces = len(_list_strange_words(text)) < 2 or any(name in text for name in functions)
    if only_announces or (len(text) <= _SHORT and _OTHER_TOPICS.search(text)):
        return ""
    return f"{text.rstrip(':：-–— ')}{'。' if text[-1] == '：' else '.'}"


def _is_filler(text: str) -> bool:
    """Whether a sentence speaks of nothing but calling functions."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    about = not _TOPICS.isdisjoint(words)
    return about and not _list_strange_words(text) and not _NUMBER.search(_MARKER.sub("", text, count=1))


def _list_strange_words(text: str) -> list[str]:
    words = (word.lower().replace("’", "'") for word in _WORD.findall(text))
    return [word for word in words if word not in _FILLER and not (word.endswith("'s") and word[:-2] in _FILLER)]


def _drop_empty_headings(text: str) -> str:
    """The text without the headings (#) that have nothing below them."""
    lines = text.split("\n")
    kept: list[str] = []
    levels: list[tuple[int, int]] = []  # headings at the end of `kept`: level, and number of lines before it
    for line in lines:
        heading = _HEADING.match(line)
        level = len(heading[1]) if heading else 0
        while heading and levels and levels[-1][0] >= level:
            del kept[levels.pop()[1] :]
        if heading:
            levels.append((level, len(kept)))
        elif line.strip():
            levels = []
        kept.append(line)
    return "\n".join(kept[: levels[0][1]] if levels else kept)
