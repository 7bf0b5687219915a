"""This module regenerates the committed gRPC code, or with --check fails when it differs from the schemas.

Runs in a process of its own: the generator and OR-Tools must never be loaded together.
"""

from __future__ import annotations

import argparse
import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "protos"
WIRE = ROOT / "ganger_core" / "wire" / "v1"


def generate(out: Path) -> None:
    """Write all generated modules and stubs below `out`."""
    schemas = sorted(str(p.relative_to(ROOT)) for p in WIRE.glob("*.proto"))
    bin_dir = Path(sys.executable).parent
    command = [
        sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", f"--python_out={out}", f"--pyi_out={out}",
        f"--grpc_python_out={out}", f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}",
        f"--mypy_grpc_out=quiet:{out}", *schemas,
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT)
    for path in out.rglob("*_pb2_grpc.py*"):
        if "\nservice " not in (WIRE / f"{path.name.split('_pb2_grpc')[0]}.proto").read_text():
            path.unlink()  # nothing in it


def main() -> int:
    """Generate in place, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with the committed files instead of writing"
    )
    if not parser.parse_args().check:
        for old in WIRE.glob("*_pb2*"):
            old.unlink()
        generate(ROOT)
        return 0
    with tempfile.TemporaryDirectory() as tmp:
        generate(Path(tmp))
        fresh = {p.name: p for p in Path(tmp).rglob("*_pb2*")}
        committed = {p.name: p for p in WIRE.glob("*_pb2*")}
        wrong = sorted(
            name
            for name in fresh.keys() | committed.keys()
            if name not in fresh
            or name not in committed
            or not filecmp.cmp(fresh[name], committed[name], shallow=False)
        )
    for name in wrong:
        print(f"generated code is out of date: {name}; run `make protos`", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
