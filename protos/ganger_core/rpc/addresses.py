"""This module says how the address of a master or planner is written, without loading gRPC.

An address is `unix:/absolute/socket` or `HOST:PORT` (an IPv6 host in brackets).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from ganger_core.domain.errors import Invalid

UNIX_PREFIX = "unix:"
MAX_SOCKET_PATH = 107  # bytes: the kernel's limit less the closing NUL
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call, and with which bearer token (empty: none; a Unix socket needs none)."""

    address: str
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        check_address(self.address)


def unix_address(path: Path | str) -> str:
    """The address of a Unix socket at `path`, to listen on and to dial; raises `Invalid` when it is too long."""
    raw = str(Path(path).absolute())
    if len(raw.encode()) > MAX_SOCKET_PATH:
        raise Invalid(
            f"the socket's path is longer than {MAX_SOCKET_PATH} bytes: {raw}; choose a shorter --state-dir",
            field="state_dir",
        )
    return UNIX_PREFIX + quote(raw)  # gRPC reads the path as a URI's


def check_address(text: str, field: str = "address") -> None:
    """Raise `Invalid` unless `text` is an address that can be dialled."""
    if text.startswith(UNIX_PREFIX):
        if not re.fullmatch(r"/[!-~]*", text.removeprefix(UNIX_PREFIX)):
            raise Invalid(
                f"{field}: {text!r} must be {UNIX_PREFIX} and an absolute path, special characters as %XX",
                field=field,
            )
        return
    if split_host_port(text, field)[1] == 0:
        raise Invalid(f"{field}: port 0 cannot be dialled", field=field)


def split_host_port(text: str, field: str = "address") -> tuple[str, int]:
    """Host (without brackets) and port of `HOST:PORT`; raises `Invalid`."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise Invalid(f"{field}: {text!r} is no HOST:PORT", field=field)
    return match["host"].strip("[]"), int(match["port"])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
