"""This module lays out the help of the commands: usage and options in the words that people know."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

EXAMPLE = "Example: "  # how the epilog of each command begins


class Verb(TyperCommand):
    """A command whose help says `ID...` where typer says `{ID...}...` and `ID... <list[str]>`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The options and arguments in the line of usage."""
        pieces = super().collect_usage_pieces(ctx)
        return [
            re.sub(r"^\{(.*)\}((?:\.\.\.)?)$", r"\1\2", piece).replace("......", "...") for piece in pieces
        ]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The arguments, then the options."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            found = [
                each.get_help_record(ctx) for each in self.get_params(ctx) if each.param_type_name == kind
            ]
            records = [(re.sub(r" <[^ ]*>$", "", name), text) for name, text in filter(None, found)]
            if records:
                with formatter.section(title):
                    formatter.write_dl([(name, text.replace("  [required]", "")) for name, text in records])
