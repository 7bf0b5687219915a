"""This module is the command: `python -m ganger_master [flags]`, `backup FILE` or `restore FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(args: Sequence[str]) -> int:
    """Do what `args` say; returns the exit code."""
    if args and args[0] in ("backup", "restore"):
        from ganger_master import copies

        return copies.main(args[0], args[1:])
    from ganger_master import app

    return app.main(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
