"""The corpus's own system text in the rows: in every layout, once, and without it nothing changes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from decoded import decode_messages

from coalm_it.pipeline.build import build
from coalm_it.recipe import Recipe
from coalm_it.rendering import Renderer
from coalm_it.samples.masking import mask_sample
from coalm_it.samples.targets import make_samples
from coalm_it.samples.unanswerable import remove_value
from coalm_it.schema import Call, Dialogue, Inventory, Sample, Step, Tool, Turn
from coalm_it.templates import list_macros

POLICY = "Today is 2024-05-15.\n\n- Fares of code {{HX4}} need a card.\n- Use get_tide before any trip."
TIDE = Tool(
    name="get_tide",
    description="Tide at a harbour.",
    parameters={
        "type": "object",
        "properties": {"harbour": {"type": "string", "description": "Where."}, "day": {"type": "string"}},
        "required": ["harbour"],
    },
)
DAY = datetime.date(2024, 5, 15)


def make_sample(system: str = POLICY, clock: datetime.date | None = DAY, **changes: Any) -> Sample:
    call = Call(id="call_0_0", name="get_tide", arguments={"harbour": "Oban"})
    step = Step(thought="A tide.", calls=(call,), observations=({"high": "06:10"},))
    turn = Turn(user="When is the next tide in Oban?", steps=(step,), thought="Found.", reply="At 06:10.")
    sample: dict[str, Any] = {"id": "a/train/1/0/function_call", "part": "a", "task": "function_call", "turn": 0}
    sample |= {"layout": "toolace", "source": "a", "split": "train", "dialogue_id": "1", "licence": "", "step": 0}
    return Sample.model_validate(
        {**sample, "tools": (TIDE,), "turns": (turn,), "system": system, "clock": clock} | changes
    )


def render(sample: Sample) -> tuple[str, str | None]:
    row = Renderer(Inventory(tools=(TIDE,))).render_row(sample)
    system = json.loads(row.prompt[0])
    assert system["role"] == "system"
    return row.instruction, system["content"]


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": "hammer"},
        {"layout": "toolace"},
        {"layout": "react_action", "task": "react_action"},
        {"layout": "react_response", "task": "react_response", "step": None},
    ],
)
def test_a_block_of_its_own_holds_it_and_in_messages_it_is_the_system_message(changes: dict[str, Any]) -> None:
    instruction, message = render(make_sample(**changes))
    assert f"\n\n[BEGIN OF SYSTEM PROMPT]\n{POLICY}\n[END OF SYSTEM PROMPT]\n\n[BEGIN OF" in instruction
    assert message == POLICY
    assert "2024-05-15" not in instruction.replace(POLICY, "")  # the text says it
    without, task = render(make_sample(system="", **changes))
    assert "SYSTEM PROMPT" not in without
    assert "Wednesday, 2024-05-15" in without
    assert task is not None
    assert task.startswith("You ")


def test_every_wording_of_layout_varied_shows_it_once() -> None:
    seen = {}
    for number in range(400):
        sample = make_sample(layout="varied", id=f"a/train/{number}/0/function_call")
        instruction, message = render(sample)
        assert instruction.count(POLICY) == 1
        assert message == POLICY
        assert "\n\n\n" not in instruction
        without, _ = render(sample.model_copy(update={"system": "", "clock": None}))
        before, _, after = instruction.partition(POLICY)
        seen[before[:20] + after[-20:]] = before
        assert len(without) < len(before + after)
        assert after.strip()
    assert len({text.strip().splitlines()[-1] for text in seen.values()}) >= len(list_macros("rows/varied/agent")) - 3


def test_a_day_that_the_text_does_not_name_stands_after_it() -> None:
    instruction, message = render(make_sample(system="Be kind.", layout="varied"))
    assert "Wednesday, 2024-05-15" in instruction
    assert message == "Be kind.\n\nToday is Wednesday, 2024-05-15."


def test_state_tracking_keeps_its_own_task() -> None:
    turn = Turn(user="Oban.", state={"": {"harbour": ("Oban",)}})
    sample = make_sample(task="state_tracking", layout="varied", step=None, turns=(turn,))
    instruction, message = render(sample)
    assert POLICY not in instruction
    assert message is not None
    assert message.startswith("You keep track")


def test_a_sample_is_told_only_what_the_system_has_said_by_then() -> None:
    turns = (Turn(user="Hi", reply="Hi!"), Turn(user="Bye", system="Close now.", reply="Bye!"))
    dialogue = Dialogue(id="1", source="a", split="train", licence="", system="Be kind.", turns=turns)
    part = Recipe.model_validate({"name": "r", "parts": {"a": {"source": "a.yaml", "task": "function_call"}}}).parts[
        "a"
    ]
    assert [one.system for one in make_samples(dialogue, "a", part, ())] == ["Be kind.", "Be kind.\n\nClose now."]


def test_names_and_values_that_the_text_mentions_stay() -> None:
    described = TIDE.model_copy(update={"description": "Tide."})
    assert mask_sample(make_sample(tools=(described,))).tools[0].name == "get_tide"
    assert mask_sample(make_sample(system="Be kind.", tools=(described,))).tools[0].name != "get_tide"
    assert remove_value(make_sample(system="Be kind.")) is not None
    assert remove_value(make_sample(system="If no harbour is named, Oban is meant.")) is None


def test_values_of_the_text_are_ground_for_calls_and_replies(tmp_path: Path) -> None:
    def record(system: str) -> dict[str, Any]:
        function = {"name": "pay", "arguments": {"card": "HX-4471", "due": "2024-05-16"}}
        user = {"role": "user", "content": "Pay it tomorrow."}
        tool_calls = [{"id": "c1", "function": function}]
        messages = [{"role": "system", "content": system}, user, {"role": "assistant", "tool_calls": tool_calls}]
        messages += [{"role": "tool", "content": "ok"}, {"role": "assistant", "content": "Done, for 250 dollars."}]
        properties = {"card": {"type": "string"}, "due": {"type": "string"}}
        return {"messages": messages, "tools": [{"name": "pay", "parameters": {"properties": properties}}]}

    texts = ["Today is 2024-05-15. The card is HX-4471, the fee 250 dollars.", "Be kind."]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(record(text)) + "\n" for text in texts))
    source: dict[str, Any] = {
        "name": "own",
        "title": "Own",
        "reader": "messages",
        "licence": "CC0-1.0",
        "citation": "none",
    }
    source |= {"homepage": "https://example.org", "layouts": [{"name": "lines", "splits": {"train": "own.jsonl"}}]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(source))
    parts = {"own": {"source": str(tmp_path / "own.yaml"), "task": "function_call", "layout": "toolace"}}
    out = tmp_path / "out"
    build(Recipe.model_validate({"name": "r", "parts": parts}), data=tmp_path, out=out, workers=1)
    rows = [row for path in (out / "data" / "samples").iterdir() for row in pq.read_table(path).to_pylist()]
    rejects = [row for path in (out / "rejects").iterdir() for row in pq.read_table(path).to_pylist()]
    assert {row["dialogue_id"] for row in rows} == {"own_0"}
    assert [decode_messages(row)[0][0]["content"] for row in rows] == [texts[0]] * 2
    findings = [finding["message"] for row in rejects for finding in row["findings"]]
    assert any("pay.card is 'HX-4471', which nobody said" in finding for finding in findings)
    assert any("250 dollars" in finding for finding in findings)
