"""Estimates the requests, tokens, and cost of a run before it starts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from coalm_it.llm.budget import find_price
from coalm_it.llm.ledger import Ledger
from coalm_it.llm.multistep import find_settled
from coalm_it.llm.request import Request, bound_prompt, request_key
from coalm_it.model_settings import Price, Settings

CHARACTERS_PER_TOKEN = 4
"""For English text and JSON."""
TOKENS_PER_VALUE = {"string": 40, "integer": 6}
"""Tokens of a value in the answer and its key: a thought (grounded thoughts have 30 on average), a score."""


@dataclass(frozen=True)
class Estimate:
    stored: int
    """Requests whose outcome is in the ledger: they cost nothing."""
    asked: int
    """Requests without an outcome. Repair requests after failed checks are not predicted."""
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    """None if the price is unknown."""
    worst_case_usd: float | None
    """A max_usd of this much is certain not to stop the run."""
    seconds: float | None
    """None if the ledger has no answer of this model to derive the latency from."""


def estimate_run(requests: Iterable[Request], settings: Settings, ledger: Ledger) -> Estimate:
    """Estimates the requests that the ledger has no outcome for; identical requests count once.

    Length and latency of answers are the means of this model's answers in the ledger; without any, the length is that
    of usual thoughts. Raises PriceError if max_usd is set and the price is unknown.
    """
    price = find_price(settings)
    mean = "SELECT avg(completion_tokens), avg(seconds) FROM answers WHERE model = ?"
    length, seconds = ledger.query(mean, (settings.model,))[0]
    stored = asked = characters = prompt_bound = 0
    completion_estimate = 0.0
    seen = set()
    for request in requests:
        key = request_key(request, settings)
        if key in seen:
            continue
        seen.add(key)
        if find_settled(ledger, key) is not None:
            stored += 1
            continue
        asked += 1
        prompt_bound += bound_prompt(request)
        completion_estimate += length or _guess_length(request, settings)
        characters += len(json.dumps([request.messages, request.schema], ensure_ascii=False))
    prompt_tokens, completion_tokens = characters // CHARACTERS_PER_TOKEN, round(completion_estimate)
    return Estimate(
        stored=stored,
        asked=asked,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        usd=_cost(price, prompt_tokens, completion_tokens),
        worst_case_usd=_cost(price, prompt_bound, asked * settings.max_tokens),
        seconds=None if seconds is None else asked * seconds / settings.max_in_flight,
    )


def _guess_length(request: Request, settings: Settings) -> float:
    """Tokens of an answer, from the values that its schema requires; half of max_tokens if their number is open."""
    values = [
        TOKENS_PER_VALUE.get(value.get("type")) for value in (request.schema or {}).get("properties", {}).values()
    ]
    known = sum(tokens for tokens in values if tokens)
    return known if values and all(values) else settings.max_tokens / 2


def _cost(price: Price | None, prompt_tokens: int, completion_tokens: int) -> float | None:
    return None if price is None else price.cost(prompt_tokens, completion_tokens)
