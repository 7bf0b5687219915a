"""This module hands in what job files say, so that the same run of the same files is handed in only once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ganger.build import task_spec
from ganger.jobfile.job import Entry, Job, batches
from ganger_core.domain.errors import Invalid

if TYPE_CHECKING:
    from ganger.client import Client

_RUN_ID = re.compile(r"([0-9]{8}T[0-9]{6})Z-[0-9a-f]{8}-[0-9a-f]{8}", re.ASCII)
_MOMENT = "%Y%m%dT%H%M%S"


def run_id_of(moment: datetime, chance: str, jobs: Sequence[Job]) -> str:
    """What a run of these files is called: its moment, 8 hexadecimal digits of chance, and what the files say."""
    return f"{moment.astimezone(UTC):{_MOMENT}}Z-{chance}-{_digest(jobs)}"


def moment_of(run_id: str) -> datetime:
    """The moment of a run, in UTC; raises `Invalid` for what no run is called."""
    match = _RUN_ID.fullmatch(run_id)
    try:
        return datetime.strptime(match[1] if match else "", _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        example = "20261224T080000Z-1f0c9a3e-77aa01b2"
        raise Invalid(f"{run_id[:80]!r} is no run: they are called like {example}", field="run_id") from None


def check_run(run_id: str, jobs: Sequence[Job]) -> None:
    """Raise `Invalid` unless these are the files of that run."""
    if not run_id.endswith(f"-{_digest(jobs)}"):
        raise Invalid(
            f"run {run_id} was of other files, or these have changed since: submit them as a new run",
            field="run_id",
        )


def hand_in(client: Client, jobs: Sequence[Job], run_id: str) -> Iterator[list[tuple[Entry, int]]]:
    """Submit everything; gives the entries with their ids, call by call.

    Tasks of one call are accepted all or none. Done again with the same files and the same `run_id`, what has been
    accepted before gets the same ids and is not submitted once more.
    """
    for number, job in enumerate(jobs):
        ids: dict[int, int] = {}
        for batch in batches(job.entries):
            request_id = f"{run_id}-{number}.{min(batch)}"
            found = _hand_in_batch(client, job, batch, ids, request_id)
            ids.update(zip(batch, found, strict=True))
            yield [(job.entries[position], ids[position]) for position in batch]


def _hand_in_batch(
    client: Client, job: Job, batch: Sequence[int], ids: dict[int, int], request_id: str
) -> Sequence[int]:
    # Tasks of one call name each other by their places in it: -1 is the first.
    known = {**ids, **{position: -1 - place for place, position in enumerate(batch)}}
    said: list[dict[str, Any]] = [{**_options(job.entries[position], known)} for position in batch]
    entry = job.entries[batch[0]]
    if entry.array is None:
        entries = [job.entries[position] for position in batch]
        specs = [task_spec(each.command, **options) for each, options in zip(entries, said, strict=True)]
        return client.submit_many(specs, request_id=request_id)
    array = entry.array
    return [
        client.submit_array(
            entry.command,
            array.indices,
            items=array.items,
            max_parallel=array.max_parallel,
            max_fails=array.max_fails,
            request_id=request_id,
            **said[0],
        )
    ]


def _options(entry: Entry, known: dict[int, int]) -> dict[str, Any]:
    if not entry.after:
        return {**entry.options}
    after = [(each.kind, each.task_id or known[each.position]) for each in entry.after]
    return {**entry.options, "after": after}


def _digest(jobs: Sequence[Job]) -> str:
    return hashlib.sha256("".join(job.digest for job in jobs).encode()).hexdigest()[:8]
