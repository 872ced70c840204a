"""Owns request bodies: the exact bytes of each row, put together a column at a time.

Every value becomes the fragment `"name":value`; fragments are joined row by row into objects, in the
order in which the API documents them. What is absent is left out. Where nothing is absent, all pieces of
all fragments are joined at once.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay import hackle
from replay.mapping import columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from replay.records import Mapped, Target

Pieces = list[str | pa.Array]
"""What texts are put together from: the same for every row, or a text a row."""

_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode
_MUST_ESCAPE: Final = r'["\\\x00-\x1f]'
_TEXT: Final = pa.large_string()
_NONE: Final = pa.scalar("", _TEXT)
_COMMA: Final = pa.scalar(",", _TEXT)


def bodies(mapped: Mapped, keep: NDArray[np.bool_]) -> list[bytes | None]:
    """The request body of every row that `keep` (a mask of the chunk) holds; None for the others.

    Compact JSON in UTF-8, numbers with all their digits.
    """
    if keep.all() and all(len(column) == mapped.size for column in mapped.columns.values()):
        return _join_pieces(_whole(mapped), mapped.size)
    rows = _Rows(mapped, keep)
    event = rows.named("event", hackle.EVENT_MEMBERS)
    user = rows.named("user", hackle.USER_MEMBERS)
    whole = _surround('{"event":{', _join([event], rows.size), '},"user":{', _join([user], rows.size), "}}")
    made = iter(_as_bytes(whole))
    return [next(made) if kept else None for kept in keep.tolist()]


def _as_bytes(whole: pa.Array) -> list[bytes | None]:
    made: list[bytes | None] = whole.cast(pa.large_binary()).to_pylist()
    return made


def _join_pieces(pieces: Pieces, size: int) -> list[bytes | None]:
    merged: Pieces = []
    for piece in pieces:
        if merged and isinstance(piece, str) and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    is_one = len(merged) == 1  # no row has any value
    return [str(merged[0]).encode()] * size if is_one else _as_bytes(_surround(*merged))


def _whole(mapped: Mapped) -> Pieces:
    """What stands in every body, one piece after another, where every row has every value."""
    event, user = (
        _fragments(mapped, (owner,), members)
        for owner, members in (("event", hackle.EVENT_MEMBERS), ("user", hackle.USER_MEMBERS))
    )
    return ['{"event":{', *_with_commas(event), '},"user":{', *_with_commas(user), "}}"]


def _fragments(mapped: Mapped, owner: Target, members: Iterable[str]) -> list[Pieces]:
    """The pieces of each member of an object, its name first."""
    found: list[Pieces] = []
    for member in members:
        target = (*owner, member)
        inner = [t[-1] for t in mapped.columns if len(t) == len(target) + 1 and t[:-1] == target]
        if inner:
            within = _with_commas(_fragments(mapped, target, inner))
            found.append([_name(member), "{", *within, "}"])
        elif target in mapped.columns:
            found.append([_name(member), *_pieces(mapped.columns[target])])
    return found


def _with_commas(fragments: list[Pieces]) -> Pieces:
    first, *others = fragments or [[]]
    return [*first, *(piece for fragment in others for piece in (",", *fragment))]


class _Rows:
    """The rows that get a body: `size` of them, and where each place of the chunk went."""

    def __init__(self, mapped: Mapped, keep: NDArray[np.bool_]) -> None:
        self.mapped = mapped
        self.keep = keep
        self.size = int(keep.sum())
        self.rank = np.cumsum(keep) - 1

    def named(self, owner: str, members: tuple[str, ...]) -> pa.Array:
        """The fragments of an object that the API names the members of, joined."""
        found = [self._member((owner, member)) for member in members]
        return _join([fragments for fragments in found if fragments is not None], self.size)

    def _member(self, target: Target) -> pa.Array | None:
        inner = [(t, c) for t, c in self.mapped.columns.items() if len(t) == 3 and t[:2] == target]
        empty = self.mapped.columns.get(target)
        if not inner:
            return None if empty is None else self._spread(target[-1], empty)
        joined = _join([self._spread(t[-1], column) for t, column in inner], self.size)
        whole = _surround(_name(target[-1]) + "{", joined, "}")
        filled = pc.if_else(pc.equal(joined, _NONE), pa.scalar(None, _TEXT), whole)
        return filled if empty is None else pc.coalesce(filled, self._spread(target[-1], empty))

    def _spread(self, name: str, column: pd.Series[Any]) -> pa.Array:
        """A column's fragments, one a row, null where it has no value."""
        places = column.index.to_numpy()
        kept = self.keep[places]
        if not kept.all():
            column, places = column[kept], places[kept]
        fragments = _surround(_name(name), _values(column))
        if len(places) == self.size:
            return fragments
        source = np.full(self.size, -1, dtype=np.int64)
        source[self.rank[places]] = np.arange(len(places))
        return pc.take(fragments, pa.array(source, mask=source < 0))


def _name(name: str) -> str:
    return _ENCODE(name).decode() + ":"


def _pieces(column: pd.Series[Any]) -> Pieces:
    """What the JSON text of each value is made of, piece by piece."""
    if not columns.is_text(column):
        return [_values(column)]
    texts = columns.texts(column)
    special = pc.match_substring_regex(texts, _MUST_ESCAPE)
    if not pc.any(special).as_py():
        return ['"', texts, '"']
    escaped = [_ENCODE(text).decode() for text in texts.filter(special).to_pylist()]
    return [pc.replace_with_mask(_surround('"', texts, '"'), special, pa.array(escaped, _TEXT))]


def _values(column: pd.Series[Any]) -> pa.Array:
    """The JSON text of each value."""
    if columns.is_text(column):
        return _surround(*_pieces(column))
    values = column.tolist()
    if column.dtype != object and values:  # plain numbers and booleans hold no comma
        return pa.array(_ENCODE(values)[1:-1].decode().split(","), _TEXT)
    return pa.array([_ENCODE(value).decode() for value in values], _TEXT)


def _surround(*parts: str | pa.Array) -> pa.Array:
    scalars = [pa.scalar(part, _TEXT) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*scalars, _NONE)


def _join(fragments: list[pa.Array], size: int) -> pa.Array:
    if not fragments:
        return pa.array([""] * size, _TEXT)
    first, *others = fragments
    if all(array.null_count for array in fragments):
        # Arrow (26.0.1, measured) skips a row whole in which every argument is null: give it an empty one
        missing = reduce(pc.and_, map(pc.is_null, fragments))
        first = pc.if_else(missing, _NONE, first)
    return pc.binary_join_element_wise(first, *others, _COMMA, null_handling="skip")
