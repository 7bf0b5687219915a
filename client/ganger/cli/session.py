"""This module carries the global options from the command line to the verbs, and opens the client with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import typer

if TYPE_CHECKING:
    from ganger.client import Client


@dataclass(frozen=True)
class Session:
    """Which master is meant; empty means: as the environment says."""

    state_dir: str = ""
    address: str = ""
    token_file: str = ""

    def client(self, patience_s: float | None = None) -> Client:
        """A client of that master, with the usual patience unless another is named."""
        from ganger.client import PATIENCE_S, Client

        patience_s = PATIENCE_S if patience_s is None else patience_s
        return Client(self.address, self.token_file, self.state_dir or None, patience_s=patience_s)


def session_of(context: typer.Context) -> Session:
    """The session that the root command made from its options."""
    return cast(Session, context.obj)
