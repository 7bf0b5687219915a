"""This module checks backup and restore: copies are whole, and no number is given out twice afterwards."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ganger_core import state_dir
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Conflict, NotFound, StaleAttempt
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import AttemptRef, Limits, OnWorkerLost, StartOrder
from ganger_master import restored
from ganger_master.backup import back_up
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_master.epochs import SKIP
from ganger_master.restore import RECORD, restore
from ganger_master.store.database import open_reader, open_writer
from testkit.builders import a_spec, a_worker, ended, lost, started
from testkit.one_thread import LEASE_S, OneThreadMaster


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return state_dir.prepare(tmp_path / "state")


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    db = open_reader(path)
    found = db.execute(query).fetchall()
    db.close()
    return found


def test_a_backup_of_a_busy_database_is_one_moment_of_it(tmp_path: Path) -> None:
    """A thread commits pairs of rows all the time; every copy has whole pairs, and more than the one before."""
    path = tmp_path / "ganger.db"
    db = open_writer(path)
    stop = threading.Event()
    wrote = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            db.execute("BEGIN IMMEDIATE")
            for owner in ("ann", "bob"):
                db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?, '', 0, 0, 0)", (owner, str(number), "d" * 500)
                )
            db.execute("COMMIT")
            wrote.set()

    thread = threading.Thread(target=write, name="writer")
    thread.start()
    counts = []
    try:
        for number in range(5):
            wrote.clear()
            assert wrote.wait(20)
            target = tmp_path / f"copy{number}.db"
            assert back_up(path, target) == target.stat().st_size
            pairs = read(target, "SELECT owner, count(*) FROM requests GROUP BY owner ORDER BY owner")
            assert pairs[0][1] == pairs[1][1]
            counts.append(pairs[0][1])
    finally:
        stop.set()
        thread.join()
        db.close()
    assert counts == sorted(set(counts))
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    assert not list(tmp_path.glob("copy*-wal"))
    assert target.stat().st_mode & 0o077 == 0


def test_a_backup_replaces_nothing_unasked_and_leaves_nothing_behind_when_it_fails(
    tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(NotFound, match="--state-dir"):
        back_up(tmp_path / "ganger.db", tmp_path / "copy.db")
    master = OneThreadMaster(tmp_path, clock)
    master.submit(a_spec())
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(Conflict, match="--force"):
        back_up(master.path, target)
    assert target.read_text() == "precious"
    back_up(master.path, target, force=True)
    assert read(target, "SELECT count(*) FROM tasks") == [(1,)]
    with pytest.raises(Conflict, match="is a folder"):
        back_up(master.path, tmp_path)
    with pytest.raises(Conflict, match="No such file or directory"):
        back_up(master.path, tmp_path / "nowhere" / "copy.db")
    master.kill()
    db = sqlite3.connect(master.path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tasks'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with master.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * 200)
    with pytest.raises(Conflict, match="damaged"):
        back_up(master.path, tmp_path / "bad.db")
    assert not [name for name in os.listdir(tmp_path) if "bad.db" in name]


def test_after_a_restore_no_task_attempt_or_event_number_of_the_lost_time_comes_again(
    folder: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=1)
    master.register(worker)
    waits = master.submit(a_spec())
    backup = folder / "backup.db"
    back_up(master.path, backup)
    # The time that the backup does not know: the task is tried, lost, tried again; another comes.
    for token in (1, 2):
        master.run_cycle()
        master.deliver(worker)
        master.report(worker, started(AttemptRef(waits, token)))
        if token == 1:
            master.report(worker, lost(AttemptRef(waits, 1)))
    later = master.submit(a_spec())
    last_seq = master.events[-1].seq
    master.kill()

    done = restore(backup, folder, force=True)
    assert done.epoch == 2
    assert done.next_task_id == later + 1 + SKIP
    assert done.aside is not None
    assert read(done.aside, "SELECT count(*) FROM tasks") == [(2,)]

    again = OneThreadMaster(folder, clock)
    again.register(worker)
    assert again.submit(a_spec()) == later + 1 + SKIP
    assert again.events[0].seq > last_seq + SKIP - 1
    for ref in (AttemptRef(waits, 2), AttemptRef(later, 1)):
        with pytest.raises(StaleAttempt):
            again.report(worker, ended(ref))
    assert again.engine.desired(worker.id)[1] == ()  # a sync ends what the worker holds of the lost time

    assert again.run_cycle().assigned == 0
    assert again.queue.reason(waits) == restored.REASON
    clock.advance(LEASE_S + LEASE_MARGIN_S - 1)
    again.registry.register(worker, clock.now().steady_s)
    again.queue.unpark_all()
    assert again.run_cycle().assigned == 0
    clock.advance(1)
    again.queue.unpark_all()
    assert again.run_cycle().assigned == 1
    assert again.deliver(worker) == [AttemptRef(waits, SKIP + 1)]
    assert again.state.tasks[waits].token == SKIP + 1
    again.kill()
    assert read(again.path, "SELECT value FROM counters WHERE name = 'restored'") == [(0,)]
    OneThreadMaster(folder, clock).kill()  # settled: the next start holds nothing back


def test_what_still_runs_goes_on_and_what_may_not_have_been_told_is_not_told_again(
    folder: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=3)
    master.register(worker)
    runs, assigned, stops = (master.submit(a_spec()) for _ in range(3))
    master.run_cycle()
    master.report(worker, started(AttemptRef(runs, 1)), started(AttemptRef(stops, 1)))
    master.cancel(stops)
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    restore(backup, folder, force=True)

    again = OneThreadMaster(folder, clock)
    again.commit()
    assert again.state.tasks[runs].state is TaskState.RUNNING
    assert again.state.tasks[assigned].state is TaskState.PENDING
    assert again.state.attempts[assigned].state is AttemptState.LOST
    assert again.state.tasks[stops].state is TaskState.STOPPING
    again.register(worker)
    again.report(worker, ended(AttemptRef(runs, 1)), lost(AttemptRef(stops, 1)))
    assert again.state.tasks[runs].state is TaskState.SUCCEEDED
    assert again.state.tasks[stops].state is TaskState.CANCELLED  # acknowledged, and kept
    assert [event.task_id for event in again.events] == [assigned, runs, stops]
    again.kill()


def test_the_hold_outlasts_the_longest_lease_that_any_task_may_have(folder: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=1)
    master.register(worker)
    own = replace(a_spec(), limits=Limits(lost_after_s=1_000.0))
    first = master.submit(own, a_spec())  # it may have been started since the backup
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    restore(backup, folder, force=True)
    again = OneThreadMaster(folder, clock)
    for passed_s, assigned in ((1_000 + LEASE_MARGIN_S - 1, 0), (1, 1)):
        clock.advance(passed_s)
        again.register(worker)
        assert again.run_cycle().assigned == assigned
    assert again.state.tasks[first].state is TaskState.SCHEDULED
    again.kill()


def test_an_attempt_without_a_lease_is_asked_for_and_neither_given_up_nor_started_again(
    folder: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=3)
    master.register(worker)
    waits = replace(a_spec(), on_worker_lost=OnWorkerLost.WAIT)
    runs, assigned, other = (master.submit(waits) for _ in range(3))
    master.run_cycle()
    master.report(worker, started(AttemptRef(runs, 1)))
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    restore(backup, folder, force=True)

    again = OneThreadMaster(folder, clock)
    again.commit()
    clock.advance(100 * LEASE_S)
    again.cleanup.run_once(clock.now())
    assert again.state.tasks[runs].state is TaskState.RUNNING
    assert again.engine.waits_for(assigned) == worker.name
    orders = {order.ref.task_id: order for order in again.engine.desired(worker.id)[1]}
    assert isinstance(orders[assigned], StartOrder)
    assert (
        orders[assigned].state is AttemptState.STARTING
    )  # so its worker starts nothing that it does not hold
    again.register(worker)
    again.report(worker, lost(AttemptRef(assigned, 1)), started(AttemptRef(other, 1)))
    assert again.state.tasks[assigned].state is TaskState.PENDING
    assert again.state.tasks[other].state is TaskState.RUNNING
    again.kill()


def test_what_is_known_to_run_no_more_is_no_crash(folder: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=2)
    master.register(worker)
    task_id = master.submit(replace(a_spec(), on_worker_lost=OnWorkerLost.WAIT))
    master.run_cycle()
    master.report(worker, started(AttemptRef(task_id, 1)))
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    restore(backup, folder, force=True, nothing_runs=True)
    again = OneThreadMaster(folder, clock)
    again.commit()
    assert (again.state.tasks[task_id].state, again.state.tasks[task_id].crashes) == (TaskState.PENDING, 0)
    again.kill()


def test_when_nothing_runs_any_more_tasks_are_assigned_at_once(folder: Path, clock: ManualClock) -> None:
    master = OneThreadMaster(folder, clock)
    worker = a_worker(cpus=2)
    master.register(worker)
    task_id = master.submit(a_spec())
    master.run_cycle()
    master.report(worker, started(AttemptRef(task_id, 1)))
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    restore(backup, folder, force=True, nothing_runs=True)
    again = OneThreadMaster(folder, clock)
    again.commit()
    again.register(worker)
    assert again.run_cycle().assigned == 1
    assert again.deliver(worker) == [AttemptRef(task_id, SKIP + 1)]
    again.kill()


def test_restoring_the_same_backup_twice_gives_new_numbers_each_time(
    folder: Path, clock: ManualClock
) -> None:
    master = OneThreadMaster(folder, clock)
    master.submit(a_spec())
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    first = restore(backup, folder, force=True)
    again = OneThreadMaster(folder, clock)
    issued = again.submit(a_spec())
    again.kill()
    second = restore(backup, folder, force=True)
    assert (first.epoch, second.epoch) == (2, 3)
    assert second.next_task_id == issued + 1 + SKIP
    (folder / "ganger.db").write_bytes(b"damaged" * 1000)  # then only the record knows
    third = restore(backup, folder, force=True)
    assert third.epoch == 4
    assert third.next_task_id == second.next_task_id + SKIP
    (folder / RECORD).write_text("{}")
    with pytest.raises(Conflict, match="damaged"):
        restore(backup, folder, force=True)


def test_a_restore_is_refused_where_it_could_do_harm(
    folder: Path, clock: ManualClock, tmp_path: Path
) -> None:
    master = OneThreadMaster(folder, clock)
    master.submit(a_spec())
    backup = folder / "backup.db"
    back_up(master.path, backup)
    master.kill()
    before = master.path.read_bytes()
    with pytest.raises(Conflict, match="--force"):
        restore(backup, folder)
    with pytest.raises(NotFound):
        restore(tmp_path / "none.db", folder, force=True)
    with (
        state_dir.lock(folder / "master.lock", "master"),
        pytest.raises(Conflict, match="another ganger master"),
    ):
        restore(backup, folder, force=True)
    (tmp_path / "empty.db").touch()
    with pytest.raises(Conflict, match="no database of Ganger"):
        restore(tmp_path / "empty.db", folder, force=True)
    cut = tmp_path / "cut.db"
    cut.write_bytes(backup.read_bytes()[:-4096])
    with pytest.raises(Conflict, match="damaged"):
        restore(cut, folder, force=True)
    assert master.path.read_bytes() == before
    assert not [name for name in os.listdir(folder) if name.startswith(".") or "restoring" in name]
    assert restore(backup, tmp_path / "new").aside is None  # a new folder needs no --force


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_an_interrupted_restore_stops_masters_and_the_next_one_goes_on(
    folder: Path, clock: ManualClock, moved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after so many of the files of before were put aside."""
    master = OneThreadMaster(folder, clock)
    master.submit(a_spec())
    backup = folder / "backup.db"
    back_up(master.path, backup)
    (folder / "ganger.db-wal").touch()
    master.kill()
    (folder / "ganger.db-wal").write_bytes(b"")
    real, left = os.replace, [moved + 2]  # the record and the copy come first

    def dies(source: object, target: object) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            restore(backup, folder, force=True)
    with pytest.raises(Conflict, match="interrupted"):
        open_writer(folder / "ganger.db")
    done = restore(backup, folder, force=True)
    assert done.epoch == 3
    assert read(folder / "ganger.db.before-epoch-2", "SELECT count(*) FROM tasks") == [(1,)]
    assert read(folder / "ganger.db.before-epoch-3", "SELECT count(*) FROM tasks") == [(1,)]
    again = OneThreadMaster(folder, clock)
    assert list(again.state.tasks) == [1]
    again.kill()
