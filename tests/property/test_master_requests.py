"""This module checks request ids against a model: through repeats, other payloads, kills, and forgetting."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import AlreadyExists, GangerError, NotFound
from ganger_master.changes import Answer, Cancel, Command, Request, Submit
from ganger_master.remembering import Keep
from ganger_master.retention import Retention
from ganger_master.store.aged import AgedRows
from testkit.builders import a_spec
from testkit.one_thread import OneThreadMaster

DAY = 86_400.0
KEEP = Keep(ended_s=2 * DAY, failed_s=2 * DAY, events_s=DAY, requests_s=DAY)
IDS = st.sampled_from(["a", "b", "c", "d"])
OWNERS = st.sampled_from(["ann", "bob"])
SPECS = st.sampled_from([("x",), ("x", "y"), ("z",)])
TASKS = st.integers(1, 4)

Key = tuple[str, str]


class Requests(RuleBasedStateMachine):
    """A master whose every answer is compared with what the model remembers."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gg"))
        self.clock = ManualClock()
        self.known: dict[Key, tuple[str, Answer, set[int]]] = {}  # digest, answer, its tasks
        self.made_at: dict[Key, float] = {}
        self.waiting: set[int] = set()
        self.ended_at: dict[int, float] = {}
        self.highest = 0
        self.master = OneThreadMaster(self.folder, self.clock)

    @rule(owner=OWNERS, request_id=IDS, names=SPECS, commits=st.sampled_from(["yes", "told", "lost"]))
    def submit(self, owner: str, request_id: str, names: tuple[str, ...], commits: str) -> None:
        request = Request(owner, request_id, "submit " + " ".join(names))
        before = dict(self.known)
        answer = self._ask(Submit(request, tuple(a_spec(name=name) for name in names)), commits)
        if isinstance(answer, int) and (owner, request_id) not in before:
            assert answer > self.highest, "an id was given twice"
            ids = set(range(answer, answer + len(names)))
            if commits != "lost":
                self.highest = max(ids)
                self.waiting |= ids
                self._note(request, answer, ids)

    @rule(
        owner=OWNERS, request_id=IDS, task_id=TASKS, why=st.sampled_from(["", "late"]), commits=st.booleans()
    )
    def cancel(self, owner: str, request_id: str, task_id: int, why: str, commits: bool) -> None:
        request = Request(owner, request_id, f"cancel {task_id} {why}")
        new = (owner, request_id) not in self.known
        # What the service does: a task that is in the store alone has a final state.
        ended = self.master.state.tasks.get(task_id)
        answer = self._ask(Cancel(request, task_id, why), "yes" if commits else "lost")
        if isinstance(answer, str) and new and commits:
            assert ended is not None
            if task_id in self.waiting:
                self.waiting.discard(task_id)
                self.ended_at[task_id] = self.clock.now().steady_s
            self._note(request, answer, {task_id})

    @rule()
    def kill(self) -> None:
        """The process dies and starts again: what was acknowledged is known, and nothing else."""
        self.master.kill()
        self.master = OneThreadMaster(self.folder, self.clock)

    @precondition(lambda self: self.known)
    @rule(hours=st.sampled_from([5, 20, 50]))
    def forget(self, hours: float) -> None:
        self.clock.advance(3600 * hours)
        rows = AgedRows(self.master.path)
        retention = Retention(self.master.engine, rows, self.folder / "logs", KEEP)
        for _ in range(3):  # tasks first, then the requests that nothing keeps any longer
            retention.run_once(self.clock.now())
            self.master.commit()
        rows.close()
        now = self.clock.now().steady_s
        gone = {task for task, ended in self.ended_at.items() if now - ended > KEEP.ended_s}
        alive = (self.waiting | set(self.ended_at)) - gone
        for key, (_, _, ids) in list(self.known.items()):
            if now - self.made_at[key] > KEEP.requests_s and not ids & alive:
                del self.known[key]
        for task in gone:
            del self.ended_at[task]

    @invariant()
    def everything_known_is_in_memory(self) -> None:
        if hasattr(self, "master"):
            expected = {key: (digest, str(answer)) for key, (digest, answer, _) in self.known.items()}
            assert self.master.state.requests == expected

    def teardown(self) -> None:
        if hasattr(self, "master"):
            self.master.kill()
            shutil.rmtree(self.folder)

    def _ask(self, command: Submit | Cancel, commits: str) -> Answer:
        """Give the command. `told`: killed after the commit, before the answer; `lost`: before the commit."""
        answer = self._applied(command)
        if commits == "lost":
            if not isinstance(answer, GangerError):
                self.kill()
        else:
            self.master.commit()
            if commits == "told":
                self.kill()
        request = command.request
        known = self.known.get((request.owner, request.request_id))
        if known is not None:
            digest, told, _ = known
            if digest == request.digest:
                assert answer == told, "a repeated request was answered otherwise"
                assert self._applied(command) == told
            else:
                assert isinstance(answer, AlreadyExists), "another request with the same id was not refused"
        else:
            assert not isinstance(answer, AlreadyExists)
            assert not isinstance(answer, GangerError) or isinstance(answer, NotFound)
        return None if isinstance(answer, GangerError) else answer

    def _applied(self, command: Command) -> Answer | GangerError:
        return self.master.engine.apply([command], self.clock.now()).answers[0]

    def _note(self, request: Request, answer: Answer, ids: set[int]) -> None:
        key = (request.owner, request.request_id)
        self.known[key] = (request.digest, answer, ids)
        self.made_at[key] = self.clock.now().steady_s


Requests.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestRequests = Requests.TestCase
