"""This module asks a master that is driven by hand why tasks stand as they do."""

from __future__ import annotations

import time

from ganger.layout import cell_width
from ganger.why.words import explain
from ganger_core.domain.explanation import CauseCode
from ganger_core.domain.task import AttemptRef, WorkerProfile, WorkerUsage
from testkit.builders import started
from testkit.one_thread import OneThreadMaster


def lines(master: OneThreadMaster, task_id: int) -> list[str]:
    """What is said of the task; no line is too wide."""

    def clock(at_ms: int) -> str:
        return time.strftime("%H:%M:%S", time.gmtime(at_ms / 1000))

    found = explain(master.why(task_id), clock)
    assert all(cell_width(line) <= 100 for line in found), found
    return found


def run(master: OneThreadMaster, *workers: WorkerProfile) -> list[AttemptRef]:
    """Place what can be placed, and start it."""
    master.run_cycle()
    refs = []
    for worker in workers:
        mine = master.deliver(worker)
        master.report(worker, *[started(ref) for ref in mine])
        refs += mine
    return refs


def beat(master: OneThreadMaster, worker: WorkerProfile, *, draining: bool = False) -> None:
    """The worker is heard of."""
    master.registry.heartbeat(worker.id, WorkerUsage(), [], master.clock.now().steady_s, draining=draining)


def causes(master: OneThreadMaster, task_id: int) -> list[CauseCode]:
    """What keeps the task waiting."""
    waiting = master.why(task_id).waiting
    assert waiting is not None
    return [cause.code for cause in waiting.causes]
