"""Reads claims in a thought or reply with a small lexicon: the outcome of a booking, the number of results.

The text is read clause by clause. A clause about what may or should happen ("before anything is booked") claims
nothing, unless it is about what to say ("I'll tell them that it is booked"). A negated success is a failure. Quoted
titles are left out. On the replies of SGD that notify of success or failure, the claims agree with the annotation in
more than 99 % and are found in four of five; in doubtful cases no claim is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from coalm_it.values.numbers import read_number

Claim = Literal["success", "failure"]

_ADVERBS = r"(?:(?:\w+ly|now|all|already|just|also|both) )*"
_BE = rf"(?:\b|')(?:is|are|was|were|s|re|been|got|gets) {_ADVERBS}"
_HAVE = rf"(?:\b(?:has|have) |'s |'ve )?{_ADVERBS}"
_NOUN = (
    r"\b(?:bookings?|reservations?|appointments?|purchase|payment|transfer|order|rental|tables?|tickets?|rooms?|ride|"
    r"cab|visit|seats?|flights?|trip|event|transaction|request|money|song|movie|film|music|car|playback)\b"
)
_BOOKED = r"(?:booked|reserved|scheduled|purchased|bought|ordered|rented|secured|arranged|transferred|paid)\b"
_COMPLETED = (
    rf"(?:{_BOOKED}|(?:confirmed|completed?|done|made|placed|successful|in place|set|finali[sz]ed|added|sent|through|"
    r"playing|on (?:its|the) way)\b)"
)
_SUCCESS = re.compile(
    rf"{_NOUN}.{{0,60}}?{_BE}{_COMPLETED}|{_BE}(?<!fully )(?<!all ){_BOOKED}(?! (?:up|out|at that|then))"
    rf"|{_NOUN}.{{0,40}}?\b(?:(?:went|gone|came|goes) through|succeeded|worked|has (?:started|begun))\b"
    rf"|\b(?:it|that|this|everything) ?(?:{_HAVE}|{_BE})(?:been )?(?:went )?"
    r"(?:confirmed|added|through|worked|succeeded|successful|playing|done|all set|on its way)\b"
    rf"|\b(?:i|we) ?{_HAVE}(?:{_BOOKED}|(?:made|placed|added|completed|finished|sent|started) .{{0,30}}?{_NOUN})"
    rf"|^(?:all |not )?{_COMPLETED}|\bsuccess(?:ful|fully)?\b|\bas (?:made|done)\b|\b(?:is|are|it's) theirs\b"
    r"|\bas (?:requested|asked|sent|confirmed)\b|\bunchanged\b|\b(?:repeats|matches) the request\b"
    r"|\bservice confirms\b|\bthe one (?:i|they) asked for\b"
)
_PLAINLY_BOOKED = re.compile(
    rf"{_NOUN}.{{0,60}}?{_BE}{_BOOKED}|{_NOUN}.{{0,40}}?\bwent through\b|\b(?:it|that)(?:'s| is) booked\b"
)
_FAILURE = re.compile(
    r"\bfail(?:ed|s|ure)?\b|\bunsuccessful|\b(?:unable|not able) to\b|\bfell through\b|\bno (?:luck|dice|success)\b"
    r"|\b(?:could|did|was|were|has|have|wo|is)(?:n't| not) (?:\w+ ){0,2}?(?:go|gone|work|succe|come|able|possible|"
    r"book|ma[dk]e|t[ao]ke|place|accept|reserve|confirm|get|happen|complete|schedule|transfer|purchase|buy|through|met)"
    r"|\bcame back empty\b|\breturned nothing\b|\bnothing came back\b|\b(?:not |im)possible\b|\bfully booked\b"
    r"|\bno (?:booking|reservation|appointment|purchase|payment|transfer|order|rental)\b|\brefus(?:al|ed|es)\b"
    r"|\brejected\b|\b(?:no|zero) records?\b"
)
_NEGATION = re.compile(r"\b(?:not|never|nothing|none|neither|yet)\b|n't\b")
_IRREALIS = re.compile(
    r"\b(?:before|once|if|when|whether|unless|until|to be|to get|can|could|should|would|will|may|might|must|wants?|"
    r"wanted|asks?|asking|needs?|try|trying|ready to|about to|so that|going to|hopes?|wait|like)\b|'ll\b"
)
_SAYING = re.compile(
    rf"\b(?:i'll|i will|i can|i should|i'd|let me|time to|i need to|i have to|just|to) {_ADVERBS}"
    r"(?:tell|say|report|pass|let|announce|share|mention|give)\b"
    r"(?: them| the user| on| it| know| back| so| to)*(?: that)?"
)
_TITLE = re.compile(r'"[^"]*"|“[^”]*”')
_CLAUSES = re.compile(r"[.;:!?,–—()]+|\b(?:but|and|so|then|because|since|though|while|although|now that)\b")
_NOTHING = re.compile(
    r"\bcame back empty\b|\b(?:returned|found|finds) nothing\b|\bno(?:thing| results?| match(?:es)?)\b.{0,20}?\b"
    r"(?:came|comes|come|match(?:es|ed)?|fits?|found|turned)\b|\bno (?:results|matches)\b"
)
_COUNT = re.compile(r"(?<![\w:])(\d+|two|three|four|five|six|seven|eight|nine|ten) (?:results|matches|hits)\b")

# A quick test: the expressions can only match if one of these words occurs. First letters that may be capitals are cut.
_BOOKED_WORDS = ("ooked", "eserved", "ought", "urchased", "rdered", "ented", "ransferred", "aid", "cheduled", "through")
_NOTHING_WORDS = ("othing", "empty", "o result", "o match")
_COUNT_WORDS = (" results", " matches", " hits")


def read_claims(text: str) -> set[Claim]:
    """The claimed outcomes of bookings: success, failure, both (for two bookings) or none."""
    claims: set[Claim] = set()
    for clause in _read_clauses(text):
        if _FAILURE.search(clause):
            claims.add("failure")
        elif _asserts(clause, _SUCCESS):
            claims.add("failure" if _NEGATION.search(clause) else "success")
    return claims


def says_booked(text: str) -> bool:
    """Whether a text states that something is booked, in unmistakable words; for turns without a booking."""
    if not any(word in text for word in _BOOKED_WORDS):
        return False
    return any(_asserts(clause, _PLAINLY_BOOKED) and not _NEGATION.search(clause) for clause in _read_clauses(text))


def says_nothing_found(text: str) -> bool:
    """Whether a text says that a search returned nothing."""
    if not any(word in text for word in _NOTHING_WORDS):
        return False
    return any(_NOTHING.search(clause) for clause in _read_clauses(text))


def read_counts(text: str) -> list[tuple[str, int]]:
    """The numbers of results claimed in a text: the words and the number."""
    if not any(word in text for word in _COUNT_WORDS):
        return []
    return [(match[0], int(read_number(match[1])[0])) for match in _COUNT.finditer(text.lower())]


def _read_clauses(text: str) -> Iterator[str]:
    for clause in _CLAUSES.split(_TITLE.sub("", text).lower().replace("’", "'")):
        yield _SAYING.sub(" ", clause).strip()


def _asserts(clause: str, pattern: re.Pattern[str]) -> bool:
    match = pattern.search(clause)
    return match is not None and not _IRREALIS.search(clause[: match.end()])
