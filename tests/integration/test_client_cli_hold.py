"""This module checks `ganger hold`, `ganger release`, and tasks that are handed in for later or with retries."""

from __future__ import annotations

import json
from typing import Any

from ganger_core.domain.retry import Retry
from testkit.client_cli import Cli


def test_hold_and_release_say_what_they_did(cli: Cli) -> None:
    master = cli.master
    for _ in range(3):
        cli("submit", "--", "true")
    master.run(3)
    held = cli("hold", "1,3")
    assert (held.code, held.out) == (1, "task 1 is held\n")
    assert held.err == "ganger: task 3 is RUNNING: only what waits can be held or released\n"
    assert master.tasks[1].waits.held_by == "tester"
    assert json.loads(cli("show", "1", "-o", "json").out)["tasks"][0]["held_by"] == "tester"
    master.arrays.out_of_reach = True
    released = cli("release", "1", "2")
    assert (released.code, released.out) == (0, "task 1 is released\ntask 2 is released\n")
    assert "a worker that cannot be reached may still start what it was given" in released.err
    document: dict[str, Any] = json.loads(cli("hold", "1", "-o", "json").out)
    assert document == {"version": 1, "tasks": [{"id": 1, "label": "1", "held": True, "in_force": False}]}


def test_a_task_is_submitted_held_or_for_later(cli: Cli) -> None:
    master = cli.master
    held = cli("submit", "--hold", "--at", "2030-01-01T00:00+00:00", "--", "true")
    spec = master.tasks[1].spec
    assert (spec.hold, spec.not_before_ms) == (True, 1_893_456_000_000)
    assert held.out == "task 1 is queued, and held until it is released\n"
    assert held.err == "  ganger release 1     ganger show 1     ganger cancel 1\n"
    later = cli("submit", "--at", "2030-01-01", "--array", "0-1", "--", "true")
    assert later.out == "array 2 is queued: 2 elements, and starts not before 2030-01-01\n"
    refused = cli("submit", "--at", "soon", "--", "true")
    assert refused.code == 1
    assert refused.err == (
        "ganger: --at: 'soon' is no moment such as 14:30, 2026-12-24T08:00, 1h30m (from now) or now+1h30m\n"
    )


def test_retries_are_handed_in_and_shown(cli: Cli) -> None:
    words = ("--retries", "3", "--retry-on", "75,80-82,timeout", "--never-retry-on", "2", "--backoff", "30s")
    cli("submit", *words, "--", "true")
    assert cli.master.tasks[1].spec.retry == Retry(3, (75, 80, 81, 82), (2,), True, 30.0)
    shown = cli("show", "1").out
    assert "0 of 3 used; after exit code 75,80-82 or its run limit; never after exit code 2" in shown
    document = json.loads(cli("show", "1", "-o", "json").out)["tasks"][0]
    assert (document["retries"], document["retry_on"]) == (3, [75, 80, 81, 82, "timeout"])
    refused = cli("submit", "--retries", "1", "--retry-on", "0-3", "--", "true")
    assert refused.err == "ganger: --retry-on: '0-3' is no exit code from 1 to 255 or range of them\n"


def test_update_changes_priority_and_limits(cli: Cli) -> None:
    cli("submit", "-t", "60", "--warn", "USR1@5s", "--deadline", "2030-01-01T00:00+00:00", "--", "true")
    spec = cli.master.tasks[1].spec
    assert (spec.limits.warn_s, spec.limits.warn_signal, spec.deadline_ms) == (5.0, 10, 1_893_456_000_000)
    shown = cli("show", "1").out
    assert "runs at most 1m00s, SIGUSR1 before that 5.0s" in shown
    assert "deadline   2030-01-01 00:00:00" in shown
    changed = cli("update", "1", "-p", "80", "--time", "2h", "--queue-timeout", "1m", "--deadline", "0")
    assert (changed.code, changed.out) == (0, "task 1: priority 80, time 2h, queue timeout 1m, deadline 0\n")
    spec = cli.master.tasks[1].spec
    assert (spec.priority, spec.limits.run_s, spec.limits.queue_s, spec.deadline_ms) == (80, 7200.0, 60.0, 0)
    nothing = cli("update", "1")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.startswith("ganger: nothing to change: name one of --priority, --time,")
    for words, field in (
        (["--time", "soon"], "--time"),
        (["-p", "101"], "priority"),
        (["--deadline", "x"], "--deadline"),
    ):
        refused = cli("update", "1", *words)
        assert (refused.code, refused.err.startswith(f"ganger: {field}")) == (1, True)
    for words in (["--warn", "USR1@5s"], ["--warn", "USR1", "-t", "9"], ["--warn", "NOPE@1s", "-t", "9"]):
        assert cli("submit", *words, "--", "true").code == 1
