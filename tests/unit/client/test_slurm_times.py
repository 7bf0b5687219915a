"""This module checks lengths of time, moments and file names in Slurm's forms."""

from __future__ import annotations

from datetime import datetime

import pytest

from ganger.slurm.patterns import shell_word
from ganger.slurm.times import full_length, length, limit_s, moment
from ganger_core.domain.errors import Invalid

NOW = datetime(2026, 11, 21, 14, 30, 5)
FIELD = "--begin"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 300),
        ("5:30", 330),
        ("1:00:00", 3600),
        ("90:00:01", 324_001),
        ("2-0", 172_800),
        ("1-12", 129_600),
        ("1-12:30", 131_400),
        ("1-00:00:01", 86_401),
        ("0-1", 3600),
        ("UNLIMITED", 0),
        ("infinite", 0),
        ("0", 0),
        ("-1", 0),
    ],
)
def test_a_limit_in_each_of_its_forms(text: str, seconds: float) -> None:
    assert limit_s(text, "--time") == seconds


@pytest.mark.parametrize("text", ["", "1h", "5m", "1:2:3:4", "-5", "1-", "1-2:3:4:5", "x", "1.5", "٣"])
def test_what_is_no_limit_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(Invalid, match=r"--time: .* is no length of time; write 90 \(minutes\)"):
        limit_s(text, "--time")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T14:30:05"),
        ("now+60", "2026-11-21T14:31:05"),
        ("now+1hour", "2026-11-21T15:30:05"),
        ("now+2days", "2026-11-23T14:30:05"),
        ("now+1week", "2026-11-28T14:30:05"),
        ("16:00", "2026-11-21T16:00:00"),
        ("14:30", "2026-11-22T14:30:00"),
        ("9:15:30", "2026-11-22T09:15:30"),
        ("9:15pm", "2026-11-21T21:15:00"),
        ("12:10 AM", "2026-11-22T00:10:00"),
        ("noon", "2026-11-22T12:00:00"),
        ("teatime", "2026-11-21T16:00:00"),
        ("midnight", "2026-11-22T00:00:00"),
        ("today", "2026-11-21T00:00:00"),
        ("tomorrow", "2026-11-22T00:00:00"),
        ("2027-01-31", "2027-01-31T00:00:00"),
        ("2027-01-31T12:30", "2027-01-31T12:30:00"),
        ("2027-01-31 12:30:15", "2027-01-31T12:30:15"),
        ("013127", "2027-01-31T00:00:00"),
        ("01/31/27", "2027-01-31T00:00:00"),
        ("12/24", "2026-12-24T00:00:00"),
        ("01/31-", None),
        ("01/31", "2027-01-31T00:00:00"),
        ("25:00", None),
        ("13:00pm", None),
        ("2026-02-30", None),
        ("now+1fortnight", None),
        ("", None),
        ("soon", None),
    ],
)
def test_a_moment_in_each_of_its_forms(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Invalid, match=r"--begin: .* is no moment; write 16:00, now\+1hour"):
            moment(text, NOW, FIELD)
    else:
        assert moment(text, NOW, FIELD).isoformat() == expected


def test_seconds_since_1970_are_a_moment() -> None:
    assert moment("1893456000", NOW, FIELD).timestamp() == 1_893_456_000


def test_lengths_are_written_as_lists_and_accounts_have_them() -> None:
    written = [(length(seconds), full_length(seconds)) for seconds in (0, 65.9, 3661, 90_061)]
    assert written == [
        ("0:00", "00:00:00"),
        ("1:05", "00:01:05"),
        ("1:01:01", "01:01:01"),
        ("1-01:01:01", "1-01:01:01"),
    ]


def test_what_accounts_have_is_a_limit_again() -> None:
    assert all(limit_s(full_length(seconds), "--time") == seconds for seconds in range(1, 200_000, 997))


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("log.txt", "log.txt"),
        ("my log", "'my log'"),
        ("it's", """'it'"'"'s'"""),
        ("%j", '"$SLURM_JOB_ID"'),
        ("%x-%u_%%%t.out", "job-ann_%0.out"),
        ("a/%A_%a", 'a/"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"_"${SLURM_ARRAY_TASK_ID:-4294967294}"'),
        ("%4a", '"$(printf %04d "${SLURM_ARRAY_TASK_ID:-4294967294}")"'),
        ("%3t", "000"),
        ("%N", '"$SLURMD_NODENAME"'),
        ("$HOME", "'$HOME'"),
        (r"a\%j", "a%j"),
    ],
)
def test_a_pattern_becomes_a_word_for_the_shell(pattern: str, word: str) -> None:
    assert shell_word(pattern, name="job", user="ann", field="--output") == word


@pytest.mark.parametrize("pattern", ["%z.out", "100%", "% j"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match=r"--output: %.* stands for nothing; a percent sign is %%"):
        shell_word(pattern, name="job", user="ann", field="--output")
