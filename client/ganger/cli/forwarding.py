"""This module passes Ctrl-C and SIGTERM on to the task that a command runs, as a shell does to a program of its own."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from ganger.cli.failure import explain, tell
from ganger.render import note

if TYPE_CHECKING:
    from ganger.client import Client

FORWARDED = (signal.SIGINT, signal.SIGTERM)
JOIN_S = 1.0  # for an answer that nobody needs any more


@contextlib.contextmanager
def plain_interrupts() -> Iterator[None]:
    """A Ctrl-C inside a wait of gRPC can come out as the wait's own failure to give its lock back: here it does not."""
    try:
        yield
    except RuntimeError as error:
        # typer's Exit, which says that a command has ended as it should, is a kind of RuntimeError.
        if type(error) is RuntimeError and isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise


class Forwarding:
    """While it lasts, a first signal goes to the task, a second one kills it, and a third raises KeyboardInterrupt.

    A signal that whoever started us has us ignore stays ignored. Use it as a context manager in the main thread.
    """

    def __init__(self, client: Client, task_id: int) -> None:
        self._client = client
        self._task_id = task_id
        self._queue: queue.SimpleQueue[int | None] = (
            queue.SimpleQueue()
        )  # a handler may put into it at any time
        self._before: dict[int, Any] = {}
        self._caught: list[int] = []
        self._thread = threading.Thread(target=self._forward, name="forwarding", daemon=True)

    @property
    def first(self) -> int | None:
        """The first signal that came; None while there was none."""
        return self._caught[0] if self._caught else None

    def __enter__(self) -> Forwarding:
        self._thread.start()
        for number in FORWARDED:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._queue.put(None)
        self._thread.join(JOIN_S)

    def _catch(self, number: int, _: FrameType | None) -> None:
        self._caught.append(number)
        if len(self._caught) > 2:
            raise KeyboardInterrupt
        self._queue.put(number)

    def _forward(self) -> None:
        """Hand on what was caught, one after the other, until the end."""
        for sent, number in enumerate(iter(self._queue.get, None)):
            self.send(number, kill=sent > 0)

    def send(self, number: int, *, kill: bool) -> None:
        """Cancel the task with this signal and its own grace, or with none."""
        from ganger_core.domain.errors import GangerError

        name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        note(_KILLED.format(self._task_id) if kill else _SENT.format(name, self._task_id))
        try:
            self._client.cancel(
                self._task_id, f"{name} in ganger run", signal=number, grace=0 if kill else None
            )
        except GangerError as error:
            tell(explain(error))
        except ValueError:  # the client was closed meanwhile: nobody waits for this any more
            return


_SENT = "\n{} goes to task {}; a second one kills it, a third one leaves it alone"
_KILLED = "\ntask {} is being killed"
