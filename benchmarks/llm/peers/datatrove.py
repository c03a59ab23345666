"""Hugging Face datatrove: InferenceRunner with checkpoints and its request cache, run by the local executor.

With a local address it uses plain sockets, one connection per request; with any other the openai package. So it is
cheaper here than with a real endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from client import MAX_TOKENS, Job, make_prompt, run_job
from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceResult, InferenceRunner
from datatrove.pipeline.writers import JsonlWriter

RECORDS_PER_CHUNK = 500
"""As in its example."""


async def ask_once(document: Document, generate: Callable[[dict[str, Any]], Awaitable[InferenceResult]]) -> Any:
    return await generate({"messages": [{"role": "user", "content": document.text}], "max_tokens": MAX_TOKENS})


def ask(job: Job) -> int:
    folder = Path(job.folder)
    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="small",
        endpoint_url=job.base_url.removesuffix("/v1"),
        max_concurrent_generations=job.in_flight,
    )
    writer = JsonlWriter(str(folder / "out"), output_filename="${rank}_chunk_${chunk_index}.jsonl", compression=None)
    runner = InferenceRunner(
        rollout_fn=ask_once,
        config=config,
        output_writer=writer,
        checkpoints_local_dir=str(folder / "checkpoints"),
        records_per_chunk=RECORDS_PER_CHUNK,
    )
    documents = [Document(text=make_prompt(number), id=str(number)) for number in range(job.count)]
    LocalPipelineExecutor(pipeline=[documents, runner], logging_dir=str(folder / "logs"), tasks=1).run()
    rows = (json.loads(line) for path in (folder / "out").glob("*.jsonl") for line in path.open())
    return len({row["id"] for row in rows if row["metadata"]["rollout_results"][0]["text"]})


if __name__ == "__main__":
    run_job(ask)
