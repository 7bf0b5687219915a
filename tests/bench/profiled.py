"""This module runs a daemon and finds out what uses its CPU time: `python -m bench.profiled FOLDER KIND MODULE FLAG…`.

KIND `threads` gives the CPU seconds of each thread and costs next to nothing. `functions` gives those of each function,
without what it calls, and makes everything slower, short functions most. A daemon that ends in order leaves a
line in the folder; one that is killed leaves nothing. Waiting costs no CPU time, so it does not count.
"""

from __future__ import annotations

import cProfile
import json
import re
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType

from bench.report import Line

KINDS = ("threads", "functions")
EVERY_S = 0.05
SHOWN = 20  # functions
NUMBER = re.compile(r"_\d+$")  # of a thread of a pool
OTHERS = "not a thread of Python"


class ThreadTimes:
    """CPU seconds by thread. `cpu_s` tells those of a living thread by its native id, None of another."""

    def __init__(self, cpu_s: Callable[[int], float | None]) -> None:
        self._cpu_s = cpu_s
        self._seen: dict[tuple[str, int], float] = {}

    def look(self, threads: Iterable[threading.Thread]) -> None:
        """Read what these have used so far; what one uses after the last look is not seen."""
        for thread in threads:
            if thread.native_id is not None and (cpu_s := self._cpu_s(thread.native_id)) is not None:
                self._seen[thread.name, thread.native_id] = cpu_s

    def found(self, total_s: float) -> dict[str, float]:
        """By name, those of one pool together; what threads outside Python used is the rest of `total_s`."""
        named: dict[str, float] = {}
        for (name, _), cpu_s in self._seen.items():
            pool = NUMBER.sub("", name)
            named[pool] = named.get(pool, 0.0) + cpu_s
        return named | {OTHERS: max(0.0, total_s - sum(named.values()))}


class FunctionTimes:
    """CPU seconds of every function, from one profile per thread, this one and all that start from now on."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []
        threading.setprofile(lambda *_: self.begin())

    def begin(self) -> None:
        """Profile the calling thread from here on."""
        profile = cProfile.Profile(time.thread_time)
        self._profiles.append(profile)
        profile.enable()

    def found(self) -> dict[str, float]:
        """Those that used most."""
        used: dict[str, float] = {}
        for profile in self._profiles:
            for entry in profile.getstats():
                name = named(entry.code)
                used[name] = used.get(name, 0.0) + entry.inlinetime
        return dict(sorted(used.items(), key=lambda item: -item[1])[:SHOWN])


def named(code: CodeType | str) -> str:
    """A function's name with the end of its file's path; the description of one that is not written in Python."""
    if isinstance(code, str):
        return code
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"


def thread_cpu_s(native_id: int) -> float | None:
    """CPU seconds of a thread of this process; None once it has ended."""
    try:
        text = Path(f"/proc/self/task/{native_id}/schedstat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text.split()[0]) / 1e9


def main() -> None:
    """Run the daemon, and write down what was found."""
    folder, kind, module, *flags = sys.argv[1:]
    line: Line = {"profile": module.removeprefix("ganger_"), "of": kind}
    sys.argv = [module, *flags]
    found = _functions(module) if kind == "functions" else _threads(module)
    text = json.dumps(line | {"cpu_s": {name: round(cpu_s, 3) for name, cpu_s in found.items()}})
    Path(folder, f"{time.time_ns()}.json").write_text(text)


def _functions(module: str) -> dict[str, float]:
    times = FunctionTimes()
    times.begin()
    _run(module)
    return times.found()


def _threads(module: str) -> dict[str, float]:
    times, over = ThreadTimes(thread_cpu_s), threading.Event()

    def look() -> None:
        while not over.wait(EVERY_S):
            times.look(threading.enumerate())

    looker = threading.Thread(target=look, name="profile", daemon=True)
    looker.start()
    _run(module)
    over.set()
    looker.join()
    times.look([threading.main_thread()])
    return times.found(time.process_time())


def _run(module: str) -> None:
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise


if __name__ == "__main__":
    main()
