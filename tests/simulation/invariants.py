"""This module checks the invariants, numbered as in the design, against what the simulated processes did.

The truth is the list of `Run`s: when each process of a task began and ended, with its token and its host. The
master's own state is checked for agreement with itself, and with the truth whenever it writes something down.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, AttemptState, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, OnWorkerLost, Outcome, OutcomeKind, Task
from ganger_master.handing import is_asked_back
from ganger_master.losing import MOST_CRASHES
from ganger_master.retrying import NOT_LAUNCHED, is_wanted
from ganger_master.state import State
from simulation.followers import dependents_add_up
from simulation.host import Run
from simulation.publishing import check_at_end as check_outputs
from simulation.publishing import unneeded
from simulation.sweeps import add_up
from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.world import World

FAILURES = (
    OutcomeKind.EXIT_NONZERO,
    OutcomeKind.SIGNALLED,
    OutcomeKind.LAUNCH_FAILED,
    OutcomeKind.TIMED_OUT,
)
BEYOND_LEASE = "beyond the lease"
UNHEARD = re.compile(f"{BEYOND_LEASE}|was fenced")
"""In the reasons for which the master gives up what it hears nothing of: an exit may be lost with the host."""


class Invariants:
    """Raises `Violation` at the event after which something does not hold. `checks` counts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs: dict[AttemptRef, Run] = {}
        self._living: dict[int, list[Run]] = {}  # by task
        self._highest: dict[int, int] = {}  # token that began, by task
        self._behind: set[AttemptRef] = set()
        self._stood: dict[int, Task] = {}  # by id, as written last
        self._looked_at = (None, -1, -1)
        self.checks: Counter[str] = Counter()

    def began(self, run: Run) -> None:
        """A process of a task has begun."""
        ref = AttemptRef(run.task_id, run.token)
        disk = self._world.disk
        self.checks["starts"] += 1
        attempt, task = disk.tries.get(ref), disk.tasks.get(run.task_id)
        if attempt is None or task is None:
            raise Violation(f"I2 attempt {ref} began before it was on disk")
        if task.spec.command[1] != run.label or attempt.worker_id != f"id-{run.host.name}":
            raise Violation(f"I2 attempt {ref} runs {run.label} on {run.host.name}")
        if ref in self._runs:
            raise Violation(f"I5 attempt {ref} began twice")
        for other in self._living.get(run.task_id, ()):
            raise Violation(
                f"I4 attempt {ref} began on {run.host.name} while {other.token} lives on {other.host.name}"
            )
        if self._highest.get(run.task_id, 0) > run.token:
            raise Violation(f"I7 attempt {ref} began after attempt {self._highest[run.task_id]}")
        if run.label in self._world.people.held:
            raise Violation(f"I21 attempt {ref} began while its task was held")
        if not attempt.is_live:
            raise Violation(f"I4 attempt {ref} began although it was written off as {attempt.state}")
        if run.task_id in self._world.people.cancelled and (
            run.token > self._world.people.cancelled[run.task_id] or task.is_final
        ):
            raise Violation(f"I11 attempt {ref} began after its cancel was acknowledged")
        self._may_begin(task, ref)
        self._world.people.followers.may_begin(task)
        if task.array_id:
            self.checks["elements"] += 1
            others = [
                i for i, runs in self._living.items() if runs and disk.tasks[i].array_id == task.array_id
            ]
            self._world.people.sweeps.may_begin(run, task, others)
        self._runs[ref] = run
        self._living.setdefault(run.task_id, []).append(run)
        self._highest[run.task_id] = run.token
        living = run.host.kernel.living.values()
        if (
            sum(r.cpu_milli for r in living) > run.host.capacity.cpu_milli
            or len(living) > run.host.capacity.slots
        ):
            raise Violation(f"I8 {run.host.name} runs more than it has: {[r.label for r in living]}")

    def _may_begin(self, task: Task, ref: AttemptRef) -> None:
        """What was to fail when its worker is lost is not tried again, and what was lost too often neither."""
        tries = self._world.disk.tries
        lost = [AttemptRef(ref.task_id, token) for token in range(1, ref.token)]
        fails = task.spec.on_worker_lost is OnWorkerLost.FAIL
        before = [tries[other] for other in lost]
        if fails and any(each.state is AttemptState.LOST and not each.drained for each in before):
            raise Violation(
                f"I7 attempt {ref} began, though an attempt before was lost and it was to fail then"
            )
        if task.crashes >= MOST_CRASHES:
            raise Violation(f"I7 attempt {ref} began, though {task.crashes} were lost while they ran")

    def has_begun(self, task_id: int) -> bool:
        """Whether a process of this task has ever begun."""
        return task_id in self._highest

    def over(self, run: Run) -> None:
        """A process of a task has ended."""
        self._living[run.task_id].remove(run)

    def written(self, tasks: Sequence[Task], attempts: Sequence[Attempt]) -> None:
        """A commit wrote these: what it calls over must be over."""
        self.checks["commits"] += 1
        disk = self._world.disk
        for attempt in attempts:
            self._note_lane(attempt)
            self._not_too_often(attempt)
            moment = disk.tasks[attempt.ref.task_id].spec.not_before_ms
            if attempt.ref.token == 1 and attempt.assigned_ms < moment:  # once it has come, it has come
                raise Violation(f"I21 attempt {attempt.ref} was assigned before the moment of its task")
            run = self._runs.get(attempt.ref)
            if not attempt.is_live and run is not None and run.ended is None:
                raise Violation(f"I4 attempt {attempt.ref} is written off as {attempt.state}, but it lives")
            if attempt.state in (AttemptState.REVOKED, AttemptState.REJECTED) and run is not None:
                raise Violation(f"I6 attempt {attempt.ref} is {attempt.state}, but it ran")
            if attempt.state is AttemptState.ENDED and attempt.outcome is not None:
                self._true_outcome(attempt.ref, attempt.outcome, run)
            if attempt.state is AttemptState.LOST:
                self.checks["lost"] += 1
                why = attempt.outcome.message if attempt.outcome else ""
                if BEYOND_LEASE in why and not attempt.lease_s:
                    raise Violation(f"I4 attempt {attempt.ref} has no lease that could be over")
                if run is not None and not (run.signalled or run.orphaned or UNHEARD.search(why)):
                    raise Violation(f"I15 attempt {attempt.ref} ended by itself, its exit was lost: {why}")
            if attempt.outcome is not None and attempt.outcome.kind is OutcomeKind.DRAINED:
                self.checks["drained"] += 1
        for task in tasks:
            self._drained_for_nothing(task)
            if task.state is TaskState.EXPIRED and not task.spec.limits.queue_s:
                raise Violation(f"I6 task {task.id} has no limit that it could have waited beyond")
            if task.is_final:
                self._is_over(task)
                self._world.people.followers.written(task)

    def _drained_for_nothing(self, task: Task) -> None:
        """To be stopped for an empty worker costs a task nothing: it does not end by that, and it is no crash."""
        before, self._stood[task.id] = self._stood.get(task.id), task
        attempt = self._world.disk.tries.get(AttemptRef(task.id, task.token))
        if attempt is None or not attempt.drained or before is None or before.state is TaskState.PENDING:
            return
        if task.crashes > before.crashes:
            raise Violation(f"I24 task {task.id} was drained, which counts as a crash")
        kind = task.outcome.kind if task.is_final and task.outcome else None
        if kind in (OutcomeKind.DRAINED, OutcomeKind.CANCELLED, OutcomeKind.LOST):
            raise Violation(f"I24 task {task.id} was only drained, and is {task.state} as {kind}")

    def _is_over(self, task: Task) -> None:
        self.checks["finals"] += 1
        members = range(task.id, task.id + 1 + (len(task.array) if task.array else 0))
        for member in members:
            if self._living.get(member):
                raise Violation(f"I6 task {task.id} is {task.state}, but {member} lives")
        if task.array is not None:
            self.checks["arrays"] += 1
            return
        self._tried_often_enough(task)
        if task.state is TaskState.SUCCEEDED:
            self._true_outcome(AttemptRef(task.id, task.token), Outcome(OutcomeKind.OK), None)

    def _failed(self, task_id: int, token: int) -> int:
        """How many attempts up to this one ended by the task's own doing."""
        tries = [self._world.disk.tries[AttemptRef(task_id, number)] for number in range(1, token + 1)]
        return sum(
            each.state is AttemptState.ENDED
            and each.outcome is not None
            and each.outcome.kind in FAILURES
            and each.outcome.exit_code != NOT_LAUNCHED
            for each in tries
        )

    def _not_too_often(self, attempt: Attempt) -> None:
        if attempt.state is AttemptState.ENDED and attempt.outcome and attempt.outcome.kind in FAILURES:
            limit = self._world.disk.tasks[attempt.ref.task_id].spec.retry.limit
            if self._failed(*attempt.ref) > limit + 1:
                raise Violation(f"I22 attempt {attempt.ref} is one more than {limit} retries allow")

    def _tried_often_enough(self, task: Task) -> None:
        """A task that failed by its own doing was tried as often as its user wants."""
        retry, outcome = task.spec.retry, task.outcome
        self.checks["retries"] += task.failures
        if outcome is None or outcome.kind not in FAILURES or outcome.exit_code == NOT_LAUNCHED:
            return
        again = self._failed(task.id, task.token) - 1
        wanted = is_wanted(retry, outcome) and task.id not in self._world.people.cancelled
        if wanted and again < retry.limit and not self._was_stopped(task):
            raise Violation(f"I22 task {task.id} failed after {again} retries of {retry.limit}")

    def _was_stopped(self, task: Task) -> bool:
        """Whether somebody asked to end it meanwhile."""
        return any(e.task_id == task.id and e.state is TaskState.STOPPING for e in self._world.disk.events)

    def _note_lane(self, attempt: Attempt) -> None:
        """Count what was behind others, and what became of it."""
        if attempt.behind:
            self.checks["asked back" if attempt.phase else "behind"] += 1
            self._behind.add(attempt.ref)
        elif attempt.ref in self._behind:
            self._behind.remove(attempt.ref)
            self.checks["handed over" if attempt.is_live else "over behind"] += 1

    def _true_outcome(self, ref: AttemptRef, outcome: Outcome, run: Run | None) -> None:
        run = run or self._runs.get(ref)
        if outcome.kind is OutcomeKind.LAUNCH_FAILED:
            right = run is None
        elif run is None:
            right = False
        elif outcome.kind is OutcomeKind.OK:
            right = run.status == 0
        elif outcome.kind is OutcomeKind.EXIT_NONZERO:
            right = run.status == outcome.exit_code
        elif outcome.kind is OutcomeKind.TIMED_OUT:
            spec_s = self._world.disk.tasks[ref.task_id].spec.limits.run_s
            asked = [spec_s, *self._world.people.run_limits.get(ref.task_id, ())]
            limit_s = min(each for each in asked if each) if any(asked) else spec_s
            lived_s = (self._world.loop.now if run.ended is None else run.ended) - run.began
            right = run.signalled and 0 < 0.99 * limit_s <= lived_s
        elif outcome.kind is OutcomeKind.SIGNALLED:
            right = run.status == -(outcome.signal or 0)
        else:
            right = run.signalled
        if not right:
            truth = "never ran" if run is None else f"ended with {run.status}"
            raise Violation(f"I15 attempt {ref} is told as {outcome.kind}, in truth it {truth}")

    def after_step(self) -> None:
        """The master's memory agrees with itself; looked at whenever it changed."""
        world, master = self._world, self._world.master
        if world.loop.failures:
            first = world.loop.failures[0]
            raise first if isinstance(first, Violation) else Violation(f"I14 {first!r}") from first
        if master is None or not master.proc.alive:
            return
        mark = (master, master.engine._ticket, 0)
        if mark == self._looked_at:
            return
        self._looked_at = mark  # type: ignore[assignment]
        self.checks["states"] += 1
        state = master.state
        waiting = {t.id for t in state.tasks.values() if t.state is TaskState.PENDING and t.array is None}
        if waiting != master.queue._bucket_of.keys():
            raise Violation(f"I12 waiting are {waiting}, in the queue are {set(master.queue._bucket_of)}")
        live = {a.ref: a.worker_id for a in state.attempts.values() if a.is_live}
        for worker_id, entry in master.registry._workers.items():
            held = Resources()
            for ref, reservation in entry.held.items():
                if live.pop(ref, None) != worker_id:
                    raise Violation(f"I12 {ref} holds capacity of {worker_id} and should not")
                held = held.plus(reservation.request)
            if entry.free != entry.profile.capacity.minus(held):
                raise Violation(f"I12 {worker_id} has {entry.free} left, {held} is held")
            if min(entry.free.amounts()) < 0:
                raise Violation(f"I8 {worker_id} is given more than it has")
        if live:
            raise Violation(f"I12 live attempts hold no capacity: {live}")
        self._lanes_add_up(state)
        dependents_add_up(state)
        add_up(state, master.queue)

    def _lanes_add_up(self, state: State) -> None:
        """Nobody is behind nobody, and the lanes are what the attempts say."""
        said = {a.ref for a in state.attempts.values() if a.is_live and a.behind}
        if said != set(state.lanes.behind()):
            raise Violation(f"I12 behind others are {said}, in the lanes are {state.lanes.behind()}")
        for ref in said:
            lane, worker_id = state.tasks[ref.task_id].lane, state.attempts[ref.task_id].worker_id
            if not state.lanes.of(lane)[worker_id].full and not is_asked_back(state.attempts[ref.task_id]):
                raise Violation(f"I14 attempt {ref} is behind nobody: nothing will ever start it")

    def promised(self) -> None:
        """Whatever was acknowledged is there: looked at whenever a master has loaded."""
        people = self._world.people
        follow = people.followers.acknowledged
        for label, task_id in (
            *people.acknowledged.items(),
            *people.sweeps.acknowledged.items(),
            *follow.items(),
        ):
            task = self._world.disk.tasks.get(task_id)
            if task is None or task.spec.command[1] != label:
                raise Violation(f"I1 acknowledged task {task_id} ({label}) is gone")

    def unfinished(self) -> str:
        """What is not over yet; empty when nothing is."""
        world = self._world
        people = world.people
        if waiting := people.waiting + people.sweeps.waiting + people.followers.waiting:
            return f"{waiting} submissions without an answer"
        late = [f"{t.id} {t.state}" for t in world.disk.tasks.values() if not t.is_final]
        if late:
            return f"tasks {late}"
        for host in world.hosts:
            if host.kernel.living:
                return f"processes on {host.name}: {[r.label for r in host.kernel.living.values()]}"
            if host.worker is None or host.worker.agent._held or not host.worker.outbox.is_empty:
                return f"the worker on {host.name} has not settled"
            if host.keeper is not None and not host.keeper.is_empty:
                return f"the keeper on {host.name} holds {host.keeper._attempts.listing()}"
        if left := unneeded(world):
            return f"outputs {left}"
        master = world.master
        if master is None or any(e.held for e in master.registry._workers.values()):
            return "capacity is held"
        if len(world.people.seen) < len(world.disk.events):
            return "the feed is behind"
        return ""

    def at_end(self) -> None:
        """Everything is over: the events tell the same as the tables."""
        self.promised()
        self._world.people.sweeps.at_end()
        disk = self._world.disk
        last = {event.task_id: event for event in disk.events}
        for task in disk.tasks.values():
            check_outputs(self._world, task)
            event = last[task.id]
            if (event.state, event.reason) != (task.state, task.reason):
                raise Violation(
                    f"I18 the last event of task {task.id} says {event.state}, the table {task.state}"
                )
            ended = [e for e in disk.events if e.task_id == task.id and e.state in TASK_FINAL]
            if len(ended) != 1:
                raise Violation(f"I6 task {task.id} ended {len(ended)} times in the feed")
