"""This module holds the rules about form: sizes, docstrings, names of modules, words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from architecture.sources import Finding, Source

FILE_LINES = 400
FUNCTION_LINES = 80
FUNCTION_LINES_P90 = 30
PUBLIC_METHODS = 12
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def long_files(source: Source) -> Iterator[Finding]:
    """A file fits in one head."""
    lines = len(source.text.splitlines())
    if lines > FILE_LINES:
        yield Finding(source.path, 0, f"{lines} lines, at most {FILE_LINES}: split it by verb")


def function_lengths(source: Source) -> Iterator[tuple[str, int, int]]:
    """Name, line and number of lines of every function, docstring included."""
    for node in ast.walk(source.tree):
        if isinstance(node, _FUNCTIONS) and node.end_lineno:
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def long_functions(source: Source) -> Iterator[Finding]:
    """A function fits on one screen."""
    for name, line, lines in function_lengths(source):
        if lines > FUNCTION_LINES:
            yield Finding(source.path, line, f"{name} has {lines} lines, at most {FUNCTION_LINES}")


def mostly_long_functions(package: str, sources: Sequence[Source]) -> Iterator[Finding]:
    """Nine of ten functions of a package are short."""
    lengths = sorted(lines for source in sources for _, _, lines in function_lengths(source))
    if lengths and (p90 := lengths[-(-9 * len(lengths) // 10) - 1]) > FUNCTION_LINES_P90:
        text = f"one function of ten has {p90} lines or more, at most {FUNCTION_LINES_P90}"
        yield Finding(package, 0, text)


def wide_classes(source: Source) -> Iterator[Finding]:
    """A class does one thing."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            public = [n for n in node.body if isinstance(n, _FUNCTIONS) and not n.name.startswith("_")]
            if len(public) > PUBLIC_METHODS:
                text = f"{node.name} has {len(public)} public methods, at most {PUBLIC_METHODS}"
                yield Finding(source.path, node.lineno, text)


def unexplained_modules(source: Source) -> Iterator[Finding]:
    """A module begins by saying what it is for: its docstring finishes the sentence "This module …"."""
    if PurePosixPath(source.path).name == "__init__.py":
        return
    if not (ast.get_docstring(source.tree) or "").startswith("This module "):
        yield Finding(source.path, 1, 'the docstring does not begin with "This module …"')


def undocumented(source: Source) -> Iterator[Finding]:
    """Public classes, functions and methods say what they mean; what fulfils a base class needs not repeat it."""
    bodies: list[tuple[str, Sequence[ast.stmt], bool]] = [("", source.tree.body, False)]
    while bodies:
        inside, body, fulfils = bodies.pop()
        for node in body:
            if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if not fulfils and ast.get_docstring(node) is None:
                yield Finding(source.path, node.lineno, f"{inside}{node.name} has no docstring")
            if isinstance(node, ast.ClassDef):
                bodies.append((f"{node.name}.", node.body, bool(node.bases)))


def vague_names(source: Source) -> Iterator[Finding]:
    """A module's name says what is in it."""
    if vague := set(re.split(r"[./_]", source.module.lower())) & VAGUE_NAMES:
        yield Finding(source.path, 0, f"the name says nothing: {', '.join(sorted(vague))}")


def unfinished(path: str, text: str) -> Iterator[Finding]:
    """What is not done is an issue, not a note in the code."""
    for number, line in enumerate(text.splitlines(), start=1):
        if UNFINISHED.search(line):
            yield Finding(path, number, f"unfinished: {line.strip()}")
