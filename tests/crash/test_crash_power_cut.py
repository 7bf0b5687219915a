"""This module cuts the power of a real file system under the master, where the machine lets it."""

from __future__ import annotations

from crash.power_cut import a_disk, cut, mount_again, power_cut
from ganger_core.state_dir import prepare, read_or_make_token, read_token
from testkit.requires import requires


def test_a_token_that_was_used_is_there_after_a_power_cut() -> None:
    requires("power-cut")
    with a_disk() as (image, mount):
        token = read_or_make_token(prepare(mount) / "token")
        cut(mount)
        mount_again(image, mount)
        assert read_token(mount / "token") == token


def test_what_was_acknowledged_is_there_after_power_cuts() -> None:
    requires("power-cut")
    row = power_cut(3, seed=11)
    assert not row.wrong, row.wrong
    assert row.faults == 3
