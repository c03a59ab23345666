"""The clients of this environment. `python -m clients NAME ORDER` is how run.py starts one."""

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
from client import MAX_TOKENS, Order, carry_out, make_prompt
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


def ask_only(order: Order) -> int:
    """Our own asking and storing, without what comes before (prompts) and after (parsing, checks)."""
    settings = Settings(
        model="small",
        base_url=order.base_url,
        max_in_flight=order.in_flight,
        max_tokens=MAX_TOKENS,
        max_usd=order.max_usd,
        price=PRICE,
    )
    requests = (Request(({"role": "user", "content": make_prompt(number)},)) for number in range(order.count))
    good = 0

    def tell(request: Request, outcome: Outcome) -> None:
        nonlocal good
        good += isinstance(outcome, Answer)

    with open_ledger(Path(order.folder, LEDGER)) as ledger:
        try:
            ask_all(requests, settings, ledger, tell, budget=make_budget(settings))
        except BudgetError as error:
            print(error, file=sys.stderr)
    return good


def write_corpus(order: Order, *, turns: bool) -> None:
    """The dialogues that `order_thoughts` asks about; written before the clock starts."""
    size = {"turns": order.count} if turns else {"count": order.count}
    write_dialogues(Path(order.folder, "corpus"), a_file=128, **size)  # as many as in a file of SGD


def order_thoughts(order: Order, *, turns: bool) -> int:
    """The first pass of a build: dialogues read, prompts rendered, asked, parsed, checked, stored; a call for each turn
    or one for each dialogue. Returns the number of calls, those for thoughts that did not pass at first among them."""
    changes = ["parts.snips=null", f"reasoning.turns_per_request={1 if turns else 100}", "reasoning.writer=annotate"]
    changes += ["reasoning.model=small", f"reasoning.base_url={order.base_url}"]
    recipe = prepare_recipe("tod", [*changes, f"reasoning.max_in_flight={order.in_flight}"])
    folder, answer_source, listener = Path(order.folder), AnswerSource(Path(order.folder, LEDGER)), Silent()
    part_sources = find_part_sources(recipe, folder / "corpus", listener)
    tasks = plan_tasks(recipe, part_sources, hash_inputs(recipe, part_sources), folder)
    with start_engine(os.cpu_count() or 1) as run_tasks:
        selection = Selection(recipe, tasks, dict(run_tasks(outline_shard, tasks)))
    return len(ask_model(selection, answer_source, make_budgets(recipe.reasoning, answer_source), listener).keys)


def ask_sdk(order: Order) -> int:
    """The openai package as it comes, with its own retries."""

    async def ask() -> int:
        gate = asyncio.Semaphore(order.in_flight)
        async with openai.AsyncOpenAI(base_url=order.base_url, api_key="none") as client:

            async def ask_one(number: int) -> bool:
                async with gate:
                    try:
                        got = await client.chat.completions.create(**make_body(number))
                    except openai.OpenAIError:
                        return False
                    return bool(got.choices[0].message.content)

            return sum(await asyncio.gather(*map(ask_one, range(order.count))))

    return asyncio.run(ask())


def ask_lean(order: Order) -> int:
    """The same with its aiohttp transport and bare responses, which is what endpoint.py builds on."""

    async def ask() -> int:
        numbers, good = iter(range(order.count)), 0
        transport = openai.DefaultAioHttpClient()
        async with openai.AsyncOpenAI(base_url=order.base_url, api_key="none", http_client=transport) as client:

            async def work() -> None:
                nonlocal good
                for number in numbers:
                    try:
                        got = await client.chat.completions.with_raw_response.create(**make_body(number))
                    except openai.OpenAIError:
                        continue
                    good += bool(json.loads(got.content)["choices"][0]["message"]["content"])

            await asyncio.gather(*(work() for _ in range(order.in_flight)))
        return good

    return asyncio.run(ask())


def ask_floor(order: Order) -> int:
    """A bare pool: no client can be cheaper. Where it is refused, it waits as the server says, and asks again."""

    async def ask() -> int:
        numbers, good = iter(range(order.count)), 0
        url = f"{order.base_url}/chat/completions"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=order.in_flight)) as session:

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

            await asyncio.gather(*(work() for _ in range(order.in_flight)))
        return good

    return asyncio.run(ask())


CLIENTS: dict[str, Callable[[Order], int]] = {
    "a turn a call": partial(order_thoughts, turns=True),
    "a dialogue a call": partial(order_thoughts, turns=False),
    "asking only": ask_only,
    "lean": ask_lean,
    "sdk": ask_sdk,
    "floor": ask_floor,
}

PREPARATIONS: dict[str, Callable[[Order], None]] = {
    "a turn a call": partial(write_corpus, turns=True),
    "a dialogue a call": partial(write_corpus, turns=False),
}

if __name__ == "__main__":
    carry_out(CLIENTS[sys.argv[1]], PREPARATIONS.get(sys.argv[1]))
