"""This module kills a worker, its keeper and the master in turn while an array runs whose limit changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from crash import truth
from crash.checkers import Ack, Finding, Limit, within_limits
from crash.row import Row
from crash.scene import Scene, a_scene
from crash.short_tasks import KILLS
from ganger import Event, TaskState, task_spec
from ganger_worker.keeper import boottime
from testkit.waiting import wait_until

CPUS = 3
ELEMENTS = 60
LIMITS = (2, 3, 1, 0, 2)  # one after the other; 0 is none
STARTED = 8  # elements, between two things that happen
LEASE_S = 60.0
MOST_S = 180.0


def arrays(trials: int, seed: int) -> Row:
    """A kill amid an array; each element runs, and never more at once than the limit then in force."""
    times_s: list[float] = []
    killed: Counter[str] = Counter()
    finding = Finding()
    with a_scene(seed, LEASE_S, cpus=CPUS) as scene:
        for number in range(trials):
            what = list(KILLS)[number % len(KILLS)]
            began = boottime()
            array_id, limits = _run(scene, what)
            times_s.append(boottime() - began)
            killed[what] += 1
            finding += _check(scene, array_id, limits)
        finding += scene.conclude()
        behind = sum("next on" in e.reason for e in _events(scene) if e.state is TaskState.SCHEDULED)
        finding += Finding(1, () if behind else ("no element went behind another",))
    more = {"killed": dict(killed), "elements": trials * ELEMENTS, "behind": behind}
    return Row("arrays", seed, trials, killed.total(), finding, times_s, more)


def _run(scene: Scene, what: str) -> tuple[int, list[Limit]]:
    """One array from its submission to its end, with a kill and new limits meanwhile."""
    name = f"t{len(scene.acks)}"
    spec = task_spec(truth.command(scene.path, scene.rng.uniform(0.01, 0.05), 0.01), name=name, cpus=1)
    array_id = scene.client.submit_array(spec.command, ELEMENTS, max_parallel=LIMITS[0], name=name, cpus=1)
    scene.acks.append(Ack(name, array_id, spec))
    ids = range(array_id + 1, array_id + 1 + ELEMENTS)
    limits = [Limit(0.0, LIMITS[0])]
    for number, limit in enumerate(LIMITS[1:], start=1):
        wait_until(lambda: len(scene.spans(ids)) >= number * STARTED, 60, "elements start")  # noqa: B023
        if number == len(LIMITS) // 2:
            KILLS[what](scene)
        asked_s = boottime()
        in_force = scene.client.update(array_id, max_parallel=limit)
        limits.append(Limit(boottime() if in_force else float("inf"), limit, asked_s))
    scene.client.wait([array_id], MOST_S)
    return array_id, limits


def _check(scene: Scene, array_id: int, limits: Sequence[Limit]) -> Finding:
    spans = scene.spans(range(array_id + 1, array_id + 1 + ELEMENTS))
    over = scene.client.status(array_id).task
    wrong = []
    if over.state is not TaskState.SUCCEEDED:
        wrong.append(f"array {array_id} is {over.state}: {over.reason}")
    if len({span.task for span in spans if span.ended}) != ELEMENTS:
        wrong.append(f"of array {array_id} only {len(spans)} elements ran to their end")
    return Finding(1, tuple(wrong)) + within_limits(spans, limits)


def _events(scene: Scene) -> list[Event]:
    last = max(ack.task_id for ack in scene.acks)
    found = []
    for event in scene.client.events():
        found.append(event)
        if event.task_id == last and event.outcome is not None:
            break
    return found
