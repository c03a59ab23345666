from __future__ import annotations

from pathlib import Path

import pytest

import coalm_it
from coalm_it.corpora.sources import SourceError
from coalm_it.schema import Dialogue

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_corpus_is_read_by_its_name_wherever_it_lies() -> None:
    dialogues = [record for record in coalm_it.read_dialogues("sgd", GOLDEN) if isinstance(record, Dialogue)]
    assert [(dialogue.id, dialogue.licence) for dialogue in dialogues] == [
        ("1_00001", "CC-BY-SA-4.0"),
        ("1_00002", "CC-BY-SA-4.0"),
    ]
    assert [dialogue.split for dialogue in coalm_it.read_dialogues("snips", GOLDEN, "test")] == ["test"]


def test_a_corpus_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no corpus 'sgd' in "):
        coalm_it.read_dialogues("sgd", tmp_path)
