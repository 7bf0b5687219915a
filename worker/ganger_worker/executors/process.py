"""This module runs attempts as plain processes, by way of the keeper."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from ganger_core.domain.task import AttemptRef, Limits, StartOrder
from ganger_worker.executors.base import Cause, Exit, Launch, Listener, Refused, Started, Stop
from ganger_worker.executors.folders import AttemptFolders
from ganger_worker.keeper import boottime
from ganger_worker.keeper_client import KeeperClient, Message
from ganger_worker.lease_watch import LeaseWatch, kill_marked

INHERITED = frozenset(("PATH", "HOME", "LANG", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ"))
"""What an attempt gets of the worker's environment, beside LC_*."""
ANSWER_S = 15.0  # a keeper that has not answered a start for so long hangs, or its disk does
LIMIT_GRACE_S = 30.0  # between TERM and KILL at the run limit, unless the task says otherwise


def base_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What every attempt gets of the worker's own environment."""
    return {name: value for name, value in env.items() if name in INHERITED or name.startswith("LC_")}


class ProcessExecutor:
    """Implements `Executor`. `env` is what every attempt gets, `worker` the worker's name."""

    def __init__(
        self,
        folder: Path,
        folders: AttemptFolders,
        worker_id: str,
        worker: str,
        env: Mapping[str, str],
        listener: Listener,
    ) -> None:
        self._folders = folders
        self._swept = False
        self._worker = worker
        self._env = env
        self._listener = listener
        self._keeper = KeeperClient(folder, worker_id, self._on_message)
        self._watch = LeaseWatch(partial(kill_marked, worker_id))
        self._lock = threading.Lock()
        self._unanswered: dict[
            AttemptRef, float
        ] = {}  # since when each start waits for word: guarded by _lock

    def open(self) -> None:
        """Reach the keeper or start one; what it holds comes by `on_recovered`. Raises Unavailable."""
        self._keeper.start()
        self._watch.loop.start()

    def close(self, *, end_all: bool) -> None:
        """Leave the keeper alone with its attempts, or end both."""
        self._keeper.stop(end_keeper=end_all)
        self._watch.loop.stop()
        self._folders.close()

    def keeper_pid(self) -> int:
        """The keeper's process."""
        return self._keeper.pid

    def closed(self) -> str:
        """A keeper that does not answer starts nothing: what it has goes on, more it should not get."""
        with self._lock:
            waited_s = boottime() - min(self._unanswered.values(), default=inf)
        if waited_s < ANSWER_S:
            return ""
        return f"the keeper of worker {self._worker}, process {self._keeper.pid}, has not answered for {waited_s:.0f} s"

    def prepare(self, order: StartOrder) -> None:
        """Make the attempt's folders; raises OSError."""
        self._folders.make(order.ref, order.spec.publish)

    def start(self, launches: Sequence[Launch]) -> None:
        """Hand all to the keeper in one message."""
        self._watch.expect((launch.order.ref, launch.deadline_s) for launch in launches)
        now_s = boottime()
        with self._lock:
            self._unanswered.update((launch.order.ref, now_s) for launch in launches)
        self._keeper.send("start", base_env=self._env, attempts=[self._item(launch) for launch in launches])

    def stop(self, stops: Sequence[Stop]) -> None:
        """Have the keeper end these."""
        items = [
            {**_named(s.ref), "grace": s.grace_s, "cause": s.cause.value, "signal": int(s.signal)}
            for s in stops
        ]
        self._keeper.send("stop", attempts=items)

    def extend(self, deadlines: Iterable[tuple[AttemptRef, float]]) -> None:
        """Move the ends of leases."""
        deadlines = tuple(deadlines)
        self._watch.expect(deadlines)
        items = [{**_named(ref), "deadline": _deadline(when)} for ref, when in deadlines]
        self._keeper.send("extend", attempts=items)

    def limit(self, limits: Iterable[tuple[AttemptRef, float]]) -> None:
        """Have other run limits."""
        self._keeper.send(
            "limit", attempts=[{**_named(ref), "limit": run_s or None} for ref, run_s in limits]
        )

    def forget(self, refs: Sequence[AttemptRef]) -> None:
        """Acknowledge these exits and remove what nobody needs of their files."""
        self._keeper.send("ack", attempts=[_named(ref) for ref in refs])
        for ref in refs:
            self._folders.clear(ref)

    def _item(self, launch: Launch) -> dict[str, Any]:
        ref, spec = launch.order.ref, launch.order.spec
        place = self._folders.place(ref)
        env = dict(spec.env)
        env["GANGER_TASK_ID"] = str(ref.task_id)
        env["GANGER_ATTEMPT"] = env["GANGER_TOKEN"] = str(ref.token)
        env["GANGER_OUTPUT_DIR"] = f"{place}/outputs"
        env["GANGER_WORKER"] = self._worker
        return {
            "task": ref.task_id,
            "token": ref.token,
            "command": spec.command,
            "env": env,
            "cwd": spec.workdir or f"{place}/work",
            "deadline": _deadline(launch.deadline_s),
            "limit": spec.limits.run_s or None,
            "grace": LIMIT_GRACE_S if spec.limits.grace_s is None else spec.limits.grace_s,
            **_warning(spec.limits),
        }

    def _on_message(self, message: Message) -> None:
        if message["event"] == "list":
            self._on_list(message)
        else:
            self._on_news(message)

    def _on_list(self, message: Message) -> None:
        with self._lock:  # it is the whole of what the keeper has: what it lacks is handed over again
            self._unanswered.clear()
        living = [_started(item) for item in message["live"]]
        exits = [self._ended(item) for item in message["exits"]]
        self._watch.keep_only({started.ref for started in living})
        if not self._swept:
            self._folders.clear_all_but({s.ref for s in living} | {e.ref for e in exits})
            self._swept = True
        self._listener.on_recovered(living, exits)

    def _on_news(self, message: Message) -> None:
        started = [_started(item) for item in message["started"]]
        exits = [self._ended(item) for item in message["exits"]]
        refused = [Refused(_ref(i), i["code"] == "token", i["why"]) for i in message["refused"]]
        for each in refused:
            if not each.before:
                self._watch.over(each.ref)
        with self._lock:
            for ref in [s.ref for s in started] + [e.ref for e in exits] + [r.ref for r in refused]:
                self._unanswered.pop(ref, None)
        self._listener.on_news(started, exits, refused)

    def _ended(self, item: Message) -> Exit:
        exit_ = _exit(item)
        was_cut = self._watch.over(exit_.ref)
        if was_cut and exit_.cause is None and exit_.signal == signal.SIGKILL:
            return replace(exit_, cause=Cause.LEASE)  # a keeper that slept does not know why
        return exit_


def _named(ref: AttemptRef) -> dict[str, Any]:
    return {"task": ref.task_id, "token": ref.token}


def _deadline(when_s: float) -> float | None:
    return None if when_s == inf else when_s  # JSON knows no infinity


def _warning(limits: Limits) -> dict[str, Any]:
    return {"warn": (limits.warn_s, limits.warn_signal)} if limits.warn_s else {}


def _ref(item: Message) -> AttemptRef:
    return AttemptRef(item["task"], item["token"])


def _started(item: Message) -> Started:
    return Started(_ref(item), item["started"])


def _exit(item: Message) -> Exit:
    return Exit(
        ref=_ref(item),
        started_s=item["started"],
        ended_s=item["ended"],
        cause=Cause(item["cause"]) if item["cause"] else None,
        code=item.get("code"),
        signal=item.get("signal"),
        launch=item.get("launch"),
        why=item.get("why", ""),
        limit_s=item.get("limit"),
        unkillable=tuple(item.get("unkillable", ())),
    )
