"""This module is what simulated tasks publish: folders on a host's disk, and what must be stored of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ganger_core.domain.outputs import OutputFile, Outputs, Publish, publishes
from ganger_core.domain.published import Published
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import AttemptRef, OutcomeKind, Task
from ganger_master.remembering import is_unwanted
from ganger_worker.executors.outputs import Work
from simulation.violation import Violation

if TYPE_CHECKING:
    from simulation.host import Host
    from simulation.world import World

WRITES = "writes"  # the last word in the command of a task that leaves outputs


def content_of(label: str, ref: AttemptRef) -> Outputs:
    """What this attempt leaves, and no other."""
    text = json.dumps(f"{label} {ref}")
    file = OutputFile("result.json", len(text), hashlib.sha256(text.encode()).hexdigest())
    return Outputs((file,), text)


class OutputDisk:
    """The outputs on a host's disk, which survive whoever dies there. Stands in for `OutputFolders`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.written: dict[AttemptRef, Outputs] = {}  # in output folders
        self.published: dict[AttemptRef, Outputs] = {}
        self.policies: dict[AttemptRef, Publish] = {}

    def wrote(self, ref: AttemptRef) -> bool:
        return ref in self.written or ref in self.published

    def policy(self, ref: AttemptRef) -> Publish:
        return self.policies.get(ref, Publish.ON_SUCCESS)

    def everything(self) -> Iterator[tuple[AttemptRef, float]]:
        yield from [(ref, 0.0) for ref in self.published]

    def remove(self, ref: AttemptRef) -> None:
        self.published.pop(ref, None)

    def read(self, ref: AttemptRef, path: str, offset: int, most: int) -> bytes:
        return self.published[ref].result.encode()[offset : offset + most]

    def publish(self, ref: AttemptRef) -> Work:
        """In slices; what comes after the last one is the rename."""
        for _ in range(self._host.world.outputs_rng.choice((0, 1, 5))):
            yield
        if ref not in self.published:
            self.published[ref] = self.written.pop(ref)
        yield
        return self.published[ref]


def check_stored(task: Task, published: Published, before: Published | None) -> None:
    """A commit stores what a task published: its newest attempt's own, and what its policy lets out."""
    ref, label = published.ref, task.spec.command[1]
    if ref.token != task.token or (before is not None and ref.token <= before.ref.token):
        raise Violation(f"I7 outputs of attempt {ref} are stored, the newest is {task.token}")
    if published.outputs != content_of(label, ref):
        raise Violation(f"I7 of attempt {ref} is stored {published.outputs.result}")


def unneeded(world: World) -> list[str]:
    """What lies on hosts and nobody needs; its worker hears of that sooner or later."""
    found = []
    for host in world.hosts:
        known = world.disk.known_outputs([ref.task_id for ref in host.outputs.published])
        found += [
            f"{ref} on {host.name}"
            for ref in host.outputs.published
            if is_unwanted(ref, 0.0, known[ref.task_id], 1.0)
        ]
    return found


def check_at_end(world: World, task: Task) -> None:
    """A task is over: what its last attempt left is stored if its policy says so, and lies where that says."""
    if task.spec.command[-1] != WRITES or task.state not in (TaskState.SUCCEEDED, TaskState.FAILED):
        return
    attempt, found = world.disk.tries.get(AttemptRef(task.id, task.token)), world.disk.published(task.id)
    if attempt is None or attempt.outcome is None:
        return
    kind = attempt.outcome.kind
    ended = kind in (OutcomeKind.OK, OutcomeKind.EXIT_NONZERO)
    wanted = ended and publishes(task.spec.publish, succeeded=kind is OutcomeKind.OK)
    is_there = found is not None and found.ref == attempt.ref
    if ended and is_there != wanted:
        raise Violation(f"I7 task {task.id} is {task.state}, its outputs are stored: {is_there}")
    if found is None or not is_there:
        return
    world.invariants.checks["outputs"] += 1
    disks: Any = {f"id-{host.name}": host.outputs for host in world.hosts}
    if disks[found.worker_id].published.get(found.ref) != found.outputs:
        raise Violation(f"I7 the outputs of attempt {found.ref} are stored, and not on {found.worker_name}")
