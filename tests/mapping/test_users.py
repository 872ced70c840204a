from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from mapping.chunks import apply, assigned, records, table

from replay.mapping import lanes, user_hashes

if TYPE_CHECKING:
    from replay.records import Mapped

MAPPING = assigned("user.userId=u", "user.deviceId=d", "user.identifiers.s=s", "user.identifiers.t=t")


def mapped(*rows: list[str]) -> Mapped:
    return apply(table(["u", "d", "s", "t"], *rows), MAPPING)


def hashes(*rows: list[str]) -> list[int]:
    found = mapped(*rows)
    return [int(value) for value in user_hashes(found, np.ones(found.size, dtype=bool))]


def test_rows_share_a_lane_where_they_share_a_user_id_or_a_device_id() -> None:
    first, second, third = lanes(mapped(["u1", "d1", "", ""], ["u1", "d2", "", ""], ["", "d2", "", ""]))
    assert set(first) & set(second)
    assert set(second) & set(third)
    assert not set(first) & set(third)


def test_a_user_id_is_no_device_id_of_the_same_text() -> None:
    first, second = lanes(mapped(["x", "", "", ""], ["", "x", "", ""]))
    assert not set(first) & set(second)


def test_custom_identifiers_make_lanes_only_where_nothing_else_does() -> None:
    first, second, third = lanes(mapped(["u1", "", "s1", ""], ["", "", "s1", "t1"], ["", "", "", "s1"]))
    assert first == ("userId=u1",)
    assert second == ("identifiers.s=s1", "identifiers.t=t1")
    assert not set(second) & set(third)


def test_a_blank_identifier_holds_nobody_back() -> None:
    assert lanes(mapped([" ", "", "", ""], ["", "", "", ""])) == [(), ()]


def test_a_chunk_without_identifiers_has_rows_without_lanes() -> None:
    assert lanes(apply(records({"a": 1}, {"a": 2}), assigned("event.properties.a=a"))) == [(), ()]


def test_the_same_user_has_the_same_hash_and_another_one_another() -> None:
    same, other, again, device = hashes(
        ["u1", "d1", "", ""], ["u2", "d1", "", ""], ["u1", "d9", "x", ""], ["", "u1", "", ""]
    )
    assert same == again
    assert len({same, other, device}) == 3


def test_only_rows_that_are_kept_are_hashed() -> None:
    found = mapped(["u1", "", "", ""], ["u2", "", "", ""])
    assert len(user_hashes(found, np.array([False, True]))) == 1
