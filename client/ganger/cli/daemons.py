"""This module replaces the CLI's process by a daemon's, which reads the rest of the command line itself."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ganger.cli.session import Session

# The daemon's own parser sees everything behind the verb, --help too.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

NEEDS = {"ganger_worker": ("psutil", "worker"), "ganger_planner": ("numpy", "planner")}


def check_installed(package: str) -> None:
    """Raise `Invalid` with what to install when something that `package` needs is missing."""
    from ganger_core.domain.errors import Invalid

    module, extra = NEEDS.get(package, (package, "all"))
    if importlib.util.find_spec(module) is None:
        raise Invalid(f"{package} needs {module}, which is not installed: pip install 'ganger[{extra}]'")


def become(package: str, arguments: Sequence[str], session: Session) -> NoReturn:
    """Run `python -m package` in place of this process, with the global options in its environment."""
    check_installed(package)
    sys.stdout.flush()
    command = [sys.executable, "-m", package, *arguments]
    os.execve(sys.executable, command, daemon_env(package, session, os.environ))  # noqa: S606 - argv, no shell


def daemon_env(package: str, session: Session, env: Mapping[str, str]) -> dict[str, str]:
    """The environment that tells a daemon the global options. Raises `Invalid` for one it has no use for."""
    from ganger_core.domain.errors import Invalid

    if session.address and package != "ganger_worker":
        raise Invalid(
            "--address names a master to talk to; where a daemon listens is said by its own --listen"
        )
    given = {
        "GANGER_STATE_DIR": session.state_dir,
        "GANGER_TOKEN_FILE": session.token_file,
        "GANGER_MASTER": session.address,
    }
    return {**env, **{name: value for name, value in given.items() if value}}
