"""What a text says, in all the forms in which arguments write it: words, numbers, dates, times, digits.

Beside English (see values/) it reads what any language writes alike (2024-05-04T18:12, 10kg, 5%, $20, 1.5M), and the
numbers, dates and times of Chinese and Japanese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from coalm_it.checks.wording import stem_word
from coalm_it.values import find_values
from coalm_it.values.dates import Clock
from coalm_it.values.numbers import NUMBERS


@dataclass(frozen=True, slots=True)
class TextFacts:
    """`dates` are YYYY-MM-DD, --MM-DD, YYYY-MM and YYYY; `times` HH:MM; `numbers` and `hours` shortest decimals."""

    raw: str
    """The text itself, letters without accents."""
    text: str
    """The same in lower case."""
    plain: str
    """In lower case, each word between blanks, without punctuation."""
    squeezed: str
    """The letters and digits alone, in lower case."""
    stems: frozenset[str]
    signs: frozenset[str]
    """Signs of currencies and degrees, and units behind a number: kg."""
    numbers: frozenset[str]
    dates: frozenset[str]
    times: frozenset[str]
    hours: frozenset[str]
    """Numbers that may be hours, as in "from 2 to 4"."""
    digits: tuple[str, ...]
    """Runs of digits with marks between them, as in phone numbers."""
    has_near_day: bool
    """Whether it names a day that only a clock can resolve: tomorrow, Friday."""
    has_period: bool
    """Whether it names a period around the present: next week, this month, in five days."""


_WORD_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_NOT_LETTERS = re.compile(r"[\W_]+")
_SIGN = re.compile(r"[$€£¥₹₩₽₺₪₿฿]|°[cf]|(?<=\d)[a-z]{1,3}(?![^\W_])")
_NEAR_DAY = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
    r"|今天|今晚|明天|后天|昨天|星期|周[一二三四五六日]|今日|明日|오늘|내일|วันนี้|พรุ่งนี้",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"\b(?:this|next|last|coming|past|previous|current|following) (?:\w+ )?(?:day|week|weekend|month|quarter|year)s?\b"
    r"|\b(?:day|week|weekend|month|year)s? (?:ago|from now|later|after|before|earlier)\b|\bweekend\b"
    r"|\bin (?:an? |\w+ )(?:day|week|month)s?\b"
    r"|下周|本周|这周|上周|周末|这个月|本月|下个月|上个月|今年|明年|去年|来週|来月|다음",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\+?\d[\d\s().-]{5,}\d")


@lru_cache(maxsize=512)
def read_facts(text: str, clock: Clock = None) -> TextFacts:
    """`clock` resolves "tomorrow" and the like."""
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii():
        text = "".join(map(_drop_accent, text))
    words = _WORD_BREAK.sub(" ", text).casefold().split()
    dates, times = set(_read_days(text)), set(_read_times(text))
    numbers = {*_read_numbers(text), *_read_converted(text)}
    for value in find_values(text, clock):
        if value.kind == "date":
            full = {form for form in value.forms if not form.startswith("--")}
            dates |= full or value.forms
        elif value.kind == "time":
            times |= value.forms
        elif value.kind != "phone":
            numbers |= value.forms
    return TextFacts(
        raw=text,
        text=text.casefold(),
        plain=f" {' '.join(words)} ",
        squeezed=_NOT_LETTERS.sub("", text).casefold(),
        stems=frozenset(map(stem, words)),
        signs=frozenset(_SIGN.findall(text.casefold())),
        numbers=frozenset(numbers),
        dates=frozenset(dates | {day[:end] for day in dates if day[0] != "-" for end in (4, 7)}),
        times=frozenset(times),
        hours=frozenset(number for number in numbers if number.isdecimal() and len(number) < 3 and int(number) <= 24),
        digits=tuple(re.sub(r"\D", "", run) for run in _DIGITS.findall(text)),
        has_near_day=_NEAR_DAY.search(text) is not None,
        has_period=_PERIOD.search(text) is not None,
    )


def _drop_accent(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)[0]
    return plain if plain.isascii() and plain.isalpha() else character


def stem(word: str) -> str:
    """Without both of two endings: identifying and identify are the same."""
    return stem_word(stem_word(word))


# --- numbers ---

_SCALES = {
    **{"k": 1000, "thousand": 1000, "m": 10**6, "million": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9},
    **{"billion": 10**9, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "百万": 10**6, "千万": 10**7},
}
_NUMBER = re.compile(
    r"(?<![\d.])(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)|\d{1,40}(?!\d))(?P<fraction>\.\d{1,40})?"
    rf"(?:[ -]?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})(?![a-zA-Z]))?",
    re.IGNORECASE,
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
_WORDS = {
    **{"both": "2", "couple": "2", "pair": "2", "twice": "2", "dozen": "12", "half": "0.5", "quarter": "0.25"},
    **{word: str(number) for number, word in enumerate(_ORDINALS.split(), 1)},
    **{"single": "1", "once": "1", "another": "1", "a": "1", "an": "1", "nineties": "1990", "eighties": "1980"},
}
_CJK_DIGITS = {**{digit: value for value, digit in enumerate("零一二三四五六七八九")}, "两": 2, "〇": 0, "半": 0}
_CJK_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
_CJK_NUMBER = re.compile(f"[{''.join(_CJK_DIGITS)}{''.join(_CJK_SCALES)}]{{1,12}}")
_CJK_DISCOUNT = re.compile("([1-9一二三四五六七八九])折")
"""八折 is eight tenths of the price, a discount of 20 per cent."""
_COMMA = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})*,\d{1,2}(?![\d,])")
"""As in Europe: 1.250,50."""
_DECADE = re.compile(r"(?<!\d)(?:19|')?([2-9]0)(?:'?s\b|年代)")


def write_number(value: Decimal) -> str:
    """The shortest decimal: 5, 0.05, 200000."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_UNITS = {
    **dict.fromkeys(("hour", "hr", "h", "小时", "時間", "시간"), (60, 3600)),
    **dict.fromkeys(("minute", "min", "m", "分钟", "分鐘", "分"), (60,)),
    **dict.fromkeys(("day", "天"), (24,)),
    **dict.fromkeys(("week", "周"), (7,)),
    **dict.fromkeys(("year", "yr", "年"), (12,)),
    **dict.fromkeys(("km", "kg", "kilometer", "kilometre", "kilogram", "l", "liter", "litre", "second", "s"), (1000,)),
    **dict.fromkeys(("公里", "公斤"), (1000,)),
}
"""Unit -> how many smaller ones it has."""
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_MEASURE = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?|{'|'.join(NUMBERS)}|an?)[ -]?(?P<unit>{_UNIT})s?(?![a-z])", re.IGNORECASE
)


def _read_converted(text: str) -> Iterator[str]:
    """Two hours as 120 and 7200, 30 years as 360, 5 km as 5000."""
    for match in _MEASURE.finditer(text):
        word = match["number"].lower()
        number = Decimal(word) if word[0].isdecimal() else Decimal(NUMBERS.get(word, 1))
        yield from (write_number(number * scale) for scale in _UNITS[match["unit"].lower()])


def read_scaled(text: str, start: int) -> frozenset[str]:
    """The number at this place of a text, with the scale behind it: $23.33B."""
    match = _NUMBER.search(text, start)
    if match is None or match.start() > start + 2 or not match["scale"]:
        return frozenset()
    return frozenset(_read_numbers(match[0]))


def _read_numbers(text: str) -> Iterator[str]:
    for match in _NUMBER.finditer(text):
        number = Decimal(match["digits"].replace(",", "") + (match["fraction"] or ""))
        yield write_number(number)
        if match["scale"]:
            yield write_number(number * _SCALES[match["scale"].lower()])
    for match in _COMMA.finditer(text):
        yield write_number(Decimal(match[0].replace(".", "").replace(",", ".")))
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _WORDS:
            yield _WORDS[word]
    yield from (f"19{match[1]}" for match in _DECADE.finditer(text))
    if not text.isascii():
        yield from (str(count_cjk(match[0])) for match in _CJK_NUMBER.finditer(text))
        for match in _CJK_DISCOUNT.finditer(text):
            tenths = int(match[1]) if match[1].isdecimal() else count_cjk(match[1])
            yield from (str(tenths * 10), str(100 - tenths * 10))


def count_cjk(text: str) -> int:
    """The number that Chinese numerals denote: 三十五 is 35."""
    if len(text) > 1 and not any(character in _CJK_SCALES for character in text):
        return int("".join(str(_CJK_DIGITS[character]) for character in text))
    total = section = current = 0
    for character in text:
        if character in _CJK_DIGITS:
            current = _CJK_DIGITS[character]
        elif (scale := _CJK_SCALES[character]) < 10**4:
            section, current = section + max(current, 1) * scale, 0
        else:
            total, section, current = total + max(section + current, 1) * scale, 0, 0
    return total + section + current


# --- days and times ---

DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
COMPACT_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])([0-3]\d)(?!\d)")
_MONTH_DAY = re.compile(r"(?<![\d年])(\d{1,2})月(\d{1,2})[日号]?")
_MONTH = re.compile(r"((?:19|20)\d\d)[-/.年](\d{1,2})(?!\d|[-/.月]\d)")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAMED_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\.?,?(?: of)? ((?:19|20)\d\d)\b", re.IGNORECASE)
_OTHER_MONTHS = (
    "jan ene gen,feb fev,mar,apr abr avr,may mai mag mei maj,jun juin giu,jul juil lug,aug ago aou,sep set,"
    "oct okt ott out,nov,dec dez dic"
).split(",")
_OTHER_MONTH = "|".join(_OTHER_MONTHS).replace(" ", "|")
_OTHER_DAY = re.compile(
    rf"(?<!\d)(\d{{1,2}})\.?(?: de)? ({_OTHER_MONTH})[a-z]*\.?(?: del?)?(?: ((?:19|20)\d\d))?", re.IGNORECASE
)
"""In languages of Europe: 17. Mai 2024, le 4 mai, 4 de mayo de 2024."""
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
TIME = re.compile(r"(?<!\d)(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::[0-5]\d)?")
_CJK_TIME = re.compile(
    r"(\d{1,2}|[一二三四五六七八九十两]{1,3})[点點時时](半|[0-5]?\d(?=分)|[一二三四五十]{1,3}(?=分))?"
)
_CLOCK_DIGITS = re.compile(r"(?<![\d.,])([01]?\d|2[0-3])([0-5]\d)(?![\d.,])")


def write_day(year: str, month: str, day: str) -> str:
    return f"{year}-{int(month):02}-{int(day):02}"


def _read_days(text: str) -> Iterator[str]:
    for pattern in (DAY, COMPACT_DAY):
        yield from (write_day(*match.groups()) for match in pattern.finditer(text))
    yield from (f"--{int(match[1]):02}-{int(match[2]):02}" for match in _MONTH_DAY.finditer(text))
    yield from (f"{match[1]}-{int(match[2]):02}" for match in _MONTH.finditer(text))
    for match in _OTHER_DAY.finditer(text):
        month = next(n for n, names in enumerate(_OTHER_MONTHS, 1) if match[2].lower() in names.split())
        yield f"{match[3] or '-'}-{month:02}-{int(match[1]):02}"
    for match in _NAMED_MONTH.finditer(text):
        yield f"{match[2]}-{_MONTHS.index(match[1].lower()) + 1:02}"
    yield from _YEAR.findall(text)


def _read_times(text: str) -> Iterator[str]:
    yield from (f"{int(match['hour']):02}:{match['minute']}" for match in TIME.finditer(text))
    if not text.isascii():
        for match in _CJK_TIME.finditer(text):
            hour = int(match[1]) if match[1].isdecimal() else count_cjk(match[1])
            minute = match[2] or "0"
            minutes = 30 if minute == "半" else int(minute) if minute.isdecimal() else count_cjk(minute)
            yield from (f"{one % 24:02}:{minutes:02}" for one in (hour, hour + 12) if one <= 24)
    if text.isdecimal() and (whole := _CLOCK_DIGITS.fullmatch(text)):  # a bare result: 610
        yield f"{int(whole[1]):02}:{whole[2]}"
