"""This module writes the outputs in README.md and docs/ again from real runs: `python -m documents [PAGE...]`.

What still agrees with what is written is left as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from documents.pages import blocks
from documents.play import play, rewritten
from documents.shell import ROOT, a_command_server, a_terminal

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def shows_commands(page: Path) -> bool:
    """Whether anything on the page is run."""
    found = blocks(page.read_text(encoding="utf-8"))
    return any(block.language in ("console", "python") and block.note("not run") is None for block in found)


def main(names: list[str]) -> int:
    """Renew the pages, all or those named."""
    pages = [Path(name).resolve() for name in names] or [page for page in PAGES if shows_commands(page)]
    with a_command_server() as programs:
        for page in pages:
            text = page.read_text(encoding="utf-8")
            with a_terminal(programs) as terminal:
                found = list(play(text, terminal))
            for difference in found:
                sys.stderr.write(f"{page.name} {difference}\n")
            if found:
                page.write_text(rewritten(text, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
