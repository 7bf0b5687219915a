"""This module tests that the store finds by names and how they begin what a comparison of texts finds."""

from __future__ import annotations

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from ganger_core.domain.selection import Selection
from ganger_master.store.choosing import chosen_by
from ganger_master.store.rows import spec_to_json
from testkit.builders import a_spec

names = st.text(st.sampled_from("aAzä%_'\"\\ \N{GREEK SMALL LETTER OMEGA}\N{GRINNING FACE}"), max_size=3)


@given(st.lists(names, min_size=1, max_size=12), names, st.integers(0, 2))
@settings(max_examples=80, deadline=None)
def test_names_are_found_as_texts_are(known: list[str], name: str, letters: int) -> None:
    prefix = known[0][:letters]
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE tasks (spec TEXT)")
    specs = [a_spec(name=each) for each in known]
    db.executemany("INSERT INTO tasks VALUES (?)", [(spec_to_json(spec),) for spec in specs])
    for chosen in (
        Selection(name=known[-1]),
        Selection(name=name),
        Selection(name_prefix=prefix),
        Selection((), known[-1], prefix),
    ):
        clauses, values = chosen_by(chosen)
        found = db.execute(f"SELECT rowid FROM tasks t WHERE {' AND '.join(clauses) or 'TRUE'}", values)  # noqa: S608
        assert [row for (row,) in found] == [row for row, spec in enumerate(specs, 1) if chosen.fits(spec)]
    db.close()
