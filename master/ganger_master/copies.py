"""This module is the command line of `ganger backup` and `ganger restore`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganger_core.domain.errors import GangerError
from ganger_core.settings import default_state_dir
from ganger_master.backup import back_up
from ganger_master.restore import restore
from ganger_master.store.database import NAME

OK, REFUSED = 0, 1


def main(verb: str, args: Sequence[str], env: Mapping[str, str] = os.environ) -> int:
    """Do `backup` or `restore`; returns the exit code."""
    given = _parser(verb).parse_args(args)
    os.umask(0o077)
    folder = Path(given.state_dir).expanduser().absolute() if given.state_dir else default_state_dir(env)
    file = Path(given.file).expanduser().absolute()
    try:
        if verb == "backup":
            size = back_up(folder / NAME, file, force=given.force)
            _say(f"wrote {file}: {size} bytes, checked")
            _say(f"logs are not in it: they are files in {folder / 'logs'}")
        else:
            done = restore(file, folder, force=given.force, nothing_runs=given.nothing_runs)
            _say(f"restored {file} into {folder}: epoch {done.epoch}, new tasks from {done.next_task_id} on")
            if done.aside:
                _say(f"the database of before is {done.aside}")
            if not given.nothing_runs:
                _say("the master will assign nothing until the leases of whatever may still run are over")
    except GangerError as error:
        sys.stderr.write(f"ganger {verb}: {error.message}\n")
        return REFUSED
    return OK


def _parser(verb: str) -> argparse.ArgumentParser:
    if verb == "backup":
        parser = argparse.ArgumentParser(
            prog="ganger backup",
            description="Copy the database of a master, which may be running, into one file.",
            epilog="Example: ganger backup /backup/ganger-monday.db",
        )
        parser.add_argument("--force", action="store_true", help="replace the file if it is there")
    else:
        parser = argparse.ArgumentParser(
            prog="ganger restore",
            description="Put a backup in the place of the database of a master, which must not be running.",
            epilog="Example: ganger restore /backup/ganger-monday.db --force",
        )
        parser.add_argument("--force", action="store_true", help="put aside the database that is there")
        parser.add_argument(
            "--nothing-runs",
            action="store_true",
            help="no task runs on any worker any more: assign tasks at once, without waiting for leases",
        )
    parser.add_argument(
        "--state-dir", metavar="FOLDER", help="the master's state folder [env: GANGER_STATE_DIR]"
    )
    parser.add_argument("file", metavar="FILE", help="the backup")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
