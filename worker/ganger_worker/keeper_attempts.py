"""This module keeps attempts: starts them, stops them, enforces their limits and sees that nothing outlives them.

    start ──► main process lives ──► main process gone ──► nothing of it lives ──► exit, kept until acknowledged
                 │ stop, lease or limit over   │ others live: LINGER_S, then KILL        ▲
                 └► signal to all, grace, KILL ┘ ──► KILL_PATIENCE_S, and it still lives ─┘ as unkillable

It is part of the keeper: standard library only, one thread. All times are seconds on CLOCK_BOOTTIME.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any

from ganger_worker.keeper_attempt import KILL_AGAIN_S, LEASE_GRACE_S, Attempt
from ganger_worker.keeper_journal import Exit, Journal
from ganger_worker.keeper_process import (
    MARK,
    Key,
    LaunchFailed,
    launch,
    mark_of,
    owners,
    signal_all,
    survey,
)

LINGER_S = 1.0  # what the main process leaves behind may end by itself: a `tee` with the last lines, say
KILL_AGAIN_MAX_S = 5.0  # the longest pause between two KILLs of what does not end
KILL_PATIENCE_S = 60.0  # what lives so long after its first KILL is told as unkillable
REAP_EVERY = 16  # starts of one batch after which exits are told
QUIET_S = 0.005  # nobody needs to know sooner that it runs; half of what the worker's reporter waits anyway

Item = dict[str, Any]
"""One attempt in a message: task, token, and what the verb needs; or a whole message."""


class Attempts:
    """Every attempt of one worker that lives or whose exit is not acknowledged."""

    def __init__(
        self,
        journal: Journal,
        worker_id: str,
        folder: str,
        clock: Callable[[], float],
        kill_patience_s: float = KILL_PATIENCE_S,
    ) -> None:
        self._journal = journal
        self._worker_id = worker_id
        self._folder = folder
        self._clock = clock
        self._kill_patience_s = kill_patience_s
        self.next_tick = 0.0  # when `tick` is needed next, leases aside
        self._live: dict[Key, Attempt] = {}
        self._mains: dict[int, Attempt] = {}  # by the main process's id
        self._ending: list[Attempt] = []  # live, but their main process is gone
        # Orphans that came home, with the attempts that each may belong to: one, or all that lived then,
        # when it carries no mark and is in no session of ours.
        self._strays: dict[int, frozenset[Key]] = {}
        self._started: deque[Attempt] = deque()  # not told yet
        self._over: list[Exit] = []
        self._refused: list[Item] = []
        self._children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
        self._orphaned = [Attempt(key, inf, cause="keeper") for key in journal.open]  # a dead keeper's
        self._live.update((attempt.key, attempt) for attempt in self._orphaned)

    @property
    def lives(self) -> bool:
        """Whether any attempt lives."""
        return bool(self._live)

    def listing(self) -> Item:
        """Everything that is kept: what lives, and the exits that were not acknowledged."""
        live = [
            {**_named(a.key), "started": a.started, "cause": a.cause}
            for a in self._live.values()
            if not a.unkillable
        ]
        return {"event": "list", "live": live, "exits": list(self._journal.exits.values())}

    def start(self, items: Sequence[Item], base_env: Mapping[str, str]) -> Iterator[Item]:
        """Start each but those started before, with a predecessor alive, or without a lease; yields news as it goes."""
        fresh: dict[int, Item] = {}
        for item in items:
            if item["task"] in fresh:
                self._refuse(item, "older", "another attempt of this task is in the same batch")
            elif self._may_start(item):
                fresh[item["task"]] = item
        try:
            if fresh:
                self._journal.started([_key(item) for item in fresh.values()])
        except OSError as error:
            for item in fresh.values():
                self._refuse(item, "journal", f"the keeper cannot write its journal: {error.strerror}")
            fresh = {}
        for number, item in enumerate(fresh.values(), start=1):
            self._start_one(item, base_env)
            if number % REAP_EVERY == 0:
                self.reap()
                yield from self.news()
        os.chdir("/")

    def stop(self, items: Sequence[Item]) -> None:
        """Each one's `signal` to everything that it started, KILL after the `grace` that ends first.

        A signal goes out once. The first cause counts. Without a grace there is only KILL.
        """
        self.reap()  # who has ended by himself was not stopped
        told: dict[int, list[Attempt]] = {}
        for item in items:
            attempt = self._live.get(_key(item))
            if attempt is None or (attempt.how is not None and not attempt.cause):
                continue
            attempt.cause = attempt.cause or item["cause"]
            signum = item.get("signal", signal.SIGTERM)
            grace = 0.0 if signum == signal.SIGKILL else item["grace"]
            self._kill_by(attempt, self._clock() + grace)
            if grace > 0 and signum not in attempt.signals:
                attempt.signals.add(signum)
                told.setdefault(signum, []).append(attempt)
        for signum, attempts in told.items():
            self._signal(attempts, signum)

    def extend(self, items: Sequence[Item]) -> None:
        """Set new deadlines, or none any more."""
        for item in items:
            attempt = self._live.get(_key(item))
            if attempt is not None:
                attempt.deadline = _deadline(item)

    def limit(self, items: Sequence[Item]) -> None:
        """Set new run limits, or none any more; what is being stopped goes on being stopped."""
        for item in items:
            attempt = self._live.get(_key(item))
            if attempt is not None and attempt.limit != item["limit"]:
                attempt.limit, attempt.warned = item["limit"], False
                self.next_tick = min(self.next_tick, attempt.next_change)

    def acknowledge(self, items: Sequence[Item]) -> None:
        """Forget these exits."""
        self._journal.acknowledged([_key(item) for item in items])

    def reap(self) -> None:
        """Collect the children that ended, and find out whose attempt is over with them."""
        ended = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended = True
            self._strays.pop(pid, None)
            attempt = self._mains.pop(pid, None)
            if attempt is not None:
                code = os.waitstatus_to_exitcode(status)
                self._end(attempt, {"code": code} if code >= 0 else {"signal": -code})
        if ended:
            self._find_strays()
            self._settle()

    def tick(self) -> None:
        """Stop what may not go on, kill what did not heed, look after what a dead keeper left."""
        now = self._clock()
        self._enforce(now)
        self._warn(now)
        self._tend_orphaned(now)
        due = [a for a in self._live.values() if now >= a.kill_at]
        for attempt in due:
            attempt.killed = min(attempt.killed, now)
            attempt.kill_at = now + attempt.kill_again_s
            attempt.kill_again_s = min(2 * attempt.kill_again_s, KILL_AGAIN_MAX_S)
        self._signal(due, signal.SIGKILL)
        self._give_up([a for a in due if now >= a.killed + self._kill_patience_s and not a.unkillable])
        self.next_tick = min((attempt.next_change for attempt in self._live.values()), default=inf)
        if self._orphaned:
            self.next_tick = min(self.next_tick, now + KILL_AGAIN_S)

    @property
    def next_news(self) -> float:
        """When there will be news without anything happening."""
        return inf if not self._started else (self._started[0].started or 0.0) + QUIET_S

    def news(self) -> Iterator[Item]:
        """What happened since the last call, as a message for the worker. Exits are in the journal by now.

        That one runs is told when it has run for `QUIET_S`, or before a refusal: that may be of its second start.
        """
        started = []
        while self._started and (
            self._refused or self._started[0].key not in self._live or self._clock() >= self.next_news
        ):
            attempt = self._started.popleft()
            if attempt.key in self._live:
                started.append({**_named(attempt.key), "started": attempt.started})
        if started or self._over or self._refused:
            yield {"event": "news", "started": started, "exits": self._over, "refused": self._refused}
        self._over, self._refused = [], []

    def close(self) -> None:
        """KILL everything and close the files; for a keeper that is told to end."""
        self._signal(list(self._live.values()), signal.SIGKILL)
        self._journal.close()
        os.close(self._children)

    def _may_start(self, item: Item) -> bool:
        task, token = _key(item)
        last = self._journal.tokens.get(task, 0)
        if token <= last:
            self._refuse(item, "token", f"attempt {last} of this task was started here before")
            return False
        if last and any(key[0] == task for key in self._live):
            self._refuse(item, "older", f"attempt {last} of this task still lives here")
            return False
        if self._clock() >= _deadline(item):
            self._refuse(item, "late", "the order came when its lease was over")
            return False
        return True

    def _refuse(self, item: Item, code: str, why: str) -> None:
        self._refused.append({**_named(_key(item)), "code": code, "why": why})

    def _start_one(self, item: Item, base_env: Mapping[str, str]) -> None:
        key = _key(item)
        place = f"{self._folder}/attempts/{key[0]}-{key[1]}"
        env = {**base_env, **item["env"], MARK: mark_of(self._worker_id, key)}
        attempt = self._live[key] = Attempt(
            key, _deadline(item), item.get("limit"), item.get("grace", LEASE_GRACE_S), *item.get("warn", ())
        )
        try:
            pid = launch(item["command"], env, item["cwd"], f"{place}/stdout", f"{place}/stderr")
        except LaunchFailed as error:
            self._end(attempt, {"launch": error.code, "why": error.why})
            self._settle()
            return
        attempt.started, attempt.session = self._clock(), pid
        self._mains[pid] = attempt
        self._started.append(attempt)
        self.next_tick = min(self.next_tick, attempt.next_change)

    def _end(self, attempt: Attempt, how: Mapping[str, object]) -> None:
        attempt.how, attempt.ended = how, self._clock()
        self._ending.append(attempt)

    def _kill_by(self, attempt: Attempt, when: float) -> None:
        attempt.kill_at = min(attempt.kill_at, when)
        self.next_tick = min(self.next_tick, when)

    def _enforce(self, now: float) -> None:
        """Stop what has no lease any more, or has run longer than its limit."""
        if not any(attempt.must_stop(now) for attempt in self._live.values()):
            return
        self.reap()  # who has ended by himself was not stopped
        stopping = []
        for attempt in self._live.values():
            why = attempt.must_stop(now)
            if why == "lease":
                # From the end of the lease, not from now: a host that was suspended must not grant it a second grace.
                self._kill_by(attempt, attempt.deadline + LEASE_GRACE_S)
            elif why == "limit":
                self._kill_by(attempt, now + attempt.limit_grace)
            if why and attempt.is_left_alone:
                attempt.cause = why
                attempt.signals.add(signal.SIGTERM)
                stopping.append(attempt)
        self._signal(stopping, signal.SIGTERM)

    def _warn(self, now: float) -> None:
        """Tell those whose limit comes near."""
        for attempt in self._live.values():
            if now >= attempt.warn_at and attempt.is_left_alone:
                attempt.warned = True
                self._signal([attempt], attempt.warn_signal)

    def _give_up(self, attempts: Sequence[Attempt]) -> None:
        """Tell as over what KILL does not end. It stays here, to be killed on, and is never told again."""
        over = []
        for attempt in attempts:
            pids = self._processes({attempt.key}, strays=True)
            if pids:  # otherwise it is only waiting to be reaped
                attempt.unkillable = True
                how = {"unkillable": sorted(pids), **(attempt.how or {})}
                over.append(_exit(attempt, self._clock(), how))
        self._tell_over(over)

    def _tell_over(self, exits: Sequence[Exit]) -> None:
        if exits:
            self._journal.ended(exits)
            self._over += exits

    def _find_strays(self) -> None:
        """Take in orphans that became our children, with whose they are."""
        listed = b""
        while len(part := os.pread(self._children, 4096, len(listed))) > 2048:
            listed += part  # the kernel gives whole numbers, as many as have room in a page
        listed += part
        if listed.count(b" ") == len(self._mains) + len(self._strays):
            return  # nobody new
        new = {int(pid) for pid in listed.split()} - self._mains.keys() - self._strays.keys()
        if not new:
            return
        belongs = self._owners()
        everyone = frozenset(self._live)
        for pid in new:
            keys = self._strays[pid] = everyone & {belongs[pid]} if pid in belongs else everyone
            if not keys:  # of nobody who lives
                signal_all([pid], signal.SIGKILL)

    def _settle(self) -> None:
        """Declare over what is over; the rest of what it started gets a time to be killed at."""
        ending, self._ending = self._ending, []
        over = []
        for attempt in ending:
            if any(attempt.key in keys and not self._runs(keys) for keys in self._strays.values()):
                self._ending.append(attempt)
                if attempt.kill_at == inf:
                    self._kill_by(attempt, self._clock() + LINGER_S)
                continue
            del self._live[attempt.key]
            if not attempt.unkillable:
                over.append(_exit(attempt, attempt.ended, attempt.how or {}))
        self._tell_over(over)

    def _runs(self, keys: Iterable[Key]) -> bool:
        return any(self._live[key].how is None for key in keys if key in self._live)

    def _owners(self) -> dict[int, Key]:
        sessions = {a.session: a.key for a in self._live.values() if a.session}
        return owners(survey(), self._worker_id, sessions)

    def _signal(self, attempts: Sequence[Attempt], signum: int) -> None:
        if attempts:
            chosen = {attempt.key for attempt in attempts}
            signal_all(self._processes(chosen, strays=signum == signal.SIGKILL), signum)

    def _processes(self, chosen: set[Key], *, strays: bool) -> set[int]:
        """What lives of these attempts; with `strays`, also orphans that belong to nobody who runs."""
        pids = {pid for pid, key in self._owners().items() if key in chosen}
        if strays:
            pids |= {pid for pid, keys in self._strays.items() if keys & chosen and not self._runs(keys)}
        return pids

    def _tend_orphaned(self, now: float) -> None:
        """End what a dead keeper left: it is not ours to reap, so /proc must show that it is gone."""
        if not self._orphaned:
            return
        alive = set(self._owners().values())
        gone = [a for a in self._orphaned if a.key not in alive]
        fresh = [a for a in self._orphaned if a.key in alive and a.kill_at == inf]
        for attempt in fresh:
            self._kill_by(attempt, now + LEASE_GRACE_S)
        self._signal(fresh, signal.SIGTERM)
        self._orphaned = [a for a in self._orphaned if a.key in alive]
        for attempt in gone:
            self._end(attempt, {"lost": True})
        self._settle()


def _key(item: Item) -> Key:
    return item["task"], item["token"]


def _named(key: Key) -> Item:
    return {"task": key[0], "token": key[1]}


def _deadline(item: Item) -> float:
    """JSON knows no infinity: an attempt without a lease has no deadline."""
    return inf if item["deadline"] is None else float(item["deadline"])


def _exit(attempt: Attempt, ended: float, how: Mapping[str, object]) -> Exit:
    times = {"started": attempt.started, "ended": ended, "limit": attempt.limit}
    return {**_named(attempt.key), **times, "cause": attempt.cause, **how}
