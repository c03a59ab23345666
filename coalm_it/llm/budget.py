"""A ceiling on what a run may cost, that is never passed: what a request may cost at worst is set aside before it is
sent, and what it did cost is counted once it is known.

    held = budget.reserve(prompt, answer)       # None: it does not fit beside what is set aside just now
    budget.settle(held, prompt, answer)         # or budget.settle(held): nobody knows, so it counts in full
    budget.release(held)                        # nothing was charged

Everything is counted in tokens, and dollars are computed from the sums: so nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from coalm_it.errors import RequestError, ShortfallError
from coalm_it.model_settings import Price, Settings


class PriceError(RequestError):
    """A ceiling in dollars is wanted, and nobody knows what the model costs; one line."""


class BudgetError(ShortfallError):
    """The ceiling is reached; one line that says how to go on."""


class Tokens(NamedTuple):
    prompt: int
    answer: int


NOTHING = Tokens(0, 0)


@dataclass
class Budget:
    """No ceiling where `max_usd` and `max_tokens` are None; it counts all the same. `price` None: dollars unknown."""

    price: Price | None = None
    max_usd: float | None = None
    max_tokens: int | None = None
    spent: Tokens = NOTHING
    held: Tokens = NOTHING
    """The worst case of what is under way."""

    @property
    def usd(self) -> float | None:
        """Dollars spent so far; None where no price is known."""
        return None if self.price is None else self.price.cost(*self.spent)

    def reserve(self, prompt: int, answer: int) -> Tokens | None:
        """Sets aside the worst case, or returns None where it would pass the ceiling."""
        worst = Tokens(prompt, answer)
        whole = _add(self.spent, _add(self.held, worst))
        if self.max_usd is not None and self.price is not None and self.price.cost(*whole) > self.max_usd:
            return None
        if self.max_tokens is not None and sum(whole) > self.max_tokens:
            return None
        return self.hold(prompt, answer)

    def hold(self, prompt: int, answer: int) -> Tokens:
        """Sets aside what is under way already, whatever the ceiling."""
        worst = Tokens(prompt, answer)
        self.held = _add(self.held, worst)
        return worst

    def settle(self, held: Tokens, prompt: int | None = None, answer: int | None = None) -> None:
        """Counts what was used; what is not known counts as it was set aside."""
        self.release(held)
        used = Tokens(held.prompt if prompt is None else prompt, held.answer if answer is None else answer)
        self.spent = _add(self.spent, used)

    def release(self, held: Tokens) -> None:
        self.held = Tokens(self.held.prompt - held.prompt, self.held.answer - held.answer)

    def explain(self) -> str:
        """That the ceiling is reached, and what to do."""
        dollars = [] if self.max_usd is None else [f"${self.usd or 0:,.4f} of max_usd {self.max_usd:g}"]
        tokens = [] if self.max_tokens is None else [f"{sum(self.spent):,} of max_tokens_total {self.max_tokens:,}"]
        return (
            f"the ceiling leaves no room for another request ({' and '.join(dollars + tokens)} used); "
            "every answer is kept: raise it, or run again for as much once more"
        )


def _add(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(one.prompt + other.prompt, one.answer + other.answer)


def make_budget(settings: Settings) -> Budget:
    """The budget of one run. Raises PriceError where `max_usd` is set and the model's price is known to nobody."""
    return Budget(find_price(settings), settings.max_usd, settings.max_tokens_total)


def find_price(settings: Settings) -> Price | None:
    """The recipe's price, else the one that genai-prices lists. Raises PriceError: max_usd needs one, there is none."""
    price = settings.price or _look_up(settings.model)
    if price is None and settings.max_usd is not None:
        raise PriceError(
            f"max_usd is set, and the price of {settings.model!r} is not known: "
            "write it into the recipe, in dollars a million tokens: price: {input: 0.15, output: 0.60}"
        )
    return price


def _look_up(model: str) -> Price | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    try:
        # Of a thousand tokens: some models cost more where a prompt is very long.
        known = calc_price(Usage(input_tokens=1000, output_tokens=1000), model)
    except LookupError:
        return None
    return Price(input=float(known.input_price * 1000), output=float(known.output_price * 1000))
