"""The repair loop: a request, and repair requests with the reasons, until the answer is accepted."""

from __future__ import annotations

from collections.abc import Callable

from coalm_it.llm.multistep import MultistepRequest
from coalm_it.llm.request import RETRIED_LATER, Failure, Outcome, Request
from coalm_it.thoughts.prompts import Messages, make_message

NOT_REPEATED = RETRIED_LATER | {"content_filter", "oversized"}
"""Failures after which there is no further attempt in the same run."""
MAX_QUOTE = 8_000
"""Characters of a rejected answer that the repair request quotes."""


def request_with_repairs(
    messages: Messages,
    max_repairs: int,
    make_request: Callable[[Messages, int], Request],
    review: Callable[[Outcome, int], str],
) -> MultistepRequest[None]:
    """A multistep request that starts with `messages`, and ends with an accepted answer or after `max_repairs`.

    `make_request(messages, sample)` makes the request of an attempt. `review(outcome, attempt)` records the outcome of
    an attempt (counted from 1), and returns what to tell the model about an answer: why it is rejected, or "" if it is
    accepted. A failed request is repeated as another sample of the same messages.
    """
    current, sample = messages, 0
    for attempt in range(1, max_repairs + 2):
        outcome = yield make_request(current, sample)
        feedback = review(outcome, attempt)
        if isinstance(outcome, Failure):
            if outcome.reason in NOT_REPEATED:
                return
            sample += 1
        elif feedback:
            quote = make_message("assistant", outcome.text[:MAX_QUOTE])
            current = (*messages, quote, make_message("user", feedback))
        else:
            return


def describe_failure(failure: Failure) -> str:
    """Reason and detail, as provenance and rejects state them."""
    return f"{failure.reason}: {failure.detail}"
