"""This module says when a task that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """When a task that failed by its own doing is tried again: `limit` times, after any exit code or those named.

    Exit codes are as in an `Outcome`: 128 + signal for one that died of a signal. `on` and `never_on` are sorted. With
    `on_timeout` it is tried again when its run limit was over, and without `on` only then. Before the n-th retry it
    waits up to `backoff_s` * 2^(n-1) seconds, at most ten minutes.
    """

    limit: int = 0
    on: tuple[int, ...] = ()
    never_on: tuple[int, ...] = ()
    on_timeout: bool = False
    backoff_s: float = 10.0


NO_RETRY = Retry()
