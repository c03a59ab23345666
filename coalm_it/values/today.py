"""The day of which a text says that it is today: "Today is 2024-05-15", "The current time is 2024-05-15 15:00 EST".

Only a date that follows such words counts, with nothing between them but words like "is" and a weekday: not any date
("valid until 2024-05-15"), and none that can be read in two ways (05/06/2024).
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache

from coalm_it.values.dates import read_date

_OF_DAYS = r"(?:date(?:s|time)?|day|time(?:stamp)?)"
_TODAYS = (
    rf"today(?:['’]?s {_OF_DAYS}| date)?",
    rf"(?:current|present|today['’]s)(?: local| system)?(?:[ _]{_OF_DAYS})(?:(?: and|[/&,])? ?{_OF_DAYS})*",
    rf"{_OF_DAYS}(?: of)? today|now|right now",
    r"heute|jetzt|(?:das )?(?:heutige|aktuelle)s? (?:datum|tag|uhrzeit|zeit)|heutiger tag",
    r"aujourd['’]hui|nous sommes|date (?:du jour|actuelle|d['’]aujourd['’]hui)|(?:l['’])?heure actuelle",
    r"hoy|(?:fecha|hora)(?: y hora)? (?:actual|de hoy)|oggi|data (?:odierna|attuale|di oggi)|ora attuale",
    r"hoje|data(?: e hora)? (?:atual|de hoje)|vandaag|huidige (?:datum|tijd)|datum van vandaag",
    r"сегодня(?:шняя дата)?|сейчас|текущ(?:ая дата|ее время)|dzi[sś](?:iaj)?|dzisiejsza data|bugün(?:ün tarihi)?",
    r"hôm nay|ngày hiện tại|idag|dagens datum|i dag|hari ini|tanggal hari ini",
    r"今天|今日|现在|現在|当前|當前|目前|本日|오늘|현재|지금",
)
_BETWEEN = (
    r"(?:\s|[:=,(\-–—：，、（*_`'\"«»]|\b(?:is|it|the|date|day|time|and|on|as|at|of|local|utc|gmt|est|edt|cet|pst|pdt)\b"
    r"|\b(?:ist|der|den|est|le|la|es|el|è|il|é|o|de|dag|är|den|to|jest|là|adalah|tanggal)\b"
    r"|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b"
    r"|\b(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lunes|martes|miércoles|jueves|viernes|sábado"
    r"|domingo|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b"
    r"|\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]\.?m\.?\b)?"
    r"|的|是|为|為|日期|时间|時間|日時|日付|星期[一二三四五六日天]|周[一二三四五六日]|[月火水木金土日]曜日|[のは]"
    r"|은|는|의|날짜|시간|시각|[월화수목금토일]요일)*"
)
_WRITTEN = r"(?:[a-z]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4}|\d{1,2}(?:st|nd|rd|th)?(?: of)? [a-z]{3,9}\.?,? \d{4})"
_DATE = (
    r"(?P<year>\d{4})(?:[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"| ?[年년] ?(?P<m_east>\d{1,2}) ?[月월] ?(?P<d_east>\d{1,2}) ?[日일])"
    rf"|(?P<numeric>\d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{4}})|(?P<written>{_WRITTEN})"
)
_DAY = re.compile(rf"(?:{_DATE})(?!\d)", re.IGNORECASE)
_TODAY = re.compile(rf"(?<![^\W_])(?:{'|'.join(_TODAYS)}){_BETWEEN}{_DAY.pattern}", re.IGNORECASE)
_IS_TODAY = re.compile(rf"(?<!\d){_DAY.pattern} (?:is|=) (?:today|now|the current date)\b", re.IGNORECASE)


@lru_cache(maxsize=1 << 10)
def find_today(text: str) -> datetime.date | None:
    """The day that a text calls today; None if it names none, or several."""
    days = {_read_match(match) for pattern in (_TODAY, _IS_TODAY) for match in pattern.finditer(text)}
    days.discard(None)
    return days.pop() if len(days) == 1 else None


def read_day(text: str) -> datetime.date | None:
    """The date that a text is or begins with (2024-05-15T15:00:00); None if it is none, or can be read in two ways."""
    match = _DAY.match(text.strip())
    return _read_match(match) if match else None


def _read_match(match: re.Match[str]) -> datetime.date | None:
    if match["year"]:
        try:
            month, day = match["m"] or match["m_east"], match["d"] or match["d_east"]
            return datetime.date(int(match["year"]), int(month), int(day))
        except ValueError:  # the 31st of a shorter month
            return None
    words = (match["numeric"] or match["written"]).lower()
    read = set(read_date(words.replace(" of ", " "), None))
    return datetime.date.fromisoformat(read.pop()) if len(read) == 1 else None
