"""This module checks how pages are read: blocks, commands, notes, and what is neither run nor marked."""

from __future__ import annotations

import pytest

from documents.pages import BadPage, Block, Step, blocks, cluster_of, unrun
from documents.play import Difference, rewritten

PAGE = """# A page
<!-- cluster: --workers 2 -->
Text.

<!-- varies: w[12] -->

<!-- before: touch a -->
```console
$ cat <<END
> two
> END
two
$ echo \\
  x; false
x
$ echo $?
1
```
<!-- another comment -->
~~~text
~~~
"""


def test_a_page_has_blocks_with_notes_and_steps() -> None:
    console, text = blocks(PAGE)
    assert (console.language, console.line) == ("console", 7)
    assert console.notes == (("varies", "w[12]"), ("before", "touch a"))
    assert (console.note("before"), console.note("file"), console.all_notes("varies")) == (
        "touch a",
        None,
        ["w[12]"],
    )
    assert console.steps == (
        Step("cat <<END\ntwo\nEND", ("two",), 11, 12),
        Step("echo \\\n  x; false", ("x",), 14, 15),
        Step("echo $?", ("1",), 16, 17),
    )
    assert text == Block("text", (), 19, ())
    assert cluster_of(PAGE) == "--workers 2"
    assert cluster_of("no note") is None
    assert list(unrun(PAGE)) == []


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```console\n$ ls\n", "does not end"),
        ("<!-- before: x -->\ntext\n```console\n$ ls\n```", "not directly above"),
        ("<!-- before: x -->\n", "not directly above"),
        ("<!-- cluster: a -->\n<!-- cluster: b -->\n", "one cluster"),
    ],
)
def test_what_cannot_be_understood_is_refused(page: str, fault: str) -> None:
    with pytest.raises(BadPage, match=fault):
        (blocks(page), cluster_of(page))


def test_output_before_the_first_command_is_refused() -> None:
    (block,) = blocks("```console\noutput\n$ ls\n```")
    with pytest.raises(BadPage, match=r"line 2: .* begins with a command"):
        _ = block.steps


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```\nganger ls\n```", "not console"),
        ("```sh\n$ ganger ls\n```", "not console"),
        ("```\nsudo ganger ls\n```", "not console"),
        ("```console\n```", "without a command"),
        ("<!-- not run: -->\n```console\n$ x\n```", None),
        ("<!-- not run: later -->\n```console\n$ x\n```", "does not say why"),
        ("<!-- not run: needs a second host -->\n```\nganger ls\n```", None),
        ("<!-- file: run.sh -->\n```sh\nganger ls\n```", None),
        ("```\nmake demo\n```", None),
    ],
)
def test_a_command_that_is_neither_run_nor_marked_is_found(page: str, fault: str | None) -> None:
    found = list(unrun(page))
    assert [line for line, _ in found] == (
        [] if fault is None else [page.count("\n", 0, page.index("```")) + 1]
    )
    assert all(fault and fault in text for _, text in found)


def test_what_was_written_takes_the_place_of_what_is_shown() -> None:
    first, second, _ = blocks(PAGE)[0].steps
    differences = [Difference(1, first, ("2", "3"), 0), Difference(1, second, (), 0)]
    assert rewritten(PAGE, differences) == PAGE.replace("> END\ntwo\n", "> END\n2\n3\n").replace(
        "false\nx\n", "false\n"
    )
    assert rewritten(PAGE, []) == PAGE


@pytest.mark.parametrize(
    ("shown", "written", "kept"),
    [
        (["a", "…", "d"], ["1", "2", "3", "4"], ["1", "…", "4"]),
        (["a", "…"], ["1", "2", "3"], ["1", "…"]),
        (["…", "c"], ["1", "2"], ["…", "2"]),
        (["a", "…", "d"], ["1", "2"], ["1", "2"]),
        (["…", "b", "…"], ["1", "2", "3", "4"], ["1", "2", "3", "4"]),
        (["a"], [], []),
    ],
)
def test_what_a_page_leaves_out_stays_left_out(shown: list[str], written: list[str], kept: list[str]) -> None:
    page = "\n".join(["```console", "$ x", *shown, "```", ""])
    ((step,),) = (block.steps for block in blocks(page))
    found = rewritten(page, [Difference(1, step, tuple(written), 0)])
    assert found == "\n".join(["```console", "$ x", *kept, "```", ""])
