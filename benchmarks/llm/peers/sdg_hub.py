"""Red Hat SDG Hub: a flow of prompt, chat and extraction blocks, with checkpoints.

It saves nothing before the end unless `save_freq` is given; between two checkpoints it waits for all that is under way.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from client import MAX_TOKENS, Job, make_prompt, run_job
from sdg_hub import Flow

SAVE_EVERY = 500
FLOW = f"""
metadata: {{name: Benchmark, description: Asks., version: 1.0.0, author: coalm-it, id: benchmark}}
blocks:
- block_type: PromptBuilderBlock
  block_config:
    {{block_name: build, input_cols: [text], output_cols: messages, prompt_config_path: prompt.yaml}}
- block_type: LLMChatBlock
  block_config:
    {{block_name: chat, input_cols: messages, output_cols: response, async_mode: true, max_tokens: {MAX_TOKENS}}}
- block_type: LLMResponseExtractorBlock
  block_config: {{block_name: extract, input_cols: response, field_prefix: answer_, extract_content: true}}
"""
PROMPT = "- {role: user, content: '{{ text }}'}\n"


def ask(job: Job) -> int:
    folder = Path(job.folder)
    (folder / "flow.yaml").write_text(FLOW)
    (folder / "prompt.yaml").write_text(PROMPT)
    flow = Flow.from_yaml(str(folder / "flow.yaml"))
    flow.set_model_config(model="openai/small", api_base=job.base_url, api_key="none")
    rows = flow.generate(
        pd.DataFrame({"text": [make_prompt(number) for number in range(job.count)]}),
        checkpoint_dir=str(folder / "checkpoints"),
        save_freq=SAVE_EVERY,
        max_concurrency=job.in_flight,
    )
    return len({text for text, answer in zip(rows["text"], rows["answer_content"], strict=True) if answer})


if __name__ == "__main__":
    run_job(ask)
