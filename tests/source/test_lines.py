from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from replay.source.lines import Block, blocks

TEXTS = st.lists(
    st.sampled_from([b"\n", b"\r", b"a", b"\xea\xb0\x80", b"\x0b\x85\xe2\x80\xa8"]), max_size=40
).map(b"".join)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(TEXTS, st.integers(1, 8), st.integers(1, 8))
def test_blocks_join_to_the_stream_and_end_where_lines_end(data: bytes, size: int, step: int) -> None:
    found = list(blocks(pieces(data, step), size, longest=1000))
    assert b"".join(block.data for block in found) == data
    lines = [line for block in found for line in block.data.splitlines(keepends=True)]
    assert lines == data.splitlines(keepends=True)
    assert all(block.data.endswith((b"\n", b"\r")) for block in found if block.kind == "whole")
    assert [block.kind for block in found[:-1]] == ["whole"] * len(found[:-1])


@given(TEXTS, st.integers(1, 4), st.integers(1, 8), st.integers(8, 12))
def test_a_line_past_the_bound_is_told_apart_wherever_the_pieces_are_cut(
    data: bytes, size: int, step: int, longest: int
) -> None:
    found: list[bytes | None] = []
    for block in blocks(pieces(data, step), size, longest):
        found += [None] if block.kind == "overlong" else block.data.splitlines(keepends=True)
    lines = data.splitlines(keepends=True)
    assert found == [None if len(line) > longest else line for line in lines]


def test_an_overlong_line_keeps_its_beginning_and_costs_no_other() -> None:
    assert list(blocks([b"a\n" + b"x" * 30 + b"\nb\n"], size=4, longest=8)) == [
        Block("whole", b"a\n"),
        Block("overlong", b"x" * 10),
        Block("whole", b"b\n"),
    ]
