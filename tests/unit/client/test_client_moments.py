"""This module checks how moments that people write are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ganger import Invalid, task_spec
from ganger.moments import moment_ms

NOW = datetime(2026, 11, 21, 13, 0, 0, tzinfo=timezone(timedelta(hours=1)))  # noon in UTC


def at(*parts: int) -> int:
    return round(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("90", at(2026, 11, 21, 12, 1, 30)),
        (90, at(2026, 11, 21, 12, 1, 30)),
        ("now+1h30m", at(2026, 11, 21, 13, 30)),
        ("13:30", at(2026, 11, 21, 12, 30)),
        ("12:59:30", at(2026, 11, 22, 11, 59, 30)),  # tomorrow
        ("2026-12-24T08:00+00:00", at(2026, 12, 24, 8)),
        (datetime(2027, 1, 1, tzinfo=UTC), at(2027, 1, 1)),
    ],
)
def test_a_moment_is_read(written: float | str | datetime, moment: int) -> None:
    assert moment_ms(written, "at", NOW) == moment


@pytest.mark.parametrize("written", ["soon", "25:00", "2026-13-01", -1, float("nan"), "", "9999-01-01"])
def test_what_is_no_moment_is_refused_naming_the_field(written: float | str) -> None:
    with pytest.raises(Invalid) as refused:
        moment_ms(written, "at", NOW)
    assert refused.value.field == "at"


def test_a_date_without_an_offset_is_local_time() -> None:
    local = datetime(2026, 12, 24, 8).astimezone()
    assert moment_ms("2026-12-24T08:00", "at", NOW) == round(local.timestamp() * 1000)


def test_the_moment_is_part_of_the_task() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    spec = task_spec(["true"], not_before=moment, hold=True)
    assert (spec.not_before_ms, spec.hold) == (at(2030, 1, 1), True)
