"""The data of a failed row, apart from our notes: what two rows are compared by."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from replay.records import Chunk

_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DIGEST_BYTES: Final = 12


def data_columns(header: Sequence[str]) -> list[int]:
    """The places of the columns that hold data."""
    return [index for index, name in enumerate(header) if not name.startswith(CARRIED)]


def row_digests(chunk: Chunk, places: Sequence[int]) -> list[str]:
    """A digest of the data of each of these rows: of its cells and columns, or of its members as written."""
    if chunk.raw is not None:
        return [_digest(_members(chunk.raw[place])) for place in places]
    columns = data_columns(chunk.header)
    header = blake2b(digest_size=_DIGEST_BYTES)
    _update(header, [chunk.header[index] for index in columns])
    frame = chunk.frame.iloc[list(places), columns]
    return [_digest(cells, header) for cells in frame.to_numpy(dtype=object).tolist()]


def blank_rows(chunk: Chunk) -> NDArray[np.bool_]:
    """Which rows of a table have no text in any cell, as spreadsheets add them at the end."""
    if chunk.kind != "table" or not len(chunk):
        return np.zeros(len(chunk), dtype=np.bool_)
    blank = np.ones(len(chunk), dtype=np.bool_)
    for column in chunk.frame.columns:
        here = np.flatnonzero(blank)
        if not len(here):
            break
        cells = chunk.frame[column].iloc[here].tolist()
        blank[here] = [not cell.strip() for cell in cells]
    return blank


def _members(raw: bytes) -> list[str]:
    members = _RAW_MEMBERS.decode(raw)
    return [
        text for name in sorted(members) if name != CARRIED for text in (name, bytes(members[name]).decode())
    ]


def _digest(texts: Sequence[str], begun: blake2b | None = None) -> str:
    digest = blake2b(digest_size=_DIGEST_BYTES) if begun is None else begun.copy()
    _update(digest, texts)
    return digest.hexdigest()


def _update(digest: blake2b, texts: Sequence[str]) -> None:
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
