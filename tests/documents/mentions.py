"""This module checks commands that a page mentions within its text: the verb and its options exist. Pure."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import typer

from documents.pages import FENCE
from ganger.cli.main import app
from ganger_core.settings import MasterSettings, PlannerSettings, WorkerSettings

MENTION = re.compile(r"`(ganger(?: [^`]+)?)`")
_SETTINGS: dict[str, Any] = {
    "master start": MasterSettings,
    "worker start": WorkerSettings,
    "planner start": PlannerSettings,
}


def mentioned(text: str) -> Iterator[tuple[int, str]]:
    """Line (from 1) and text of each command in a page's text, outside its blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = FENCE.match(line)
        if found or fence:
            fence = ("" if found and found[1] == fence else fence) if fence else found[1] if found else ""
        else:
            yield from ((number, mention) for mention in MENTION.findall(line))


def fault(command: str) -> str:
    """What is wrong with a command that is mentioned; empty when nothing is."""
    group = _root()
    context = typer.Context(group, info_name="ganger")
    try:
        words = shlex.split(command.replace("\\|", "|"))[1:]
    except ValueError:
        return "cannot be read"
    if words and words[0].startswith("--") and words[0] != "--help":
        del words[: 2 if "=" not in words[0] else 1]
    path: list[str] = []
    while words and hasattr(group, "get_command"):
        if words[0].isupper() or words[0] in ("--help", "…"):
            return ""
        path.append(words.pop(0))
        group = group.get_command(context, path[-1])
        if group is None:
            return f"there is no command `ganger {' '.join(path)}`"
    known = {
        option for param in getattr(group, "params", ()) for option in (*param.opts, *param.secondary_opts)
    }
    known |= {"--help", "-h"}
    known |= {"--" + f.name.replace("_", "-") for f in _settings(path)}
    if "--" in words:
        words = words[: words.index("--")]
    if path != ["planner", "solve"]:
        for word in words:
            if word.startswith("--") and word.partition("=")[0] not in known:
                return f"`ganger {' '.join(path)}` has no option {word}"
    return ""


@functools.cache
def _root() -> Any:
    return typer.main.get_command(app)


def _settings(path: list[str]) -> tuple[Any, ...]:
    found = _SETTINGS.get(" ".join(path))
    return fields(found) if found else ()
