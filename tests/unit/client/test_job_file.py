"""This module checks what is made of job files: of every key, of words that YAML 1.1 twists, and of mistakes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ganger.build import TaskOptions, task_spec
from ganger.jobfile.job import Entry, Job
from ganger.jobfile.keys import ARRAY, TASK, Table, flat
from ganger.jobfile.reading import MOST_TASKS, Setting, read_job
from ganger.jobfile.tree import MOST_BYTES
from ganger_core.domain.errors import Invalid

NOW = datetime(2026, 12, 24, 8, 0, tzinfo=UTC)
HEAD = "apiVersion: ganger/v1\n"
TASK_HEAD = HEAD + "kind: Task\ncommand: [x]\n"


def read(text: str | bytes, folder: Path | str = "/home/ann", *, is_toml: bool = False) -> Job:
    data = text if isinstance(text, bytes) else text.encode()
    return read_job(data, "job.toml" if is_toml else "job.yaml", Setting(str(folder), NOW), is_toml=is_toml)


def one(text: str, **options: Any) -> Entry:
    (entry,) = read(text, **options).entries
    return entry


def refusal(text: str | bytes, **options: Any) -> str:
    with pytest.raises(Invalid) as caught:
        read(text, **options)
    return caught.value.message


def mistakes(text: str) -> list[str]:
    return [line.strip() for line in refusal(text).splitlines()[1:]]


EVERY_KEY = """\
apiVersion: ganger/v1
kind: Task
name: train
command: [python, train.py]
env: {MODE: quick}
workdir: /data
resources: {cpus: 1.5, memory: 8GiB, time: 1h30m}
priority: 60
labels: {project: vision}
retry: {limit: 3, on: [75, 80-90, timeout], neverOn: 2, backoff: 30s}
hold: true
at: 14:30
deadline: 2026-12-25T08:00Z
queueTimeout: 2h
grace: 20
warn: USR1@2m
lostAfter: 60
onWorkerLost: fail
onDependencyFailure: run
publish: always
"""


def test_every_key_means_the_option_of_a_task() -> None:
    entry = one(EVERY_KEY)
    assert entry.spec == task_spec(
        ["python", "train.py"],
        name="train",
        env={"MODE": "quick"},
        workdir="/data",
        cpus=1.5,
        memory="8GiB",
        time=5400,
        priority=60,
        labels={"project": "vision"},
        retries=3,
        retry_on="75,80-90,timeout",
        never_retry_on=[2],
        backoff=30,
        hold=True,
        not_before=datetime(2026, 12, 24, 14, 30, tzinfo=UTC),
        deadline=datetime(2026, 12, 25, 8, 0, tzinfo=UTC),
        queue_timeout=7200,
        grace=20,
        warn="USR1@2m",
        lost_after=60,
        on_worker_lost="fail",
        on_dependency_failure="run",
        publish="always",
    )
    told = {key for key in yaml.safe_load(EVERY_KEY) if key not in ("apiVersion", "kind")}
    assert told == {key.name for key in TASK} - {ARRAY, "after"}, "this file says everything"


def test_every_option_of_a_task_has_a_key() -> None:
    array = {
        key.to for table in TASK if isinstance(table, Table) and table.name == ARRAY for key in table.keys
    }
    options = {key.to for _, key in flat(TASK)} - array - {"command"}
    assert options == TaskOptions.__annotations__.keys(), "a line in jobfile/keys.py is missing"


def test_toml_says_the_same_in_the_same_words() -> None:
    text = """
        apiVersion = "ganger/v1"
        kind = "Tasks"
        name = "n"
        [defaults]
        resources = { cpus = 1.50, memory = "1GiB" }
        [[tasks]]
        command = ["x", "y"]
        env = { A = 1.10, B = 2, C = true, D = "no" }
        deadline = 2026-12-25T08:00:00Z
        hold = true
        array = { items = [1.10, "a", { b = [1, 2.5, true] }] }
    """
    job = read(text, is_toml=True)
    entry = job.entries[0]
    assert (job.name, entry.spec.resources.cpu_milli, entry.spec.hold) == ("n", 1500, True)
    assert dict(entry.spec.env) == {"A": "1.10", "B": "2", "C": "true", "D": "no"}
    assert entry.spec.deadline_ms == int(datetime(2026, 12, 25, 8, tzinfo=UTC).timestamp() * 1000)
    assert entry.array is not None
    assert entry.array.items is not None
    assert [entry.array.items[n] for n in range(3)] == ["1.10", "a", '{"b": [1, 2.5, true]}']


def test_texts_are_what_was_written() -> None:
    entry = one(
        HEAD
        + "kind: Array\ncommand: [say, yes, 1.10, 010, 0x1F, 12:30, 2026-01-01, 1e3, off, .inf, 1_000]\n"
        "env: {on: no, 1: y}\narray: {items: [no, 1e-4, ~, true, {on: off, n: 010}, 'null']}".replace(
            "1: y", "_1: y"
        )
    )
    assert entry.command[1:] == (
        "yes",
        "1.10",
        "010",
        "0x1F",
        "12:30",
        "2026-01-01",
        "1e3",
        "off",
        ".inf",
        "1_000",
    )
    assert dict(entry.spec.env) == {"on": "no", "_1": "y"}
    assert entry.array is not None
    assert entry.array.items is not None
    assert [entry.array.items[n] for n in range(6)] == [
        "no",
        "1e-4",
        "null",
        "true",
        '{"on": "off", "n": 10}',
        "null",
    ]


def test_one_text_is_run_by_a_shell() -> None:
    assert one(HEAD + "kind: Task\ncommand: make | tee log").command == ("sh", "-c", "make | tee log")
    assert one(HEAD + "kind: Task\ncommand: |\n  a\n  b\n").command == ("sh", "-c", "a\nb\n")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", "/home/ann"), ("workdir: sub/../x", "/home/ann/x"), ("workdir: /a", "/a"), ('workdir: ""', "")],
)
def test_folders_are_named_from_that_of_the_file(written: str, meant: str) -> None:
    assert one(TASK_HEAD + written).spec.workdir == meant


def test_a_task_adds_to_the_defaults_and_stands_above_them() -> None:
    first, second = read(
        HEAD + "kind: Tasks\ndefaults:\n  env: {A: 1, B: 2}\n  labels: {x: y}\n  priority: 9\n  grace: 5\n"
        "  resources: {cpus: 2, memory: 1G}\n"
        "tasks:\n- command: [a]\n- {command: [b], env: {B: 3, C: 4}, priority: 10, resources: {cpus: 4}}\n"
    ).entries
    assert dict(first.spec.env) == {"A": "1", "B": "2"}
    assert dict(second.spec.env) == {"A": "1", "B": "3", "C": "4"}
    assert (first.spec.priority, second.spec.priority, second.spec.limits.grace_s) == (9, 10, 5)
    assert second.spec.labels == (("x", "y"),)
    assert second.spec.resources.cpu_milli == 4000
    assert second.spec.resources.memory_bytes == 2**30


def test_elements_come_from_indices_lists_and_files(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a\nb\n")
    (tmp_path / "list.json").write_text('["a", {"b": 1}]')
    head = HEAD + "kind: Array\ncommand: [x]\narray: "
    for said, indices, items in (
        ("{indices: '0-99:50,7', maxParallel: 3, maxFails: 0}", "0-50:50,7", None),
        ("{eachLine: lines.txt}", "0-1", ["a", "b"]),
        ("{fromJson: list.json, indices: '5,9'}", "5,9", ["a", '{"b": 1}']),
    ):
        array = one(head + said, folder=tmp_path).array
        assert array is not None
        assert sorted(array.indices) == sorted(one(head + f"{{indices: '{indices}'}}").array.indices)  # type: ignore[union-attr]
        assert (array.items is None) == (items is None)
        assert array.items is None or [array.items[n] for n in range(2)] == items
    array = one(head + "{indices: 3-4, maxParallel: 3, maxFails: 0}").array
    assert array is not None
    assert (array.max_parallel, array.max_fails) == (3, 0)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("0-9", "array: must be a mapping of keys and values, not '0-9'"),
        ("{maxParallel: 2}", "array: says of no elements: it needs indices, items, eachLine or fromJson"),
        ("{items: [], indices: 0-3}", "array.items: is empty"),
        ("{items: [1, 2], indices: 0-3}", "array.indices: 4 for 2 items"),
        ("{indices: 9-0}", "array.indices: '9-0' counts backwards; write 0-9"),
        ("{items: [1], eachLine: x}", "array: items and eachLine: only one of them"),
        ("{eachLine: nowhere}", "array.eachLine: /home/ann/nowhere: No such file or directory"),
        ("{indices: 0, maxParallel: 10000000}", "array.maxParallel: must be from 0 to 1000000"),
        ("{indices: 0-99%3}", "array.indices: '0-99%3' is no index"),
        ("{items: {a: 1}}", "array.items: must be a list with something for each element, not a mapping"),
    ],
)
def test_what_is_wrong_with_an_array_is_said_where_it_stands(said: str, why: str) -> None:
    assert refusal(HEAD + f"kind: Array\ncommand: [x]\narray: {said}").startswith(f"job.yaml, line 4: {why}")


def test_all_mistakes_are_said_at_once_with_their_lines_and_paths() -> None:
    text = (
        HEAD + "kind: Tasks\nnam: nightly\ndefaults:\n  resource: {cpus: 0.5}\n  priority: 200\ntasks:\n"
        "  - name: prep\n    command: [python, prep.py]\n    cpus: 3\n    hold: yes\n    priority: x\n"
        "  - name: train\n    array: {indices: 0-99, max_parallel: 2, indices: 3}\n    warn: USR1@2m\n"
        "    mem: 3\n    resources: {cpus: lots, gpus: 2}\n    env: {1a: 2, B: [c]}\n    workdir:\n"
    )
    assert mistakes(text) == [
        "line 3: nam: unknown key; did you mean name?",
        "line 5: defaults.resource: unknown key; did you mean resources?",
        "line 6: defaults.priority: must be from 0 to 100, not 200",
        "line 10: tasks[0].cpus: unknown key; did you mean resources.cpus?",
        "line 11: tasks[0].hold: must be true or false, not 'yes'",
        "line 12: tasks[0].priority: must be a whole number, not 'x'",
        "line 13: tasks[1].command: is missing",
        "line 14: indices: stands twice, before in line 14",
        "line 14: tasks[1].array.max_parallel: unknown key; did you mean maxParallel?",
        "line 15: tasks[1].warn: needs a run limit that is longer, to warn of: 120 s of 0 s",
        "line 16: tasks[1].mem: unknown key; did you mean resources.memory?",
        "line 17: tasks[1].resources.gpus: unknown key; did you mean cpus?",
        "line 17: tasks[1].resources.cpus: 'lots' is no number of CPUs such as 4, 1.5 or 0.125",
        "line 18: tasks[1].env.B: must be a text, not a list",
        'line 19: tasks[1].workdir: is empty: leave the key out, or write "" for an empty text',
    ]


def test_no_more_than_twenty_mistakes_are_said() -> None:
    text = HEAD + "kind: Tasks\ntasks:\n" + "- {command: [x], prio: 1}\n" * 50
    assert len(mistakes(text)) == 21
    assert mistakes(text)[-1] == "and more"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "job.yaml: it is empty"),
        ("- a", "job.yaml: must be a mapping that begins with `apiVersion: ganger/v1`"),
        ("a: [}", "job.yaml, line 1: no YAML: "),
        (HEAD, "job.yaml: kind: is missing; there are Task, Array, Tasks"),
        (HEAD + "kind: task", "job.yaml, line 2: kind: 'task' is not known; did you mean Task?"),
        (HEAD + "kind: Job", "job.yaml, line 2: kind: 'Job' is not known; there are Task, Array, Tasks"),
        (HEAD + "kind: Sweep", "job.yaml, line 2: kind: Sweep comes with a later version; there are Task,"),
        (HEAD + "kind: Workplan", "job.yaml, line 2: kind: Workplan comes with a later version"),
        (HEAD + "kind: Cron", "job.yaml, line 2: kind: Cron comes with a later version"),
        (HEAD + "kind: ganger/v1", "job.yaml, line 2: kind: 'ganger/v1' is not known"),
        ("apiVersion: ganger/v2\nkind: Task", "job.yaml, line 1: apiVersion: 'ganger/v2' is not known"),
        (HEAD + "kind: Task", "job.yaml, line 1: command: is missing"),
        (HEAD + "kind: Array\ncommand: x", "job.yaml: array: is missing; kind: Task is for what is no array"),
        (TASK_HEAD + "array: {indices: 1}", "job.yaml, line 4: array: is for kind: Array, and for the tasks"),
        (TASK_HEAD + "tasks: []", "job.yaml, line 4: tasks: unknown key; did you mean kind: Tasks?"),
        (HEAD + "kind: Tasks", "job.yaml: tasks: is missing: a list of tasks"),
        (HEAD + "kind: Tasks\ntasks: []", f"job.yaml, line 3: tasks: must be a list of 1 to {MOST_TASKS}"),
        (HEAD + "kind: Tasks\ncommand: x\ntasks: [{command: x}]", "job.yaml, line 3: command: unknown key; did"),
        (HEAD + "kind: Tasks\ntasks: [x]", "job.yaml, line 3: tasks[0]: must be a mapping of keys"),
        (TASK_HEAD + "at: soon", "job.yaml, line 4: at: 'soon' is no moment such as 14:30"),
        (TASK_HEAD + "a b: 1", "job.yaml, line 4: 'a b': unknown key; `ganger schema job` lists them"),
        (TASK_HEAD + "name: 'a\x07'", "job.yaml: no YAML: "),
        (TASK_HEAD + "name: x\n---\nb: 1", "job.yaml, line 5: a second document begins; one file holds one"),
        ("a: " + "[" * 5000, "job.yaml, line 1: nested more than 32 deep"),
        (b"a: \xff", "job.yaml, line 1: no UTF-8 text"),
        (b"#" * (MOST_BYTES + 1), "job.yaml: more than 1 MiB"),
    ],
)  # fmt: skip
def test_what_is_no_job_file_is_refused(text: str | bytes, why: str) -> None:
    assert refusal(text).startswith(why)


def test_tasks_that_one_call_cannot_take_are_refused() -> None:
    text = (
        HEAD + f"kind: Tasks\ndefaults: {{env: {{A: {'x' * 100_000}}}}}\ntasks:\n" + "- command: [x]\n" * 100
    )
    assert refusal(text).startswith(
        "job.yaml: tasks: more than 8 MiB together, with what the defaults add to each"
    )


def test_what_yaml_can_do_to_people_is_refused() -> None:
    text = (
        TASK_HEAD + "env: &e {A: 1}\nlabels: *e\nname: !!python/name:os.system x\n? [a]\n: 1\nhold: !x true\n"
    )
    assert mistakes(text) == [
        "line 4: &e: anchors are not taken; defaults hold what is common",
        "line 5: *e: aliases are not taken; defaults hold what is common",
        "line 5: labels: must be a mapping of keys and values, not ''",
        "line 6: tag:yaml.org,2002:python/name:os.system: tags are not taken",
        "line 7: a list cannot be a key",
        "line 9: !x: tags are not taken",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = 1\na = 2", "job.toml: no TOML: "),
        ("a = " + "[" * 5000, "job.toml: no"),
        ("a = " + "9" * 5000, "job.toml: no"),
        (
            'apiVersion = "ganger/v1"\nkind = "Task"\ncommand = ["x"]\nhold = "true"',
            "job.toml: hold: must be true",
        ),
    ],
)
def test_mistakes_in_toml_are_said_without_lines(text: str, why: str) -> None:
    assert refusal(text, is_toml=True).startswith(why)


def outcome(data: str | bytes, *, is_toml: bool = False) -> str:
    """How reading ends: nothing else may come than a job or an error for people."""
    try:
        return f"{read(data, is_toml=is_toml).entries[0].count} tasks"
    except Invalid as error:
        return error.message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_a_job_or_a_mistake(tail: bytes, is_toml: bool) -> None:
    head = b'apiVersion = "ganger/v1"\nkind = "Task"\ncommand = "x"\n' if is_toml else TASK_HEAD.encode()
    for data in (tail, head + tail):
        assert outcome(data, is_toml=is_toml).startswith(("job.", "1 tasks"))


WORDS = st.sampled_from(
    ["a", "", "~", "no", "1", "1.5", "'x: y'", "[1, [2]]", "{a: b}", "0", "-3", "9" * 30, "!!a b"]
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from([name for name, _ in flat(TASK)]), WORDS, max_size=6), st.booleans())
def test_any_values_of_keys_are_a_job_or_a_mistake(said: dict[str, str], as_defaults: bool) -> None:
    tables: dict[str, list[str]] = {}
    for path, word in said.items():
        table, _, name = path.rpartition(".")
        tables.setdefault(table, []).append(f"{name}: {word}")
    members = ", ".join(
        f"{table}: {{{', '.join(inner)}}}" if table else ", ".join(inner) for table, inner in tables.items()
    )
    task = f"tasks: [{{command: [x]{'' if as_defaults or not members else ', ' + members}}}]"
    text = HEAD + f"kind: Tasks\ndefaults: {{{members if as_defaults else ''}}}\n{task}\n"
    assert outcome(text).endswith(" tasks") or outcome(text).startswith("job.yaml")
