"""Which process a row goes to: always the same one for a user, and all have about as much to do."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from replay.crew.shares import share_of, shares
from replay.records import Event

if TYPE_CHECKING:
    from replay.records import Chunk

LANES = st.lists(
    st.sampled_from(["userId=a", "userId=b", "userId=c", "deviceId=x", "deviceId=y"]), max_size=2
)


def event(row: int, *lanes: str) -> Event:
    return Event(0, row, b"", lanes, cast("Chunk", None), 0)


@given(st.lists(LANES, max_size=40), st.integers(1, 5), st.booleans())
def test_every_row_is_in_one_part_and_each_part_is_in_the_order_of_the_rows(
    lanes: list[list[str]], processes: int, by_user: bool
) -> None:
    parts = shares([event(row, *own) for row, own in enumerate(lanes)], processes, by_user=by_user)
    rows = [[one.row for one in part] for part in parts]
    assert len(parts) == processes
    assert sorted(chain.from_iterable(rows)) == list(range(len(lanes)))
    assert rows == [sorted(part) for part in rows]


@given(st.lists(LANES.map(lambda lanes: lanes or ["userId=a"]), min_size=1, max_size=40), st.integers(1, 5))
def test_rows_of_a_device_stay_together_and_so_do_rows_of_a_user_without_one(
    lanes: list[list[str]], processes: int
) -> None:
    home: dict[str, int | None] = {}
    for own in lanes:
        devices = [lane for lane in own if lane.startswith("deviceId=")]
        name = devices[0] if devices else own[0]
        assert home.setdefault(name, share_of(own, processes)) == share_of(own, processes)


def test_rows_of_nobody_and_rows_without_order_are_dealt_out_evenly() -> None:
    nobody = [event(row) for row in range(90)]
    assert [len(part) for part in shares(nobody, 3, by_user=True)] == [30, 30, 30]
    one_user = [event(row, "userId=a") for row in range(90)]
    assert [len(part) for part in shares(one_user, 3, by_user=False)] == [30, 30, 30]
    assert sorted(len(part) for part in shares(one_user, 3, by_user=True)) == [0, 0, 90]


def test_many_users_give_all_processes_about_as_much() -> None:
    counted = Counter(share_of((f"userId=user{number}",), 4) for number in range(4_000))
    assert all(900 < counted[process] < 1_100 for process in range(4))
