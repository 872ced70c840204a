"""Owns who a row's user is, as far as order and counting go: never what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from replay.mapping import columns, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from replay.records import Mapped, Target

_FIRST: Final[tuple[Target, ...]] = (("user", "userId"), ("user", "deviceId"), ("user", "id"))


def lanes(mapped: Mapped) -> list[tuple[str, ...]]:
    """What each row shares with others of its user: userId, deviceId and user.id, else custom identifiers.

    One tuple a row, empty where no identifier can be used.
    """
    known = _shared(mapped.size, [_lane(mapped, target) for target in _FIRST if target in mapped.columns])
    if all(known):
        return known
    custom = _shared(mapped.size, [_lane(mapped, target) for target in _custom(mapped)])
    return [first or other for first, other in zip(known, custom, strict=True)]


def _custom(mapped: Mapped) -> Iterator[Target]:
    return (target for target in mapped.columns if len(target) == 3 and target[1] == "identifiers")


def _shared(size: int, columns: list[list[str | None]]) -> list[tuple[str, ...]]:
    if not columns:
        return [()] * size
    if not any(None in column for column in columns):
        return [*zip(*columns, strict=True)]
    return [tuple(lane for lane in row if lane is not None) for row in zip(*columns, strict=True)]


def _lane(mapped: Mapped, target: Target) -> list[str | None]:
    """The lane that each row has of an identifier, None where it is absent or blank."""
    column, prefix = mapped.columns[target], f"{paths.show(target[1:])}="
    values = _prefixed(column, prefix)
    if len(values) == mapped.size:
        return values
    row: list[str | None] = [None] * mapped.size
    for place, value in zip(column.index.tolist(), values, strict=True):
        row[place] = value
    return row


def _prefixed(column: pd.Series[Any], prefix: str) -> list[str | None]:
    """Each value behind a prefix, None where it is blank; a user has several rows, mostly."""
    if not columns.is_text(column):
        return [_with_prefix(value, prefix) for value in column.tolist()]
    distinct = pc.dictionary_encode(columns.texts(column))
    words = [_with_prefix(value, prefix) for value in distinct.dictionary.to_pylist()]
    return [words[place] for place in distinct.indices.to_pylist()]


def _with_prefix(value: str, prefix: str) -> str | None:
    return prefix + value if value and not value.isspace() else None


def user_hashes(mapped: Mapped, keep: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """A 64-bit hash of the user of each row that `keep` (a mask of the chunk) holds.

    A user is the first identifier that is there, in the order of `lanes`.
    """
    hashes = np.zeros(mapped.size, dtype=np.uint64)
    is_unknown = np.ones(mapped.size, dtype=np.bool_)
    known = [target for target in _FIRST if target in mapped.columns]
    for target in [*known, *_custom(mapped)]:
        if not is_unknown.any():
            break
        column = mapped.columns[target]
        if not is_unknown.all():
            column = column[is_unknown[column.index.to_numpy()]]
        places = column.index.to_numpy()
        hashes[places] = _hash(column, paths.show(target))
        is_unknown[places] = False
    return hashes[keep]


def in_sample(mapped: Mapped, share: float) -> NDArray[np.bool_]:
    """Which rows belong to a share (0 to 1) of all users: whole users, the same ones each time.

    A row without a user belongs to it.
    """
    users = user_hashes(mapped, np.ones(mapped.size, dtype=np.bool_))
    taken = users < np.uint64(min(share, 1.0) * (2.0**64 - 2.0**12))
    return np.asarray(taken | (users == 0) | (share >= 1.0), dtype=np.bool_)


def _hash(column: pd.Series[Any], name: str) -> NDArray[np.uint64]:
    key = np.uint64(pd.util.hash_array(np.array([name], dtype=object))[0])
    if not columns.is_text(column):
        return _hash_objects(column.to_numpy(dtype=object)) ^ key
    distinct = pc.dictionary_encode(columns.texts(column))
    words = _hash_objects(distinct.dictionary.to_numpy(zero_copy_only=False)) ^ key
    return np.asarray(words[distinct.indices.to_numpy()], dtype=np.uint64)


def _hash_objects(values: Any) -> NDArray[np.uint64]:
    return np.asarray(pd.util.hash_array(values, categorize=False), dtype=np.uint64)
