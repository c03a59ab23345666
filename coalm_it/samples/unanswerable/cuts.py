"""Ways to take a value out of an English sentence so that the rest is a sentence that asks for it.

Each rule looks at what stands to the left and to the right of the value and gives the span to be replaced:

    sentence    Set an alarm. The time is 7:30.                       Set an alarm.
    clause      My name is Ann and my password is x1.                 My name is Ann.
    item        a tank with a width of 3 m and a height of 2 m        a tank with a width of 3 m
    noun        the device with the ID "a-1"                          a device
    phrase      the weather in Paris?                                 the weather?
    adjective   about the "kick" technique                            about a technique
    object      Translate "Hello" into French.                        Translate something into French.

Where a noun that the value told apart stays, it becomes indefinite: "the device" would be one that both know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coalm_it.samples.unanswerable.clauses import cut_clause, cut_item
from coalm_it.samples.unanswerable.places import WORD, Place, Span
from coalm_it.samples.unanswerable.topics import split_words, stem

_PREPOSITIONS = "about|as|at|by|during|for|from|in|into|of|on|through|to|under|using|via|with|within"
_DETERMINERS = frozenset("a all an any each every her his its my our some that the their these this those your".split())
_NOT_NOUNS = frozenset(
    """a about after all am an and any apply are arrive as ask at available back based be been before belong belongs
    both buy by call can change check convert delete depart did do does down equal find for from get give go going had
    has have he her here him how i if in interested into is it like listen live lives located look looks make me moving
    my near now of off old on only or our out over pay planned play please provide put read related remove same search
    see send she show sign similar so stay stays such switch tell than that the their them there they this those to
    today tomorrow translate travel try turn up update us use wait want was watch we were what when where which who will
    with work works write written you your begin begins close end ends finish open start starts
    born built done drawn given held known led made run seen sent set shown sold spoken sung taken told won""".split()
)
"""Words that end no noun phrase: a phrase after one of them may be indispensable ("look for", "is in")."""
_NEVER_INDEFINITE = frozenset(
    """address amount category date day format hour kind level method minute mode month number param parameter period
    status style time type unit username value week year""".split()
)
"""Nouns that ask for their value even if it is missing: "a recipe of a cuisine type", "in a year"."""
_MASS = frozenset(
    """advice art content data equipment feedback food furniture help information media music news research software
    traffic water weather work""".split()
)
"""Nouns that take no article."""
_PLURALS = frozenset("children criteria men people phenomena women".split())


def list_cuts(place: Place) -> Iterator[Span]:
    """The spans that could be replaced, the best first; the caller looks at what is left."""
    last = split_words(place.left[-20:])[-1:]
    # ` for user ID 5` goes as a whole: "for a user" would be about another user
    is_phrase = last and last[0] in _GENERIC and _LINK.search(place.left, max(0, place.start - 60)) is None
    nouns = (_cut_phrase, _cut_noun) if is_phrase else (_cut_noun, _cut_phrase)
    for rule in (cut_clause, cut_item, *nouns, _cut_adjective, _cut_object):
        span = rule(place)
        if span is not None:
            yield span


# --- a noun that the value tells apart ---

_LINK = re.compile(
    rf"\s+(?:(?:with|having|by|under)\s+(?:(?:the|an?|its)\s+)?(?P<label>{WORD}(?:\s{WORD}){{0,2}}?)(?:\s+of)?"
    rf"|named|called|titled|entitled|labeled|known\s+as)\s+$"
)
_GENERIC = frozenset("code id identifier key name number title".split())
_AFTER_NOUN = re.compile(
    rf"(?=[.?!;:)](?:\s|$)|$|,\s(?:and\s|which\s|so\s|please\s|including\s|starting\s|ending\s|with\s)"
    rf"|\s(?:and|or|is|has|that|which|who|while|if|located|made|owned|published"
    rf"|released|written|{_PREPOSITIONS})\s)"
)


def _cut_noun(place: Place) -> Span | None:
    """What tells a noun apart: its name or number after it, or "with the ID 5". The noun becomes indefinite."""
    if not place.is_name or _AFTER_NOUN.match(place.right) is None:
        return None
    link = _LINK.search(place.left, max(0, place.start - 60))
    if link is not None and link["label"] is not None:
        words = split_words(link["label"])
        if not place.is_label(link["label"]) or not words or words[-1] not in _GENERIC:
            return None
    before = place.left[: link.start()] if link else place.left.rstrip()
    phrase = _find_noun_phrase(before, place if link is None else None)
    return phrase and Span(phrase.start, place.stop, phrase.instead)


def _find_noun_phrase(before: str, place: Place | None) -> Span | None:
    """The noun phrase that a text ends with, and the same as one that nobody knows yet.

    With `place` the value follows directly, and words such as ID at the end of the phrase go with it.
    """
    words = [(match[0], match.start()) for match in re.finditer(rf"(?:(?<=\s)|^){WORD}(?=\s|$)", before[-80:])]
    offset = max(0, len(before) - 80)
    nouns: list[str] = []
    if not words or words[-1][1] + len(words[-1][0]) < len(before[-80:]):
        return None
    for number, (word, start) in enumerate(reversed(words)):
        if number and words[-number][1] - (start + len(word)) != 1:
            return None
        lower = word.lower()
        if lower == "that":  # "jokes that mention 'Texas'"
            return None
        if lower in _DETERMINERS or (re.fullmatch(_PREPOSITIONS, lower) and lower != "to"):
            kind = lower if lower in _DETERMINERS else ""
            begin = offset + (start if kind else start + len(word) + 1)
            return _make_indefinite(begin, kind, nouns[::-1], place)
        if lower in _NOT_NOUNS or lower.endswith(("ed", "ing")) or len(nouns) == 4:
            return None
        nouns.append(word)
    return None


def _make_indefinite(start: int, determiner: str, nouns: list[str], place: Place | None) -> Span | None:
    if place is not None:
        while nouns and nouns[-1].lower() in _GENERIC:
            nouns.pop()
    if place is not None and nouns and not place.is_code and not place.is_label(nouns[-1]):  # "the snowy Oslo"
        return None
    if not nouns or nouns[-1].lower() in _NEVER_INDEFINITE or (not determiner and any(map(str.istitle, nouns))):
        return None
    phrase = " ".join(nouns)
    if determiner and determiner not in ("the", "that", "this", "these", "those", "a", "an"):
        return Span(start, start, f"{determiner} {phrase}")
    return Span(start, start, _add_article(phrase))


_SPELT_LIKE_VOWELS = frozenset("aefhilmnorsx".upper())
"""Letters whose names begin with a vowel: an FAQ, an SMS."""


def _add_article(phrase: str) -> str:
    """`a device`, `an airport`, `some music`, `devices`."""
    first, last = phrase.split()[0], phrase.split()[-1].lower()
    if last in _MASS:
        return f"some {phrase}"
    if last in _PLURALS or (last.endswith("s") and not last.endswith(("ss", "us", "is"))):
        return phrase
    if first.isupper() and len(first) > 1:
        is_vowel = first[0] in _SPELT_LIKE_VOWELS
    else:
        lower = first.lower()
        is_vowel = lower[0] in "aeiou" and re.match(r"eu|one|uni(?!n)|us[ae]|ur[il]|ut[ie]", lower) is None
        is_vowel = is_vowel or lower.startswith(("hour", "honest", "heir"))
    return f"{'an' if is_vowel else 'a'} {phrase}"


# --- phrases that may be absent ---

_FRAME = re.compile(
    rf"(?<=[A-Za-z0-9\"'”’]) (?P<link>{_PREPOSITIONS})(?P<between>(?: (?!(?:{_PREPOSITIONS}) ){WORD}){{0,3}})(?: of)? $"
)
_AFTER_PHRASE = re.compile(
    rf"(?P<tail>(?: [a-z-]+){{0,2}}?)(?=[.?!](?:\s|$)|$| (?:{_PREPOSITIONS}|between|that|which) "
    r"|,? and (?:tell|give|show|provide|list|include|save|check|make|return|send|also|to|from|with) "
    r"|, (?:and |please|including |starting |ending |with |using |from |to )|,? so (?:that |I ))"
)


def _cut_phrase(place: Place) -> Span | None:
    """` in Paris`, ` for the user ID 5`, ` in the "x" library`, at the end of a sentence or before another phrase."""
    frame, after = _FRAME.search(place.left, max(0, place.start - 60)), _AFTER_PHRASE.match(place.right)
    if frame is None or after is None:
        return None
    before = re.findall(r"[\w'’-]+", place.left[: frame.start()].lower())
    if not before or before[-1] in _NOT_NOUNS or before[-1].endswith(("ed", "ing")) or _is_incomplete(before):
        return None
    if frame["link"] == "for" and place.right[after.end("tail") :].startswith(" to "):  # "for USD to EUR"
        return None
    between, tail = frame["between"].lower().split(), after["tail"].split()
    if not place.is_label(" ".join(between)) or not place.is_label(" ".join(tail)):
        return None
    if between and between[-1] in ("a", "an", "the") and not tail and place.is_quoted:
        return None
    if frame["link"] == "of" and _is_thin(before):
        return None
    names_alone = not any(map(str.isalpha, place.value)) and not between and not tail
    # "the city of Paris", "a rate of 4.2": there the value belongs to the noun before it
    belongs = (stem(before[-1]) in place.known and frame["link"] in ("of", "as")) or names_alone
    if belongs and not between:
        return None
    return Span(frame.start(), place.stop + after.end("tail"))


def _is_thin(words: list[str]) -> bool:
    """Whether words end in a single noun: "Check the status." asks for nothing, "Check the battery status." does."""
    return len(words) < 2 or words[-2] in _DETERMINERS or words[-2] in _NOT_NOUNS


def _is_incomplete(words: list[str]) -> bool:
    """Whether words end in a preposition and a noun that needs an article: "the status of device"."""
    for index, word in enumerate(reversed(words[-4:])):
        if word in _DETERMINERS:
            return False
        if re.fullmatch(_PREPOSITIONS, word):
            noun = words[-1]
            return index > 0 and not noun.endswith("s") and noun not in _MASS
    return False


# --- other places in a sentence ---

_ARTICLE = re.compile(r"\b(?P<article>the|an?) $")
_NOUN_AFTER = re.compile(
    rf" (?P<noun>[a-z-]+(?: [a-z-]+){{0,2}}?)(?=[.?!,](?:\s|$)|$| (?:and|{_PREPOSITIONS}|released) )"
)
_VERB = re.compile(
    r"\b(?:translate|say|encode|decode|encrypt|decrypt|hash|analy[sz]e|search for|look up|look for|define|post|type)"
    r" (?:the (?:text|phrase|sentence|word|message) )?$",
    re.IGNORECASE,
)


def _cut_adjective(place: Place) -> Span | None:
    """The value before a noun: `the "kick" technique`."""
    before, after = _ARTICLE.search(place.left), _NOUN_AFTER.match(place.right)
    if before is None or after is None:
        return None
    nouns = after["noun"].split()
    if not any(map(place.is_label, nouns)) or not _NOT_NOUNS.isdisjoint(nouns) or nouns[-1] in _NEVER_INDEFINITE:
        return None
    return Span(before.start(), place.stop + after.end("noun"), _add_article(after["noun"]))


def _cut_object(place: Place) -> Span | None:
    """A quoted text that something is done to: "Translate 'Hello' into French"."""
    before = _VERB.search(place.left)
    if not place.is_quoted or before is None or _AFTER_NOUN.match(place.right) is None:
        return None
    start = before.end() - (len(before[0]) - len(re.sub(r" the \w+ $", " ", before[0])))
    return Span(start, place.stop, "something")
