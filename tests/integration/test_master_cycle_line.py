"""This module checks the one line that the master logs of each cycle: operators and benchmarks read its duration."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.plan import Plan, PlanOptions, Snapshot
from testkit.builders import a_spec, a_worker
from testkit.captured_logs import captured
from testkit.one_thread import FirstFitPlanner, OneThreadMaster


def test_a_cycle_logs_how_long_it_took_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    master = OneThreadMaster(tmp_path, clock)
    master.register(a_worker(cpus=2))
    master.submit(a_spec(), a_spec(), a_spec())
    plan = FirstFitPlanner.plan

    def slowly(self: FirstFitPlanner, snapshot: Snapshot, options: PlanOptions) -> Plan:
        clock.advance(0.25)
        return plan(self, snapshot, options)

    monkeypatch.setattr(FirstFitPlanner, "plan", slowly)
    with caplog.at_level("INFO", logger="ganger"), captured() as lines:
        master.run_cycle()
    (line,) = [line for line in lines if line["action"] == "cycle"]
    assert (line["level"], line["assigned"], line["heads"], line["took_ms"]) == ("INFO", 2, 3, 250.0)
