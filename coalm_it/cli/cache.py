"""cache: what coalm-it keeps between runs, and emptying it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from coalm_it.cli.app import Json, app, print_rows


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove the shards; model answers are kept.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is kept between runs, or remove the finished shards. Model answers have the command ledger."""
    from coalm_it.llm.ledger import default_path
    from coalm_it.pipeline.shard_cache import list_tables, shards_folder

    if clear:
        for table in list_tables(shards_folder()):
            table.path.unlink(missing_ok=True)
    shards = list_tables(shards_folder())
    ledger = default_path()
    rows = [
        _describe("shards", shards_folder(), [(table.bytes, table.used) for table in shards]),
        _describe("model answers", ledger, [_measure(ledger)] if ledger.is_file() else []),
    ]
    print_rows(rows if as_json else [_format(row) for row in rows], as_json)


def _measure(path: Path) -> tuple[int, float]:
    about = path.stat()
    return about.st_size, about.st_mtime


def _describe(kind: str, path: Path, files: list[tuple[int, float]]) -> dict[str, object]:
    used = max((used for _, used in files), default=None)
    return {
        "kind": kind,
        "files": len(files),
        "bytes": sum(size for size, _ in files),
        "last used": time.strftime("%Y-%m-%d %H:%M", time.localtime(used)) if used else "",
        "path": str(path),
    }


def _format(row: dict[str, object]) -> dict[str, object]:
    return {**row, "files": f"{row['files']:,}", "bytes": f"{row['bytes']:,}"}
