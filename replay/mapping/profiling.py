"""Owns what a column of a source looks like: what its values read as, how long they are, which there are.

A table is looked at by its columns, records by the paths of their members.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.mapping import paths
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Record

    import numpy as np
    from numpy.typing import NDArray

    from replay.records import Chunk

SAMPLES: Final = 3
_KINDS: Final = (
    ("whole number", r"^-?[0-9]+$"),
    ("number", r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"),
    ("boolean", r"(?i)^(true|false|yes|no)$"),
    (
        "time",
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}[0-9:.,]* ?(Z|[+-][0-9:]+)?)?$",
    ),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What some values of a column look like.

    `kinds`: values by what they read as; `hashes`: 64 bits of each value; `shortest`, `longest` and
    `samples`: values as texts.
    """

    name: str
    filled: int
    kinds: Counter[str]
    hashes: NDArray[np.uint64]
    shortest: str
    longest: str
    samples: list[str]


def looks(chunk: Chunk) -> Iterator[Look]:
    """A look at each column of a chunk that has a value; notes of our own are none."""
    if chunk.kind == "table":
        for place, name in enumerate(chunk.header):
            if not name.startswith(CARRIED):
                yield from _look(name, pa.array(chunk.frame[place].array, pa.large_string()), Counter())
        return
    members: dict[str, list[Any]] = {}
    for record in chunk.frame[0].tolist():
        for path, value in _leaves(record, ()):
            members.setdefault(paths.show(path), []).append(value)
    for name, values in members.items():
        texts = [value if isinstance(value, str) else _json(value) for value in values]
        yield from _look(name, pa.array(texts, pa.large_string()), _native(values))


def _look(name: str, texts: pa.Array, native: Counter[str]) -> Iterator[Look]:
    """`native`: values by kind where the source itself says it; else they are told by how they read."""
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    filled = texts.filter(pc.fill_null(pc.not_equal(texts, ""), False))
    if not len(filled):
        return
    sizes = pc.utf8_length(filled).to_numpy(zero_copy_only=False)
    yield Look(
        name,
        len(filled),
        native or _read_as(filled),
        pd.util.hash_array(filled.to_numpy(zero_copy_only=False), categorize=False),
        filled[int(sizes.argmin())].as_py(),
        filled[int(sizes.argmax())].as_py(),
        pc.unique(filled[: 50 * SAMPLES]).to_pylist()[:SAMPLES],
    )


def _read_as(texts: pa.Array) -> Counter[str]:
    found: Counter[str] = Counter()
    for kind, pattern in _KINDS:
        matches = pc.match_substring_regex(texts, pattern)
        found[kind] += pc.sum(matches).as_py() or 0
        texts = texts.filter(pc.invert(matches))
    found["text"] += len(texts)
    return +found


def _native(values: list[Any]) -> Counter[str]:
    return Counter(_KIND_OF.get(type(value), "number") for value in values)


_KIND_OF: Final = {str: "text", bool: "boolean", int: "whole number", list: "list", dict: "object"}


def _leaves(record: Record[str, Any], owner: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in record.items():
        if name.startswith(CARRIED) and not owner:
            continue
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*owner, name))
        elif value is not None:
            yield (*owner, name), value


def _json(value: Any) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()
