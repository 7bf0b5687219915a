"""This module tests where copies go, what is refused before anything is written, and that no half file is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger.copying import find_file, plan_copies, save
from ganger_core.domain.errors import Conflict, GangerError, Invalid, NotFound
from ganger_core.domain.outputs import OutputFile

FILES = tuple(OutputFile(path, 1, "0" * 64) for path in ("a\nb", "sub/deep/x", "sub/y", "subway", "model.pt"))
OF = "task 42"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir").mkdir()
    (tmp_path / "old").write_text("old")
    return tmp_path


GOES = {
    ("model.pt", "."): {"model.pt": "model.pt"},
    ("./model.pt", "dir"): {"model.pt": "dir/model.pt"},
    ("model.pt", "dir/"): {"model.pt": "dir/model.pt"},
    ("model.pt", "new"): {"model.pt": "new"},
    ("model.pt", "old"): {"model.pt": "old"},
    ("sub/deep/x", "dir"): {"sub/deep/x": "dir/x"},
    ("a\nb", "."): {"a\nb": "a\nb"},
    ("sub", "dir"): {"sub/deep/x": "dir/sub/deep/x", "sub/y": "dir/sub/y"},
    ("sub/", "new"): {"sub/deep/x": "new/deep/x", "sub/y": "new/y"},
    ("sub/", "new/"): {"sub/deep/x": "new/deep/x", "sub/y": "new/y"},
    ("sub/.", "dir"): {"sub/deep/x": "dir/deep/x", "sub/y": "dir/y"},
    ("sub//deep", "."): {"sub/deep/x": "deep/x"},
    ("", "dir"): {file.path: f"dir/{file.path}" for file in FILES},
    (".", "new"): {file.path: f"new/{file.path}" for file in FILES},
}


@pytest.mark.parametrize(("path", "destination"), GOES)
def test_where_copies_go(here: Path, path: str, destination: str) -> None:
    copies = plan_copies(FILES, path, destination, OF)
    assert {copy.file.path: str(copy.target) for copy in copies} == GOES[path, destination]


REFUSED: dict[tuple[str, str], tuple[type[GangerError], str]] = {
    ("modle.pt", "."): (NotFound, "task 42 published no 'modle.pt'; did you mean 'model.pt'?"),
    ("zzz", "."): (NotFound, "it published 'a\\nb', 'sub/deep/x', 'sub/y', 'subway', 'model.pt'"),
    ("../model.pt", "."): (Invalid, "is no path below $GANGER_OUTPUT_DIR"),
    ("sub/../../x", "."): (Invalid, "is no path below $GANGER_OUTPUT_DIR"),
    ("/etc/passwd", "."): (Invalid, "is no path below $GANGER_OUTPUT_DIR"),
    ("model.pt", "none/"): (Invalid, "there is no folder none/"),
    ("model.pt", "none/new"): (Invalid, "none"),
    ("sub", "none/new"): (Invalid, "none"),
    ("sub", "old"): (Invalid, "old is no folder, and there are 2 files"),
    ("", "old"): (Invalid, "old is no folder, and there are 5 files"),
    ("model.pt", ""): (Invalid, "the destination is empty"),
}


@pytest.mark.parametrize(("path", "destination"), REFUSED)
def test_what_is_refused_before_anything_is_written(here: Path, path: str, destination: str) -> None:
    kind, why = REFUSED[path, destination]
    with pytest.raises(kind) as caught:
        plan_copies(FILES, path, destination, OF)
    assert why in caught.value.message
    assert sorted(os.listdir(here)) == ["dir", "old"]


def test_a_file_does_not_replace_a_folder(here: Path) -> None:
    (here / "dir" / "model.pt").mkdir()
    with pytest.raises(Invalid, match=r"dir/model\.pt is a folder"):
        plan_copies(FILES, "", "dir", OF)


def test_only_a_file_goes_to_stdout() -> None:
    assert find_file(FILES, "sub//y", OF).path == "sub/y"
    for path in ("sub", ""):
        with pytest.raises(Invalid, match="name one file, such as"):
            find_file(FILES, path, OF)
    with pytest.raises(NotFound, match="did you mean 'subway'"):
        find_file(FILES, "subwy", OF)


def test_a_copy_is_whole_or_not_there(here: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        assert (here / "old").read_text() == "old"
        raise Conflict("gone")

    for target in (here / "old", here / "x" / "new"):
        with pytest.raises(Conflict, match="gone"):
            save(broken(), target)
    assert (here / "old").read_text() == "old"
    assert os.listdir(here / "x") == []
    assert sorted(os.listdir(here)) == ["dir", "old", "x"]
    save([b"wh", b"ole"], here / "old")
    assert (here / "old").read_text() == "whole"
    assert (here / "old").stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_a_link_at_the_target_is_replaced_not_followed(here: Path) -> None:
    os.symlink(here / "old", here / "dir" / "link")
    save([b"new"], here / "dir" / "link")
    assert (here / "old").read_text() == "old"
    assert not (here / "dir" / "link").is_symlink()


def test_what_cannot_be_written_is_said(here: Path) -> None:
    with pytest.raises(Conflict, match=r"old/x cannot be written: (Not a directory|File exists)"):
        save([b""], here / "old" / "x")


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before
