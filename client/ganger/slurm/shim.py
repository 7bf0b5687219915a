"""This module puts small executables called sbatch, squeue … into a folder, and takes its own away again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from ganger.slurm.commands import NAMES
from ganger_core.domain.errors import Conflict, Invalid

MARK = "# Made by `ganger shim install`: runs Ganger in place of Slurm's "
_SETTINGS = ("GANGER_STATE_DIR", "GANGER_ADDR", "GANGER_TOKEN_FILE")


def text(name: str, python: str, settings: Mapping[str, str]) -> str:
    """One executable: which master it asks is said by `settings`, unless the environment says so."""
    lines = ["#!/bin/sh", MARK + name]
    if settings:
        words = " ".join(f"{key}={shlex.quote(value)}" for key, value in sorted(settings.items()))
        lines.append(f'[ -n "${{GANGER_STATE_DIR-}}${{GANGER_ADDR-}}" ] || export {words}')
    lines.append(f'exec {shlex.quote(python)} -m ganger.slurm {name} "$@"')
    return "\n".join(lines) + "\n"


def settings_of(env: Mapping[str, str], state_dir: str, address: str, token_file: str) -> dict[str, str]:
    """Which master is meant: what was said, else what the environment says; paths absolute. Empty for the usual one."""
    said = dict(zip(_SETTINGS, (state_dir, address, token_file), strict=True))
    if not any(said.values()):
        said = {name: env.get(name, "") for name in _SETTINGS}
    found = {name: value for name, value in said.items() if value}
    return {
        name: value if name == "GANGER_ADDR" else os.path.abspath(os.path.expanduser(value))
        for name, value in found.items()
    }


def install(folder: Path, python: str, settings: Mapping[str, str], *, force: bool) -> list[Path]:
    """Write the executables and return their paths; raises `Conflict` when a file is there that is not ours."""
    paths = [folder / name for name in NAMES]
    if not force:
        foreign = [path for path in paths if os.path.lexists(path) and not _is_ours(path)]
        if foreign:
            raise Conflict(
                f"{foreign[0]} is there and was not made by Ganger: name another folder, or say --force to replace it"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            fresh = path.with_name(f".{path.name}.new")
            fresh.write_text(text(path.name, python, settings), encoding="utf-8")
            fresh.chmod(0o755)
            fresh.replace(path)
    except OSError as error:
        raise Invalid(f"{error.filename or folder}: {error.strerror}") from None
    return paths


def uninstall(folder: Path) -> list[Path]:
    """Remove what `install` made and return the paths; raises `Invalid` when there is nothing of it."""
    ours = [path for name in NAMES if _is_ours(path := folder / name)]
    if not ours:
        raise Invalid(f"{folder} has nothing of `ganger shim install`")
    try:
        for path in ours:
            path.unlink()
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    return ours


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(512)
    except OSError:
        return False
