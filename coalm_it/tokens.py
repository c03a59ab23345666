"""How many tokens a row has, by any tokenizer with a tokenizer.json, or estimated without one.

- Config `coalm_it`: the tokens of instruction, input and output, each for itself.
- Config `samples`: the tokens of the texts, thoughts and calls of all messages and of the functions, and
  MESSAGE_OVERHEAD for what a chat template writes around each message; templates differ in that.
- The estimate is one token for each BYTES_PER_TOKEN bytes of UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from coalm_it.errors import OutsideError, RequestError
from coalm_it.extras import import_hub, require_extra
from coalm_it.files import hash_file

BYTES_PER_TOKEN = 3.84
"""Of the published CoALM-IT: 811,445,592 bytes (its card) and 211,184,321 tokens (table 1 of the paper)."""
MESSAGE_OVERHEAD = 4
"""Tokens around a message in most chat templates: its begin, its role, a line break, its end."""
_FILE = "tokenizer.json"


class TokenizerError(RequestError):
    """There is no such tokenizer, or it cannot be read; one line."""


class TokenizerHubError(OutsideError):
    """The Hub does not give the tokenizer; one line."""


def find_tokenizer(name: str, folders: Sequence[Path] = (Path(),)) -> Path:
    """The tokenizer.json of a folder, looked for in these folders, or of a model on the Hub, which is downloaded.

    Raises MissingExtraError, TokenizerError, TokenizerHubError.
    """
    require_extra("tokens", "counting tokens")
    for place in (folder / name for folder in folders):
        if place.is_dir() and not (place / _FILE).is_file():
            raise TokenizerError(
                f"tokenizer {name}: the folder has no {_FILE}; "
                "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) of transformers writes one"
            )
        if place.exists():
            return place / _FILE if place.is_dir() else place
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or not name.strip("/"):
        raise TokenizerError(f"tokenizer {name}: no such folder, and not a name on the Hub (USER/NAME)")
    return _download(name)


def _download(name: str) -> Path:
    hub = import_hub("downloading a tokenizer")
    try:
        return Path(hub.hf_hub_download(name, _FILE))
    except (hub.errors.HfHubHTTPError, hub.errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TokenizerHubError(f"tokenizer {name}: no such folder here, and not from the Hub: {reason}") from None


def hash_tokenizer(path: Path) -> str:
    """The sha256 of a tokenizer.json."""
    return hash_file(path)


class TokenCounter:
    """Counts tokens; texts of messages and functions, which many rows share, are counted once."""

    def __init__(self, path: Path | None) -> None:
        """With the tokenizer.json at `path`; without one, estimates. Raises TokenizerError."""
        self._tokenizer: Any = None if path is None else _load(path)
        self._counted: dict[int, int] = {}
        """Hash of a JSON text -> its tokens."""

    def count_texts(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text."""
        if self._tokenizer is None:
            return [round(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN) for text in texts]
        texts = [text if text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]
        return [len(found) for found in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def count_json(self, rows: Sequence[Iterable[str]]) -> list[int]:
        """The tokens of each row of config `samples`, given as the JSON texts of its messages and functions."""
        hashed = [[(hash(text), text) for text in row] for row in rows]
        new = {key: text for row in hashed for key, text in row if key not in self._counted}
        counts = self.count_texts([_write_shown(text) for text in new.values()])
        self._counted |= {key: count + MESSAGE_OVERHEAD for key, count in zip(new, counts, strict=True)}
        return [sum(self._counted[key] for key, _ in row) for row in hashed]


def _write_shown(text: str) -> str:
    """What chat templates show of the JSON text of a message or a function."""
    one = orjson.loads(text)
    if "role" not in one:
        return text
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in one.get("tool_calls", ())]
    return "\n".join([text for text in (one.get("reasoning_content"), one["content"], *calls) if text])


def _load(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise TokenizerError(f"{path} is not a tokenizer: {' '.join(str(error).split())[:200]}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(4)
def load_counter(path: Path) -> TokenCounter:
    """The counter with the tokenizer.json at `path`, kept in this process."""
    return TokenCounter(path)
