"""This module runs batch scripts, Slurm's commands as Ganger has them, and real submitit on a real cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganger import TaskState
from ganger.slurm.shim import install
from testkit.processes import Cluster, a_cluster
from testkit.waiting import wait_until

WAIT_S = 40


@dataclass(frozen=True)
class Place:
    """A folder where `ganger` and, in `slurm`, the stand-ins are found by a shell."""

    cluster: Cluster
    folder: Path

    def shell(self, text: str) -> subprocess.CompletedProcess[str]:
        """What a person would type, in this folder."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "GANGER_"))}
        env["PATH"] = f"{self.folder}/bin:{env['PATH']}"
        return subprocess.run(
            ["bash", "-c", text],
            env=env | {"GANGER_STATE_DIR": str(self.cluster.folder)},
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=WAIT_S,
            check=False,
        )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "bin").mkdir()
    own = folder / "bin" / "ganger"
    own.write_text(f'#!/bin/sh\nexec {sys.executable} -m ganger "$@"\n')
    own.chmod(0o755)
    with a_cluster() as cluster:
        cluster.start_master()
        cluster.start_planner()
        cluster.start_worker("w1", "--cpus", "2")
        install(folder / "slurm", sys.executable, {"GANGER_STATE_DIR": str(cluster.folder)}, force=False)
        yield Place(cluster, folder)


SCRIPT = """\
#!/bin/bash
#SBATCH --array=1-10%2 --time=5 --cpus-per-task=1 --job-name=x --output=out/%x-%A_%2a.env
env | grep ^SLURM
"""


def test_an_array_s_elements_find_slurm_s_variables(place: Place) -> None:
    (place.folder / "x.sh").write_text(SCRIPT)
    array_id = int(place.shell("ganger submit -q x.sh; rm x.sh").stdout)
    with place.cluster.client() as client:
        (task,) = client.wait([array_id], timeout_s=WAIT_S)
    assert task.state is TaskState.SUCCEEDED
    names = [f"x-{array_id}_{index:02}.env" for index in range(1, 11)]
    assert sorted(path.name for path in (place.folder / "out").iterdir()) == names
    found = dict(line.split("=", 1) for line in (place.folder / "out" / names[6]).read_text().splitlines())
    expected = {
        "SLURM_ARRAY_JOB_ID": str(array_id),
        "SLURM_ARRAY_TASK_COUNT": "10",
        "SLURM_ARRAY_TASK_ID": "7",
        "SLURM_ARRAY_TASK_MAX": "10",
        "SLURM_ARRAY_TASK_MIN": "1",
        "SLURM_ARRAY_TASK_STEP": "1",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_JOB_ID": str(array_id + 7),
        "SLURM_JOB_NAME": "x",
        "SLURM_JOB_NODELIST": "w1",
        "SLURM_PROCID": "0",
        "SLURM_SUBMIT_DIR": str(place.folder),
        "SLURMD_NODENAME": "w1",
    }
    assert {name: found.get(name) for name in expected} == expected
    spec = task.spec
    assert (spec.limits.run_s, spec.resources.cpu_milli) == (300, 1000)


def test_a_signal_reaches_the_script_and_its_text_is_cleared_away(place: Place) -> None:
    os.mkfifo(place.folder / "ready")
    os.mkfifo(place.folder / "gate")
    (place.folder / "t.sh").write_text(
        "#!/bin/bash\n#SBATCH -o t.txt\ntrap 'echo told; exit 0' TERM\necho > ready\nread line <> gate\n"
    )
    said = place.shell(
        "ganger submit -q t.sh 2>/dev/null && cat ready && slurm/scancel $(slurm/squeue -h -o %i -n t.sh)"
    )
    task_id = int(said.stdout.split()[0])
    with place.cluster.client() as client:
        (task,) = client.wait([task_id], timeout_s=WAIT_S)
    assert task.state is TaskState.CANCELLED
    assert (place.folder / "t.txt").read_text() == "told\n"
    wait_until(
        lambda: not list(place.cluster.folder.rglob("attempts/*/script")), WAIT_S, what="no text is left"
    )


REQUEUED = """\
#!/bin/bash
#SBATCH -o r.txt --open-mode=append
echo "$SLURM_JOB_ID after ${SLURM_RESTART_COUNT:-0}"
test "$SLURM_RESTART_COUNT" || exec slurm/scontrol requeue $SLURM_JOB_ID
exit 4
"""


def test_a_job_has_itself_run_again_under_its_id(place: Place) -> None:
    (place.folder / "r.sh").write_text(REQUEUED)
    said = place.shell("slurm/sbatch --wait --parsable r.sh; echo $?")
    task_id, code = map(int, said.stdout.split())
    assert code == 4
    assert (place.folder / "r.txt").read_text() == f"{task_id} after 0\n{task_id} after 1\n"
    with place.cluster.client() as client:
        assert client.status(task_id).task.failures == 1


WITH_SUBMITIT = """\
import json, os, sys
import submitit

def add(one, other):
    return one + other, os.environ["SLURM_JOB_ID"]

def fail(what):
    raise ValueError(f"no {what}")

executor = submitit.AutoExecutor(folder="submitit/%j")
executor.update_parameters(timeout_min=5, cpus_per_task=1, mem_gb=0.1, slurm_partition="dev", slurm_array_parallelism=2)
single = executor.submit(add, 1, 2)
array = executor.map_array(add, [1, 2, 3, 4], [10, 20, 30, 40])
failing = executor.submit(fail, "way")
results = [job.result() for job in (single, *array)]
failure = failing.exception()
jobs = (single, *array, failing)
failing.get_info(mode="force")
while any(job.state == "RUNNING" for job in jobs):  # a result is there before its process has ended
    failing.get_info(mode="force")
json.dump({
    "cluster": executor.cluster,
    "ids": [job.job_id for job in jobs],
    "results": results,
    "failure": [type(failure).__name__, str(failure)],
    "states": [job.state for job in jobs],
}, sys.stdout)
"""


def test_submitit_submits_a_function_an_array_and_a_failing_function(place: Place) -> None:
    (place.folder / "with_submitit.py").write_text(WITH_SUBMITIT)
    said = place.shell(
        f"PATH=$PWD/slurm:$PATH; {sys.executable} with_submitit.py 2>submitit.err || cat submitit.err"
    )
    told = json.loads(said.stdout)
    assert told["cluster"] == "slurm"
    first, array = int(told["ids"][0]), int(told["ids"][1].split("_")[0])
    assert told["ids"] == [str(first), *(f"{array}_{index}" for index in range(4)), str(array + 5)]
    expected = [[3, str(first)], *([11 * (index + 1), str(array + 1 + index)] for index in range(4))]
    assert told["results"] == expected
    kind, text = told["failure"]
    assert kind == "FailedJobError"
    assert 'raise ValueError(f"no {what}")' in text
    assert "ValueError: no way" in text
    assert told["states"] == ["COMPLETED"] * 5 + ["FAILED"]
