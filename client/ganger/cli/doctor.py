"""This module is `ganger doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from ganger import render
from ganger.cli import exits
from ganger.cli.output_options import with_output
from ganger.cli.session import session_of
from ganger.layout import clean, wrapped
from ganger.output import Output, told

if TYPE_CHECKING:
    from ganger.findings import Finding

KEYS = ("check", "level", "found", "advice")
MARKS = {"ok": "ok", "warning": "WARNING", "problem": "PROBLEM"}


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("doctor", short_help="what is wrong here", epilog="Example: ganger doctor")(
        with_output(KEYS)(doctor)
    )


def doctor(context: typer.Context, *, out: Output) -> None:
    """Look at this host and say what keeps Ganger from working well here, and what to do about it.

    It changes nothing, and needs no master. The exit code is 0 when nothing is a PROBLEM, else 1.
    """
    from ganger.findings import judge
    from ganger.probes import look

    session = session_of(context)
    findings = judge(look(os.environ, session.address, session.token_file, session.state_dir))
    worst = any(finding.level == "problem" for finding in findings)
    shown: list[dict[str, object]] = [
        {name: str(getattr(finding, name)) for name in KEYS} for finding in findings
    ]
    out.write(told("findings", shown, lambda: _show(findings), name="check"))
    raise typer.Exit(exits.REFUSED if worst else exits.OK)


def _show(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark = MARKS[finding.level.value]
        head = f"{render.state_colour(mark)}{' ' * (7 - len(mark))}  {finding.check:<{width}}  "
        indent = " " * (11 + width)
        lines = wrapped(clean(finding.found), render.width() - len(indent))
        if finding.advice:
            lines += [
                f"→ {line}" if not n else f"  {line}"
                for n, line in enumerate(wrapped(clean(finding.advice), render.width() - len(indent) - 2))
            ]
        for number, line in enumerate(lines):
            render.say((head if not number else indent) + line)
    counts = [sum(f.level.value == level for f in findings) for level in ("problem", "warning")]
    words = [
        f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(counts, ("problem", "warning"), strict=True)
    ]
    render.say(f"\n{', '.join(words)}" if any(counts) else "\nnothing is wrong here")
