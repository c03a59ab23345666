"""Writes the reference pages of docs/ from the code: the keys of all YAML files, the columns and files of a data set,
the commands.

    python docs/reference.py

`tests/test_docs.py` compares them, so that they cannot drift.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
import pyarrow as pa
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from coalm_it.checks import CHECKS
from coalm_it.cli import app
from coalm_it.corpora.sources import Source
from coalm_it.dataset.folder import FILES
from coalm_it.dataset.manifest import Manifest
from coalm_it.dataset.tables import COALM_IT, DIALOGUES, MEANINGS, MESSAGE_KEYS, PROVENANCE, REJECTS, SAMPLES
from coalm_it.evaluation.config import Evaluation
from coalm_it.readers import READERS
from coalm_it.recipe import Recipe
from coalm_it.training.config import TrainConfig
from coalm_it.verify.run import Verification

DOCS = Path(__file__).parent
Lines = Iterator[str]


def write_pages() -> dict[str, str]:
    """File name -> text of each reference page."""
    return {name: "\n".join(lines()) + "\n" for name, lines in PAGES.items()}


# --- YAML files ---


DIALOGUES_NOTE = (
    "The dialogues of the rows, unmasked, each up to the first turn of which a check rejected a call, a reply or a\n"
    "thought, or of which the corpus says that it is not to be learnt. Single requests with a state (SNIPS) are not\n"
    "among them."
)
JSON_NOTE = (
    "Messages and functions are stored as JSON texts. The card declares them (`List(Json())`), so that `datasets`\n"
    "(4.7 or newer) hands out objects; pandas, polars and duckdb show the texts. Keys without a value are absent."
)
SET = "an unknown key is an error that names the nearest known one."


def describe_recipe() -> Lines:
    yield "# Recipe"
    yield ""
    yield "A recipe is a YAML file that says what to build. `coalm-it recipes` lists those that come with the package,"
    yield "`coalm-it recipes tod > mine.yaml` prints one to copy; `--set parts.sgd.rows=1000` changes one value of it;"
    yield SET
    yield from describe_models(Recipe, "The recipe")
    yield ""
    yield "## Checks"
    yield ""
    yield "Every sample passes these checks or becomes a reject, which `rejects/` of the build keeps with the reason."
    yield "`checks` turns one off by its name, for a part or for all: `checks: {grounding: false}`."
    yield ""
    yield from write_table(["check", "meaning"], [[f"`{name}`", describe_check(name)] for name in CHECKS])
    yield ""
    yield "What a check looks at decides which rows it can reject. Every row: `structure`. Rows with functions:"
    yield "`call_grammar`. The calls of the turn, and tracked values: `grounding`. Replies, of function_call and"
    yield "react_response rows: `reply_facts`, `outcome`, `database`. Thoughts before calls, also those that a"
    yield "function_call row shows in `samples` alone: `leak`. The thoughts of ReAct rows: `thoughts`, `agreement`,"
    yield "`thought_facts`, and `substance` where a model wrote them."
    yield ""
    yield "For conversations without annotation (your own, xLAM, ToolACE), `database` finds nothing, as it compares"
    yield "annotated acts; all others read the texts, calls and results. A value is grounded if it is said in the"
    yield "conversation or the system text, stands in an earlier call or result, or is given by the function's"
    yield "description: a default, a value that the schema lists. What else the agent may know (a login, a table of"
    yield "codes) the check cannot see: put it into the system text, or turn `grounding` off for that part."
    yield ""
    yield "Three more reasons are no checks and cannot be turned off: `reasoning`, no thought of a model was accepted"
    yield "(with `fallback: reject`); `layout`, the sample has parts that the layout does not show (`hammer`: earlier"
    yield "turns, earlier calls, or a text as the answer); and `rendering`, the layout cannot write one of the calls."


def describe_check(name: str) -> str:
    """The first paragraph of the check's module, which says what the check is for."""
    return " ".join((sys.modules[CHECKS[name].__module__].__doc__ or "").split("\n\n")[0].split())


def describe_corpus_yaml() -> Lines:
    yield "# Corpus YAML"
    yield ""
    yield "A YAML file describes a corpus: those that come with the package are in `sources/`, one of your own is named"
    yield "by its path in a recipe's `source` ([how](own_corpus.md)). There are the readers"
    yield f"{', '.join(f'`{name}`' for name in READERS)};"
    yield SET
    yield from describe_models(Source, "The file")


def describe_training_config() -> Lines:
    yield "# Training config"
    yield ""
    yield "The YAML file of `coalm-it train` ([how to train](training.md)). `coalm-it recipes train/smoke > mine.yaml`"
    yield "prints one to copy; `--set rows.limit=100` changes one value;"
    yield SET
    yield from describe_models(TrainConfig, "The file")


def describe_evaluation_config() -> Lines:
    yield "# Evaluation config"
    yield ""
    yield "The YAML files of `coalm-it eval` and `coalm-it verify` ([how to evaluate](evaluation.md))."
    yield "`coalm-it recipes eval/held_out > mine.yaml` prints one to copy; `--set rows=50` changes one value;"
    yield SET
    yield from describe_models(Evaluation, "The file of eval")
    yield from describe_models(Verification, "The file of verify")


def describe_models(model: type[BaseModel], title: str, where: str = "") -> Lines:
    """A section with a table of keys for the model, and one for each model inside it.

    A manifest is not written by hand: its keys have no defaults, and its recipe has a page of its own.
    """
    is_read = model.__module__ == Manifest.__module__
    yield ""
    yield f"## {title}"
    yield ""
    if model.__doc__ and not model.__doc__.startswith("!!!"):
        yield " ".join(model.__doc__.split())
        yield ""
    inner = []
    rows = []
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split())
        values = [name_values(field)] if is_read else [name_values(field), name_default(field)]
        rows.append([f"`{name}`", *values, meaning])
        found = find_model(field.annotation)
        if found is not None and not (is_read and found is Recipe):
            inner.append((found, f"{where}{name}{find_step(field.annotation)}"))
    yield from write_table(["key", "value", *(() if is_read else ("default",)), "meaning"], rows)
    for found, place in inner:
        yield from describe_models(found, f"`{place}`", f"{place}.")


def name_values(field: FieldInfo) -> str:
    """What a person may write there: the type and its bounds."""
    bounds = []
    for rule in field.metadata:
        match rule:
            case annotated_types.Ge(ge=least):
                bounds.append(f"at least {least:g}")
            case annotated_types.Gt(gt=above):
                bounds.append(f"above {above:g}")
            case annotated_types.Le(le=most):
                bounds.append(f"at most {most:g}")
            case annotated_types.Lt(lt=below):
                bounds.append(f"below {below:g}")
    return ", ".join([name_type(field.annotation), *bounds])


def name_type(annotation: Any) -> str:
    """A type as a person writes its values in YAML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(name_type(one) for one in arguments if one is not type(None))
    if origin is tuple:
        return f"list of {name_type(arguments[0])}"
    if origin is dict:
        return f"mapping, NAME: {name_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return {int: "whole number", float: "number", bool: "true or false", Any: "anything"}.get(annotation, "text")


def name_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    if field.is_required():
        return "required"
    if default is None or default in ((), {}, "") or isinstance(default, BaseModel):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := find_model(one))), None)


def find_step(annotation: Any) -> str:
    """How the path goes on to the model inside: by a name, as an item of a list, or at once."""
    return {dict: ".NAME", tuple: "[]"}.get(get_origin(annotation), "")


# --- the data set ---


def describe_data_set() -> Lines:
    yield "# Data set"
    yield ""
    yield "What `coalm-it build` writes: a folder that `datasets.load_dataset` opens, with three configs. `coalm_it`"
    yield "(the default: three columns of text) and `samples` (prompt, completion, tools, for trainers) have the same"
    yield "rows in the same order; `dialogues` has each dialogue of these rows once."
    yield ""
    yield "## Files"
    yield ""
    yield from write_table(["file", "what it holds"], [[f"`{name}`", meaning] for name, meaning in FILES.items()])
    yield from describe_schema("Columns of `coalm_it`", COALM_IT)
    yield from describe_schema("Columns of `samples`", SAMPLES)
    yield from describe_schema("Columns of `dialogues`", DIALOGUES, DIALOGUES_NOTE)
    yield ""
    yield "## Keys of a message"
    yield ""
    yield JSON_NOTE
    yield ""
    yield from write_table(["key", "meaning"], [[f"`{name}`", meaning] for name, meaning in MESSAGE_KEYS.items()])
    yield ""
    yield "## Keys of `provenance`"
    yield ""
    yield "A row has those that concern it."
    yield ""
    yield from write_table(["key", "meaning"], [[f"`{name}`", meaning] for name, meaning in PROVENANCE.items()])
    added = pa.schema([field for field in REJECTS if field.name not in SAMPLES.names])
    yield from describe_schema("Columns of `rejects`", added, "The columns of `samples`, and:")
    yield from describe_models(Manifest, "manifest.json")


def describe_schema(title: str, schema: pa.Schema, before: str = "") -> Lines:
    yield ""
    yield f"## {title}"
    yield ""
    if before:
        yield before
        yield ""
    yield from write_table(["column", "type", "meaning"], [row for field in schema for row in list_fields(field, "")])


def list_fields(field: pa.Field, above: str) -> Iterator[list[str]]:
    """The column, and the fields of the structs in it."""
    name, data_type = f"{above}{field.name}", field.type
    if pa.types.is_list(data_type) and pa.types.is_struct(data_type.value_type):
        yield [f"`{name}`", "list of structs", MEANINGS[name]]
        for inner in data_type.value_type:
            yield from list_fields(inner, f"{name}.")
    else:
        yield [f"`{name}`", "list of JSON objects" if pa.types.is_list(data_type) else f"{data_type}", MEANINGS[name]]


def write_table(titles: list[str], rows: list[list[str]]) -> Lines:
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


# --- commands ---


def describe_commands() -> Lines:
    yield "# Commands"
    yield ""
    yield "Results go to stdout, as a table or with `--json` as JSON; everything else goes to stderr."
    yield ""
    yield "Exit codes: 0 done; 1 the data fell short (quota, expectation, threshold); 2 the request is wrong; 3"
    yield "something outside failed (network, endpoint, Hub, disk); 4 a fault of coalm-it; 130 stopped by Ctrl-C."
    yield from describe_group(typer.main.get_group(app), "coalm-it")


def describe_group(group: TyperGroup, above: str) -> Lines:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from describe_group(command, f"{above} {name}")
            continue
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        yield ""
        yield f"## {' '.join([above, name, *(map(name_argument, arguments))])}"
        yield ""
        yield str(command.help)
        yield ""
        yield "| | | default |"
        yield "|---|---|---|"
        for one in arguments:
            yield f"| `{name_argument(one)}` | {getattr(one, 'help', '')} | |"
        for one in options:
            yield f"| `{', '.join(one.opts)}` | {getattr(one, 'help', '')} | {name_option_default(one)} |"


def name_argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def name_option_default(option: Any) -> str:
    if option.required:
        return "required"
    if option.name == "workers":
        return "the number of cores"
    return "" if option.default in (None, False) else f"`{option.default}`"


PAGES = {
    "recipe.md": describe_recipe,
    "corpus_yaml.md": describe_corpus_yaml,
    "training_config.md": describe_training_config,
    "evaluation_config.md": describe_evaluation_config,
    "data_set.md": describe_data_set,
    "commands.md": describe_commands,
}

if __name__ == "__main__":
    for name, text in write_pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
