"""This module checks arrays from the command line and the SDK to real processes and back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger import Client, TaskState
from testkit.client_cli import Cli
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

WAIT_S = 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as cluster:
        cluster.start_master()
        cluster.start_planner()
        cluster.start_worker("w1", "--cpus", "2")
        yield cluster


@pytest.fixture
def cli(cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]) -> Cli:
    return Cli(cluster, capsysbinary)


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as client:
        yield client


def submitted(cli: Cli, *words: str) -> int:
    """Submit and return the id."""
    return int(cli("submit", "-q", *words).out)


def output(client: Client, array_id: int) -> dict[str, bytes]:
    """What each element wrote, by its label, in the order of the indices."""
    rows = reversed(list(client.tasks(array=array_id)))
    return {row.task.label: b"".join(chunk.data for chunk in client.logs(row.task.id)) for row in rows}


def counts(client: Client, array_id: int) -> dict[TaskState, int]:
    """How many elements there are of each state."""
    array = client.status(array_id).task.array
    assert array
    return dict(array.counts)


def a_gate(folder: Path) -> tuple[Path, str]:
    """A named pipe, and the command of a task that waits until something is written into it for each."""
    gate = folder / "gate"
    os.mkfifo(gate)
    return gate, f"read line < {gate}"


def test_elements_know_what_they_are_and_their_worst_code_is_the_array_s(cli: Cli, client: Client) -> None:
    words = "echo $GANGER_ARRAY_ID $GANGER_ARRAY_INDEX $GANGER_ARRAY_COUNT; exit $((GANGER_ARRAY_INDEX / 10))"
    queued = cli("submit", "--array", "0-30:10%2", "-n", "tens", "--", "sh", "-c", words)
    array_id = int(queued.out.split()[1])
    assert queued.out == f"array {array_id} is queued: 4 elements, at most 2 at a time\n"
    waited = cli("wait", str(array_id))
    assert (waited.code, waited.out) == (
        3,
        f"array {array_id} failed: 3 of 4 elements failed; the highest exit code is 3\n",
    )
    assert output(client, array_id) == {
        f"{array_id}.{index}": f"{array_id} {index} 4\n".encode() for index in (0, 10, 20, 30)
    }
    assert cli("wait", f"{array_id}.20").code == 2
    assert cli("logs", f"{array_id}.20").out == f"{array_id} 20 4\n"
    (row,) = [line for line in cli("ls").out.splitlines() if line.split()[0] == str(array_id)]
    assert row.split()[:3] == [str(array_id), "tens", "FAILED"]
    assert row.endswith("4/4 done, 3 failed")
    listed = cli("ls", str(array_id)).out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == [f"{array_id}.{index}" for index in (30, 20, 10, 0)]
    shown = cli("show", str(array_id)).out
    assert (
        "indices    0-30:10\nelements   4: 1 SUCCEEDED, 3 FAILED\nparallel   at most 2 at a time\n" in shown
    )
    assert cli("ls", "-q", "last").out.split()[0] == f"{array_id}.30"


def test_lines_and_json_reach_the_elements(cli: Cli, client: Client, tmp_path: Path) -> None:
    lines, values = tmp_path / "lines", tmp_path / "values.json"
    lines.write_text("a  b\n\n$HOME 'ü'\n")
    values.write_text(json.dumps(["x", 3, {"lr": 0.1}]))
    write_item = ("--", "sh", "-c", 'printf %s "$GANGER_ARRAY_ITEM"')
    for option, path, items in (
        ("--each-line", lines, ["a  b", "", "$HOME 'ü'"]),
        ("--from-json", values, ["x", "3", '{"lr": 0.1}']),
    ):
        array_id = submitted(cli, option, str(path), *write_item)
        assert cli("wait", str(array_id)).code == 0
        assert [data.decode() for data in output(client, array_id).values()] == items


def test_items_of_several_parts_arrive_whole(client: Client) -> None:
    items = [f"{number} " + "x" * 90_000 for number in range(40)]  # 3.4 MiB
    array_id = client.submit_array(["true"], items=items, cpus=64)
    rows = reversed(list(client.tasks(array=array_id)))
    assert [dict(row.task.spec.env)["GANGER_ARRAY_ITEM"] for row in rows] == items
    assert client.cancel(array_id) is TaskState.CANCELLED


def test_an_element_that_has_not_begun_is_cancelled_alone(cli: Cli, client: Client, tmp_path: Path) -> None:
    gate, waits = a_gate(tmp_path)
    array_id = submitted(cli, "--array", "0-9%1", "--", "sh", "-c", waits)
    cancelled = cli("cancel", f"{array_id}.8", "--reason", "enough")
    assert cancelled.out == f"task {array_id}.8 is cancelled\n"
    waited = cli("wait", f"{array_id}.8")
    assert (waited.code, waited.out.split()[:4]) == (125, ["task", f"{array_id}.8", "was", "cancelled"])
    assert counts(client, array_id)[TaskState.CANCELLED] == 1
    with gate.open("w") as opened:
        opened.write("go\n" * 9)
        opened.flush()
        ended = cli("wait", str(array_id), "--timeout", "30")
    assert ended.code == 125
    assert ended.out == f"array {array_id} was cancelled: 1 of 10 elements were cancelled\n"


def test_who_waits_for_elements_hears_of_the_end_of_their_array(client: Client, tmp_path: Path) -> None:
    """Elements that never began have no events of their own."""
    _, waits = a_gate(tmp_path)
    array_id = client.submit_array(["sh", "-c", waits], 100, max_parallel=1)
    wait_until(lambda: client.status(array_id + 1).task.state is TaskState.RUNNING, WAIT_S)
    asked = threading.Thread(
        target=lambda: (
            wait_until(lambda: counts(client, array_id), WAIT_S),
            client.cancel(array_id, "enough", grace=0),
        ),
        name="cancel",
    )
    asked.start()
    tasks = client.wait([array_id + 100, array_id, array_id + 50], timeout_s=WAIT_S)
    asked.join()
    assert [task.label for task in tasks] == [f"{array_id}.99", str(array_id), f"{array_id}.49"]
    assert {task.state for task in tasks} == {TaskState.CANCELLED}


def test_another_limit_lets_more_run(cli: Cli, client: Client, tmp_path: Path) -> None:
    gate, waits = a_gate(tmp_path)
    array_id = submitted(cli, "--array", "0-3", "--max-parallel", "1", "--", "sh", "-c", waits)
    wait_until(lambda: counts(client, array_id).get(TaskState.RUNNING) == 1, WAIT_S)
    assert (
        cli("update", str(array_id), "--max-parallel", "2").out == f"task {array_id}: at most 2 at a time\n"
    )
    wait_until(lambda: counts(client, array_id).get(TaskState.RUNNING) == 2, WAIT_S)
    with gate.open("w") as opened:
        opened.write("go\n" * 4)
        opened.flush()
        assert cli("wait", str(array_id), "--timeout", "30").code == 0
    over = cli("update", str(array_id), "--max-parallel", "3")
    assert over.code == 1
    assert f"task {array_id} is over" in over.err


def test_what_failed_is_run_again_with_its_items(cli: Cli, client: Client, tmp_path: Path) -> None:
    cured, lines = tmp_path / "cured", tmp_path / "lines"
    lines.write_text("good\nbad\ngood\nbad too\n")
    command = f'echo "$GANGER_ARRAY_ITEM"; case $GANGER_ARRAY_ITEM in bad*) test -e {cured};; esac'
    array_id = submitted(cli, "--each-line", str(lines), "--", "sh", "-c", command)
    assert cli("wait", str(array_id)).code == 1
    cured.touch()
    again = cli("retry", str(array_id))
    new_id = int(again.out.split()[1])
    assert again.out == f"array {new_id} is queued: 2 elements of array {array_id} again\n"
    assert cli("wait", str(new_id)).code == 0
    assert output(client, new_id) == {f"{new_id}.1": b"bad\n", f"{new_id}.3": b"bad too\n"}
    assert f"retry of   {array_id}\n" in cli("show", str(new_id)).out
    assert "nothing to retry" in cli("retry", str(new_id)).err
    one = cli("retry", f"{array_id}.3", "-q")
    assert cli("wait", one.out.strip()).code == 0


def test_an_array_goes_on_over_a_restart_of_the_master(
    cluster: Cluster, cli: Cli, client: Client, tmp_path: Path
) -> None:
    gate, waits = a_gate(tmp_path)
    items = ["one", "", "three", "four"]
    command = ["sh", "-c", f'{waits}; printf %s "$GANGER_ARRAY_ITEM"']
    array_id = client.submit_array(command, "3-6", items=items, max_parallel=1)
    wait_until(lambda: counts(client, array_id).get(TaskState.RUNNING) == 1, WAIT_S)
    client.cancel(array_id + 3)
    cluster.daemons["master"].kill()
    cluster.start_master()
    assert cli("show", f"{array_id}.6").out.splitlines()[2].startswith("state      PENDING")
    with gate.open("w") as opened:
        opened.write("go\n" * 3)
        opened.flush()
        (element, array) = client.wait([array_id + 4, array_id], timeout_s=WAIT_S)
    assert (element.state, array.state) == (TaskState.SUCCEEDED, TaskState.CANCELLED)
    assert list(output(client, array_id).values()) == [b"one", b"", b"", b"four"]


def test_the_rest_is_not_run_after_too_many_failures(cli: Cli, client: Client) -> None:
    command = "test $GANGER_ARRAY_INDEX != 0 || exit 9; exec sleep 600"
    array_id = submitted(cli, "--array", "0-999%1", "--max-fails", "0", "--", "sh", "-c", command)
    (array,) = client.wait([array_id], timeout_s=WAIT_S)
    assert array.state is TaskState.FAILED
    assert counts(client, array_id) == {TaskState.FAILED: 1, TaskState.CANCELLED: 999}
    assert "the rest was not run: more than 0 of its elements failed" in cli("wait", str(array_id)).out
    assert client.wait([array_id + 1000])[0].state is TaskState.CANCELLED
    new_id = client.retry(array_id, cancelled=True)
    retried = client.status(new_id).task.array
    assert retried
    assert (str(retried.indices), retried.max_parallel, retried.max_fails) == ("0-999", 1, 0)
    client.cancel(new_id, grace=0)
    assert client.wait([new_id], timeout_s=WAIT_S)[0].is_final
