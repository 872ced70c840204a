"""Memory does not grow with the width of a source."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGE_THEN_SMALL = """
import ctypes
from replay.__main__ import _share_memory
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd u f o k c".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
_share_memory()
libc.free(libc.malloc(24 << 20))
before = libc.mallinfo2().hblkhd
libc.malloc(2 << 20)
print(libc.mallinfo2().hblkhd - before >= 2 << 20)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="a setting of glibc")
def test_a_block_is_the_systems_own_piece_of_memory_after_a_larger_one_was_freed_too() -> None:
    ran = subprocess.run([sys.executable, "-c", LARGE_THEN_SMALL], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"


def test_wide_rows_of_a_parquet_file_come_in_small_chunks(
    tmp_path: Path, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "RECORD_CELLS", 1_000)
    wide = pa.table({f"c{n}": [str(row) for row in range(60)] for n in range(100)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    got = read(tmp_path / "wide.parquet")
    assert [len(chunk) for chunk in got.chunks] == [10] * 6
    assert (got.rows, got.values) == (list(range(1, 61)), wide.to_pylist())


def test_long_rows_of_a_parquet_file_come_in_small_chunks(
    tmp_path: Path, read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "GATHERED_BYTES", 100_000)
    pq.write_table(pa.table({"text": [f"{row:05}" * 2_000 for row in range(40)]}), tmp_path / "long.parquet")
    got = read(tmp_path / "long.parquet")
    assert max(len(chunk) for chunk in got.chunks) <= 10
    assert [value["text"][:5] for value in got.values] == [f"{row:05}" for row in range(40)]


@pytest.mark.parametrize("whole", [True, False])
def test_records_of_a_document_are_handed_on_by_their_size(
    whole: bool, read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "GATHERED_BYTES", 10_000)
    records = [{"n": n, "text": "x" * 1_000} for n in range(50)]
    broken = b"" if whole else b',{"n": 1,}'
    got = read_bytes("a.json", json.dumps(records).encode()[:-1] + broken + b"]", format="json")
    assert max(len(chunk) for chunk in got.chunks) <= 10
    assert (got.values, len(got.bad)) == (records, not whole)
