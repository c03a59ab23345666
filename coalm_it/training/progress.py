"""Reports the progress of a training, and adds the elapsed time to each entry of the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from coalm_it.listener import Listener

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerState


def make_progress_callback(listener: Listener) -> TrainerCallback:
    """A callback for the trainer. `seconds` in the log continue from the last checkpoint when a run is resumed."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            elapsed = state.log_history[-1]["seconds"] if state.log_history else 0
            self._started = time.monotonic() - elapsed

        def on_step_end(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            listener.advance("steps", state.global_step, state.max_steps)

        def on_log(self, args: Any, state: TrainerState, control: Any, **kwargs: Any) -> None:
            entry = state.log_history[-1]
            entry["seconds"] = round(time.monotonic() - self._started, 3)
            for name, loss in (("loss", entry.get("loss")), ("validation loss", entry.get("eval_loss"))):
                if loss is not None:
                    listener.say(f"step {state.global_step} of {state.max_steps}: {name} {loss:.4f}")

    return Progress()
