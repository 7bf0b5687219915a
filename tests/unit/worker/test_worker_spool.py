"""This module tests what of an attempt's output is sent, and what rides in its report."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ganger_core.domain.task import LOG_TAIL_BYTES, AttemptRef, LogChunk, LogStream
from ganger_worker.executors.folders import AttemptFolders
from ganger_worker.spool import CALL_BYTES, CHUNK_BYTES, Spools

REF = AttemptRef(1, 1)
OUT, ERR = LogStream.STDOUT, LogStream.STDERR


@pytest.fixture
def folders(tmp_path: Path) -> AttemptFolders:
    return AttemptFolders(str(tmp_path))


@pytest.fixture
def spools(folders: AttemptFolders) -> Spools:
    return Spools(folders)


def write(folders: AttemptFolders, data: bytes, ref: AttemptRef = REF, name: str = "stdout") -> None:
    folders.make(ref)
    with Path(folders.place(ref), name).open("ab") as file:
        file.write(data)


def store(spools: Spools, chunks: list[LogChunk]) -> None:
    for chunk in chunks:
        assert spools.stored(chunk.ref, chunk.stream, chunk.offset + len(chunk.data))


def test_short_output_rides_in_the_report(spools: Spools, folders: AttemptFolders) -> None:
    write(folders, b"out")
    write(folders, b"error", name="stderr")
    ending = spools.finish(REF, LOG_TAIL_BYTES)
    assert (ending.stdout_bytes, ending.stdout_tail) == (3, b"out")
    assert (ending.stderr_bytes, ending.stderr_tail) == (5, b"error")
    assert ending.stored
    assert spools.take() == []
    assert spools.settled() == []


def test_without_files_there_is_no_output(spools: Spools) -> None:
    ending = spools.finish(REF, LOG_TAIL_BYTES)
    assert (ending.stdout_bytes, ending.stdout_tail, ending.stored) == (0, b"", True)


def test_long_output_is_sent_up_to_the_tail(spools: Spools, folders: AttemptFolders) -> None:
    data = bytes(range(256)) * 1_000
    write(folders, data)
    ending = spools.finish(REF, LOG_TAIL_BYTES)
    assert not ending.stored
    assert ending.stdout_tail == data[-LOG_TAIL_BYTES:]
    (chunk,) = spools.take()
    assert chunk == LogChunk(REF, OUT, 0, data[:-LOG_TAIL_BYTES])
    assert spools.settled() == []
    store(spools, [chunk])
    assert spools.settled() == [REF]
    assert spools.settled() == []


def test_what_was_sent_while_it_ran_is_not_sent_again(spools: Spools, folders: AttemptFolders) -> None:
    spools.watch([REF])
    write(folders, b"first")
    chunks = spools.take()
    assert chunks == [LogChunk(REF, OUT, 0, b"first")]
    store(spools, chunks)
    assert spools.take() == []
    write(folders, b"second")
    ending = spools.finish(REF, LOG_TAIL_BYTES)
    assert (ending.stdout_bytes, ending.stdout_tail, ending.stored) == (11, b"second", True)


def test_without_a_tail_everything_is_sent(spools: Spools, folders: AttemptFolders) -> None:
    write(folders, b"whole")
    ending = spools.finish(REF, 0)
    assert (ending.stdout_bytes, ending.stdout_tail, ending.stored) == (5, b"", False)
    assert spools.take() == [LogChunk(REF, OUT, 0, b"whole")]


def test_what_the_master_did_not_store_is_sent_again(spools: Spools, folders: AttemptFolders) -> None:
    spools.watch([REF])
    write(folders, b"0123456789")
    spools.take()
    assert spools.stored(REF, OUT, 4)
    assert spools.take() == [LogChunk(REF, OUT, 4, b"456789")]
    assert not spools.stored(REF, OUT, 4), "no progress"
    assert spools.stored(REF, OUT, 0)
    assert spools.take() == [LogChunk(REF, OUT, 0, b"0123456789")]


def test_a_call_is_bounded_and_who_came_late_comes_first_next_time(
    spools: Spools, folders: AttemptFolders
) -> None:
    refs = [AttemptRef(task, 1) for task in range(1, 7)]
    spools.watch(refs)
    for ref in refs:
        write(folders, b"x" * (CHUNK_BYTES + 10), ref)
    chunks = spools.take()
    assert [len(chunk.data) for chunk in chunks] == [CHUNK_BYTES] * (CALL_BYTES // CHUNK_BYTES)
    store(spools, chunks)
    served = {chunk.ref for chunk in chunks} | {chunk.ref for chunk in spools.take()}
    assert served == set(refs)


def test_a_stream_that_the_program_truncated_goes_on(spools: Spools, folders: AttemptFolders) -> None:
    spools.watch([REF])
    write(folders, b"first part")
    store(spools, spools.take())
    Path(folders.place(REF), "stdout").write_bytes(b"new")
    chunks = spools.take()
    assert chunks == [LogChunk(REF, OUT, 10, b"new")]
    store(spools, chunks)
    write(folders, b" end")
    ending = spools.finish(REF, LOG_TAIL_BYTES)
    assert (ending.stdout_bytes, ending.stdout_tail, ending.stored) == (17, b" end", True)


def test_bytes_that_are_gone_here_and_there_are_given_up(spools: Spools, folders: AttemptFolders) -> None:
    spools.watch([REF])
    write(folders, b"first part")
    store(spools, spools.take())
    Path(folders.place(REF), "stdout").write_bytes(b"new")
    spools.take()
    assert spools.stored(REF, OUT, 2)  # the master lost what the file no longer holds
    assert spools.take() == []


def test_refused_and_vanished_output_counts_as_stored(spools: Spools, folders: AttemptFolders) -> None:
    other = AttemptRef(2, 1)
    for ref in (REF, other):
        write(folders, b"x" * 100_000, ref)
        spools.finish(ref, LOG_TAIL_BYTES)
    spools.drop(REF)
    Path(folders.place(other), "stdout").unlink()
    assert spools.take() == []
    assert set(spools.settled()) == {REF, other}


def test_waiting_ends_with_news(spools: Spools, folders: AttemptFolders) -> None:
    woken = threading.Event()

    def wait() -> None:
        spools.wait(600.0)
        woken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    write(folders, b"x" * 100_000)
    spools.finish(REF, LOG_TAIL_BYTES)
    assert woken.wait(10)
    thread.join()
    spools.wake()
    spools.wait(600.0)
