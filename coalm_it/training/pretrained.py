"""Pretrained models by name, for training and evaluation: a folder, or a name on the Hub; and why one does not load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coalm_it.errors import OutsideError, RequestError

_HUB_NAME = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)?")
_CONFIGS = ("config.json", "adapter_config.json")


class ModelError(RequestError):
    """There is no such model, or it cannot be used; one line."""


class HubError(OutsideError):
    """The Hub cannot be reached; one line."""


class DeviceMemoryError(OutsideError):
    """The device has too little memory; one line that says what to lower."""


def check_model_name(name: str) -> None:
    """Raises ModelError if `name` is neither the folder of a model nor could be a name on the Hub."""
    path = Path(name)
    if path.is_dir():
        if not any((path / config).is_file() for config in _CONFIGS):
            raise ModelError(f"{name} is not a model: the folder has no {' and no '.join(_CONFIGS)}")
    elif path.exists() or not _HUB_NAME.fullmatch(name):
        raise ModelError(f"no model {name}: no such folder, and not a name on the Hub (USER/NAME)")


@contextmanager
def explain_load_errors(name: str) -> Iterator[None]:
    """Errors of `from_pretrained` in one line. Raises HubError if the Hub cannot be reached, else ModelError."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        yield
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        if isinstance(error.__cause__, LocalEntryNotFoundError):
            raise HubError(f"no folder {name}, and the Hub cannot be reached: {reason}") from None
        raise ModelError(f"model {name} cannot be loaded: {reason}") from None
