"""This module checks `ganger submit` of batch scripts, and the shell lines that become the script."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ganger.cli.submit_script import KEYS
from ganger.cli.task_options import read_options, task_parameters
from ganger.slurm.patterns import shell_word
from ganger.slurm.prelude import Files, command, script_of
from ganger.slurm.script import read_script
from testkit.client_cli import Cli
from testkit.client_master import ScriptedMaster

SLURM = "#!/bin/sh\n#SBATCH -J own -c 2 --array=1-9%3 --mem=1G --wckey=x\necho hi\n"
GANGER = "#!/bin/sh\n#GANGER -n own -c 2 -e A=1 -e B=2\n#GANGER --array 0-3%2 --max-fails 1\necho hi\n"


@pytest.fixture
def master(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedMaster:
    monkeypatch.chdir(tmp_path)
    return cli.master


def test_a_script_is_read_and_what_the_command_line_says_stands_above(
    master: ScriptedMaster, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "s.sh").write_text(SLURM)
    queued = cli("submit", "s.sh", "-c", "9")
    assert queued.out == "array 1 is queued: 9 elements, at most 3 at a time\n"
    assert queued.err.startswith("of no effect here: --wckey\n")
    first = master.tasks[1].spec
    assert script_of(first.command) == ("s.sh", SLURM, ("-c", "9"))
    assert (first.name, first.resources.cpu_milli, first.resources.memory_bytes) == ("own", 2000, 2**30)
    assert dict(first.env)["SLURM_CPUS_PER_TASK"] == "2"
    assert "slurm-" not in first.command[2]  # its output is in `ganger logs`
    cli("submit", "-c", "1", "-n", "mine", "-e", "LR=3", "--array", "5-6", "./s.sh")
    second = master.tasks[11].spec
    array = master.tasks[11].array
    assert array
    assert (second.name, second.resources.cpu_milli, str(array.indices), array.max_parallel) == (
        "mine",
        1000,
        "5-6",
        0,
    )
    env = dict(second.env)
    assert (env["LR"], env["SLURM_JOB_NAME"], env["SLURM_CPUS_PER_TASK"]) == ("3", "mine", "1")
    assert env["SLURM_ARRAY_TASK_COUNT"] == "2"
    assert cli("submit", "--max-parallel", "7", "--max-fails", "0", "-q", "s.sh").out == "14\n"
    array = master.tasks[14].array
    assert array
    assert (array.max_parallel, array.max_fails, len(array)) == (7, 0, 9)


def test_lines_of_ganger_s_own_options(master: ScriptedMaster, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "g.sh").write_text(GANGER)
    assert cli("submit", "-e", "B=3", "g.sh").code == 0
    task = master.tasks[1]
    assert task.array
    assert dict(task.spec.env) == {"A": "1", "B": "3"}
    assert (task.spec.name, task.spec.resources.cpu_milli) == ("own", 2000)
    assert (len(task.array), task.array.max_parallel, task.array.max_fails) == (4, 2, 1)
    assert "SLURM" not in task.spec.command[2]
    (tmp_path / "lines").write_text("a\nb\n")
    cli("submit", "--each-line", "lines", "g.sh")
    array = master.tasks[6].array
    assert array
    assert array.items
    assert len(array) == 2
    (tmp_path / "both.sh").write_text(SLURM.replace("\necho", "\n#GANGER -c 4 --max-fails 2\necho"))
    cli("submit", "both.sh")
    both = master.tasks[9]
    assert both.array
    assert (both.spec.resources.cpu_milli, both.spec.name, both.array.max_fails) == (4000, "own", 2)


def test_what_a_script_runs_after_is_said_in_it_or_above(
    master: ScriptedMaster, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "first.sh").write_text("#!/bin/sh\n#SBATCH -d afterok:1\n")
    (tmp_path / "own.sh").write_text("#!/bin/sh\n#GANGER --after any:1\n")
    cli("submit", "true")
    cli("submit", "first.sh")
    cli("submit", "--after", "fail:2", "first.sh")
    cli("submit", "--after", "2", "own.sh")
    kinds = [[(each.task_id, each.kind.value) for each in task.spec.after] for task in master.tasks.values()]
    assert kinds == [[], [(1, "OK")], [(2, "FAIL")], [(1, "ANY"), (2, "OK")]]


def test_other_commands_are_looked_for_when_they_run(
    master: ScriptedMaster, cli: Cli, tmp_path: Path
) -> None:
    script = tmp_path / "s.sh"
    script.write_text(SLURM)
    (tmp_path / "plain.sh").write_text("#!/bin/sh\necho hi\n")
    for words in (
        ["--", "./s.sh"],
        ["-c", "1", "--", "./s.sh", "--", "x"],
        ["./plain.sh"],
        ["true"],
        [str(tmp_path)],
    ):
        cli("submit", *words)
    commands = [list(task.spec.command) for task in master.tasks.values()]
    assert commands == [["./s.sh"], ["./s.sh", "--", "x"], ["./plain.sh"], ["true"], [str(tmp_path)]]
    cli("submit", "./s.sh", "--", "x")
    assert script_of(master.tasks[6].spec.command) == ("./s.sh", SLURM, ("--", "x"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#GANGER --cpu 2", "ganger: x.sh: line 3: No such option: --cpu"),
        ("#GANGER train.py", "ganger: x.sh: line 3: 'train.py' is no option; they begin with a dash"),
        ("#GANGER -q", "ganger: x.sh: line 3: --quiet is said to ganger submit, and not in a script"),
        ("#GANGER -c many", "ganger: --cpus: 'many' is no number of CPUs"),
        ("#SBATCH --tiem=5", "ganger: x.sh: line 3: --tiem: there is no such option; did you mean --time?"),
        ("#SBATCH --nodes=2", "ganger: --nodes=2: Ganger starts one process on one worker"),
    ],
)
def test_a_wrong_line_is_refused(
    master: ScriptedMaster, cli: Cli, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "x.sh").write_text(f"#!/bin/sh\n\n{line}\ntrue\n")
    refused = cli("submit", "x.sh")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(said)
    assert not master.tasks


def test_show_names_the_script_and_not_its_text(master: ScriptedMaster, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "s.sh").write_text("#!/bin/sh\n#SBATCH -c 2\ntrue\n")
    cli("submit", "s.sh", "a b")
    shown = cli("show", "1").out
    assert "command    batch script s.sh 'a b'\n" in shown
    assert "variables: ganger show 1 -o json\n" in shown
    assert max(map(len, shown.splitlines())) <= 100


def ran(folder: Path, words: tuple[str, ...], **env: str) -> subprocess.CompletedProcess[bytes]:
    """What a worker would run, in a folder as a worker makes it."""
    attempt = folder / "attempt"
    (attempt / "outputs").mkdir(parents=True, exist_ok=True)
    given = {
        "PATH": os.environ["PATH"],
        "GANGER_TASK_ID": "45",
        "GANGER_ATTEMPT": "1",
        "GANGER_WORKER": "w1",
        "GANGER_OUTPUT_DIR": f"{attempt}/outputs",
    }
    return subprocess.run(words, env=given | env, cwd=folder, capture_output=True, timeout=20, check=False)


IDS = """#!/bin/sh
echo "$1|$SLURM_JOB_ID|$SLURM_JOBID|$SLURM_ARRAY_JOB_ID|$SLURM_ARRAY_TASK_ID|$SLURM_RESTART_COUNT|$SLURM_JOB_NODELIST"
test $SLURM_TASK_PID = $$ && exit 3
"""


def test_the_shell_s_lines_become_the_script_and_tell_it_its_ids(tmp_path: Path) -> None:
    words = command(read_script("x.sh", IDS.encode()), ["it's"])
    alone = ran(tmp_path, words)
    assert (alone.returncode, alone.stdout, alone.stderr) == (3, b"it's|45|45||||w1\n", b"")
    element = ran(tmp_path, words, GANGER_ARRAY_ID="42", GANGER_ARRAY_INDEX="7", GANGER_ATTEMPT="3")
    assert element.stdout == b"it's|45|45|42|7|2|w1\n"
    own = command(read_script("x.sh", IDS.encode()), ["a"], is_slurm=False)
    assert ran(tmp_path, own).stdout == b"a||||||\n"


def test_any_interpreter_runs_the_text_as_it_is(tmp_path: Path) -> None:
    text = "#!/usr/bin/env -S python3 -u\nimport sys\nprint(sys.argv[1:], 'ü \\\\ %s $HOME `x`')\n"
    made = ran(tmp_path, command(read_script("x.py", text.encode()), ["-c", ""]))
    assert (made.stdout.decode(), made.returncode) == ("['-c', ''] ü \\ %s $HOME `x`\n", 0)
    missing = ran(tmp_path, command(read_script("x", b"#!/no/such/thing\n"), []))
    assert missing.returncode == 127


def test_output_goes_where_it_is_said(tmp_path: Path) -> None:
    script = read_script("x.sh", b"#!/bin/sh\necho out; echo err >&2\n")
    both = command(script, [], Files(output='new/"$SLURM_JOB_ID".log'))
    for _ in range(2):
        made = ran(tmp_path, both)
        assert (made.returncode, made.stdout) == (0, b"")
        assert made.stderr.decode() == f"ganger: output goes to {tmp_path}/new/45.log on worker w1\n"
        assert (tmp_path / "new" / "45.log").read_bytes() == b"out\nerr\n"  # truncated
    apart = command(script, [], Files(output="new/45.log", error="e", append=True))
    said = ran(tmp_path, apart).stderr.decode()
    assert said == f"ganger: stdout goes to {tmp_path}/new/45.log and stderr to {tmp_path}/e on worker w1\n"
    assert (tmp_path / "new" / "45.log").read_bytes() == b"out\nerr\nout\n"
    assert (tmp_path / "e").read_bytes() == b"err\n"
    same = command(script, [], Files(output="s", error="s"))
    ran(tmp_path, same)
    assert (tmp_path / "s").read_bytes() == b"out\nerr\n"
    only = ran(tmp_path, command(script, [], Files(error="e")))
    assert only.stdout == b"out\n"
    read = read_script("x.sh", b"#!/bin/sh\ncat\n")
    assert ran(tmp_path, command(read, [], Files(input="s"))).stdout == b"out\nerr\n"


NASTY = [
    "a b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "a\nb",
    "-n",
    "*",
    "~",
    "a;b",
    "#x",
    "ü",
    "!",
    "a&b",
    "(",
    "{a,b}",
]


def test_names_of_files_are_what_was_written(tmp_path: Path) -> None:
    words = " ".join(shell_word(f"{name}%%-%3a", name="x", user="u", field="-o") for name in NASTY)
    said = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {words}"],
        env={"SLURM_ARRAY_TASK_ID": "7"},
        capture_output=True,
        timeout=10,
        check=True,
        cwd=tmp_path,
    )
    assert said.stdout.decode().split("\0")[:-1] == [f"{name}%-007" for name in NASTY]


def test_output_that_cannot_be_written_ends_the_task_with_a_word(tmp_path: Path) -> None:
    script = read_script("x.sh", b"#!/bin/sh\ntouch ran\n")
    for files in (Files(output="/proc/x"), Files(error="/proc/x"), Files(input="missing")):
        made = ran(tmp_path, command(script, [], files))
        assert made.returncode == 125, made
        assert made.stderr
    assert not (tmp_path / "ran").exists()


def test_a_signal_for_steps_spares_the_script_and_srun_gives_it_back(tmp_path: Path) -> None:
    text = (
        f"#!/bin/bash\nkill -USR2 $$\n{sys.executable} -m ganger.slurm srun -o step-%t.txt $0.step\necho $?\n"
    )
    script = read_script("x.sh", text.encode())
    words = command(script, [], untouched_by="USR2")
    (tmp_path / "attempt").mkdir()
    step = tmp_path / "attempt" / "script.step"
    step.write_text("#!/bin/sh\necho in $SLURM_STEP_ID\nkill -USR2 $$\n")
    step.chmod(0o755)
    made = ran(tmp_path, words, PYTHONPATH=os.environ.get("PYTHONPATH", ""))
    assert made.stdout == f"{128 + signal.SIGUSR2}\n".encode(), made.stderr
    assert (tmp_path / "step-0.txt").read_bytes() == b"in 0\n"


def test_every_option_of_a_task_can_stand_in_a_script() -> None:
    """Those that are called otherwise than their option of a task are in a table."""
    assert {KEYS.get(name, name) for name in task_parameters()} == read_options({}).keys() | {"after"}
