"""This module checks what tasks become of batch scripts and of what is said of them in Slurm's words."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

import pytest

from ganger.build import TaskOptions
from ganger.slurm.batch import Batch, Overrides, Place, make_batch
from ganger.slurm.command_line import Said
from ganger.slurm.prelude import script_of
from ganger.slurm.sbatch_options import TABLE, Verdict, ignored, read_command_line, read_lines
from ganger.slurm.script import MOST_BYTES, Script, has_options, read_script, wrapped
from ganger_core.domain.array import Indices
from ganger_core.domain.errors import Invalid

PLACE = Place(
    datetime(2026, 11, 21, 14, 30),
    "/home/ann",
    "ann",
    "login",
    {"PATH": "/bin", "HOME": "/home/ann", "LR": "3"},
)
SCRIPT = read_script("run/train.sh", b"#!/bin/bash -e\necho hi\n")


def batch(
    words: str = "", script: Script = SCRIPT, overrides: Overrides | None = None, **changes: Any
) -> Batch:
    """What `sbatch WORDS train.sh a` would submit."""
    said = Said(read_lines(script.slurm).options + read_command_line(shlex.split(words)).options)
    return make_batch(script, ["a"], said, PLACE, default_output=True, overrides=overrides, **changes)


def refusal(words: str) -> str:
    """What is said when these words are refused."""
    with pytest.raises(Invalid) as refused:
        batch(words)
    return refused.value.message


def test_a_script_without_a_word_about_it() -> None:
    made = batch()
    options = made.options
    assert script_of(made.command) == ("run/train.sh", SCRIPT.text, ("a",))
    assert (options["name"], options["workdir"], options["cpus"], options["memory"]) == (
        "train.sh",
        "/home/ann",
        1,
        0,
    )
    assert (options["priority"], options["time"]) == (50, 0)
    assert "on_worker_lost" not in options
    assert (options["retries"], options["retry_on"]) == (1000, "191")  # scontrol requeue
    assert (made.indices, made.max_parallel, made.after, made.notes) == (None, 0, (), ())
    assert 'exec /bin/bash -e "$script"' in made.command[2]
    assert 'out=slurm-"$SLURM_JOB_ID".out' in made.command[2]


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        ("-J x", "name", "x"),
        ("--job-name=x", "name", "x"),
        ("-c 4", "cpus", 4),
        ("-t 5", "time", 300),
        ("--time=1-0", "time", 86_400),
        ("--mem=512", "memory", 512 * 2**20),
        ("--mem=2GB", "memory", 2 * 2**30),
        ("--mem 100k", "memory", 100 * 2**10),
        ("--mem-per-cpu=1G -c 3", "memory", 3 * 2**30),
        ("-D sub", "workdir", "/home/ann/sub"),
        ("-D /data", "workdir", "/data"),
        ("--nice", "priority", 40),
        ("--nice=-100", "priority", 60),
        ("--nice=100000", "priority", 0),
        ("--priority=70", "priority", 70),
        ("--priority=TOP", "priority", 100),
        ("--requeue", "on_worker_lost", "requeue"),
        ("--requeue --no-requeue", "on_worker_lost", "fail"),
        ("--prio 7", "priority", 7),
    ],
)
def test_an_option_becomes_an_option_of_the_task(words: str, key: str, value: object) -> None:
    assert dict(batch(words).options)[key] == value


@pytest.mark.parametrize(
    ("words", "waits"),
    [
        ("-H", {"hold": True}),
        ("-t 5 --signal=USR1", {"warn": "USR1@60"}),
        ("-t 5 --signal=B:10@120", {"warn": "USR1@120"}),
        ("-t 5 --signal=USR1@300", {}),
        ("--signal=USR1@300", {}),
        ("--kill-on-invalid-dep=no", {"on_dependency_failure": "hold"}),
        ("--begin=16:00", {"not_before": datetime(2026, 11, 21, 16).astimezone()}),
        ("--deadline=2026-12-24T18:00:00", {"deadline": datetime(2026, 12, 24, 18).astimezone()}),
    ],
)
def test_an_option_by_which_a_task_waits_or_is_warned(words: str, waits: dict[str, object]) -> None:
    keys = {"hold", "warn", "on_dependency_failure", "not_before", "deadline"}
    assert {key: value for key, value in batch(words).options.items() if key in keys} == waits


def test_a_warning_before_the_begin_is_named_as_without_effect() -> None:
    assert batch("-t 1 --signal=USR2@90 --wckey=x").notes == ("--wckey", "--signal")


def test_dependencies() -> None:
    text = "afterok:41:42,afterany:43_7,afternotok:44,after:45,aftercorr:46"
    assert batch(f"-d {text}").after == (
        ("ok", "41"),
        ("ok", "42"),
        ("any", "43_7"),
        ("fail", "44"),
        ("start", "45"),
        ("each", "46"),
    )


def test_an_array() -> None:
    made = batch("--array=1-10:3%2")
    assert (str(made.indices), made.max_parallel) == ("1-10:3", 2)
    env = made.options["env"] or {}
    found = {name[17:]: value for name, value in env.items() if name.startswith("SLURM_ARRAY_TASK_")}
    assert found == {"COUNT": "4", "MIN": "1", "MAX": "10", "STEP": "3"}
    assert 'out=slurm-"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"_' in made.command[2]
    assert batch("-a 5,7").max_parallel == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--nodes=2", "--nodes=2: Ganger starts one process on one worker"),
        ("-n 4", "--ntasks=4: Ganger starts one process"),
        ("--ntasks-per-node=8", "--ntasks-per-node=8: Ganger starts"),
        ("--gres=gpu:1", "--gres=gpu:1: Ganger has no GPUs to give yet; leave it out to run without"),
        ("-G 2", "--gpus=2: Ganger has no GPUs"),
        ("-C a100", "--constraint=a100: Ganger cannot choose among workers yet"),
        ("--mem=1G --mem-per-cpu=1G", "--mem and --mem-per-cpu both say"),
        ("--mem=much", "--mem: 'much' is no amount of memory; write 512 (megabytes)"),
        ("-c 0", "--cpus-per-task: '0' is no whole number"),
        ("-t 1h", "--time: '1h' is no length of time"),
        ("-a 1-3%x", "--array: 'x' is no number of elements; write 1-3%8"),
        ("-a 3-1", "--array: '3-1' counts backwards"),
        ("-a 1-3%9999999", "--array: at most 1000000 at a time"),
        ("--priority=5000", "--priority=5000: Ganger's priorities are 0 to 100"),
        ("--nice=much", "--nice=much: it must be a whole number"),
        ("--signal=WHAT", "signal: there is no 'WHAT'"),
        ("--signal=X:USR1@5", "--signal=X:USR1@5: write it as USR1@120"),
        ("-d singleton", "--dependency: 'singleton' is not there; write afterok:41"),
        ("-d afterok:41?afterok:42", "any of several (?) is not there"),
        ("-d after:41+10", "a delay (+) is not there; --begin=now+10minutes is"),
        ("-d 41", "--dependency: '41' is not there"),
        ("--open-mode=w", "--open-mode=w: write append or truncate"),
        ("--export=1A=x", "--export: '1A' is no name of a variable"),
        ("--export=GANGER_X=1", "--export: 'GANGER_X' is no name of a variable that can be set"),
        ("-o %z", "--output: %z in '%z' stands for nothing"),
        ("--tme=5", "--tme: there is no such option; did you mean --time?"),
        ("--zebra", "--zebra: there is no such option"),
        ("--no", "--no may be --no-kill or --no-requeue or --nodefile or --nodelist or --nodes"),
        ("-Z", "-Z: there is no such option"),
        ("--time", "--time needs a value"),
        ("--hold=x", "--hold takes no value: leave out =x"),
    ],
)
def test_what_is_refused_says_what_to_write(words: str, said: str) -> None:
    assert said in refusal(words)


def test_every_option_that_is_refused_or_ignored_is() -> None:
    for name, entry in TABLE.items():
        value = "" if entry.option.takes.value == "nothing" else "=5"
        if entry.verdict is Verdict.REFUSED:
            assert refusal(f"--{name}{value}").startswith(f"--{name}{value}: {entry.what}")
            for harmless in entry.harmless:
                batch(f"--{name}={harmless}")
        elif entry.verdict is Verdict.IGNORED:
            assert ignored(read_command_line([f"--{name}{value}"])) == (f"--{name}",)


def test_the_environment_is_the_submitter_s_and_slurm_s() -> None:
    env = dict(batch("-c 2 --mem=1G -p gpu --account=lab --open-mode=append").options["env"] or {})
    assert {name: env[name] for name in PLACE.env} == PLACE.env
    slurm = {name: value for name, value in env.items() if name not in PLACE.env}
    assert slurm == {
        "ENVIRONMENT": "BATCH",
        "SLURM_CLUSTER_NAME": "ganger",
        "SLURM_CPUS_ON_NODE": "2",
        "SLURM_CPUS_PER_TASK": "2",
        "SLURM_GTIDS": "0",
        "SLURM_JOB_ACCOUNT": "lab",
        "SLURM_JOB_CPUS_PER_NODE": "2",
        "SLURM_JOB_NAME": "train.sh",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_PARTITION": "gpu",
        "SLURM_JOB_USER": "ann",
        "SLURM_LOCALID": "0",
        "SLURM_MEM_PER_NODE": "1024",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_NPROCS": "1",
        "SLURM_NTASKS": "1",
        "SLURM_OPEN_MODE": "a",
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": "/home/ann",
        "SLURM_SUBMIT_HOST": "login",
        "SLURM_TASKS_PER_NODE": "1",
    }
    each = dict(batch("-c 2 --mem-per-cpu=1G").options["env"] or {})
    assert each["SLURM_MEM_PER_CPU"] == "1024"
    assert "SLURM_MEM_PER_NODE" not in each


@pytest.mark.parametrize(
    ("export", "names"),
    [
        ("ALL", {"PATH", "HOME", "LR"}),
        ("NONE", set()),
        ("LR", {"LR"}),
        ("LR,NEW=1", {"LR", "NEW"}),
        ("ALL,NEW=1", {"PATH", "HOME", "LR", "NEW"}),
        ("NOT_THERE", set()),
    ],
)
def test_what_is_exported(export: str, names: set[str]) -> None:
    env = dict(batch(f"--export={export}").options["env"] or {})
    assert {name for name in env if not name.startswith("SLURM") and name != "ENVIRONMENT"} == names


def test_what_cannot_or_must_not_be_exported_stays_behind() -> None:
    given = {
        "A": "1",
        "BASH_FUNC_module%%": "() {",
        "SLURM_JOB_ID": "7",
        "GANGER_TASK_ID": "7",
        "PWD": "/",
        "RAW": "\udcff",
        "LIST": "a,b",
    }
    place = Place(PLACE.now, PLACE.folder, "ann", "login", given)
    made = make_batch(SCRIPT, [], Said(()), place, default_output=False)
    env = dict(made.options["env"] or {})
    assert "SLURM_JOB_ID" not in env
    assert {name for name in env if not name.startswith("SLURM") and name != "ENVIRONMENT"} == {"A", "LIST"}
    quoted = make_batch(SCRIPT, [], Said((("export", "B='x,y',A"),)), place, default_output=False)
    assert dict(quoted.options["env"] or {})["B"] == "x,y"


def test_what_stands_above_the_script() -> None:
    script = read_script("s.sh", b"#!/bin/sh\n#SBATCH -c 4 -J own --array=1-9%3 --mem=1G\n")
    above = Overrides(
        task=TaskOptions(cpus="0.5", name="mine", env={"LR": "9"}, memory="2GiB"),
        indices=Indices.first(2),
        max_parallel=1,
    )
    made = batch(script=script, overrides=above)
    env = made.options["env"] or {}
    assert (made.options["cpus"], made.options["name"], made.options["memory"]) == ("0.5", "mine", "2GiB")
    assert (str(made.indices), made.max_parallel) == ("0-1", 1)
    assert (env["LR"], env["SLURM_JOB_NAME"], env["SLURM_CPUS_PER_TASK"]) == ("9", "mine", "1")
    assert (env["SLURM_MEM_PER_NODE"], env["SLURM_ARRAY_TASK_COUNT"]) == ("2048", "2")


def test_waiting_that_is_said_above_the_script_counts() -> None:
    script = read_script("s.sh", b"#!/bin/sh\n#SBATCH --begin=16:00 --hold -t 5 --signal=USR1@60\n")
    made = batch(script=script, overrides=Overrides(task=TaskOptions(not_before="1h", warn="INT@5s")))
    options = made.options
    assert (options["not_before"], options["warn"], options["hold"]) == ("1h", "INT@5s", True)


def test_a_script_may_have_itself_run_again_unless_it_has_retries_of_its_own() -> None:
    assert "export GANGER_REQUEUE_SIGNAL=63\n" in batch().command[2]
    own = batch(overrides=Overrides(task=TaskOptions(retries=2)))
    assert (own.options["retries"], "retry_on" in own.options) == (2, False)
    for made in (own, batch("--requeue --no-requeue")):
        assert "GANGER_REQUEUE_SIGNAL" not in made.command[2]
    assert "retries" not in batch("--no-requeue").options


def test_the_script_s_shell_is_spared_a_signal_that_is_for_its_steps() -> None:
    assert "trap '' USR2\n" in batch("-t 5 --signal=USR2@90").command[2]
    for words in ("-t 5 --signal=B:USR2@90", "--signal=USR2@90", "-t 5"):
        assert "trap" not in batch(words).command[2]


HEAD = b"""#!/usr/bin/env python3 -u
# a comment
#SBATCH --time=5 -J "two words"  # said in the margin

##SBATCH --mem=1G
#SBATCHX --mem=2G
#GANGER -c 2
\t
#SBATCH\t-o=%j.out
print("hi")
#SBATCH --mem=3G
"""


def test_options_are_read_from_the_head_of_a_script() -> None:
    script = read_script("a/b.py", HEAD)
    assert script.interpreter == ("/usr/bin/env", "python3 -u")
    assert script.name == "b.py"
    assert script.slurm == (
        ("a/b.py: line 3: ", ("--time=5", "-J", "two words")),
        ("a/b.py: line 9: ", ("-o=%j.out",)),
    )
    assert script.ganger == (("a/b.py: line 7: ", ("-c", "2")),)
    assert read_lines(script.slurm).options == (
        ("time", "5"),
        ("job-name", "two words"),
        ("output", "%j.out"),
    )
    assert has_options(HEAD)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#SBATCH -c 1\n",
        b"#!/bin/sh\necho\n#SBATCH -c 1\n",
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"#!/bin/sh\0\n#SBATCH",
    ],
)
def test_what_has_no_options_is_a_command_as_any_other(data: bytes) -> None:
    assert not has_options(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"echo hi\n",
            "x.sh is no batch script: its first line must be #! and what runs it, such as #!/bin/bash",
        ),
        (b"#!\n", "x.sh: line 1: nothing stands behind #!"),
        (b"#!/bin/sh\r\necho\r\n", "x.sh has the line ends of DOS, which shells stumble over: sed -i"),
        (b"#!/bin/sh\n\n\xff\n", "x.sh: line 3 is no UTF-8 text"),
        (b"#!/bin/sh\n\0\n", "x.sh holds a NUL character"),
        (b"#!/bin/sh\n" + b"#" * MOST_BYTES, f"x.sh is longer than the {MOST_BYTES} bytes of a batch script"),
        (b'#!/bin/sh\n#SBATCH -J "a\n', "x.sh: line 2: no closing quotation; close it on the same line"),
    ],
)
def test_what_is_no_batch_script_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_script("x.sh", data)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--tiem=5", "x.sh: line 2: --tiem: there is no such option; did you mean --time?"),
        ("train.py", "x.sh: line 2: 'train.py' is no option; they begin with a dash"),
        ("--gres=gpu:2", "x.sh: line 2: --gres=gpu:2: Ganger has no GPUs to give yet"),
        ("-c", "x.sh: line 2: -c needs a value"),
    ],
)
def test_a_wrong_line_is_named(line: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_lines(read_script("x.sh", f"#!/bin/sh\n#SBATCH {line}\n".encode()).slurm)
    assert refused.value.message.startswith(said)


def test_a_wrapped_command() -> None:
    script = wrapped("echo $HOME")
    assert (script.name, script.text, script.interpreter) == ("wrap", "#!/bin/sh\necho $HOME\n", ("/bin/sh",))
