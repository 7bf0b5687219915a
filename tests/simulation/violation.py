"""This module is what a simulated world raises at the first thing that must not be."""

from __future__ import annotations


class Violation(AssertionError):
    """An invariant does not hold; begins with its number in the design."""
