"""Takes a value out of a request with the statement or the item of a list that consists of it."""

from __future__ import annotations

import re

from coalm_it.samples.unanswerable.places import WORD, Place, Span

_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?])\s+|\n\s*)(?=\S)")
_END = r"(?=[.?!](?:\s|$)|$)"
_CLAUSE = re.compile(
    rf"(?:(?P<lead>,?\s+and\s+|[,;]\s+)|(?P<first>^|(?<=[.!?])\s+))(?P<clause>(?:(?:my|the|its|his|her|our)\s+)?"
    rf"(?P<label>{WORD}(?:\s{WORD}){{0,2}})\s*(?:\b(?:is|are|will be|should be)|:)\s+)$",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"(?P<stop>[.!?]?\s*$|[.!?]\s+)|(?P<more>,?\s+and\s+|,\s+)(?=\w)")
_CLAUSE_START = re.compile(rf"(?:my|the|its|i|it|please|could|can|{WORD}(?:\s{WORD})?\s+is)\b", re.IGNORECASE)
_INTERJECTION = re.compile(r"^\W*(?:yes|yeah|sure|okay|ok|hi|hello|hey|thanks|thank you|please)\W*$", re.IGNORECASE)


def cut_clause(place: Place) -> Span | None:
    """A statement of the value: "my user ID is 5", as a sentence or as a part of one."""
    before = _CLAUSE.search(place.left, max(0, place.start - 60))
    after = _CLAUSE_END.match(place.right)
    if before is None or after is None or not place.is_label(before["label"].split()[-1]):
        return None
    is_last = after["stop"] is not None
    if before["first"] is not None:
        if is_last:
            return _cut_sentence(place, before.start(), place.stop + after.end())
        stop = place.stop + after.end()
        if not _CLAUSE_START.match(place.query, stop):
            return None
        return Span(before.start("clause"), stop + 1, place.query[stop].upper())
    sentence = place.left[_find_sentence(place.left) : before.start()]
    if _INTERJECTION.match(sentence):  # "Yes, my name is Ann and my password is x1."
        return None if is_last else Span(before.start("clause"), place.stop + after.end())
    if "and" in before["lead"]:
        is_pair = "," not in re.sub(r"^\w+,", "", sentence)
        return Span(before.start(), place.stop) if is_last and is_pair else None
    is_middle = not is_last and "," in after["more"]
    return Span(before.start(), place.stop) if is_middle or is_last else None


def _find_sentence(left: str) -> int:
    """Where the last sentence begins."""
    return max((match.end() for match in _SENTENCE_START.finditer(left)), default=0)


def _cut_sentence(place: Place, start: int, stop: int) -> Span | None:
    if start == 0:
        return Span(0, stop) if place.query[stop:].strip() else None
    return Span(start, stop - (len(place.query[:stop]) - len(place.query[:stop].rstrip())))


_ITEM = re.compile(rf"(?P<lead>,?\s+and\s+|,\s+)(?:(?:an?|the)\s+)?(?P<label>{WORD}(?:\s{WORD}){{0,3}}?)(?:\s+of)?\s+$")
_FIRST_ITEM = re.compile(rf"\b(?:with|of|for)\s+(?P<item>(?:an?|the)\s+(?P<label>{WORD}(?:\s{WORD}){{0,3}}?)\s+of\s+)$")
_NEXT_ITEM = re.compile(r"\s+and\s+(?=(?:an?|the)\s)")


def cut_item(place: Place) -> Span | None:
    """One of two or more: "a width of 3 m and a height of 2 m"."""
    if first := _FIRST_ITEM.search(place.left, max(0, place.start - 60)):
        after = _NEXT_ITEM.match(place.right)
        if after and place.is_label(first["label"].split()[-1]):
            return Span(first.start("item"), place.stop + after.end())
    before = _ITEM.search(place.left, max(0, place.start - 60))
    if before is None or not place.is_label(before["label"].split()[-1]):
        return None
    if "and" in before["lead"]:
        sentence = place.left[_find_sentence(place.left) : before.start()]
        is_last = re.match(_END, place.right) and "," not in before["lead"] and ", " not in sentence
        return Span(before.start(), place.stop) if is_last else None
    is_middle = re.match(r",\s", place.right)
    return Span(before.start(), place.stop) if is_middle else None
