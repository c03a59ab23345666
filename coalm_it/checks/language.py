"""Recognises a thought in another language than its dialogue, by its script or by its most frequent words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from coalm_it.checks.evidence import read_exchanged_values
from coalm_it.checks.wording import read_words
from coalm_it.schema import Sample

_ENGLISH = frozenset(
    "the and of to is are be been it its it's that this these those they their them they're they've they'd with for "
    "from not but have has had i i'll i'd i'm i've my can't could would should won't one only what which who where "
    "when how there there's here now at by if nothing more any other another than before after first next then new "
    "still just already need needs want wants ask asks say says said go goes let user search book find look call "
    "check get give tell reply answer offer confirm city time price results".split()
)
"""Words without which no longer English text is written, and words typical of thoughts in note form; none of them is a
word of another European language ("so", "on", "was")."""
_OTHER_LANGUAGES = frozenset(
    "el la los las un una unos que de del y en con para por su sus es quiere pero como más le les du une et est dans "
    "pour il elle veut aux je ce avec sur der das und ist ein eine einen einem für nicht ich sie von zu auf auch aber "
    "noch dass wird hat sind nach che di per sono è nel della ha non os um uma não com em do da dos het een van voor "
    "niet ik naar maar dus och att det är som på inte jest się na nie bir ve için med og til".split()
)
"""Frequent words of other European languages."""
_PLAIN_WORD = re.compile(r"(?<![^\s\"“(])[^\W\d_A-Z]+(?:['’][^\W\d_]+)?(?!\w)")


def find_foreign_language(sample: Sample, thought: str, words: tuple[str, ...]) -> str:
    """What is wrong with the language of a thought; '' if nothing is. `words` are the words of the thought."""
    if not thought.isascii() and (script := _find_foreign_script(sample, thought)):
        return f"is written in {script} script, which the dialogue is not; use the dialogue's language"
    if _ENGLISH.isdisjoint(words[:10]) and len(words) > 7 and _is_foreign(sample, thought, words):
        return "is not in English, as the dialogue is; use the dialogue's language"
    return ""


def _is_foreign(sample: Sample, thought: str, words: tuple[str, ...]) -> bool:
    """Whether hardly any word is English, and either three are of another language or many are not of the dialogue."""
    if sum(word in _ENGLISH for word in words) >= 0.1 * len(words):
        return False
    spoken = [word for turn in sample.turns for word in (*read_words(turn.user), *read_words(turn.reply or ""))]
    if sum(word in _ENGLISH for word in spoken) < 0.12 * len(spoken):
        return False
    known = {*spoken, *read_words(" ".join(read_exchanged_values(sample.current)))} - _ENGLISH
    plain = [word for word in _PLAIN_WORD.findall(thought) if len(word) > 1 and word not in known]
    return len(plain) > 15 or len(_OTHER_LANGUAGES.intersection(words) - known) > 2


def _find_foreign_script(sample: Sample, thought: str) -> str:
    """The script of most of a thought, if hardly any of the dialogue is written in it; else ''."""
    written = _count_scripts(thought)
    if not written:
        return ""
    main, count = written.most_common(1)[0]
    # names and functions are in Latin letters in every language
    if main == "LATIN" or 2 * count < written.total():
        return ""
    spoken = _count_scripts(" ".join(turn.user for turn in sample.turns))
    return "" if 5 * spoken[main] > spoken.total() else main.capitalize()


def _count_scripts(text: str) -> Counter[str]:
    """The number of letters of a text in each script: LATIN, CYRILLIC, CJK."""
    return Counter(
        "LATIN" if letter.isascii() else unicodedata.name(letter, "").partition(" ")[0]
        for letter in text
        if letter.isalpha()
    )
