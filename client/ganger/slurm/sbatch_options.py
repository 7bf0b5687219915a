"""This module is the table of sbatch's options: which are kept, which ignored and named, which refused. Pure.

`docs/slurm.md` shows the table; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ganger.slurm.command_line import CommandLine, Option, Said, Takes
from ganger_core.domain.errors import Invalid


class Verdict(StrEnum):
    """What Ganger makes of an option."""

    KEPT = "kept"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SbatchOption:
    """An option of sbatch, and what Ganger makes of it: `what` it becomes, or why it is refused."""

    option: Option
    verdict: Verdict
    what: str = ""
    harmless: tuple[str, ...] = ()  # values with which a refused option asks for nothing


_N, _V, _M = Takes.NOTHING, Takes.VALUE, Takes.MAYBE

_KEPT = (
    ("array", "a", _V, "`--array`, with `%4` as `--max-parallel 4`"),
    ("begin", "b", _V, "`--at`"),
    ("chdir", "D", _V, "`--workdir`"),
    ("cpus-per-task", "c", _V, "`--cpus`"),
    ("deadline", "", _V, "`--deadline`"),
    ("dependency", "d", _V, "`--after`: `afterok`, `afterany`, `afternotok`, `after`, `aftercorr`"),
    ("error", "e", _V, "stderr into this file"),
    ("export", "", _V, "`ALL`, `NONE`, `NAME`, `NAME=VALUE`; `ALL` unless given"),
    ("hold", "H", _N, "`--hold`"),
    ("input", "i", _V, "stdin from this file"),
    ("job-name", "J", _V, "`--name`; the script's name unless given"),
    ("kill-on-invalid-dep", "", _V, "`yes`: `--on-dependency-failure skip`, the default; `no`: `hold`"),
    ("mem", "", _V, "`--mem`; megabytes unless a unit is given"),
    ("mem-per-cpu", "", _V, "`--mem`, times the CPUs"),
    ("nice", "", _M, "`--priority`: 10 of it are one point below 50"),
    ("no-requeue", "", _N, "`--on-worker-lost fail`, and no `scontrol requeue`"),
    ("nodes", "N", _V, "1; more are refused"),
    ("ntasks", "n", _V, "1; more are refused"),
    ("ntasks-per-node", "", _V, "1; more are refused"),
    ("open-mode", "", _V, "`append` or `truncate` the output files"),
    ("output", "o", _V, "stdout, and stderr without `--error`, into this file"),
    ("parsable", "", _N, "the id alone is written"),
    ("priority", "", _V, "`--priority`: 0 to 100, or `TOP`"),
    ("quiet", "Q", _N, "nothing is written but errors"),
    ("requeue", "", _N, "`--on-worker-lost requeue`"),
    ("signal", "", _V, "`--warn`, where there is a `--time`; without `B:` the script itself is spared"),
    ("test-only", "", _N, "everything is checked, and nothing submitted"),
    ("time", "t", _V, "`--time`, in Slurm's forms: `5` are minutes"),
    ("wait", "W", _N, "comes back with the exit code"),
    ("wrap", "", _V, "a script of this one line"),
)  # fmt: skip

_IGNORED = (
    ("account", "A", _V), ("acctg-freq", "", _V), ("batch", "", _V), ("comment", "", _V),
    ("contiguous", "", _N), ("core-spec", "S", _V), ("cores-per-socket", "", _V), ("cpu-freq", "", _V),
    ("delay-boot", "", _V), ("distribution", "m", _V), ("exclude", "x", _V), ("exclusive", "", _M),
    ("extra", "", _V), ("extra-node-info", "B", _V), ("get-user-env", "", _M), ("gpu-bind", "", _V),
    ("gpu-freq", "", _V), ("hint", "", _V), ("ignore-pbs", "", _N), ("mail-type", "", _V),
    ("mail-user", "", _V), ("mcs-label", "", _V), ("mem-bind", "", _V), ("mincpus", "", _V),
    ("network", "", _V), ("no-kill", "k", _M), ("ntasks-per-core", "", _V), ("ntasks-per-socket", "", _V),
    ("overcommit", "O", _N), ("oversubscribe", "s", _N), ("partition", "p", _V), ("power", "", _V),
    ("prefer", "", _V), ("profile", "", _V), ("propagate", "", _M), ("qos", "q", _V),
    ("reservation", "", _V), ("sockets-per-node", "", _V), ("spread-job", "", _N), ("switches", "", _V),
    ("thread-spec", "", _V), ("threads-per-core", "", _V), ("time-min", "", _V), ("tmp", "", _V),
    ("use-min-nodes", "", _N), ("verbose", "v", _N), ("wait-all-nodes", "", _V), ("wckey", "", _V),
)  # fmt: skip

_NO_GPUS = "Ganger has no GPUs to give yet"
_NO_CHOICE = "Ganger cannot choose among workers yet"
_ONE_HERE = "it names another cluster or user, and there is this one"
_REFUSED: tuple[tuple[str, str, Takes, str, tuple[str, ...]], ...] = (
    ("bb", "", _V, "there are no burst buffers", ()),
    ("bbf", "", _V, "there are no burst buffers", ()),
    ("cluster-constraint", "", _V, _NO_CHOICE, ()),
    ("clusters", "M", _V, _ONE_HERE, ()),
    ("constraint", "C", _V, _NO_CHOICE, ()),
    ("container", "", _V, "Ganger runs no containers yet", ()),
    ("container-id", "", _V, "Ganger runs no containers yet", ()),
    ("cpus-per-gpu", "", _V, _NO_GPUS, ()),
    ("export-file", "", _V, "name the variables with --export", ()),
    ("gid", "", _V, _ONE_HERE, ()),
    ("gpus", "G", _V, _NO_GPUS, ("0",)),
    ("gpus-per-node", "", _V, _NO_GPUS, ("0",)),
    ("gpus-per-socket", "", _V, _NO_GPUS, ("0",)),
    ("gpus-per-task", "", _V, _NO_GPUS, ("0",)),
    ("gres", "", _V, _NO_GPUS, ("none", "NONE", "gpu:0")),
    ("licenses", "L", _V, "Ganger counts no licences", ()),
    ("mem-per-gpu", "", _V, _NO_GPUS, ()),
    ("nodefile", "F", _V, _NO_CHOICE, ()),
    ("nodelist", "w", _V, _NO_CHOICE, ()),
    ("ntasks-per-gpu", "", _V, _NO_GPUS, ()),
    ("reboot", "", _N, "Ganger restarts no hosts", ()),
    ("tres-per-task", "", _V, _NO_GPUS, ()),
    ("uid", "", _V, _ONE_HERE, ()),
)  # fmt: skip

TABLE: dict[str, SbatchOption] = {
    **{
        name: SbatchOption(Option(name, letter, takes), Verdict.KEPT, what)
        for name, letter, takes, what in _KEPT
    },
    **{name: SbatchOption(Option(name, letter, takes), Verdict.IGNORED) for name, letter, takes in _IGNORED},
    **{
        name: SbatchOption(Option(name, letter, takes), Verdict.REFUSED, why, harmless)
        for name, letter, takes, why, harmless in _REFUSED
    },
}
_LINE = CommandLine((entry.option for entry in TABLE.values()), command_last=True)


def read_command_line(words: Iterable[str]) -> Said:
    """What the words behind `sbatch` say: options, the script and its arguments. Raises `Invalid`."""
    return _LINE.read(list(words))


def read_lines(lines: Iterable[tuple[str, tuple[str, ...]]]) -> Said:
    """What the `#SBATCH` lines of a script say. Raises `Invalid`, naming file and line."""
    found: list[tuple[str, str]] = []
    for where, words in lines:
        said = _LINE.read(words, where)
        if said.rest:
            raise Invalid(f"{where}{said.rest[0]!r} is no option; they begin with a dash")
        check(said, where)
        found += said.options
    return Said(tuple(found))


def check(said: Said, where: str = "") -> None:
    """Raise `Invalid` for what Ganger does not have, naming the option and why."""
    for name, value in said.options:
        entry = TABLE[name]
        if entry.verdict is Verdict.REFUSED and value not in entry.harmless:
            given = f"={value}" if value else ""
            raise Invalid(f"{where}--{name}{given}: {entry.what}; leave it out to run without", field=name)


def ignored(said: Said) -> tuple[str, ...]:
    """The options that change nothing here, each once."""
    names = dict.fromkeys(name for name, _ in said.options if TABLE[name].verdict is Verdict.IGNORED)
    return tuple(f"--{name}" for name in names)
