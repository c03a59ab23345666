"""Tells a listener how far the training is, and notes the time beside each loss."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from coalm_it.listener import Listener

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerState


def report_progress(listener: Listener) -> TrainerCallback:
    """A callback for the trainer. Its times, `seconds` in the log, go on over what was cut off and resumed."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            past = state.log_history[-1]["seconds"] if state.log_history else 0
            self._started = time.monotonic() - past

        def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            listener.advance("steps", state.global_step, state.max_steps)

        def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            entry = state.log_history[-1]
            entry["seconds"] = round(time.monotonic() - self._started, 3)
            for name, loss in (("loss", entry.get("loss")), ("validation loss", entry.get("eval_loss"))):
                if loss is not None:
                    listener.say(f"step {state.global_step} of {state.max_steps}: {name} {loss:.4f}")

    return Progress()
