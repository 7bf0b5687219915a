"""This module holds what every command writes, in every form, to the transcripts in `screens/`.

`GANGER_RENEW_SCREENS=1` writes them again; read the difference before it is committed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
from pathlib import Path

import pytest

from ganger import Outcome, OutcomeKind, task_spec
from ganger.cli.cordon import KEYS
from ganger.documents import worker_document
from ganger.layout import cell_width
from ganger_core.domain.array import Array, Indices
from ganger_core.domain.states import WorkerState
from testkit.builders import a_worker
from testkit.client_cli import Cli
from testkit.client_master import ScriptedMaster, a_worker_view

SCREENS = Path(__file__).parent / "screens"
RENEW = "GANGER_RENEW_SCREENS"
HAS_YAML = importlib.util.find_spec("yaml") is not None
FORMS = ("table", "wide", "json", "jsonl", "yaml", "csv", "name")
EVERY_FORM = tuple(f"-o {form}" for form in FORMS)

# Each command line sees the same tasks, in its own master.
COMMANDS = {
    "ls": (
        *EVERY_FORM,
        "-q",
        "-o 'template={label:>5} {state:<9} {outcome.exit_code}'",
        "--no-header --columns id,state,outcome.exit_code",
        "--columns id,cpu_milli,env --sort -id",
        "--sort state,-time --columns state,time,id",
        "-o csv --no-header --columns label,ran_s,reason",
        "5 -o csv",
        "--limit 2",
        "-o jsonl --columns id,outcome.kind,time --sort time",
        "-o json --limit 1 --columns state",
        "--since 98s",
        "-s pending -o name",
        "-o 'template={stat}'",
        "-o 'template={outcome.exitcode}'",
        "-o 'template={id'",
        "-o 'template={id:q}'",
        "-o template",
        "-o jsno",
        "--columns stat",
        "--sort nothing",
        "-w",
    ),
    "show": (*(f"2,5 {form}" for form in EVERY_FORM), "1 -o 'template={attempts}'", "99 -o json"),
    "wait": (*(f"1,2 {form}" for form in EVERY_FORM), "1 -o jsn"),
    "cancel": (
        *(f"3,4 {form}" for form in EVERY_FORM),
        "4,99 -o jsonl",
        "4 -o 'template={label} {state}'",
        "4 -o 'template={name}'",
    ),
    "submit": (
        *(f"{form} -- true" for form in EVERY_FORM),
        "--array 0-2 -o json -- true",
        "--array 0-2 -o 'template={id} {elements}' -- true",
        "-o 'template={state}' -- true",
    ),
    "hold": ("4 -o table", "4 -o json", "4 -o jsonl", "4 -o csv", "-o 'template={id} {held}' 4"),
    "update": ("4 -p 9 -o table", "4 -p 9 -o json", "4 -p 9 -o csv", "4 -p 9 -o 'template={time}'"),
    "worker ls": (*EVERY_FORM, "--sort -load --columns name,state,capacity.slots", "--columns nam"),
    "worker cordon": ("w1 --reason 'new driver' -o table", "w1 -o jsonl", "w1 -o 'template={name} {state}'"),
    "worker fence": ("w2 --yes -o jsonl", "w2 --yes -o csv", "w2 --yes -o 'template={reason}'"),
    "retry": (*(f"2 {form}" for form in EVERY_FORM), "1 -o json"),
}


def some_tasks(master: ScriptedMaster) -> None:
    """One that succeeded, one that failed in its second attempt, one that runs, one that waits, an array."""
    for spec in (
        task_spec(["python", "prep.py", "two words"], name="prep", env={"A": "1"}),
        task_spec(["python", "train.py"], name="train, with a comma", cpus=2, memory="8GiB", priority=70),
        task_spec(["sleep", "1000"], time="1h30m"),
        task_spec(["echo", "wide"], name="準備", cpus="0.5"),
    ):
        master.submit(spec)
    master.run(1)
    master.end(1)
    master.run(2)
    master.lose(2)
    master.run(2, "w2", planned_by="first-fit")
    master.end(2, 3)
    master.run(3)
    master.explain(4, "waits for 0.5 CPUs")
    master.arrays.submit(task_spec(["work"], name="squares"), Array(Indices.parse("0-2"), 2))
    master.run(6)
    master.end(6, outcome=Outcome(OutcomeKind.SIGNALLED, 137, signal=9))
    master.workers.append(a_worker_view(a_worker("w2", cpus=2), state=WorkerState.LOST))


def transcript(master: ScriptedMaster, cli: Cli, verb: str, options: str) -> str:
    """A command line and what it wrote, errors too, as a person sees it."""
    ran = cli(*verb.split(), *shlex.split(options))
    for_people = not any(form in options for form in ("json", "yaml", "csv", "wide", "template={a"))
    lines = (ran.err + ran.out * for_people).splitlines()
    assert [line for line in lines if cell_width(line) > 100] == []
    told = "".join(f"! {line}\n" for line in ran.err.splitlines())
    code = f"[exit code {ran.code}]\n" if ran.code else ""
    return f"$ ganger {verb} {options}\n{ran.out}{told}{code}"


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_in_every_form(cli: Cli, verb: str) -> None:
    some_tasks(cli.master)
    kept = cli.master.tasks.copy(), {key: list(value) for key, value in cli.master.attempts.items()}
    written = []
    for options in COMMANDS[verb]:
        cli.master.tasks = kept[0].copy()
        cli.master.attempts = {key: list(value) for key, value in kept[1].items()}
        text = transcript(cli.master, cli, verb, options)
        if "-o yaml" in options and not HAS_YAML:
            assert "-o yaml needs PyYAML, which is not installed: pip install pyyaml" in text
            continue
        written.append(text)
    path = SCREENS / f"{verb.replace(' ', '-')}.txt"
    if os.environ.get(RENEW):
        assert HAS_YAML, "the transcripts hold YAML"
        path.write_text("\n".join(written))
    expected = path.read_text()
    for text in written:
        assert text in expected
    if HAS_YAML:
        assert expected == "\n".join(written)


def test_the_environment_names_the_usual_form(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    some_tasks(cli.master)
    monkeypatch.setenv("GANGER_OUTPUT", "template={id}\\t{worker}")
    assert cli("ls").out.splitlines()[-1] == "1\tw1"
    assert cli("ls", "-q").out.splitlines()[-1] == "1"
    assert cli("ls", "-o", "csv").out.startswith("label,")
    monkeypatch.setenv("GANGER_OUTPUT", "xml")
    refused = cli("ls")
    assert refused.code == 2
    assert "-o xml is no form; there are table, wide, json" in refused.err


def test_a_command_that_cannot_be_shown_as_asked_does_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_tasks(cli.master)
    monkeypatch.setenv("GANGER_OUTPUT", "template={worker}")
    for words in (["submit", "true"], ["cancel", "4"], ["retry", "2"]):
        refused = cli(*words)
        assert refused.code == 1
        assert "-o template: there is no 'worker'" in refused.err
    assert len(cli.master.tasks) == 8
    assert cli.master.tasks[4].state == "PENDING"


def test_json_and_yaml_say_the_same(cli: Cli) -> None:
    yaml = pytest.importorskip("yaml")
    some_tasks(cli.master)
    assert yaml.safe_load(cli("ls", "-o", "yaml").out) == json.loads(cli("ls", "-o", "json").out)


def test_what_a_cordon_may_show_is_what_a_worker_has() -> None:
    assert list(KEYS) == list(worker_document(a_worker_view(a_worker())))


def test_an_empty_list_in_every_form(cli: Cli) -> None:
    assert cli("ls", "-o", "jsonl").out == ""
    assert cli("ls", "-o", "csv", "--columns", "id,made_up").out == "label,made_up\n"
    assert cli("ls", "-o", "template={id}").out == ""
    assert cli("ls", "--no-header").out == ""
    assert json.loads(cli("ls", "-o", "json").out) == {"version": 1, "tasks": []}
