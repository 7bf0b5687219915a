"""This module holds the sources to the house rules, and each rule to a bad source that it must find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from architecture import rules_code, rules_form, sources
from architecture.sources import Finding, Source

Rule = Callable[[Source], Iterator[Finding]]
Scope = Callable[[], Iterable[Source]]

RULES: list[tuple[Rule, Scope]] = [
    (rules_form.long_files, sources.everything),
    (rules_form.long_functions, sources.everything),
    (rules_form.wide_classes, sources.programs),
    (rules_form.vague_names, sources.everything),
    (rules_form.unexplained_modules, sources.everything),
    (rules_form.undocumented, sources.rooms),
    (rules_code.wire_imports, sources.rooms),
    (rules_code.impure_decisions, sources.rooms),
    (rules_code.dangerous_calls, sources.everything),
    (rules_code.swallowed_errors, sources.everything),
    (rules_code.sleeps, sources.everything),
    (rules_code.nameless_threads, sources.programs),
    (rules_code.misplaced_libraries, sources.rooms),
]

ROOM = "master/ganger_master/thing.py"
DECIDES = "master/ganger_master/transitions.py"
GOOD = '"""This module is good."""\n'

BAD: list[tuple[Rule, str, str]] = [
    (rules_form.long_files, ROOM, "\n" * 401),
    (rules_form.long_functions, ROOM, "def f():\n" + "    x = 1\n" * 80),
    (rules_form.long_functions, ROOM, "async def f():\n" + "    x = 1\n" * 80),
    (rules_form.wide_classes, ROOM, "class C:\n" + "".join(f"    def m{n}(self): ...\n" for n in range(13))),
    (rules_form.vague_names, "master/ganger_master/utils.py", ""),
    (rules_form.vague_names, "worker/ganger_worker/common/thing.py", ""),
    (rules_form.vague_names, "worker/ganger_worker/task_manager.py", ""),
    (rules_form.unexplained_modules, ROOM, "x = 1"),
    (rules_form.unexplained_modules, ROOM, '"""Things."""'),
    (rules_form.undocumented, ROOM, "def f(): ..."),
    (rules_form.undocumented, ROOM, 'class C:\n    """A class."""\n    def m(self): ...'),
    (rules_code.wire_imports, ROOM, "from ganger_core.wire.v1 import task_pb2"),
    (rules_code.wire_imports, ROOM, "def f():\n    import ganger_core.wire.v1.task_pb2_grpc as g"),
    (rules_code.wire_imports, ROOM, "from google.rpc import error_details_pb2"),
    (rules_code.impure_decisions, DECIDES, "import time as t"),
    (rules_code.impure_decisions, DECIDES, "def f():\n    from time import monotonic"),
    (rules_code.impure_decisions, DECIDES, "import random"),
    (rules_code.impure_decisions, DECIDES, "from uuid import uuid4"),
    (rules_code.impure_decisions, DECIDES, "from ganger_core import logs"),
    (rules_code.impure_decisions, DECIDES, "import datetime as d\nx = d.datetime.now()"),
    (
        rules_code.impure_decisions,
        "protos/ganger_core/domain/task.py",
        "from datetime import date\ndate.today()",
    ),
    (rules_code.dangerous_calls, ROOM, "import subprocess as s\ns.run('ls', shell=True)"),
    (rules_code.dangerous_calls, ROOM, "run(x, shell=quick)"),
    (rules_code.dangerous_calls, ROOM, "Popen(x, preexec_fn=f)"),
    (rules_code.dangerous_calls, ROOM, "from os import system as go\ngo('ls')"),
    (rules_code.dangerous_calls, ROOM, "import os\nos.fork()"),
    (rules_code.dangerous_calls, ROOM, "eval('1')"),
    (rules_code.dangerous_calls, ROOM, "import builtins\nbuiltins.exec('1')"),
    (rules_code.dangerous_calls, ROOM, "from pickle import loads\nloads(b'')"),
    (rules_code.dangerous_calls, ROOM, "import pickle\nwith f: pickle.load(f)"),
    (rules_code.dangerous_calls, ROOM, "import yaml\nyaml.load('a')"),
    (rules_code.swallowed_errors, ROOM, "try: f()\nexcept: f()"),
    (rules_code.swallowed_errors, ROOM, "try: f()\nexcept Exception: pass"),
    (rules_code.swallowed_errors, ROOM, "try: f()\nexcept (OSError, BaseException): x = 1"),
    (rules_code.swallowed_errors, ROOM, "from contextlib import suppress\nwith suppress(Exception): f()"),
    (rules_code.sleeps, ROOM, "import time\ntime.sleep(1)"),
    (rules_code.sleeps, ROOM, "from asyncio import sleep as nap\nnap(1)"),
    (rules_code.sleeps, ROOM, "import time\ndef f(pause=time.sleep): ..."),
    (rules_code.nameless_threads, ROOM, "import threading\nthreading.Thread(target=f)"),
    (rules_code.nameless_threads, ROOM, "from threading import Thread as T\nT(target=f)"),
    (rules_code.nameless_threads, ROOM, "import threading\nclass C(threading.Thread): ..."),
    (rules_code.nameless_threads, ROOM, "import threading\nthreading.Timer(1, f)"),
    (
        rules_code.nameless_threads,
        ROOM,
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(4)",
    ),
    (rules_code.misplaced_libraries, ROOM, "import numpy as np"),
    (rules_code.misplaced_libraries, ROOM, "from ortools.sat.python import cp_model"),
    (rules_code.misplaced_libraries, "planner/ganger_planner/thing.py", "from grpc_tools import protoc"),
]

FINE: list[tuple[Rule, str, str]] = [
    (rules_form.unexplained_modules, "master/ganger_master/__init__.py", ""),
    (rules_form.vague_names, "master/ganger_master/commonality.py", ""),
    (rules_form.undocumented, ROOM, "def _f(): ...\nclass _C:\n    def m(self): ..."),
    (rules_form.undocumented, ROOM, 'class C(Base):\n    """A class."""\n    def m(self): ...'),
    (
        rules_code.wire_imports,
        "master/ganger_master/services/tasks.py",
        "from ganger_core.wire.v1 import task_pb2",
    ),
    (
        rules_code.impure_decisions,
        DECIDES,
        "from random import Random\nfrom datetime import datetime\nx.now()",
    ),
    (rules_code.impure_decisions, "protos/ganger_core/domain/clock.py", "import time"),
    (rules_code.impure_decisions, ROOM, "import time"),
    (rules_code.dangerous_calls, ROOM, "run(x, shell=False)\nre.compile('eval')\nthing.exec('x')"),
    (rules_code.swallowed_errors, ROOM, "try: f()\nexcept OSError: pass"),
    (rules_code.swallowed_errors, ROOM, "try: f()\nexcept Exception:\n    x()\n    raise"),
    (rules_code.sleeps, ROOM, "run(['sleep', '60'])\nevent.wait(1)\nsleep = 1"),
    (rules_code.sleeps, ROOM, "import asyncio\nasyncio.sleep(0)"),
    (rules_code.nameless_threads, ROOM, "import threading\nthreading.Thread(target=f, name='edge')"),
    (rules_code.misplaced_libraries, "planner/ganger_planner/thing.py", "import numpy"),
]


def _name(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("rule", "scope"), RULES, ids=_name)
def test_sources_keep_the_rule(rule: Rule, scope: Scope) -> None:
    findings = [str(finding) for source in scope() for finding in rule(source)]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=_name)
def test_the_rule_finds_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source.of(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), FINE, ids=_name)
def test_the_rule_lets_pass_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(Source.of(path, text)))


def test_every_rule_has_a_source_that_breaks_it() -> None:
    assert {rule for rule, _ in RULES} == {rule for rule, _, _ in BAD}


@pytest.mark.parametrize("package", sources.ROOMS)
def test_most_functions_are_short(package: str) -> None:
    findings = list(rules_form.mostly_long_functions(package, sources.room(package)))
    assert not findings, findings


def test_short_functions_do_not_hide_long_ones() -> None:
    short, long = "def f():\n    x = 1\n", "def g():\n" + "    x = 1\n" * 30
    nine_of_ten = Source.of(ROOM, GOOD + short * 9 + long)
    eight_of_ten = Source.of(ROOM, GOOD + short * 8 + long * 2)
    assert not list(rules_form.mostly_long_functions("p", [nine_of_ten]))
    assert list(rules_form.mostly_long_functions("p", [eight_of_ten]))
    assert not list(rules_form.mostly_long_functions("p", []))


def test_nothing_is_left_unfinished() -> None:
    findings = [
        str(finding) for path, text in sources.text_files() for finding in rules_form.unfinished(path, text)
    ]
    assert not findings, "\n" + "\n".join(findings)


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "XX" + "X"])
def test_a_note_to_finish_later_is_found(word: str) -> None:
    assert list(rules_form.unfinished("a.md", f"one\n# {word}: two\n"))


def test_modules_named_in_the_rules_exist() -> None:
    modules = {source.module for source in sources.rooms()}
    named = {*rules_code.WIRE_MODULES, *rules_code.STUB_MODULES, *rules_code.DECISIONS, rules_code.CLOCK}
    gone = sorted(
        name for name in named if not any(rules_code.is_below(module, (name,)) for module in modules)
    )
    assert not gone, gone


def test_modules_that_may_touch_wire_types_do() -> None:
    found = {
        source.module for source in sources.rooms() if any("_pb2" in name for name, _ in source.imports())
    }
    unused = sorted(
        name
        for name in (*rules_code.WIRE_MODULES, *rules_code.STUB_MODULES)
        if not any(rules_code.is_below(module, (name,)) for module in found)
    )
    assert not unused, unused


def test_the_sources_are_found() -> None:
    assert all(sources.room(package) for package in sources.ROOMS)
    assert {path for path, _ in sources.text_files()} >= {
        "Makefile",
        "pyproject.toml",
        ".ci/run",
        "README.md",
    }
