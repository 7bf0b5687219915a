"""This module checks what `ganger submit FILE`, `ganger apply` and `ganger schema` do, on a scripted master."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import grpc
import pytest

from architecture.sources import ROOT
from ganger.cli import job_files
from testkit.client_cli import Cli

NIGHTLY = str(ROOT / "docs/examples/nightly.yaml")
RUN = re.compile(r"run ([0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}-[0-9a-f]{8})")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody sits at the terminal, and answers what stands in this list."""
    answers: list[str] = []

    def confirmed(question: str) -> bool:
        asked.append(question)
        return answers.pop(0) == "y"

    asked: list[str] = answers
    monkeypatch.setattr("ganger.cli.apply.can_ask", lambda: True)
    monkeypatch.setattr("ganger.cli.apply.confirmed", confirmed)
    return answers


def test_submit_takes_a_job_file_as_its_only_word(cli: Cli) -> None:
    result = cli("submit", NIGHTLY)
    assert (result.code, result.out) == (
        0,
        "task 1 (prep) is queued\narray 2 (train) is queued: 3 elements, at most 2 at a time\n"
        "task 6 (report) is queued\n",
    )
    assert "ganger ls 1-2,6     ganger wait 1-2,6     ganger cancel 1-2,6" in result.err
    prep, train = cli.master.tasks[1], cli.master.tasks[2]
    assert dict(prep.spec.env) == {"MODE": "quick"}
    assert prep.spec.workdir == str(ROOT / "docs/examples")
    assert train.spec.labels == (("project", "vision"),)
    assert [dict(cli.master.tasks[n].spec.env)["GANGER_ARRAY_ITEM"] for n in (3, 4, 5)] == [
        "1e-4",
        "3e-4",
        "1e-3",
    ]
    assert [(each.kind, each.task_id) for each in cli.master.tasks[6].spec.after] == [("OK", 1), ("ANY", 2)]
    assert len(cli.master.requests["SubmitTasks"]) == 2


def test_tasks_of_one_call_name_each_other_by_their_place(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        "apiVersion: ganger/v1\nkind: Tasks\ntasks:\n- {name: a, command: [x], after: [b, 41]}\n"
        "- {name: b, command: [x]}\n"
    )
    assert cli("submit", str(path)).code == 0
    (request,) = cli.master.requests["SubmitTasks"]
    assert [(spec.name, [each.task_id for each in spec.after]) for spec in request.specs] == [
        ("b", []),
        ("a", [-1, 41]),
    ]


def test_submit_says_ids_or_a_document(cli: Cli) -> None:
    assert cli("submit", "-q", NIGHTLY).out == "1\n2\n6\n"
    document = json.loads(cli("submit", "-o", "json", NIGHTLY).out)
    assert document.pop("run_id")
    assert document == {
        "version": 1,
        "tasks": [
            {"id": 7, "name": "prep", "elements": None},
            {"id": 8, "name": "train", "elements": 3},
            {"id": 12, "name": "report", "elements": None},
        ],
    }


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-n", "x", NIGHTLY), f"--name: {NIGHTLY} is a job file, which says such things itself"),
        (("--array", "1-3", NIGHTLY), "--array: "),
        (("nowhere.yaml",), "nowhere.yaml: No such file or directory"),
    ],
)
def test_what_does_not_go_with_a_job_file_is_refused(cli: Cli, words: tuple[str, ...], why: str) -> None:
    result = cli("submit", *words)
    assert result.code == 1
    assert result.err.startswith(f"ganger: {why}")
    assert not cli.master.tasks


def test_a_file_is_a_command_when_more_words_follow_or_dashes_come_before(cli: Cli) -> None:
    assert cli("submit", NIGHTLY, "now").code == 0
    assert cli.master.tasks[1].spec.command == (NIGHTLY, "now")
    assert cli("submit", "--", NIGHTLY).code == 0
    assert cli.master.tasks[2].spec.command == (NIGHTLY,)


def test_all_mistakes_are_shown_and_nothing_is_submitted(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("apiVersion: ganger/v1\nkind: Task\ncommand: x\nprio: 3\nhold: 1\n")
    result = cli("submit", str(path))
    assert result.code == 1
    assert result.err == (
        f"ganger: {path}: 2 things are wrong with it\n"
        "  line 4: prio: unknown key; did you mean priority?\n"
        "  line 5: hold: must be true or false, not '1'\n"
    )
    assert not cli.master.requests["SubmitTasks"]


def test_many_tasks_are_told_in_one_line(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("apiVersion: ganger/v1\nkind: Tasks\ntasks:\n" + "- command: [x]\n" * 30)
    assert cli("submit", str(path)).out == "30 tasks and arrays are queued: 1-30\n"


def test_apply_shows_asks_and_submits(cli: Cli, terminal: list[str]) -> None:
    terminal += ["n", "y"]
    result = cli("apply", "-f", NIGHTLY)
    assert (result.code, result.err) == (1, "ganger: nothing is submitted\n")
    assert result.out == (
        "NAME    COUNT  PRI  CPU  MEM    TIME  AFTER            COMMAND\n"
        'prep        1   50  0.5    –  10m00s  –                sh -c echo "prepared ($MODE)"\n'
        'train       3   50  0.5    –  10m00s  –                sh -c echo "trained with $GANGER_ARRAY_ITEM"\n'
        "report      1   50  0.5    –  10m00s  prep, any:train  echo all is done\n"
        "2 tasks and 1 array of 3 elements; all at once would take 2.5 CPUs\n"
    )
    assert not cli.master.tasks
    assert cli("apply", "-f", NIGHTLY).code == 0
    assert len(cli.master.tasks) == 6
    assert terminal == ["Submit this?", "Submit this?"]


def test_apply_without_anybody_to_ask_says_what_to_do(cli: Cli) -> None:
    result = cli("apply", "-f", NIGHTLY)
    assert result.code == 1
    assert f"Say -y, or look with ganger plan -f {NIGHTLY}" in result.err
    assert not cli.master.tasks
    assert cli("apply").code == 2
    assert (
        cli("apply", "-y", "-q", "-f", NIGHTLY, "-f", str(ROOT / "docs/examples/task.toml")).out
        == "1\n2\n6\n7\n"
    )


def test_stdin_is_a_file_in_yaml(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"apiVersion: ganger/v1\nkind: Task\ncommand: [x]\nworkdir: sub\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert cli("apply", "-y", "-q", "-f", "-").out == "1\n"
    assert cli.master.tasks[1].spec.workdir == str(Path.cwd() / "sub")


def test_a_run_that_broke_off_goes_on_without_doing_anything_twice(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(
        "apiVersion: ganger/v1\nkind: Tasks\ntasks:\n- {command: [a], at: 1h}\n- {command: [b]}\n"
        "- {command: [c], array: {indices: 1-2}}\n"
    )
    cli.master.failures.refuse("SubmitArray", grpc.StatusCode.FAILED_PRECONDITION)
    result = cli("submit", str(path))
    assert result.code == 1
    assert "of 3 tasks and arrays 2 are known to be queued: 1-2\n" in result.err
    found = re.search(f"ganger apply -f {path} --run-id (.*)\n", result.err)
    assert found
    monkeypatch.setattr(job_files, "datetime", None)  # the clock is not asked: it is still the same run
    again = cli("apply", "-y", "-f", str(path), "--run-id", found[1])
    assert again.code == 0
    assert again.out.endswith("task 1 is queued\ntask 2 is queued\narray 3 is queued: 2 elements\n")
    assert len(cli.master.tasks) == 5
    assert found[1] in again.err
    path.write_text(path.read_text() + "# changed\n")
    assert "or these have changed since" in cli("apply", "-y", "-f", str(path), "--run-id", found[1]).err
    assert "is no run" in cli("apply", "-y", "-f", str(path), "--run-id", "x").err
    assert len(cli.master.tasks) == 5


def test_a_refusal_of_everything_offers_no_way_to_go_on(cli: Cli) -> None:
    cli.master.failures.refuse("SubmitTasks", grpc.StatusCode.INVALID_ARGUMENT)
    result = cli("submit", NIGHTLY)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("ganger: ")
    assert "--run-id" not in result.err


def test_the_schema_is_printed(cli: Cli) -> None:
    result = cli("schema", "job")
    assert result.code == 0
    assert json.loads(result.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
