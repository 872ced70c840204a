"""The first rows of contents: they tell a content that changed, or that ends early, from a new one.

Each of the first KEPT_ROWS rows has an entry: a digest of the header and all rows up to it, and the row's
number. So two contents that share an entry's digest share all rows before it, and where the entries are
equal, the rows have equal numbers, too: no row that cannot be read is among one's rows alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from replay.ledger.base import Store

SHARED_ROWS: Final = 20
"""Contents that share so many first rows, or all of the shorter one, are one file at two moments."""
KEPT_ROWS: Final = 256
_DIGEST_BYTES: Final = 8
_NUMBER_BYTES: Final = 4
_ENTRY_BYTES: Final = _DIGEST_BYTES + _NUMBER_BYTES


def entry(digest: bytes, row: int) -> bytes:
    """The entry of a row; the digest is of the header and all rows up to it."""
    return digest[:_DIGEST_BYTES] + row.to_bytes(_NUMBER_BYTES, "big")


def entries_of(rows: bytes) -> list[bytes]:
    """The entries that make up the first rows of a content, one a row."""
    return [rows[at : at + _ENTRY_BYTES] for at in range(0, len(rows), _ENTRY_BYTES)]


def share_rows(one: bytes, other: bytes) -> bool:
    """Whether two contents share their first rows, or all that the shorter one has, but at least one."""
    rows = min(len(one) // _ENTRY_BYTES, len(other) // _ENTRY_BYTES, SHARED_ROWS)
    last = slice((rows - 1) * _ENTRY_BYTES, (rows - 1) * _ENTRY_BYTES + _DIGEST_BYTES)
    return rows > 0 and one[last] == other[last]


def heads_like(store: Store, rows: bytes) -> list[tuple[int, bytes]]:
    """The contents with the same header and first row, and their entries."""
    found = store.ask("SELECT content, rows FROM heads WHERE opening = ? ORDER BY content", _opening(rows))
    return [(int(content), bytes(known)) for content, known in found]


def remember_head(store: Store, content: int, rows: bytes) -> None:
    """Keep the entries of a content, unless more of them are known. Within a transaction."""
    store.tell(
        "INSERT INTO heads VALUES (?, ?, ?) ON CONFLICT (content) DO UPDATE"
        " SET opening = excluded.opening, rows = excluded.rows"
        " WHERE length(excluded.rows) > length(heads.rows)",
        content,
        _opening(rows),
        rows,
    )


def _opening(rows: bytes) -> str:
    return rows[:_DIGEST_BYTES].hex()
