"""Files and folders are complete or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from coalm_it.files import OutputError, write_text, write_whole


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with write_whole(path) as part:
        part.write_text("first half")
        assert not path.exists()
    assert path.read_text() == "first half"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_unfinished_file_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    stopped = False
    try:
        with write_whole(path) as part:
            part.write_text("new")
            raise error
    except error:
        stopped = True
    assert stopped
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"/file/below\.txt cannot be written: (File exists|Not a directory)$"):
        write_text(tmp_path / "file" / "below.txt", "text")


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "model"
    out.mkdir()  # an empty folder is in nobody's way
    with write_whole(out) as part:
        part.mkdir()
        (part / "weights").write_text("all")
        assert not list(out.iterdir())
    assert (out / "weights").read_text() == "all"
    assert list(tmp_path.iterdir()) == [out]


def test_an_unfinished_folder_leaves_nothing(tmp_path: Path) -> None:
    stopped = False
    try:
        with write_whole(tmp_path / "model") as part:
            part.mkdir()
            (part / "weights").write_text("half")
            raise ValueError
    except ValueError:
        stopped = True
    assert stopped
    assert not list(tmp_path.iterdir())
