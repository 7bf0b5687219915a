"""This module puts an explanation into lines for people that fit their terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ganger.layout import WIDTH, cell_width, cut, duration
from ganger.why.amounts import Moments, called
from ganger.why.ended import end_words, ended_lines
from ganger.why.living import history_lines, living_lines
from ganger.why.waiting import waiting_lines
from ganger.wording import describe_counts
from ganger_core.domain.explanation import Explanation
from ganger_core.domain.states import TaskState


def explain(explanation: Explanation, clock: Callable[[int], str], width: int = WIDTH) -> list[str]:
    """The lines; `clock` writes a moment (Unix ms) as a time of day."""
    moments = Moments(explanation.now_ms, clock)
    return [part for line in _lines(explanation, moments) for part in wrapped(line, width)]


def _lines(explanation: Explanation, moments: Moments) -> Iterator[str]:
    task, attempts = explanation.task, explanation.attempts
    what = "array" if task.array is not None else "task"
    name = f"{what} {called(task.label, task.spec.name)}"
    if task.is_final:
        when = f", {moments.since(task.finished_ms)} ago" if task.finished_ms else ""
        yield f"{name} {end_words(task)}{when} ({task.state.value})."
        yield from ended_lines(task, attempts, moments)
    else:
        yield _head(explanation, name, moments)
        if explanation.waiting is not None:
            began = any(attempt.started_ms for attempt in attempts)
            yield from waiting_lines(task, explanation.waiting, moments, began=began)
        elif explanation.living is not None:
            yield from living_lines(task, attempts, explanation.living, moments)
        elif task.array is None:
            yield "It is being placed at this very moment: ask again."
    before = attempts[:-1] if task.state is not TaskState.PENDING else attempts
    if before:
        yield "Earlier:"
        yield from history_lines(before, task.reason if task.state is TaskState.PENDING else "")


def _head(explanation: Explanation, name: str, moments: Moments) -> str:
    task, attempts = explanation.task, explanation.attempts
    if task.array is not None:
        return f"{name} is {task.state.value}: {describe_counts(task.array)}."
    if task.state is TaskState.PENDING:
        return f"{name} is PENDING, submitted {moments.since(task.submitted_ms)} ago."
    where = f" on {attempts[-1].worker_name}" if attempts else ""
    since = f" for {duration((moments.now_ms - task.started_ms) / 1000)}" if task.started_ms else ""
    return f"{name} is {task.state.value}{where}{since}."


def wrapped(line: str, width: int) -> list[str]:
    """The line broken between words; what follows stands two columns further in. A word that is too long is cut."""
    indent = len(line) - len(line.lstrip(" "))
    if cell_width(line) <= width:
        return [line]
    further = " " * (indent + 4 if line.lstrip().startswith("- ") else indent + 2)
    lines, current = [], " " * indent
    for word in line[indent:].split(" "):
        candidate = f"{current} {word}" if current.strip() else current + word
        if cell_width(candidate) > width and current.strip():
            lines.append(current.rstrip())
            candidate = further + word
        current = cut(candidate, width)
    return [*lines, current.rstrip()]
