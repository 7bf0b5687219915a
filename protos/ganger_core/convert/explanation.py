"""This module turns explanations of tasks into wire messages and back."""

from __future__ import annotations

from ganger_core.convert.enums import AHEAD_WHY, CAUSE_CODE, CHANGE_KIND, IF_LOST, VERDICT, WORKER_STATE
from ganger_core.convert.task import (
    attempt_from_proto,
    attempt_to_proto,
    require,
    resources_from_proto,
    resources_to_proto,
    task_from_proto,
    task_to_proto,
)
from ganger_core.domain.explanation import (
    AheadGroup,
    Cause,
    Change,
    Explanation,
    Holder,
    Line,
    Living,
    NextUp,
    PlanWord,
    Remedy,
    Start,
    Waiting,
    WorkerGroup,
)
from ganger_core.wire.v1 import explain_pb2 as pb


def explanation_to_proto(x: Explanation) -> pb.ExplainTaskResponse:
    """All that is known of why a task stands as it does."""
    return pb.ExplainTaskResponse(
        task=task_to_proto(x.task),
        attempts=map(attempt_to_proto, x.attempts),
        now_ms=x.now_ms,
        waiting=None if x.waiting is None else waiting_to_proto(x.waiting),
        living=None if x.living is None else living_to_proto(x.living),
    )


def explanation_from_proto(p: pb.ExplainTaskResponse) -> Explanation:
    """All that is known of why a task stands as it does."""
    return Explanation(
        task=task_from_proto(p.task),
        attempts=tuple(map(attempt_from_proto, p.attempts)),
        now_ms=p.now_ms,
        waiting=waiting_from_proto(p.waiting) if p.HasField("waiting") else None,
        living=living_from_proto(p.living) if p.HasField("living") else None,
    )


def waiting_to_proto(x: Waiting) -> pb.Waiting:
    """Why a task waits."""
    message = pb.Waiting(
        label=x.label,
        request=resources_to_proto(x.request),
        causes=[
            pb.Waiting.Cause(code=CAUSE_CODE.to_proto[c.code], text=c.text, until_ms=c.until_ms)
            for c in x.causes
        ],
        groups=map(_group_to_proto, x.groups),
        line=_line_to_proto(x.line),
        start=pb.Waiting.Start(by_ms=x.start.by_ms, why=x.start.why),
        remedies=[
            pb.Waiting.Remedy(changes=[_change_to_proto(change) for change in remedy.changes])
            for remedy in x.remedies
        ],
    )
    if x.plan is not None:
        message.plan.CopyFrom(_plan_to_proto(x.plan))
    return message


def waiting_from_proto(p: pb.Waiting, field: str = "waiting") -> Waiting:
    """Why a task waits."""
    for name in ("request", "line", "start"):
        require(p, name, f"{field}.{name}")
    return Waiting(
        label=p.label,
        request=resources_from_proto(p.request),
        causes=tuple(
            [
                Cause(CAUSE_CODE.from_proto(c.code, f"{field}.causes.code"), c.text, c.until_ms)
                for c in p.causes
            ]
        ),
        groups=tuple([_group_from_proto(group, f"{field}.groups") for group in p.groups]),
        line=_line_from_proto(p.line, f"{field}.line"),
        start=Start(p.start.by_ms, p.start.why),
        remedies=tuple(
            [
                Remedy(tuple([_change_from_proto(change, f"{field}.remedies") for change in remedy.changes]))
                for remedy in p.remedies
            ]
        ),
        plan=_plan_from_proto(p.plan) if p.HasField("plan") else None,
    )


def living_to_proto(x: Living) -> pb.Living:
    """Why a live task is where it is."""
    return pb.Living(
        worker=None if x.worker is None else WORKER_STATE.to_proto[x.worker],
        silent_s=x.silent_s,
        lease_s=x.lease_s,
        if_lost=IF_LOST.to_proto[x.if_lost],
        behind=x.behind,
        went_behind=x.went_behind,
        waited_for=x.waited_for,
    )


def living_from_proto(p: pb.Living, field: str = "living") -> Living:
    """Why a live task is where it is."""
    return Living(
        worker=WORKER_STATE.from_proto(p.worker, f"{field}.worker") if p.worker else None,
        silent_s=p.silent_s,
        lease_s=p.lease_s if p.HasField("lease_s") else None,
        if_lost=IF_LOST.from_proto(p.if_lost, f"{field}.if_lost"),
        behind=p.behind,
        went_behind=p.went_behind,
        waited_for=p.waited_for,
    )


def _group_to_proto(x: WorkerGroup) -> pb.Waiting.WorkerGroup:
    return pb.Waiting.WorkerGroup(
        verdicts=[VERDICT.to_proto[verdict] for verdict in x.verdicts],
        workers=x.workers,
        names=x.names,
        nearest=x.nearest,
        capacity=resources_to_proto(x.capacity),
        free=resources_to_proto(x.free),
        shortage=resources_to_proto(x.shortage),
        holders=[
            pb.Waiting.Holder(
                label=holder.label,
                name=holder.name,
                tasks=holder.tasks,
                held=resources_to_proto(holder.held),
                worker=holder.worker,
                since_ms=holder.since_ms,
                until_ms=holder.until_ms,
            )
            for holder in x.holders
        ],
        more_holders=x.more_holders,
        silent_s=x.silent_s,
        rests_s=x.rests_s,
        words=x.words,
        since_ms=x.since_ms,
    )


def _group_from_proto(p: pb.Waiting.WorkerGroup, field: str) -> WorkerGroup:
    return WorkerGroup(
        verdicts=tuple([VERDICT.from_proto(verdict, f"{field}.verdicts") for verdict in p.verdicts]),
        workers=p.workers,
        names=tuple(p.names),
        nearest=p.nearest,
        capacity=resources_from_proto(p.capacity),
        free=resources_from_proto(p.free),
        shortage=resources_from_proto(p.shortage),
        holders=tuple(
            [
                Holder(
                    h.label, h.name, h.tasks, resources_from_proto(h.held), h.worker, h.since_ms, h.until_ms
                )
                for h in p.holders
            ]
        ),
        more_holders=p.more_holders,
        silent_s=p.silent_s,
        rests_s=p.rests_s,
        words=p.words,
        since_ms=p.since_ms,
    )


def _line_to_proto(x: Line) -> pb.Waiting.Line:
    return pb.Waiting.Line(
        waiting=x.waiting,
        ahead=x.ahead,
        groups=[
            pb.Waiting.AheadGroup(
                tasks=group.tasks,
                label=group.label,
                name=group.name,
                array_id=group.array_id,
                priority=group.priority,
                request=resources_to_proto(group.request),
                why=AHEAD_WHY.to_proto[group.why],
            )
            for group in x.groups
        ],
        next_up=[
            pb.Waiting.NextUp(label=next_.label, worker=next_.worker, behind=next_.behind)
            for next_ in x.next_up
        ],
        behind=x.behind,
    )


def _line_from_proto(p: pb.Waiting.Line, field: str) -> Line:
    groups = [
        AheadGroup(
            tasks=group.tasks,
            label=group.label,
            name=group.name,
            array_id=group.array_id,
            priority=group.priority,
            request=resources_from_proto(group.request),
            why=AHEAD_WHY.from_proto(group.why, f"{field}.groups.why"),
        )
        for group in p.groups
    ]
    next_up = [NextUp(next_.label, next_.worker, next_.behind) for next_ in p.next_up]
    return Line(p.waiting, p.ahead, tuple(groups), tuple(next_up), p.behind)


def _plan_to_proto(x: PlanWord) -> pb.Waiting.PlanWord:
    return pb.Waiting.PlanWord(
        number=x.number,
        at_ms=x.at_ms,
        by=x.by,
        why_not_planner=x.why_not_planner,
        stage=x.stage,
        took_ms=x.took_ms,
        asked=x.asked,
        placed=x.placed,
        said=x.said,
    )


def _plan_from_proto(p: pb.Waiting.PlanWord) -> PlanWord:
    return PlanWord(p.number, p.at_ms, p.by, p.why_not_planner, p.stage, p.took_ms, p.asked, p.placed, p.said)


def _change_to_proto(x: Change) -> pb.Waiting.Change:
    amounts = resources_to_proto(x.amounts)
    return pb.Waiting.Change(kind=CHANGE_KIND.to_proto[x.kind], number=x.number, name=x.name, amounts=amounts)


def _change_from_proto(p: pb.Waiting.Change, field: str) -> Change:
    kind = CHANGE_KIND.from_proto(p.kind, f"{field}.kind")
    return Change(kind, p.number, p.name, resources_from_proto(p.amounts))
