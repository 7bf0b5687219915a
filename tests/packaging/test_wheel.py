"""This module builds the wheel as a release would, and looks into it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "ganger_core": "protos",
    "ganger_master": "master",
    "ganger_worker": "worker",
    "ganger_planner": "planner",
    "ganger": "client",
}
IMPORT_ALL = """
import importlib, sys
folder, *modules = sys.argv[1:]
sys.path.insert(0, folder)
for name in modules:
    module = importlib.import_module(name)
    assert module.__file__.startswith(folder), module.__file__
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (path,) = folder.glob("ganger-*.whl")
    return zipfile.ZipFile(path)


def ours(wheel: zipfile.ZipFile) -> set[str]:
    """The files of the wheel but its own data."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_it_holds_the_five_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    assert {PurePosixPath(name).parts[0] for name in ours(wheel)} == set(FOLDERS)


@pytest.mark.parametrize("package", FOLDERS)
def test_it_holds_every_file_of_a_package(wheel: zipfile.ZipFile, package: str) -> None:
    folder = ROOT / FOLDERS[package]
    files = {
        path.relative_to(folder).as_posix()
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in ours(wheel) if name.startswith(f"{package}/")} == files
    assert f"{package}/py.typed" in files


def test_it_holds_generated_code_and_sql(wheel: zipfile.ZipFile) -> None:
    schemas = (ROOT / "protos/ganger_core/wire/v1").glob("*.proto")
    generated = {f"ganger_core/wire/v1/{path.stem}_pb2.{end}" for path in schemas for end in ("py", "pyi")}
    assert generated <= ours(wheel)
    assert "ganger_core/wire/v1/task_pb2_grpc.py" in ours(wheel)
    assert [name for name in ours(wheel) if PurePosixPath(name).match("ganger_master/store/*.sql")]


def test_it_holds_no_tests_and_nothing_hidden(wheel: zipfile.ZipFile) -> None:
    parts = {part for name in ours(wheel) for part in PurePosixPath(name).parts}
    assert not [part for part in parts if part.startswith((".", "test_", "conftest")) or part == "tests"]


def test_it_offers_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    data = {PurePosixPath(name).name: name for name in wheel.namelist() if ".dist-info/" in name}
    entries = ConfigParser()
    entries.read_string(wheel.read(data["entry_points.txt"]).decode())
    assert dict(entries["console_scripts"]) == {"ganger": "ganger.cli.main:main"}
    assert b"Apache License" in wheel.read(data["LICENSE"])


def test_every_module_of_it_can_be_imported(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in ours(wheel)
        if name.endswith(".py") and not name.endswith("__main__.py")
    )
    command = [sys.executable, "-c", IMPORT_ALL, str(tmp_path), *modules]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
