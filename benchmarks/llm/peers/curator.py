"""Bespoke Curator: curator.LLM over a list of prompts, its cache on as it comes.

Its own ceilings on requests and tokens a minute are raised out of the way. It sends one empty request at each start.
It wants a tokenizer's file that tiktoken downloads: where there is no network, the copy in litellm serves.
"""

from __future__ import annotations

import os
from pathlib import Path

import litellm
from bespokelabs import curator
from client import MAX_TOKENS, Order, carry_out, make_prompt


class Asker(curator.LLM):  # type: ignore[misc]
    def prompt(self, row: dict[str, str]) -> str:
        return row["text"]

    def parse(self, row: dict[str, str], response: str) -> list[dict[str, str]]:
        return [{"text": row["text"], "answer": response}]


def ask(order: Order) -> int:
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")
    asker = Asker(
        model_name="small",
        backend="openai",
        generation_params={"max_tokens": MAX_TOKENS},
        backend_params={
            "base_url": order.base_url,
            "api_key": "none",
            "max_concurrent_requests": order.in_flight,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 10_000_000_000,
        },
    )
    rows = asker(
        [{"text": make_prompt(number)} for number in range(order.count)], working_dir=str(Path(order.folder, "cache"))
    ).dataset
    return len({row["text"] for row in rows if row["answer"]})


if __name__ == "__main__":
    carry_out(ask)
