from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import SourceError
from replay.source import bounds
from replay.source.compression import Content, compression_of

if TYPE_CHECKING:
    from collections.abc import Callable

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}
LINES = b"".join(b"%d,%d\n" % (number, random.Random(number).getrandbits(64)) for number in range(20_000))


def unpack(data: bytes) -> tuple[bytes, Content]:
    content = Content(io.BytesIO(data), "f")
    return b"".join(content), content


@pytest.mark.parametrize("name", PACKERS)
def test_compression_is_known_by_content_and_undone(name: str) -> None:
    packed = PACKERS[name](LINES)
    got, content = unpack(packed)
    assert (got, content.compression, content.damage, content.consumed) == (LINES, name, None, len(packed))


@pytest.mark.parametrize("name", PACKERS)
def test_streams_one_after_the_other_are_one_content(name: str) -> None:
    padding = b"" if name == "zstd" else bytes(2048)
    got, content = unpack(PACKERS[name](LINES) + PACKERS[name](b"") + PACKERS[name](b"end\n") + padding)
    assert (got, content.damage) == (LINES + b"end\n", None)


@pytest.mark.parametrize("step", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("name", PACKERS)
def test_content_is_given_whole_however_little_a_step_may_give(
    name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "INFLATED_BYTES", step)
    for size in range(1, 60, 7):
        got, content = unpack(PACKERS[name](b"a\n" + b"\xc2\x850\n" * size))
        assert (got, content.damage) == (b"a\n" + b"\xc2\x850\n" * size, None)


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_a_cut_stream_gives_a_beginning_of_its_content_and_says_that_it_was_cut(
    name: str, share: float
) -> None:
    packed = PACKERS[name](LINES)
    got, content = unpack(packed[: max(10, int(share * (len(packed) - 1)))])
    assert content.damage is not None
    assert content.damage.cut
    assert "cut off" in content.damage.reason
    assert LINES.startswith(got)


@pytest.mark.parametrize("name", PACKERS)
def test_garbage_after_the_end_is_damage_that_costs_no_content(name: str) -> None:
    got, content = unpack(PACKERS[name](LINES) + b"\0\0garbage")
    assert content.damage is not None
    assert (got, content.damage.cut, "garbage" in content.damage.reason) == (LINES, False, True)


@pytest.mark.parametrize("place", [-8, -4])
def test_a_wrong_checksum_or_length_is_damage_that_costs_no_content(place: int) -> None:
    packed = bytearray(gzip.compress(LINES))
    packed[place] ^= 1
    got, content = unpack(bytes(packed))
    assert content.damage is not None
    assert (got, content.damage.cut, "checksum" in content.damage.reason) == (LINES, False, True)


def test_a_wrong_checksum_before_another_member_cuts_the_content_there() -> None:
    packed = bytearray(gzip.compress(LINES))
    packed[-8] ^= 1
    got, content = unpack(bytes(packed) + gzip.compress(b"more"))
    assert content.damage is not None
    assert (got, content.damage.cut) == (LINES, True)


@pytest.mark.parametrize("name", ["bz2", "xz"])
def test_content_of_a_checked_block_that_broke_is_never_given(name: str) -> None:
    packed = bytearray(PACKERS[name](LINES))
    packed[len(packed) // 2] ^= 0xFF
    got, content = unpack(bytes(packed))
    assert content.damage is not None
    assert content.damage.cut
    assert LINES.startswith(got)


@given(st.binary(max_size=64))
def test_any_bytes_after_a_magic_are_content_or_damage_and_never_a_crash(tail: bytes) -> None:
    for magic in (b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"):
        content = unpack(magic + tail)[1]
        assert content.damage is not None


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\x04\x22\x4d\x18..", "lz4"),
        (b"7z\xbc\xaf\x27\x1c..", "7-Zip"),
        (b"Obj\x01..", "Avro"),
    ],
)
def test_what_is_not_read_is_refused_with_its_name(data: bytes, word: str) -> None:
    with pytest.raises(SourceError, match=f"f: .*{word}.*not read"):
        unpack(data)


def test_a_file_that_unpacks_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "RATIO_FROM_BYTES", 1 << 20)
    monkeypatch.setattr(bounds, "RATIO", 100)
    bomb = gzip.compress(bytes(8 << 20))
    with pytest.raises(SourceError, match="more than 100 times its size"):
        unpack(bomb)


def test_one_step_of_decompression_is_bounded() -> None:
    content = Content(io.BytesIO(lzma.compress(bytes(8 << 20))), "f")
    assert max(len(piece) for piece in content) <= bounds.INFLATED_BYTES


def test_text_that_begins_like_a_magic_is_text() -> None:
    assert compression_of(b"BZh9 the bus\n") is None
    assert unpack(b"BZh9 the bus\n")[0] == b"BZh9 the bus\n"
    assert unpack(b"")[0] == b""


def test_a_refused_file_is_not_read_beyond_its_first_bytes() -> None:
    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 <= size <= 16
            return super().read(size)

    with pytest.raises(SourceError):
        Content(File(b"Obj\x01" + bytes(100)), "f")
