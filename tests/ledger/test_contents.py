"""A content is known again by its bytes; one that grew is the same, one that changed is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.shelf import URL, content_of, opening

from replay.errors import BusyError
from replay.ledger import Destination, Opening, Resolved, begin, open_ledger, resolve

if TYPE_CHECKING:
    from replay.ledger import Store

HEAD = b"h\n" + b"".join(b"%d\n" % n for n in range(1, 21))  # as many rows as tell a file that changed
FIRST = HEAD + b"4\n5\n"
UID = content_of(FIRST).uid


def sent(store: Store, *versions: bytes, torn: bool = False) -> None:
    for data in versions:
        name = f"run {store.one('SELECT count(*) FROM runs')}"
        with begin(store, opening(store, name, data, destination=Destination(URL), torn=torn)) as book:
            book.close()


def found(store: Store, data: bytes, *, torn: bool = False) -> Resolved:
    return resolve(store, content_of(data, store, torn=torn))


def test_a_content_never_seen_is_new(store: Store) -> None:
    assert found(store, FIRST) == Resolved(None, UID)


def test_the_same_bytes_are_the_same_content_whatever_their_name(store: Store) -> None:
    sent(store, FIRST)
    assert found(store, FIRST) == Resolved(1, UID)


def test_a_file_that_only_grew_is_the_same_content(store: Store) -> None:
    sent(store, FIRST)
    assert found(store, FIRST + b"6\n") == Resolved(1, UID)


def test_a_file_that_grew_twice_keeps_its_first_name(store: Store) -> None:
    sent(store, FIRST, FIRST + b"6\n")
    assert found(store, FIRST + b"6\n7\n") == Resolved(1, UID)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_file_without_a_final_line_end_may_get_one_and_grow(store: Store, end: bytes) -> None:
    bare = FIRST[:-1]
    sent(store, bare)
    assert found(store, bare + end).id == 1
    assert found(store, bare + end + b"6\n").id == 1


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_file_that_lost_its_final_line_end_is_the_same(store: Store, end: bytes) -> None:
    sent(store, FIRST[:-1] + end)
    assert found(store, FIRST[:-1]) == Resolved(1, content_of(FIRST[:-1] + end).uid)


def test_a_last_row_that_went_on_is_a_change(store: Store) -> None:
    sent(store, FIRST[:-1])
    assert found(store, FIRST[:-1] + b"5\n6\n") == Resolved(
        None, content_of(FIRST[:-1] + b"5\n6\n").uid, (1,)
    )


def test_a_file_that_changed_in_the_middle_says_from_what(store: Store) -> None:
    sent(store, FIRST)
    assert found(store, HEAD + b"9\n5\n").changed_from == (1,)


def test_a_file_that_changed_says_so_also_when_its_first_version_was_shorter_than_a_head(
    store: Store,
) -> None:
    sent(store, b"h\n1\n", FIRST)
    assert found(store, HEAD + b"9\n5\n").changed_from == (1,)


def test_an_old_version_come_back_is_the_same_content(store: Store) -> None:
    sent(store, FIRST, FIRST + b"6\n", FIRST)
    assert found(store, FIRST).id == 1
    assert found(store, FIRST + b"6\n7\n").id == 1


def test_a_version_that_continues_an_older_one_otherwise_is_a_change(store: Store) -> None:
    sent(store, FIRST, FIRST + b"6\n")
    assert found(store, FIRST + b"seven\n") == Resolved(None, content_of(FIRST + b"seven\n").uid, (1,))
    assert found(store, FIRST + b"seven\n8\n").changed_from == (1,)


@pytest.mark.parametrize("cut", [b"h\n1\n", b"h\n1", HEAD, HEAD + b"4\n"])
def test_a_cut_that_was_never_seen_is_the_same_content(store: Store, cut: bytes) -> None:
    sent(store, FIRST)
    assert found(store, cut) == Resolved(1, UID, is_cut=True)


def test_a_cut_is_told_from_a_file_of_which_a_row_is_missing(store: Store) -> None:
    sent(store, FIRST)
    assert found(store, b"h\n1\n3\n").id is None
    assert found(store, HEAD + b"5\n").changed_from == (1,)


def test_a_cut_that_goes_on_otherwise_is_a_change_however_few_rows_it_shares(store: Store) -> None:
    sent(store, FIRST, b"h\n1\n")
    assert found(store, b"h\n1\nother\n").changed_from == (1,)
    assert found(store, FIRST + b"6\n") == Resolved(1, UID)


def test_a_cut_that_takes_more_bytes_than_the_whole_never_grows(store: Store) -> None:
    wide = FIRST.replace(b"\n", b"\r\n").removesuffix(b"5\r\n")
    assert len(wide) > len(FIRST)
    sent(store, FIRST, wide, wide)
    assert found(store, wide) == Resolved(1, UID, is_cut=True)
    assert found(store, wide + b"other\r\n").changed_from == (1,)


def test_a_small_file_that_grew_and_then_goes_on_otherwise_is_a_change(store: Store) -> None:
    sent(store, b"h\n1\n2\n", b"h\n1\n2\n3\n4\n5\n")
    assert found(store, b"h\n1\n2\n9\n8\n").changed_from == (1,)


@pytest.mark.parametrize("empty", [b"h\n", b"h", b""])
def test_a_content_without_rows_is_compared_with_none(store: Store, empty: bytes) -> None:
    sent(store, empty)
    assert found(store, b"h\n1\n").id is None
    assert found(store, b"h\n1\n").changed_from == ()
    sent(store, FIRST)
    assert found(store, empty).id is None


def test_two_contents_that_share_a_head_grow_each_by_itself(store: Store) -> None:
    other = HEAD + b"9\n"
    sent(store, FIRST, other)
    assert found(store, FIRST + b"6\n").id == 1
    assert found(store, other + b"6\n").id == 2
    assert found(store, HEAD + b"0\n").changed_from == (1, 2)


def test_a_damaged_file_that_comes_whole_goes_on_after_its_last_whole_line(store: Store) -> None:
    sent(store, HEAD + b"4", torn=True)
    assert found(store, HEAD + b"44\n55\n") == Resolved(1, content_of(HEAD + b"4").uid)
    sent(store, HEAD + b"44\n55\n")
    assert found(store, HEAD + b"44\n66\n").changed_from == (1,)
    assert found(store, HEAD + b"4", torn=True).id == 1


def test_a_whole_file_that_comes_back_damaged_further_on_does_not_hide_rows(store: Store) -> None:
    sent(store, HEAD, HEAD + b"4\n")
    assert found(store, HEAD + b"9999", torn=True).is_cut
    sent(store, HEAD + b"9999", torn=True)
    assert found(store, HEAD + b"9999\n").changed_from == (1,)


def test_a_plan_made_before_another_run_learnt_of_its_source_is_refused(store: Store) -> None:
    grown = opening(store, "late", FIRST + b"6\n", destination=Destination(URL))
    sent(store, FIRST)
    with pytest.raises(BusyError, match="start again"):
        begin(store, grown)


def test_a_name_that_a_failed_file_carries_is_the_content_of_that_name(store: Store) -> None:
    resend = opening(store, "resend", b"failed\n")
    carried = Opening(
        **{field: getattr(resend, field) for field in resend.__slots__} | {"carried": frozenset({UID})}
    )
    with begin(store, carried) as book:
        book.close()
    copy = book.copies[UID]
    with begin(store, opening(store, "first", FIRST)) as book:
        assert book.copies == {UID: copy}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chain=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    cuts=st.sets(st.integers(1, 6), min_size=1, max_size=3),
    other=st.lists(st.integers(0, 3), min_size=1, max_size=7),
)
def test_only_a_file_whose_rows_begin_with_all_that_was_sent_or_end_before_is_known(
    tmp_path_factory: pytest.TempPathFactory, chain: list[int], cuts: set[int], other: list[int]
) -> None:
    """Whatever is found to be the same content has the same rows where both have one."""
    with open_ledger(tmp_path_factory.mktemp("c") / "ledger.sqlite") as store:
        versions = [b"".join(b"%d\n" % n for n in chain[:cut]) for cut in sorted(cuts)]
        for place, data in enumerate(versions):
            if place == 0 or found(store, data).id is not None:
                sent(store, data)
        known = found(store, b"".join(b"%d\n" % n for n in other))
        if known.id is not None:
            longest = max(versions, key=len).splitlines()
            mine = [b"%d" % n for n in other]
            assert mine[: len(longest)] == longest[: len(mine)]
