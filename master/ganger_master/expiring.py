"""This module ends what has waited for too long."""

from __future__ import annotations

from ganger_core.domain.clock import Instant
from ganger_master.changes import Expire
from ganger_master.engine import Engine
from ganger_master.queue import TaskQueue


def expire(engine: Engine, queue: TaskQueue, now: Instant) -> int:
    """End the tasks that waited beyond their limit; returns how many seemed to. Others cost nothing."""
    late = queue.take_late(now.wall_ms)
    if late:
        engine.apply([Expire(task_id) for task_id in late], now)
    return len(late)
