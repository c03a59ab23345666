"""Argilla distilabel: a pipeline of LoadDataFromDicts and TextGeneration with OpenAILLM, with its default cache.

The requests of a batch are sent together, and the whole batch is awaited; so the batch size is the maximum in flight.
"""

from __future__ import annotations

from pathlib import Path

from client import MAX_TOKENS, Job, make_prompt, run_job
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def ask(job: Job) -> int:
    with Pipeline(name="benchmark", cache_dir=Path(job.folder, "cache")) as pipeline:
        load = LoadDataFromDicts(
            data=[{"instruction": make_prompt(number)} for number in range(job.count)], batch_size=job.in_flight
        )
        llm = OpenAILLM(
            model="small",
            base_url=job.base_url,
            api_key="none",
            generation_kwargs={"max_new_tokens": MAX_TOKENS},
        )
        load >> TextGeneration(llm=llm, input_batch_size=job.in_flight)
    rows = pipeline.run()["default"]["train"]
    return len({row["instruction"] for row in rows if row["generation"]})


if __name__ == "__main__":
    run_job(ask)
