"""This module checks which databases a master takes: old ones are brought up to date, bad ones left as they are."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import AlreadyExists, Conflict
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, Limits, OnWorkerLost
from ganger_master.changes import Request, Submit
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_master.store import database
from ganger_master.store import reader as reader_module
from ganger_master.store.database import check, open_reader, open_writer
from ganger_master.store.failures import explain
from ganger_master.store.reader import StoreReader, open_store
from ganger_master.store.rows import profile_to_json, spec_to_json
from testkit.builders import a_spec, a_worker, lost, started
from testkit.one_thread import LEASE_S, OneThreadMaster

EXPLAINED = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR_WRITE": "the disk fails",
    "SQLITE_READONLY_DBMOVED": "cannot be written",
    "SQLITE_CANTOPEN": "cannot be opened",
    "SQLITE_BUSY_SNAPSHOT": "another program holds it",
    "SQLITE_CORRUPT": "damaged",
    "SQLITE_ERROR": "SQLite fails",
}


def a_store(folder: Path, tasks: int = 300) -> Path:
    """A database with waiting tasks and one that runs."""
    master = OneThreadMaster(folder, ManualClock())
    worker = a_worker(cpus=1)
    master.register(worker)
    master.submit(*(a_spec("sh", "-c", f"echo {'x' * 200} {n}") for n in range(tasks)))
    master.run_cycle()
    master.deliver(worker)
    master.report(worker, started(AttemptRef(1, 1)))
    master.kill()
    return master.path


def the_files(path: Path) -> dict[str, bytes]:
    """The database as it lies there; what SQLite keeps for readers (-shm) is not part of it."""
    return {
        f.name: f.read_bytes()
        for f in path.parent.iterdir()
        if not f.name.endswith("-shm") and f.stat().st_size
    }


def test_a_database_of_schema_1_keeps_its_rows_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ganger.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(resources.files("ganger_master.store").joinpath("schema.sql").read_text())
    spec = spec_to_json(a_spec())
    for task_id in (1, 2, 3):
        state, ended = ("SUCCEEDED", 9) if task_id == 1 else ("PENDING", 0)
        values = (task_id, "ann", spec, state, 5, 1, "", 0, 0, ended, None)
        db.execute(f"INSERT INTO tasks VALUES ({', '.join('?' * 11)})", values)  # noqa: S608
    db.executemany(
        "INSERT INTO requests VALUES ('ann', ?, ?, ?)",
        [("one", "d1", "1"), ("two", "d2", "2"), ("stop", "d3", "CANCELLED")],
    )
    db.execute("INSERT INTO events VALUES (41, 5, 1, 'ann', 'PENDING', 0, '', '', NULL)")
    db.execute("UPDATE counters SET value = 4")
    db.execute("PRAGMA user_version=1")
    db.close()

    master = OneThreadMaster(tmp_path, ManualClock())
    assert set(master.state.tasks) == {2, 3}
    assert (master.state.next_task_id, master.state.next_seq, master.state.epoch) == (4, 42, 1)
    assert master.apply(Submit(Request("ann", "two", "d2"), (a_spec(),))) == 2
    with pytest.raises(AlreadyExists):
        master.apply(Submit(Request("ann", "two", "other"), (a_spec(),)))
    assert master.submit(a_spec()) == 4
    assert [event.seq for event in master.events] == [42]
    db = open_reader(path)
    kept = db.execute(
        "SELECT request_id, first_task_id, last_task_id, at_ms > 0 FROM requests WHERE digest GLOB 'd?'"
    )
    assert set(kept) == {("one", 1, 1, 1), ("two", 2, 3, 1), ("stop", 0, 0, 1)}
    assert db.execute("SELECT count(*) FROM tasks").fetchone() == (4,)
    assert db.execute("PRAGMA user_version").fetchone() == (database.SCHEMA,)
    db.close()
    master.kill()


def test_a_new_database_equals_one_brought_up_to_date(tmp_path: Path) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    open_writer(new).close()
    db = sqlite3.connect(old, isolation_level=None)
    db.executescript(resources.files("ganger_master.store").joinpath("schema.sql").read_text())
    db.execute("PRAGMA user_version=1")
    db.close()
    open_writer(old).close()
    found = []
    for path in (new, old):
        db = open_reader(path)
        found.append(sorted(db.execute("SELECT name, sql FROM sqlite_master").fetchall()))
        found[-1] += sorted(db.execute("SELECT * FROM counters").fetchall())
        db.close()
    assert found[0] == found[1]


def a_store_of_schema_2(folder: Path) -> Path:
    """One that ran, one that was being stopped, one that had ended, one that waits."""
    path = folder / "ganger.db"
    db = sqlite3.connect(path, isolation_level=None)
    for script in ("schema.sql", "schema-2.sql"):
        db.executescript(resources.files("ganger_master.store").joinpath(script).read_text())
    spec = spec_to_json(a_spec())
    assert "limits" not in spec  # as it was written then
    states = (("RUNNING", "RUNNING"), ("STOPPING", "STOPPING"), ("SUCCEEDED", "ENDED"), ("PENDING", ""))
    for task_id, (task, attempt) in enumerate(states, start=1):
        token, ended = int(bool(attempt)), 9 if attempt == "ENDED" else 0
        row = (task_id, "ann", spec, task, 5, 2, "", token, 7 * token, ended, None)
        db.execute(f"INSERT INTO tasks VALUES ({', '.join('?' * 11)})", row)  # noqa: S608
        if attempt:
            row = (task_id, 1, "id-w1", "w1", attempt, "planner", 6, "", 7, ended, None, 0, 0, b"", b"")
            db.execute(f"INSERT INTO attempts VALUES ({', '.join('?' * 15)})", row)  # noqa: S608
    db.execute("INSERT INTO workers VALUES ('id-w1', ?)", (profile_to_json(a_worker(cpus=4)),))
    db.execute("UPDATE counters SET value = 5 WHERE name = 'next_task_id'")
    db.execute("PRAGMA user_version=2")
    db.close()
    return path


def test_a_live_attempt_of_schema_2_gets_the_clusters_lease_and_grace(tmp_path: Path) -> None:
    a_store_of_schema_2(tmp_path)
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    runs, stops = master.state.attempts[1], master.state.attempts[2]
    assert (runs.lease_s, stops.lease_s, stops.stop_grace_s, stops.stop_signal) == (LEASE_S, LEASE_S, 30, 15)
    assert (master.task(1).crashes, master.task(1).spec) == (0, a_spec())
    orders = master.engine.desired("id-w1")[1]
    assert [(type(order).__name__, order.ref.task_id) for order in orders] == [
        ("StartOrder", 1),
        ("StopOrder", 2),
    ]
    clock.advance(LEASE_S + LEASE_MARGIN_S + 1)
    master.cleanup.run_once(clock.now())
    assert master.task(1).state is TaskState.PENDING  # not taken for one without a lease
    master.kill()


def test_what_ended_before_schema_3_shows_no_lease(tmp_path: Path) -> None:
    path = a_store_of_schema_2(tmp_path)
    open_writer(path).close()
    reader = StoreReader(path)
    (attempt,) = reader.attempts(3)
    assert (attempt.lease_s, attempt.stop_grace_s) == (0.0, 0.0)
    reader.close()


def test_live_tasks_are_found_by_their_index(tmp_path: Path) -> None:
    path = tmp_path / "ganger.db"
    db = open_writer(path)
    plan = db.execute(f"EXPLAIN QUERY PLAN SELECT id FROM tasks WHERE state NOT IN ({reader_module._FINAL})")  # noqa: S608
    assert "tasks_live" in " ".join(row[3] for row in plan)
    db.close()


def test_limits_losses_and_how_to_stop_are_kept_over_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    worker = a_worker(cpus=4)
    master.register(worker)
    spec = replace(a_spec(), limits=Limits(60.0, 900.0, 5.0, 45.0), on_worker_lost=OnWorkerLost.REQUEUE)
    master.submit(spec, replace(spec, limits=Limits(grace_s=0.0)), a_spec())
    master.run_cycle()
    refs = master.deliver(worker)
    master.report(worker, *map(started, refs), lost(refs[0]))
    master.cancel(2, signal=10)
    tasks, attempts = dict(master.state.tasks), dict(master.state.attempts)
    assert (tasks[1].crashes, attempts[1].lease_s, attempts[2].stop_signal) == (1, 45.0, 10)
    master.kill()
    again = OneThreadMaster(tmp_path, clock)
    assert (again.state.tasks, again.state.attempts) == (tasks, attempts)
    again.kill()


def test_a_newer_and_a_foreign_database_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={database.SCHEMA + 1}")
    db.execute("PRAGMA journal_mode=DELETE")
    db.close()
    before = the_files(path)
    with pytest.raises(Conflict, match="start the version that wrote it"):
        open_writer(path)
    assert the_files(path) == before

    other = tmp_path / "other.db"
    db = sqlite3.connect(other)
    db.execute("CREATE TABLE photos (id)")
    db.close()
    with pytest.raises(Conflict, match="another program"):
        open_writer(other)
    text = tmp_path / "text.db"
    text.write_text("not a database at all, but long enough to look into\n" * 100)
    with pytest.raises(Conflict, match="no database"):
        open_writer(text)
    assert text.read_text().startswith("not a database")


@pytest.mark.parametrize("where", ["tasks", "requests", "counters", "attempts", "events", "header"])
def test_a_damaged_page_is_found_and_nothing_is_touched(tmp_path: Path, where: str) -> None:
    path = a_store(tmp_path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page, size = 1, db.execute("PRAGMA page_size").fetchone()[0]
    if where != "header":
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (where,)).fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size + (100 if where == "header" else 0))
        file.write(b"\xa5" * 200)
    before = the_files(path)
    with pytest.raises(Conflict, match="ganger restore FILE"):
        open_store(path)
    assert the_files(path) == before


def test_in_a_large_database_what_memory_comes_from_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = a_store(tmp_path)
    monkeypatch.setattr(database, "CHECK_ALL_BYTES", 0)
    assert check(path) == database.SCHEMA
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = db.execute("PRAGMA page_size").fetchone()[0]
    roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master").fetchall())
    db.close()
    whole = path.read_bytes()
    for table, found in (("events", False), ("tasks", True)):
        with path.open("r+b") as file:
            file.seek((roots[table] - 1) * size)
            file.write(b"\xa5" * 200)
        if found:
            with pytest.raises(Conflict, match="damaged"):
                check(path)
        else:
            check(path)
        with pytest.raises(Conflict, match="damaged"):
            check(path, whole=True)
        path.write_bytes(whole)


def test_a_row_without_sense_is_refused(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    db = sqlite3.connect(path)
    db.execute("UPDATE tasks SET state = 'DANCING' WHERE id = 2")
    db.commit()
    db.close()
    with pytest.raises(Conflict, match="DANCING"):
        open_store(path)


def test_a_master_does_not_begin_anew_where_its_database_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "ganger.db"
    (tmp_path / "logs" / "0").mkdir(parents=True)
    with pytest.raises(Conflict, match="gone, though there are logs"):
        open_writer(path)
    path.touch()
    with pytest.raises(Conflict, match="empty, though there are logs"):
        open_writer(path)
    assert path.stat().st_size == 0
    (tmp_path / "logs" / "0").rmdir()
    open_writer(path).close()


def test_a_lock_of_another_program_is_waited_for_as_long_as_said(tmp_path: Path) -> None:
    path = a_store(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Conflict, match="another program holds it locked"):
        open_writer(path, busy_timeout_s=0.05)
    other.execute("ROLLBACK")
    other.close()
    open_writer(path, busy_timeout_s=0.05).close()


@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_every_kind_of_failure_is_explained(name: str) -> None:
    error = sqlite3.OperationalError("its words")
    error.sqlite_errorname = name
    assert EXPLAINED[name] in explain(error)
    assert "its words" in explain(error)


def test_a_write_that_was_cut_off_before_the_log_was_in_use_is_undone(tmp_path: Path) -> None:
    """As when the master was killed while it made its database, or put a restored one into use."""
    made, path = tmp_path / "made.db", tmp_path / "ganger.db"
    open_writer(made).close()
    with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA cache_size=1")  # so that changes go to the file before the commit
        db.execute("BEGIN")
        db.executemany("INSERT INTO workers VALUES (?, ?)", [(f"w{n}", "x" * 500) for n in range(200)])
        shutil.copy(made, path)
        shutil.copy(f"{made}-journal", f"{path}-journal")
        db.execute("ROLLBACK")
    with contextlib.closing(open_writer(path)) as db:
        assert db.execute("SELECT count(*) FROM workers").fetchone() == (0,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_folder_that_cannot_be_synced_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite goes on then, and a power cut could take the log with what was acknowledged."""

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("ganger_master.store.database.os.fsync", fails)
    with pytest.raises(Conflict, match=r"cannot be used: .*Input/output error"):
        open_writer(tmp_path / "ganger.db")
