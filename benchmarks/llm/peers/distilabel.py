"""Argilla distilabel: a pipeline of LoadDataFromDicts and TextGeneration with OpenAILLM, its cache on as it comes.

A batch is asked at once and waited for as a whole: so the batch is as large as what may be in flight.
"""

from __future__ import annotations

from pathlib import Path

from client import MAX_TOKENS, Order, carry_out, make_prompt
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def ask(order: Order) -> int:
    with Pipeline(name="benchmark", cache_dir=Path(order.folder, "cache")) as pipeline:
        load = LoadDataFromDicts(
            data=[{"instruction": make_prompt(number)} for number in range(order.count)], batch_size=order.in_flight
        )
        llm = OpenAILLM(
            model="small",
            base_url=order.base_url,
            api_key="none",
            generation_kwargs={"max_new_tokens": MAX_TOKENS},
        )
        load >> TextGeneration(llm=llm, input_batch_size=order.in_flight)
    rows = pipeline.run()["default"]["train"]
    return len({row["instruction"] for row in rows if row["generation"]})


if __name__ == "__main__":
    carry_out(ask)
