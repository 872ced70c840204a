"""The files that the benchmarks read: eleven columns, some 100 bytes a row, as an export has them."""

from __future__ import annotations

import json
from pathlib import Path

HEADER = "event_name,user_id,device_id,amount,currency,payment_method,product,grade,ts,session_id,memo"
BLOCK_ROWS = 200_000
MAPPING = """
[event]
key = "event_name"
value = "amount:number"
[event.properties]
currency = "currency"
paymentMethod = "payment_method"
product = "product"
memo = "memo"
[user]
userId = "user_id"
deviceId = "device_id"
[user.identifiers]
sessionId = "session_id"
[user.properties]
grade = "grade"
[time]
column = "ts"
property = "originalTime"
"""


def cells(row: int) -> tuple[str, ...]:
    """One row, the same ones each time; users have ten rows each."""
    user = row // 10
    return (
        "purchase",
        f"@@u{user:08d}",
        f"@@d{user:010d}",
        f"{row * 37 % 100_000}.50",
        "KRW",
        "CARD",
        f"item-{row % 977}",
        "GOLD",
        f"2024-01-{1 + row % 28:02d}T{row % 24:02d}:00:{row % 60:02d}Z",
        f"s{row // 5}",
        f"memo {row}",
    )


def write_csv(path: Path, rows: int) -> Path:
    """A CSV of so many rows; beyond BLOCK_ROWS blocks repeat, with users of their own."""
    block = "".join(",".join(cells(row)) + "\n" for row in range(min(rows, BLOCK_ROWS))).encode()
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        for number in range(max(1, rows // BLOCK_ROWS)):
            file.write(block.replace(b"@@", b"%02d" % number))
    return path


def write_jsonl(path: Path, rows: int) -> Path:
    """The same as lines of JSON."""
    names = HEADER.split(",")
    with path.open("w") as file:
        for row in range(rows):
            record = dict(zip(names, cells(row), strict=True))
            file.write(json.dumps(record | {"amount": row * 37 % 100_000 + 0.5}) + "\n")
    return path


def write_mapping(path: Path) -> Path:
    """The mapping of both."""
    path.write_text(MAPPING)
    return path
