"""This module tests that folders are used again only when nothing of their last user can be seen."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ganger_core.domain.task import AttemptRef
from ganger_worker.executors.folders import MOST_SPARES, AttemptFolders

FIRST, SECOND, THIRD = (AttemptRef(task, 1) for task in (1, 2, 3))


@pytest.fixture
def folders(tmp_path: Path) -> AttemptFolders:
    return AttemptFolders(str(tmp_path))


def make(folders: AttemptFolders, ref: AttemptRef) -> Path:
    """A folder as it is when the attempt's process starts."""
    folders.make(ref)
    place = Path(folders.place(ref))
    for name in ("stdout", "stderr"):
        os.close(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return place


def test_a_fresh_folder(folders: AttemptFolders) -> None:
    folders.make(FIRST)
    folders.make(FIRST)  # again changes nothing
    place = Path(folders.place(FIRST))
    assert sorted(os.listdir(place)) == ["outputs", "work"]
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o700 for p in (place, *place.iterdir()))


def test_a_folder_in_which_nothing_was_left_is_used_again_and_empty(folders: AttemptFolders) -> None:
    place = make(folders, FIRST)
    inode = place.stat().st_ino
    for ref, follower in ((FIRST, SECOND), (SECOND, THIRD)):
        (Path(folders.place(ref)) / "stdout").write_bytes(b"secret")
        folders.clear(ref)
        again = make(folders, follower)
        assert again.stat().st_ino == inode
        assert (again / "stdout").read_bytes() == b""
        assert not Path(folders.place(ref)).exists()


def test_the_text_of_a_batch_script_goes_with_its_folder(folders: AttemptFolders) -> None:
    place = make(folders, FIRST)
    (place / "script").write_text("#!/bin/sh")
    folders.clear(FIRST)
    assert not place.exists()
    (make(folders, SECOND) / "outputs" / "model").write_text("kept")
    left = Path(folders.place(SECOND))
    (left / "script").write_text("#!/bin/sh")
    folders.clear(SECOND)
    assert sorted(os.listdir(left)) == ["outputs"]


def keep_file(place: Path) -> None:
    (place / "work" / "model").write_text("kept")


def keep_output(place: Path) -> None:
    (place / "outputs" / "sub").mkdir()


def add_beside(place: Path) -> None:
    (place / "beside").write_text("kept")


def close_folder(place: Path) -> None:
    (place / "work").chmod(0o500)


def close_stream(place: Path) -> None:
    (place / "stdout").chmod(0o400)


def link_stream(place: Path) -> None:
    os.link(place / "stdout", place.parent.parent / "link")


def replace_stream(place: Path) -> None:
    (place / "stderr").unlink()
    (place / "stderr").symlink_to("/etc/passwd")


CHANGES = [keep_file, keep_output, add_beside, close_folder, close_stream, link_stream, replace_stream]


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_was_changed_is_not_used_again(
    folders: AttemptFolders, change: Callable[[Path], None], used_before: bool
) -> None:
    place = make(folders, FIRST)
    if used_before:
        folders.clear(FIRST)
        place = make(folders, SECOND)
    inode = place.stat().st_ino
    change(place)
    folders.clear(SECOND if used_before else FIRST)
    assert make(folders, THIRD).stat().st_ino != inode or not place.exists()
    for kept, text in (("work/model", "kept"), ("beside", "kept")):
        if change.__name__ == {"work/model": "keep_file", "beside": "add_beside"}[kept]:
            assert (place / kept).read_text() == text
    assert sorted(os.listdir(folders.place(THIRD))) == ["outputs", "stderr", "stdout", "work"]


def test_a_stream_that_somebody_has_open_is_not_used_again(folders: AttemptFolders) -> None:
    place = make(folders, FIRST)
    with (place / "stdout").open("ab") as late:
        folders.clear(FIRST)
        again = make(folders, SECOND)
        late.write(b"late")
        late.flush()
        assert (again / "stdout").read_bytes() == b""


def test_what_is_kept_for_use_is_bounded_and_removed_at_the_end(
    folders: AttemptFolders, tmp_path: Path
) -> None:
    refs = [AttemptRef(task, 1) for task in range(1, MOST_SPARES + 11)]
    for ref in refs:
        make(folders, ref)
    for ref in refs:
        folders.clear(ref)
    assert len(os.listdir(tmp_path / "attempts")) == MOST_SPARES
    folders.close()
    assert os.listdir(tmp_path / "attempts") == []


def test_leftovers_of_a_killed_worker_are_cleared(folders: AttemptFolders, tmp_path: Path) -> None:
    for ref in (FIRST, SECOND, THIRD):
        make(folders, ref)
    keep_file(Path(folders.place(THIRD)))
    folders.clear_all_but({SECOND})
    folders.close()
    assert sorted(os.listdir(tmp_path / "attempts")) == ["2-1", "3-1"]
    assert os.listdir(folders.place(THIRD)) == ["work"]
