"""This module turns an operator's word that a worker's host is dead into commands; `losing.fence` decides the rest."""

from __future__ import annotations

from collections.abc import Sequence

from ganger_core.domain.errors import Conflict, NotFound
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import WorkerProfile, WorkerView
from ganger_master.changes import Command, Fence, Request, Withdraw
from ganger_master.registry import WorkerRegistry


def find_worker(views: Sequence[WorkerView], asked: str) -> WorkerProfile:
    """The worker of this id, else the one of this name; among several of one name, the only lost one."""
    named = [view for view in views if view.profile.name == asked]
    found = [view for view in views if view.profile.id == asked] or named
    if len(found) > 1:
        found = [view for view in named if view.state is WorkerState.LOST]
        if len(found) != 1:
            raise Conflict(
                f"{len(named)} workers are called {asked}: name one by its id, see `ganger worker ls`",
                field="worker",
            )
    if not found:
        raise NotFound(f"there is no worker {asked}, see `ganger worker ls`", field="worker")
    return found[0].profile


def fencing(registry: WorkerRegistry, profile: WorkerProfile, request: Request) -> Sequence[Command]:
    """What giving up this worker takes; from here on it must register anew. Raises `Conflict` unless it is LOST.

    What has not left the master never ran there, and is taken back before the worker is fenced.
    """
    if not registry.fence(profile.id):
        raise Conflict(
            f"worker {profile.name} is not lost: drain it or stop it instead (SIGTERM to its daemon)",
            field="worker",
            reason="WORKER_NOT_LOST",
        )
    held = registry.held(profile.id)
    untold = [Withdraw(ref, "its worker was fenced") for ref, told in held if not told]
    return [*untold, Fence(request, profile.id, profile.name, tuple(ref for ref, told in held if told))]
