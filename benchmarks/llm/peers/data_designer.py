"""NVIDIA NeMo Data Designer: one LLM column over a seed file, resumed if possible.

It resumes whole buffers of 1,000 records (the default). It sends a health check at each start.
"""

from __future__ import annotations

from pathlib import Path

import data_designer.config as dd
import pandas as pd
from client import MAX_TOKENS, Job, make_prompt, run_job
from data_designer.interface import DataDesigner, ResumeMode


def ask(job: Job) -> int:
    folder = Path(job.folder)
    seeds = folder / "seeds.parquet"
    pd.DataFrame({"text": [make_prompt(number) for number in range(job.count)]}).to_parquet(seeds)
    provider = dd.ModelProvider(name="local", endpoint=job.base_url, api_key="none")
    parameters = dd.ChatCompletionInferenceParams(max_parallel_requests=job.in_flight, max_tokens=MAX_TOKENS)
    model = dd.ModelConfig(alias="small", model="small", provider="local", inference_parameters=parameters)
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(seeds)))
    builder.add_column(dd.LLMTextColumnConfig(name="answer", model_alias="small", prompt="{{ text }}"))
    designer = DataDesigner(artifact_path=folder / "artifacts", model_providers=[provider])
    results = designer.create(builder, num_records=job.count, dataset_name="benchmark", resume=ResumeMode.IF_POSSIBLE)
    rows = results.load_dataset()
    return len({text for text, answer in zip(rows["text"], rows["answer"], strict=True) if answer})


if __name__ == "__main__":
    run_job(ask)
