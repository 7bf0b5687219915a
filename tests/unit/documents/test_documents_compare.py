"""This module checks what the comparison of pages lets pass, and that it lets nothing else pass."""

from __future__ import annotations

import pytest

from documents.compare import agrees, plain


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        (" 2  nap  RUNNING   0.9s  w2", " 2  nap  RUNNING  12.3s  w2"),
        ("12s ago, 1m30s, 0.5 s, 250ms", "3s ago, 1h 2m 30s, 14 s, 7s"),
        ("at 2026-11-21 22:10:05", "at 2027-01-02T03:04:05.123Z"),
        ("11-21 22:33:29.053  PENDING", "12-01 02:03:04.005  PENDING"),
        ("since 22:10", "since 03:04:05"),
        ("w1: 1 CPU, 11.8GiB memory", "w1: 1 CPU, 16GiB memory"),
        ("in use (pid 12)", "in use (pid 4711)"),
        ('"submitted_ms": 1795212345678', '"submitted_ms": 1895212345678'),
        ("asks for more th…", "asks for more than any…"),
        ("asks for more th…", "asks for more than any worker has"),
        (" 1  sh -c ec…  FAILED     2s  exit 7", " 1  sh -c e…   FAILED  12.5s  exit 7"),
    ],
)
def test_what_differs_at_each_run_is_let_pass(shown: str, written: str) -> None:
    assert agrees([shown], [written])


@pytest.mark.parametrize(
    ("shown", "written"),
    [
        ("task 2 is queued", "task 3 is queued"),
        ("FAILED", "SUCCEEDED"),
        ("exit code 3", "exit code 4"),
        ("needs 2 CPUs, 64MiB", "needs 2 CPUs, 32MiB"),
        ("on w1", "on w2"),
        ("asks for mor…", "waits for a place"),
        ("…", ""),
        ("0.9s", "–"),
        ("sh -c ec…  FAILED", "sh -c e…  SUCCEEDED"),
        ("train  1", "train  –  1"),
        ("one two", "one  two"),
    ],
)
def test_anything_else_is_not(shown: str, written: str) -> None:
    assert not agrees([f"a {shown}"], [f"a {written}"])


def test_dots_alone_stand_for_any_lines() -> None:
    assert agrees(["a", "…", "d"], ["a", "b", "c", "d"])
    assert agrees(["a", "…"], ["a"])
    assert agrees(["…", "b", "…", "b"], ["b", "b"])
    assert not agrees(["…", "b", "…", "b"], ["b"])
    assert not agrees(["a", "…", "d"], ["a", "d", "e"])
    assert not agrees(["a"], ["a", "b"])
    assert not agrees(["a", "b"], ["a"])


def test_a_page_may_say_what_else_varies_and_that_order_does_not_matter() -> None:
    assert agrees(["on w1"], ["on w2"], [r"\bw[12]\b"])
    assert not agrees(["on w1"], ["on w3"], [r"\bw[12]\b"])
    assert agrees(["a", "b"], ["b", "a"], ordered=False)
    assert not agrees(["a", "b"], ["b", "a"])
    assert not agrees(["a", "b"], ["b", "b"], ordered=False)
    assert plain("  a   b c ") == "a  b c"
