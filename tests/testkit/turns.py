"""This module lets an event loop go round by hand, so that a test decides what happens between two turns."""

from __future__ import annotations

import asyncio

ENOUGH = 60
"""Turns after which whatever was due has happened."""


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Carry out what is ready now, and nothing of what that makes ready."""
    loop.call_soon(loop.stop)
    loop.run_forever()


def settle(loop: asyncio.AbstractEventLoop) -> None:
    """Go round until nothing is left that needs no news from outside."""
    for _ in range(ENOUGH):
        turn(loop)
