"""This module holds what is installed, and what constraints.txt names, to the bounds that must not slip.

A resolver left alone may pair a new protobuf with an OR-Tools from before both had bounds, without a word.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from architecture.sources import ROOT

Pins = Mapping[str, Version]


def read_pins(text: str) -> dict[str, Version]:
    """Name and version of every line `name==version`; anything else but comments raises."""
    pins: dict[str, Version] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, exact, pinned = line.partition("==")
            if not exact or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
                raise ValueError(f"not an exact version: {line}")
            pins[canonicalize_name(name)] = Version(pinned)
    return pins


def requirements(pyproject: Mapping[str, Any]) -> Iterator[Requirement]:
    """Everything that the project, its extras and its dependency groups ask for, but itself."""
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += pyproject["dependency-groups"].values()
    for text in (entry for entries in lists for entry in entries if isinstance(entry, str)):
        requirement = Requirement(text)
        if requirement.name != project["name"]:
            yield requirement


def unmet(pyproject: Mapping[str, Any], pins: Pins) -> list[str]:
    """The requirements that the pins leave open or break."""
    return [
        str(requirement)
        for requirement in requirements(pyproject)
        if (pin := pins.get(canonicalize_name(requirement.name))) is None or pin not in requirement.specifier
    ]


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _constraints() -> dict[str, Version]:
    return read_pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))


def test_constraints_meet_every_requirement() -> None:
    assert not unmet(_pyproject(), _constraints())


@pytest.mark.parametrize("where", ["installed", "constraints"])
def test_solver_and_wire_fit_together(where: str) -> None:
    pins = _constraints()
    found = {
        name: Version(version(name)) if where == "installed" else pins[name]
        for name in ("ortools", "protobuf")
    }
    assert found["ortools"] >= Version("9.15")
    assert found["protobuf"].release[:2] == (6, 33)


def test_an_open_or_broken_pin_is_found() -> None:
    pyproject = {
        "project": {"name": "x", "dependencies": ["A-b>=2"], "optional-dependencies": {"all": ["x[y]", "c"]}},
        "dependency-groups": {"dev": [{"include-group": "p"}, "d<3"]},
    }
    assert unmet(pyproject, read_pins("# pins\na_b==2.1\nc==1\nd==2\n")) == []
    assert unmet(pyproject, read_pins("a_b==1.9\nd==3\n")) == ["A-b>=2", "c", "d<3"]


@pytest.mark.parametrize(
    "line", ["-e .", "a @ https://example.org/a.whl", "--index-url https://example.org", "a>=1"]
)
def test_constraints_are_exact_versions_only(line: str) -> None:
    with pytest.raises(ValueError, match="not an exact version"):
        read_pins(line)
