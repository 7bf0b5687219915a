"""This module checks what a master forgets, and what it never does, in one thread on a manual clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganger_core.domain.clock import Instant, ManualClock
from ganger_core.domain.errors import NotFound
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, LogStream
from ganger_master.changes import Cancel, Forget, Request
from ganger_master.logfiles import log_path
from ganger_master.remembering import Keep, cutoffs
from ganger_master.retention import BATCH, Retention
from ganger_master.store.aged import AgedRows
from ganger_master.store.database import open_reader
from testkit.builders import a_spec, a_worker, ended, started
from testkit.one_thread import OneThreadMaster

DAY = 86_400.0
KEEP = Keep(ended_s=14 * DAY, failed_s=30 * DAY, events_s=20 * DAY, requests_s=DAY)


class Kept:
    """A master with its retention; `rows` tells what is in the store."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.logs = folder / "logs"
        self.master = OneThreadMaster(folder, clock)
        self.aged = AgedRows(self.master.path)
        self.retention = Retention(self.master.engine, self.aged, self.logs, KEEP)

    def prune(self) -> int:
        """Forget until nothing is left to do; returns the number of turns."""
        for turn in range(1, 50):
            more = self.retention.run_once(self.clock.now())
            self.master.commit()
            if not more:
                return turn
        raise AssertionError("there is always more")

    def advance(self, days: float) -> None:
        self.clock.advance(days * DAY)

    def rows(self, table: str, column: str) -> list[int]:
        db = open_reader(self.master.path)
        found = [value for (value,) in db.execute(f"SELECT {column} FROM {table} ORDER BY 1")]  # noqa: S608
        db.close()
        return found

    def run(self, *codes: int) -> list[int]:
        """Run one task for each exit code to its end, with a log file; returns their ids."""
        worker = a_worker(cpus=len(codes))
        self.master.register(worker)
        first = self.master.submit(*(a_spec() for _ in codes))
        self.master.run_cycle()
        for ref, code in zip(self.master.deliver(worker), codes, strict=True):
            path = log_path(self.logs, ref, LogStream.STDOUT)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("hello")
            os.utime(path, (self.clock.now().wall_ms / 1000,) * 2)
            self.master.report(worker, started(ref), ended(ref, code))
        return list(range(first, first + len(codes)))

    def log_files(self) -> list[str]:
        return sorted(path.name for path in self.logs.rglob("*.out"))

    def close(self) -> None:
        self.aged.close()
        self.master.kill()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path, ManualClock())


def test_when_what_is_forgotten() -> None:
    found = cutoffs(100 * 86_400_000, KEEP)
    days = {state.value: moment / 86_400_000 for state, moment in found.tasks_ms.items()}
    failed = dict.fromkeys(("FAILED", "TIMED_OUT", "EXPIRED", "SKIPPED"), 70)
    assert days == {"SUCCEEDED": 86, "CANCELLED": 86, **failed}
    assert (found.events_ms, found.requests_ms) == (80 * 86_400_000, 99 * 86_400_000)


def test_ended_tasks_go_with_attempts_logs_and_requests_and_failures_stay_longer(kept: Kept) -> None:
    good, bad = kept.run(0, 3)
    waiting = kept.master.submit(a_spec(cpus=64))
    kept.prune()
    assert kept.rows("tasks", "id") == [good, bad, waiting]
    kept.advance(13.9)
    kept.prune()
    assert kept.rows("attempts", "task_id") == [good, bad]
    assert kept.log_files() == ["1.1.out", "2.1.out"]

    kept.advance(0.2)
    kept.prune()
    assert kept.rows("tasks", "id") == [bad, waiting]
    assert kept.rows("attempts", "task_id") == [bad]
    assert kept.log_files() == ["2.1.out"]
    assert good not in kept.master.state.tasks
    assert kept.master.engine.see(good) is None
    assert kept.rows("requests", "first_task_id") == [1, waiting]  # the first is also that of the failed one

    kept.advance(16)
    kept.prune()
    assert kept.rows("tasks", "id") == [waiting]
    assert kept.rows("requests", "first_task_id") == [waiting]  # older than a day, but its task lives
    assert kept.log_files() == []
    assert kept.rows("events", "seq") == []  # all are 30 days old
    assert kept.master.state.tasks[waiting].state is TaskState.PENDING
    kept.close()


def test_counters_never_go_back_even_when_everything_is_forgotten(tmp_path: Path) -> None:
    clock = ManualClock()
    kept = Kept(tmp_path, clock)
    kept.run(0, 0)
    last = kept.master.events[-1].seq
    kept.advance(40)
    kept.prune()
    for table in ("tasks", "attempts", "events", "requests"):
        assert kept.rows(table, "1") == [], table
    kept.close()
    again = Kept(tmp_path, clock)
    assert again.master.submit(a_spec()) == 3
    assert [event.seq for event in again.master.events] == [last + 1]
    again.close()


def test_many_go_in_batches_and_in_any_number_of_transactions(kept: Kept) -> None:
    first = kept.master.submit(*(a_spec() for _ in range(2 * BATCH + 1)))
    for task_id in range(first, first + 2 * BATCH + 1):
        key = Request("ann", f"c{task_id}", "")
        kept.master.engine.apply([Cancel(key, task_id, "")], kept.clock.now())
    kept.master.commit()
    kept.advance(15)
    assert kept.retention.run_once(kept.clock.now())
    kept.master.commit()
    assert len(kept.rows("tasks", "id")) == BATCH + 1
    assert kept.prune() >= 2
    assert kept.rows("tasks", "id") == []
    assert kept.rows("requests", "1") == []
    kept.advance(6)
    kept.prune()
    assert kept.rows("events", "seq") == []
    kept.close()


def test_what_was_not_committed_is_not_forgotten_and_log_files_follow_the_commit(tmp_path: Path) -> None:
    clock = ManualClock()
    kept = Kept(tmp_path, clock)
    kept.run(0)
    kept.advance(15)
    assert kept.retention.run_once(clock.now())
    assert kept.retention.run_once(clock.now())  # still not committed
    assert kept.log_files() == ["1.1.out"]
    kept.close()  # killed before the commit

    again = Kept(tmp_path, clock)
    assert again.rows("tasks", "id") == [1]
    again.retention.run_once(clock.now())
    again.master.commit()
    again.close()  # killed between the commit and the removal
    assert again.log_files() == ["1.1.out"]

    last = Kept(tmp_path, clock)
    assert last.rows("tasks", "id") == []
    last.prune()  # a start looks through all folders
    assert last.log_files() == []
    last.close()


def test_logs_without_a_task_stay_while_they_are_young(kept: Kept) -> None:
    """A restored backup does not know tasks whose logs lie there: they are not removed at once."""
    path = log_path(kept.logs, AttemptRef(7, 1), LogStream.STDERR)
    path.parent.mkdir(parents=True)
    path.write_text("of a task that the backup does not know")
    os.utime(path, (kept.clock.now().wall_ms / 1000,) * 2)
    Retention(kept.master.engine, kept.aged, kept.logs, KEEP).run_once(kept.clock.now())
    assert path.exists()
    kept.advance(14.1)
    Retention(kept.master.engine, kept.aged, kept.logs, KEEP).run_once(kept.clock.now())
    assert not path.exists()
    kept.close()


def test_nothing_that_lives_is_forgotten_whoever_asks(kept: Kept) -> None:
    task_id = kept.master.submit(a_spec())
    kept.master.apply(Forget(task_ids=(task_id,)))
    assert kept.rows("tasks", "id") == [task_id]
    assert kept.master.state.tasks[task_id].state is TaskState.PENDING
    kept.close()


def test_a_jump_of_the_wall_clock_is_not_believed_for_a_day(kept: Kept) -> None:
    kept.run(0)
    kept.retention.run_once(kept.clock.now())
    now = kept.clock.now()
    year = 365 * 86_400_000
    kept.retention.run_once(Instant(now.wall_ms + year, now.steady_s + 600))
    kept.retention.run_once(Instant(now.wall_ms + year + 600_000, now.steady_s + 1200))
    kept.master.commit()
    assert kept.rows("tasks", "id") == [1]
    kept.retention.run_once(Instant(now.wall_ms + year + 90_000_000, now.steady_s + 90_600))
    kept.master.commit()
    assert kept.rows("tasks", "id") == []
    kept.close()


def test_a_forgotten_request_may_be_made_anew_and_its_task_is_unknown(kept: Kept) -> None:
    assert kept.master.submit(a_spec(), request_id="r") == 1
    kept.master.cancel(1)
    kept.advance(15)
    kept.prune()
    assert kept.master.submit(a_spec("false"), request_id="r") == 2
    with pytest.raises(NotFound):
        kept.master.cancel(1)
    kept.close()
