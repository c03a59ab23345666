"""One set of Jinja options for all templates, and YAML files beside them."""

from __future__ import annotations

import jinja2
import pytest

from coalm_it.assets import asset, list_assets
from coalm_it.templates import list_macros, make_environment, read_yaml, render_macro


def test_a_macro_is_rendered_without_the_line_breaks_around_it() -> None:
    text = render_macro("rows/services", "names", {"Hotels_1": {"city": {}}})
    assert "Hotels_1" in text
    assert text == text.strip("\n")


def test_text_is_not_escaped() -> None:
    assert render_macro("rows/state_tracking", "input", "Tom & Jerry <3").endswith("Tom & Jerry <3")


def test_an_undefined_variable_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="nmae"):
        make_environment().from_string("{{ nmae }}").render(name="x")


def test_only_public_macros_are_listed() -> None:
    macros = list_macros("rows/varied/agent")
    assert macros == tuple(sorted(macros))
    assert not [macro for macro in macros if macro.startswith("_")]
    assert len(macros) > 1


def test_filters_of_one_environment_are_not_those_of_another() -> None:
    make_environment().filters["shout"] = str.upper
    assert "shout" not in make_environment().filters


def test_an_unknown_template_or_macro_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        render_macro("rows/no_such_layout", "input")
    with pytest.raises(AttributeError):
        render_macro("rows/hammer", "no_such_macro")


def test_every_yaml_file_of_the_templates_can_be_read() -> None:
    for path in list_assets("templates", ".yaml"):
        assert read_yaml(path.relative_to(asset("templates")).as_posix())
