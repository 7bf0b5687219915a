"""This module tests that an attempt with outputs is over when they are published, and holds up nobody meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ganger_core.domain.outputs import OutputFile, Outputs, Publish
from ganger_core.domain.task import AttemptRef
from ganger_worker.executors.base import Cause, Exit, Refused, Started
from ganger_worker.executors.outputs import Work
from ganger_worker.publisher import Publisher

A, B, C = (AttemptRef(task, 1) for task in (1, 2, 3))
FOUND = Outputs((OutputFile("f", 1, "0" * 64),))
DONE = Exit(A, 1.0, 2.0, code=0)


class Desk:
    """A publisher; `slices` says how many each attempt with outputs takes, `told` what came through."""

    def __init__(self) -> None:
        self.slices: dict[AttemptRef, int] = {}
        self.policies: dict[AttemptRef, Publish] = {}
        self.told: list[object] = []
        self.began: list[AttemptRef] = []
        self.publisher = Publisher(self, self)

    def wrote(self, ref: AttemptRef) -> bool:
        return ref in self.slices

    def policy(self, ref: AttemptRef) -> Publish:
        return self.policies.get(ref, Publish.ON_SUCCESS)

    def publish(self, ref: AttemptRef) -> Work:
        self.began.append(ref)
        for _ in range(self.slices[ref]):
            yield
        return FOUND

    def on_recovered(self, living: Sequence[Started], exits: Sequence[Exit]) -> None:
        self.told += [*living, *exits]

    def on_news(self, started: Sequence[Started], exits: Sequence[Exit], refused: Sequence[Refused]) -> None:
        self.told += [*started, *exits, *refused]

    def heard(self) -> list[object]:
        told, self.told = self.told, []
        return told

    def work(self) -> None:
        while not self.publisher.is_idle:
            self.publisher.run_once()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_left_nothing_is_over_at_once(desk: Desk) -> None:
    news = [Started(B, 1.0)], [DONE], [Refused(C, before=True, why="x")]
    desk.publisher.on_news(*news)
    assert desk.heard() == [*news[0], *news[1], *news[2]]
    assert desk.publisher.is_idle


def test_what_left_outputs_lives_until_they_are_published(desk: Desk) -> None:
    desk.slices = {A: 2}
    desk.publisher.on_news((), [DONE, replace(DONE, ref=B)], ())
    assert desk.heard() == [Started(A, 1.0), replace(DONE, ref=B)]
    desk.publisher.on_recovered([Started(C, 1.0)], [DONE])  # the keeper died, the next one tells it again
    assert desk.heard() == [Started(C, 1.0), Started(A, 1.0)]
    desk.work()
    assert desk.heard() == [replace(DONE, outputs=FOUND)]
    assert desk.began == [A]
    desk.publisher.on_recovered([], [DONE])  # the same after it was passed on
    assert desk.heard() == [DONE]
    assert desk.publisher.is_idle


def test_a_large_one_holds_up_no_other(desk: Desk) -> None:
    desk.slices = {A: 1_000, B: 2, C: 1}
    desk.publisher.on_news((), [replace(DONE, ref=ref) for ref in (A, B, C)], ())
    desk.heard()
    for _ in range(8):
        desk.publisher.run_once()
    assert desk.heard() == [replace(DONE, ref=ref, outputs=FOUND) for ref in (C, B)]


FAILED = replace(DONE, code=1)
ENDS = {
    "failed": (FAILED, False, True),
    "killed": (replace(DONE, code=None, signal=9), False, True),
    "cancelled": (replace(DONE, code=None, signal=15, cause=Cause.ORDER), False, True),
    "cancelled, with code 0": (replace(DONE, cause=Cause.ORDER), False, True),
    "too long": (replace(DONE, code=None, signal=15, cause=Cause.LIMIT), False, True),
    "lease over": (replace(DONE, code=None, signal=15, cause=Cause.LEASE), False, False),
    "keeper died": (Exit(A, 1.0, 2.0, cause=Cause.KEEPER), False, False),
    "unkillable": (replace(DONE, unkillable=(5,)), False, False),
    "never began": (Exit(A, None, 2.0, launch=127, why="not found"), False, False),
    "nobody saw it": (Exit(A, 1.0, 2.0), False, False),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("policy", Publish)
def test_which_ends_publish(desk: Desk, how: str, policy: Publish) -> None:
    exit_, on_success, always = ENDS[how]
    desk.slices, desk.policies = {A: 0}, {A: policy}
    desk.publisher.on_news((), [exit_], ())
    desk.work()
    published = {Publish.ON_SUCCESS: on_success, Publish.ALWAYS: always, Publish.NEVER: False}[policy]
    assert desk.heard()[-1] == (replace(exit_, outputs=FOUND) if published else exit_)
    assert desk.began == [A] * published


def test_an_end_that_is_being_told_is_not_told_as_life_by_another_thread(desk: Desk) -> None:
    """The keeper dies at the very moment at which the end of what was published is told."""
    desk.slices = {A: 0}
    desk.publisher.on_news((), [DONE], ())
    desk.heard()
    recovering = threading.Thread(target=desk.publisher.on_recovered, args=([], [DONE]))
    tell = desk.on_news

    def on_news(started: Sequence[Started], exits: Sequence[Exit], refused: Sequence[Refused]) -> None:
        recovering.start()
        recovering.join(0.05)  # it must wait; without that it would be through by then
        tell(started, exits, refused)

    desk.on_news = on_news  # type: ignore[method-assign]
    desk.publisher.run_once()
    recovering.join(10)
    assert desk.heard() == [replace(DONE, outputs=FOUND), DONE]
