"""This module reads the moments that people write: a time of day, a date, or how long from now. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from ganger_core.domain.errors import GangerError, Invalid
from ganger_core.domain.parse import parse_duration
from ganger_core.domain.validate import LATEST_MS, check_seconds

EXAMPLES = "such as 14:30, 2026-12-24T08:00, 1h30m (from now) or now+1h30m"


def moment_ms(value: float | str | datetime, field: str, now: datetime) -> int:
    """Unix milliseconds of a moment; raises `Invalid`, naming the field.

    A number is seconds from `now`, and so is a text such as `1h30m` or `now+90`. `14:30` is the next time that clocks
    show it. A date may have a time and an offset from UTC; without one it is local time, as a `datetime` without one
    is. `now` must have an offset.
    """
    if isinstance(value, datetime):
        return _checked(value, field)
    if not isinstance(value, str):
        check_seconds(value, field)
        return _checked(now + timedelta(seconds=value), field)
    text = value.strip()
    try:
        return _checked(now + timedelta(seconds=parse_duration(text.removeprefix("now+"), field)), field)
    except GangerError:
        pass
    try:
        hours, *minutes = map(int, text.split(":"))
        day = now.replace(
            hour=hours, minute=minutes[0], second=minutes[1] if minutes[1:] else 0, microsecond=0
        )
        return _checked(day if day > now else day + timedelta(days=1), field)
    except (ValueError, IndexError):
        pass
    try:
        return _checked(datetime.fromisoformat(text), field)
    except ValueError:
        raise Invalid(f"{field}: {value!r} is no moment {EXAMPLES}", field=field) from None


def _checked(moment: datetime, field: str) -> int:
    try:
        ms = round(moment.timestamp() * 1000)
    except (OverflowError, OSError):
        ms = -1
    if not 0 < ms <= LATEST_MS:
        raise Invalid(f"{field}: {moment} is too far away", field=field)
    return ms
