"""This module stands between an executor and the agent: an attempt that leaves outputs is over when they are published.

    executor ──► exit ──► outputs? ── no ──────────────────────────► agent
                             └─ yes ─► count, hash, rename, in slices ─┘

An exit that is held back here is still kept by the executor, which tells it again to a restarted worker; the agent sees
an attempt that lives until then. The slices of several attempts take turns, so that a large one holds up nobody.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from ganger_core.domain.outputs import Publish, publishes
from ganger_core.domain.task import AttemptRef
from ganger_worker.executors.base import Cause, Exit, Listener, Refused, Started
from ganger_worker.executors.outputs import Work
from ganger_worker.threads import Loop

KEEP_DONE = 10_000  # exits passed on, which the executor may tell again

_ENDS = (None, Cause.ORDER, Cause.LIMIT)  # of an attempt whose end is told; all others are lost


class PublishedFolders(Protocol):
    """Where outputs are; see `executors.outputs.OutputFolders`."""

    def wrote(self, ref: AttemptRef) -> bool:
        """Whether there are outputs of the attempt."""
        ...

    def policy(self, ref: AttemptRef) -> Publish:
        """When they are published."""
        ...

    def publish(self, ref: AttemptRef) -> Work:
        """Publish them."""
        ...


class Publisher:
    """Implements `Listener`, with the thread that publishes; passes everything on to `listener`."""

    def __init__(self, outputs: PublishedFolders, listener: Listener) -> None:
        self._outputs = outputs
        self._listener = listener
        # One of the two threads tells at a time, as if there were one: an attempt that the agent has heard the end of
        # must not be told as living by the other.
        self._telling = threading.Lock()
        self._held: dict[AttemptRef, Exit] = {}  # guarded by _telling
        self._done: OrderedDict[AttemptRef, None] = OrderedDict()  # guarded by _telling
        self._changed = threading.Condition()
        self._turns: deque[tuple[AttemptRef, Work]] = deque()  # guarded by _changed
        self._stopping = threading.Event()
        self.loop = Loop("publisher", self.run_once, self._stopping, self._wake)

    def on_recovered(self, living: Sequence[Started], exits: Sequence[Exit]) -> None:
        """As `Listener.on_recovered`; what is to be published still lives."""
        with self._telling:
            over, publishing, fresh = self._split_locked(exits)
            self._listener.on_recovered([*living, *publishing], over)
            self._begin(fresh)

    def on_news(self, started: Sequence[Started], exits: Sequence[Exit], refused: Sequence[Refused]) -> None:
        """As `Listener.on_news`; what is to be published still lives."""
        with self._telling:
            over, publishing, fresh = self._split_locked(exits)
            self._listener.on_news([*started, *publishing] if publishing else started, over, refused)
            self._begin(fresh)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be published."""
        return not self._turns

    def run_once(self) -> None:
        """Publish a slice of the next attempt's outputs, or wait for one."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns or self._stopping.is_set())
            if not self._turns:
                return
            ref, work = self._turns.popleft()
        try:
            next(work)
        except StopIteration as end:
            with self._telling:
                self._done[ref] = None
                if len(self._done) > KEEP_DONE:
                    self._done.popitem(last=False)
                self._listener.on_news((), [replace(self._held.pop(ref), outputs=end.value)], ())
        else:
            with self._changed:
                self._turns.append((ref, work))

    def _split_locked(self, exits: Sequence[Exit]) -> tuple[Sequence[Exit], list[Started], list[AttemptRef]]:
        """What is over, what is to be published first, and which of that is new."""
        found = {exit_.ref: exit_ for exit_ in exits if self._is_held_locked(exit_)}
        if not found:
            return exits, [], []
        fresh = [ref for ref in found if ref not in self._held]
        self._held.update((ref, found[ref]) for ref in fresh)
        over = [exit_ for exit_ in exits if exit_.ref not in found]
        return over, [Started(exit_.ref, exit_.started_s) for exit_ in found.values()], fresh

    def _is_held_locked(self, exit_: Exit) -> bool:
        """Whether there is something to publish. It costs an exit without outputs one look into an empty folder."""
        is_end = exit_.code is not None or exit_.signal is not None
        if not is_end or exit_.unkillable or exit_.cause not in _ENDS:
            return False
        if exit_.ref in self._held:
            return True
        if not self._outputs.wrote(exit_.ref) or exit_.ref in self._done:
            return False
        succeeded = exit_.code == 0 and exit_.cause is None
        return publishes(self._outputs.policy(exit_.ref), succeeded=succeeded)

    def _begin(self, fresh: Sequence[AttemptRef]) -> None:
        if fresh:
            with self._changed:
                self._turns.extend((ref, self._outputs.publish(ref)) for ref in fresh)
                self._changed.notify()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
