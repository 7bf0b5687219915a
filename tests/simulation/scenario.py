"""This module reads scenarios: short scripts of what happens to a small cluster, with the outcome that is expected.

    # What this is about.
    world workers=2 cpus=1 lease=20
    0    submit a seconds=60
    5    cut w1 master
    90   end
    ----
        0 START a.1 on w1
    ...

Lines that begin with # are comments. Every other line is a time in virtual seconds, a verb, and what it takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RULE = "----"
KEYS = {
    "world": {"workers", "cpus", "lease", "seed"},
    "submit": {"seconds", "code", "term", "cpus"},
}
"""What may be said by name=number; `term` is how long a task takes to heed SIGTERM, and `never` is possible."""

VERBS: Mapping[str, tuple[str, ...]] = {
    "submit": ("label",),
    "cancel": ("label",),
    "kill": ("daemon",),
    "start": ("daemon",),
    "stop": ("daemon",),
    "continue": ("daemon",),
    "shutdown": ("worker",),
    "reboot": ("worker",),
    "suspend": ("worker", "seconds"),
    "cut": ("host", "host"),
    "mend": ("host", "host"),
    "slow": ("host", "host", "seconds"),
    "orders": ("worker", "seconds"),
    "break": ("worker",),
    "late": ("method", "seconds"),
    "twice": ("method", "seconds"),
    "commits": ("seconds",),
    "planner": ("planner",),
    "end": (),
}
"""What each verb takes. `slow` is for every message from one host to another, `orders` for the stream of orders to a
worker alone, `commits` for each commit from now on. `break` ends a worker's stream; `late` lets the next call of a
method leave so much later, `twice` lets it arrive a second time."""

PLANNERS = {"fine", "late", "dead", "wrong"}


class ScenarioError(Exception):
    """A line that makes no sense; says file and line."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line."""

    line: int
    at_s: float
    verb: str
    what: tuple[str, ...] = ()
    named: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file. `head` is everything above the expected outcome, as it stands there."""

    path: Path
    world: Mapping[str, float | None]
    steps: tuple[Step, ...]
    head: str
    expected: tuple[str, ...]


def load(path: Path) -> Scenario:
    """Read a file; raises `ScenarioError`."""
    return parse(path, path.read_text(encoding="utf-8"))


def parse(path: Path, text: str) -> Scenario:
    """Read a file's text; raises `ScenarioError`."""
    lines = text.splitlines()
    split = lines.index(RULE) if RULE in lines else len(lines)
    reader = _Reader(path)
    for number, line in enumerate(lines[:split], start=1):
        words = line.split("#")[0].split()
        if words:
            reader.take(number, words)
    if not reader.steps or reader.steps[-1].verb != "end":
        raise ScenarioError(f"{path}:{max(1, split)}: a scenario finishes with `TIME end`")
    head = "\n".join(lines[:split]).rstrip() + "\n"
    return Scenario(path, reader.world, tuple(reader.steps), head, tuple(lines[split + 1 :]))


def written(scenario: Scenario, outcome: Sequence[str]) -> str:
    """The file's text with another outcome."""
    return "\n".join((scenario.head + RULE, *outcome, ""))


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._labels: set[str] = set()
        self.world: dict[str, float | None] = {"workers": 1, "cpus": 1, "lease": 20, "seed": 1}
        self.steps: list[Step] = []

    def take(self, number: int, words: list[str]) -> None:
        self._number = number
        if words[0] == "world":
            if self.steps:
                self._wrong("`world` comes first")
            self.world.update(self._named("world", words[1:]))
            return
        at_s = self._seconds(words[0])
        if self.steps and at_s < self.steps[-1].at_s:
            self._wrong(f"{words[0]} is before the line above")
        if self.steps and self.steps[-1].verb == "end":
            self._wrong("nothing comes after `end`")
        if len(words) < 2:
            self._wrong("a time, and nothing that happens then")
        verb, rest = words[1], words[2:]
        if verb not in VERBS:
            self._wrong(f"unknown verb {verb}; there are {', '.join(VERBS)}")
        takes = VERBS[verb]
        if len(rest) < len(takes) or (len(rest) > len(takes) and verb not in KEYS):
            self._wrong(f"`{verb}` takes {' '.join(map(str.upper, takes)) or 'nothing'}")
        what = tuple(rest[: len(takes)])
        for kind, word in zip(takes, what, strict=True):
            self._check(verb, kind, word)
        self.steps.append(Step(number, at_s, verb, what, self._named(verb, rest[len(takes) :])))

    def _check(self, verb: str, kind: str, word: str) -> None:
        workers = {f"w{n}" for n in range(1, int(self.world["workers"] or 0) + 1)}
        known = {
            "worker": workers,
            "host": workers | {"master", "people"},
            "daemon": {"master", *workers}
            | ({f"keeper-of-{name}" for name in workers} if verb == "kill" else set()),
            "planner": PLANNERS,
        }
        if kind == "seconds":
            self._seconds(word)
        elif kind == "label":
            if (verb == "submit") == (word in self._labels):
                self._wrong(
                    f"{word} was submitted before" if verb == "submit" else f"nothing is named {word}"
                )
            self._labels.add(word)
        elif kind in known and word not in known[kind]:
            self._wrong(f"{word} is no {kind} of this world; there are {', '.join(sorted(known[kind]))}")

    def _named(self, verb: str, words: list[str]) -> dict[str, float | None]:
        found: dict[str, float | None] = {}
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or name not in KEYS[verb]:
                self._wrong(
                    f"`{verb}` does not take {word}; it takes {', '.join(sorted(KEYS[verb]))} as NAME=NUMBER"
                )
            found[name] = None if (name, value) == ("term", "never") else self._seconds(value)
        return found

    def _seconds(self, word: str) -> float:
        try:
            return float(word)
        except ValueError:
            return self._wrong(f"{word} is no number")

    def _wrong(self, why: str) -> float:
        raise ScenarioError(f"{self._path}:{self._number}: {why}")
