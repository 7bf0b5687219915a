"""This module checks how figures are made: ratios, digits, percentiles, and that stdout has nothing but JSON."""

from __future__ import annotations

import json

import pytest

from bench import peers
from bench.__main__ import FIGURES, machine, main
from bench.report import Floor, figure, percentile, progress, rounded, tell
from bench.scenes import SHAPES, distinct


def test_a_figure_has_its_floor_and_the_ratio_to_it() -> None:
    line = figure("m", 10, 3.0, "ms", floor=Floor("spawn", 1.5), cpu_s={"master": 0.12345}, p95=4.0)
    assert line == {
        "metric": "m",
        "n": 10,
        "value": 3.0,
        "unit": "ms",
        "floor": {"what": "spawn", "value": 1.5},
        "ratio": 2.0,
        "cpu_s": {"master": 0.123},
        "p95": 4.0,
    }


def test_without_a_floor_there_is_no_ratio() -> None:
    assert figure("m", 1, 3.0, "ms") == {"metric": "m", "n": 1, "value": 3.0, "unit": "ms"}


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567.0, 1235000.0), (0.00123456, 0.001235), (0.0, 0.0), (12.0, 12.0)]
)
def test_digits(value: float, shown: float) -> None:
    assert rounded(value) == shown


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (95, 4.0), (0, 1.0), (100, 4.0)])
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value


def test_stdout_has_the_lines_and_stderr_the_progress(capsys: pytest.CaptureFixture[str]) -> None:
    tell(machine(quick=True))
    progress("noop")
    said = capsys.readouterr()
    assert json.loads(said.out)["quick"] is True
    assert said.err == "noop\n"


def test_an_unknown_figure_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--only", "noop,nop"])
    assert ended.value.code == 2
    assert "no figure is called nop; there are noop," in capsys.readouterr().err


def test_distinct_tasks_share_nothing_but_their_shapes() -> None:
    specs = [distinct(number) for number in range(3 * SHAPES)]
    assert len({spec.name for spec in specs}) == len({spec.env for spec in specs}) == len(specs)
    assert len({spec.resources for spec in specs}) == SHAPES
    assert all(spec.resources.cpu_milli <= 2000 for spec in specs)


def test_peers_answer_figures_that_exist() -> None:
    assert set(peers.COMPARISONS) <= set(FIGURES)
