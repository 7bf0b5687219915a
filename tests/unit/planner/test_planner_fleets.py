"""This module checks which fleets a planner remembers."""

from __future__ import annotations

import pytest

from ganger_core.domain.errors import FleetUnknown, Invalid
from ganger_core.domain.placement import fleet_digest
from ganger_core.domain.plan import Fleet
from ganger_planner.fleets import Fleets
from testkit.fleets import cpus_and_gib


def a_fleet(name: str) -> Fleet:
    return Fleet((name,), (cpus_and_gib(1),))


def test_a_fleet_sent_once_is_known_by_its_digest() -> None:
    fleets, fleet = Fleets(), a_fleet("w1")
    assert fleets.resolve(fleet_digest(fleet), fleet) == fleet
    assert fleets.resolve(fleet_digest(fleet), None) == fleet


def test_a_caller_need_not_work_the_digest_out() -> None:
    fleets, fleet = Fleets(), a_fleet("w1")
    fleets.resolve("", fleet)
    assert fleets.resolve(fleet_digest(fleet), None) == fleet


def test_a_fleet_never_sent_is_asked_for() -> None:
    with pytest.raises(FleetUnknown) as refused:
        Fleets().resolve("ab12", None)
    assert refused.value.reason == "FLEET_UNKNOWN"


def test_neither_fleet_nor_digest_is_wrong() -> None:
    with pytest.raises(Invalid, match=r"snapshot\.fleet"):
        Fleets().resolve("", None)


def test_a_digest_of_another_fleet_is_wrong() -> None:
    fleets, fleet, other = Fleets(), a_fleet("w1"), a_fleet("w2")
    with pytest.raises(Invalid) as refused:
        fleets.resolve(fleet_digest(other), fleet)
    assert refused.value.field == "snapshot.fleet_digest"
    with pytest.raises(FleetUnknown):
        fleets.resolve(fleet_digest(other), None)


def test_the_fleet_used_longest_ago_is_forgotten_first() -> None:
    fleets, (old, used, new) = Fleets(kept=2), (a_fleet("old"), a_fleet("used"), a_fleet("new"))
    fleets.resolve("", used)
    fleets.resolve("", old)
    fleets.resolve(fleet_digest(used), None)
    fleets.resolve("", new)
    assert fleets.resolve(fleet_digest(used), None) == used
    assert fleets.resolve(fleet_digest(new), None) == new
    with pytest.raises(FleetUnknown):
        fleets.resolve(fleet_digest(old), None)
