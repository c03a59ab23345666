"""The manifest of a build: the recipe, the counts of every part, the inputs, and a hash of every file."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer

from coalm_it.recipe import Recipe
from coalm_it.schema import SCHEMA_VERSION

MANIFEST = "manifest.json"


class ManifestError(ValueError):
    """The content is not a manifest that this version reads; the message completes "manifest.json ..."."""


class OtherVersionError(ManifestError):
    """The manifest was written by another version of coalm-it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PartCounts(_Entry):
    """Counts of a part: candidates = rows - repeated + validation + rejects + left_out."""

    published: int
    """Dialogues of the part's corpora according to their publishers; 0 if unknown."""
    dialogues: int
    """Dialogues read."""
    filtered: int
    """Of these, excluded by the part's filter or by the YAML of the corpus (`keep`, `drop`, `prefixes`)."""
    context_only: int = 0
    """Replies and calls that the corpus marks as not to be learnt, or does not annotate: they are no candidates."""
    too_long: int = 0
    """Samples longer than the part's `max_tokens` that passed all checks; they are no candidates."""
    mended: int = 0
    """Arguments brought into the form of their schema without loss: 5.0 or "5" for 5, "" or null for an absent one."""
    faults: int
    """Raw records and files that could not be read as dialogues; they have no candidates."""
    candidates: int
    """Samples made of them."""
    absent: tuple[str, ...] = ()
    """Corpora of the part that were not found; only where the recipe allows short parts."""
    wanted: int
    """Train rows that the recipe asks for."""
    rows: int
    """Train rows, second copies included."""
    repeated: int
    """Second copies."""
    validation: int
    """Validation rows."""
    mixed: int
    """Candidates that fit on neither side of the validation split; they are among `left_out`."""
    left_out: int
    """Candidates that the recipe does not need, those about which no model was asked included."""
    rejects: int
    """Samples that a check rejected."""
    rejected_by: dict[str, int]
    """Check -> samples that it rejected. A sample may fail several checks."""
    thoughts: dict[str, int]
    """Origin -> number of thoughts: grounded, the corpus's, or of a model at first, repaired, replaced, rejected."""


class FaultEntry(_Entry):
    """A raw record (or a whole file, then `record` is None) that could not be read as a dialogue."""

    part: str
    """Part of the recipe."""
    file: str
    """Raw file of the corpus."""
    record: str | None
    """Id of the record; without one, the name of its file and its number, counted from 0."""
    reason: str
    """What is wrong, in one sentence."""


class SourceEntry(_Entry):
    """What sources/NAME.yaml says of a corpus, and which of its layouts was found."""

    layout: str
    """Layout that was found."""
    title: str
    """Name for people."""
    licence: str
    """SPDX identifier."""
    citation: str
    """BibTeX."""
    homepage: str
    """Address of a page about the corpus."""
    languages: tuple[str, ...]
    """ISO 639-1 codes."""
    limits: tuple[str, ...]
    """What users of its rows should know."""
    gated: bool
    """Whether it is available only after accepting its terms."""
    hub: str = ""
    """Its data set on the Hugging Face Hub, USER/NAME; "" if its YAML file names none."""


class AnswersEntry(_Entry):
    """The model answers that the rows depend on; no requests where no model was asked."""

    requests: int
    """Number of requests."""
    digest: str
    """Hash of their answers."""


class FileEntry(_Entry):
    """A file of the data set."""

    rows: int | None = None
    """Rows of a Parquet file."""
    bytes: int
    """Size."""
    sha256: str
    """Hash of its content."""

    @model_serializer(mode="wrap")
    def _omit_missing_rows(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value is not None}


class Manifest(_Entry):
    """What a build holds and what it was made of."""

    name: str
    """Name of the recipe."""
    schema_version: int = SCHEMA_VERSION
    """Version of the columns and of this file."""
    build: str
    """Hash of everything that the rows depend on, except model answers."""
    versions: dict[str, str]
    """Package -> version."""
    recipe: Recipe
    """The recipe with every default, as in recipe.yaml."""
    parts: dict[str, PartCounts]
    """Part -> its counts."""
    faults: tuple[FaultEntry, ...]
    """Raw records that became no dialogue."""
    sources: dict[str, SourceEntry]
    """Corpus -> what its YAML file says of it."""
    licences: tuple[str, ...] = ()
    """The licences of the rows."""
    trained_on: tuple[str, ...]
    """Source and split, for every part: "sgd train"."""
    inputs: dict[str, str]
    """Raw file -> sha256."""
    tokenizers: dict[str, str] = {}
    """Tokenizer of a part's `max_tokens` -> sha256 of its tokenizer.json."""
    answers: AnswersEntry
    """The model answers that the rows depend on."""
    files: dict[str, FileEntry] = {}
    """Every file of the data set except the manifest itself."""

    def to_json(self) -> str:
        """The text of manifest.json."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def parse_manifest(content: bytes) -> Manifest:
    """The manifest with this JSON text. Raises ManifestError."""
    try:
        raw = json.loads(content)
    except ValueError:
        raise ManifestError("is not JSON") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version is None:
        raise ManifestError("is not the manifest of a coalm-it build")
    if version != SCHEMA_VERSION:
        raise OtherVersionError(f"has schema version {version}; this coalm-it reads version {SCHEMA_VERSION}")
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise OtherVersionError(f"is damaged, or of another version of coalm-it ({where}: {first['msg']})") from None


def find_shortfall(manifest: Manifest) -> str | None:
    """What the recipe expects and the build does not meet, in one line; None if it meets everything."""
    expect = manifest.recipe.expect
    limit, (lost, total) = expect.rejects_at_most, count_losses(manifest)
    if lost > limit * total:
        accepted = math.ceil(100 * lost / total) / 100
        return (
            f"{lost:,} rejects and faults of {total:,}: more than rejects_at_most ({limit:.1%}) allows; mend the "
            f"records, or accept so many: --set expect.rejects_at_most={accepted:g}"
        )
    held_out = sum(part.validation for part in manifest.parts.values())
    wanted = expect.validation_at_least
    if held_out >= wanted:
        return None
    return f"{held_out:,} validation rows: validation_at_least is {wanted:,}; --set validation=SHARE holds out more"


def count_losses(manifest: Manifest) -> tuple[int, int]:
    """The number of rejects and faults, and the number of candidates and faults, over all parts."""
    parts = manifest.parts.values()
    lost = sum(part.rejects + part.faults for part in parts)
    return lost, sum(part.candidates + part.faults for part in parts)
