"""This module checks how the SDK reads logs: each byte once, from where it was asked, over broken connections."""

from __future__ import annotations

import pytest

from ganger import Client, Invalid, LogStream
from testkit.client_cli import in_background
from testkit.client_master import ScriptedMaster
from testkit.waiting import wait_until


def test_logs_are_what_was_written(master: ScriptedMaster, client: Client) -> None:
    client.submit(["true"])
    assert list(client.logs(1)) == []
    master.run(1)
    master.write(1, b"out \xff\x00")
    master.write(1, b"err", LogStream.STDERR)
    assert [(chunk.stream, chunk.offset, chunk.data) for chunk in client.logs(1)] == [
        (LogStream.STDOUT, 0, b"out \xff\x00"),
        (LogStream.STDERR, 0, b"err"),
    ]


@pytest.mark.parametrize("overlap", [0, 3])
def test_followed_logs_carry_on_at_the_byte_where_the_connection_broke(
    master: ScriptedMaster, client: Client, overlap: int
) -> None:
    master.overlap = overlap
    client.submit(["true"])
    for after in (1, 0, 2):
        master.failures.cut_stream("ReadLogs", after)
    got: list[bytes] = []

    def seen(count: int) -> None:
        wait_until(lambda: sum(map(len, got)) >= count)

    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"], what="it waits for the first attempt"),
        lambda: master.run(1),
        lambda: master.write(1, b"one "),
        lambda: seen(4),
        lambda: master.write(1, b"two "),
        lambda: seen(8),
        master.stop,
        lambda: master.write(1, b"three "),
        master.start,
        lambda: seen(14),
        lambda: master.write(1, b"four"),
        lambda: master.end(1),
    )
    got.extend(chunk.data for chunk in client.logs(1, follow=True))
    script.join()
    assert b"".join(got) == b"one two three four"
    assert sorted({request.stdout_offset for request in master.requests["ReadLogs"]})[:2] == [0, 4]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_the_end_of_a_log_is_read_once_over_broken_connections(
    master: ScriptedMaster, client: Client, after: int
) -> None:
    client.submit(["true"])
    master.run(1)
    master.write(1, b"1\n2\n3\n")
    master.write(1, b"e\nf\n", LogStream.STDERR)
    master.end(1)
    master.failures.cut_stream("ReadLogs", after)
    got = [(chunk.stream, chunk.offset, chunk.data) for chunk in client.logs(1, lines=2)]
    assert got == [(LogStream.STDOUT, 2, b"2\n3\n"), (LogStream.STDERR, 0, b"e\nf\n")]
    assert len(master.requests["ReadLogs"]) == 2


def test_logs_of_one_stream_and_since_a_moment(master: ScriptedMaster, client: Client) -> None:
    client.submit(["true"])
    master.run(1)
    master.write(1, b"old new")
    master.write(1, b"error", LogStream.STDERR)
    master.new_from = {LogStream.STDOUT: 4}
    assert [chunk.data for chunk in client.logs(1, since="1m30s")] == [b"new", b"error"]
    assert [chunk.data for chunk in client.logs(1, streams=[LogStream.STDERR])] == [b"error"]
    asked = master.requests["ReadLogs"]
    assert asked[0].since_s == 90
    assert list(asked[1].streams) == [2]
    for wrong in ({"lines": -1}, {"since": "soon"}):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            client.logs(1, **wrong)  # type: ignore[arg-type]


def test_followed_logs_go_on_with_the_next_attempt(master: ScriptedMaster, client: Client) -> None:
    client.submit(["true"])
    master.run(1)
    master.write(1, b"first")
    chunks = []
    script = in_background(
        lambda: wait_until(lambda: chunks, what="the first attempt's output is there"),
        lambda: master.lose(1),
        lambda: master.run(1, "w2"),
        lambda: master.write(1, b"second"),
        lambda: master.end(1),
    )
    for chunk in client.logs(1, follow=True):
        chunks.append(chunk)
    script.join()
    assert [(chunk.ref.token, chunk.data) for chunk in chunks] == [(1, b"first"), (2, b"second")]
    assert [chunk.data for chunk in client.logs(1, attempt=1)] == [b"first"]
    assert [chunk.data for chunk in client.logs(1)] == [b"second"]


def test_a_task_that_never_ran_has_no_logs_and_following_it_ends(
    master: ScriptedMaster, client: Client
) -> None:
    client.submit(["true"])
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]), lambda: client.cancel(1)
    )
    assert list(client.logs(1, follow=True)) == []
    script.join()
