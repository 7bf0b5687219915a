"""This module plays a scenario: the simulated cluster without chance, to which exactly what is written happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganger_core.domain.errors import GangerError
from ganger_core.domain.resources import Resources
from ganger_core.domain.task import TaskSpec
from simulation.host import Host, Program, Run
from simulation.network import MASTER, Network, Stream
from simulation.people import PEOPLE_HOST, People
from simulation.scenario import Scenario, Step
from simulation.settings import Settings
from simulation.violation import Violation
from simulation.virtual_loop import Process
from simulation.world import World, simulated

MESSAGE_S = 0.005
COMMIT_S = 0.005
BOOT_S = 1_000.0


class ScriptedNetwork(Network):
    """Every message takes what the script says."""

    def __init__(self, world: World) -> None:
        super().__init__(world.loop, world.rng)
        self.takes: dict[tuple[str, str], float] = {}
        self.orders: dict[str, float] = {}  # what streams to a host take, if not the same as answers
        self.late: dict[str, float] = {}  # by method: how much later the next call leaves
        self.twice: dict[str, float] = {}  # by method: how much later the next call arrives again

    def delay(self, source: str, target: str) -> float | None:
        """As long as the script says, or lost where it cut the way."""
        return None if (source, target) in self.cut else self.takes.get((source, target), MESSAGE_S)

    def open(self, caller: Process, method: str, request: object) -> Stream:
        """Open a stream; its messages may take another time than answers do."""
        stream = ScriptedStream(self, caller)
        self.streams[stream] = None
        there = self.delay(caller.host.name, MASTER)
        if there is None:
            stream.break_up()
        else:
            self.loop.call_later(there, stream.arrive, method, request)
        return stream

    async def call(self, caller: Process, method: str, request: object, timeout_s: float) -> Any:
        """One call; perhaps it arrives again, and nobody waits for that answer."""
        wait = self.late.pop(method, None)
        if wait is not None:
            await caller.sleep(wait)
        later = self.twice.pop(method, None)
        if later is not None:
            self.loop.call_later(later, self._again, method, request)
        return await super().call(caller, method, request, timeout_s)

    def _again(self, method: str, request: object) -> None:
        if self.server is not None:
            self.server.serve(method, request, lambda answer: None)


class ScriptedStream(Stream):
    """A stream whose messages take what the script says of orders."""

    def send(self, message: object) -> None:
        """From the master's end."""
        network = self._network
        assert isinstance(network, ScriptedNetwork)
        way = (MASTER, self.caller.host.name)
        before = network.takes.get(way, MESSAGE_S)
        network.takes[way] = network.orders.get(self.caller.host.name, before)
        super().send(message)
        network.takes[way] = before


class ScriptedWorld(World):
    """The cluster of a scenario. `outcome` gathers what is compared with the file."""

    def __init__(self, scenario: Scenario) -> None:
        said = {name: value or 0.0 for name, value in scenario.world.items()}
        super().__init__(int(said["seed"]), every_line=True)
        self._scenario = scenario
        self.outcome: list[str] = []
        self.network = ScriptedNetwork(self)
        self.settings = Settings(lease_s=said["lease"])
        self.has_bursts = self.has_arrays = self.has_outputs = False
        self.commit_takes_s = COMMIT_S
        capacity = Resources(round(said["cpus"] * 1000), 2**30, 16)
        self.master_host = self._host("master", Resources(1, 1, 1))
        self.hosts = [self._host(f"w{n}", capacity) for n in range(1, int(said["workers"]) + 1)]
        self._by_name = {host.name: host for host in self.hosts}

    def run(self) -> None:
        """Play it to its end."""
        self.people = People(self, self._host(PEOPLE_HOST, Resources(1, 1, 1)), 0, 1.0, 0.0)
        self.start_master()
        for host in self.hosts:
            self.start_worker(host)
        for step in self._scenario.steps:
            self._run_until(step.at_s)
            self.trace("-- %s %s", step.verb, " ".join(step.what))
            getattr(self, f"_do_{step.verb}")(step)
        self.invariants.promised()

    def tell(self) -> None:
        """The last lines of the outcome: the way of each task, and what is in the worker's hands."""
        for label, task_id in sorted(self.disk.ids.items()):
            states = [event.state.value for event in self.disk.events if event.task_id == task_id]
            self.outcome.append(f"{label}: {' '.join(states)}")
            task = self.disk.tasks[task_id]
            if task.reason:
                self.outcome.append(f"{label}: {task.reason}")

    def commit_s(self) -> float:
        return self.commit_takes_s

    def began(self, run: Run) -> None:
        self.outcome.append(f"{self.loop.now:5.0f} START {run.label}.{run.token} on {run.host.name}")
        super().began(run)

    def over(self, run: Run) -> None:
        how = f"signal {-run.status}" if run.status < 0 else f"code {run.status}"
        self.outcome.append(f"{self.loop.now:5.0f} END {run.label}.{run.token} on {run.host.name} with {how}")
        super().over(run)

    def _host(self, name: str, capacity: Resources, rate: float = 1.0) -> Host:
        return Host(self, name, capacity, rate, BOOT_S)

    def _proc(self, daemon: str) -> Process:
        if daemon != "master":
            found: Process = self._by_name[daemon].worker.proc
            return found
        assert self.master is not None
        return self.master.proc

    def _do_submit(self, step: Step) -> None:
        (label,) = step.what
        said = {"seconds": 1.0, "code": 0.0, "term": 0.1, "cpus": 1.0} | dict(step.named)
        milli = round((said["cpus"] or 0.0) * 1000)
        program = Program(
            label, said["seconds"] or 0.0, int(said["code"] or 0), said["term"], cpu_milli=milli
        )
        spec = TaskSpec(program.command(), resources=Resources(milli, 0, 1))
        self.people.proc.spawn(self._submit(label, spec), label)

    async def _submit(self, label: str, spec: TaskSpec) -> None:
        people = self.people
        while True:
            try:
                task_id = await people._submit(label, spec)
            except GangerError:
                await people.proc.sleep(1.0)
                continue
            people._promised(label, task_id)
            self.outcome.append(f"{self.loop.now:5.0f} acknowledged {label}")
            return

    def _do_cancel(self, step: Step) -> None:
        self.people.proc.spawn(self._cancel(step.what[0]), "cancel")

    async def _cancel(self, label: str) -> None:
        task_id = self.disk.ids[label]
        await self.people.cancel(task_id)
        self.outcome.append(f"{self.loop.now:5.0f} cancel of {label} acknowledged")

    def _do_kill(self, step: Step) -> None:
        (name,) = step.what
        if name == "master":
            self.kill_master()
        elif name.startswith("keeper-of-"):
            self._by_name[name.removeprefix("keeper-of-")].keeper.die()
        else:
            self._by_name[name].worker.kill()

    def _do_start(self, step: Step) -> None:
        (name,) = step.what
        if name == "master":
            self.start_master()
        else:
            self.start_worker(self._by_name[name])

    def _do_stop(self, step: Step) -> None:
        self._proc(step.what[0]).stop()

    def _do_continue(self, step: Step) -> None:
        self._proc(step.what[0]).go_on()

    def _do_shutdown(self, step: Step) -> None:
        self._by_name[step.what[0]].worker.shut_down()

    def _do_reboot(self, step: Step) -> None:
        self.reboot(self._by_name[step.what[0]])

    def _do_suspend(self, step: Step) -> None:
        host = self._by_name[step.what[0]]
        host.restart_clock(host.boottime() + float(step.what[1]))

    def _do_cut(self, step: Step) -> None:
        self.network.cut_off(*step.what)

    def _do_mend(self, step: Step) -> None:
        source, target = step.what
        self.network.cut.discard((source, target))

    def _do_slow(self, step: Step) -> None:
        source, target, seconds = step.what
        assert isinstance(self.network, ScriptedNetwork)
        self.network.takes[source, target] = float(seconds)

    def _do_orders(self, step: Step) -> None:
        assert isinstance(self.network, ScriptedNetwork)
        self.network.orders[step.what[0]] = float(step.what[1])

    def _do_break(self, step: Step) -> None:
        for stream in list(self.network.streams):
            if stream.caller.host.name == step.what[0]:
                stream.cancel()

    def _do_late(self, step: Step) -> None:
        assert isinstance(self.network, ScriptedNetwork)
        self.network.late[step.what[0]] = float(step.what[1])

    def _do_twice(self, step: Step) -> None:
        assert isinstance(self.network, ScriptedNetwork)
        self.network.twice[step.what[0]] = float(step.what[1])

    def _do_commits(self, step: Step) -> None:
        self.commit_takes_s = float(step.what[0])

    def _do_planner(self, step: Step) -> None:
        self.planner_fault = "" if step.what[0] == "fine" else step.what[0]

    def _do_end(self, step: Step) -> None:
        """Nothing more happens."""


@dataclass(frozen=True)
class Played:
    """What came of a scenario. `lines` is the whole trace."""

    outcome: tuple[str, ...]
    violation: str
    trace_hash: str
    lines: tuple[str, ...]


def play(scenario: Scenario, watch: Callable[[ScriptedWorld], None] = lambda world: None) -> Played:
    """Play it from its beginning; `watch` is given the world first."""
    world = ScriptedWorld(scenario)
    watch(world)
    violation = ""
    with simulated(world):
        try:
            world.run()
        except Violation as error:
            violation = str(error)
            world.trace("VIOLATION %s", violation)
        world.tell()
    world.outcome.append(f"violation: {violation or 'none'}")
    return Played(tuple(world.outcome), violation, world.trace_hash, tuple(world.lines))
