"""This module tests which acknowledgements of a load count."""

from __future__ import annotations

from pathlib import Path

from crash.checkers import Ack
from crash.load import Load, waiting_spec


def test_what_was_acknowledged_during_a_fault_does_not_count() -> None:
    load = Load(Path("/nowhere"), lambda name, _: waiting_spec(name), 1)
    load.acks = [Ack(name, number, None) for number, name in enumerate("abcd", start=1)]
    load.acked_at = {"a": 1.0, "b": 2.0, "c": 2.5, "d": 9.0}
    assert [ack.request_id for ack in load.acks_outside([(2.0, 3.0), (8.0, 8.9)])] == ["a", "d"]
    assert load.acks_outside([]) == load.acks
