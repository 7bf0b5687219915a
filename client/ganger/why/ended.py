"""This module says why a task ended: what happened, what shows that, and what to do next. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

from ganger.layout import clean, duration, size
from ganger.why.amounts import Moments, plural
from ganger.wording import describe_end, signal_name
from ganger_core.domain.states import TaskState
from ganger_core.domain.task import Attempt, Outcome, OutcomeKind, Task

NOT_EXECUTABLE, NOT_FOUND = 126, 127

_SIGNALS: dict[int, str] = {
    signal.SIGKILL: "Nobody asked Ganger for that. On its host, often the kernel does it when memory runs out: "
    "`dmesg | grep -i oom` shows it, and --mem asks for more.",
    signal.SIGSEGV: "It touched memory that is not its own: an error in the program or in a library of it.",
    signal.SIGABRT: "It gave up by itself, mostly on a failed assertion: its last output should say which.",
    signal.SIGBUS: "It touched memory that was not there: often a file that became shorter, or a full /dev/shm.",
    signal.SIGFPE: "An arithmetic error in the program, such as a division by zero.",
    signal.SIGILL: "It ran an instruction that its host's processor does not know: built for another one?",
    signal.SIGTERM: "Nobody asked Ganger for that: something on its host sent the signal.",
    signal.SIGINT: "Nobody asked Ganger for that: something on its host sent the signal.",
    signal.SIGPIPE: "It wrote to a pipe that nobody read any more.",
    signal.SIGXCPU: "A limit of CPU time was over that its host or the program had set.",
}


def ended_lines(task: Task, attempts: Sequence[Attempt], moments: Moments) -> Iterator[str]:
    """All that there is to say, line by line."""
    outcome = task.outcome
    if task.array is not None:
        yield from _array(task)
        return
    if outcome is None:
        return
    attempt = attempts[-1] if attempts else None
    yield from _evidence(task, attempt, outcome, moments)
    yield from _meaning(task, outcome)
    if outcome.log_incomplete:
        yield "Its worker did not send all of its output in time: the end of it may be missing."
    if task.failures:
        yield f"It had failed {plural(task.failures, 'time')} before, and was tried again."
    if task.crashes:
        yield f"It was lost with its worker {plural(task.crashes, 'time')} while it ran."
    yield f"Next: {_next(task, attempt, outcome)}"


def _evidence(task: Task, attempt: Attempt | None, outcome: Outcome, moments: Moments) -> Iterator[str]:
    if attempt is None:
        waited = duration((task.finished_ms - task.submitted_ms) / 1000)
        yield "It never got a worker" + (f": it had waited for {waited}." if task.finished_ms else ".")
        return
    started = attempt.started_ms
    ran = f", ran for {duration((attempt.ended_ms - started) / 1000)}" if started and attempt.ended_ms else ""
    never = "" if started else ", never started"
    written = attempt.stdout_bytes + attempt.stderr_bytes
    output = f"; {size(written)} of output" if written else "; no output"
    parts = []
    if outcome.exit_code is not None:
        parts.append(f"exit code {outcome.exit_code}")
    if outcome.signal:
        parts.append(f"signal {outcome.signal} ({signal_name(outcome.signal)})")
    said = f"; {', '.join(parts)}" if parts else ""
    yield f"On {clean(attempt.worker_name)}, attempt {attempt.ref.token}{ran}{never}{said}{output}."


def _meaning(task: Task, outcome: Outcome) -> Iterator[str]:
    match outcome.kind:
        case OutcomeKind.OK:
            yield "Its command exited with code 0."
        case OutcomeKind.EXIT_NONZERO:
            yield "Its command ran and chose this exit code; what it means is the program's own affair."
        case OutcomeKind.SIGNALLED:
            yield _SIGNALS.get(outcome.signal or 0, "Ganger sent no signal: the program or its host did.")
        case OutcomeKind.LAUNCH_FAILED:
            yield "No process came to be: its worker could not start the command."
        case OutcomeKind.CANCELLED if task.state is not TaskState.CANCELLED:
            yield "Its worker stopped it, though nobody had asked for that."
        case OutcomeKind.CANCELLED:
            yield "It was ended on request; nothing is wrong with it."
        case OutcomeKind.TIMED_OUT:
            yield "Its worker stopped it: a signal first, SIGKILL after the grace."
        case OutcomeKind.EXPIRED if _missed_its_deadline(outcome):
            yield "It was given up so that nothing runs beyond its deadline."
        case OutcomeKind.EXPIRED:
            yield "No attempt of it had started within the time that it was to wait at most."
        case OutcomeKind.SKIPPED:
            yield "It never ran: what it was to run after did not end as it had to."
        case OutcomeKind.LOST:
            yield "What it did until then is not known; its output up to there is kept."
        case OutcomeKind.UNKILLABLE:
            yield "The system could not end all of its processes: mostly they wait for a disk or a network file system."


def _next(task: Task, attempt: Attempt | None, outcome: Outcome) -> str:
    label, logs = task.label, f"ganger logs {task.label}"
    again = f"ganger retry {label}"
    match outcome.kind:
        case OutcomeKind.OK:
            return f"{logs} shows its output."
        case OutcomeKind.EXIT_NONZERO | OutcomeKind.SIGNALLED:
            return f"{logs} shows what it said last; {again} runs it once more."
        case OutcomeKind.LAUNCH_FAILED:
            return _after_failed_launch(task, attempt, outcome)
        case OutcomeKind.CANCELLED:
            return f"{again} --cancelled queues it again."
        case OutcomeKind.TIMED_OUT:
            return f"{logs} shows how far it came; submit it again with a longer --time, or without one."
        case OutcomeKind.EXPIRED if _missed_its_deadline(outcome):
            return "submit it again with a later --deadline, a shorter --time or a higher --priority."
        case OutcomeKind.EXPIRED:
            return "submit it again with a longer --queue-timeout; `ganger worker ls` shows what workers have free."
        case OutcomeKind.SKIPPED:
            return _after_skipped(task, outcome)
        case OutcomeKind.LOST:
            worker = clean(attempt.worker_name) if attempt else "its worker"
            return (
                f"`ganger worker ls` and the log of {worker} show what became of that; {again} runs it again."
            )
        case OutcomeKind.UNKILLABLE:
            worker = clean(attempt.worker_name) if attempt else "its worker"
            return f"look at these processes on {worker}: state D in `ps` is waiting in the kernel; a reboot ends them."
        case _:
            return f"{logs} shows what it said."


def _missed_its_deadline(outcome: Outcome) -> bool:
    return "deadline" in outcome.message  # the master says so


def _after_skipped(task: Task, outcome: Outcome) -> str:
    first = outcome.message.partition(" ")[0]  # the master says what failed first, by its label
    if first in [str(each.task_id) for each in task.spec.after]:
        return f"mend {first}; `ganger retry {first} {task.label}` then runs both again, one after the other."
    return (
        f"mend what failed first; then `ganger retry` with that, what was skipped for it, and {task.label}."
    )


def _after_failed_launch(task: Task, attempt: Attempt | None, outcome: Outcome) -> str:
    worker = clean(attempt.worker_name) if attempt else "its worker"
    if outcome.exit_code == NOT_FOUND:
        return f"is the command installed on {worker}, and in the PATH there? A relative path counts from its folder."
    if outcome.message.startswith("working folder "):
        return f"--workdir names a folder that {worker} has; '' stands for a fresh one."
    if outcome.exit_code == NOT_EXECUTABLE:
        return "chmod +x makes a file executable; a script needs a first line such as #!/bin/sh."
    return f"the message names the cause; `ganger show {task.label}` shows the folder and the environment."


def _array(task: Task) -> Iterator[str]:
    array = task.array
    assert array is not None, task
    if task.state is TaskState.SUCCEEDED:
        yield f"All of its {plural(len(array), 'element')} succeeded."
        return
    counts = [f"{count} {state.value}" for state, count in array.counts if count]
    yield f"Of its {plural(len(array), 'element')}: {', '.join(counts)}."
    yield (
        f"Next: ganger ls {task.id} -s failed,timed_out,expired lists what failed, and `ganger why {task.id}.INDEX` "
        f"says why; ganger retry {task.id} queues these again."
    )


def end_words(task: Task) -> str:
    """How it ended, as the end of a sentence that begins with its name."""
    return clean(describe_end(task))
