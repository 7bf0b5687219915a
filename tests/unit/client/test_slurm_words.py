"""This module checks how tasks and workers are put into Slurm's words, and that the page about it says what is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganger.slurm import prelude
from ganger.slurm.columns import SACCT_DEFAULT, SQUEUE_DEFAULT, read_fields, sacct_lines, squeue_lines
from ganger.slurm.jobs import Job, JobName, read_name
from ganger.slurm.sbatch_options import TABLE, Verdict
from ganger.slurm.scontrol import hostnames
from ganger.slurm.states import SHORT, exit_code, read_states, reason, slurm_state
from ganger.slurm.variables import slurm_variables
from ganger_core.domain.array import Indices
from ganger_core.domain.errors import Invalid
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import TASK_FINAL, TaskState
from ganger_core.domain.task import Limits, Outcome, OutcomeKind, Task, TaskSpec

PAGE = (Path(__file__).parents[3] / "docs" / "slurm.md").read_text(encoding="utf-8")
SPEC = TaskSpec(
    ("sh", "-c", "x"),
    name="a long name",
    workdir="/w",
    resources=Resources(1500, 2**30, 1),
    limits=Limits(run_s=3600),
)


def a_job(state: TaskState = TaskState.RUNNING, **changes: object) -> Job:
    """Job 42, which has run for 65 seconds at 1,065,000 ms."""
    task = Task(42, "ann", SPEC, state, 900_000, token=1, started_ms=1_000_000, **changes)  # type: ignore[arg-type]
    return Job(task, "w1", "42", 0, "")


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (TaskState.PENDING, "PENDING"),
        (TaskState.SCHEDULED, "PENDING"),
        (TaskState.STARTING, "RUNNING"),
        (TaskState.RUNNING, "RUNNING"),
        (TaskState.STOPPING, "COMPLETING"),
        (TaskState.SUCCEEDED, "COMPLETED"),
        (TaskState.FAILED, "FAILED"),
        (TaskState.CANCELLED, "CANCELLED"),
        (TaskState.TIMED_OUT, "TIMEOUT"),
        (TaskState.EXPIRED, "DEADLINE"),
        (TaskState.SKIPPED, "CANCELLED"),
    ],
)
def test_a_state_in_slurm_s_word(state: TaskState, word: str) -> None:
    assert slurm_state(a_job(state).task) == word


def test_every_state_has_a_word_that_is_known() -> None:
    assert all(slurm_state(a_job(state).task) in SHORT for state in TaskState)


def test_what_programs_take_for_the_end_is_the_end() -> None:
    """submitit takes every other word for the end of a job."""
    goes_on = {"READY", "PENDING", "RUNNING", "UNKNOWN", "REQUEUED", "COMPLETING", "PREEMPTED"}
    assert all(
        (slurm_state(a_job(state).task) in goes_on) is (state not in TASK_FINAL) for state in TaskState
    )


def test_ends() -> None:
    kinds = [
        (Outcome(OutcomeKind.EXIT_NONZERO, 3), "FAILED", "3:0"),
        (Outcome(OutcomeKind.SIGNALLED, 137, 9), "FAILED", "0:9"),
        (Outcome(OutcomeKind.LOST, message="gone"), "NODE_FAIL", "0:0"),
    ]
    for outcome, word, code in kinds:
        task = a_job(TaskState.FAILED, outcome=outcome).task
        assert (slurm_state(task), exit_code(task)) == (word, code)
    assert reason(a_job(TaskState.FAILED, outcome=kinds[2][0]).task) == "NodeDown"
    assert reason(a_job(TaskState.TIMED_OUT).task) == "TimeLimit"
    assert reason(a_job(TaskState.SKIPPED).task) == "DependencyNeverSatisfied"
    assert exit_code(a_job().task) == "0:0"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("", "None"),
        ("queued", "Priority"),
        ("waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU", "Resources"),
        ("asks for more than any worker has: needs 64 CPUs", "BadConstraints"),
        ("no worker is connected", "ReqNodeNotAvail"),
        ("held by ann: `ganger release` lets it go on", "JobHeldUser"),
        ("not before 2026-12-24 18:00:00 UTC", "BeginTime"),
        ("waits for 41 (RUNNING)", "Dependency"),
    ],
)
def test_why_a_job_waits(said: str, word: str) -> None:
    task = a_job(TaskState.PENDING, reason=said).task
    assert reason(task) == word
    assert reason(task, limited=True) == "JobArrayTaskLimit"


def test_states_are_read_in_full_and_in_short() -> None:
    assert read_states(["pd", "Running", "CF"]) == {"PENDING", "RUNNING", "CONFIGURING"}
    assert read_states(["all"]) == frozenset(SHORT)
    with pytest.raises(Invalid, match="RUNING: Slurm knows no such state; did you mean RUNNING"):
        read_states(["RUNING"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("42", JobName(42)),
        ("42_7", JobName(42, Indices.parse("7"))),
        ("42_[1-3,8%2]", JobName(42, Indices.parse("1-3,8"))),
        ("42_[0-8:4]", JobName(42, Indices.parse("0-8:4"))),
        ("42.batch", JobName(42)),
        ("42_7.0", JobName(42, Indices.parse("7"))),
    ],
)
def test_names_of_jobs(text: str, name: JobName) -> None:
    assert read_name(text) == name


@pytest.mark.parametrize("text", ["", "0", "x", "42_", "42-44", "42_[x]", "42.7", "-1", "42_7_8"])
def test_what_names_no_job_is_refused(text: str) -> None:
    if text == "42.7":  # a step in Slurm, and so it is here
        assert read_name(text) == JobName(42)
        return
    with pytest.raises(Invalid, match=r"42_7|is no index"):
        read_name(text)


def test_squeue_lays_out_as_slurm_does() -> None:
    waits = Job(a_job(TaskState.PENDING, reason="queued").task, "", "42_[0-9%2]", 42, "[0-9%2]", limited=True)
    assert squeue_lines([a_job(), waits], SQUEUE_DEFAULT, 1_065_000, header=True) == [
        "             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)",
        "                42    ganger a long n      ann  R       1:05      1 w1",
        "        42_[0-9%2]    ganger a long n      ann PD       1:05      1 (JobArrayTaskLimit)",
    ]
    pattern = "%i|%t|%T|%M|%l|%L|%C|%m|%Z|%10u|%.5P|%K"
    assert squeue_lines([a_job()], pattern, 1_065_000, header=False) == [
        "42|R|RUNNING|1:05|1:00:00|58:55|2|1024M|/w|ann       |gange|N/A"
    ]
    with pytest.raises(Invalid, match=r"-o: %! is not there; there are %A %a"):
        squeue_lines([], "%i %!", 0, header=True)


def test_sacct_lays_out_as_slurm_does() -> None:
    fields = read_fields(SACCT_DEFAULT.split(","))
    assert sacct_lines([a_job()], fields, 1_065_000, header=True) == [
        "JobID           JobName  Partition    Account  AllocCPUS      State ExitCode ",
        "------------ ---------- ---------- ---------- ---------- ---------- -------- ",
        "42           a long nam     ganger                     2    RUNNING      0:0 ",
    ]
    some = read_fields(["jobid%-5", "State%4", "Elapsed", "MaxRSS"])
    assert sacct_lines([a_job()], some, 1_065_000, header=False) == ["42    RUNN   00:01:05            "]
    assert sacct_lines([a_job()], some, 1_065_000, header=True, bar="|") == [
        "JobID|State|Elapsed|MaxRSS",
        "42|RUNNING|00:01:05|",
    ]
    assert sacct_lines([a_job()], some, 1_065_000, header=False, bar="|", last_bar=True) == [
        "42|RUNNING|00:01:05||"
    ]
    with pytest.raises(Invalid, match='Invalid field requested: "Stat"; did you mean state'):
        read_fields(["Stat"])


def test_lists_of_hosts() -> None:
    assert hostnames("gpu[1-3,08],login", {}) == ["gpu1", "gpu2", "gpu3", "gpu08", "login"]
    assert hostnames("", {}) == []
    (own,) = hostnames("w1", {"SLURMD_NODENAME": "w1"})
    assert own != "w1"
    with pytest.raises(Invalid, match="is no list such as 1-3,7"):
        hostnames("a[1--2]", {})


def test_the_page_has_the_options_as_they_are() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)`(?:, `-(\w)`)? \| (.+) \|$", PAGE, re.MULTILINE)
    kept = [
        (name, entry.option.letter, entry.what)
        for name, entry in TABLE.items()
        if entry.verdict is Verdict.KEPT
    ]
    assert rows == kept
    assert len(kept) >= 25
    for title, verdict in (("without effect", Verdict.IGNORED), ("that are refused", Verdict.REFUSED)):
        part = PAGE.split(f"### Options {title}\n")[1].split("\n#")[0]
        named = list(re.findall(r"`--([a-z-]+)`", part))
        assert named == [name for name, entry in TABLE.items() if entry.verdict is verdict]


def test_the_page_has_the_variables_as_they_are() -> None:
    part = PAGE.split("## Variables\n")[1].split("\n## ")[0]
    options = ("partition", "account", "qos", "open-mode", "mem-per-cpu")
    made: set[str] = set()
    for named in ({}, dict.fromkeys(options, "x")):
        made |= slurm_variables(
            name="x",
            cpus=1,
            memory=2**30,
            indices=Indices.first(2),
            folder="/",
            host="h",
            user="u",
            named=named,
        ).keys()
    script = prelude.Script("x", "#!/bin/sh\n", ("/bin/sh",))
    made |= set(re.findall(r"\b(SLURM\w*)=", prelude.command(script, [])[2]))
    assert set(re.findall(r"`(SLURM\w+|ENVIRONMENT)`", part)) == made
