"""Retry-After in every form that servers send."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx2
import pytest

from coalm_it.retry_after import read_retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After-Ms": "250", "Retry-After": "9"}, 0.25),
        ({"Retry-After-Ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": formatdate(time.time() - 60, usegmt=True)}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(headers) == seconds
    assert read_retry_after(httpx2.Headers({name.lower(): value for name, value in headers.items()})) == seconds


def test_a_date_is_counted_from_now() -> None:
    seconds = read_retry_after({"Retry-After": formatdate(time.time() + 60, usegmt=True)})
    assert seconds is not None
    assert 55 < seconds <= 60
