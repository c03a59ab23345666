from __future__ import annotations

import re
from pathlib import Path

import pytest

from coalm_it.corpora.find import find_corpora
from coalm_it.corpora.sources import SourceError, describe_download, list_sources, load_source
from coalm_it.readers import READERS


def test_every_known_source_is_complete() -> None:
    sources = list_sources()
    assert [source.name for source in sources] == sorted(source.name for source in sources)
    for source in sources:
        assert load_source(source.name) == source
        assert source.reader in READERS
        assert source.citation.startswith("@")
        assert source.homepage.startswith("https://")
        assert {fetch.layout for fetch in source.fetch} <= {layout.name for layout in source.layouts}
        assert all(re.fullmatch("[0-9a-f]{40}", fetch.revision) for fetch in source.fetch), "pinned to a commit"
        assert set(source.counts) == set(source.layouts[0].splits)


def test_licences_and_published_counts() -> None:
    snips, sgd = load_source("snips"), load_source("sgd")
    assert (snips.licence, sgd.licence) == ("CC0-1.0", "CC-BY-SA-4.0")
    assert [snips.counts[split]["utterances"] for split in ("train", "validation", "test")] == [13_084, 700, 700]
    assert sgd.counts["train"]["dialogues"] == 16_142


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SourceError, match="no source is called 'snip'; did you mean 'snips'"):
        load_source("snip")
    with pytest.raises(SourceError, match=r"no source is called 'woz'; there are: .*sgd, snips"):
        load_source("woz")


def test_a_source_may_be_a_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "{name: mine, title: Mine, reader: snips, licence: CC0-1.0, citation: '@misc{mine}',"
        " homepage: 'https://example.org', layouts: [{name: split, splits: {train: mine.json}}]}"
    )
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "mine.json").write_text("[]")
    (found,) = find_corpora(tmp_path, [load_source(path)])
    assert (found.source, found.root, found.used) == ("mine", "corpus", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not YAML: "),
        ("licenze: CC0-1.0", "unknown key 'licenze'; did you mean 'licence'?"),
        ("name: mine", "missing keys 'title', 'reader', 'licence', 'homepage', 'layouts'"),
        ("layouts: [{name: a, splits: {}, begins: '('}]", "layouts.0.begins: should be a regular expression"),
        ("just text", "should be a mapping of keys to values"),
    ],
)
def test_an_error_in_a_source_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SourceError) as error:
        load_source(path)
    assert f"{path}: " in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_source_file() -> None:
    with pytest.raises(SourceError, match=r"^/nowhere/mine\.yaml: No such file or directory$"):
        load_source("/nowhere/mine.yaml")


def test_how_to_get_a_corpus_names_the_command_and_the_terms() -> None:
    sources = [load_source("sgd"), load_source("xlam"), load_source("coalm_it")]
    assert describe_download(sources[:1]) == "coalm-it fetch sgd --data CORPORA"
    assert describe_download(sources) == (
        "coalm-it fetch sgd xlam --data CORPORA; "
        "first accept the terms of xlam at https://huggingface.co/datasets/Salesforce/xlam-function-calling-60k "
        "and set HF_TOKEN; get coalm_it from https://huggingface.co/datasets/uiuc-convai/CoALM-IT"
    )
