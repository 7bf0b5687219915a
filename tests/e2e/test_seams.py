"""This module checks the master at its seams: nothing leaves before it is on disk, and it never lives on half dead."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator

import pytest

from ganger import TaskState
from ganger_core.domain.task import Event
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        yield cluster


def test_no_answer_event_or_read_leaves_before_its_commit(cluster: Cluster) -> None:
    answers: list[int] = []
    statuses: list[TaskState] = []
    seen: list[Event] = []
    with cluster.client() as client:
        assert client.submit(["true"]) == 1

        def watch() -> None:
            for event in client.events():
                seen.append(event)
                if event.task_id == 2:
                    return

        threads = [threading.Thread(target=watch, name="watch")]
        threads[0].start()
        wait_until(lambda: seen, what="the watcher sees the first task")
        other = sqlite3.connect(cluster.folder / "ganger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # another program holds the file: no commit goes through
        threads += [
            threading.Thread(target=lambda: answers.append(client.submit(["true"])), name="submit"),
            threading.Thread(target=lambda: statuses.append(client.status(1).task.state), name="status"),
        ]
        for thread in threads[1:]:
            thread.start()
        threads[1].join(1.0)
        assert (answers, [event.task_id for event in seen]) == ([], [1])
        other.execute("ROLLBACK")
        other.close()
        for thread in threads:
            thread.join(20)
    assert answers == [2]
    assert statuses == [TaskState.PENDING]
    assert [event.task_id for event in seen] == [1, 2]


def test_a_commit_that_fails_ends_the_master_and_what_was_accepted_is_there_afterwards(
    cluster: Cluster,
) -> None:
    with cluster.client() as client:
        assert client.submit(["true"], name="kept") == 1
    db = sqlite3.connect(cluster.folder / "ganger.db", isolation_level=None)
    db.execute("ALTER TABLE events RENAME TO hidden")
    master = cluster.daemons["master"]
    with cluster.channel() as channel:
        call = channel.unary_unary("/ganger.v1.TaskService/SubmitTask")
        future = call.future(b"\x0a\x01r\x12\x0c\x0a\x04true\x2a\x04\x08\x01\x18\x01", timeout=10)
        assert master.process.wait(10) == 70
        assert future.code() is not None  # refused, not answered
    assert master.said("the master cannot go on")
    db.execute("ALTER TABLE hidden RENAME TO events")
    db.close()
    cluster.start_master()
    with cluster.client() as client:
        assert [row.task.spec.name for row in client.tasks()] == ["kept"]
        assert client.submit(["true"]) == 2


def test_a_master_that_answered_stops_cleanly(cluster: Cluster) -> None:
    with cluster.client() as client:
        client.submit(["true"])
        assert [row.task.id for row in client.tasks()] == [1]
    master = cluster.daemons["master"]
    assert master.stop() == 0
    assert not master.said("Traceback")
