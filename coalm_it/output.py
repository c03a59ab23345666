"""A build folder: tables of rows, Parquet files, the marker, the manifest; every file whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from coalm_it.errors import OutsideError, RequestError
from coalm_it.mixture import name_dialogue
from coalm_it.rendering import MESSAGE_KEYS, Message, Row
from coalm_it.schema import Finding, Sample
from coalm_it.split import Functions, list_functions

MARKER = ".coalm-it"
MANIFEST = "manifest.json"
REQUESTS = "requests.txt"
DATA_FOLDERS = ("data", "rejects")
ROWS_A_FILE = 50_000
ROWS_A_GROUP = 5_000

_MESSAGE = pa.struct([(key, pa.string()) for key in MESSAGE_KEYS])
_FINDING = pa.struct([(name, pa.string()) for name in Finding.model_fields])
_TEXTS = ("id", "part", "task", "source", "split", "dialogue_id")

COALM_IT = pa.schema([(name, pa.string()) for name in ("instruction", "input", "output")])
"""The published three columns."""

SAMPLES = pa.schema(
    [
        *[(name, pa.string()) for name in _TEXTS],
        ("turn", pa.int32()),
        ("licence", pa.string()),
        ("thought", pa.string()),
        ("messages", pa.list_(_MESSAGE)),
        ("tools", pa.string()),
        ("provenance", pa.string()),
    ]
)
"""The typed columns, a row for each row of COALM_IT."""

_FUNCTIONS = [pa.field(name, pa.list_(pa.string())) for name in Functions._fields]

Pick = tuple[int, int, int]
"""A row by the number of its table, its number there, and which further copy of it is meant (0: itself)."""

REJECTS = SAMPLES.append(pa.field("findings", pa.list_(_FINDING)))


class FolderError(RequestError):
    """The output folder is not one to build into; the message is one line for the user."""


class OutputError(OutsideError):
    """A file cannot be written; the message is one line for the user."""


# --- tables of rows ---


class TableBuilder:
    """Collects rows into an Arrow table: all columns of COALM_IT and REJECTS, `findings` null for a kept row, and for
    function calls the names of the functions that they are `about` and `shown` (see split.py).

    A dialogue's rows share their messages, and its tools; the table holds each once and refers to it.
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = defaultdict(list)
        self._messages: list[Message] = []
        self._places: dict[int, int] = {}
        self._listed: list[list[int]] = []

    def add_row(self, sample: Sample, row: Row, findings: Sequence[Finding]) -> None:
        columns = self._columns
        for name in _TEXTS:
            columns[name].append(getattr(sample, name))
        columns["turn"].append(sample.turn)
        columns["licence"].append(sample.licence)
        columns["thought"].append(sample.thought)
        for name in ("instruction", "input", "output", "tools", "provenance"):
            columns[name].append(getattr(row, name))
        columns["findings"].append([finding.model_dump() for finding in findings] or None)
        functions = list_functions(sample)
        for name in Functions._fields:
            columns[name].append(sorted(getattr(functions, name)) if functions else None)
        self._listed.append([self._place_message(message) for message in row.messages])

    def _place_message(self, message: Message) -> int:
        place = self._places.get(id(message))
        if place is None:
            place = self._places[id(message)] = len(self._messages)
            self._messages.append(message)
        return place

    def build_table(self) -> pa.Table:
        fields = {field.name: field.type for field in [*COALM_IT, *REJECTS, *_FUNCTIONS]}
        arrays = {}
        for name, kind in fields.items():
            if name == "messages":
                places = pa.array(self._listed, pa.list_(pa.int32()))
                shared = pa.array(self._messages, _MESSAGE)
                values = pa.DictionaryArray.from_arrays(places.values, shared)
                arrays[name] = pa.ListArray.from_arrays(places.offsets, values)
            else:
                arrays[name] = pa.array(self._columns[name], kind)
        arrays["tools"] = arrays["tools"].dictionary_encode()
        return pa.table(arrays)


def read_functions(table: pa.Table) -> Iterator[tuple[str, Functions]]:
    """Dialogue and functions of each function call in a built table; of rejects too, so that no check moves a row."""
    calls = table.select(["id", *Functions._fields]).filter(table["shown"].is_valid())
    ids, about, shown = (column.to_pylist() for column in calls.columns)
    for row_id, *names in zip(ids, about, shown, strict=True):
        yield name_dialogue(row_id), Functions(*map(frozenset, names))


def select_rows(table: pa.Table, schema: pa.Schema, rows: Sequence[int]) -> pa.Table:
    """Some rows of a built table in the columns of `schema`, plain, with nothing shared any more."""
    taken = table.select(schema.names).take(pa.array(rows, pa.int32()))
    columns = []
    for name in schema.names:
        column = taken[name].combine_chunks()
        if name == "messages":
            column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            shared = column.flatten()
            column = pa.ListArray.from_arrays(_offsets(column), shared.dictionary.take(shared.indices))
        columns.append(column.cast(schema.field(name).type))
    return pa.table(columns, schema=schema)


def _offsets(lists: pa.ListArray) -> pa.Array:
    """Offsets that start at 0, also where the array is a slice."""
    return pc.subtract(lists.offsets, lists.offsets[0])


# --- files ---


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; it takes its place when all went well, and is gone otherwise."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise OutputError(f"{path} cannot be written: {reason}") from None
    finally:
        with suppress(OSError):
            part.unlink()


def write_table(path: Path, table: pa.Table, summary: dict[str, Any]) -> None:
    """An Arrow file for memory-mapped reading, with a JSON summary in its metadata."""
    table = table.replace_schema_metadata({"summary": json.dumps(summary)}).combine_chunks()
    with write_whole(path) as part, pa.ipc.new_file(str(part), table.schema) as writer:
        writer.write_table(table)


@contextmanager
def open_table(path: Path) -> Iterator[pa.Table]:
    """The table of `write_table`, mapped rather than read."""
    with pa.memory_map(str(path)) as file:
        yield pa.ipc.open_file(file).read_all()


def read_summary(path: Path) -> dict[str, Any]:
    with pa.memory_map(str(path)) as file:
        summary: dict[str, Any] = json.loads(pa.ipc.open_file(file).schema.metadata[b"summary"])
        return summary


def is_table(path: Path) -> bool:
    """Whether a whole table of `write_table` is there; one that is cut off has lost its end, where the schema is."""
    try:
        read_summary(path)
    except (OSError, pa.ArrowInvalid):
        return False
    return True


def write_parquet(path: Path, schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> None:
    """The picked rows, in that order, in the columns of `schema`."""
    dictionaries = [name for name in ("part", "task", "source", "split", "licence", "tools") if name in schema.names]
    options = {"compression": "zstd", "use_dictionary": dictionaries, "store_schema": False}
    with write_whole(path) as part, pq.ParquetWriter(part, schema, **options) as writer:
        for start in range(0, len(picks), ROWS_A_GROUP):
            writer.write_table(_gather_rows(schema, tables, picks[start : start + ROWS_A_GROUP]))


def _gather_rows(schema: pa.Schema, tables: Sequence[Path], picks: Sequence[Pick]) -> pa.Table:
    """Each table is opened once; what comes out of them in turn is then put in the order of the picks."""
    by_table: dict[int, list[int]] = defaultdict(list)
    for place, (table, _, _) in enumerate(picks):
        by_table[table].append(place)
    gathered = []
    for number, places in by_table.items():
        with open_table(tables[number]) as table:
            gathered.append(select_rows(table, schema, [picks[place][1] for place in places]))
    places = [place for group in by_table.values() for place in group]
    order = sorted(range(len(places)), key=places.__getitem__)
    rows = pa.concat_tables(gathered).take(pa.array(order, pa.int32()))
    return _mark_repeats(rows, [repeat for _, _, repeat in picks]) if "id" in schema.names else rows


def _mark_repeats(rows: pa.Table, repeats: Sequence[int]) -> pa.Table:
    """Further copies get an id of their own, and name in their provenance the row that they repeat."""
    if not any(repeats):
        return rows
    ids, origins = rows["id"].to_pylist(), rows["provenance"].to_pylist()
    for place, repeat in enumerate(repeats):
        if repeat:
            origins[place] = json.dumps({**json.loads(origins[place]), "repeat_of": ids[place]}, ensure_ascii=False)
            ids[place] = f"{ids[place]}~r{repeat}"
    rows = rows.set_column(rows.schema.get_field_index("id"), "id", pa.array(ids))
    return rows.set_column(rows.schema.get_field_index("provenance"), "provenance", pa.array(origins))


def write_text(path: Path, text: str) -> None:
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8")


# --- the folder ---


@dataclass(frozen=True)
class BuildFolder:
    """A folder that is a build of ours, finished or not. `key` says which build it is to hold."""

    path: Path
    key: str

    @property
    def work(self) -> Path:
        """Where finished shards wait to be written into place."""
        return self.path / ".work"

    def sweep(self) -> None:
        """Takes away files that somebody who was ended in the middle has left unfinished."""
        for part in self.path.rglob(".*.part"):
            part.unlink(missing_ok=True)

    def read_manifest(self) -> dict[str, Any] | None:
        """The manifest, where the folder holds this build and every file is as it was written; else None."""
        try:
            manifest: dict[str, Any] = json.loads((self.path / MANIFEST).read_bytes())
            good = manifest["build"] == self.key and all(
                hash_bytes((self.path / name).read_bytes()) == file["sha256"]
                for name, file in manifest["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return manifest if good else None

    def write_requests(self, keys: Sequence[str]) -> list[Path]:
        """Lists the requests to a model that the rows hang on, one key a line; without any there is no such file."""
        path = self.path / REQUESTS
        path.unlink(missing_ok=True)
        if not keys:
            return []
        write_text(path, "".join(f"{key}\n" for key in keys))
        return [path]

    def finish(
        self,
        manifest: dict[str, Any],
        files: Sequence[Path],
        timings: dict[str, Any],
        render_card: Callable[[dict[str, Any]], str],
    ) -> dict[str, Any]:
        """Writes what describes the data files, takes away what is left of other builds, the manifest last.

        The card is rendered from the manifest with the data files in it. Returns the manifest with all `files` in it.
        """
        recipe = yaml.safe_dump(manifest["recipe"], sort_keys=False, allow_unicode=True)
        write_text(self.path / "recipe.yaml", recipe)
        write_text(self.path / "timings.json", json.dumps(timings, indent=2) + "\n")
        for folder in DATA_FOLDERS:
            for path in (self.path / folder).rglob("*.parquet"):
                if path not in files:
                    path.unlink()
        described = self._describe_files([*files, self.path / "recipe.yaml"])
        card = self.path / "README.md"
        write_text(card, render_card({**manifest, "files": described}))
        whole = {**manifest, "files": dict(sorted({**described, **self._describe_files([card])}.items()))}
        write_text(self.path / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return whole

    def _describe_files(self, files: Sequence[Path]) -> dict[str, dict[str, Any]]:
        described = {}
        for path in files:
            rows = {"rows": pq.read_metadata(path).num_rows} if path.suffix == ".parquet" else {}
            name = path.relative_to(self.path).as_posix()
            described[name] = {**rows, "bytes": path.stat().st_size, "sha256": hash_bytes(path.read_bytes())}
        return described


def claim_folder(path: Path, recipe: str, key: str, say: Callable[[str], None]) -> BuildFolder:
    """Makes `path` a build folder of ours. What is there of another build loses its manifest at once.

    Raises FolderError where something else lies there, OutputError where nothing can be written.
    """
    folder, marker = BuildFolder(path, key), path / MARKER
    if not path.is_dir() and (path.exists() or not _first_existing(path).is_dir()):
        raise FolderError(f"{path} cannot be an output folder: {_first_existing(path)} is a file")
    # A claim that was cut off leaves the unfinished marker: that is no work of anybody's.
    foreign = path.is_dir() and any(not entry.match(f".{MARKER}.*.part") for entry in path.iterdir())
    if foreign and not marker.is_file():
        raise FolderError(f"{path} holds something else (no {MARKER} in it): name an empty or a new folder")
    text = json.dumps({"recipe": recipe, "build": key}) + "\n"
    if marker.is_file() and marker.read_text(encoding="utf-8") != text:
        say(f"{path} holds another build (other recipe, inputs or version): it is built anew.")
        (path / MANIFEST).unlink(missing_ok=True)
    write_text(marker, text)
    folder.sweep()
    return folder


def read_requests(path: Path) -> list[str]:
    """The keys of the requests to a model that the rows of a finished build hang on, sorted.

    Raises FolderError: no finished build, one that was made without a model, or a list that is not as it was written.
    """
    if not (path / MANIFEST).is_file():
        raise FolderError(f"{path} is no finished build: there is no {MANIFEST} in it")
    try:
        files = json.loads((path / MANIFEST).read_bytes())["files"]
        listed = files.get(REQUESTS)
        content = (path / REQUESTS).read_bytes() if listed else b""
        whole = not listed or listed["sha256"] == hash_bytes(content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise FolderError(f"{path}: {MANIFEST} or {REQUESTS} is not as the build wrote it; build again")
    if not listed:
        raise FolderError(f"{path} was built without a model: there is no {REQUESTS} in it, and nothing to export")
    return content.decode("ascii").split()


def _first_existing(path: Path) -> Path:
    return next((parent for parent in [path, *path.absolute().parents] if parent.exists()), path)


def find_shortfall(manifest: dict[str, Any]) -> str | None:
    """What the recipe expects and the build does not meet, in one line; None where all is met."""
    expect = manifest["recipe"]["expect"]
    limit, (lost, total) = expect["rejects_at_most"], count_lost(manifest)
    if lost > limit * total:
        return f"{lost:,} rejects and faults of {total:,}: more than rejects_at_most ({limit:.1%}) allows"
    held_out = sum(part["validation"] for part in manifest["parts"].values())
    wanted = expect["validation_at_least"]
    return f"{held_out:,} validation rows: validation_at_least is {wanted:,}" if held_out < wanted else None


def count_lost(manifest: dict[str, Any]) -> tuple[int, int]:
    """Rejects and faults of all parts, and of how many candidates and faults."""
    parts = manifest["parts"].values()
    lost = sum(part["rejects"] + part["faults"] for part in parts)
    return lost, sum(part["candidates"] + part["faults"] for part in parts)


def hash_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
