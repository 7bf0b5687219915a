"""This module is the only writer of tasks, attempts and counters.

`apply` takes the engine lock, steps, installs the new values, reserves and enqueues, and draws a ticket.
What must leave the master (answers, orders, events, reads) waits until that ticket is on disk. The engine
knows no socket and no event loop: one thread with a manual clock can drive it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ganger_core.domain.clock import Instant
from ganger_core.domain.errors import GangerError
from ganger_core.domain.states import AttemptState, TaskState
from ganger_core.domain.task import Attempt, AttemptRef, Event, Order, RevokeOrder, Task
from ganger_master import arrays, settling
from ganger_master.changes import (
    Answer,
    Change,
    CloseArray,
    Command,
    Cordoned,
    Dequeue,
    Effect,
    Enqueue,
    HandOver,
    Limit,
    Release,
    Request,
    Reserve,
    Tell,
)
from ganger_master.ending import stop_order
from ganger_master.handing import is_asked_back
from ganger_master.locks import ENGINE_RANK, RankedLock
from ganger_master.moves import awaits_log, start_order
from ganger_master.prefill import wants_more
from ganger_master.queue import BucketKey, TaskQueue
from ganger_master.registry import Reservation, WorkerRegistry
from ganger_master.remembering import answer_of
from ganger_master.state import Rules, State
from ganger_master.transitions import step
from ganger_master.updating import is_in_force

SETTLED_AT_ONCE = (
    100  # of those that wait for other tasks, so many hear of one step before others get the lock
)
KEEP_ENDED = 10_000  # ended tasks kept in memory; older ones are read from the store


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves the master once its ticket is on disk."""

    events: tuple[Event, ...]
    orders: tuple[tuple[str, Order], ...]  # worker id, order


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of commands applied together: one answer or refusal for each, and the ticket to wait for."""

    ticket: int
    answers: tuple[Answer | GangerError, ...]

    def only(self) -> Answer:
        """The single answer; raises the refusal."""
        (answer,) = self.answers
        if isinstance(answer, GangerError):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class Seen:
    """One task as the engine knows it, the ticket that this depends on, and the last event it contains."""

    task: Task
    attempt: Attempt | None
    ticket: int
    as_of_seq: int


Commit = Callable[[int, Change, int, Leaving], None]
"""Takes (ticket, change, next task id, what leaves then) in ticket order; must only queue it."""


class Engine:
    """The one writer. `commit` hands each change to the store."""

    def __init__(
        self,
        state: State,
        rules: Rules,
        queue: TaskQueue,
        registry: WorkerRegistry,
        commit: Commit,
        reservation_s: float,
    ) -> None:
        self._lock = RankedLock(ENGINE_RANK)
        self._state = state
        self._rules = rules
        self._queue = queue
        self._registry = registry
        self._commit = commit
        self._reservation_s = reservation_s
        self._ticket = 0  # the last one drawn
        self._ended: deque[int] = deque()  # ended tasks in memory, oldest first

    def apply(self, commands: Sequence[Command], now: Instant) -> Applied:
        """Carry out commands in order, each wholly or not at all; a refused one does not stop the others."""
        with self._lock:
            return self._apply_locked(commands, now)

    def apply_with(self, decide: Callable[[State], Sequence[Command]], now: Instant) -> Applied:
        """As `apply`, with commands decided on the very state they are applied to."""
        with self._lock:
            return self._apply_locked(decide(self._state), now)

    def see(self, task_id: int) -> Seen | None:
        """The task as of now, or None when it is not in memory (it may be in the store)."""
        with self._lock:
            task = arrays.find(self._state, task_id)
            if task is None:
                return None
            return Seen(
                arrays.shown(task, self._state),
                self._state.attempts.get(task_id),
                self._ticket,
                self._state.next_seq - 1,
            )

    def look(self, at: Callable[[State], T]) -> T:
        """What this finds in the state as of now, of which it must keep nothing that changes."""
        with self._lock:
            return at(self._state)

    def position(self) -> tuple[int, int]:
        """The last ticket drawn and the last event given: what a read that starts now must wait for."""
        with self._lock:
            return self._ticket, self._state.next_seq - 1

    def stored_answer(self, request: Request) -> str | None:
        """What this very request was answered with, or None for a new one; raises `AlreadyExists` for another's id."""
        with self._lock:
            return answer_of(self._state.requests, request)

    def holds(self, ref: AttemptRef, worker_id: str) -> bool:
        """Whether this attempt is the newest of its task and belongs to this worker."""
        with self._lock:
            attempt = self._state.attempts.get(ref.task_id)
            return attempt is not None and attempt.ref == ref and attempt.worker_id == worker_id

    def awaiting_log(self, ref: AttemptRef) -> Attempt | None:
        """The attempt if it has ended and its task waits for the rest of its log."""
        with self._lock:
            attempt, task = self._state.attempts.get(ref.task_id), self._state.tasks.get(ref.task_id)
            return attempt if attempt and attempt.ref == ref and awaits_log(task, attempt) else None

    def desired(self, worker_id: str) -> tuple[int, tuple[Order, ...]]:
        """Everything that this worker should hold or end, as orders, and the ticket that this depends on."""
        with self._lock:
            live = (self._state.attempts[ref.task_id] for ref, _ in self._registry.held(worker_id))
            return self._ticket, tuple(
                order for attempt in live for order in self._orders_for_locked(attempt)
            )

    def update_is_in_force(self, task_id: int) -> bool:
        """Whether nothing starts against what was asked of this task, whatever workers hold."""
        with self._lock:
            return is_in_force(self._state, task_id)

    def waits_for(self, task_id: int) -> str:
        """The name of the lost worker that alone can say what became of this task's attempt; else empty."""
        with self._lock:
            attempt = self._state.attempts.get(task_id)
            if attempt is None or not attempt.is_live or attempt.lease_s:
                return ""
            return attempt.worker_name if self._registry.is_lost(attempt.worker_id) else ""

    def telling(self, worker_id: str, orders: Iterable[Order], now: Instant) -> tuple[Order, ...]:
        """Note that these orders leave now; returns those that may, because their attempts still live."""
        orders = tuple(orders)
        with self._lock:
            leaving = set(self._registry.mark_told(worker_id, (order.ref for order in orders), now.steady_s))
            return tuple(order for order in orders if order.ref in leaving)

    def _apply_locked(self, commands: Sequence[Command], now: Instant) -> Applied:
        change = Change()
        answers: list[Answer | GangerError] = []
        for command in commands:
            try:
                part, answer = step(self._state, self._rules, command, now)
            except GangerError as refusal:
                answers.append(refusal)
                continue
            self._install_locked(part)
            change.extend(part)
            self._follow_locked(part, change, now)
            answers.append(answer)
        self._settle_locked(change, now)
        self._carry_out_locked(change.effects, now)
        if change.is_stored():
            self._ticket += 1
            leaving = Leaving(
                events=tuple(change.events),
                orders=tuple((e.worker_id, e.order) for e in change.effects if isinstance(e, Tell)),
            )
            self._commit(self._ticket, change, self._state.next_task_id, leaving)
            self._forget_locked(change.tasks)
        return Applied(self._ticket, tuple(answers))

    def _follow_locked(self, part: Change, change: Change, now: Instant) -> None:
        """Have arrays follow what became of their elements, until nothing more comes of that."""
        touched = {task.array_id or task.id for task in part.tasks if task.array_id or task.array}
        while touched:
            array_id = touched.pop()
            more = arrays.follow(self._state, self._rules, array_id, now)
            if more.tasks:
                self._install_locked(more)
                change.extend(more)
                touched.add(array_id)

    def _settle_locked(self, change: Change, now: Instant) -> None:
        """Let those hear that wait for what is over or has begun; where they are many, the scheduler goes on."""
        due = self._state.dependents.due
        for _ in range(SETTLED_AT_ONCE):
            if not due:
                return
            part = settling.settle_next(self._state, self._rules, now)
            self._install_locked(part)
            change.extend(part)
            self._follow_locked(part, change, now)
        if due:
            self._queue.wake()

    def _install_locked(self, change: Change) -> None:
        state = self._state
        for task in change.tasks:
            if task.array_id or task.array:
                self._note_array_locked(task, change)
            state.tasks[task.id] = task
            state.next_task_id = max(state.next_task_id, task.id + 1)
            settling.note(state, task)
        state.dependents.due.extend(change.due)
        for attempt in change.attempts:
            state.attempts[attempt.ref.task_id] = attempt
            state.lanes.note(attempt, state.tasks[attempt.ref.task_id].lane)
        for told in change.answered:
            request = told.request
            state.requests[request.owner, request.request_id] = (request.digest, told.answer)
        for profile in change.workers:
            state.workers[profile.id] = profile
        for worker_id, cordon in change.cordons:
            state.cordons.pop(worker_id, None)
            if cordon is not None:
                state.cordons[worker_id] = cordon
        for old in change.forgotten:
            for task_id in old.task_ids:
                state.tasks.pop(task_id, None)
                state.attempts.pop(task_id, None)
            for key in old.requests:
                state.requests.pop(key, None)
        state.next_seq += len(change.events)

    def _note_array_locked(self, task: Task, change: Change) -> None:
        state = self._state
        if task.array is not None:
            state.arrays.note(task, change.items[0] if change.items else None)
            state.next_task_id = max(state.next_task_id, task.id + len(task.array) + 1)
        else:
            known = state.tasks.get(task.id)
            state.arrays.get(task.array_id).note(known.state if known else None, task)

    def _carry_out_locked(self, effects: Sequence[Effect], now: Instant) -> None:
        """Queue first, then registry: the lock order. What may have room for more wakes the queue last."""
        come = [e.task for e in effects if isinstance(e, Enqueue) and self._waits_locked(e.task.id)]
        gone = [e.task_id for e in effects if isinstance(e, Dequeue) and not self._waits_locked(e.task_id)]
        if come:  # a push wakes the scheduler
            self._queue.push(come, now)
        if gone:
            self._queue.remove(gone)
        over = self._registry.carry_out(effects, now.steady_s, self._reservation_s)
        for attempt, held in over:
            self._note_run_locked(attempt, held, now)
        self._limit_arrays_locked(effects)
        if any(self._makes_room_locked(e) for e in effects):
            self._queue.unpark_all()

    def _limit_arrays_locked(self, effects: Sequence[Effect]) -> None:
        """Tell the queue of the arrays of which fewer elements may run now, or more."""
        limited: set[int] = set()
        for effect in effects:
            match effect:
                case CloseArray(array_id):
                    self._queue.close_array(array_id, over=self._state.tasks[array_id].is_final)
                case Limit(array_id):
                    limited.add(array_id)
                case Reserve(_, task):
                    limited.add(task.array_id)
                case Release(attempt):
                    limited.add(self._state.tasks[attempt.ref.task_id].array_id)
        for array_id in limited - {0}:
            task = self._state.tasks[array_id]
            assert task.array is not None, array_id
            if not task.is_final:
                room = arrays.room(self._state, array_id) or 0
                self._queue.limit_array(array_id, room, task.array.max_parallel)

    def _makes_room_locked(self, effect: Effect) -> bool:
        match effect:
            case Release() | Cordoned():  # whom a cordon shuts out is to be told so
                return True
            case HandOver(attempt, _):
                return wants_more(self._state, attempt)
            case _:
                return False

    def _note_run_locked(self, attempt: Attempt, held: Reservation, now: Instant) -> None:
        task = self._state.tasks[attempt.ref.task_id]
        if attempt.state is AttemptState.ENDED and attempt.started_ms:
            run_ms = attempt.ended_ms - attempt.started_ms
            trip_ms = None if held.since_s is None else 1000 * (now.steady_s - held.since_s) - run_ms
            self._state.run_times.note(BucketKey.of(task), run_ms, trip_ms)

    def _waits_locked(self, task_id: int) -> bool:
        """Whether this task waits, or elements of this array may."""
        task = self._state.tasks[task_id]
        return task.state is TaskState.PENDING or (task.array is not None and not task.is_final)

    def _orders_for_locked(self, attempt: Attempt) -> Iterator[Order]:
        task = self._state.tasks[attempt.ref.task_id]
        if attempt.state is AttemptState.STOPPING:
            yield stop_order(task, attempt)
            return
        yield start_order(task, attempt)
        if is_asked_back(attempt):
            yield RevokeOrder(attempt.ref)  # the first one may have been lost with its stream

    def _forget_locked(self, changed: Sequence[Task]) -> None:
        """Drop the oldest ended tasks from memory; they are on disk long since."""
        self._ended.extend(task.id for task in changed if task.is_final)
        while len(self._ended) > KEEP_ENDED:
            old = self._ended.popleft()
            self._state.tasks.pop(old, None)  # or forgotten meanwhile
            self._state.attempts.pop(old, None)
