"""The HTTP header Retry-After: how long a server asks a client to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait from now, at least 0; None without the header, or where its value is malformed.

    `headers` is httpx2.Headers, or any mapping with these names. The value is a number of seconds, which servers also
    write with a fraction, or a date (RFC 9110, section 10.2.3). OpenAI's Retry-After-Ms is more precise, and preferred.
    httpx2 does not read the header, and the openai package only in a private method.
    """
    milliseconds, value = headers.get("Retry-After-Ms", ""), headers.get("Retry-After", "")
    for text, factor in ((milliseconds, 0.001), (value, 1.0)):
        try:
            return max(0.0, float(text) * factor)
        except ValueError:
            continue
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
