"""This module reads what people write: numbers of CPUs, amounts of memory, lengths of time, exit codes.

Each `parse_x` raises `Invalid`, naming the field at fault, and says what it would take.
"""

from __future__ import annotations

import re
from decimal import Decimal

from ganger_core.domain.errors import Invalid
from ganger_core.domain.validate import MAX_CPU_MILLI, MAX_MEMORY_BYTES, check_int, check_seconds

_CODES = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", re.ASCII)
_DECIMAL = r"[0-9]{1,18}(?:\.[0-9]{1,9})?"
_MEMORY = re.compile(rf"({_DECIMAL}) ?([KMGTP]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_UNIT_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_DURATION_PART = re.compile(rf"({_DECIMAL})(ms|d|h|m|s)", re.ASCII)
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_cpus(text: str, field: str = "cpus") -> int:
    """Thousandths of a CPU from a number of CPUs such as `4` or `1.5`."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text, re.ASCII):
        raise Invalid(f"{field}: {text!r} is no number of CPUs such as 4, 1.5 or 0.125", field=field)
    if (milli := int(Decimal(text) * 1000)) > MAX_CPU_MILLI:
        raise Invalid(f"{field}: {text} is more than {MAX_CPU_MILLI // 1000} CPUs", field=field)
    return milli


def parse_memory(text: str, field: str = "memory") -> int:
    """Bytes from an amount such as `8GiB`, `8G`, `1.5g` or `1073741824`; units are powers of 1024."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise Invalid(
            f"{field}: {text!r} is no amount of memory such as 512M, 8GiB or 1073741824", field=field
        )
    amount = int(Decimal(match[1]) * _UNIT_BYTES[match[2].upper()])
    check_int(amount, field, 0, MAX_MEMORY_BYTES)
    return amount


def parse_duration(text: str, field: str = "duration") -> float:
    """Seconds from a length of time such as `90`, `2.5s`, `1h30m` or `200ms`."""
    if re.fullmatch(_DECIMAL, text, re.ASCII):
        seconds = float(text)
    else:
        parts = _DURATION_PART.findall(text)
        if not parts or "".join(amount + unit for amount, unit in parts) != text:
            raise Invalid(f"{field}: {text!r} is no length of time such as 90, 2.5s or 1h30m", field=field)
        seconds = float(sum(Decimal(amount) * _UNIT_MS[unit] for amount, unit in parts) / 1000)
    check_seconds(seconds, field)
    return seconds


def parse_exit_codes(text: str, field: str) -> tuple[int, ...]:
    """Exit codes in ascending order from text such as `75` or `1,75,80-90`."""
    codes: set[int] = set()
    for part in text.split(","):
        match = _CODES.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 255:
            raise Invalid(
                f"{field}: {part.strip()!r} is no exit code from 1 to 255 or range of them", field=field
            )
        codes.update(range(first, last + 1))
    return tuple(sorted(codes))
