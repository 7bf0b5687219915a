"""This module holds imports to their budgets and to who may import whom.

Times are what `-X importtime` reports, less the share that the machine gave to other processes, the best of several
runs. On a machine that is slower or busier than the one that the budgets were set on, they grow by as much as the
import of a few modules of the standard library takes longer. What must not be loaded at all is checked by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from architecture.sources import ROOT

HELP = "sys.argv = ['ganger', '--help']; from ganger.cli.main import main; sys.exit(main())"
MASTER = "import ganger_master.app"
HELP_MS, MASTER_MS = 150.0, 600.0
REFERENCE = "import asyncio, email.message, http.client, sqlite3, unittest.mock, xml.dom.minidom"
REFERENCE_MS = (
    70.0  # on the virtual machine with 2 cores that the budgets were set on, while it did nothing else
)
RUNS = 10
LOADED = "loaded:"
NOT_FOR_HELP = {"grpc", "google", "rich", "structlog", "numpy", "ortools", "asyncio", "yaml"}
NOT_FOR_MASTER = {"ortools", "numpy", "pandas", "sqlalchemy", "pydantic", "typer", "rich", "structlog"}


@dataclass(frozen=True)
class Loaded:
    """What a program loaded: total time, and the modules in order. A module that was missed is not among them."""

    milliseconds: float
    modules: tuple[str, ...]

    def tops(self) -> set[str]:
        """The top-level packages among them."""
        return {module.partition(".")[0] for module in self.modules}


def read_report(report: str, share: float = 1.0) -> Loaded:
    """Sum up `-X importtime` (lines of own time, cumulative time in µs, module) and the list after it.

    `share` is the part of the time during which the program had a processor.
    """
    total, modules = 0, ""
    for line in report.splitlines():
        if line.startswith("import time:") and "[us]" not in line:
            total += int(line.removeprefix("import time:").partition("|")[0])
        elif line.startswith(LOADED):
            modules = line.removeprefix(LOADED)
    return Loaded(total / 1000 * share, tuple(modules.split()))


def load(program: str) -> Loaded:
    """Run a program and see what it loads."""
    tell = f"import atexit, sys; atexit.register(lambda: print({LOADED!r}, *sys.modules, file=sys.stderr)); "
    command = [sys.executable, "-X", "importtime", "-c", tell + program]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        report = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    share = (usage.ru_utime + usage.ru_stime) / (time.monotonic() - began)
    errors = [line for line in report.splitlines() if not line.startswith(("import time:", LOADED))]
    assert process.returncode == 0, "\n".join(errors)
    return read_report(report, min(1.0, share))


def best_of(runs: int, budget_ms: float, measure: Callable[[], Loaded]) -> float:
    """The least time of up to `runs` runs; the first within the budget settles it."""
    best = float("inf")
    for _ in range(runs):
        best = min(best, measure().milliseconds)
        if best <= budget_ms:
            break
    return best


@pytest.mark.parametrize(
    ("program", "budget_ms"), [(HELP, HELP_MS), (MASTER, MASTER_MS)], ids=["help", "master"]
)
def test_imports_keep_their_budget(program: str, budget_ms: float) -> None:
    slowness = best_of(3, REFERENCE_MS, lambda: load(REFERENCE)) / REFERENCE_MS
    budget_ms *= max(1.0, slowness)
    assert best_of(RUNS, budget_ms, lambda: load(program)) <= budget_ms


@pytest.mark.parametrize(
    ("program", "banned"), [(HELP, NOT_FOR_HELP), (MASTER, NOT_FOR_MASTER)], ids=["help", "master"]
)
def test_nothing_heavy_is_loaded(program: str, banned: set[str]) -> None:
    loaded = load(program)
    assert {"ganger", "ganger_master"} & loaded.tops()
    assert not banned & loaded.tops()


def test_the_report_of_imports_is_read() -> None:
    report = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       400 |        400 |     numpy.core\n"
        "a warning\n"
        "import time:      1100 |       1500 |   not_installed\n"
        f"{LOADED} sys numpy.core\n"
    )
    assert read_report(report) == Loaded(1.5, ("sys", "numpy.core"))
    assert read_report(report, share=0.5).milliseconds == 0.75
    assert read_report(report).tops() == {"sys", "numpy"}


@pytest.mark.parametrize(("times", "best"), [([300, 100, 1], 100), ([300, 250, 280], 250)])
def test_a_budget_needs_one_good_run(times: Iterable[float], best: float) -> None:
    runs = iter(times)
    assert best_of(3, 150, lambda: Loaded(next(runs), ())) == best


def _lint_imports(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_rooms_keep_apart() -> None:
    ran = _lint_imports(ROOT, ROOT / "pyproject.toml")
    assert ran.returncode == 0, ran.stdout


def test_the_contracts_can_fail(tmp_path: Path) -> None:
    """The same tool with a contract that our tree breaks: the core does import the wire."""
    config = tmp_path / "contracts.toml"
    config.write_text(
        '[tool.importlinter]\nroot_packages = ["ganger_core"]\n[[tool.importlinter.contracts]]\nname = "no wire"\n'
        'type = "forbidden"\nsource_modules = ["ganger_core.convert"]\nforbidden_modules = ["ganger_core.wire"]\n'
    )
    ran = _lint_imports(ROOT, config)
    assert ran.returncode == 1, ran.stdout
    assert "ganger_core.convert" in ran.stdout
