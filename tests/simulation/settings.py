"""This module holds the settings of a simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The master's settings of the same names, in seconds."""

    heartbeat_every_s: float = 5.0
    suspect_after_s: float = 15.0
    lost_after_s: float = 30.0
    cleanup_every_s: float = 10.0
    cycle_every_s: float = 5.0
    lease_s: float = 60.0
    reservation_s: float = 30.0
    stop_grace_s: float = 10.0
    ages_after_s: float = 3_600.0
