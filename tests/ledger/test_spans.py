"""Delivered rows collapse into spans, whatever the order they come in."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from replay.ledger import open_ledger, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.ledger import Store

ROWS = st.integers(1, 60) | st.integers(9_000, 9_060)


@contextmanager
def new_ledger() -> Iterator[Store]:
    with TemporaryDirectory() as folder, open_ledger(Path(folder) / "ledger.sqlite") as store:
        yield store


def expected(rows: set[int]) -> list[tuple[int, int]]:
    firsts = [row for row in sorted(rows) if row - 1 not in rows]
    lasts = [row for row in sorted(rows) if row + 1 not in rows]
    return list(zip(firsts, lasts, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 2), st.lists(ROWS, max_size=40)), max_size=8))
def test_spans_are_the_set_of_rows_never_touching_or_overlapping(
    groups: list[tuple[int, int, list[int]]],
) -> None:
    model: dict[tuple[int, int], set[int]] = {}
    with new_ledger() as store:
        for copy, run, rows in groups:
            with store.transaction():
                spans.add(store, copy, run, rows)
            model.setdefault((copy, run), set()).update(rows)
        for (copy, run), rows_ in model.items():
            kept = spans.between(store, copy, run, 1, 10_000)
            assert kept == expected(rows_)
        store.verify()


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1), st.integers(0, 70), st.integers(0, 70))
def test_spans_between_two_rows_are_those_that_hold_one_of_them(
    rows: list[int], first: int, more: int
) -> None:
    with new_ledger() as store:
        with store.transaction():
            spans.add(store, 1, 1, rows)
        asked = range(first, first + more + 1)
        wanted = [span for span in expected(set(rows)) if span[0] <= asked[-1] and span[1] >= asked[0]]
        assert spans.between(store, 1, 1, asked[0], asked[-1]) == wanted
