"""This module cuts the power of a real file system under the master, where the machine lets it."""

from __future__ import annotations

import subprocess

from crash.power_cut import a_disk, cut
from ganger_core.state_dir import prepare, read_or_make_token, read_token
from testkit.requires import requires


def test_a_token_that_was_used_is_there_after_a_power_cut() -> None:
    requires("power-cut")
    with a_disk() as (image, mount):
        token = read_or_make_token(prepare(mount) / "token")
        cut(mount)
        subprocess.run(["umount", str(mount)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
        assert read_token(mount / "token") == token
