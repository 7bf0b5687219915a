"""This module reads the settings of each daemon: flag, else environment, else file, else default.

The environment variable of a field is GANGER_ and its name; the file is `ganger.toml` in the state folder
(or the one that GANGER_CONFIG names) with the sections [master], [worker] and [planner]. Every value goes
through the parser of its field, and what is wrong is said with the name of its source.
"""

from __future__ import annotations

import argparse
import difflib
import re
import socket
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from ganger_core.domain.errors import Invalid
from ganger_core.domain.parse import parse_cpus, parse_duration, parse_memory
from ganger_core.domain.validate import MAX_PRIORITY, check_worker_name
from ganger_core.rpc.addresses import Target, check_address, is_loopback, split_host_port, unix_address
from ganger_core.state_dir import read_token

LOG_LEVELS = ("debug", "info", "warning", "error")
SOCKET_NAME = "socket"
PLANNER_SOCKET_NAME = "planner.socket"
TOKEN_NAME = "token"  # noqa: S105 - a file's name
DAY_S = 86_400.0
CONFIG_NAME = "ganger.toml"

C = TypeVar("C", "MasterSettings", "PlannerSettings", "WorkerSettings")


def _listen(text: str) -> str:
    if text and not is_loopback(split_host_port(text, "listen")[0]):
        raise Invalid(f"listening on {text} needs TLS, which comes later; use 127.0.0.1 or an SSH tunnel")
    return text


def _address(text: str) -> str:
    if text:
        check_address(text)
    return text


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 0.01:
        raise Invalid(f"{text!r} is below the least, 0.01 s")
    return seconds


def _points(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text, re.ASCII) or float(text) > MAX_PRIORITY:
        raise Invalid(f"{text!r} is no number of points from 0 to {MAX_PRIORITY}, such as 1 or 0.5")
    return float(text)


def _at_least_a_day(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 86_400:
        raise Invalid(f"{text!r} is below the least, 24h")
    return seconds


def _count(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise Invalid(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return parse


def _log_level(text: str) -> str:
    if text not in LOG_LEVELS:
        raise Invalid(f"{text!r} is none of {', '.join(LOG_LEVELS)}")
    return text


def _worker_name(text: str) -> str:
    check_worker_name(text)
    return text


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _setting(parse: Callable[[str], object], text: str, default: object = "", *, show: str = "") -> Any:
    """A field with its parser, its help for people, and how to show its default."""
    shown = show or str(default)
    help_text = f"{text} (default: {shown})" if shown else text
    return field(default=default, metadata={"parse": parse, "help": help_text.replace("%", "%%")})


_STATE_DIR = {
    "parse": _folder,
    "help": "folder of everything this daemon keeps (default: ~/.local/state/ganger)",
}
_LEVEL_HELP = f"least level of the log: {', '.join(LOG_LEVELS)}"


@dataclass(frozen=True, slots=True)
class MasterSettings:
    """Settings of a master. Fields in `_s` are seconds; an empty `listen` means only the Unix socket."""

    state_dir: Path = field(metadata=_STATE_DIR)
    listen: str = _setting(_listen, "HOST:PORT to listen on beside the Unix socket; callers need the token")
    planner: str = _setting(_address, "address of the planner", show="the planner of this state folder")
    cycle_every_s: float = _setting(_seconds, "longest time between two scheduling cycles", 5.0)
    ageing_per_hour: float = _setting(
        _points, "points of priority that an hour of waiting adds; 0: none", 1.0
    )
    ageing_most: float = _setting(_points, "points of priority that waiting can add at most", 20.0)
    plan_deadline_s: float = _setting(_seconds, "time a planner has for one plan", 1.0)
    heartbeat_every_s: float = _setting(_seconds, "time between two heartbeats of a worker", 5.0)
    suspect_after_s: float = _setting(_seconds, "silence after which a worker gets no new work", 15.0)
    lost_after_s: float = _setting(_seconds, "silence after which a worker counts as lost", 30.0)
    cleanup_every_s: float = _setting(_seconds, "time between two clean-ups", 10.0)
    lease_s: float = _setting(_seconds, "time an attempt may go on without an answered heartbeat", 300.0)
    reservation_s: float = _setting(
        _seconds, "time capacity is held for an attempt not yet told to its worker", 30.0
    )
    stop_grace_s: float = _setting(_seconds, "time between SIGTERM and SIGKILL when a task is stopped", 30.0)
    keep_ended_s: float = _setting(
        _seconds, "time a task that succeeded or was cancelled is kept, with its logs", 14 * DAY_S, show="14d"
    )
    keep_failed_s: float = _setting(
        _seconds, "time a task that failed is kept, with its logs", 30 * DAY_S, show="30d"
    )
    keep_events_s: float = _setting(_seconds, "time an event is kept", 14 * DAY_S, show="14d")
    keep_requests_s: float = _setting(
        _at_least_a_day,
        "least time a repeated request gets the first one's answer; as long as its tasks are kept anyway",
        DAY_S,
        show="1d",
    )
    prune_every_s: float = _setting(_seconds, "time between two looks for what is old", 600.0)
    least_free: int = _setting(
        parse_memory, "free space of the disk below which submissions and logs wait", 2**29, show="512MiB"
    )
    least_free_percent: int = _setting(_count(0, 99), "the same, as a percentage of the disk", 5)
    busy_timeout_s: float = _setting(
        _seconds, "time another program may hold the database before the master gives up", 30.0
    )
    log_level: str = _setting(_log_level, _LEVEL_HELP, "info")


@dataclass(frozen=True, slots=True)
class PlannerSettings:
    """Settings of a planner. An empty `listen` means the Unix socket of the state folder."""

    state_dir: Path = field(metadata=_STATE_DIR)
    listen: str = _setting(
        _listen, "HOST:PORT to listen on instead of the Unix socket; callers need the token"
    )
    token_file: str = _setting(str, "file with the token that callers need", show="token in the state folder")
    threads: int = _setting(_count(1, 256), "plans made at the same time", 8)
    log_level: str = _setting(_log_level, _LEVEL_HELP, "info")


def host_worker_name() -> str:
    """A worker's name made of the host's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:128].lstrip("._-") or "worker"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of a worker. `cpus` is in thousandths of a CPU, `memory` in bytes; 0 means as measured."""

    state_dir: Path = field(metadata=_STATE_DIR)
    name: str = field(
        default_factory=host_worker_name,
        metadata={"parse": _worker_name, "help": "the worker's name in lists (default: the host's name)"},
    )
    master: str = _setting(_address, "address of the master", show="the master of this state folder")
    token_file: str = _setting(str, "file with the token for the master", show="token in the state folder")
    cpus: int = _setting(parse_cpus, "CPUs to offer, such as 4 or 1.5", 0, show="all of the host")
    memory: int = _setting(parse_memory, "memory to offer, such as 8GiB", 0, show="all of the host")
    slots: int = _setting(_count(0, 100_000), "tasks at the same time", 0, show="8 for each CPU")
    log_level: str = _setting(_log_level, _LEVEL_HELP, "info")


_SECTIONS: dict[str, type[MasterSettings] | type[PlannerSettings] | type[WorkerSettings]] = {
    "master": MasterSettings,
    "worker": WorkerSettings,
    "planner": PlannerSettings,
}


def add_flags(parser: argparse.ArgumentParser, cls: type[C]) -> None:
    """Give `parser` one flag for each field of `cls`: `--lease-s` for `lease_s`."""
    for f in fields(cls):
        parser.add_argument(
            _flag(f.name), dest=f.name, default=None, metavar="VALUE", help=f.metadata["help"]
        )


def load(cls: type[C], args: argparse.Namespace, env: Mapping[str, str]) -> C:
    """The settings from parsed flags, environment and file.

    Raises `Invalid`, naming the flag, variable or key at fault.
    """
    given: dict[str, tuple[str, str]] = {}  # field -> where it was set, as what
    for f in fields(cls):
        flag, variable = getattr(args, f.name, None), f"GANGER_{f.name.upper()}"
        if flag is not None:
            given[f.name] = (_flag(f.name), flag)
        elif env.get(variable):
            given[f.name] = (variable, env[variable])
    values = {f.name: _parse(f, *given[f.name]) for f in fields(cls) if f.name in given}
    folder = values.setdefault("state_dir", default_state_dir(env))
    in_file = _from_file(cls, folder, env)
    values |= {
        f.name: _parse(f, *in_file[f.name]) for f in fields(cls) if f.name in in_file and f.name not in values
    }
    settings = cls(**values)
    if isinstance(settings, MasterSettings):
        _check_order(settings)
    return settings


def default_state_dir(env: Mapping[str, str]) -> Path:
    """GANGER_STATE_DIR, else `ganger` below XDG_STATE_HOME, else `~/.local/state/ganger`."""
    if env.get("GANGER_STATE_DIR"):
        return _folder(env["GANGER_STATE_DIR"])
    if env.get("XDG_STATE_HOME"):
        return _folder(env["XDG_STATE_HOME"]) / "ganger"
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    return home / ".local" / "state" / "ganger"


def master_target(
    env: Mapping[str, str], *, master: str = "", token_file: str = "", state_dir: Path | None = None
) -> Target:
    """Where the master is: what was given, else GANGER_ADDR, else the socket of the state folder.

    Over TCP the token is that of `token_file`, else of GANGER_TOKEN_FILE, else the one in the state folder
    if there is one. Raises `Invalid`.
    """
    folder = state_dir or default_state_dir(env)
    address, source = (master, "address") if master else (env.get("GANGER_ADDR", ""), "GANGER_ADDR")
    if not address and not token_file:
        return Target(unix_address(folder / SOCKET_NAME))
    address = address or unix_address(folder / SOCKET_NAME)
    check_address(address, source)
    file = token_file or env.get("GANGER_TOKEN_FILE", "")
    if file:
        return Target(address, read_token(Path(file).expanduser()))
    if not address.startswith("unix:") and (folder / TOKEN_NAME).exists():
        return Target(address, read_token(folder / TOKEN_NAME))
    return Target(address)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parse(f: Field[Any], source: str, text: str) -> Any:
    try:
        return f.metadata["parse"](text)
    except Invalid as error:
        raise Invalid(f"{source}: {error.message}", field=f.name) from None


def _from_file(cls: type[C], folder: Path, env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The values of the section of `cls`, as (where, text); all sections are checked for unknown keys."""
    named = env.get("GANGER_CONFIG", "")
    path = _folder(named) if named else folder / CONFIG_NAME
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        if not named:
            return {}
        raise Invalid(f"GANGER_CONFIG: there is no file {path}", field="GANGER_CONFIG") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", field=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not valid TOML: {error}", field=str(path)) from error
    found: dict[str, tuple[str, str]] = {}
    for section, content in document.items():
        _check_known(section, _SECTIONS, f"section [{section}]", path)
        if not isinstance(content, dict):
            raise Invalid(f"{path}: {section} must be a section: [{section}]", field=section)
        known = [f.name for f in fields(_SECTIONS[section]) if f.name != "state_dir"]
        for key, value in content.items():
            where = f"{key} in [{section}] of {path}"
            if key == "state_dir":
                raise Invalid(
                    f"{where}: use --state-dir or GANGER_STATE_DIR, the file is found by it", field=key
                )
            _check_known(key, known, where, path)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise Invalid(f"{where}: {value!r} is neither a text nor a number", field=key)
            if _SECTIONS[section] is cls:
                found[key] = (where, str(value))
    return found


def _check_known(name: str, known: Iterable[str], where: str, path: Path) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise Invalid(f"{where} is unknown ({path}); {hint}", field=name)


def _check_order(settings: MasterSettings) -> None:
    """A worker must be late before it is suspect, and suspect before it is lost."""
    names = ("heartbeat_every_s", "suspect_after_s", "lost_after_s")
    for name, later in pairwise(names):
        if getattr(settings, name) >= getattr(settings, later):
            raise Invalid(
                f"{name} ({getattr(settings, name):g}) must be below {later} ({getattr(settings, later):g})",
                field=later,
            )
