"""This module runs the Makefile and .ci/run with stand-ins for the tools that they start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TELL = '#!/bin/sh\necho "$0 $*" >> {log}\n'
NO_MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make command")


def an_executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def a_tree(folder: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(
    *command: str, folder: Path, first: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run with the system's tools only, after those in `first`."""
    path = os.pathsep.join([str(first), "/usr/bin", "/bin"]) if first else "/usr/bin:/bin"
    return subprocess.run(
        command, cwd=folder, env={"PATH": path, **env}, capture_output=True, text=True, check=False
    )


@NO_MAKE
def test_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    ran = run("make", folder=ROOT)
    assert ran.returncode == 0, ran.stderr
    listed = [line.split()[1] for line in ran.stdout.splitlines()]
    assert sorted(listed) == sorted(phony[1].split())
    assert all(len(line.split()) > 2 for line in ran.stdout.splitlines())


@NO_MAKE
def test_setup_refuses_an_old_python_and_says_what_to_do(tmp_path: Path) -> None:
    an_executable(
        tmp_path / "bin" / "python3.9", "#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.2\nexit 1\n"
    )
    ran = run("make", "setup", "PYTHON=python3.9", folder=a_tree(tmp_path), first=tmp_path / "bin")
    assert ran.returncode != 0
    assert "needs Python 3.11 or later, and python3.9 is not that (Python 3.9.2)" in ran.stderr
    assert "apt install" in ran.stderr
    assert not (tmp_path / ".venv").exists()


@NO_MAKE
def test_setup_uses_uv_where_there_is_one_and_only_once(tmp_path: Path) -> None:
    tree, log = a_tree(tmp_path), tmp_path / "log"
    an_executable(tmp_path / "bin" / "uv", TELL.format(log=log) + "mkdir -p .venv\n")
    for _ in range(2):
        ran = run("make", "setup", folder=tree, first=tmp_path / "bin")
        assert ran.returncode == 0, ran.stderr
    made, installed = log.read_text().splitlines()
    assert " venv " in made
    assert "-c constraints.txt -e .[all] --group dev" in installed


@NO_MAKE
def test_changed_constraints_renew_the_environment(tmp_path: Path) -> None:
    tree, log = a_tree(tmp_path), tmp_path / "log"
    an_executable(tmp_path / "bin" / "uv", TELL.format(log=log) + "mkdir -p .venv\n")
    run("make", "setup", folder=tree, first=tmp_path / "bin")
    later = (tree / ".venv" / ".ganger-setup").stat().st_mtime + 10
    os.utime(tree / "constraints.txt", (later, later))
    run("make", "setup", folder=tree, first=tmp_path / "bin")
    assert len(log.read_text().splitlines()) == 4


@NO_MAKE
def test_check_ends_with_the_tests(tmp_path: Path) -> None:
    ran = run("make", "--dry-run", "check", folder=a_tree(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert "-m pytest" in ran.stdout.splitlines()[-1]
    for step in ("ruff check", "ruff format --check", "lint-imports", "mypy", "protos.py --check"):
        assert step in ran.stdout


@pytest.mark.parametrize("traces", [True, False])
def test_ci_runs_the_check_in_the_root_from_anywhere(tmp_path: Path, traces: bool) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci")
    if traces:
        (tmp_path / "shared" / "traces").mkdir(parents=True)
    an_executable(
        tmp_path / "bin" / "make", '#!/bin/sh\necho "$*|$PWD|$GANGER_TRACES|$GANGER_REQUIRE"\nexit 3\n'
    )
    ran = run(str(checkout / ".ci" / "run"), folder=tmp_path, first=tmp_path / "bin", GANGER_REQUIRE="docker")
    assert ran.returncode == 3, "the check's own status"
    folder = str(tmp_path / "shared" / "traces") if traces else ""
    assert ran.stdout == f"check|{checkout}|{folder}|docker\n"
