"""stats: what a build holds, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from coalm_it.cli.app import Folder, Json, app, print_json, print_line, print_rows

if TYPE_CHECKING:
    from coalm_it.reports.stats import Lengths, PartStats, Stats


@app.command()
def stats(
    folder: Folder,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="A folder with a tokenizer.json, or the name of a model on the Hub; default: estimate."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Count what a build holds, by part: rows, turns, calls, tokens, rows that are too long, languages, licences."""
    from coalm_it.cli.terminal import show_progress
    from coalm_it.reports.stats import stats as measure

    with show_progress() as listener:
        found = measure(folder, tokenizer=tokenizer or "", listener=listener)
    if as_json:
        print_json(found.to_json())
        return
    parts = {**found.parts, "all": found.whole}
    print_rows([_list_contents(name, part) for name, part in parts.items()], as_json=False)
    print_line("")
    print_line(f"Tokens ({found.method}), and rows longer than some limits:")
    shown = [
        _list_lengths(name, config, lengths)
        for name, part in parts.items()
        for config, lengths in (("samples", part.samples), ("coalm_it", part.columns))
    ]
    print_rows(shown, as_json=False)
    if found.published:
        print_line("")
        print_line("As published (arXiv:2502.08820v3), beside the tokens of coalm_it:")
        print_rows(_list_published(found), as_json=False)
    _print_licences(found)


def _list_contents(name: str, part: PartStats) -> dict[str, object]:
    return {
        "part": name,
        "rows": f"{part.rows.total():,}",
        "validation": f"{part.rows['validation']:,}",
        "dialogues": f"{len(part.dialogues):,}",
        "turns": f"{len(part.turns):,}",
        "calls": f"{part.calls:,}",
        "no call": f"{part.without_call:,}",
        "functions": f"{len(part.called):,}",
        "shown": f"{len(part.shown):,}",
        "arguments": f"{part.arguments:,}",
        "thoughts": f"{part.thoughts.texts:,}",
        "tokens a thought": f"{part.thoughts.mean:,.1f}",
        "texts": f"{part.replies.texts:,}",
        "tokens a text": f"{part.replies.mean:,.1f}",
        "languages": ", ".join(f"{code} {rows:,}" for code, rows in part.languages.most_common()),
    }


def _list_lengths(name: str, config: str, lengths: Lengths) -> dict[str, object]:
    about = {"part": name, "config": config, "tokens": f"{lengths.tokens:,}", "mean": f"{lengths.mean:,.1f}"}
    longer = {f"over {limit:,}": f"{rows:,}" for limit, rows in lengths.longer_than.items()}
    return {**about, "longest": f"{lengths.longest:,}", **longer}


def _list_published(found: Stats) -> list[dict[str, object]]:
    rows, tokens = found.published["rows"], found.published["tokens"]
    parts = {**found.parts, "all": found.whole}
    totals = {"all": (sum(rows.values()), sum(tokens.values()))}
    figures = {name: (rows[name], tokens[name]) for name in rows if name in parts} | totals
    return [
        {
            "part": name,
            "rows": f"{parts[name].rows.total():,}",
            "published": f"{count:,}",
            "tokens": f"{parts[name].columns.tokens:,}",
            "published tokens": f"{size:,}",
            "a row": f"{parts[name].columns.mean:,.1f}",
            "published a row": f"{size / count:,.1f}",
        }
        for name, (count, size) in figures.items()
    ]


def _print_licences(found: Stats) -> None:
    print_line("")
    rows = found.whole.licences
    for licence, text in found.licences.items():
        print_line(f"{licence or 'no licence stated'}, {rows[licence]:,} rows: {text}")
    for term, about in found.terms.items():
        print_line(f"{term.replace('_', ' ')} ({', '.join(filter(None, about['licences']))}): {about['meaning']}")
    print_line(f"known to permit commercial use: {found.commercial_rows:,} of {rows.total():,} rows")
