"""This module checks the SDK's public names."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import ganger


def test_every_public_name_is_there() -> None:
    assert sorted(ganger.__all__) == dir(ganger)
    for name in ganger.__all__:
        assert getattr(ganger, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        ganger.Clint  # noqa: B018


def test_types_are_shipped() -> None:
    spec = find_spec("ganger")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).with_name("py.typed").exists()


def test_importing_the_package_costs_nothing_until_a_name_is_used() -> None:
    code = "import sys, ganger; print('grpc' in sys.modules, end=' '); ganger.Client; print('grpc' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert told.stdout == "False True\n"
