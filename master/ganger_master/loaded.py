"""This module fills queue and registry from a loaded state."""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TaskState
from ganger_master import arrays
from ganger_master.changes import Cordoned
from ganger_master.queue import TaskQueue
from ganger_master.registry import Reservation, WorkerRegistry
from ganger_master.state import Rules, State


def enqueue_waiting(state: State, queue: TaskQueue, now: Instant) -> None:
    """Fill the queue from a loaded state: what waits, elements without a record included."""
    for task in [each for each in state.tasks.values() if each.array is not None]:
        assert task.array is not None
        queue.push([task], now)
        if task.array.closed is None:
            elements = state.arrays.get(task.id)
            queue.remove(range(task.id + 1, task.id + 1 + elements.made))
            queue.remove(elements.with_records())
        queue.limit_array(task.id, arrays.room(state, task.id) or 0, task.array.max_parallel)
    queue.push(
        (task for task in state.tasks.values() if task.array is None and task.state is TaskState.PENDING), now
    )


def reserve_live(state: State, registry: WorkerRegistry, rules: Rules, now: Instant) -> None:
    """Rebuild the reservations from the live attempts of a loaded state: all told, all leases anew. And the cordons.

    What a store of an earlier version did not know (`schema-3.sql`) is the cluster's own setting.
    """
    registry.carry_out([Cordoned(*pair) for pair in state.cordons.items()], now.steady_s, 0.0)
    for stored in [attempt for attempt in state.attempts.values() if attempt.is_live]:
        attempt = stored
        if stored.lease_s < 0:
            attempt = stored._replace(lease_s=rules.lease_s, stop_grace_s=rules.stop_grace_s)
            state.attempts[attempt.ref.task_id] = attempt
        request = state.tasks[attempt.ref.task_id].spec.resources
        state.lanes.note(attempt, state.tasks[attempt.ref.task_id].lane)
        held = Reservation(
            attempt.worker_id,
            Resources() if attempt.behind else request,
            now.steady_s,
            now.steady_s,
            attempt.lease_s,
            told=True,
        )
        registry.reserve(attempt.ref, held)
