"""The facts in a reply of a dialogue without annotation: each stands in what was said or found, in some form.

A date without its year, a time in another notation, a rounded number (7.07 for 7.0686, 23.33 billion), a percentage of
a share all count as the same. Where nothing was called in the turn, a bare number is common knowledge and no fact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from coalm_it.checks.evidence import find_facts
from coalm_it.checks.text_facts import TextFacts, read_facts, read_scaled
from coalm_it.checks.tracing import list_texts
from coalm_it.schema import Sample
from coalm_it.values import Value, value_text


def find_unfounded(sample: Sample, reply: str) -> Iterator[str]:
    """The facts in a reply that stand nowhere before it."""
    facts = [fact for fact in find_facts(sample, reply) if sample.current.steps or fact.kind != "number"]
    if not facts:
        return
    steps = len(sample.current.steps)
    known = [read_facts(text, sample.clock) for _, text in list_texts(sample, steps) if text]
    known.append(read_facts(value_text(sample.clock)))
    for fact in facts:
        if not any(_stands_in(fact, reply, one) for one in known):
            yield fact.text


def _stands_in(fact: Value, reply: str, known: TextFacts) -> bool:
    if fact.kind == "date":
        return any(form in known.dates or f"-{form[4:]}" in known.dates for form in fact.forms) or any(
            form.startswith("--") and any(day.endswith(form[1:]) for day in known.dates) for form in fact.forms
        )
    if fact.kind == "time":
        return not fact.forms.isdisjoint(known.times) or any(_is_full_hour(form, known) for form in fact.forms)
    digits = re.sub(r"\D", "", fact.text)
    if len(digits) > 2 and digits in known.squeezed:
        return True
    if fact.kind == "phone":
        return any(run.endswith(digits[-9:]) for run in known.digits)
    numbers = fact.forms | read_scaled(reply, fact.start)
    return not numbers.isdisjoint(known.numbers) or any(_is_near(number, known) for number in numbers)


def _is_full_hour(form: str, known: TextFacts) -> bool:
    hour, _, minute = form.partition(":")
    return minute == "00" and not known.hours.isdisjoint((str(int(hour)), str((int(hour) - 1) % 12 + 1)))


def _is_near(number: str, known: TextFacts) -> bool:
    """Whether a known number is this one before it was rounded, or as a share of one."""
    whole, _, fraction = number.partition(".")
    digits = whole.rstrip("0") if not fraction else whole + fraction
    if len(digits) < 2:
        return False
    step = Decimal(10) ** (-len(fraction) if fraction else len(whole) - len(digits))
    value = Decimal(number)
    return any(abs(Decimal(one) * scale - value) * 2 <= step for one in known.numbers for scale in (1, 100))
