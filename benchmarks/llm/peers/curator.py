"""Bespoke Curator: curator.LLM over a list of prompts, with its cache at the defaults.

Its rate limits are raised so that they have no effect. It sends one empty request at each start. It needs a tokenizer
file that tiktoken downloads; without a network, the copy in litellm is used.
"""

from __future__ import annotations

import os
from pathlib import Path

import litellm
from bespokelabs import curator
from client import MAX_TOKENS, Job, make_prompt, run_job


class Asker(curator.LLM):  # type: ignore[misc]
    def prompt(self, row: dict[str, str]) -> str:
        return row["text"]

    def parse(self, row: dict[str, str], response: str) -> list[dict[str, str]]:
        return [{"text": row["text"], "answer": response}]


def ask(job: Job) -> int:
    os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")
    asker = Asker(
        model_name="small",
        backend="openai",
        generation_params={"max_tokens": MAX_TOKENS},
        backend_params={
            "base_url": job.base_url,
            "api_key": "none",
            "max_concurrent_requests": job.in_flight,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 10_000_000_000,
        },
    )
    rows = asker(
        [{"text": make_prompt(number)} for number in range(job.count)], working_dir=str(Path(job.folder, "cache"))
    ).dataset
    return len({row["text"] for row in rows if row["answer"]})


if __name__ == "__main__":
    run_job(ask)
