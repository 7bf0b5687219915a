"""This module tests what is published of an output folder, what is left out, and that it is moved as a whole."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganger_core.domain.outputs import MOST_FILES, OutputFile, Outputs, Publish
from ganger_core.domain.task import AttemptRef
from ganger_worker.executors import outputs as outputs_module
from ganger_worker.executors.folders import CLOCK_STEP_NS, AttemptFolders
from ganger_worker.executors.outputs import OutputFolders
from testkit.waiting import wait_until

REF = AttemptRef(7, 2)


class Desk:
    """The folders of one worker, with an attempt that has begun."""

    def __init__(self, folder: Path) -> None:
        self.attempts = AttemptFolders(str(folder))
        self.folders = OutputFolders(str(folder), self.attempts)
        self.attempts.make(REF)
        self.source = Path(self.attempts.place(REF)) / "outputs"
        self.place = Path(self.folders.place(REF))

    def write(self, path: str, data: bytes = b"data") -> None:
        (self.source / path).parent.mkdir(parents=True, exist_ok=True)
        (self.source / path).write_bytes(data)

    def publish(self, steps: int = 1_000_000) -> Outputs | None:
        """Publish; or only the first slices, as when the worker dies."""
        work = self.folders.publish(REF)
        for _ in range(steps):
            try:
                next(work)
            except StopIteration as end:
                outputs: Outputs | None = end.value
                return outputs
        work.close()
        return None


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_files_are_counted_hashed_and_moved_with_their_folder(desk: Desk) -> None:
    desk.write("b/model.bin", b"x" * (20 * 2**20))
    desk.write("a\nb", b"")
    os.symlink("b/model.bin", desk.source / "latest")
    assert desk.folders.wrote(REF)
    found = desk.publish()
    digest = hashlib.sha256(b"x" * (20 * 2**20)).hexdigest()
    assert found == Outputs(
        (
            OutputFile("a\nb", 0, hashlib.sha256().hexdigest()),
            OutputFile("latest", 20 * 2**20, digest),
            OutputFile("b/model.bin", 20 * 2**20, digest),
        )
    )
    assert not desk.source.exists()
    assert sorted(os.listdir(desk.place)) == ["a\nb", "b", "latest"]
    assert desk.folders.read(REF, "latest", 20 * 2**20 - 1, 10) == b"x"
    assert [ref for ref, _ in desk.folders.everything()] == [REF]
    desk.attempts.clear(REF)
    assert not desk.source.parent.exists()
    os.chmod(desk.place / "b", 0)
    desk.folders.remove(REF)
    assert os.listdir(desk.place.parent) == []


def test_an_empty_folder_publishes_nothing(desk: Desk) -> None:
    assert not desk.folders.wrote(REF)
    assert desk.publish() is None
    (desk.source / "sub").mkdir()
    assert desk.folders.wrote(REF)
    assert desk.publish() is None
    assert not desk.place.exists()


@pytest.mark.parametrize("steps", range(4))
def test_what_was_interrupted_anywhere_gives_the_same_in_the_end(desk: Desk, steps: int) -> None:
    for number in range(150):  # three slices
        desk.write(f"f{number:03}", b"%d" % number)
    desk.publish(steps)
    assert desk.source.exists() is (steps < 3)
    assert not desk.place.exists() or len(os.listdir(desk.place)) == 150
    assert desk.folders.wrote(REF)
    found = desk.publish()
    assert found is not None
    assert [file.path for file in found.files] == [f"f{number:03}" for number in range(150)]
    assert found == desk.publish()  # a worker that died after the move does it once more


def test_what_is_put_into_a_folder_that_is_used_again_is_seen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        os.close(os.open(desk.source.parent / name, os.O_WRONLY | os.O_CREAT, 0o600))
    wait_until(
        lambda: time.time_ns() - desk.source.parent.stat().st_mtime_ns > 2 * CLOCK_STEP_NS, 5, "a tick"
    )
    for token in range(3, 6):
        before, ref = desk.attempts.place(AttemptRef(7, token - 1)), AttemptRef(7, token)
        desk.attempts.clear(AttemptRef(7, token - 1))
        desk.attempts.make(ref)
        assert not Path(before).exists()
        looked = []
        with monkeypatch.context() as patch:
            patch.setattr(outputs_module.os, "scandir", looked.append)
            assert not desk.folders.wrote(ref)
        assert not looked, "an empty folder costs more than a look at its time stamp"
    (Path(desk.attempts.place(ref)) / "outputs" / "f").touch()
    assert desk.folders.wrote(ref)


LEFT_OUT: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (lambda source: os.mkfifo(source / "p"), "p: no regular file"),
    "out": (lambda source: os.symlink("../work", source / "o"), "o: a link that leads out"),
    "up": (lambda source: os.symlink("../../../x/y", source / "u"), "u: a link that leads out"),
    "absolute": (lambda source: os.symlink(source / "kept", source / "a"), "a: a link with an absolute path"),
    "gone": (lambda source: os.symlink("nowhere", source / "g"), "g: a link to what is no file"),
    "folder": (lambda source: os.symlink(".", source / "loop"), "loop: a link"),
    "name": (lambda source: (source / os.fsdecode(b"n\xff")).touch(), "n?: its name is not UTF-8"),
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_is_no_file_of_the_folder_is_left_out_and_named(desk: Desk, kind: str) -> None:
    make, why = LEFT_OUT[kind]
    desk.write("kept")
    make(desk.source)
    found = desk.publish()
    assert found is not None
    assert [file.path for file in found.files] == ["kept"]
    (note,) = found.notes
    assert note.startswith(f"left out: {why}")


def test_too_many_files_are_not_published_and_stay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs_module, "MOST_FILES", 5)
    for number in range(6):
        desk.write(f"sub{number % 2}/f{number}")
    found = desk.publish()
    assert found is not None
    assert not found.files
    assert found.notes[0].startswith("not published: more than 5 files")
    assert len(list(desk.source.rglob("f*"))) == 6
    assert MOST_FILES == 10_000


def test_a_folder_that_was_replaced_is_not_published(desk: Desk, tmp_path: Path) -> None:
    os.rmdir(desk.source)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").touch()
    os.symlink(tmp_path / "secret", desk.source)
    found = desk.publish()
    why = "not published: the output folder was replaced by something else; what there is stays in "
    assert found is not None
    assert not found.files
    assert found.notes[0].startswith(why)
    assert found.notes[0].endswith("/attempts/7-2/outputs")


def test_a_file_beside_the_folder_is_not_read(desk: Desk) -> None:
    desk.write("f")
    (desk.source.parent.parent / "secret").write_text("key")
    desk.publish()
    for path in ("../7-2/../../attempts/secret", "../../attempts/secret", "none"):
        with pytest.raises(FileNotFoundError):
            desk.folders.read(REF, path, 0, 10)


def test_the_policy_outlives_the_worker_and_leaves_nothing_behind(tmp_path: Path) -> None:
    attempts = AttemptFolders(str(tmp_path))
    for policy in Publish:
        attempts.make(REF, policy)
        assert AttemptFolders(str(tmp_path)).policy(REF) is policy
        attempts.clear(REF)
        assert not Path(attempts.place(REF)).exists()
    attempts.make(REF, Publish.NEVER)
    (Path(attempts.place(REF)) / "publish").write_bytes(b"\xff")
    assert attempts.policy(REF) is Publish.ON_SUCCESS
