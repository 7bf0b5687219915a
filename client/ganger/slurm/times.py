"""This module reads lengths of time and moments as Slurm writes them. Pure: the present moment is an argument."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from ganger_core.domain.errors import Invalid

_LENGTH = re.compile(r"(?:(\d{1,6})-)?(\d{1,9})(?::(\d{1,9}))?(?::(\d{1,9}))?", re.ASCII)
_NO_LIMIT = {"UNLIMITED", "INFINITE", "-1", "0"}
_UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_NOW = re.compile(r"now(?:\+(\d{1,9})(?:(second|minute|hour|day|week)s?)?)?", re.ASCII)
_NAMED = {"midnight": time(0), "noon": time(12), "fika": time(15), "teatime": time(16)}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?", re.ASCII | re.IGNORECASE)
_DATES = ("%Y-%m-%d", "%m/%d/%y", "%m.%d.%y", "%m%d%y", "%m/%d", "%m.%d", "%m%d")


def limit_s(text: str, field: str) -> float:
    """Seconds from a length of time in any of Slurm's forms; 0 for none. Raises `Invalid`.

    They are minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and
    days-hours:minutes:seconds; UNLIMITED, INFINITE, -1 and 0 set no limit.
    """
    if text.upper() in _NO_LIMIT:
        return 0.0
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise Invalid(
            f"{field}: {text!r} is no length of time; write 90 (minutes), 1:30:00 or 1-12 (days-hours)",
            field=field,
        )
    days, *parts = match.groups()
    first, second, third = (int(part) if part else 0 for part in parts)
    if days is not None:
        return float(int(days) * 86_400 + first * 3600 + second * 60 + third)
    if parts[2] is not None:
        return float(first * 3600 + second * 60 + third)
    return float(first * 60 + second)


def moment(text: str, now: datetime, field: str) -> datetime:
    """A moment in any of Slurm's forms, in local time as `now` is. Raises `Invalid`.

    A time of the day without a date is the next one: today, or tomorrow when it is over; so is a day without a year.
    """
    if match := _NOW.fullmatch(text):
        return now + timedelta(seconds=int(match[1] or 0) * _UNIT_S[match[2] or "second"])
    if text.isascii() and text.isdigit() and len(text) >= 9:  # seconds since 1970, as `date +%s` writes them
        return datetime.fromtimestamp(int(text[:12]), now.tzinfo)
    if text in ("today", "tomorrow"):
        day = now + timedelta(days=text == "tomorrow")
        return day.replace(hour=0, minute=0, second=0, microsecond=0)
    clock = _clock(text)
    if clock is not None:
        then = datetime.combine(now.date(), clock, now.tzinfo)
        return then if then > now else then + timedelta(days=1)
    date_text, _, clock_text = text.replace(" ", "T", 1).partition("T")
    day_only = _date(date_text, now)
    at = _clock(clock_text) if clock_text else time(0)
    if day_only is None or at is None:
        raise Invalid(
            f"{field}: {text!r} is no moment; write 16:00, now+1hour, tomorrow or 2026-01-31T12:30:00",
            field=field,
        )
    return datetime.combine(day_only, at, now.tzinfo)


def _clock(text: str) -> time | None:
    if text in _NAMED:
        return _NAMED[text]
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, half = int(match[1]), (match[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half == "pm")
    try:
        return time(hour, int(match[2]), int(match[3] or 0))
    except ValueError:
        return None


def _date(text: str, now: datetime) -> datetime | None:
    for form in _DATES:
        has_year = "y" in form.lower()
        try:
            day = datetime.strptime(
                text if has_year else f"{now.year} {text}", form if has_year else f"%Y {form}"
            )
        except ValueError:
            continue
        return day if has_year or day.date() >= now.date() else _a_year_later(day)
    return None


def _a_year_later(day: datetime) -> datetime | None:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return None


def length(seconds: float) -> str:
    """A length of time as Slurm writes it in lists: 1:05, 2:03:04, 1-02:03:04."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, minutes, left = rest // 3600, rest % 3600 // 60, rest % 60
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{left:02}"
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def full_length(seconds: float) -> str:
    """The same with all its places, as accounts have it: 00:01:05, 1-02:03:04."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days}-{clock}" if days else clock
