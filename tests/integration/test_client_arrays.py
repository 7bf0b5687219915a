"""This module checks the SDK's arrays against a real server: what is sent, resumed, waited for and retried."""

from __future__ import annotations

import json
import threading
from typing import Any

import grpc
import pytest

from ganger import (
    Client,
    Conflict,
    Indices,
    Invalid,
    NotFound,
    Outcome,
    OutcomeKind,
    TaskFailed,
    TaskState,
    WaitTimeout,
)
from ganger.arrays import PART_BYTES
from ganger.wording import describe_counts
from testkit.client_master import ScriptedMaster
from testkit.waiting import wait_until

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
TIMED_OUT, EXPIRED = Outcome(OutcomeKind.TIMED_OUT), Outcome(OutcomeKind.EXPIRED)


def items_of(master: ScriptedMaster, array_id: int) -> list[str]:
    """What the elements got, in the order of their indices."""
    elements = [task for _, task in sorted(master.tasks.items()) if task.array_id == array_id]
    return [dict(element.spec.env)["GANGER_ARRAY_ITEM"] for element in elements]


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ("0-9:3,20", "0-9:3,20"),
        (4, "0-3"),
        ([7, 1, 2], "1-2,7"),
        (range(0, 6, 2), "0-4:2"),
        (Indices.first(2), "0-1"),
    ],
)
def test_indices_are_said_in_many_ways(
    master: ScriptedMaster, client: Client, indices: Any, text: str
) -> None:
    array_id = client.submit_array(["work"], indices, max_parallel=8, max_fails=0, name="x", cpus=2)
    array = master.tasks[array_id].array
    assert array
    assert (str(array.indices), array.max_parallel, array.max_fails, array.items) == (text, 8, 0, "")
    assert master.tasks[array_id].spec.resources.cpu_milli == 2000
    assert [task.label for task in master.tasks.values()][1:] == [f"1.{index}" for index in array.indices]


def test_each_item_is_an_element_and_what_is_no_text_is_json(master: ScriptedMaster, client: Client) -> None:
    array_id = client.submit_array(["work"], items=["a b", "", 3, {"lr": 0.1, "ü": [None]}])
    assert items_of(master, array_id) == ["a b", "", "3", '{"lr": 0.1, "ü": [null]}']
    assert json.loads(items_of(master, array_id)[3]) == {"lr": 0.1, "ü": [None]}
    again = client.submit_array(["work"], "5,7", items=(text for text in ("x", "y")))
    assert items_of(master, again) == ["x", "y"]
    one = client.submit_array(["work"], items=[""])
    assert items_of(master, one) == [""]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "indices"),
        ({"indices": 0}, "indices"),
        ({"indices": True}, "indices"),
        ({"indices": 1_000_001}, "indices"),
        ({"indices": range(1_000_001)}, "indices"),
        ({"indices": "5-1"}, "indices"),
        ({"indices": []}, "array.indices"),
        ({"indices": [1, 1]}, "indices"),
        ({"indices": [1, -1]}, "indices[1]"),
        ({"indices": ["1"]}, "indices[0]"),
        ({"indices": 3, "items": ["a", "b"]}, "indices"),
        ({"items": []}, "items"),
        ({"items": "abc"}, "items"),
        ({"items": ["a\0"]}, "items"),
        ({"items": [{1, 2}]}, "items"),
        ({"indices": 3, "max_parallel": -1}, "array.max_parallel"),
        ({"indices": 3, "max_fails": -1}, "array.max_fails"),
        ({"indices": 3, "priority": 101}, "spec.priority"),
        ({"indices": 3, "env": {"GANGER_ARRAY_INDEX": "1"}}, "spec.env"),
    ],
)
def test_what_is_wrong_is_refused_before_it_is_sent(
    master: ScriptedMaster, client: Client, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        client.submit_array(["work"], **given)
    assert refused.value.field == field
    assert master.requests == {}


def offsets(master: ScriptedMaster) -> list[int]:
    return [request.offset for request in master.requests["PutItems"]]


def test_items_go_in_parts_and_are_not_sent_again(master: ScriptedMaster, client: Client) -> None:
    items = [str(number) * 20_000 for number in range(100, 140)]  # 2.3 MiB
    assert list(client.tasks()) == []  # the master has answered once: from now on its absence is waited out
    master.failures.refuse("PutItems", UNAVAILABLE, after_doing_it=True)
    array_id = client.submit_array(["work"], items=items)
    assert items_of(master, array_id) == items
    assert offsets(master) == [0, 0, PART_BYTES, 2 * PART_BYTES]
    assert max(len(request.data) for request in master.requests["PutItems"]) == PART_BYTES
    client.submit_array(["other"], items=items)
    assert offsets(master)[4:] == [0]


def test_what_a_master_holds_of_the_items_is_gone_on_from(master: ScriptedMaster, client: Client) -> None:
    items = ["x" * 50_000] * 50
    client.submit_array(["work"], items=items)
    (digest,) = {request.digest for request in master.requests["PutItems"]}
    del master.arrays.items[digest][PART_BYTES + 7 :]
    master.requests.clear()
    array_id = client.submit_array(["work"], items=items)
    assert offsets(master) == [0, PART_BYTES + 7, 2 * PART_BYTES + 7]
    assert items_of(master, array_id) == items


def test_items_that_the_master_dropped_are_put_again_for_the_same_request(
    master: ScriptedMaster, client: Client
) -> None:
    master.arrays.forgets = 2
    array_id = client.submit_array(["work"], items=["a", "b"])
    assert items_of(master, array_id) == ["a", "b"]
    assert offsets(master) == [0, 0, 0]
    asked = master.requests["SubmitArray"]
    assert len(asked) == 3
    assert len({request.request_id for request in asked}) == 1
    master.arrays.forgets = 9
    with pytest.raises(Conflict, match="put them again"):
        client.submit_array(["work"], items=["a", "b"])
    assert master.arrays.forgets == 6


def test_a_lost_answer_does_not_submit_twice(master: ScriptedMaster, client: Client) -> None:
    assert list(client.tasks()) == []
    master.failures.refuse("SubmitArray", UNAVAILABLE, after_doing_it=True)
    assert client.submit_array(["work"], 2) == 1
    assert len(master.tasks) == 3
    assert [client.submit_array(["work"], items=["a"], request_id="mine") for _ in range(2)] == [4, 4]


def test_a_list_has_arrays_and_elements_only_where_they_are_asked_for(
    master: ScriptedMaster, client: Client
) -> None:
    assert client.submit_array(["work"], "10,20,30") == 1
    assert client.submit(["true"]) == 5
    master.end(3, 1)
    assert [row.task.id for row in client.tasks()] == [5, 1]
    assert [row.task.label for row in client.tasks(array=1)] == ["1.30", "1.20", "1.10"]
    assert [row.task.label for row in client.tasks([TaskState.FAILED], array=1)] == ["1.20"]
    assert [row.task.label for row in client.tasks(array=1, limit=2)] == ["1.30", "1.20"]
    assert [row.task.label for row in client.tasks(task_ids=[1, 4])] == ["1.30", "1"]
    assert list(client.tasks(array=5)) == []
    with pytest.raises(Invalid, match="not both"):
        list(client.tasks(task_ids=[4], array=1))
    (array,) = [row.task.array for row in client.tasks() if row.task.array]
    assert describe_counts(array) == "1/3 done, 1 failed"


def test_an_array_writes_nothing_itself(master: ScriptedMaster, client: Client) -> None:
    client.submit_array(["work"], "10,20")
    for follow in (False, True):
        with pytest.raises(Invalid, match=r"1 is an array.*such as 1\.10"):
            list(client.logs(1, follow))
    master.run(2)
    master.write(2, b"out")
    assert [chunk.data for chunk in client.logs(2)] == [b"out"]


def test_following_an_element_that_never_begins_ends_with_its_array(
    master: ScriptedMaster, client: Client
) -> None:
    client.submit_array(["work"], 2)
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]), lambda: master.arrays.close(1)
    )
    assert list(client.logs(3, follow=True)) == []
    script.join()


def in_background(*actions: Any) -> threading.Thread:
    thread = threading.Thread(target=lambda: [action() for action in actions], name="script")
    thread.start()
    return thread


def test_waiting_for_elements_ends_with_the_rest_of_their_array(
    master: ScriptedMaster, client: Client
) -> None:
    """Those that never began have no event of their own."""
    client.submit_array(["work"], 4)
    master.run(2)
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]),
        lambda: master.end(2, 3),
        lambda: master.arrays.close(1),
    )
    tasks = client.wait([5, 2, 4], timeout_s=30)
    script.join()
    assert [(task.label, task.state) for task in tasks] == [
        ("1.3", TaskState.CANCELLED),
        ("1.0", TaskState.FAILED),
        ("1.2", TaskState.CANCELLED),
    ]
    assert list(master.requests["WatchEvents"][0].task_ids) == [1, 2, 4, 5]


def test_waiting_for_an_array_and_an_element_of_it(master: ScriptedMaster, client: Client) -> None:
    client.submit_array(["work"], 2)
    script = in_background(
        lambda: wait_until(lambda: master.requests["WatchEvents"]),
        lambda: master.end(2),
        lambda: master.arrays.close(1),
    )
    assert [task.state for task in client.wait([1, 3], timeout_s=30)] == [TaskState.CANCELLED] * 2
    script.join()
    with pytest.raises(TaskFailed, match="array 1 was cancelled by tester"):
        client.wait([1], check=True)


def test_what_is_not_over_in_time_is_called_by_its_label(client: Client) -> None:
    client.submit_array(["work"], "7,8")
    with pytest.raises(WaitTimeout, match=r"2 of 2 tasks are not over after 0\.1s: 1, 1\.8$"):
        client.wait([1, 3], timeout_s=0.1)


def test_a_new_limit(master: ScriptedMaster, client: Client) -> None:
    client.submit_array(["work"], 2)
    assert client.update(1, max_parallel=1) is True
    master.arrays.out_of_reach = True
    assert client.update(1, max_parallel=0) is False
    array = master.tasks[1].array
    assert array
    assert array.max_parallel == 0
    with pytest.raises(Conflict):
        client.update(2, max_parallel=1)
    with pytest.raises(NotFound):
        client.update(9, max_parallel=1)
    with pytest.raises(Invalid, match="max_parallel"):
        client.update(1, max_parallel=-1)


def an_ended_array(master: ScriptedMaster, client: Client) -> int:
    """Six elements: one of each end, one of them cancelled before it began."""
    array_id = client.submit_array(
        ["work"], "10-15", items=list("abcdef"), max_parallel=2, max_fails=9, env={"A": "1"}, name="six"
    )
    master.end(array_id + 1)
    master.end(array_id + 2, 3)
    master.end(array_id + 3, outcome=TIMED_OUT)
    master.end(array_id + 4, outcome=EXPIRED)
    master.end(array_id + 5)
    master.arrays.close(array_id)
    return array_id


def test_what_failed_is_handed_in_again_with_its_indices_and_items(
    master: ScriptedMaster, client: Client
) -> None:
    array_id = an_ended_array(master, client)
    new_id = client.retry(array_id)
    task, array = master.tasks[new_id], master.tasks[new_id].array
    assert array
    assert task.spec == master.tasks[array_id].spec
    assert (str(array.indices), array.max_parallel, array.max_fails, array.retry_of) == (
        "11-13",
        2,
        9,
        array_id,
    )
    assert items_of(master, new_id) == ["b", "c", "d"]
    with_cancelled = client.retry(array_id, cancelled=True)
    assert items_of(master, with_cancelled) == ["b", "c", "d", "f"]
    assert [client.retry(array_id, request_id="mine") for _ in range(2)] == [with_cancelled + 5] * 2


def test_some_elements_are_handed_in_again(master: ScriptedMaster, client: Client) -> None:
    array_id = an_ended_array(master, client)
    assert items_of(master, client.retry(array_id + 3)) == ["c"]
    assert items_of(master, client.retry(array_id, indices="10,12-13")) == ["c", "d"]
    assert items_of(master, client.retry(array_id, indices=[15], cancelled=True)) == ["f"]
    for task_id, indices, said in (
        (array_id, "10,14", r"of task 1\.10, task 1\.14 nothing failed"),
        (array_id, "15", r"1\.15 nothing failed, timed out or expired; what was cancelled .*--cancelled"),
        (array_id + 1, None, r"nothing to retry: of task 1\.10 nothing"),
    ):
        with pytest.raises(Conflict, match=said):
            client.retry(task_id, indices=indices)
    with pytest.raises(NotFound, match="array 1 has no index 9; its indices are 10-15"):
        client.retry(array_id, indices="9")


def test_only_what_is_over_is_retried(master: ScriptedMaster, client: Client) -> None:
    array_id = client.submit_array(["work"], 3)
    master.end(array_id + 1, 3)
    with pytest.raises(Conflict, match=r"array 1 goes on: .* such as 1\.0"):
        client.retry(array_id)
    with pytest.raises(Conflict, match=r"task 1\.1 goes on: it is PENDING"):
        client.retry(array_id, indices="0-1")
    assert client.retry(array_id + 1) == array_id + 4
    array = master.tasks[array_id + 4].array
    assert array
    assert (str(array.indices), array.items) == ("0", "")
    master.end(array_id + 2)
    master.end(array_id + 3)
    with master.changed:
        master.change(array_id, state=TaskState.SUCCEEDED)
    master.tasks[array_id + 1] = master.tasks[array_id + 2]
    with pytest.raises(Conflict, match="nothing to retry: of array 1 nothing failed"):
        client.retry(array_id)


def test_a_plain_task_is_simply_submitted_again(master: ScriptedMaster, client: Client) -> None:
    client.submit(["work"], name="x", time=9)
    with pytest.raises(Conflict, match="task 1 goes on"):
        client.retry(1)
    master.end(1, 3)
    assert client.retry(1) == 2
    assert master.tasks[2].spec == master.tasks[1].spec
    with pytest.raises(Invalid, match="no array"):
        client.retry(1, indices="0")
    client.cancel(2)
    with pytest.raises(Conflict, match="nothing to retry: of task 2 nothing failed"):
        client.retry(2)
    assert client.retry(2, cancelled=True) == 3
