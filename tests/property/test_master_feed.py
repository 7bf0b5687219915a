"""This module checks the feed of events: each watcher sees each event once and in order, through breaks and kills."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ganger_core.domain.clock import ManualClock
from ganger_core.domain.errors import Conflict, NotFound
from ganger_core.domain.task import Event
from ganger_master.changes import Cancel, Forget, Request
from ganger_master.feed import Feed
from ganger_master.store.reader import StoreReader
from testkit.builders import a_spec
from testkit.one_thread import OneThreadMaster
from testkit.turns import settle, turn

IN_MEMORY = 4
ON_A_PAGE = 3


class Watcher:
    """One who follows the feed from a number on, and after every break from where he was."""

    def __init__(self, after_seq: int) -> None:
        self.at = after_seq
        self.seen: list[Event] = []
        self.forgotten = False  # told that what follows is no longer kept
        self.task: asyncio.Task[None] | None = None

    async def follow(self, feed: Feed) -> None:
        """Take what comes."""
        try:
            async for batch in feed.batches(self.at):
                assert batch, "an empty batch"
                self.seen += batch
                self.at = batch[-1].seq
        except Conflict as error:
            self.forgotten = error.reason == "EVENTS_FORGOTTEN"


class Events(RuleBasedStateMachine):
    """The real feed over the real store; the model is the list of what was committed, and from where it is kept."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gg"))
        self.loop = asyncio.new_event_loop()
        self.log: list[Event] = []
        self.kept_from = 1
        self.requests = 0
        self.watchers: list[Watcher] = []
        self._start()

    @rule(count=st.integers(1, 5), told=st.booleans())
    def submit(self, count: int, told: bool) -> None:
        """Events are on disk; the edge hears of it at once, or only later."""
        self.requests += 1
        self.master.submit(*(a_spec() for _ in range(count)), request_id=f"r{self.requests}")
        self._committed()
        if told:
            self.publish()

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.requests += 1
        task_id = data.draw(st.integers(1, max(1, self.master.state.next_task_id - 1)))
        with suppress(NotFound):
            self.master.apply(Cancel(Request("ann", f"c{self.requests}", ""), task_id, ""))
        self._committed()

    @rule()
    def publish(self) -> None:
        self.feed.publish(self.log[self.published :])
        self.published = len(self.log)

    @rule(back=st.integers(0, 12))
    def watch(self, back: int) -> None:
        self._connect(Watcher(max(0, len(self.log) - back)))

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def break_up(self, data: st.DataObject) -> None:
        """The stream breaks between two batches or amid a page; he comes back, from where he was."""
        watcher = data.draw(st.sampled_from(self.watchers))
        self._disconnect(watcher)
        self._connect(watcher)

    @rule(turns=st.integers(1, 3))
    def go_on(self, turns: int) -> None:
        for _ in range(turns):
            turn(self.loop)

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """Retention drops old events from the store, not from memory."""
        up_to = data.draw(st.integers(self.kept_from - 1, len(self.log)))
        self.master.apply(Forget(events_up_to=up_to))
        self.kept_from = up_to + 1

    @rule()
    def kill(self) -> None:
        """What was committed and not told is in the store, for whoever asks again."""
        for watcher in self.watchers:
            self._disconnect(watcher)
        self.master.kill()
        self.reader.close()
        self._start()
        for watcher in list(self.watchers):
            self._connect(watcher)

    @rule()
    def rest(self) -> None:
        """Nothing more happens: everybody has seen all that was told, or was told that it is gone."""
        self.publish()
        settle(self.loop)
        for watcher in self.watchers:
            if not watcher.forgotten:
                last = self.log[-1].seq if self.log else 0
                assert watcher.at >= last or last < self.kept_from, f"{watcher.at} of {last} was seen"
            elif not watcher.seen:
                self.watchers = [other for other in self.watchers if other is not watcher]

    @invariant()
    def everybody_saw_each_once_in_order(self) -> None:
        for watcher in getattr(self, "watchers", ()):
            first = watcher.seen[0].seq if watcher.seen else 1
            assert watcher.seen == self.log[first - 1 : first - 1 + len(watcher.seen)]

    @invariant()
    def nobody_failed(self) -> None:
        for watcher in getattr(self, "watchers", ()):
            if watcher.task is not None and watcher.task.done() and not watcher.task.cancelled():
                assert watcher.forgotten, watcher.task.exception()
                assert watcher.at, "from 0 on everybody gets what is kept"
                assert watcher.at + 1 < self.kept_from, "what is kept was refused"

    def teardown(self) -> None:
        if hasattr(self, "master"):
            for watcher in self.watchers:
                self._disconnect(watcher)
            self.loop.close()
            self.reader.close()
            self.master.kill()
            shutil.rmtree(self.folder)

    def _committed(self) -> None:
        self.log += self.master.events
        self.master.events = []

    def _start(self) -> None:
        self.master = OneThreadMaster(self.folder, ManualClock())
        self.published = len(self.log)
        assert self.master.state.next_seq == len(self.log) + 1
        self.reader = StoreReader(self.master.path)
        self.feed = Feed(self._read_page, self.master.state.next_seq - 1, keep=IN_MEMORY)

    async def _read_page(self, after_seq: int, limit: int) -> Sequence[Event]:
        """As the edge: on another thread, so that the loop goes round meanwhile."""
        await asyncio.sleep(0)
        page = self.reader.events(after_seq, min(limit, ON_A_PAGE))
        await asyncio.sleep(0)
        return page

    def _connect(self, watcher: Watcher) -> None:
        if watcher not in self.watchers:
            self.watchers.append(watcher)
        if not watcher.forgotten:
            watcher.task = self.loop.create_task(watcher.follow(self.feed))

    def _disconnect(self, watcher: Watcher) -> None:
        if watcher.task is not None and not watcher.task.done():
            watcher.task.cancel()
            settle(self.loop)


Events.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestEvents = Events.TestCase
