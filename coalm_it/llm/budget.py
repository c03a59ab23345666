"""A limit on the cost of a run that is never exceeded: the worst case of a request is reserved before it is sent, and
settled once the actual usage is known.

    reserved = budget.reserve(prompt_tokens, max_tokens)         # None: it does not fit beside current reservations
    budget.settle(reserved, prompt_tokens, completion_tokens)    # settle(reserved): usage unknown, charged in full
    budget.release(reserved)                                     # nothing was charged

Everything is counted in tokens, and dollars are computed from the sums, so rounding errors do not accumulate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from coalm_it.errors import RequestError, ShortfallError
from coalm_it.model_settings import Price, Settings


class PriceError(RequestError):
    """max_usd is set for a model of unknown price; one line for the user."""


class BudgetError(ShortfallError):
    """The limit is reached; one line that says how to continue."""


class Tokens(NamedTuple):
    prompt: int
    completion: int


NOTHING = Tokens(0, 0)


@dataclass
class Budget:
    """Counts tokens, and limits them if `max_usd` or `max_tokens` is set. `price` None: dollars are unknown."""

    price: Price | None = None
    max_usd: float | None = None
    max_tokens: int | None = None
    spent: Tokens = NOTHING
    reserved: Tokens = NOTHING
    """Worst case of all requests in flight."""

    @property
    def usd(self) -> float | None:
        """US dollars spent so far; None if the price is unknown."""
        return None if self.price is None else self.price.cost(*self.spent)

    def reserve(self, prompt_tokens: int, max_tokens: int) -> Tokens | None:
        """Reserves the worst case of a request; None if that would exceed the limit."""
        total = _add(self.spent, _add(self.reserved, Tokens(prompt_tokens, max_tokens)))
        if self.max_usd is not None and self.price is not None and self.price.cost(*total) > self.max_usd:
            return None
        if self.max_tokens is not None and sum(total) > self.max_tokens:
            return None
        return self.reserve_unchecked(prompt_tokens, max_tokens)

    def reserve_unchecked(self, prompt_tokens: int, max_tokens: int) -> Tokens:
        """Reserves the worst case of a request that was sent already, whatever the limit."""
        worst_case = Tokens(prompt_tokens, max_tokens)
        self.reserved = _add(self.reserved, worst_case)
        return worst_case

    def settle(self, reserved: Tokens, prompt: int | None = None, completion: int | None = None) -> None:
        """Replaces a reservation by the tokens used; unknown counts are charged as reserved."""
        self.release(reserved)
        used = Tokens(
            reserved.prompt if prompt is None else prompt, reserved.completion if completion is None else completion
        )
        self.spent = _add(self.spent, used)

    def release(self, reserved: Tokens) -> None:
        """Cancels a reservation: nothing was charged."""
        self.reserved = Tokens(self.reserved.prompt - reserved.prompt, self.reserved.completion - reserved.completion)

    def describe_exhaustion(self) -> str:
        """One line: that the limit is reached, and how to continue."""
        dollars = [] if self.max_usd is None else [f"${self.usd or 0:,.4f} of max_usd {self.max_usd:g}"]
        tokens = [] if self.max_tokens is None else [f"{sum(self.spent):,} of max_tokens_total {self.max_tokens:,}"]
        return (
            f"the spending limit does not allow another request ({' and '.join(dollars + tokens)} used); "
            "all answers are kept: raise the limit, or run again to spend as much once more"
        )


def _add(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(one.prompt + other.prompt, one.completion + other.completion)


def make_budget(settings: Settings) -> Budget:
    """The budget of one run. Raises PriceError if `max_usd` is set and the model's price is unknown."""
    return Budget(find_price(settings), settings.max_usd, settings.max_tokens_total)


def find_price(settings: Settings) -> Price | None:
    """The price in the settings, else that in genai-prices. Raises PriceError if there is none and `max_usd` is set."""
    price = settings.price or _look_up_price(settings.model)
    if price is None and settings.max_usd is not None:
        raise PriceError(
            f"max_usd is set, but the price of {settings.model!r} is unknown: "
            "add it to the recipe, in dollars per million tokens: price: {input: 0.15, output: 0.60}"
        )
    return price


def _look_up_price(model: str) -> Price | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        # For a thousand tokens: some models cost more for very long prompts.
        known = calc_price(Usage(input_tokens=1000, output_tokens=1000), model)
    except LookupError:
        return None
    return Price(input=float(known.input_price * 1000), output=float(known.output_price * 1000))
