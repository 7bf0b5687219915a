"""This module says which tasks are chosen by their labels and names."""

from __future__ import annotations

from dataclasses import dataclass

from ganger_core.domain.labels import check_labels
from ganger_core.domain.task import TaskSpec
from ganger_core.domain.validate import MAX_NAME, check_text


@dataclass(frozen=True, slots=True)
class Selection:
    """What a task must have to be chosen, all of it: these labels, exactly this name, a name that begins like this."""

    labels: tuple[tuple[str, str], ...] = ()
    name: str = ""
    name_prefix: str = ""

    def fits(self, spec: TaskSpec) -> bool:
        """Whether a task that asks for this is chosen. An element has the labels and the name of its array."""
        return (
            set(self.labels) <= set(spec.labels)
            and self.name in ("", spec.name)
            and spec.name.startswith(self.name_prefix)
        )


EVERYTHING = Selection()


def check_selection(chosen: Selection) -> None:
    """By what tasks are looked for; raises `Invalid`, naming the field."""
    check_labels(chosen.labels)
    check_text(chosen.name, "name", MAX_NAME)
    check_text(chosen.name_prefix, "name_prefix", MAX_NAME)
