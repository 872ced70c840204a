"""The memory that reading takes, a dress and a size at a time, each in its own process.

python tests/benchmarks/memory.py [--rows 200000,2000000]
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

NAMES = ("event_name", "user_id", "amount", "ts", "memo")


def _rows(count: int) -> Iterator[tuple[str, str, int, str, str]]:
    for n in range(count):
        yield (
            "purchase",
            f"user-{n * 7919 % 1_000_003:07}",
            n,
            "2024-01-01T00:00:00Z",
            f"memo {n * 104_729 % 9_999_991}",
        )


def _csv(count: int) -> Iterator[bytes]:
    yield (",".join(NAMES) + "\n").encode()
    for row in _rows(count):
        yield (",".join(map(str, row)) + "\n").encode()


def _jsonl(count: int) -> Iterator[bytes]:
    for row in _rows(count):
        yield json.dumps(dict(zip(NAMES, row, strict=True))).encode() + b"\n"


def _write_plain(path: Path, count: int) -> None:
    with path.open("wb") as file:
        file.writelines(_csv(count))


def _write_gzip(path: Path, count: int) -> None:
    with gzip.open(path, "wb", 1) as file:
        file.writelines(_csv(count))


def _write_zstd(path: Path, count: int) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as raw, pa.CompressedOutputStream(raw, "zstd") as file:
        for line in _csv(count):
            file.write(line)


def _write_zip(path: Path, count: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part in range(4):
            with archive.open(f"part-{part}.json.gz", "w") as raw, gzip.open(raw, "wb", 1) as file:
                file.writelines(_jsonl(count // 4))


def _write_parquet(path: Path, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        list(zip(NAMES, (pa.string(), pa.string(), pa.int64(), pa.string(), pa.string()), strict=True))
    )
    with pq.ParquetWriter(path, schema) as writer:
        part: list[tuple[str, str, int, str, str]] = []
        for row in _rows(count):
            part.append(row)
            if len(part) == 100_000:
                writer.write_table(pa.table(dict(zip(NAMES, zip(*part, strict=True), strict=True)), schema))
                part = []


def _write_array(path: Path, count: int) -> None:
    with path.open("wb") as file:
        file.write(b"[")
        for at, line in enumerate(_jsonl(count)):
            file.write((b"," if at else b"") + line[:-1])
        file.write(b"]")


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "rows.csv": _write_plain,
    "rows.csv.gz": _write_gzip,
    "rows.csv.zst": _write_zstd,
    "rows.zip": _write_zip,
    "rows.parquet": _write_parquet,
    "rows.json": _write_array,
}


def read(path: Path) -> None:
    """Read a file to its end; print rows, peak memory and seconds."""
    from replay.settings import ReadSettings
    from replay.source import Source, open_source

    began, rows = time.monotonic(), 0
    with open_source(Source(path.name, path), ReadSettings()) as reader:
        for chunk in reader:
            rows += len(chunk)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "peak": peak, "seconds": time.monotonic() - began}))


def main() -> None:
    """Write each file, read it in a process of its own, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="200000,2000000")
    parser.add_argument("--read", type=Path)
    asked = parser.parse_args()
    if asked.read is not None:
        read(asked.read)
        return
    print("| file | rows | peak MB | thousand rows a second |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            for count in map(int, asked.rows.split(",")):
                path = Path(folder) / name
                write(path, count)
                done = subprocess.run(
                    [sys.executable, __file__, "--read", str(path)], check=True, capture_output=True
                )
                told = json.loads(done.stdout)
                speed = told["rows"] / told["seconds"] / 1000
                print(f"| {name} | {told['rows']:,} | {told['peak']:.0f} | {speed:.0f} |", flush=True)
                path.unlink()


if __name__ == "__main__":
    main()
