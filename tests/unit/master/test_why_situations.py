"""This module brings a real master, driven by hand, into situations in which tasks wait, and reads what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganger.why.words import explain
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.cordon import Cordon
from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.errors import Unavailable
from ganger_core.domain.explanation import CauseCode, ChangeKind, Verdict
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from ganger_core.domain.retry import Retry
from ganger_core.domain.task import AttemptRef, Limits, Report, ReportKind
from ganger_master.changes import Request
from ganger_master.fencing import cordoning
from testkit.asked_why import beat, causes, lines, run
from testkit.builders import GIB, a_spec, a_worker, ended
from testkit.one_thread import OneThreadMaster

CODE = CauseCode


class DeadPlanner:
    """A planner that does not answer."""

    def plan(self, snapshot: Snapshot, options: PlanOptions) -> Plan:
        """Nothing."""
        raise Unavailable("planner: connection refused")


@pytest.fixture
def master(tmp_path: Path) -> OneThreadMaster:
    return OneThreadMaster(tmp_path, ManualClock())


def test_no_worker(master: OneThreadMaster) -> None:
    master.submit(a_spec(name="prep", cpus=2))
    master.run_cycle()
    assert causes(master, 1) == [CODE.NO_WORKER]
    assert lines(master, 1) == [
        'task 1 "prep" is PENDING, submitted 0.0s ago.',
        "Needs 2 CPUs.",
        "  - no worker is connected",
        "Nothing comes before it: it is the first, and nothing else waits.",
        "Plan 1, 0.0s ago, without asking the planner: no worker is connected.",
        "Start: unknown (not before a worker is there).",
        "Would start now with: ganger worker start (with 2 CPUs or more)",
    ]


def test_too_large(master: OneThreadMaster) -> None:
    master.register(a_worker("w1"), a_worker("w2", cpus=1))
    master.submit(a_spec(cpus=64, memory=9 * GIB))
    master.run_cycle()
    assert causes(master, 1) == [CODE.INFEASIBLE]
    said = lines(master, 1)
    assert said[2] == "  - asks for more than any worker has: the nearest, w1, is short of 62 CPUs and 1GiB"
    assert said[3].split("  ")[1:] == [
        "w1, w2",
        "2 CPU 8GiB, free 2 CPU 8GiB on w1",
        "too small: at least 62 CPUs and 1GiB short even when",
    ]
    assert said[4].strip() == "idle"
    assert said[-1] == "Would start now with: ganger worker start (with 64 CPUs and 9GiB or more)"


def test_busy_with_holders(master: OneThreadMaster) -> None:
    large, small = a_worker("w1", cpus=4), a_worker("w2")
    master.register(large, small)
    limited = replace(a_spec(cpus=2, name="train"), limits=Limits(run_s=600))
    master.submit(limited, limited, a_spec(cpus=1, name="prep"), a_spec(cpus=1))
    run(master, large, small)
    master.clock.advance(100)
    beat(master, large)
    beat(master, small)
    master.submit(a_spec(cpus=3, name="eval"), a_spec(cpus=2), a_spec(cpus=1, priority=70))
    master.run_cycle()
    assert lines(master, 5) == [
        'task 5 "eval" is PENDING, submitted 0.0s ago.',
        "Needs 3 CPUs on one worker.",
        "  - w1 could run it and has no room now: w1 is short of 3 CPUs",
        "  w1  4 CPU 8GiB, free 0 CPU 8GiB  3 CPUs short",
        '      1 "train" holds 2 CPUs since 22:13:20, over by 22:23:50: run limit',
        '      2 "train" holds 2 CPUs since 22:13:20, over by 22:23:50: run limit',
        "  w2  2 CPU 8GiB, free 0 CPU 8GiB  too small: 1 CPU short even when idle",
        "Before it: 7 (priority 70); it is number 2 of 3 that wait.",
        "Plan 2, 0.0s ago, without asking the planner: waiting for capacity: 1 worker could run it, the",
        "  nearest is short of 3 CPUs; 1 other is too small.",
        "Start: unknown (others come first).",
        "Would start now with: ganger worker start (with 4 CPUs and 2 slots or more)",
    ]
    assert causes(master, 6) == [CODE.NO_ROOM]
    assert lines(master, 6)[8] == (
        'Before it: 7 (priority 70) and 5 "eval" (same priority, older); it is number 3 of 3 that wait.'
    )
    first = master.why(7).waiting  # nothing is before it, so what the limits say is certain
    assert first is not None
    assert first.start.by_ms == master.clock.now().wall_ms - 100_000 + (600 + 30) * 1000


def test_less_would_do_and_a_higher_priority(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=4)
    master.register(worker)
    master.submit(a_spec(cpus=3))
    run(master, worker)
    master.submit(a_spec(cpus=2, name="big"))
    master.run_cycle()
    assert lines(master, 2)[-1] == (
        "Would start now with: submitted again with --cpus 1  |  ganger worker start (with 2 CPUs or more)"
    )
    master.submit(a_spec(cpus=1), a_spec(cpus=1))  # the next plan would place one of them
    assert causes(master, 3) == [CODE.NEXT_PLAN]
    assert causes(master, 4) == [CODE.RANK]
    assert "priority > 50 (ganger update 4 --priority 51)" in " ".join(lines(master, 4)[-2:])


def test_array_limit(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=5)
    master.register(worker)
    array = master.submit_array(a_spec(name="sweep"), Array(Indices.parse("10-19"), 2))
    refs = run(master, worker)
    assert lines(master, array) == [
        'array 1 "sweep" is RUNNING: 0/10 done, 2 running.',
        "Each element needs 1 CPU on one worker; 1.12 is the next.",
        "  - array 1 runs at most 2 at a time, and 2 run now",
        "  w1  5 CPU 8GiB, free 3 CPU 8GiB  has room for it",
        "Nothing comes before it: it is the first of 8 that wait.",
        "Start: unknown (not before running elements of its array are over).",
        "Would start now with: ganger update 1 --max-parallel 3",
    ]
    assert lines(master, 6)[2:] == [
        "  - array 1 runs at most 2 at a time, and 2 run now; 2 of its elements come first",
        "  w1  5 CPU 8GiB, free 3 CPU 8GiB  has room for it",
        'Before it: 2 elements of array 1 "sweep" (same priority, older); it is number 3 of 8 that wait.',
        "Start: unknown (not before running elements of its array are over).",
        "Would start now with: ganger update 1 --max-parallel 5",
    ]
    master.submit(a_spec(cpus=4))
    master.run_cycle()
    holders = master.why(12).waiting
    assert holders is not None
    (group,) = holders.groups
    assert [(holder.label, holder.tasks, holder.held.cpu_milli) for holder in group.holders] == [
        ("1", 2, 2000)
    ]
    assert '2 elements of array 1 "sweep" hold 2 CPUs' in lines(master, 12)[4]
    assert len(refs) == 2


def test_draining_and_late_workers(master: OneThreadMaster) -> None:
    drains, late = a_worker("w1"), a_worker("w2")
    master.register(drains, late)
    beat(master, drains, draining=True)
    master.clock.advance(20)
    beat(master, drains, draining=True)
    master.submit(a_spec(cpus=2))
    master.run_cycle()
    assert causes(master, 1) == [CODE.WORKERS_AWAY]
    assert lines(master, 1)[2:5] == [
        "  - 2 workers could run it, but take no work now",
        "  w2  2 CPU 8GiB, free 2 CPU 8GiB  late: silent for 20s, gets no new work",
        "  w1  2 CPU 8GiB, free 2 CPU 8GiB  draining: its daemon was told to end, and finishes what it has",
    ]
    assert "Would start now with: w1 taking work again" in lines(master, 1)[-1]
    master.clock.advance(20)
    master.cleanup.run_once(master.clock.now())
    beat(master, drains, draining=True)
    assert "  w2  2 CPU 8GiB, free 2 CPU 8GiB  lost: silent for 40s" in lines(master, 1)


def test_out_of_service(master: OneThreadMaster) -> None:
    cordoned, drained = a_worker("w1"), a_worker("w2", cpus=4)
    master.register(cordoned, drained)
    now_ms = master.clock.now().wall_ms
    for worker, cordon in (
        (cordoned, Cordon("ann", "new driver", now_ms)),
        (drained, Cordon("bob", "", now_ms, True)),
    ):
        key = Request("ann", worker.name, "")
        commands = cordoning(master.registry, [worker], key, cordon)
        master.apply(*commands)
    master.submit(a_spec(cpus=2))
    master.run_cycle()
    assert causes(master, 1) == [CODE.WORKERS_AWAY]
    assert lines(master, 1)[3:5] == [
        "  w1  2 CPU 8GiB, free 2 CPU 8GiB  excluded: cordoned by ann: new driver, since 22:13:20",
        "  w2  4 CPU 8GiB, free 4 CPU 8GiB  excluded: drained by bob, since 22:13:20",
    ]
    assert "Would start now with: ganger worker resume w1" in lines(master, 1)[-1]
    assert CODE.NO_ROOM not in causes(master, 1)


def test_resting(master: OneThreadMaster) -> None:
    worker = a_worker("w1")
    master.register(worker)
    master.submit(a_spec())
    master.run_cycle()
    (ref,) = master.deliver(worker)
    master.report(worker, Report(ref, ReportKind.REJECTED, message="disk full: 10 MiB left"))
    master.run_cycle()
    said = lines(master, 1)
    assert said[2:5] == [
        "  - w1 could run it, but takes no work now",
        "  w1  2 CPU 8GiB, free 2 CPU 8GiB  rests for 1.0s, because it refused what it was given: disk full:",
        "    10 MiB left",
    ]
    assert said[-2:] == ["Earlier:", "  attempt 1 on w1 was refused: disk full: 10 MiB left"]


def test_held_and_not_before(master: OneThreadMaster) -> None:
    master.register(a_worker("w1"))
    at_ms = master.clock.now().wall_ms + 60_000
    master.submit(replace(a_spec(), hold=True), replace(a_spec(), not_before_ms=at_ms))
    master.run_cycle()
    assert causes(master, 1) == [CODE.HELD]
    assert lines(master, 1)[2] == "  - held by ann"
    assert lines(master, 1)[-1] == "Would start now with: ganger release 1"
    assert causes(master, 2) == [CODE.NOT_BEFORE]
    assert lines(master, 2)[2] == "  - not to start yet (until 22:14:20)"
    assert not any(line.startswith("Would start") for line in lines(master, 2))


def test_what_it_is_to_run_after(master: OneThreadMaster) -> None:
    master.register(a_worker("w1"))
    first = master.submit(a_spec(name="prep"))
    after = (Dependency(first), Dependency(first, DependencyKind.START))
    second = master.submit(replace(a_spec(), after=after))
    master.run_cycle()
    assert causes(master, second) == [CODE.DEPENDENCY]
    assert lines(master, second)[2:4] == [
        f'  - to run once {first} "prep" (SCHEDULED) has succeeded and {first} "prep" (SCHEDULED) runs',
        "  w1  2 CPU 8GiB, free 1 CPU 8GiB  has room for it",
    ]
    assert "Start: unknown (not before what it is to run after has come)." in lines(master, second)


def test_elements_that_wait_for_those_of_another_array(master: OneThreadMaster) -> None:
    master.register(a_worker("w1"))
    array = Array(Indices.parse("0-1"))
    first = master.submit_array(a_spec(name="prep"), array)
    after = (Dependency(first, DependencyKind.EACH),)
    second = master.submit_array(replace(a_spec(), after=after), array)
    for asked in (second, second + 1):
        assert causes(master, asked) == [CODE.DEPENDENCY]
        said = f'to run once {first}.0 "prep" (PENDING) has succeeded'
        assert any(said in line for line in lines(master, asked))


def test_a_pause_after_a_failure(master: OneThreadMaster) -> None:
    worker = a_worker("w1")
    master.register(worker)
    master.submit(replace(a_spec(), retry=Retry(2, backoff_s=60)))
    (ref,) = run(master, worker)
    master.report(worker, ended(ref, 1))
    waiting = master.why(1).waiting
    assert waiting is not None
    (cause,) = waiting.causes
    assert (cause.code, cause.text) == (CODE.BACKOFF, "failed 1 time and pauses before the next try")
    pause_ms = round(1000 * master.task(1).waits.pause_s)
    assert cause.until_ms == master.clock.now().wall_ms + pause_ms > master.clock.now().wall_ms
    assert "Start: unknown (not before its pause is over)." in lines(master, 1)
    assert waiting.remedies == ()
    master.clock.advance(pause_ms / 1000 + 0.001)
    beat(master, worker)
    assert run(master, worker) == [AttemptRef(1, 2)]


def test_the_planner_is_dead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    master = OneThreadMaster(tmp_path, ManualClock(), DeadPlanner())
    worker = a_worker("w1")
    master.register(worker)
    master.submit(*[a_spec()] * 3)
    run(master, worker)
    assert lines(master, 3)[7:9] == [
        "Plan 1, 0.0s ago by first-fit in 0 ms, because the planner could not: planner: connection refused,",
        "  placed 2 of 3 like it and left it out: waiting for capacity: 1 worker could run it, the nearest is",
    ]
    assert lines(master, 1)[1] == "Placed on w1 by first-fit at 22:13:20, 0.0s after it was submitted."


def test_everything_at_once(master: OneThreadMaster) -> None:
    """Each group of workers has its own reason, and all of them are told."""
    busy, drains, small = a_worker("busy", cpus=4), a_worker("drains", cpus=4), a_worker("small", cpus=1)
    master.register(busy, drains, small)
    beat(master, drains, draining=True)
    master.submit(a_spec(cpus=3))
    run(master, busy)
    master.submit(replace(a_spec(cpus=2), hold=True))
    master.run_cycle()
    assert causes(master, 2) == [CODE.HELD, CODE.NO_ROOM]
    waiting = master.why(2).waiting
    assert waiting is not None
    assert [(group.verdicts, group.names) for group in waiting.groups] == [
        ((Verdict.BUSY,), ("busy",)),
        ((Verdict.DRAINING,), ("drains",)),
        ((Verdict.TOO_LARGE,), ("small",)),
    ]
    kinds = [[change.kind for change in remedy.changes] for remedy in waiting.remedies]
    assert [ChangeKind.RELEASE, ChangeKind.WORKER_BACK] in kinds
    assert [ChangeKind.RELEASE, ChangeKind.NEW_WORKER] in kinds


def test_of_somebody_elses_tasks_is_told_whose_they_are_and_no_more(master: OneThreadMaster) -> None:
    worker = a_worker("w1", cpus=2)
    master.register(worker)
    master.submit(a_spec(cpus=1, name="secret"), a_spec(cpus=1, name="plan"), owner="bob")
    run(master, worker)
    master.submit(a_spec(cpus=2, name="also secret"), owner="bob")
    mine = master.submit(a_spec(cpus=1, name="mine"))
    master.run_cycle()
    found = master.explainer.explain(master.task(mine), [], master.clock.now(), lambda owner: owner == "ann")
    said = explain(found.explanation, str)
    assert not any("secret" in line or "plan" in line.split() for line in said)
    assert sum("a task of bob holds 1 CPU" in line for line in said) == 2
    assert any(line.startswith("Before it: a task of bob (same priority, older)") for line in said)
