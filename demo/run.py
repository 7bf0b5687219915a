"""This module is what `make demo` runs: a small cluster on this machine, and 24 real trainings on it.

It starts `ganger dev` in a temporary folder, submits one task per training through the SDK, follows them by
the event feed, and shows what they found and what ran when on which worker. Everything is stopped at the end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ganger import Client, LogStream, TaskSpec, TaskState, task_spec

TRAINING = Path(__file__).resolve().with_name("digits.py")
RATES, PENALTIES, SEEDS = (0.01, 0.1, 0.5, 1.0), (0.0, 0.0001, 0.001), (0, 1)
WORKERS = 2
MOST_CPUS = 4  # per worker; enough to see several trainings side by side
GANTT_WIDTH = 64
OVER = frozenset({TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED})


@dataclass(frozen=True)
class Ran:
    """One training that is over: where, from when to when (milliseconds), and what it found."""

    task_id: int
    state: TaskState
    worker: str
    started_ms: int
    finished_ms: int
    result: dict[str, float]
    last_words: str


def trainings() -> list[TaskSpec]:
    """One task for each combination of learning rate, penalty and seed."""
    return [
        task_spec(
            [sys.executable, str(TRAINING), "--lr", str(lr), "--reg", str(reg), "--seed", str(seed)],
            name=f"digits lr={lr} reg={reg} seed={seed}",
            env={"OMP_NUM_THREADS": "1"},
            cpus=1,
        )
        for lr, reg, seed in itertools.product(RATES, PENALTIES, SEEDS)
    ]


@contextlib.contextmanager
def a_cluster(folder: Path) -> Iterator[None]:
    """`ganger dev` in `folder`, ready when this begins and gone when it ends."""
    cpus = max(1, min(MOST_CPUS, len(os.sched_getaffinity(0)) // WORKERS))
    command = ["dev", "--workers", str(WORKERS), "--cpus", str(cpus), "--state-dir", str(folder)]
    dev = subprocess.Popen(
        [sys.executable, "-m", "ganger", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,  # Ctrl-C comes here first, and the cluster is then stopped in order
    )
    with dev:
        try:
            assert dev.stdout is not None
            if "ganger dev is ready" not in dev.stdout.readline():
                sys.exit("the cluster did not start")
            yield
        finally:
            dev.terminate()
            dev.wait()  # leaving the block on Ctrl-C would not wait for the cluster's end


def follow(client: Client, ids: Sequence[int], console: Console) -> None:
    """Return when all tasks are over; the bar moves with the events."""
    columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("training", total=len(ids))
        running: set[int] = set()
        over: set[int] = set()
        for event in client.events(task_ids=ids):
            running.discard(event.task_id)
            if event.state is TaskState.RUNNING:
                running.add(event.task_id)
            elif event.state in OVER:
                over.add(event.task_id)
            progress.update(bar, completed=len(over), description=f"training, {len(running)} at this moment")
            if len(over) == len(ids):
                progress.update(bar, description="trained")
                return


def collect(client: Client, ids: Sequence[int]) -> list[Ran]:
    """What became of each task, in the order of `ids`."""
    rows = {row.task.id: row for row in client.tasks(task_ids=ids)}
    found = []
    for task_id in ids:
        row = rows[task_id]
        written = dict.fromkeys(LogStream, b"")
        for chunk in client.logs(task_id):
            written[chunk.stream] += chunk.data
        succeeded = row.task.state is TaskState.SUCCEEDED
        result = json.loads(written[LogStream.STDOUT].splitlines()[-1]) if succeeded else {}
        complaints = written[LogStream.STDERR].decode(errors="replace").splitlines()
        found.append(
            Ran(
                task_id,
                row.task.state,
                row.worker_name,
                row.task.started_ms,
                row.task.finished_ms,
                result,
                complaints[-1] if complaints else "",
            )
        )
    return found


def accuracies(ran: Sequence[Ran]) -> Table:
    """One row per setting, the best on top."""
    table = Table(title="Accuracy on digits that were not seen, best first")
    for title in ("learning rate", "penalty", *(f"seed {seed}" for seed in SEEDS), "mean", "tasks"):
        table.add_column(title, justify="right")
    settings: dict[tuple[float, float], list[Ran]] = {}
    for each in ran:
        if each.result:
            settings.setdefault((each.result["lr"], each.result["reg"]), []).append(each)
    means = {key: sum(each.result["accuracy"] for each in runs) / len(runs) for key, runs in settings.items()}
    for rank, (lr, reg) in enumerate(sorted(means, key=lambda key: -means[key])):
        runs = settings[lr, reg]
        of_seed = {int(each.result["seed"]): f"{each.result['accuracy']:.1%}" for each in runs}
        table.add_row(
            f"{lr:g}",
            f"{reg:g}",
            *(of_seed.get(seed, "–") for seed in SEEDS),
            f"{means[lr, reg]:.1%}",
            " ".join(str(each.task_id) for each in runs),
            style="bold green" if not rank else None,
        )
    return table


def lanes(ran: Sequence[Ran]) -> list[list[Ran]]:
    """The runs of one worker, put side by side where they overlapped."""
    found: list[list[Ran]] = []
    for each in sorted(ran, key=lambda each: (each.started_ms, each.task_id)):
        free = next((lane for lane in found if lane[-1].finished_ms <= each.started_ms), None)
        if free is None:
            found.append([each])
        else:
            free.append(each)
    return found


def gantt(ran: Sequence[Ran]) -> list[str]:
    """What ran when: a line per worker and CPU in use, each bar as long as its task and named by it."""
    begun = [each for each in ran if each.started_ms]
    if not begun:
        return []
    first, last = min(each.started_ms for each in begun), max(each.finished_ms for each in begun)
    per_column = max(1, last - first) / GANTT_WIDTH
    lines = []
    for worker in sorted({each.worker for each in begun}):
        for number, lane in enumerate(lanes([each for each in begun if each.worker == worker])):
            cells = [" "] * GANTT_WIDTH
            for each in lane:
                start = min(GANTT_WIDTH - 1, int((each.started_ms - first) / per_column))
                end = max(start + 1, int((each.finished_ms - first) / per_column))
                cells[start:end] = list(f"▐{each.task_id}".ljust(end - start, "█")[: end - start])
            lines.append(f"{worker if not number else '':>8} {''.join(cells[:GANTT_WIDTH])}")
    scale = f"0 s{(last - first) / 1000:>{GANTT_WIDTH - 4}.1f}s"
    return [*lines, f"{'':>8} {scale}"]


def show(ran: Sequence[Ran], console: Console) -> bool:
    """Print what was found; whether every training succeeded."""
    console.print(accuracies(ran))
    console.print("\nWhat ran when, by worker (the number is the task's):")
    for line in gantt(ran):
        console.print(line, highlight=False, markup=False)
    failed = [each for each in ran if each.state is not TaskState.SUCCEEDED]
    if failed:
        console.print(
            f"{len(failed)} of {len(ran)} trainings failed; task {failed[0].task_id} said:", style="red"
        )
        console.print(failed[0].last_words or "nothing", markup=False)
    return not failed


def main() -> int:
    """Run the demo; returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as on Ctrl-C, cluster first
    console = Console()
    specs = trainings()
    with tempfile.TemporaryDirectory(prefix="gg") as folder:  # short: sockets lie in it
        try:
            console.print(f"starting a cluster of {WORKERS} workers on this machine …")
            with a_cluster(Path(folder)), Client(state_dir=folder) as client:
                ids = client.submit_many(specs)
                console.print(f"{len(ids)} trainings submitted; {specs[0].name!r} is the first")
                follow(client, ids, console)
                return 0 if show(collect(client, ids), console) else 1
        except KeyboardInterrupt:
            console.print("stopped")
            return 130


if __name__ == "__main__":
    sys.exit(main())
