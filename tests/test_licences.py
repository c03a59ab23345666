"""What licences permit, alone and together; the table has every licence of which the card has a sentence."""

from __future__ import annotations

import pytest
import yaml

from coalm_it.assets import asset
from coalm_it.licences import (
    LICENCES,
    TERMS,
    find_obstacle,
    group_by_term,
    list_terms,
    name_head_licence,
    permits_commercial_use,
)

WORDS = yaml.safe_load(asset("templates", "release", "words.yaml").read_text())


def test_every_known_licence_and_every_term_has_a_sentence() -> None:
    assert [licence.spdx for licence in LICENCES] == list(WORDS["licences"])
    assert list(TERMS) == list(WORDS["terms"])


@pytest.mark.parametrize(
    ("name", "obstacle"),
    [
        ("CC0-1.0", None),
        ("cc by 4.0", None),
        ("apache-2.0", None),
        ("odc-by", None),
        ("CC-BY-SA-4.0", None),
        ("CC-BY-4.0 AND Apache-2.0", None),
        ("CC-BY-NC-4.0 OR MIT", None),
        ("CC-BY-NC-4.0", "non_commercial"),
        ("CC-BY-4.0 AND CC-BY-NC-4.0", "non_commercial"),
        ("CC-BY-ND-4.0", "no_derivatives"),
        ("", "none_stated"),
        ("NOASSERTION", "none_stated"),
        ("other", "none_stated"),
        ("Mine-1.0", "unknown"),
        ("MIT AND Mine-1.0", "unknown"),
    ],
)
def test_what_stands_against_commercial_use(name: str, obstacle: str | None) -> None:
    assert find_obstacle(name) == obstacle
    assert permits_commercial_use(name) == (obstacle is None)


def test_an_or_is_the_mildest_choice() -> None:
    assert list_terms("CC-BY-NC-SA-4.0 OR CC-BY-SA-4.0") == ("attribution", "share_alike")


@pytest.mark.parametrize(
    ("names", "head"),
    [
        (["CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["ODC-By-1.0"], {"license": "odc-by"}),
        (["CC0-1.0", "CC-BY-SA-4.0"], {"license": "cc-by-sa-4.0"}),
        (["CC0-1.0", "PDDL-1.0"], {"license": "cc0-1.0"}),
        (["MIT", "cc-by-4.0"], {"license": "other", "license_name": "MIT AND CC-BY-4.0"}),
        (["CC-BY-4.0", "CC-BY-SA-4.0"], {"license": "other", "license_name": "CC-BY-4.0 AND CC-BY-SA-4.0"}),
        (["My terms"], {"license": "other", "license_name": "LicenseRef-My-terms"}),
        (["MIT OR CC0-1.0"], {"license": "other", "license_name": "(MIT OR CC0-1.0)"}),
        (["MIT", ""], {"license": "other"}),
        ([], {"license": "other"}),
    ],
)
def test_the_head_names_one_licence_or_an_expression(names: list[str], head: dict[str, str]) -> None:
    assert name_head_licence(names) == head


def test_what_the_whole_means() -> None:
    assert group_by_term(["CC-BY-SA-4.0", "CC-BY-4.0", "CC0-1.0", ""]) == {
        "attribution": ["CC-BY-4.0", "CC-BY-SA-4.0"],
        "share_alike": ["CC-BY-SA-4.0"],
        "none_stated": [""],
    }
