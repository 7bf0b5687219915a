"""This module tests that a state folder is private, held by one, and keeps its token to itself."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganger_core.domain.errors import Conflict, Invalid
from ganger_core.state_dir import lock, prepare, read_or_make_token, read_token
from testkit.waiting import wait_until


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(tmp_path / "a" / "b")
    assert (folder, mode(folder)) == (tmp_path / "a" / "b", 0o700)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert prepare(Path("c")) == tmp_path / "c"
    assert prepare(Path("~/d")) == tmp_path / "d"
    assert prepare(folder) == folder


def test_an_open_folder_is_closed_while_empty_and_refused_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    assert mode(prepare(folder)) == 0o700
    folder.chmod(0o750)
    (folder / "file").touch()
    with pytest.raises(Invalid, match=f"run `chmod 700 {folder}`") as caught:
        prepare(folder)
    assert (caught.value.field, mode(folder)) == ("state_dir", 0o750)


def test_what_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Invalid, match="cannot be used: "):
            prepare(path)


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(Invalid, match="belongs to another user"):
        prepare(tmp_path)


def test_the_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "master.lock"
    held = lock(path, "master")
    with pytest.raises(Conflict) as caught:
        lock(path, "master")
    assert caught.value.message == (
        f"another ganger master (pid {os.getpid()}) uses {tmp_path}: stop it, or give this one another --state-dir"
    )
    assert mode(path) == 0o600
    held.release()
    held.release()
    with lock(path, "master"):
        assert path.read_text() == str(os.getpid())
    lock(path, "master").release()


def test_a_lock_holds_across_processes_and_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    program = (
        "import sys; from pathlib import Path; from ganger_core.state_dir import lock\n"
        "held = lock(Path(sys.argv[1]), 'worker w1'); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict, match=rf"another ganger worker w1 \(pid {holder.pid}\) uses"):
            lock(path, "worker w1")
        holder.kill()
    lock(path, "worker w1").release()


def is_free(path: Path) -> bool:
    try:
        lock(path, "master").release()
    except Conflict:
        return False
    return True


def test_a_locked_file_is_not_passed_on_to_children(tmp_path: Path) -> None:
    held = lock(tmp_path / "x.lock", "master")
    program = [sys.executable, "-c", "print(flush=True); input()"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, **pipes, close_fds=False) as child:  # type: ignore[call-overload]
        child.stdout.read(1)  # it runs: what is closed on exec is closed
        held.release()
        # Popen may return a moment before the system has closed in the child what exec closes.
        wait_until(lambda: is_free(tmp_path / "x.lock"), what="the child does not hold the lock")
        child.communicate(b"\n")


def test_a_token_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_or_make_token(path)
    assert token.startswith("ganger_")
    assert len(token) >= len("ganger_") + 43  # 256 bits in base64
    assert mode(path) == 0o600
    assert read_or_make_token(path) == read_token(path) == token
    assert read_or_make_token(tmp_path / "other") != token
    assert {p.name for p in tmp_path.iterdir()} == {"token", "other"}


def test_a_token_and_its_name_are_synced_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    path = tmp_path / "token"
    read_or_make_token(path)
    assert [Path(name).name.startswith(".token.") for name in synced] == [True, False]
    assert synced[1] == str(tmp_path)
    read_or_make_token(path)
    assert len(synced) == 2


def test_who_makes_the_token_at_the_same_time_gets_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8, thread_name_prefix="maker") as pool:
        tokens = set(pool.map(lambda _: read_or_make_token(tmp_path / "token"), range(32)))
    assert len(tokens) == 1


@pytest.mark.parametrize(
    "content", [b"", b"short", b"two words that are long enough", b"\xff" * 20, b"a\nb" * 9]
)
def test_what_is_no_token_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Invalid, match="does not hold a token") as caught:
        read_token(path)
    assert caught.value.field == "token_file"


def test_a_token_that_others_may_read_or_that_is_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(Invalid, match="cannot be read: No such file"):
        read_token(path)
    read_or_make_token(path)
    path.chmod(0o640)
    with pytest.raises(Invalid, match=f"run `chmod 600 {path}`"):
        read_token(path)
