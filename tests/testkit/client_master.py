"""This module is a master for tests of the client: a real gRPC server whose tasks move when the test says so.

It speaks the wire protocol with the real converters, guard and status table; what a real master decides
(placing, running, ending) is scripted, and so are its failures: refused calls, lost answers, cut streams.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from ganger_core.domain.cordon import Cordon
from ganger_core.domain.errors import AlreadyExists, Conflict, NotFound
from ganger_core.domain.outputs import Outputs
from ganger_core.domain.principal import Principal, Role
from ganger_core.domain.states import AttemptState, Liveness, TaskState, WorkerState, worker_state
from ganger_core.domain.task import (
    Attempt,
    AttemptRef,
    Event,
    LogStream,
    Outcome,
    OutcomeKind,
    Task,
    TaskSpec,
    WorkerProfile,
    WorkerUsage,
    WorkerView,
)
from ganger_core.domain.waits import Waits
from ganger_core.rpc.channels import server_options
from ganger_core.rpc.guard import Guard, Tokens
from ganger_core.wire.v1 import task_pb2_grpc, worker_pb2_grpc
from testkit.client_arrays import ScriptedArrays
from testkit.client_services import Failures, TaskService, WorkerService

A_TOKEN = "a-token-of-the-test"  # noqa: S105
START_MS = 1_700_000_000_000
_STATES = {
    OutcomeKind.OK: TaskState.SUCCEEDED,
    OutcomeKind.CANCELLED: TaskState.CANCELLED,
    OutcomeKind.TIMED_OUT: TaskState.TIMED_OUT,
    OutcomeKind.EXPIRED: TaskState.EXPIRED,
    OutcomeKind.SKIPPED: TaskState.SKIPPED,
}
_OWNER = Principal("tester", Role.ADMIN)


class ScriptedMaster:
    """The server and what the test tells it. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0  # on the loopback address, once started
        self.guard = Guard(Tokens.single(A_TOKEN, _OWNER), _OWNER)
        self.changed = threading.Condition()
        self.requests: dict[str, list[Any]] = defaultdict(list)  # by method: every call that arrived
        self.tasks: dict[int, Task] = {}
        self.attempts: dict[int, list[Attempt]] = {}
        self.events: list[Event] = []
        self.logs: dict[tuple[AttemptRef, LogStream], bytes] = {}
        self.new_from: dict[LogStream, int] = {}  # where that begins which counts as new
        self.workers: list[WorkerView] = []
        self.outputs: dict[int, Outputs] = {}  # by task
        self.contents: dict[int, dict[str, bytes]] = {}  # of its files, by path
        self._answers: dict[str, tuple[Any, Any]] = {}  # by request id: the request and what it was answered
        self.failures = Failures()
        self.arrays = ScriptedArrays(self)
        self.overlap = 0  # how many events or bytes a stream that is carried on repeats
        self.generation = 0
        self.watchers = 0  # open streams
        self.now_ms = START_MS  # by its clock
        self.version = "0.1.0"
        self.is_slow_to_stop = False  # cancelled tasks are STOPPING until the test ends them
        self.on_submit: Callable[[int], None] = lambda task_id: None

    def __enter__(self) -> ScriptedMaster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve at the address; what was known before a stop is known again."""
        self._pool = ThreadPoolExecutor(32, thread_name_prefix="scripted-master")
        self._server = grpc.server(self._pool, options=server_options())
        task_pb2_grpc.add_TaskServiceServicer_to_server(TaskService(self), self._server)
        workers = WorkerService(self)  # type: ignore[abstract]
        worker_pb2_grpc.add_WorkerServiceServicer_to_server(workers, self._server)
        self._server.add_insecure_port(f"unix:{self.folder / 'socket'}")
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        """Go away at once: open calls break."""
        with self.changed:
            self.generation += 1
            self.changed.notify_all()
        self._server.stop(grace=None).wait()
        self._pool.shutdown()

    def submit(self, spec: TaskSpec) -> int:
        """A new waiting task."""
        with self.changed:
            task_id = len(self.tasks) + 1
            self.tasks[task_id] = Task(
                task_id, _OWNER.name, spec, TaskState.PENDING, START_MS + 1000 * task_id, reason="queued"
            )
            self.attempts[task_id] = []
            self._tell(self.tasks[task_id])
        self.on_submit(task_id)
        return task_id

    def respecify(self, task_id: int, request: Any) -> None:
        """Change what the request has of priority and limits."""
        task = self.tasks[task_id]
        given = {
            name: getattr(request, name) for name in ("priority", "deadline_ms") if request.HasField(name)
        }
        limits = {name: getattr(request, name) for name in ("run_s", "queue_s") if request.HasField(name)}
        spec = replace(task.spec, limits=replace(task.spec.limits, **limits), **given)
        self.tasks[task_id] = replace(task, spec=spec)

    def hold(self, task_id: int, held: bool) -> bool:
        """Hold a waiting task, or release it; whether that is in force."""
        task = self.tasks[task_id]
        if task.state is not TaskState.PENDING:
            raise Conflict(f"task {task.label} is {task.state}: only what waits can be held or released")
        self.tasks[task_id] = replace(task, waits=Waits("tester" if held else ""))
        return not self.arrays.out_of_reach

    def run(self, task_id: int, worker: str = "w1", *, planned_by: str = "planner") -> AttemptRef:
        """A new attempt of the task runs on `worker`."""
        with self.changed:
            task = self.tasks[task_id]
            ref = AttemptRef(task_id, task.token + 1)
            started = task.submitted_ms + 500
            self.attempts[task_id].append(
                Attempt(ref, f"id-{worker}", worker, AttemptState.RUNNING, planned_by, started - 100)
            )
            self._attempt(task_id, started_ms=started)
            self.change(task_id, state=TaskState.RUNNING, token=ref.token, started_ms=started, reason="")
        return ref

    def write(self, task_id: int, data: bytes, stream: LogStream = LogStream.STDOUT) -> None:
        """The task's present attempt writes `data`."""
        with self.changed:
            key = AttemptRef(task_id, self.tasks[task_id].token), stream
            self.logs[key] = self.logs.get(key, b"") + data
            self.changed.notify_all()

    def start_of_log(self, ref: AttemptRef, stream: LogStream, request: Any) -> int:
        """Where the end of a log begins that a request asks for."""
        data = self.logs.get((ref, stream), b"")
        start = min(len(data), self.new_from.get(stream, 0)) if request.since_s else 0
        if request.HasField("last_lines"):
            kept = data.splitlines(keepends=True)[-request.last_lines :] if request.last_lines else []
            start = max(start, len(data) - sum(map(len, kept)))
        return start

    def publish(self, task_id: int, outputs: Outputs, **contents: bytes) -> None:
        """The task's present attempt publishes this; `contents` are what its files hold."""
        with self.changed:
            self.outputs[task_id] = outputs
            self.contents[task_id] = contents

    def end(self, task_id: int, code: int = 0, outcome: Outcome | None = None) -> None:
        """The task ends with an exit code, or with `outcome`."""
        kind = OutcomeKind.EXIT_NONZERO if code else OutcomeKind.OK
        ended = outcome or Outcome(kind, code)
        state = _STATES.get(ended.kind, TaskState.FAILED)
        with self.changed:
            finished = self.tasks[task_id].submitted_ms + 2000
            if self.attempts[task_id]:
                self._attempt(task_id, state=AttemptState.ENDED, ended_ms=finished, outcome=ended)
            self.change(task_id, state=state, finished_ms=finished, outcome=ended, reason=ended.message)

    def lose(self, task_id: int, why: str = "worker w1 was lost") -> None:
        """The task's attempt is lost; the task waits again."""
        with self.changed:
            self._attempt(task_id, state=AttemptState.LOST, outcome=Outcome(OutcomeKind.LOST, message=why))
            self.change(task_id, state=TaskState.PENDING, reason=why, started_ms=0)

    def stopping(self, task_id: int) -> None:
        """The task was told to stop and takes its time."""
        with self.changed:
            self.change(task_id, state=TaskState.STOPPING)

    def fence(self, worker: str) -> int:
        """Give up what runs on a lost worker; returns how many attempts."""
        found = [w for w in self.workers if worker in (w.profile.name, w.profile.id)]
        if not found:
            raise NotFound(f"there is no worker {worker}", field="worker")
        if found[0].state is not WorkerState.LOST:
            raise Conflict(f"worker {worker} is {found[0].state}: drain or stop it instead")
        lost = [
            task_id
            for task_id, attempts in self.attempts.items()
            if attempts and attempts[-1].is_live and attempts[-1].worker_name == found[0].profile.name
        ]
        for task_id in lost:
            self.lose(task_id, f"worker {worker} was fenced")
        return len(lost)

    def cordon(self, names: Sequence[str], cordon: Cordon | None) -> list[str]:
        """These workers get no new work, or have it again; returns their ids."""
        known = {word for w in self.workers for word in (w.profile.name, w.profile.id)}
        for name in names:
            if name not in known:
                raise NotFound(f"there is no worker {name}", field="worker")
        for i, w in enumerate(self.workers):
            if w.profile.name in names or w.profile.id in names:
                liveness = Liveness(w.state) if w.state in list(Liveness) else Liveness.UP
                drains, empty = cordon is not None and cordon.drains, not w.attempts
                state = worker_state(
                    liveness, late=False, cordoned=cordon is not None, drains=drains, empty=empty
                )
                self.workers[i] = replace(w, cordon=cordon, state=state)
        return [w.profile.id for w in self.workers if w.profile.name in names or w.profile.id in names]

    def explain(self, task_id: int, reason: str) -> None:
        """Change why the task waits, without an event, as a real master does."""
        with self.changed:
            self.tasks[task_id] = replace(self.tasks[task_id], reason=reason)

    def once(self, request: Any, do: Callable[[], Any]) -> Any:
        """The answer to a request, made only the first time its id comes."""
        key = request.request_id
        assert key, "every change carries a request id"
        if key not in self._answers:
            self._answers[key] = (request, do())
        first, answer = self._answers[key]
        if first != request:
            raise AlreadyExists("this request id was used for another request")
        return answer

    def _attempt(self, task_id: int, **changes: Any) -> None:
        self.attempts[task_id][-1] = self.attempts[task_id][-1]._replace(**changes)

    def change(self, task_id: int, **changes: Any) -> None:
        """Change a task and tell it; the caller holds `changed`."""
        self.tasks[task_id] = replace(self.tasks[task_id], **changes)
        self._tell(self.tasks[task_id])

    def _tell(self, task: Task) -> None:
        worker = self.attempts[task.id][-1].worker_name if self.attempts[task.id] else ""
        seq = len(self.events) + 1
        self.events.append(
            Event(
                seq,
                START_MS + seq,
                task.id,
                task.owner,
                task.state,
                task.token,
                worker,
                task.reason,
                task.outcome,
            )
        )
        self.changed.notify_all()


def a_worker_view(
    profile: WorkerProfile,
    *,
    state: WorkerState = WorkerState.UP,
    cordon: Cordon | None = None,
    attempts: tuple[AttemptRef, ...] = (),
) -> WorkerView:
    """A worker that is idle and was heard of half a second ago."""
    usage = WorkerUsage(12.5, 2**30, profile.capacity.memory_bytes)
    return WorkerView(profile, state, profile.capacity, usage, 0.5, attempts, cordon)


@contextlib.contextmanager
def a_scripted_master() -> Iterator[ScriptedMaster]:
    """A master that listens where the clients of its `folder` look for one."""
    folder = Path(tempfile.mkdtemp(prefix="gg"))  # short: a socket's path has at most 107 bytes
    try:
        with ScriptedMaster(folder) as master:
            yield master
    finally:
        shutil.rmtree(folder)
