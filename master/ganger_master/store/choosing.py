"""This module writes a choice of tasks by labels and names as conditions of a query that an index answers."""

from __future__ import annotations

from ganger_core.domain.selection import Selection

NAME = "json_extract(t.spec, '$.name')"
LAST_CHARACTER = "\U0010ffff"  # no name holds it, for it cannot be printed


def chosen_by(chosen: Selection) -> tuple[list[str], list[str]]:
    """Conditions on a task `t`, and on a label `l` of it where labels are asked for; and the values in them."""
    clauses: list[str] = []
    values: list[str] = []
    for number, label in enumerate(chosen.labels):
        has = "l.key = ? AND l.value = ?"
        if number:
            has = "EXISTS (SELECT 1 FROM labels m WHERE m.task_id = t.id AND m.key = ? AND m.value = ?)"
        clauses.append(has)
        values += label
    if chosen.name or chosen.name_prefix:
        clauses.append(f"{NAME} <> ''")  # what the index says of its rows
    if chosen.name:
        clauses.append(f"{NAME} = ?")
        values.append(chosen.name)
    if chosen.name_prefix:
        clauses.append(f"{NAME} >= ? AND {NAME} < ?")
        values += [chosen.name_prefix, chosen.name_prefix + LAST_CHARACTER]
    return clauses, values
