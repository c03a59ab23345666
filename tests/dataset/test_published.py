"""A build that is opened where it is: a folder, or a repository of the Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from hub_server import Hub

from coalm_it.dataset.folder import FolderError
from coalm_it.dataset.hub import HubRequestError
from coalm_it.dataset.publish import publish_folder
from coalm_it.dataset.published import open_anywhere
from coalm_it.listener import Silent
from coalm_it.training.config import RowSelection
from coalm_it.training.rows import read_rows


def test_rows_of_the_hub_are_those_of_the_folder_and_are_downloaded_once(
    hub: Hub, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    publish_folder(demo, "ada/talks", public=True, endpoint=hub.address)
    here = open_anywhere(demo, Silent())
    there = open_anywhere(Path("ada/talks"), Silent(), hub.address)
    assert (here.repository, there.repository) == (None, "ada/talks")
    for form in ("columns", "messages"):
        rows = RowSelection(form=form)
        assert list(read_rows(there, rows, "train")) == list(read_rows(here, rows, "train"))
    hub.asked.clear()
    assert open_anywhere(Path("ada/talks"), Silent(), hub.address).sha256 == there.sha256
    assert not [path for method, path in hub.asked if ".parquet" in path and method == "GET"]


def test_what_is_no_build_is_one_line(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match=r"^nowhere is neither a build folder nor a repository of the Hub"):
        open_anywhere(Path("nowhere"), Silent())
    with pytest.raises(HubRequestError, match=r"ada/nothing: there is no such data set"):
        open_anywhere(Path("ada/nothing"), Silent(), hub.address)
    hub.add_repo("ada/poems", README__md="# Poems\n")
    with pytest.raises(HubRequestError, match=r"ada/poems is not a finished build: it has no manifest\.json"):
        open_anywhere(Path("ada/poems"), Silent(), hub.address)
