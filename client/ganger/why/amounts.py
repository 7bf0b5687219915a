"""This module puts amounts, names and moments into the words that explanations are made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganger.layout import clean, cpus, cut, duration, size
from ganger_core.domain.resources import Resources

MOST_OF_A_NAME = 30


@dataclass(frozen=True, slots=True)
class Moments:
    """Says when something was or will be, from the moment `now_ms` (Unix) on; `clock` writes the time of day."""

    now_ms: int
    clock: Callable[[int], str]

    def since(self, at_ms: int) -> str:
        """How long ago."""
        return duration((self.now_ms - at_ms) / 1000)

    def until(self, at_ms: int) -> str:
        """How long until then."""
        return duration((at_ms - self.now_ms) / 1000)


def amounts(value: Resources) -> str:
    """2 CPUs and 4GiB; a number of slots is the number of tasks at the same time."""
    words = []
    if value.cpu_milli:
        words.append(f"{cpus(value.cpu_milli)} CPU{'' if value.cpu_milli == 1000 else 's'}")
    if value.memory_bytes:
        words.append(size(value.memory_bytes))
    if value.slots:
        words.append(plural(value.slots, "slot"))
    return listed(words) or "nothing"


def request_amounts(value: Resources) -> str:
    """What a task asks for; that it takes a slot goes without saying."""
    return amounts(value._replace(slots=0))


def plural(count: int, word: str) -> str:
    """1 task, 2 tasks."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def called(label: str, name: str) -> str:
    """42 "train"; the id alone without a name."""
    return f'{label} "{cut(clean(name), MOST_OF_A_NAME)}"' if name else label


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".") if text else ""
