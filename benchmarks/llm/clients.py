"""The clients in this environment; run.py starts them with `python -m clients NAME JOB`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import openai
from client import MAX_TOKENS, Job, make_prompt, run_job
from dialogues import write_dialogues

from coalm_it.listener import Silent
from coalm_it.llm.budget import BudgetError, make_budget
from coalm_it.llm.ledger import open_ledger
from coalm_it.llm.online import ask_all
from coalm_it.llm.request import Answer, Outcome, Request
from coalm_it.model_settings import Settings
from coalm_it.pipeline.engine import start_engine
from coalm_it.pipeline.model_pass import AnswerSource, ask_model, make_budgets
from coalm_it.pipeline.plan import find_part_sources, hash_inputs, plan_tasks, prepare_recipe
from coalm_it.pipeline.selection import Selection, outline_shard

PRICE = {"input": 3.0, "output": 15.0}
LEDGER = "answers.sqlite"


def make_body(number: int) -> dict[str, Any]:
    return {
        "model": "small",
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "user", "content": make_prompt(number)}],
    }


def ask_only(job: Job) -> int:
    """Only sends requests and stores answers: without prompts before, and parsing and checks after."""
    settings = Settings(
        model="small",
        base_url=job.base_url,
        max_in_flight=job.in_flight,
        max_tokens=MAX_TOKENS,
        max_usd=job.max_usd,
        price=PRICE,
    )
    requests = (Request(({"role": "user", "content": make_prompt(number)},)) for number in range(job.count))
    good = 0

    def tell(request: Request, outcome: Outcome) -> None:
        nonlocal good
        good += isinstance(outcome, Answer)

    with open_ledger(Path(job.folder, LEDGER)) as ledger:
        try:
            ask_all(requests, settings, ledger, tell, budget=make_budget(settings))
        except BudgetError as error:
            print(error, file=sys.stderr)
    return good


def write_corpus(job: Job, *, turns: bool) -> None:
    """Writes the dialogues for `write_thoughts`; not measured."""
    size = {"turns": job.count} if turns else {"count": job.count}
    write_dialogues(Path(job.folder, "corpus"), per_file=128, **size)  # as many as in a file of SGD


def write_thoughts(job: Job, *, turns: bool) -> int:
    """The first pass of a build, from corpus to checked and stored thoughts, with one call per turn or per dialogue.

    Returns the number of calls, including repair requests.
    """
    changes = ["parts.snips=null", f"reasoning.turns_per_request={1 if turns else 100}", "reasoning.writer=annotate"]
    changes += ["reasoning.model=small", f"reasoning.base_url={job.base_url}"]
    recipe = prepare_recipe("tod", [*changes, f"reasoning.max_in_flight={job.in_flight}"])
    folder, answer_source, listener = Path(job.folder), AnswerSource(Path(job.folder, LEDGER)), Silent()
    part_sources = find_part_sources(recipe, folder / "corpus", listener)
    tasks = plan_tasks(recipe, part_sources, hash_inputs(recipe, part_sources), folder)
    with start_engine(os.cpu_count() or 1) as run_tasks:
        selection = Selection(recipe, tasks, dict(run_tasks(outline_shard, tasks)))
    return len(ask_model(selection, answer_source, make_budgets(recipe.reasoning, answer_source), listener).keys)


def ask_sdk(job: Job) -> int:
    """The openai package as it comes, with its own retries."""

    async def ask() -> int:
        gate = asyncio.Semaphore(job.in_flight)
        async with openai.AsyncOpenAI(base_url=job.base_url, api_key="none") as client:

            async def ask_one(number: int) -> bool:
                async with gate:
                    try:
                        got = await client.chat.completions.create(**make_body(number))
                    except openai.OpenAIError:
                        return False
                    return bool(got.choices[0].message.content)

            return sum(await asyncio.gather(*map(ask_one, range(job.count))))

    return asyncio.run(ask())


def ask_lean(job: Job) -> int:
    """The same with its aiohttp transport and bare responses, which is what endpoint.py builds on."""

    async def ask() -> int:
        numbers, good = iter(range(job.count)), 0
        transport = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(base_url=job.base_url, api_key="none", http_client=transport) as client:

            async def work() -> None:
                nonlocal good
                for number in numbers:
                    try:
                        got = await client.chat.completions.with_raw_response.create(**make_body(number))
                    except openai.OpenAIError:
                        continue
                    good += bool(json.loads(got.content)["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(job.in_flight)))
        return good

    return asyncio.run(ask())


def ask_floor(job: Job) -> int:
    """A bare pool: no client can be cheaper. Where it is refused, it waits as the server says, and asks again."""

    async def ask() -> int:
        numbers, good = iter(range(job.count)), 0
        url = f"{job.base_url}/chat/completions"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=job.in_flight)) as session:

            async def ask_one(number: int) -> bool:
                while True:
                    async with session.post(url, json=make_body(number)) as got:
                        if got.status == 200:
                            return bool(json.loads(await got.read())["choices"][0]["message"]["content"])
                        await asyncio.sleep(float(got.headers.get("Retry-After", 1)))

            async def work() -> None:
                nonlocal good
                for number in numbers:
                    answered = await ask_one(number)
                    good += answered

            await asyncio.gather(*(work() for _ in range(job.in_flight)))
        return good

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[[Job], int]] = {
    "one call per turn": partial(write_thoughts, turns=True),
    "one call per dialogue": partial(write_thoughts, turns=False),
    "requests only": ask_only,
    "lean": ask_lean,
    "sdk": ask_sdk,
    "floor": ask_floor,
}

PREPARATIONS: dict[str, Callable[[Job], None]] = {
    "one call per turn": partial(write_corpus, turns=True),
    "one call per dialogue": partial(write_corpus, turns=False),
}

if __name__ == "__main__":
    run_job(CLIENTS[sys.argv[1]], PREPARATIONS.get(sys.argv[1]))
