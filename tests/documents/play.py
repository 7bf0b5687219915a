"""This module plays a page in a terminal, block by block, and writes what came out into the page where that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from documents.compare import MORE, agrees
from documents.pages import Block, Step, blocks, cluster_of
from documents.shell import Terminal


@dataclass(frozen=True)
class Difference:
    """What a command wrote, where a page shows something else. `line` counts from 1."""

    line: int
    step: Step
    written: tuple[str, ...]
    code: int

    def __str__(self) -> str:
        shown = "\n".join(f"  - {line}" for line in self.step.output)
        written = "\n".join(f"  + {line}" for line in self.written)
        silent = (
            ""
            if self.written or not self.code
            else f"\n  exit code {self.code} and no output: show `$ echo $?`"
        )
        return f"line {self.line}: $ {self.step.command}\n{shown}\n{written}{silent}"


def play(text: str, terminal: Terminal) -> Iterator[Difference]:
    """Run everything that a page shows, in its order; what differs."""
    options = cluster_of(text)
    if options is not None:
        terminal.run(f"ganger dev {options}")
    shown = blocks(text)
    for number, block in enumerate(shown):
        if block.note("not run") is not None:
            continue
        if block.note("cluster ends") is not None:
            terminal.stop_daemons()
        for command in block.all_notes("before"):
            lines, code = terminal.run(command)
            if code:
                raise AssertionError(
                    "\n".join([f"line {block.line + 1}: exit code {code} of {command}", *lines])
                )
        name = block.note("file")
        if name is not None:
            (terminal.folder / name).write_text("\n".join(block.lines) + "\n", encoding="utf-8")
        elif block.language == "console":
            yield from _differences(block, block.steps, terminal)
        elif block.language == "python":
            yield from _of_python(block, shown[number + 1 : number + 2], terminal)


def _differences(block: Block, steps: Sequence[Step], terminal: Terminal) -> Iterator[Difference]:
    following = [*(step.command for step in steps[1:]), ""]
    for step, after in zip(steps, following, strict=True):
        lines, code = terminal.run(step.command)
        ordered = block.note("any order") is None
        silent = code and not lines and "echo $?" not in after
        if silent or not agrees(step.output, lines, block.all_notes("varies"), ordered=ordered):
            yield Difference(step.first, step, tuple(lines), code)


def _of_python(block: Block, after: Sequence[Block], terminal: Terminal) -> Iterator[Difference]:
    """A program, whose output is the block of the language `text` that follows it, if one does."""
    (terminal.folder / "program.py").write_text("\n".join(block.lines) + "\n", encoding="utf-8")
    shown = [found for found in after if found.language == "text"]
    first = shown[0].line + 1 if shown else block.line + 1
    output = shown[0].lines if shown else ()
    step = Step("python program.py", output, first, first + len(output))
    lines, code = terminal.run(step.command)
    if code or not agrees(
        output, lines, [*block.all_notes("varies"), *(shown[0].all_notes("varies") if shown else [])]
    ):
        yield Difference(first, step, tuple(lines), code)


def rewritten(text: str, differences: Sequence[Difference]) -> str:
    """The page with what was written in place of what it shows."""
    lines = text.splitlines()
    for found in sorted(differences, key=lambda found: -found.step.first):
        lines[found.step.first : found.step.end] = _as_short(found.written, found.step.output)
    return "\n".join(lines) + "\n"


def _as_short(written: Sequence[str], shown: Sequence[str]) -> list[str]:
    """What was written, with `…` in place of as much as the page left out before, where that can be told."""
    places = [number for number, line in enumerate(shown) if line.strip() == MORE]
    if len(places) != 1 or len(written) < len(shown):
        return list(written)
    (before,), after = places, len(shown) - places[0] - 1
    return [*written[:before], shown[before], *written[len(written) - after :]]
