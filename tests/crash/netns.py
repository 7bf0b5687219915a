"""This module makes hosts that are network namespaces, with a cable between two of them that can be cut both ways.

The master listens on its own loopback address alone; the other host reaches that by address translation, as through a
tunnel. `iptables` drops what a cut direction carries: nobody is told, as on a network that fails.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NET = "10.77.0"
PORT = 7077


@dataclass(frozen=True, slots=True)
class Cable:
    """Two namespaces, `near` with the master and `far` with the worker. Both see the master at 127.0.0.1:PORT."""

    near: str
    far: str

    def run_in(self, side: str) -> tuple[str, ...]:
        """What a command line begins with that runs on this side."""
        return "nsenter", f"--net=/run/netns/{side}"

    def cut(self, *sides: str) -> None:
        """From now on these sides hear nothing."""
        for side in sides:
            _in(side, "iptables", "-I", "INPUT", "-i", _device(side), "-j", "DROP")

    def heal(self) -> None:
        """Both sides hear again."""
        for side in (self.near, self.far):
            _in(side, "iptables", "-F", "INPUT")


@contextlib.contextmanager
def a_cable() -> Iterator[Cable]:
    """Two hosts and the cable between them; removed afterwards."""
    cable = Cable(f"ganger-near-{os.getpid()}", f"ganger-far-{os.getpid()}")
    try:
        for side in (cable.near, cable.far):
            _run("ip", "netns", "add", side)
            _run("ip", "-n", side, "link", "set", "lo", "up")
        _run(
            "ip", "link", "add", _device(cable.near), "netns", cable.near, "type", "veth",
            "peer", "name", _device(cable.far), "netns", cable.far,
        )  # fmt: skip
        for number, side in enumerate((cable.near, cable.far), start=1):
            _run("ip", "-n", side, "addr", "add", f"{NET}.{number}/24", "dev", _device(side))
            _run("ip", "-n", side, "link", "set", _device(side), "up")
            for scope in ("all", _device(side)):
                _in(side, "sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{scope}/route_localnet")
        _translate(cable)
        yield cable
    finally:
        for side in (cable.near, cable.far):
            subprocess.run(["ip", "netns", "del", side], check=False, capture_output=True)


def missing() -> str:
    """What this machine lacks for such hosts; nothing when they work."""
    if os.geteuid() != 0:
        return "only root can make network namespaces"
    try:
        with a_cable() as cable:
            cable.cut(cable.far)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces with iptables cannot be made: {error}"
    return ""


def _translate(cable: Cable) -> None:
    to_master = ("-p", "tcp", "--dport", str(PORT), "-j", "DNAT", "--to-destination")
    nat = ("iptables", "-t", "nat", "-A")
    _in(cable.near, *nat, "PREROUTING", "-d", f"{NET}.1", *to_master, f"127.0.0.1:{PORT}")
    _in(cable.far, *nat, "OUTPUT", "-d", "127.0.0.1", *to_master, f"{NET}.1:{PORT}")
    _in(cable.far, *nat, "POSTROUTING", "-o", _device(cable.far), "-j", "SNAT", "--to-source", f"{NET}.2")


def _device(side: str) -> str:
    return "near0" if "near" in side else "far0"


def _in(side: str, *command: str) -> None:
    _run("nsenter", f"--net=/run/netns/{side}", *command)


def _run(*command: str) -> None:
    arguments: Sequence[str] = command
    subprocess.run(arguments, check=True, capture_output=True)
