"""This module checks the commands that stand in for Slurm's against a scripted master, and the shim's files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ganger import Outcome, OutcomeKind, TaskState, task_spec
from ganger.slurm.commands import NAMES, run
from ganger.slurm.prelude import script_of
from ganger_core.domain.dependency import Dependency, DependencyKind
from ganger_core.domain.states import WorkerState
from testkit.builders import a_worker
from testkit.client_cli import Cli, Result
from testkit.client_master import ScriptedMaster, a_worker_view

Slurm = Callable[..., Result]
SCRIPT = "#!/bin/bash\n#SBATCH --job-name=x -p gpu\n#SBATCH -c 2\necho hi\n"


@pytest.fixture
def master(cli: Cli) -> ScriptedMaster:
    return cli.master


@pytest.fixture
def slurm(
    master: ScriptedMaster,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Slurm:
    monkeypatch.setenv("GANGER_STATE_DIR", str(master.folder))
    monkeypatch.setattr("ganger.slurm.sacct.user_name", lambda: "tester")
    monkeypatch.setattr("ganger.slurm.squeue.user_name", lambda: "tester")
    monkeypatch.chdir(tmp_path)

    def command(line: str, *words: str) -> Result:
        name, *rest = line.split()
        code = run(name, [*rest, *words])
        out, err = capsysbinary.readouterr()
        return Result(code, out.decode(), err.decode())

    return command


def a_script(folder: Path, text: str = SCRIPT) -> str:
    (folder / "x.sh").write_text(text)
    return "x.sh"


def test_sbatch_says_the_id_and_what_has_no_effect(
    slurm: Slurm, master: ScriptedMaster, tmp_path: Path
) -> None:
    script = a_script(tmp_path)
    assert slurm(f"sbatch --wckey=a {script} 1", "2 3") == Result(
        0, "Submitted batch job 1\n", "sbatch: of no effect here: --partition, --wckey\n"
    )
    spec = master.tasks[1].spec
    assert script_of(spec.command) == ("x.sh", SCRIPT, ("1", "2 3"))
    assert (spec.name, spec.workdir, spec.resources.cpu_milli) == ("x", str(tmp_path), 2000)
    assert dict(spec.env)["SLURM_SUBMIT_DIR"] == str(tmp_path)
    assert slurm(f"sbatch --parsable -a 0-2%2 {script}").out == "2\n"
    array = master.tasks[2].array
    assert array
    assert (len(array), array.max_parallel) == (3, 2)
    assert slurm(f"sbatch -Q {script}") == Result(0, "", "")
    slurm(f"sbatch --hold --begin=2027-01-31T12:30 {script}")
    waits = master.tasks[max(master.tasks)].spec
    assert (waits.hold, waits.not_before_ms) == (True, 1_801_398_600_000)
    slurm(f"sbatch -d afterok:1,afterany:2_1 {script}")
    assert master.tasks[max(master.tasks)].spec.after == (Dependency(1), Dependency(4, DependencyKind.ANY))
    before = len(master.tasks)
    tested = slurm(f"sbatch --test-only {script}")
    assert (tested.code, tested.out, len(master.tasks)) == (0, "", before)
    assert "the script can be submitted" in tested.err


def test_sbatch_waits_for_the_exit_code(slurm: Slurm, master: ScriptedMaster) -> None:
    master.on_submit = lambda task_id: (master.run(task_id), master.end(task_id, 4))[1]
    assert slurm("sbatch -W --wrap", "exit 4") == Result(4, "Submitted batch job 1\n", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sbatch nothing.sh", "sbatch: error: nothing.sh: No such file or directory"),
        ("sbatch .", "sbatch: error: .: Is a directory"),
        ("sbatch --tiem=1 x.sh", "sbatch: error: --tiem: there is no such option; did you mean --time?"),
        ("sbatch --wrap=true x.sh", "sbatch: error: --wrap has the whole script: leave out 'x.sh'"),
        ("sbatch -d afterok:77_1 x.sh", "sbatch: error: there is no task 77"),
        ("squeue -t nonsense", "squeue: error: nonsense: Slurm knows no such state"),
        ("squeue -j x", "squeue: error: Invalid job id specified: x; write 42, 42_7 or 42_[1-3]"),
        ("squeue -j 77", "slurm_load_jobs error: Invalid job id specified: 77"),
        ("sacct -o Nonsense", 'sacct: error: Invalid field requested: "Nonsense"'),
        ("scancel", "scancel: error: no job is named: scancel 42, or scancel --me"),
        ("scancel 77", "scancel: error: Kill job error on job id 77: Invalid job id specified"),
        (
            "scancel 1.0",
            "scancel: error: 1.0: jobs have no steps to end; an element of an array is written 42_7",
        ),
        (
            "scancel -s USR1 1",
            "scancel: error: --signal=USR1: Ganger sends no signal to a job that is to go on",
        ),
        ("scontrol", "scontrol: error: nothing said: no command of scontrol"),
        ("scontrol shwo job", "scontrol: error: shwo: no command of scontrol; did you mean show?"),
        (
            "scontrol requeue 5",
            "scontrol: error: requeue: a job can only have itself run again; `ganger retry 5`",
        ),
        ("scontrol hold", "scontrol: error: say which job: scontrol hold 42"),
        ("scontrol show moon", "scontrol: error: show moon: there is nothing so called"),
        ("scontrol show job 77", "scontrol: error: Invalid job id specified: 77"),
        ("scontrol show node w9", "scontrol: error: Node w9 not found; `ganger worker ls` lists them"),
        (
            "scontrol update JobId=1 Color=5",
            "scontrol: error: update: Ganger cannot change color of a job; it can ",
        ),
        ("scontrol update ArrayTaskThrottle=5", "scontrol: error: update: say which job"),
        ("scontrol update 1", "scontrol: error: update: '1' must be KEY=VALUE"),
        ("scontrol update JobId=1 TimeLimit=1h", "scontrol: error: TimeLimit: '1h' is no length of time"),
        (
            "scontrol update JobId=1 Priority=1000",
            "scontrol: error: --priority=1000: Ganger's priorities are",
        ),
        ("scontrol update JobId=1 ArrayTaskThrottle=x", "scontrol: error: update: write ArrayTaskThrottle=8"),
        ("srun", "srun: error: say which command to run"),
        ("srun --pty bash", "srun: error: --pty: Ganger has no terminal for a job"),
        ("srun -G 1 true", "srun: error: --gpus=1: Ganger has no GPUs to give yet"),
        ("sinfo -o %!", "sinfo: error: -o: %! is not there"),
    ],
)
def test_what_is_refused_says_what_to_do(slurm: Slurm, tmp_path: Path, line: str, said: str) -> None:
    a_script(tmp_path)
    refused = slurm(line)
    assert refused.code == 1
    assert refused.err.startswith(said)
    assert refused.err.count("\n") == 1


def some_jobs(slurm: Slurm, master: ScriptedMaster, folder: Path) -> None:
    """Array 1 with elements 1, 4 and 7 in three states; 5 failed, 6 runs, 7 waits."""
    script = a_script(folder)
    slurm(f"sbatch -a 1-7:3%1 {script}")
    master.run(2)
    master.end(2)
    master.run(3, "w2")
    with master.changed:
        master.change(1, state=TaskState.RUNNING, started_ms=master.tasks[1].submitted_ms, reason="")
    for _ in range(3):
        slurm(f"sbatch -J y {script}")
    master.run(5)
    master.end(5, outcome=Outcome(OutcomeKind.SIGNALLED, 137, signal=9))
    master.run(6)
    master.explain(7, "waiting for capacity: 1 worker could run it, the nearest is short of 1 CPU")


def test_squeue_lists_what_goes_on(slurm: Slurm, master: ScriptedMaster, tmp_path: Path) -> None:
    some_jobs(slurm, master, tmp_path)
    short = "squeue -h -o %i|%P|%j|%u|%t|%R"
    assert slurm(short).out.splitlines() == [
        "1_[7%1]|gpu|x|tester|PD|(JobArrayTaskLimit)",
        "1_4|gpu|x|tester|R|w2",
        "6|gpu|y|tester|R|w1",
        "7|gpu|y|tester|PD|(Resources)",
    ]
    ids = "squeue -h -o %i"
    assert slurm(f"{ids} -t PD").out.split() == ["1_[7%1]", "7"]
    assert slurm(f"{ids} -r -t PENDING").out.split() == ["1_7", "7"]
    assert slurm(f"{ids} -n y").out.split() == ["6", "7"]
    assert slurm(f"{ids} --me -w w1").out.split() == ["6"]
    assert slurm(f"{ids} -u somebody").out == ""
    assert slurm(f"{ids} -j 1_4,7").out.split() == ["1_4", "7"]
    assert slurm(f"{ids} -j 5 -t all").out.split() == ["5"]
    assert slurm("squeue").out.splitlines()[0].split()[0] == "JOBID"
    assert max(len(line) for line in slurm("squeue").out.splitlines()) <= 100


def test_sacct_lists_how_jobs_ended(slurm: Slurm, master: ScriptedMaster, tmp_path: Path) -> None:
    some_jobs(slurm, master, tmp_path)
    assert slurm("sacct -o JobID,State,NodeList --parsable2 -j 1 -j 5").out.splitlines() == [
        "JobID|State|NodeList",
        "1_[7%1]|PENDING|None assigned",
        "1_1|COMPLETED|w1",
        "1_4|RUNNING|w2",
        "5|FAILED|w1",
    ]
    assert slurm("sacct -n -X -P -o JobIDRaw,ExitCode -j 1_1,5").out == "2|0:0\n5|0:9\n"
    assert slurm("sacct -n -P -o jobid -j 5,77").out == "5\n"
    assert slurm("sacct -n -P -o jobid -S 2020-01-01 -s F,CD").out.split() == ["1_1", "5"]
    assert slurm("sacct -n -P -o jobid -s F").out == ""  # what ended before today
    assert slurm("sacct -n -p -o jobid,state --delimiter ; -j 5").out == "5;FAILED;\n"


def test_scancel_ends_what_is_named_or_matches(slurm: Slurm, master: ScriptedMaster, tmp_path: Path) -> None:
    some_jobs(slurm, master, tmp_path)
    states = lambda: {task.id: task.state for task in master.tasks.values()}  # noqa: E731
    assert slurm("scancel 1_[4,7]") == Result(0, "", "")
    assert (states()[3], states()[4]) == (TaskState.CANCELLED, TaskState.CANCELLED)
    assert slurm("scancel -n y -t R").code == 0
    assert (states()[6], states()[7]) == (TaskState.CANCELLED, TaskState.PENDING)
    assert slurm("scancel 7 --signal SIGKILL").code == 0
    asked = master.requests["CancelTask"][-1]
    assert (asked.task_id, asked.signal, asked.grace_s) == (7, 9, 0)
    assert slurm("scancel --me").code == 0


def test_scontrol_shows_and_changes(slurm: Slurm, master: ScriptedMaster, tmp_path: Path) -> None:
    some_jobs(slurm, master, tmp_path)
    shown = slurm("scontrol show job 1_4").out
    for part in (
        "JobId=3 ArrayJobId=1 ArrayTaskId=4 JobName=x\n",
        "JobState=RUNNING ",
        "NodeList=w2",
        "Command=x.sh\n",
    ):
        assert part in shown
    assert slurm("scontrol -o show job 6").out.count("\n") == 1
    assert slurm("scontrol update JobId=1 ArrayTaskThrottle=5").code == 0
    array = master.tasks[1].array
    assert array
    assert array.max_parallel == 5
    assert slurm("scontrol update JobId=7 Nice=100 TimeLimit=2:00:00 Deadline=2027-01-31").code == 0
    asked = master.requests["UpdateTask"][-1]
    assert (asked.task_id, asked.priority, asked.run_s, asked.deadline_ms) == (7, 40, 7200, 1_801_353_600_000)
    assert slurm("scontrol hold 1_7,7").code == 0
    assert [master.tasks[task_id].waits.held_by for task_id in (4, 6, 7)] == ["tester", "", "tester"]
    assert slurm("scontrol release 7").code == 0
    assert master.tasks[7].waits.held_by == ""
    assert slurm("scontrol hold 6").err.startswith("scontrol: error: task 6 is RUNNING")
    assert slurm("scontrol show hostnames a[1-2]").out == "a1\na2\n"
    assert "NodeName=w1 NodeHostName=host\n" in slurm("scontrol show node w1").out


@pytest.mark.parametrize("state", [WorkerState.CORDONED, WorkerState.DRAINED])
def test_sinfo_says_who_gets_no_work(slurm: Slurm, master: ScriptedMaster, state: WorkerState) -> None:
    master.workers = [a_worker_view(a_worker(), state=state)]
    assert slurm("sinfo -h -N -o %N:%t").out == "w1:drain\n"


def test_sinfo_lists_the_workers(slurm: Slurm, master: ScriptedMaster) -> None:
    (worker,) = master.workers
    master.workers = [worker, replace(worker, profile=replace(worker.profile, name="w2"))]
    assert slurm("sinfo").out == (
        "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\nganger*      up   infinite      2   idle w1,w2\n"
    )
    assert slurm("sinfo -h -N -o %N:%c:%t").out == "w1:2:idle\nw2:2:idle\n"


def test_srun_alone_is_a_task(slurm: Slurm, master: ScriptedMaster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    master.on_submit = lambda task_id: (
        master.run(task_id),
        master.write(task_id, b"hi\n"),
        master.end(task_id, 3),
    )[2]
    assert slurm("srun -c 2 -t 5 -J z python train.py --lr 1") == Result(3, "hi\n", "")
    spec = master.tasks[1].spec
    assert (spec.name, spec.resources.cpu_milli, spec.limits.run_s) == ("z", 2000, 300)
    assert spec.command[-4:] == ("python", "train.py", "--lr", "1")


def test_every_command_has_help_and_a_version(slurm: Slurm) -> None:
    for name in NAMES:
        helped = slurm(f"{name} --help")
        assert (helped.code, helped.err) == (0, "")
        assert helped.out.startswith(f"{name} ")
        assert max(map(len, helped.out.splitlines())) <= 100
        assert slurm(f"{name} --version").out.endswith(", in place of slurm\n")


def test_the_shim_is_installed_and_taken_away_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    put = cli("shim", "install", str(folder))
    assert put.code == 0
    assert put.out == f"{', '.join(NAMES)} are in {folder}\n"
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    text = (folder / "squeue").read_text()
    assert f"export GANGER_STATE_DIR={cli.master.folder}\n" in text
    assert text.endswith(f'exec {sys.executable} -m ganger.slurm squeue "$@"\n')
    assert os.access(folder / "squeue", os.X_OK)
    (folder / "sbatch").write_text("#!/bin/sh\n# somebody's own\n")
    refused = cli("shim", "install", str(folder))
    assert (refused.code, refused.out) == (1, "")
    assert f"{folder}/sbatch is there and was not made by Ganger" in refused.err
    assert cli("shim", "uninstall", str(folder)).out.count(" is removed\n") == len(NAMES) - 1
    assert [path.name for path in folder.iterdir()] == ["sbatch"]
    assert "has nothing of `ganger shim install`" in cli("shim", "uninstall", str(folder)).err
    assert cli("shim", "install", "--force", str(folder)).code == 0
    assert "somebody" not in (folder / "sbatch").read_text()
    assert "Not a directory" in cli("shim", "install", str(folder / "squeue" / "x")).err


def test_a_shim_asks_the_master_that_its_environment_names(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANGER_STATE_DIR", "/nowhere")
    cli("shim", "install", str(tmp_path))
    text = (tmp_path / "squeue").read_text().splitlines()[2]
    said = subprocess.run(
        ["sh", "-c", f"{text}; echo $GANGER_STATE_DIR"],
        env={"GANGER_ADDR": "unix:/x", "PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=10,
        check=True,
    )
    assert said.stdout == b"\n"


def test_spec_of_another_task_has_no_script() -> None:
    assert script_of(task_spec(["/bin/sh", "-c", "true"]).command) is None
