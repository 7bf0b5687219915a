"""This module starts the worker daemon: `python -m ganger_worker`."""

from __future__ import annotations

import os
import sys

from ganger_worker.app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
