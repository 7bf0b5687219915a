"""This module tests how what is wanted of a worker reaches it, and what it brings reaches those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ganger_core.domain.errors import Conflict
from ganger_core.domain.published import OutputPart, OutputRange
from ganger_core.domain.task import AttemptRef
from ganger_master import fetching
from ganger_master.fetching import PARTS, OutputDesk
from ganger_master.remembering import KnownOutputs, is_unwanted

FIRST, SECOND, THIRD = (OutputRange(AttemptRef(1, 1), "f", offset, 10) for offset in (0, 10, 20))
W = "id-w1"


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def test_a_waiting_worker_hears_at_once_and_both_readers_get_what_it_brings() -> None:
    async def work() -> None:
        desk = OutputDesk()
        poll = asyncio.create_task(desk.wanted(W, 20))
        readers = [asyncio.create_task(desk.read(W, FIRST)) for _ in range(2)]
        assert await poll == [FIRST]
        desk.came(W, [OutputPart(FIRST, b"data")])
        assert await asyncio.gather(*readers) == [OutputPart(FIRST, b"data")] * 2
        assert await desk.wanted(W, 0) == []

    run(work())


def test_what_a_worker_did_not_hear_of_it_is_told_again() -> None:
    async def work() -> None:
        desk = OutputDesk()
        readers = [asyncio.create_task(desk.read(W, each)) for each in (FIRST, SECOND, THIRD)]
        await asyncio.sleep(0)
        assert await desk.wanted(W, 0) == [FIRST, SECOND]
        assert await desk.wanted(W, 0) == [THIRD]  # two calls at once do not read the same
        desk.came(W, [OutputPart(SECOND, b"2"), OutputPart(SECOND._replace(offset=77), b"?")])
        assert await desk.wanted(W, 0) == [FIRST, THIRD]
        desk.came(W, [OutputPart(FIRST, b"1"), OutputPart(THIRD, error="gone")])
        assert [part.data for part in await asyncio.gather(*readers)] == [b"1", b"2", b""]

    assert PARTS == 2
    run(work())


def test_who_hangs_up_leaves_nothing_behind() -> None:
    async def work() -> None:
        desk = OutputDesk()
        gone, stays = (asyncio.create_task(desk.read(W, FIRST)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        assert await desk.wanted(W, 0) == [FIRST]
        stays.cancel()
        await asyncio.sleep(0)
        desk.came(W, [])
        assert await desk.wanted(W, 0) == []
        desk.came(W, [OutputPart(FIRST, b"late")])

    run(work())


def test_a_worker_that_does_not_answer_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.01)

    async def work() -> None:
        desk = OutputDesk()
        with pytest.raises(Conflict) as caught:
            await desk.read(W, FIRST)
        assert caught.value.reason == "WORKER_AWAY"
        assert await desk.wanted(W, 0) == []

    run(work())


OLD, YOUNG, AFTER_S = 100.0, 10.0, 50.0
NEEDED = {
    "stored": (KnownOutputs(2, True, 2), OLD, True),
    "stored, and its task waits for the log": (KnownOutputs(2, False, 2), OLD, True),
    "not reported yet": (KnownOutputs(2, False, 0), OLD, True),
    "not reported, an older one was": (KnownOutputs(2, False, 1), OLD, True),
    "of an older attempt": (KnownOutputs(3, False, 0), YOUNG, False),
    "of an older attempt, stored": (KnownOutputs(3, True, 2), YOUNG, False),
    "over without it": (KnownOutputs(2, True, 0), YOUNG, False),
    "over with another's": (KnownOutputs(2, True, 1), YOUNG, False),
    "from before a restore": (KnownOutputs(1, True, 1), YOUNG, True),
    "from long before a restore": (KnownOutputs(1, True, 1), OLD, False),
    "of no task known": (None, YOUNG, True),
    "of a task forgotten": (None, OLD, False),
}


@pytest.mark.parametrize("what", NEEDED)
def test_which_outputs_are_needed(what: str) -> None:
    known, age_s, needed = NEEDED[what]
    assert is_unwanted(AttemptRef(1, 2), age_s, known, AFTER_S) is not needed
