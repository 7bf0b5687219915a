"""This module has strategies and values of what users ask for, for `core_values`."""

from __future__ import annotations

from hypothesis import strategies as st

from ganger_core.domain.dependency import Dependency, DependencyKind, OnDependencyFailure
from ganger_core.domain.outputs import Publish
from ganger_core.domain.resources import Resources
from ganger_core.domain.retry import Retry
from ganger_core.domain.task import Limits, OnWorkerLost, TaskSpec
from ganger_core.domain.waits import Waits

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
number = st.floats(allow_nan=False)
text = st.text(max_size=8)

resources = st.builds(Resources, int64, int64, int64)
limits = st.builds(Limits, number, number, st.none() | number, st.none() | number, number, int32)
codes = st.lists(int32, max_size=3).map(tuple)
retries = st.builds(Retry, int32, codes, codes, st.booleans(), number)
dependencies = st.builds(Dependency, int64, st.sampled_from(DependencyKind))
afters = st.lists(dependencies, max_size=3).map(tuple)
specs = st.builds(
    TaskSpec,
    command=st.lists(text, max_size=3).map(tuple),
    name=text,
    env=st.lists(st.tuples(text, text), max_size=3).map(tuple),
    workdir=text,
    resources=resources,
    priority=int32,
    limits=limits,
    on_worker_lost=st.sampled_from(OnWorkerLost),
    labels=st.dictionaries(text, text, max_size=3).map(lambda pairs: tuple(sorted(pairs.items()))),
    not_before_ms=int64,
    hold=st.booleans(),
    retry=retries,
    deadline_ms=int64,
    after=afters,
    on_dependency_failure=st.sampled_from(OnDependencyFailure),
    publish=st.sampled_from(Publish),
)
waits_values = st.builds(Waits, text, int64, number, afters)

LIMITS = Limits(60.0, 5.0, 2.0, 30.0, 7.0, 10)
RETRY = Retry(3, (75, 80), (1,), True, 2.5)
AFTER = Dependency(3, DependencyKind.FAIL)
_ASKED = (("a", "b"), "n", (("K", "v"),), "/w", Resources(1500, 2**40, 7), 9, LIMITS, OnWorkerLost.WAIT)
_LATER = (11, True, RETRY, 15, (("k", "v"),), (AFTER,), OnDependencyFailure.RUN)
SPEC = TaskSpec(*_ASKED, *_LATER, Publish.ALWAYS)
WAITS = Waits("h", 12, 1.5, (AFTER,))
