"""This module checks tokens and task ids against a model: they only grow, over restores too; old ones are refused.

What a refused attempt published is never stored.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ganger_core import state_dir
from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import StaleAttempt
from ganger_core.domain.task import AttemptRef, Report, ReportKind
from ganger_master.backup import back_up
from ganger_master.changes import LoseAttempt, SettleLog, Withdraw
from ganger_master.cleanup import LEASE_MARGIN_S
from ganger_master.restore import restore
from testkit.builders import a_spec, a_worker, ended, lost, outputs_of, started
from testkit.one_thread import LEASE_S, OneThreadMaster

WORKER, OTHER = a_worker("w1", cpus=4), a_worker("w2", cpus=1)
SPEC = a_spec(cpus=2)  # fits on the first alone
KINDS = st.sampled_from(["accepted", "started", "ended", "lost", "rejected", "revoked"])
AFTER = {"accepted": "accepted", "started": "started"}


@dataclass
class Known:
    """What a master should know: of each task its newest token, and how far the live ones are."""

    tokens: dict[int, int] = field(default_factory=dict)
    live: dict[int, str] = field(default_factory=dict)  # assigned, accepted or started
    waits_for_log: set[int] = field(default_factory=set)
    published: dict[int, AttemptRef] = field(default_factory=dict)


class Tokens(RuleBasedStateMachine):
    """A master, its backups, and reports of every attempt that there ever was."""

    @initialize()
    def begin(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="gg"))
        self.folder = state_dir.prepare(self.home / "state")
        self.clock = ManualClock()
        self.known = Known()
        self.backups: list[tuple[Path, Known]] = []
        self.ever: list[AttemptRef] = []  # in any history, also one that a restore undid
        self.highest: dict[int, int] = {}  # token, by task
        self.highest_id = self.requests = 0
        self._start()

    @rule()
    def submit(self) -> None:
        self.requests += 1
        task_id = self.master.submit(SPEC, request_id=f"r{self.requests}")
        assert task_id > self.highest_id, "an id was given twice"
        self.highest_id = task_id
        self.known.tokens[task_id] = 0

    @rule()
    def cycle(self) -> None:
        self.master.run_cycle()
        for task_id, attempt in self.master.state.attempts.items():
            token = attempt.ref.token
            if token == self.known.tokens[task_id]:
                continue
            assert attempt.worker_id == WORKER.id
            assert token > self.highest.get(task_id, 0), "a token was given twice"
            self.highest[task_id] = self.known.tokens[task_id] = token
            self.known.live[task_id] = "assigned"
            self.ever.append(attempt.ref)

    @precondition(lambda self: self.ever)
    @rule(data=st.data(), kind=KINDS, mine=st.sampled_from([True, True, True, False]), log=st.booleans())
    def report(self, data: st.DataObject, kind: str, mine: bool, log: bool) -> None:
        """Of any attempt that there ever was: the current one's own is taken, everything else is refused."""
        ref = data.draw(st.sampled_from(self.ever))
        report = {
            "accepted": Report(ref, ReportKind.ACCEPTED),
            "started": started(ref),
            "ended": ended(ref, outputs=outputs_of(ref)),
            "lost": lost(ref),
            "rejected": Report(ref, ReportKind.REJECTED),
            "revoked": Report(ref, ReportKind.REVOKED),
        }[kind]
        stage = self.known.live.get(ref.task_id, "")
        allowed = mine and bool(stage) and ref.token == self.known.tokens[ref.task_id]
        if stage == "started" and kind in ("rejected", "revoked"):
            allowed = False  # it ran
        worker = WORKER if mine else OTHER
        if not allowed:
            before = self._all()
            overtaken = mine and kind == "accepted" and ref.token == self.known.tokens.get(ref.task_id)
            with suppress(StaleAttempt) if overtaken else pytest.raises(StaleAttempt):
                self.master.report(worker, report)
            assert self._all() == before, "a refused report changed something"
            return
        self.master.report(worker, report, log_complete=log)
        if kind in AFTER:
            self.known.live[ref.task_id] = "started" if stage == "started" else AFTER[kind]
            return
        del self.known.live[ref.task_id]
        if kind == "ended":
            self.known.published[ref.task_id] = ref
        if kind == "ended" and not log:
            self.known.waits_for_log.add(ref.task_id)
        else:
            assert self.master.task(ref.task_id).is_final == (kind == "ended")

    @precondition(lambda self: self.ever)
    @rule(data=st.data())
    def last_log_bytes(self, data: st.DataObject) -> None:
        """Only they make final what has ended and waits for them."""
        ref = data.draw(st.sampled_from(self.ever))
        waits = ref.task_id in self.known.waits_for_log and ref.token == self.known.tokens[ref.task_id]
        before = self._all()
        self.master.apply(SettleLog(ref, incomplete=False))
        if waits:
            self.known.waits_for_log.discard(ref.task_id)
            assert self.master.task(ref.task_id).is_final
        else:
            assert self._all() == before

    @precondition(lambda self: self.ever)
    @rule(data=st.data(), withdrawn=st.booleans())
    def take_back(self, data: st.DataObject, withdrawn: bool) -> None:
        """A sweep that decided on an attempt that is over meanwhile changes nothing."""
        ref = data.draw(st.sampled_from(self.ever))
        stage = self.known.live.get(ref.task_id, "")
        current = bool(stage) and ref.token == self.known.tokens[ref.task_id]
        if withdrawn and current and stage != "assigned":
            return  # only what was not told is withdrawn: see the model of leases
        before = self._all()
        self.master.apply(Withdraw(ref, "late") if withdrawn else LoseAttempt(ref, "silent"))
        if current:
            del self.known.live[ref.task_id]
        else:
            assert self._all() == before, "an old attempt was taken back"

    @rule()
    def kill(self) -> None:
        self.master.kill()
        self._start()

    @precondition(lambda self: len(self.backups) < 4)
    @rule()
    def back_up(self) -> None:
        target = self.home / f"backup{len(self.backups)}.db"
        back_up(self.master.path, target)
        self.backups.append((target, deepcopy(self.known)))

    @precondition(lambda self: self.backups)
    @rule(data=st.data(), nothing_runs=st.booleans())
    def go_back(self, data: st.DataObject, nothing_runs: bool) -> None:
        """A restore undoes what happened since, but gives none of its numbers again."""
        file, known = data.draw(st.sampled_from(self.backups))
        self.master.kill()
        restore(file, self.folder, force=True, nothing_runs=nothing_runs)
        self.known = deepcopy(known)
        for task_id, stage in list(self.known.live.items()):
            if nothing_runs or stage == "assigned":  # its order may have left: it is never told again
                del self.known.live[task_id]
        self._start()
        self.clock.advance(LEASE_S + LEASE_MARGIN_S)

    def teardown(self) -> None:
        if hasattr(self, "master"):
            self.master.kill()
            shutil.rmtree(self.home)

    def _start(self) -> None:
        self.master = OneThreadMaster(self.folder, self.clock)
        self.master.commit()
        self.master.register(WORKER, OTHER)
        live = {t: a.ref.token for t, a in self.master.state.attempts.items() if a.is_live}
        assert live == {task_id: self.known.tokens[task_id] for task_id in self.known.live}

    def _all(self) -> object:
        state = self.master.state
        published = self.master.published()
        assert {ref.task_id: ref for ref, *_ in published.values()} == self.known.published
        for ref, worker_id, _, outputs in published.values():
            assert (worker_id, outputs) == (WORKER.id, outputs_of(ref)), (
                "another attempt's outputs are stored"
            )
        return dict(state.tasks), dict(state.attempts), state.next_seq, state.next_task_id, published


Tokens.TestCase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
TestTokens = Tokens.TestCase
