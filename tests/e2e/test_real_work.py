"""This module runs real work through real processes: shapes on unequal workers, a stopped planner, a killed master."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from crash.load import pause
from ganger import Client, TaskSpec, TaskState
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import Event
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

GIB = 2**30
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_planner()
        cluster.start_master()
        yield cluster


def shaped(number: int, cpus: int, memory: int) -> TaskSpec:
    script = "date +%s%N; echo $GANGER_WORKER; read x < /dev/null; sleep 0.02; date +%s%N"
    return TaskSpec(("sh", "-c", script), name=f"t{number}", resources=Resources(cpus * 1000, memory, 1))


def test_shapes_fit_everywhere_and_workers_run_at_the_same_time(cluster: Cluster) -> None:
    capacity = {"w1": (1, 1 * GIB), "w2": (2, 3 * GIB), "w3": (4, 6 * GIB)}
    for name, (cpus, memory) in capacity.items():
        cluster.start_worker(name, "--cpus", str(cpus), "--memory", str(memory))
    shapes = [(1, 0), (1, GIB), (2, GIB), (3, 2 * GIB), (4, 0)]
    with cluster.client() as client:
        specs = [shaped(number, *shapes[number % 5]) for number in range(200)]
        ids = client.submit_many(specs)
        assert {task.state for task in client.wait(ids, timeout_s=90)} == {TaskState.SUCCEEDED}
        edges: list[tuple[int, int, str, int, int]] = []  # time, +1 or -1, worker, CPUs, memory
        for number, task_id in enumerate(ids):
            begin, worker, end = output(client, task_id).split()
            cpus, memory = shapes[number % 5]
            edges += [(int(begin), 1, worker, cpus, memory), (int(end), -1, worker, cpus, memory)]
    used_cpus: Counter[str] = Counter()
    used_memory: Counter[str] = Counter()
    most_workers = 0
    for _, sign, worker, cpus, memory in sorted(edges):
        used_cpus[worker] += sign * cpus
        used_memory[worker] += sign * memory
        assert used_cpus[worker] <= capacity[worker][0]
        assert used_memory[worker] <= capacity[worker][1]
        most_workers = max(most_workers, sum(1 for used in used_cpus.values() if used))
    assert most_workers >= 2


def output(client: Client, task_id: int) -> str:
    return b"".join(chunk.data for chunk in client.logs(task_id)).decode()


def placements(client: Client, first_seq: int, tasks: int) -> Counter[str]:
    """Who placed the tasks, from the feed: read until all of them are final."""
    placed: Counter[str] = Counter()
    ended = 0
    for event in client.events(after_seq=first_seq):
        if event.state is TaskState.SCHEDULED:
            placed[event.reason.removeprefix("placed by ").split(",")[0]] += 1
        ended += event.state in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED)
        if ended == tasks:
            return placed
    raise AssertionError("the feed ended")


def test_nearly_all_assignments_come_from_the_planner(cluster: Cluster) -> None:
    cluster.start_worker("w1", "--cpus", "2")
    with cluster.client() as client:
        client.submit_many([TaskSpec(("true",)) for _ in range(2_000)])
        placed = placements(client, 0, 2_000)
    assert sum(placed.values()) >= 2_000
    assert placed["planner"] >= 0.99 * sum(placed.values())


def test_work_goes_on_by_first_fit_while_the_planner_is_stopped_and_the_master_says_so(
    cluster: Cluster,
) -> None:
    cluster.start_worker("w1", "--cpus", "2")
    planner, master = cluster.daemons["planner"], cluster.daemons["master"]
    with cluster.client() as client:
        planner.send(signal.SIGSTOP)
        ids = client.submit_many([TaskSpec(("true",)) for _ in range(20)])
        assert {task.state for task in client.wait(ids, timeout_s=60)} == {TaskState.SUCCEEDED}
        assert placements(client, 0, 20) == Counter({"first-fit": 20})
        assert client.status(ids[0]).attempts[0].planned_by == "first-fit"
        assert master.said("planning by first-fit")
        planner.send(signal.SIGCONT)

        def planned_again() -> bool:
            pause(0.2)
            (task,) = client.wait([client.submit(["true"])], timeout_s=30)
            return client.status(task.id).attempts[0].planned_by == "planner"

        wait_until(planned_again, 30, what="the planner plans again")
        assert master.said("the planner answers again")


def test_a_watcher_sees_every_sequence_number_once_over_a_kill_of_the_master(cluster: Cluster) -> None:
    cluster.start_worker("w1", "--cpus", "2")
    seen: list[Event] = []
    done = threading.Event()

    def watch() -> None:
        with cluster.client() as client:
            for event in client.events():
                seen.append(event)
                if event.task_id == 40 and event.state is TaskState.SUCCEEDED:
                    break
        done.set()

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    with cluster.client() as client:
        client.submit_many([TaskSpec(("true",)) for _ in range(20)])
        wait_until(lambda: len(seen) > 20, what="the watcher sees events")
        cluster.daemons["master"].kill()
        cluster.start_master()
        last = client.submit_many([TaskSpec(("true",), priority=0) for _ in range(20)])
        client.wait(last, timeout_s=60)
    assert done.wait(30)
    watcher.join()
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    by_task: dict[int, list[Event]] = {}
    for event in seen:
        by_task.setdefault(event.task_id, []).append(event)
    assert all(a.at_ms <= b.at_ms for events in by_task.values() for a, b in pairwise(events))
