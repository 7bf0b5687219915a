"""This module holds strategies for explanations, and a value of each kind that sets every field."""

from __future__ import annotations

from hypothesis import strategies as st

from ganger_core.domain.explanation import (
    AheadGroup,
    AheadWhy,
    Cause,
    CauseCode,
    Change,
    ChangeKind,
    Holder,
    IfLost,
    Line,
    Living,
    NextUp,
    PlanWord,
    Remedy,
    Start,
    Verdict,
    Waiting,
    WorkerGroup,
)
from ganger_core.domain.resources import Resources
from ganger_core.domain.states import WorkerState

int64 = st.integers(-(2**63), 2**63 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
number = st.floats(allow_nan=False)
text = st.text(max_size=8)
resources = st.builds(Resources, int64, int64, int64)
holders = st.builds(Holder, text, text, int64, resources, text, int64, int64)
worker_groups = st.builds(
    WorkerGroup,
    st.lists(st.sampled_from(Verdict), max_size=2).map(tuple),
    int64,
    st.lists(text, max_size=2).map(tuple),
    text,
    resources,
    resources,
    resources,
    st.lists(holders, max_size=2).map(tuple),
    int64,
    number,
    number,
    text,
    int64,
)
ahead_groups = st.builds(AheadGroup, int64, text, text, int64, int32, resources, st.sampled_from(AheadWhy))
lines = st.builds(
    Line,
    int64,
    int64,
    st.lists(ahead_groups, max_size=2).map(tuple),
    st.lists(st.builds(NextUp, text, text, text), max_size=2).map(tuple),
    int64,
)
plan_words = st.builds(PlanWord, int64, int64, text, text, text, number, int64, int64, text)
one_change = st.builds(Change, st.sampled_from(ChangeKind), int64, text, resources)
WAITING = st.builds(
    Waiting,
    text,
    resources,
    st.lists(st.builds(Cause, st.sampled_from(CauseCode), text, int64), max_size=2).map(tuple),
    st.lists(worker_groups, max_size=2).map(tuple),
    lines,
    st.builds(Start, int64, text),
    st.lists(st.builds(Remedy, st.lists(one_change, max_size=2).map(tuple)), max_size=2).map(tuple),
    st.none() | plan_words,
)
LIVING = st.builds(
    Living,
    st.none() | st.sampled_from(WorkerState),
    number,
    st.none() | number,
    st.sampled_from(IfLost),
    text,
    text,
    text,
)

_R = Resources(1500, 2**40, 7)
_HOLDER = Holder("4.2", "n", 2, _R, "w", 3, 4)
_GROUP = WorkerGroup(
    (Verdict.LATE, Verdict.BUSY), 5, ("w",), "w", _R, _R, _R, (_HOLDER,), 6, 7.5, 8.5, "no", 9
)
_LINE = Line(9, 8, (AheadGroup(7, "6", "n", 5, 4, _R, AheadWhy.OLDER),), (NextUp("a", "w", "b"),), 3)
_PLAN = PlanWord(1, 2, "planner", "y", "s", 3.5, 4, 5, "said")
_CHANGE = Change(ChangeKind.NEW_WORKER, 3, "w", _R)
A_WAITING = Waiting(
    "4.2",
    _R,
    (Cause(CauseCode.NO_ROOM, "t", 7),),
    (_GROUP,),
    _LINE,
    Start(5, "why"),
    (Remedy((_CHANGE,)),),
    _PLAN,
)
A_LIVING = Living(WorkerState.UP, 1.5, 2.5, IfLost.WAIT, "a", "b", "c")
