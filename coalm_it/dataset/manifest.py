"""The manifest of a build: what it holds, and whether that is what its recipe expects."""

from __future__ import annotations

from typing import Any

MANIFEST = "manifest.json"


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
