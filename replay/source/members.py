"""Lines of one shape as the columns of their members: each value with its type and its digits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.records import Members
from replay.source.number import DECODER
from replay.source.shape import lines_of, places_of, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replay.source.shape import Lines, Path, Shape, Slot

_INTEGERS: Final = "^(0|-?[1-9][0-9]{0,17})$"  # int64 for certain
_DECIMALS: Final = r"^-?(0|[1-9][0-9]*)\.(0|[0-9]*[1-9])$"
_DECIMAL_BYTES: Final = 16  # 15 digits and the point: a double keeps them, and its repr writes them again…
_DECIMAL_LEAST: Final = 1e-4  # …from here on; below with an exponent
_PLAIN: Final = "^[-+.0-9A-Za-z]+$"  # no bracket, comma, quote or space
_TEXTS: Final = msgspec.json.Decoder(list[str])


def members_of(data: bytes, is_record: Any) -> ShapedLines | None:
    """The records of a block of whole lines, or None where they are not shown to be records of one shape.

    `is_record` says of a line whether it is a record when it is read alone; it is asked of the first.
    """
    first = data[: data.find(b"\n") + 1].rstrip(b"\r\n")
    if b"[" in first or not is_record(first):
        return None
    lines = lines_of(data)
    shape = None if lines is None else shape_of(first)
    if lines is None or shape is None:
        return None
    places = places_of(lines, shape)
    try:
        return None if places is None else ShapedLines(_Block(lines, shape, places), np.arange(len(places)))
    except ValueError:  # a value that is none
        return None


class _Block:
    """A block whose lines are of one shape: the values of each slot. Raises ValueError where one is none."""

    def __init__(self, lines: Lines, shape: Shape, places: NDArray[np.int64]) -> None:
        self.lines = lines
        self.shape = shape
        self.slots = {slot.path: order for order, slot in enumerate(shape.slots)}
        self._count, self._width = places.shape
        offsets = np.ascontiguousarray(places).reshape(-1)
        # values and what stands between them in turn, one behind the other, in the block's own memory
        size = max(len(offsets) - 1, 0)
        buffers = (pa.py_buffer(offsets), pa.py_buffer(lines.data))
        self._pieces = pa.LargeStringArray.from_buffers(size, *buffers)
        escapes = b"\\" in lines.data
        self._values = [self._read(order, slot, escapes) for order, slot in enumerate(shape.slots)]

    def values(self, order: int) -> pa.Array | list[Any]:
        """Those of one slot, a line each."""
        found = self._values[order]
        return self._texts(order) if found is None else found

    def _read(self, order: int, slot: Slot, escapes: bool) -> pa.Array | list[Any] | None:
        """The values of a slot where they take reading, and are to be shown to be some."""
        if not slot.is_text:
            return _words(self._texts(order))
        if escapes:
            texts = self._texts(order)
            if pc.any(pc.match_substring(texts, "\\")).as_py():
                return _unescaped(texts)
        return None

    def _texts(self, order: int) -> pa.Array:
        return self._pieces.take(pa.array(np.arange(self._count) * self._width + 2 * order))


def _words(texts: pa.Array) -> pa.Array | list[Any]:
    """Numbers, true, false, null; raises ValueError where a text is none of them."""
    if pc.all(pc.match_substring_regex(texts, _INTEGERS)).as_py():
        return pc.cast(texts, pa.int64())
    if (
        pc.max(pc.binary_length(texts)).as_py() <= _DECIMAL_BYTES
        and pc.all(pc.match_substring_regex(texts, _DECIMALS)).as_py()
    ):
        doubles = pc.cast(texts, pa.float64())
        sizes = np.abs(doubles.to_numpy())
        if ((sizes >= _DECIMAL_LEAST) | (sizes == 0)).all():
            return doubles
    if not pc.all(pc.match_substring_regex(texts, _PLAIN)).as_py():
        raise ValueError("something else than one word or number")
    values: list[Any] = DECODER.decode("[" + ",".join(texts.to_pylist()) + "]")
    return values


def _unescaped(texts: pa.Array) -> pa.Array:
    """Texts as their escapes say; raises ValueError where one says nothing."""
    return pa.array(_TEXTS.decode('["' + '","'.join(texts.to_pylist()) + '"]'), pa.large_string())


class ShapedLines(Members):
    """Some lines of a block of one shape."""

    def __init__(self, block: _Block, order: NDArray[np.int64]) -> None:
        self._block = block
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that each record has, in their order."""
        return self._block.shape.names

    @property
    def raw(self) -> RawLines:
        """The lines, without their ends."""
        return RawLines(self._block.lines, self._order)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The records as the frame of a chunk."""
        values = DECODER.decode_lines(b"\n".join(self.raw))
        return pd.DataFrame({0: pd.Series(values, dtype=object)})

    def column(self, path: Path) -> pa.Array | list[Any] | None:
        """What stands at a path; None where that is an object, or may be inside a text."""
        for size in range(1, len(path) + 1):
            above = path[:size]
            if above in self._block.slots and size < len(path):
                return None
            if above in self._block.slots:
                return self._of(self._block.values(self._block.slots[above]))
            if above not in self._block.shape.objects:
                return [None] * len(self)
        return None

    def _of(self, values: pa.Array | list[Any]) -> pa.Array | list[Any]:
        if len(self._order) == len(values):  # ascending, and so all of them
            return values
        if isinstance(values, list):
            return [values[place] for place in self._order.tolist()]
        return values.take(pa.array(self._order))

    def take(self, places: NDArray[np.bool_] | slice) -> ShapedLines:
        """Some of the records."""
        return ShapedLines(self._block, self._order[places])


class RawLines(Sequence[bytes]):
    """The bytes of lines, without their ends, each made when it is asked for."""

    def __init__(self, lines: Lines, order: NDArray[np.int64]) -> None:
        self._lines = lines
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> RawLines: ...
    def __getitem__(self, place: int | slice) -> bytes | RawLines:
        if isinstance(place, slice):
            return RawLines(self._lines, self._order[place])
        line = self._order[place]
        return self._lines.data[self._lines.starts[line] : self._lines.ends[line]]
