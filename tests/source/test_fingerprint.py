from __future__ import annotations

import gzip
from hashlib import blake2b
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.settings import ReadSettings
from replay.source import Fingerprint, Source, open_source
from replay.source.fingerprint import Fingerprinting

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(5000))


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def fingerprint(path: Path, marks_at: tuple[int, ...] = ()) -> Fingerprint:
    with open_source(Source(path.name, path), ReadSettings(), marks_at) as reader:
        for _ in reader:
            pass
        return reader.fingerprint


def test_the_fingerprint_holds_length_digest_and_marks_at_doubling_and_asked_positions(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(DATA)
    found = fingerprint(path, marks_at=(100, 8192, len(DATA), len(DATA) + 1))
    assert (found.length, found.digest) == (len(DATA), digest(DATA))
    expected = [100, 4096, 8192, 16384, 32768, len(DATA)]
    assert found.marks == {
        position: digest(DATA[:position]) for position in expected if position <= len(DATA)
    }


def test_the_same_content_has_the_same_fingerprint_whatever_packs_it(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(DATA)
    packed.write_bytes(gzip.compress(DATA))
    assert fingerprint(plain) == fingerprint(packed)


def test_a_file_that_grew_shares_the_marks_of_its_beginning(tmp_path: Path) -> None:
    before, after = tmp_path / "a.csv", tmp_path / "b.csv"
    before.write_bytes(DATA)
    after.write_bytes(DATA + b"new,row\n")
    old, new = fingerprint(before), fingerprint(after, marks_at=(len(DATA),))
    assert new.marks[len(DATA)] == old.digest
    assert old.marks.items() <= new.marks.items()


def test_the_fingerprint_is_not_given_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(DATA)
    with (
        open_source(Source("a.csv", path), ReadSettings()) as reader,
        pytest.raises(RuntimeError, match=r"a\.csv"),
    ):
        _ = reader.fingerprint


@given(st.binary(max_size=20_000), st.lists(st.integers(0, 20_000)), st.integers(1, 5000))
def test_marks_do_not_depend_on_the_pieces_the_bytes_come_in(
    data: bytes, asked: list[int], size: int
) -> None:
    hashing = Fingerprinting(asked)
    for start in range(0, len(data), size):
        hashing.update(data[start : start + size])
    hashing.update(b"")
    marks = {position for position in [*asked, 4096, 8192, 16384] if position <= len(data)}
    found = hashing.finish()
    assert (found.length, found.digest) == (len(data), digest(data))
    assert found.marks == {at: digest(data[:at]) for at in marks}


@pytest.mark.parametrize("data", [b"", b"a", b"a\n", b"a\nb", b"a\r\nb,c", b"a\rb", b"a\n\n"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_a_content_must_begin_with_to_be_another_one_grown(data: bytes, size: int) -> None:
    hashing = Fingerprinting()
    for start in range(0, len(data), size):
        hashing.update(data[start : start + size])
    found = hashing.finish()
    lines = data[: max(data.rfind(b"\n"), data.rfind(b"\r")) + 1]
    assert found.whole_lines == (len(lines), digest(lines))
    assert found.ended == tuple(digest(data + end) for end in (b"\n", b"\r", b"\r\n"))
