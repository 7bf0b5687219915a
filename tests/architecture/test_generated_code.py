"""This module holds the committed gRPC code to the schemas, through the tool that people run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from architecture.sources import ROOT


def _check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "protos.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_generated_code_is_what_the_schemas_give() -> None:
    ran = _check(ROOT)
    assert ran.returncode == 0, ran.stderr


def test_a_changed_schema_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copytree(ROOT / "protos" / "ganger_core" / "wire", tmp_path / "protos" / "ganger_core" / "wire")
    with (tmp_path / "protos/ganger_core/wire/v1/task.proto").open("a") as schema:
        schema.write("message Planted {\n  int64 one = 1;\n}\n")
    ran = _check(tmp_path)
    assert ran.returncode == 1
    assert "task_pb2.py" in ran.stderr
