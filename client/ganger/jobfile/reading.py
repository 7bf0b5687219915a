"""This module makes a `Job` of the bytes of a job file, or says all that is wrong with it."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, cast

from ganger.build import TaskOptions, task_spec
from ganger.jobfile.after import Named, resolved
from ganger.jobfile.elements import read_elements
from ganger.jobfile.job import Elements, Entry, Job
from ganger.jobfile.keys import (
    API_VERSION,
    ARRAY,
    DEFAULTS,
    ELEMENTS,
    KINDS,
    LATER_KINDS,
    MERGED,
    MOMENTS,
    TASK,
)
from ganger.jobfile.kinds import Place, Unusable, read_text
from ganger.jobfile.problems import Problems, nearest, without_field
from ganger.jobfile.tables import Found, Given, meant_by, read_table, unknown
from ganger.jobfile.tree import Node, read_tree
from ganger.moments import moment_ms
from ganger_core.domain.errors import Invalid
from ganger_core.domain.task import TaskSpec

MOST_TASKS = 10_000
MOST_BYTES_OF_TASKS = 8 * 2**20  # one call takes twice that
HEAD = ("apiVersion", "kind")


@dataclass(frozen=True)
class Setting:
    """What is around a file: the folder that its paths start from, and the moment that its times count from."""

    folder: str
    now: datetime


class Draft(NamedTuple):
    """A task as it was read: with the names that it waits for, and where it stands."""

    options: Found
    spec: TaskSpec
    array: Elements | None
    after: Given | None


def read_job(data: bytes, file: str, setting: Setting, *, is_toml: bool) -> Job:
    """The job of a file that people call `file`. Raises one `Invalid` with all that is wrong."""
    problems = Problems(file)
    root = read_tree(data, problems, is_toml=is_toml)
    if not isinstance(root.value, dict):
        raise problems.stop(f"must be a mapping that begins with `apiVersion: {API_VERSION}`")
    kind = _read_head(root.value, Place("", 0, problems))
    if kind is None:
        raise problems.error()
    members = {key: node for key, node in root.value.items() if key not in HEAD}
    place, reader = Place("", root.line, problems), _Reader(setting)
    if kind == "Tasks":
        name, drafts = reader.tasks(members, place)
    else:
        drafts = [reader.task(Node(members, root.line), place, {}, {"tasks": "kind: Tasks"})]
        name = "" if drafts[0] is None else drafts[0].spec.name
        if kind == "Array" and ARRAY not in members:
            problems.add(ARRAY, 0, "is missing; kind: Task is for what is no array")
        if kind == "Task" and ARRAY in members:
            place.member(ARRAY, members[ARRAY]).wrong("is for kind: Array, and for the tasks of kind: Tasks")
    size = sum(_size(draft.spec) for draft in drafts if draft is not None)
    if size > MOST_BYTES_OF_TASKS:
        mib = f"{MOST_BYTES_OF_TASKS >> 20} MiB"
        problems.add(
            "tasks", 0, f"more than {mib} together, with what the defaults add to each; make them an array"
        )
    afters = resolved(
        [draft and Named(draft.spec.name, draft.array, draft.after) for draft in drafts], problems
    )
    if problems:
        raise problems.error()
    entries = [
        Entry(tuple(draft.options["command"].value), _options(draft.options), draft.spec, draft.array, after)
        for draft, after in zip(drafts, afters, strict=True)
        if draft is not None
    ]
    return Job(file, name, hashlib.sha256(data).hexdigest(), tuple(entries))


def _read_head(members: Mapping[str, Node], place: Place) -> str | None:
    """The kind; None when there is no use in reading on."""
    said, before = {}, len(place.problems)
    for key, known in (("apiVersion", (API_VERSION,)), ("kind", KINDS)):
        if key not in members:
            place.problems.add(key, 0, f"is missing; there are {', '.join(known)}")
            continue
        inside = place.member(key, members[key])
        try:
            said[key] = text = read_text(members[key], inside)
        except Unusable:
            continue
        if key == "kind" and text in LATER_KINDS:
            inside.wrong(f"{text} comes with a later version; there are {', '.join(known)}")
        elif text not in known:
            near = nearest(text, {each: each for each in known})
            hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
            inside.wrong(f"{text[:60]!r} is not known; {hint}")
    return said["kind"] if len(place.problems) == before else None


class _Reader:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def tasks(self, members: Mapping[str, Node], place: Place) -> tuple[str, list[Draft | None]]:
        """What a file of several tasks says: its name, and its tasks."""
        keys = ("name", "defaults", "tasks")
        meant = meant_by(TASK, "tasks[0].") | meant_by(DEFAULTS, "defaults.") | {each: each for each in keys}
        name, defaults, listed, where = "", Found(), None, place
        for key, node in members.items():
            inside = place.member(key, node)
            if key == "defaults":
                defaults = self._sound(read_table(DEFAULTS, node, inside, meant_by(TASK, "tasks[0].")))
            elif key == "tasks":
                listed, where = node, inside
            elif key != "name":
                unknown(key, meant, inside)
            else:
                name = read_table(TASK, Node({key: node}), place)["name"].value
        if listed is None:
            place.problems.add("tasks", 0, "is missing: a list of tasks")
            return name, []
        if not isinstance(listed.value, list) or not 1 <= len(listed.value) <= MOST_TASKS:
            where.wrong(f"must be a list of 1 to {MOST_TASKS} tasks")
            return name, []
        drafts = []
        for number, node in enumerate(listed.value):
            if not place.problems.is_full:
                drafts.append(self.task(node, where.item(number, node), defaults, {}))
        return name, drafts

    def task(self, node: Node, place: Place, defaults: Found, also: Mapping[str, str]) -> Draft | None:
        """One task; None when something is wrong with it, which has then been said."""
        problems = place.problems
        before = len(problems)
        own = read_table(TASK, node, place, also)
        if not isinstance(node.value, dict):
            return None
        if "command" not in node.value:
            problems.add(f"{place.path}.command".lstrip("."), place.line, "is missing")
        after = own.pop("after", None)
        sources = {key.to: own.pop(key.to) for key in ELEMENTS.keys if key.to in own}
        array = None
        if ARRAY in node.value and len(problems) == before:
            with suppress(Unusable):
                array = read_elements(sources, place.member(ARRAY, node.value[ARRAY]), self._setting.folder)
        options = self._in_folder(_merged(defaults, self._with_moments(own)), place)
        spec = self._spec(options, place, command_is_there="command" in own)
        return None if spec is None or len(problems) > before else Draft(options, spec, array, after)

    def _with_moments(self, options: Found) -> Found:
        """With times that count from the moment of the file: they stay the same when it is handed in once more."""
        found = dict(options)
        for name in MOMENTS:
            if name in found and found[name].value != "0":
                given = found.pop(name)
                try:
                    ms = moment_ms(given.value, name, self._setting.now)
                except Invalid as error:
                    given.place.wrong(without_field(error))
                else:
                    found[name] = given._replace(value=datetime.fromtimestamp(ms / 1000, UTC))
        return found

    def _in_folder(self, options: Found, place: Place) -> Found:
        """With the folder to run in, which is that of the file unless another one is named."""
        given = options.get("workdir", Given(".", place))
        path = os.path.normpath(os.path.join(self._setting.folder, given.value)) if given.value else ""
        return {**options, "workdir": given._replace(value=path)}

    def _spec(self, options: Found, place: Place, *, command_is_there: bool) -> TaskSpec | None:
        """What `task_spec` makes of it; None when it refuses, which has then been said."""
        problems, before = place.problems, len(place.problems)
        if command_is_there:
            try:
                return task_spec(options["command"].value, **_options(options))
            except Invalid as error:
                why = without_field(error)
            self._sound(options)
            if len(problems) == before:
                place.wrong(why)
        else:
            self._sound(options)
        return None

    def _sound(self, options: Found) -> Found:
        """What `task_spec` takes of this; of the rest it is said why not."""
        sound: Found = {}
        for to, given in self._with_moments(options).items():
            try:
                task_spec(
                    **{
                        "command": ["true"],
                        **{name: each.value for name, each in sound.items()},
                        to: given.value,
                    }
                )
            except Invalid as error:
                given.place.wrong(without_field(error))
            else:
                sound[to] = given
        return sound


def _options(options: Found) -> TaskOptions:
    return cast(TaskOptions, {to: given.value for to, given in options.items() if to != "command"})


def _merged(defaults: Found, own: Found) -> Found:
    """What holds for a task: what it says itself, else what holds for all; variables and labels are put together."""
    both = {**defaults, **own}
    for to in MERGED:
        if to in defaults and to in own:
            both[to] = own[to]._replace(value={**defaults[to].value, **own[to].value})
    return both


def _size(spec: TaskSpec) -> int:
    """How many bytes a task takes on its way, about."""
    texts = [*spec.command, *itertools.chain(*spec.env, *spec.labels), spec.name, spec.workdir]
    return 64 + sum(len(text.encode()) + 8 for text in texts)
