"""This module tests how addresses are written and that Targets hide their token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ganger_core.domain.errors import Invalid
from ganger_core.rpc.addresses import Target, is_loopback, split_host_port, unix_address


@pytest.mark.parametrize(
    "address", ["unix:/run/x", "unix:/a%20b", "localhost:1", "10.0.0.1:65535", "[::1]:7000", "a-b.c_d:80"]
)
def test_good_addresses(address: str) -> None:
    assert Target(address).address == address


@pytest.mark.parametrize(
    "address",
    ["", "unix:", "unix:relative", "unix:/a b", "host", "host:", ":80", "host:0", "host:65536", "::1:80", "a b:80",
     "host:80\n", "http://host:80", "host:8O", "unix:/é"],
)  # fmt: skip
def test_wrong_addresses(address: str) -> None:
    with pytest.raises(Invalid) as caught:
        Target(address)
    assert caught.value.field == "address"


def test_a_target_does_not_show_its_token() -> None:
    assert "hush" not in repr(Target("h:1", "hush"))


def test_host_and_port() -> None:
    assert split_host_port("[::1]:70") == ("::1", 70)
    assert split_host_port("127.0.0.1:0") == ("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),  # noqa: S104
     ("::", False), ("10.0.0.1", False), ("example.org", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_path_too_long_for_a_socket_is_refused_with_the_way_out() -> None:
    assert unix_address("/" + "x" * 106) == "unix:/" + "x" * 106
    with pytest.raises(Invalid, match="choose a shorter --state-dir") as caught:
        unix_address("/" + "x" * 105 + "é")
    assert caught.value.field == "state_dir"


def test_a_socket_path_is_absolute_and_escaped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert unix_address("s").startswith("unix:/")
    assert unix_address("/a b%/é#?") == "unix:/a%20b%25/%C3%A9%23%3F"


def test_addresses_and_settings_do_not_load_grpc() -> None:
    program = "import sys, ganger_core.settings; sys.exit(not {'grpc', 'google'}.isdisjoint(sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)
