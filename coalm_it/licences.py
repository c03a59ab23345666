"""What the licences of corpora permit and demand, and what that means for rows of several corpora together.

Rows keep the licence of their corpus, so that a data set is a collection: CC BY-SA beside CC BY is no conflict, and
whoever uses the whole has to meet the terms of each. `templates/release/words.yaml` has the sentences about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Term = Literal["attribution", "share_alike", "non_commercial", "no_derivatives", "none_stated", "unknown"]
TERMS: tuple[Term, ...] = ("attribution", "share_alike", "non_commercial", "no_derivatives", "none_stated", "unknown")
"""What a licence may mean for those who use its rows, from the mildest to the strictest."""
NO_COMMERCIAL_USE: tuple[Term, ...] = ("none_stated", "unknown", "no_derivatives", "non_commercial")
"""Terms under which rows, which are changed copies, are not known to be free for commercial use."""


class Licence(NamedTuple):
    """A licence that is known here."""

    spdx: str
    """SPDX identifier."""
    hub: str = ""
    """Identifier of the Hugging Face Hub; "" if it lists no such licence."""
    terms: tuple[Term, ...] = ()
    """Empty: any use, without conditions."""


_BY: tuple[Term, ...] = ("attribution",)
_BY_SA: tuple[Term, ...] = ("attribution", "share_alike")
_BY_NC: tuple[Term, ...] = ("attribution", "non_commercial")
_BY_NC_SA: tuple[Term, ...] = ("attribution", "share_alike", "non_commercial")
_BY_ND: tuple[Term, ...] = ("attribution", "no_derivatives")
_BY_NC_ND: tuple[Term, ...] = ("attribution", "non_commercial", "no_derivatives")

LICENCES: tuple[Licence, ...] = (
    Licence("CC0-1.0", "cc0-1.0"),
    Licence("PDDL-1.0", "pddl"),
    Licence("Unlicense", "unlicense"),
    Licence("MIT", "mit", _BY),
    Licence("BSD-2-Clause", "bsd-2-clause", _BY),
    Licence("BSD-3-Clause", "bsd-3-clause", _BY),
    Licence("Apache-2.0", "apache-2.0", _BY),
    Licence("CDLA-Permissive-2.0", "cdla-permissive-2.0", _BY),
    Licence("CC-BY-2.0", "cc-by-2.0", _BY),
    Licence("CC-BY-3.0", "cc-by-3.0", _BY),
    Licence("CC-BY-4.0", "cc-by-4.0", _BY),
    Licence("ODC-By-1.0", "odc-by", _BY),
    Licence("CC-BY-SA-3.0", "cc-by-sa-3.0", _BY_SA),
    Licence("CC-BY-SA-4.0", "cc-by-sa-4.0", _BY_SA),
    Licence("ODbL-1.0", "odbl", _BY_SA),
    Licence("CC-BY-NC-2.0", "cc-by-nc-2.0", _BY_NC),
    Licence("CC-BY-NC-3.0", "cc-by-nc-3.0", _BY_NC),
    Licence("CC-BY-NC-4.0", "cc-by-nc-4.0", _BY_NC),
    Licence("CC-BY-NC-SA-3.0", "cc-by-nc-sa-3.0", _BY_NC_SA),
    Licence("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0", _BY_NC_SA),
    Licence("CC-BY-ND-4.0", "cc-by-nd-4.0", _BY_ND),
    Licence("CC-BY-NC-ND-4.0", "cc-by-nc-nd-4.0", _BY_NC_ND),
)
"""The known licences, from the most permissive to the most restrictive."""

_NOT_STATED = ("", "none", "noassertion", "unknown", "other")


def _fold(name: str) -> str:
    """A name without the differences in which people write it: "CC BY 4.0" and "cc-by-4.0"."""
    return re.sub(r"[\s_]+", "-", name.strip()).lower()


_KNOWN = {_fold(name): licence for licence in LICENCES for name in (licence.spdx, licence.hub) if name}


def find_licence(name: str) -> Licence | None:
    """The known licence of that name, an SPDX identifier or the Hub's; None if there is none."""
    return _KNOWN.get(_fold(name))


def list_terms(name: str) -> tuple[Term, ...]:
    """What a licence means for those who use its rows; of an expression with AND, what all of its licences mean.

    With OR, what the choice with the mildest terms means.
    """
    if _fold(name) in _NOT_STATED:
        return ("none_stated",)
    choices = re.split(r"\s+OR\s+", name.strip())
    return min((_join_terms(re.split(r"\s+AND\s+", choice)) for choice in choices), key=_rank_terms)


def _join_terms(names: Iterable[str]) -> tuple[Term, ...]:
    found: set[Term] = set()
    for name in names:
        licence = find_licence(name.strip("() "))
        found |= {"unknown"} if licence is None else {*licence.terms}
    return tuple(term for term in TERMS if term in found)


def _rank_terms(terms: tuple[Term, ...]) -> tuple[int, ...]:
    return tuple(sorted((TERMS.index(term) for term in terms), reverse=True))


def permits_commercial_use(name: str) -> bool:
    """Whether a licence is known to permit commercial use of rows, which are changed copies of its corpus."""
    return find_obstacle(name) is None


def find_obstacle(name: str) -> Term | None:
    """The term because of which a licence is not known to permit that; None if it is."""
    terms = list_terms(name)
    return next((term for term in NO_COMMERCIAL_USE if term in terms), None)


def rank_licences(names: Iterable[str]) -> list[str]:
    """From the most permissive to the most restrictive; unknown licences come last, and then none."""

    def rank(name: str) -> tuple[int, int, str]:
        licence = find_licence(name)
        place = len(LICENCES) if licence is None else LICENCES.index(licence)
        return int("none_stated" in list_terms(name)), place, name

    return sorted(set(names), key=rank)


def group_by_term(names: Iterable[str]) -> dict[Term, list[str]]:
    """Term -> the licences that have it, from the mildest term to the strictest; terms that none has are left out."""
    ranked = rank_licences(names)
    grouped: dict[Term, list[str]] = {term: [name for name in ranked if term in list_terms(name)] for term in TERMS}
    return {term: having for term, having in grouped.items() if having}


def name_head_licence(names: Iterable[str]) -> Mapping[str, str]:
    """The keys of a data set card's head that name the licence of the whole.

    `license` is the Hub's name of the one licence whose terms cover all rows: rows that are free of conditions need
    none of their own. Otherwise it is "other", and `license_name` an SPDX expression, if every corpus states a licence.
    """
    ranked = rank_licences(names)
    demanding = [name for name in ranked if list_terms(name)] or ranked[:1]
    licence = find_licence(demanding[0]) if len({_fold(name) for name in demanding}) == 1 else None
    if licence is not None and licence.hub:
        return {"license": licence.hub}
    if not ranked or any("none_stated" in list_terms(name) for name in ranked):
        return {"license": "other"}
    return {"license": "other", "license_name": " AND ".join(dict.fromkeys(map(_write_spdx, ranked)))}


def _write_spdx(name: str) -> str:
    """An SPDX identifier, or a reference of the form that SPDX has for licences that it does not list."""
    if licence := find_licence(name):
        return licence.spdx
    if re.search(r"\s(AND|OR|WITH)\s", name):
        return f"({name.strip()})"
    if re.fullmatch(r"LicenseRef-[\w.-]+", name):
        return name
    return f"LicenseRef-{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-') or 'other'}"
