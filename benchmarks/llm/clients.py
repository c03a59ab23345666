"""The clients of this environment. `python -m clients NAME ORDER` is how run.py starts one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import openai
from client import MAX_TOKENS, Order, carry_out, make_prompt

from coalm_it.models import Settings
from coalm_it.reasoning.asking import ask_all
from coalm_it.reasoning.budget import BudgetError, make_budget
from coalm_it.reasoning.ledger import open_ledger
from coalm_it.reasoning.request import Answer, Outcome, Request

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
    "asking only": ask_only,
    "lean": ask_lean,
    "sdk": ask_sdk,
    "floor": ask_floor,
}

if __name__ == "__main__":
    carry_out(CLIENTS[sys.argv[1]])
