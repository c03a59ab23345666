"""What a run would ask and cost, before it asks anything."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from coalm_it.llm.budget import find_price
from coalm_it.llm.ledger import Ledger
from coalm_it.llm.multistep import find_settled
from coalm_it.llm.request import Request, bound_prompt, request_key
from coalm_it.model_settings import Price, Settings

CHARACTERS_A_TOKEN = 4
"""Of English text and JSON."""
TOKENS_A_VALUE = {"string": 40, "integer": 6}
"""Of a thought, and of a score, with its key: those that the annotation gives have 30 on average."""


@dataclass(frozen=True)
class Estimate:
    stored: int
    """Requests whose outcome the ledger has: they cost nothing."""
    asked: int
    """Requests that there is no outcome of; what a failed check will ask again is not foreseen."""
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    """None where no price is known."""
    usd_at_most: float | None
    """What max_usd must leave room for, so that it is sure never to stop the run."""
    seconds: float | None
    """None where the ledger has no answer of this model to tell how long one takes."""


def estimate_run(requests: Iterable[Request], settings: Settings, ledger: Ledger) -> Estimate:
    """Answers are taken to be as long, and to take as long, as those of the model that the ledger has; where it has
    none, as long as thoughts usually are. What several parts ask counts once. Raises PriceError: max_usd is set, and no
    price is known."""
    price = find_price(settings)
    mean = "SELECT avg(completion_tokens), avg(seconds) FROM answers WHERE model = ?"
    length, seconds = ledger.query(mean, (settings.model,))[0]
    stored = asked = characters = bound = 0
    completion = 0.0
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
        bound += bound_prompt(request)
        completion += length or _guess_length(request, settings)
        characters += len(json.dumps([request.messages, request.schema], ensure_ascii=False))
    prompt_tokens, completion_tokens = characters // CHARACTERS_A_TOKEN, round(completion)
    return Estimate(
        stored=stored,
        asked=asked,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        usd=_cost(price, prompt_tokens, completion_tokens),
        usd_at_most=_cost(price, bound, asked * settings.max_tokens),
        seconds=None if seconds is None else asked * seconds / settings.max_in_flight,
    )


def _guess_length(request: Request, settings: Settings) -> float:
    """Tokens of an answer, from the values that it must have; half of max_tokens where their number is open."""
    values = [TOKENS_A_VALUE.get(one.get("type")) for one in (request.schema or {}).get("properties", {}).values()]
    known = sum(tokens for tokens in values if tokens)
    return known if values and all(values) else settings.max_tokens / 2


def _cost(price: Price | None, prompt: int, answer: int) -> float | None:
    return None if price is None else price.cost(prompt, answer)
