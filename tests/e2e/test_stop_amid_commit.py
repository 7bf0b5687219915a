"""This module stops a master while a commit is under way: it ends in order, and what it took in is on disk."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator

import pytest

from testkit.processes import Cluster, a_cluster, listens
from testkit.waiting import wait_until


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        yield cluster


def test_a_commit_that_outlasts_the_calls_is_finished_and_the_master_ends_in_order(cluster: Cluster) -> None:
    with cluster.client() as client:
        assert client.submit(["true"]) == 1
    master = cluster.daemons["master"]
    other = sqlite3.connect(cluster.folder / "ganger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another program holds the file: the commit takes its time
    with cluster.channel() as channel:
        call = channel.unary_unary("/ganger.v1.TaskService/SubmitTask")
        future = call.future(b"\x0a\x01r\x12\x0c\x0a\x04true\x2a\x04\x08\x01\x18\x01", timeout=1)
        assert future.code() is not None  # not answered, but taken in
    master.send(signal.SIGTERM)
    wait_until(lambda: not listens(cluster.folder / "socket"), what="the master takes no calls any more")
    assert master.process.poll() is None
    other.execute("ROLLBACK")
    other.close()
    assert master.process.wait(20) == 0
    assert not master.said("Traceback")
    cluster.start_master()
    with cluster.client() as client:
        assert client.status(2).task.id == 2
