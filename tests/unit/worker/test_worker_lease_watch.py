"""This module tests that the worker ends what its keeper does not, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from math import inf

import pytest

from ganger_core.domain.task import AttemptRef
from ganger_worker.keeper_attempts import LEASE_GRACE_S
from ganger_worker.lease_watch import PATIENCE_S, LeaseWatch

REF, OTHER, ENDLESS = AttemptRef(1, 1), AttemptRef(2, 1), AttemptRef(3, 1)
OVER_S = 1000.0  # when the lease of REF is over


class Watched:
    """A watch over three attempts, and what it killed."""

    def __init__(self) -> None:
        self.killed: list[AttemptRef] = []
        self.watch = LeaseWatch(self._kill)
        self.watch.expect([(REF, OVER_S), (OTHER, OVER_S + 10_000), (ENDLESS, inf)])

    def _kill(self, refs: Collection[AttemptRef]) -> None:
        self.killed += refs

    def look(self, after_s: float, awake_s: float) -> None:
        """At `after_s` after the keeper should have ended REF."""
        self.watch.look(OVER_S + LEASE_GRACE_S + after_s, awake_s)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_what_the_keeper_leaves_alive_is_cut_off_again_and_again(watched: Watched) -> None:
    watched.look(-1, 99.0)
    watched.look(1, 101.0)
    watched.look(1 + PATIENCE_S / 2, 101.0 + PATIENCE_S / 2)
    assert watched.killed == []
    watched.look(1 + PATIENCE_S, 101.0 + PATIENCE_S)
    assert watched.killed == [REF]
    watched.look(2 + PATIENCE_S, 102.0 + PATIENCE_S)
    assert watched.killed == [REF, REF]
    assert watched.watch.over(REF)
    assert not watched.watch.over(REF)
    watched.look(3 + PATIENCE_S, 103.0 + PATIENCE_S)
    assert watched.killed == [REF, REF]


def test_a_keeper_that_slept_with_the_host_has_its_time(watched: Watched) -> None:
    """The boot clock went on, the awake clock did not: the keeper has to notice first."""
    watched.look(3600, 100.0)
    watched.look(3601, 100.0 + PATIENCE_S / 2)
    assert watched.killed == []


def test_a_renewed_lease_begins_anew_and_so_does_the_patience(watched: Watched) -> None:
    watched.look(1, 100.0)
    watched.watch.expect([(REF, OVER_S + 10)])
    watched.look(2, 100.0 + PATIENCE_S)
    assert watched.killed == []
    watched.look(11, 110.0)
    assert watched.killed == []
    watched.look(11 + PATIENCE_S, 110.0 + PATIENCE_S)
    assert watched.killed == [REF]


def test_what_is_over_is_not_watched(watched: Watched) -> None:
    assert not watched.watch.over(REF)
    watched.watch.keep_only({ENDLESS})
    for number in range(5):
        watched.look(20_000, 100.0 + number)
    assert watched.killed == []
