"""This module reads the repository's sources for the rules: paths, text and syntax trees, nothing imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "ganger_core": "protos",
    "ganger_master": "master",
    "ganger_worker": "worker",
    "ganger_planner": "planner",
    "ganger": "client",
}
"""Import package to the folder that it lies in."""

TEXT_SUFFIXES = {".py", ".proto", ".sql", ".md", ".toml", ".txt", ".yml", ".yaml", ".sh"}
NOT_OURS = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis"}
NOT_OURS |= {".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache"}


@dataclass(frozen=True)
class Finding:
    """One breach of a house rule. `line` counts from 1; 0 means the whole file."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One Python file, parsed."""

    path: str  # relative to the root, with forward slashes
    text: str
    tree: ast.Module = field(repr=False)
    names: Mapping[str, str] = field(repr=False)  # local name to what it was imported as, dotted

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """Parse a file's text."""
        tree = ast.parse(text, path)
        return cls(path, text, tree, _imported_names(tree))

    @property
    def module(self) -> str:
        """The dotted name under which it is imported: the folder of its room left out."""
        parts = list(PurePosixPath(self.path).with_suffix("").parts)
        if len(parts) > 1 and ROOMS.get(parts[1]) == parts[0]:
            del parts[0]
        if parts[-1] == "__init__":
            del parts[-1]
        return ".".join(parts)

    def dotted(self, node: ast.AST) -> str:
        """What a name or a chain of attributes stands for, as `package.module.thing`; empty for anything else."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                inner = self.dotted(value)
                return f"{inner}.{attr}" if inner else ""
            case _:
                return ""

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call of something that has a dotted name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := self.dotted(node.func)):
                yield name, node

    def imports(self) -> Iterator[tuple[str, int]]:
        """Every imported module or name, dotted, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{node.module or ''}.{alias.name}", node.lineno) for alias in node.names)


def _imported_names(tree: ast.Module) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
    return names


def _read(path: Path) -> Source:
    return Source.of(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def _python_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if "_pb2" not in path.name)


@cache
def room(package: str) -> tuple[Source, ...]:
    """The written (not generated) modules of one of our packages."""
    return tuple(map(_read, _python_below(ROOT / ROOMS[package] / package)))


@cache
def rooms() -> tuple[Source, ...]:
    """The written modules of all our packages."""
    return tuple(source for package in ROOMS for source in room(package))


@cache
def programs() -> tuple[Source, ...]:
    """What people run: our packages, the tools and the demo."""
    return rooms() + _below("tools") + _below("demo")


@cache
def everything() -> tuple[Source, ...]:
    """All Python written here."""
    return programs() + _below("tests")


def _below(folder: str) -> tuple[Source, ...]:
    return tuple(map(_read, _python_below(ROOT / folder)))


def text_files() -> Iterator[tuple[str, str]]:
    """Every text file written here: its path relative to the root, and its text."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        if NOT_OURS & set(inside.parts) or "_pb2" in path.name or not path.is_file():
            continue
        if path.suffix in TEXT_SUFFIXES or path.name in {"Makefile", "run"}:
            yield inside.as_posix(), path.read_text(encoding="utf-8")
