"""This module checks the SDK against a real server that refuses, loses answers, cuts streams and goes away."""

from __future__ import annotations

import itertools

import grpc
import pytest

from ganger import (
    Client,
    Invalid,
    Limits,
    NotFound,
    Outcome,
    OutcomeKind,
    TaskFailed,
    TaskSpec,
    TaskState,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
    task_spec,
)
from ganger_core.domain.errors import AlreadyExists, DeadlineExceeded
from ganger_core.domain.states import WorkerState
from testkit.builders import a_worker
from testkit.client_cli import in_background
from testkit.client_master import A_TOKEN, ScriptedMaster, a_worker_view
from testkit.waiting import wait_until

UNAVAILABLE, DEADLINE = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED


def test_what_is_asked_for_arrives_as_asked(master: ScriptedMaster, client: Client) -> None:
    task_id = client.submit(
        ["python", "train.py", "-x"],
        name="train",
        env={"A": "1", "B": ""},
        workdir="/data",
        cpus=1.5,
        memory="2GiB",
        priority=70,
    )
    spec = master.tasks[task_id].spec
    assert (spec.command, spec.name, spec.workdir) == (("python", "train.py", "-x"), "train", "/data")
    assert spec.env == (("A", "1"), ("B", ""))
    assert spec.resources.amounts() == (1500, 2 * 2**30, 1)
    assert spec.priority == 70


def test_what_is_wrong_is_refused_before_it_is_sent(master: ScriptedMaster, client: Client) -> None:
    with pytest.raises(Invalid, match="list of arguments"):
        client.submit("python train.py")
    with pytest.raises(Invalid, match="priority") as refused:
        client.submit(["true"], priority=101)
    assert refused.value.field == "spec.priority"
    with pytest.raises(Invalid, match=r"specs\[1\]"):
        client.submit_many([task_spec(["true"]), TaskSpec(())])
    with pytest.raises(Invalid, match="task_spec") as refused:
        client.submit_many([task_spec(["true"])] * 3 + [["true"]])  # type: ignore[list-item]
    assert refused.value.field == "specs[3]"
    assert master.requests == {}


@pytest.mark.parametrize("code", [UNAVAILABLE, DEADLINE])
def test_a_lost_answer_does_not_submit_twice(
    master: ScriptedMaster, client: Client, code: grpc.StatusCode
) -> None:
    assert list(client.tasks()) == []  # the master has answered once: from now on its absence is waited out
    master.failures.refuse("SubmitTask", code, after_doing_it=True)
    assert client.submit(["true"]) == 1
    assert len(master.tasks) == 1
    asked = master.requests["SubmitTask"]
    assert len(asked) == 2
    assert asked[0].request_id == asked[1].request_id


def test_each_call_is_a_new_request_unless_told_otherwise(master: ScriptedMaster, client: Client) -> None:
    assert [client.submit(["true"]) for _ in range(2)] == [1, 2]
    assert [client.submit(["true"], request_id="mine") for _ in range(2)] == [3, 3]
    with pytest.raises(AlreadyExists):
        client.submit(["false"], request_id="mine")
    assert client.submit_many([task_spec(["true"]), task_spec(["false"])]) == range(4, 6)


def test_more_refusals_than_grpc_repeats_by_itself_are_waited_out(
    master: ScriptedMaster, client: Client
) -> None:
    assert list(client.tasks()) == []
    master.failures.refuse("SubmitTask", UNAVAILABLE, times=9)
    assert client.submit(["true"]) == 1
    assert len({request.request_id for request in master.requests["SubmitTask"]}) == 1


def test_without_a_master_the_first_call_says_so_at_once(master: ScriptedMaster) -> None:
    master.stop()
    with (
        Client(state_dir=master.folder) as client,
        pytest.raises(Unavailable, match=r"no master answers at unix:.*`ganger dev`.*GANGER_ADDR"),
    ):
        client.submit(["true"])
    master.start()


def test_patience_ends(master: ScriptedMaster) -> None:
    with Client(state_dir=master.folder, patience_s=0.3) as client:
        assert list(client.tasks()) == []
        master.stop()
        with pytest.raises(Unavailable, match="no master answers"):
            client.submit(["true"])
        master.start()


def test_a_restart_of_the_master_is_waited_out(master: ScriptedMaster, client: Client) -> None:
    assert client.submit(["true"]) == 1
    master.stop()
    restart = in_background(master.start)
    assert client.submit(["true"]) == 2
    restart.join()


def test_over_tcp_the_token_counts(master: ScriptedMaster) -> None:
    address = f"127.0.0.1:{master.port}"
    token = master.folder / "token"
    token.write_text(A_TOKEN)
    token.chmod(0o600)
    wrong = master.folder / "wrong"
    wrong.write_text("not-the-token-of-the-test")
    wrong.chmod(0o600)
    with Client(address, str(token)) as client:
        assert client.submit(["true"]) == 1
    with Client(address, str(wrong)) as client, pytest.raises(Unauthenticated):
        client.submit(["true"])


def test_the_environment_names_the_master_unless_the_caller_does(
    master: ScriptedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANGER_STATE_DIR", str(master.folder))
    with Client() as client:
        assert client.address == f"unix:{master.folder / 'socket'}"
    monkeypatch.setenv("GANGER_ADDR", "127.0.0.1:1")
    with Client() as client:
        assert client.address == "127.0.0.1:1"
    with Client(state_dir=master.folder) as client:
        assert client.submit(["true"]) == 1


def test_lists_come_page_by_page(master: ScriptedMaster, client: Client) -> None:
    for _ in range(2_300):
        master.submit(task_spec(["true"]))
    master.end(7)
    assert [row.task.id for row in client.tasks()] == list(range(2_300, 0, -1))
    assert len(master.requests["ListTasks"]) == 3
    assert [row.task.id for row in client.tasks(limit=2)] == [2_300, 2_299]
    assert [row.task.id for row in client.tasks([TaskState.SUCCEEDED])] == [7]
    assert [row.task.id for row in client.tasks(task_ids=[3, 9])] == [9, 3]
    assert [row.task.id for row in client.tasks(task_ids=range(1, 1_502))] == list(range(1_501, 0, -1))
    assert max(len(request.task_ids) for request in master.requests["ListTasks"]) == 1_000
    assert [row.task.id for row in client.tasks(task_ids=range(1, 1_502), limit=1_001)][-1] == 501
    assert list(client.tasks([])) == list(client.tasks(task_ids=[])) == []
    assert list(client.tasks(labels={"a": "1"})) == list(client.tasks(name="x")) == []
    for wrong in ({"labels": {"a": ""}}, {"labels": ["a"]}, {"name_prefix": "x\0"}, {"name": "x" * 200}):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            list(client.tasks(**wrong))  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="task_ids is empty"):
        client.events(task_ids=[])
    assert client.wait([]) == []
    master.workers = [a_worker_view(a_worker(f"w{number}")) for number in range(1_200)]
    assert len(list(client.workers())) == 1_200


@pytest.mark.parametrize("overlap", [0, 2])
def test_every_event_comes_once_and_in_order_however_often_the_stream_breaks(
    master: ScriptedMaster, client: Client, overlap: int
) -> None:
    master.overlap = overlap
    for _ in range(6):
        master.submit(task_spec(["true"]))
    for after in (0, 1, 0, 2, 3):
        master.failures.cut_stream("WatchEvents", after)
    feed = client.events()
    assert [event.seq for event in itertools.islice(feed, 6)] == [1, 2, 3, 4, 5, 6]
    master.stop()
    master.start()
    master.submit(task_spec(["true"]))
    assert next(feed).seq == 7
    feed.close()  # type: ignore[attr-defined]
    assert [event.seq for event in itertools.islice(client.events(after_seq=4), 3)] == [5, 6, 7]
    assert [event.task_id for event in itertools.islice(client.events(0, [2, 5]), 2)] == [2, 5]


def test_a_closed_feed_ends_its_call(master: ScriptedMaster, client: Client) -> None:
    master.submit(task_spec(["true"]))
    feed = client.events()
    assert next(feed).seq == 1
    feed.close()  # type: ignore[attr-defined]
    wait_until(lambda: master.watchers == 0, what="the master sees that nobody watches")


def test_waiting_sleeps_until_the_events_come(master: ScriptedMaster, client: Client) -> None:
    ids = [client.submit(["true"]) for _ in range(3)]
    master.end(1)
    master.failures.cut_stream("WatchEvents", 1)  # and is carried on
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]),
        lambda: master.run(2),
        lambda: master.end(2, 3),
        lambda: master.end(3, outcome=Outcome(OutcomeKind.CANCELLED, message="enough")),
    )
    tasks = client.wait([3, 1, 2])
    script.join()
    assert [task.id for task in tasks] == [3, 1, 2]
    assert [task.state for task in tasks] == [TaskState.CANCELLED, TaskState.SUCCEEDED, TaskState.FAILED]
    assert tasks[2].outcome is not None
    assert tasks[2].outcome.exit_code == 3
    assert len(master.requests["ListTasks"]) == 2  # before and after: nothing is asked again and again
    assert list(master.requests["WatchEvents"][0].task_ids) == [2, 3]
    assert ids == [1, 2, 3]


def test_waiting_for_one_task_is_one_call(master: ScriptedMaster, client: Client) -> None:
    task_id = client.submit(["true"])
    script = in_background(
        lambda: wait_until(lambda: master.requests["GetTaskStatus"]),
        lambda: master.run(task_id),
        lambda: master.end(task_id),
    )
    assert [task.state for task in client.wait([task_id])] == [TaskState.SUCCEEDED]
    script.join()
    calls = [len(master.requests[name]) for name in ("GetTaskStatus", "ListTasks", "WatchEvents")]
    assert calls == [1, 0, 0]


def test_waiting_goes_on_over_a_restart_of_the_master(master: ScriptedMaster, client: Client) -> None:
    task_id = client.submit(["true"])
    script = in_background(
        lambda: wait_until(lambda: master.requests["GetTaskStatus"]),
        master.stop,
        master.start,
        lambda: master.end(task_id),
    )
    assert client.wait([task_id], timeout_s=30)[0].state is TaskState.SUCCEEDED
    script.join()


def test_waiting_ends_at_its_time(client: Client) -> None:
    client.submit_many([task_spec(["true"])] * 7)
    with pytest.raises(WaitTimeout, match=r"7 of 7 tasks are not over after 0\.2s: 1, 2, 3, 4, 5 …") as over:
        client.wait(range(1, 8), timeout_s=0.2)
    assert isinstance(over.value, DeadlineExceeded)
    with pytest.raises(WaitTimeout):
        list(client.events(timeout_s=0.2))


def test_waiting_names_what_does_not_exist(client: Client) -> None:
    client.submit(["true"])
    with pytest.raises(NotFound, match="no task 2, 9") as refused:
        client.wait([1, 2, 9])
    assert refused.value.field == "task_ids"
    with pytest.raises(NotFound, match="no task 9"):
        client.wait([9])


def test_a_checked_wait_raises_what_failed(master: ScriptedMaster, client: Client) -> None:
    client.submit_many([task_spec(["true"])] * 2)
    master.end(1)
    assert client.wait([1], check=True)[0].id == 1
    master.end(2, 7)
    with pytest.raises(TaskFailed, match="task 2 failed with exit code 7") as failed:
        client.wait([1, 2], check=True)
    assert failed.value.exit_code == 7
    assert failed.value.task.id == 2


def test_fencing_is_carried_out_once_although_its_answer_is_lost(
    master: ScriptedMaster, client: Client
) -> None:
    master.workers = [a_worker_view(a_worker(), state=WorkerState.LOST)]
    for task_id in (client.submit(["true"]), client.submit(["true"])):
        master.run(task_id)
    master.failures.refuse("FenceWorker", UNAVAILABLE, after_doing_it=True)
    assert client.fence("w1") == 2
    assert len(master.requests["FenceWorker"]) == 2
    assert client.fence("id-w1") == 0
    with pytest.raises(NotFound):
        client.fence("w2")


def test_cancel_takes_a_signal_and_a_grace(master: ScriptedMaster, client: Client) -> None:
    client.submit(["true"], time=9, grace="1m")
    assert master.tasks[1].spec.limits == Limits(run_s=9.0, grace_s=60.0)
    client.cancel(1, signal="USR1", grace=2.5)
    (asked,) = master.requests["CancelTask"]
    assert (asked.signal, asked.grace_s) == (10, 2.5)
    with pytest.raises(Invalid, match="signal"):
        client.cancel(1, signal=0)


def test_cancelling_twice_is_no_error(master: ScriptedMaster, client: Client) -> None:
    client.submit(["true"])
    master.failures.refuse("CancelTask", UNAVAILABLE, after_doing_it=True)
    assert client.cancel(1, "enough") is TaskState.CANCELLED
    assert client.cancel(1) is TaskState.CANCELLED
    assert master.tasks[1].reason == "enough"
    with pytest.raises(NotFound, match="no task 5"):
        client.cancel(5)
