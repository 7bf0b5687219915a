"""This module writes the state diagrams of ARCHITECTURE.md from the tables of moves, in place.

Each diagram stands between `<!-- moves: NAME -->` and `<!-- end of NAME -->`, where NAME is the table's name
in `ganger_core.domain.states`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from ganger_core.domain import states

PAGE = Path(__file__).resolve().parent.parent / "ARCHITECTURE.md"
DIAGRAM = re.compile(r"<!-- moves: (\w+) -->\n.*?<!-- end of \1 -->", re.DOTALL)


def renewed(page: str) -> str:
    """The page with every diagram as its table gives it now."""

    def draw(found: re.Match[str]) -> str:
        name = found[1]
        table: Any = getattr(states, name)
        return f"<!-- moves: {name} -->\n```mermaid\n{states.diagram(table)}\n```\n<!-- end of {name} -->"

    return DIAGRAM.sub(draw, page)


def main() -> int:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
