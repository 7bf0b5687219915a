"""This module gives the tests of the client a scripted master and a client of it; those of the CLI use the CLI's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ganger import Client
from testkit.client_cli import Cli, a_cli
from testkit.client_master import ScriptedMaster, a_scripted_master


@pytest.fixture
def master() -> Iterator[ScriptedMaster]:
    with a_scripted_master() as master:
        yield master


@pytest.fixture
def client(master: ScriptedMaster) -> Iterator[Client]:
    with Client(state_dir=master.folder, patience_s=20) as client:
        yield client


@pytest.fixture
def cli(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    with a_cli(capsysbinary, monkeypatch) as cli:
        yield cli
