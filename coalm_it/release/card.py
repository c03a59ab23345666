"""The data set card: every number in it comes from the manifest."""

from __future__ import annotations

from typing import Any

import jinja2

from coalm_it.assets import asset


def render_card(manifest: dict[str, Any]) -> str:
    """README.md of a build folder; its YAML head names the two configs for `datasets`."""
    loader = jinja2.FileSystemLoader(asset("templates", "release"))
    environment = jinja2.Environment(
        loader=loader,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    return environment.get_template("card.md.jinja").render(manifest) + "\n"
