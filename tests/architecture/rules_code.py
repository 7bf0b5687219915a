"""This module holds the rules about what code does: what it imports, calls, catches, and how it starts threads."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from architecture.sources import Finding, Source

WIRE_MODULES = (
    "ganger_core.convert",
    "ganger_core.rpc",
    "ganger_master.services",
    "ganger_planner.service",
)
"""Who may touch wire types: these modules and what is below them."""

STUB_MODULES = (
    "ganger.calls",
    "ganger_master.edge",
    "ganger_master.planning",
    "ganger_planner.health",
    "ganger_worker.heartbeat",
    "ganger_worker.reporter",
    "ganger_worker.serving",
    "ganger_worker.session",
    "ganger_worker.shipper",
)
"""And these, which make calls by a stub or serve a servicer."""

DECISIONS = (
    "ganger_core.domain",
    "ganger_master.admission",
    "ganger_master.asked",
    "ganger_master.changes",
    "ganger_master.cordons",
    "ganger_master.epochs",
    "ganger_master.explaining",
    "ganger_master.losing",
    "ganger_master.moves",
    "ganger_master.outlooks",
    "ganger_master.reasons",
    "ganger_master.remembering",
    "ganger_master.reported",
    "ganger_master.standing",
    "ganger_master.state",
    "ganger_master.transitions",
    "ganger_planner.bestfit",
    "ganger_planner.plan",
    "ganger_worker.attempts",
    "ganger_worker.decisions",
    "ganger.jobfile.after",
    "ganger.jobfile.job",
    "ganger.jobfile.keys",
    "ganger.jobfile.kinds",
    "ganger.jobfile.schema",
    "ganger.jobfile.tables",
    "ganger.layout",
    "ganger.slurm.batch",
    "ganger.slurm.columns",
    "ganger.slurm.command_line",
    "ganger.slurm.patterns",
    "ganger.slurm.prelude",
    "ganger.slurm.sbatch_options",
    "ganger.slurm.script",
    "ganger.slurm.states",
    "ganger.slurm.times",
    "ganger.slurm.variables",
    "ganger.why",
)
"""Modules whose functions decide on values alone, with what is below them."""

CLOCK = "ganger_core.domain.clock"

IMPURE = (
    "time", "random", "uuid", "secrets", "os", "socket", "sqlite3", "subprocess", "threading",
    "logging", "structlog", "ganger_core.logs",
)  # fmt: skip
SEEDED = "random.Random"  # takes its seed as an argument
PRESENT_MOMENT = {
    f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
}

DANGEROUS = {
    "os.system": "runs a shell",
    "os.popen": "runs a shell",
    "subprocess.getoutput": "runs a shell",
    "subprocess.getstatusoutput": "runs a shell",
    "os.fork": "forks a process with threads",
    "eval": "runs text as code",
    "exec": "runs text as code",
    "pickle.load": "runs what it reads",
    "pickle.loads": "runs what it reads",
    "cloudpickle.load": "runs what it reads",
    "cloudpickle.loads": "runs what it reads",
    "marshal.load": "runs what it reads",
    "marshal.loads": "runs what it reads",
    "yaml.load": "makes any object; safe_load does not",
    "yaml.unsafe_load": "makes any object; safe_load does not",
}
SLEEPS = {"time.sleep", "asyncio.sleep"}
POOLS = {"concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor"}
EVERYTHING_CAUGHT = {"Exception", "BaseException"}

GENERATOR = "grpc_tools"
SOLVER_LIBRARIES = {"ortools", "numpy", "sklearn", "scipy", "pandas"}


def is_below(module: str, names: tuple[str, ...]) -> bool:
    """Whether the module is one of these, or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def wire_imports(source: Source) -> Iterator[Finding]:
    """Wire types stop at the converters."""
    if is_below(source.module, (*WIRE_MODULES, *STUB_MODULES)):
        return
    for name, line in source.imports():
        if "_pb2" in name or is_below(name, ("ganger_core.wire",)):
            yield Finding(source.path, line, f"imports {name}: wire types stop at convert/")


def impure_decisions(source: Source) -> Iterator[Finding]:
    """What decides takes the time, seeds and ids as arguments, and reads and writes nothing."""
    if not is_below(source.module, DECISIONS) or source.module == CLOCK:
        return
    for name, line in source.imports():
        if is_below(name, IMPURE) and name != SEEDED:
            yield Finding(source.path, line, f"imports {name} in a module that decides")
    for name, call in source.calls():
        if name in PRESENT_MOMENT:
            yield Finding(source.path, call.lineno, f"asks {name} for the time in a module that decides")


def dangerous_calls(source: Source) -> Iterator[Finding]:
    """No shell, no text run as code, no data that runs."""
    for name, call in source.calls():
        if why := DANGEROUS.get(name.removeprefix("builtins.")):
            yield Finding(source.path, call.lineno, f"{name} {why}")
        for keyword in call.keywords:
            shell = keyword.arg == "shell" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            )
            if shell or keyword.arg == "preexec_fn":
                yield Finding(source.path, call.lineno, f"{name}({keyword.arg}=…)")


def swallowed_errors(source: Source) -> Iterator[Finding]:
    """No bare except; who catches everything raises it again or does something about it."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield Finding(source.path, node.lineno, "bare except")
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        acts = any(isinstance(inner, ast.Raise | ast.Call) for part in node.body for inner in ast.walk(part))
        if not acts and EVERYTHING_CAUGHT & {source.dotted(kind).rpartition(".")[2] for kind in kinds}:
            yield Finding(source.path, node.lineno, "catches everything and does nothing about it")
    for name, call in source.calls():
        if name == "contextlib.suppress" and EVERYTHING_CAUGHT & {source.dotted(kind) for kind in call.args}:
            yield Finding(source.path, call.lineno, "suppresses everything")


def sleeps(source: Source) -> Iterator[Finding]:
    """Wait for what is awaited: a condition in tests, a stop event in loops. `sleep(0)` only lets others run."""
    yields = {
        id(call.func)
        for _, call in source.calls()
        if call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    }
    for node in ast.walk(source.tree):
        name = source.dotted(node)
        if isinstance(node, ast.Attribute | ast.Name) and name in SLEEPS and id(node) not in yields:
            yield Finding(source.path, node.lineno, f"{name}: wait for a condition or an event")


def nameless_threads(source: Source) -> Iterator[Finding]:
    """Every thread can be told apart in a dump."""
    for name, call in source.calls():
        given = {keyword.arg for keyword in call.keywords}
        if name == "threading.Thread" and "name" not in given:
            yield Finding(source.path, call.lineno, "a thread without a name")
        if name == "threading.Timer":
            yield Finding(source.path, call.lineno, "a timer is a thread without a name or an owner")
        if name in POOLS and "thread_name_prefix" not in given:
            yield Finding(source.path, call.lineno, "a pool whose threads have no names")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and "threading.Thread" in map(source.dotted, node.bases):
            yield Finding(source.path, node.lineno, f"{node.name} is a thread: let it have one, with a name")


def misplaced_libraries(source: Source) -> Iterator[Finding]:
    """The code generator is loaded nowhere, and what solves is loaded by the planner alone."""
    for name, line in source.imports():
        top = name.partition(".")[0]
        if top == GENERATOR:
            yield Finding(
                source.path, line, f"imports {GENERATOR}, which must never meet ortools in one process"
            )
        if top in SOLVER_LIBRARIES and not is_below(source.module, ("ganger_planner",)):
            yield Finding(source.path, line, f"imports {top}, which belongs to the planner")
