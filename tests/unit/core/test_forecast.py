"""This module checks that dry runs cross the wire as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganger_core.convert import forecast as convert
from ganger_core.domain.errors import Invalid
from ganger_core.domain.forecast import Demand, Forecast, Outlook, Prospect, Share
from ganger_core.wire.v1 import forecast_pb2
from testkit.builders import a_spec

NUMBERS = st.integers(0, 2**40)
SHARES = st.lists(st.builds(Share, st.text(max_size=5), NUMBERS), max_size=3).map(tuple)
OUTLOOKS = st.builds(
    Outlook, st.sampled_from(Prospect), NUMBERS, shares=SHARES, ahead=NUMBERS, reason=st.text(max_size=9)
)
TEXTS = st.text(max_size=9)
FORECASTS = st.builds(
    Forecast,
    st.lists(OUTLOOKS, max_size=3).map(tuple),
    TEXTS,
    TEXTS,
    TEXTS,
    st.floats(0, 1e6),
    NUMBERS,
)


@given(FORECASTS)
def test_a_forecast_comes_back_as_it_was(forecast: Forecast) -> None:
    data = convert.forecast_to_proto(forecast).SerializeToString()
    assert convert.forecast_from_proto(forecast_pb2.PlanTasksResponse.FromString(data)) == forecast


def test_a_demand_comes_back_as_it_was() -> None:
    demand = Demand(a_spec("x", cpus=3, priority=7), 12, 5)
    data = convert.demand_to_proto(demand).SerializeToString()
    assert convert.demand_from_proto(forecast_pb2.Demand.FromString(data)) == demand


def test_a_demand_without_a_spec_is_refused() -> None:
    with pytest.raises(Invalid, match=r"demands\[1\].spec"):
        convert.demand_from_proto(forecast_pb2.Demand(count=1), "demands[1]")
