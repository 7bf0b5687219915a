"""This module tests the transition tables against a second, compact writing of them."""

from __future__ import annotations

import pytest

from ganger_core.domain import states
from ganger_core.domain.states import IllegalMove, advance, diagram

# One line per state: `event>target`. Whatever is not here must raise.
TASK = """
PENDING    assigned>SCHEDULED cancelled>CANCELLED expired>EXPIRED skipped>SKIPPED failed>FAILED
SCHEDULED  withdrawn>PENDING requeued>PENDING retried>PENDING accepted>STARTING started>RUNNING stop_asked>STOPPING
SCHEDULED  succeeded>SUCCEEDED failed>FAILED cancelled>CANCELLED timed_out>TIMED_OUT
STARTING   withdrawn>PENDING requeued>PENDING retried>PENDING started>RUNNING stop_asked>STOPPING succeeded>SUCCEEDED
STARTING   failed>FAILED timed_out>TIMED_OUT
RUNNING    requeued>PENDING retried>PENDING stop_asked>STOPPING succeeded>SUCCEEDED failed>FAILED timed_out>TIMED_OUT
STOPPING   succeeded>SUCCEEDED failed>FAILED cancelled>CANCELLED timed_out>TIMED_OUT
STOPPING   withdrawn>PENDING requeued>PENDING retried>PENDING
SUCCEEDED
FAILED
CANCELLED
TIMED_OUT
EXPIRED
SKIPPED
"""
ATTEMPT = """
ASSIGNED  accepted>STARTING started>RUNNING stop_asked>STOPPING ended>ENDED rejected>REJECTED revoked>REVOKED lost>LOST
STARTING  started>RUNNING stop_asked>STOPPING ended>ENDED rejected>REJECTED revoked>REVOKED lost>LOST
RUNNING   stop_asked>STOPPING ended>ENDED lost>LOST
STOPPING  ended>ENDED rejected>REJECTED revoked>REVOKED lost>LOST
ENDED
REJECTED
REVOKED
LOST
"""
WORKER = """
UP        registered>UP heartbeat>UP drained>DRAINING silent>LOST
DRAINING  registered>UP heartbeat>UP drained>DRAINING silent>LOST
LOST      registered>UP heartbeat>UP drained>DRAINING
"""
TABLES = {
    "task": (states.TASK_MOVES, states.TaskState, states.TaskEvent, TASK),
    "attempt": (states.ATTEMPT_MOVES, states.AttemptState, states.AttemptEvent, ATTEMPT),
    "worker": (states.WORKER_MOVES, states.Liveness, states.WorkerEvent, WORKER),
}


def expected_moves(text: str) -> dict[str, dict[str, str]]:
    moves: dict[str, dict[str, str]] = {}
    for line in text.strip().splitlines():
        state, *arrows = line.split()
        moves.setdefault(state, {}).update(dict(arrow.split(">") for arrow in arrows))
    return moves


@pytest.mark.parametrize("name", TABLES)
def test_every_state_takes_every_event_as_written_here_or_raises(name: str) -> None:
    table, state_type, event_type, text = TABLES[name]
    expected = expected_moves(text)
    assert set(expected) == set(state_type) == set(table)
    for state in state_type:
        for event in event_type:
            target = expected[state].get(event)
            if target is None:
                with pytest.raises(
                    IllegalMove, match=f"{state_type.__name__} {state} does not allow {event}"
                ):
                    advance(table, state, event)
            else:
                assert advance(table, state, event) is state_type(target)


@pytest.mark.parametrize("name", TABLES)
def test_every_event_is_of_use(name: str) -> None:
    _, _, event_type, text = TABLES[name]
    assert {event for moves in expected_moves(text).values() for event in moves} == set(event_type)


def test_finals_are_the_states_without_an_exit() -> None:
    assert {"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "EXPIRED", "SKIPPED"} == states.TASK_FINAL
    assert {"ENDED", "REJECTED", "REVOKED", "LOST"} == states.ATTEMPT_FINAL


@pytest.mark.parametrize(
    ("liveness", "late", "word", "full", "empty"),
    [
        ("UP", False, "", "UP", "UP"),
        ("UP", False, "cordon", "CORDONED", "CORDONED"),
        ("UP", False, "drain", "DRAINING", "DRAINED"),
        ("UP", True, "", "SUSPECT", "SUSPECT"),
        ("UP", True, "drain", "SUSPECT", "SUSPECT"),
        ("DRAINING", False, "", "DRAINING", "DRAINED"),
        ("DRAINING", True, "cordon", "DRAINING", "DRAINED"),
        ("LOST", False, "", "LOST", "LOST"),
        ("LOST", True, "drain", "LOST", "LOST"),
    ],
)
def test_a_worker_stands_as_its_liveness_and_an_operators_word_say(
    liveness: str, late: bool, word: str, full: str, empty: str
) -> None:
    for is_empty, shown in ((False, full), (True, empty)):
        found = states.worker_state(
            states.Liveness(liveness),
            late=late,
            cordoned=bool(word),
            drains=word == "drain",
            empty=is_empty,
        )
        assert found == shown


def test_the_diagram_has_one_line_per_pair_of_states_and_marks_finals() -> None:
    for name, (table, state_type, _, text) in TABLES.items():
        lines = diagram(table).splitlines()
        pairs = {
            (state, target) for state, moves in expected_moves(text).items() for target in moves.values()
        }
        finals = [state for state in state_type if not table[state]]
        assert lines[0] == "stateDiagram-v2", name
        assert len(lines) == 1 + len(pairs) + len(finals)
        assert all(f"    {state} --> [*]" in lines for state in finals)
    assert (
        "    SCHEDULED --> PENDING: withdrawn, requeued, retried" in diagram(states.TASK_MOVES).splitlines()
    )
