"""This module makes `python -m ganger` the same as `ganger`."""

from ganger.cli.main import main

main()
