"""The optional packages: what each extra of the package brings, and the one line that says which one is missing.

Functions that need an extra call `require_extra` before they do anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Literal

from coalm_it.errors import RequestError

Extra = Literal["hub", "llm", "local", "tokens", "train"]

EXTRAS: dict[Extra, tuple[str, ...]] = {
    "hub": ("huggingface_hub",),
    "llm": ("aiohttp", "genai_prices", "json_repair", "openai"),
    "local": ("gguf", "torch", "transformers"),
    "tokens": ("tokenizers",),
    "train": ("accelerate", "datasets", "peft", "torch", "transformers", "trl"),
}
"""Extra -> the modules that it brings and the package imports."""
SIZES: dict[Extra, str] = {
    "hub": "26 MB",
    "llm": "47 MB",
    "tokens": "38 MB",
    "train": "1.3 GB with PyTorch for the CPU, 6 GB with that for GPUs: see docs/index.md",
}
"""Extra -> what it adds once installed, as measured for docs/index.md."""


class MissingExtraError(RequestError):
    """Packages are not installed; one line that says which command installs them."""


def require_extra(extra: Extra, purpose: str, modules: Sequence[str] | None = None) -> None:
    """Raises MissingExtraError if a module of the extra (of `modules`, if not all are needed) cannot be imported.

    `purpose` is what they are needed for, as the subject of "needs": "training a model". Nothing is imported.
    """
    missing = [name for name in modules or EXTRAS[extra] if find_spec(name) is None]
    if missing:
        install = f"pip install 'coalm-it[{extra}]', or '.[{extra}]' in a checkout"
        size = f" ({SIZES[extra]})" if extra in SIZES else ""
        raise MissingExtraError(f"{purpose} needs {', '.join(missing)}: {install}{size}")


def import_hub(purpose: str) -> Any:
    """huggingface_hub with the modules that are used; it no longer logs each of its retries. Raises MissingExtraError.

    The errors of all retries end in one line of ours.
    """
    require_extra("hub", purpose)
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.utils

    hub: Any = huggingface_hub
    hub.utils.logging.set_verbosity_error()
    return hub
