"""This module turns an operator's word about workers into commands: a host is dead, or gets no new work.

The rest is decided by `losing.fence` and `cordons.set_cordon`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import Conflict, NotFound
from ganger_core.domain.states import WorkerState
from ganger_core.domain.task import WorkerProfile, WorkerView
from ganger_master.changes import Command, Evict, Fence, Request, SetCordon, Withdraw
from ganger_master.registry import WorkerRegistry


def find_worker(views: Sequence[WorkerView], asked: str, *, lost: bool = True) -> WorkerProfile:
    """The worker of this id, else the one of this name; among several of one name, the only one that is `lost`, or not.

    Raises `NotFound`, and `Conflict` when it is not clear which one is meant.
    """
    named = [view for view in views if view.profile.name == asked]
    found = [view for view in views if view.profile.id == asked] or named
    if len(found) > 1:
        found = [view for view in named if (view.state is WorkerState.LOST) is lost]
        if len(found) != 1:
            raise Conflict(
                f"{len(named)} workers are called {asked}: name one by its id, see `ganger worker ls`",
                field="worker",
            )
    if not found:
        raise NotFound(f"there is no worker {asked}, see `ganger worker ls`", field="worker")
    return found[0].profile


def find_workers(views: Sequence[WorkerView], asked: Sequence[str]) -> list[WorkerProfile]:
    """The workers of these names or ids, each once; among several of one name, the only one that is not lost."""
    found = [find_worker(views, name, lost=False) for name in asked]
    return list({profile.id: profile for profile in found}.values())


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


def cordoning(
    registry: WorkerRegistry, profiles: Sequence[WorkerProfile], request: Request, cordon: Cordon | None
) -> Sequence[Command]:
    """What it takes to cordon these workers, or with None to let them have work again.

    What has not left the master never ran there, and is taken back. Where the deadline is over at once, the rest is
    evicted.
    """
    gone: list[Command] = []
    for profile in profiles if cordon is not None else ():
        assert cordon is not None
        if cordon.is_over(cordon.since_ms):
            gone += evictions(registry, profile, cordon)
        else:
            untold = [ref for ref, told in registry.held(profile.id) if not told]
            gone += [Withdraw(ref, f"its worker is {cordon}") for ref in untold]
    return [*gone, SetCordon(request, tuple(profile.id for profile in profiles), cordon)]


def evictions(registry: WorkerRegistry, profile: WorkerProfile, cordon: Cordon) -> Sequence[Command]:
    """What it takes to have this worker empty, whose cordon's deadline is over."""
    why = f"{profile.name} is {cordon}, and its deadline is over"
    return [Evict(ref, why) if told else Withdraw(ref, why) for ref, told in registry.held(profile.id)]
