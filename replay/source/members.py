"""Lines of few shapes as the columns of their members: each value with its type and its digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.records import Members
from replay.source.number import DECODER
from replay.source.shape import alike, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from replay.source.shape import Lines, Path, Shape, Slot

SHAPES_MAX: Final = 32  # in one block
SHAPES_FEW: Final = 8  # so many should have one line in two
ODD_SHARE: Final = 4  # one line in so many may be of no shape…
ODD_LEAST: Final = 4  # …or this number

_INTEGERS: Final = "^(0|-?[1-9][0-9]{0,17})$"  # int64 for certain
_DECIMALS: Final = r"^-?(0|[1-9][0-9]*)\.(0|[0-9]*[1-9])$"
_DECIMAL_BYTES: Final = 16  # 15 digits and the point: a double keeps them, and its repr writes them again…
_DECIMAL_LEAST: Final = 1e-4  # …from here on; below with an exponent
_ARROW: Final = {str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_NULL: Final = pa.array(["null"], pa.large_string())
_BOOLEANS: Final = pa.array(["true", "false"], pa.large_string())
_PLAIN: Final = r"^([-+.0-9A-Za-z]+|\[[-+.0-9A-Za-z, ]*\])$"  # no other bracket, comma, quote or space
_TEXTS: Final = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True)
class Found:
    """What lines are: `at` these places stand `records`; `flaws`: why others are none; `blank` are no row."""

    records: ShapedLines
    at: NDArray[np.int64]
    flaws: dict[int, str]
    blank: list[int]


def members_of(lines: Lines, read: Callable[[bytes], dict[str, Any]]) -> Found | None:
    """The records on some lines, or None where too few are shown to be records of few shapes.

    `read` gives the record on one line, or raises ValueError; it is asked of one line of each shape, and of
    those that are of none. Raises ValueError where something is no value.
    """
    sorting = _Sorting(lines, read)
    if not sorting.is_done or not sorting.shapes:
        return None
    parts: list[_Part | _Odd] = [_Part(lines, *one) for one in sorting.shapes]
    if sorting.odd:
        parts.append(_Odd(sorting.odd))
    at = np.sort(np.concatenate([part.at for part in parts]))
    return Found(ShapedLines(_Block(lines, parts), at), at, sorting.flaws, sorting.blank)


class _Sorting:
    """Sorts lines by their shapes; not done where they are of too many."""

    def __init__(self, lines: Lines, read: Callable[[bytes], dict[str, Any]]) -> None:
        self.shapes: list[tuple[Shape, NDArray[np.int64], NDArray[np.int64]]] = []
        self.odd: dict[int, dict[str, Any]] = {}
        self.flaws: dict[int, str] = {}
        self.blank: list[int] = []
        self._lines = lines
        self._read = read
        left = np.arange(len(lines.ends))
        while len(left) and not self._is_hopeless(len(left)):
            left = self._sort(left)
        self.is_done = not len(left)

    def _is_hopeless(self, left: int) -> bool:
        count = len(self._lines.ends)
        odd = len(self.odd) + len(self.flaws)
        return odd > max(ODD_LEAST, count // ODD_SHARE) or (
            len(self.shapes) >= SHAPES_FEW and 2 * left > count
        )

    def _sort(self, left: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take the first of some lines away, and those that are like it."""
        place = int(left[0])
        line = self._lines.line(place)
        if not line or line.isspace():
            self.blank.append(place)
            return left[1:]
        try:
            record = self._read(line)
        except ValueError as error:
            self.flaws[place] = str(error)
            return left[1:]
        shape = shape_of(line) if len(self.shapes) < SHAPES_MAX else None
        if shape is None:
            self.odd[place] = record
            return left[1:]
        at, places = alike(self._lines, shape, left)
        self.shapes.append((shape, at, places))
        return np.setdiff1d(left, at, assume_unique=True)


class _Part:
    """The lines of one shape in a block, `at` these places in it: the values of each slot.

    Raises ValueError where one is none.
    """

    def __init__(self, lines: Lines, shape: Shape, at: NDArray[np.int64], places: NDArray[np.int64]) -> None:
        self.shape = shape
        self.at = at
        self._slots = {slot.path: order for order, slot in enumerate(shape.slots) if slot.path is not None}
        self._data = lines.data
        self._count, self._width = len(at), 2 * len(shape.slots)
        self._arrays = {
            slot.path: places[:, self._width + 2 * order : self._width + 2 * order + 2]
            for order, slot in enumerate(shape.arrays)
        }
        offsets = np.ascontiguousarray(places[:, : self._width]).reshape(-1)
        # values and what stands between them in turn, one behind the other, in the block's own memory
        size = max(len(offsets) - 1, 0)
        buffers = (pa.py_buffer(offsets), pa.py_buffer(lines.data))
        self._pieces = pa.LargeStringArray.from_buffers(size, *buffers)
        escapes = b"\\" in lines.data
        self._values = [self._read(order, slot, escapes) for order, slot in enumerate(shape.slots)]

    def column(self, path: Path) -> pa.Array | list[Any] | None:
        """What stands at a path, a value a line; None where that is an object, or may be inside a text."""
        for size in range(1, len(path) + 1):
            above = path[:size]
            if above in self._arrays:
                return self._array(self._arrays[above]) if size == len(path) else pa.nulls(self._count)
            if above in self._slots:
                return self.values(self._slots[above]) if size == len(path) else None
            if above not in self.shape.objects:
                return pa.nulls(self._count)
        return None

    def values(self, order: int) -> pa.Array | list[Any]:
        """Those of one slot, a line each."""
        found = self._values[order]
        return self._texts(order) if found is None else found

    def _array(self, places: NDArray[np.int64]) -> list[Any]:
        texts = b",".join([self._data[start:end] for start, end in places.tolist()])
        values: list[Any] = DECODER.decode(b"[" + texts + b"]")
        return values

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


class _Odd:
    """Lines of no shape that others have, read one by one."""

    def __init__(self, records: dict[int, dict[str, Any]]) -> None:
        self.at = np.array(list(records), dtype=np.int64)
        self.records = records

    def column(self, path: Path) -> pa.Array | list[Any] | None:
        """What stands at a path, a value a line; None where it may be inside a text."""
        values = []
        for record in self.records.values():
            value: Any = record
            for name in path:
                if type(value) is str:
                    return None
                value = value.get(name) if type(value) is dict else None
            values.append(value)
        return _narrowed(values)


def _narrowed(values: list[Any]) -> pa.Array | list[Any]:
    """Values as an Arrow array where they are of one type that it keeps as it is."""
    kinds = set(map(type, values)) - {type(None)}
    kind = kinds.pop() if len(kinds) == 1 else None
    try:
        return pa.array(values, _ARROW[kind]) if kind in _ARROW else values
    except OverflowError:  # an integer of more than 64 bits
        return values


def _words(texts: pa.Array) -> pa.Array | list[Any]:
    """Numbers, true, false, null; raises ValueError where a text is none of them."""
    known = pc.is_in(texts, _NULL)
    if not pc.any(known).as_py():
        return _values(texts)
    there = pc.invert(known)
    values = _values(texts.filter(there))
    order = np.cumsum(there.to_numpy(zero_copy_only=False)) - 1
    if isinstance(values, list):
        return [
            values[at] if is_there else None for at, is_there in zip(order, there.to_pylist(), strict=True)
        ]
    return values.take(pa.array(order, mask=known.to_numpy(zero_copy_only=False)))


def _values(texts: pa.Array) -> pa.Array | list[Any]:
    """Numbers, true, false."""
    if not len(texts):
        return pa.nulls(0)
    if pc.all(pc.is_in(texts, _BOOLEANS)).as_py():
        return pc.equal(texts, _BOOLEANS[0])
    integers = pc.match_substring_regex(texts, _INTEGERS)
    if pc.all(integers).as_py():
        return pc.cast(texts, pa.int64())
    others = texts if not pc.any(integers).as_py() else texts.filter(pc.invert(integers))
    doubles = _doubles(others)
    if doubles is not None:
        return doubles if others is texts else _mixed(texts, integers, doubles)
    if not pc.all(pc.match_substring_regex(texts, _PLAIN)).as_py():
        raise ValueError("something else than one word or number, or an array of such")
    values: list[Any] = DECODER.decode("[" + ",".join(texts.to_pylist()) + "]")
    return values


def _doubles(texts: pa.Array) -> pa.Array | None:
    """Texts as doubles, where each is written as its double is; None elsewhere."""
    if pc.max(pc.binary_length(texts)).as_py() > _DECIMAL_BYTES:
        return None
    if not pc.all(pc.match_substring_regex(texts, _DECIMALS)).as_py():
        return None
    doubles = pc.cast(texts, pa.float64())
    sizes = np.abs(doubles.to_numpy())
    return doubles if ((sizes >= _DECIMAL_LEAST) | (sizes == 0)).all() else None


def _mixed(texts: pa.Array, integers: pa.Array, doubles: pa.Array) -> list[Any]:
    """Texts of which some are integers and the others these doubles."""
    values = np.empty(len(texts), dtype=object)
    is_integer = integers.to_numpy(zero_copy_only=False)
    values[is_integer] = pc.cast(texts.filter(integers), pa.int64()).to_pylist()
    values[~is_integer] = doubles.to_pylist()
    found: list[Any] = values.tolist()
    return found


def _unescaped(texts: pa.Array) -> pa.Array:
    """Texts as their escapes say; raises ValueError where one says nothing."""
    return pa.array(_TEXTS.decode('["' + '","'.join(texts.to_pylist()) + '"]'), pa.large_string())


class _Block:
    """A block of lines of few shapes, and some of none."""

    def __init__(self, lines: Lines, parts: list[_Part | _Odd]) -> None:
        self.lines = lines
        self._parts = parts

    @cached_property
    def paths(self) -> tuple[Path, ...] | None:
        """Those of all values, where every object has some."""
        found: dict[Path, None] = {}
        for part in self._parts:
            if isinstance(part, _Odd):
                return None
            paths = part.shape.paths
            above = {path[:size] for path in paths for size in range(len(path))}
            if part.shape.objects - above - {()}:
                return None
            found |= dict.fromkeys(paths)
        return tuple(found)

    def names(self, order: NDArray[np.int64]) -> tuple[str, ...]:
        """Those that some of the records have, in the order in which they come first."""
        found: dict[int, tuple[str, ...]] = {}
        for part in self._parts:
            these = part.at.tolist() if isinstance(part, _Odd) else part.at[:1].tolist()
            if len(order) < len(self.lines.ends):
                these = part.at[np.isin(part.at, order)].tolist()
            if isinstance(part, _Odd):
                found |= {line: tuple(part.records[line]) for line in these}
            elif these:
                found[these[0]] = part.shape.names
        return tuple(dict.fromkeys(name for line in sorted(found) for name in found[line]))

    def column(self, path: Path) -> pa.Array | list[Any] | None:
        """What stands at a path, a value a line; None where it takes the records to say."""
        found: list[Any] = [part.column(path) for part in self._parts]
        if any(values is None for values in found):
            return None
        if len(self._parts[0].at) == len(self.lines.ends):
            return found[0]
        pairs = [(part.at, values) for part, values in zip(self._parts, found, strict=True)]
        pairs = [(at, values) for at, values in pairs if not _is_null(values)]
        kinds = {None if isinstance(values, list) else values.type for _, values in pairs}
        if not pairs:
            return pa.nulls(len(self.lines.ends))
        if len(kinds) > 1 or None in kinds:
            return self._listed(pairs)
        order = np.full(len(self.lines.ends), -1)
        order[np.concatenate([at for at, _ in pairs])] = np.arange(sum(len(at) for at, _ in pairs))
        return pa.concat_arrays([values for _, values in pairs]).take(pa.array(order, mask=order < 0))

    def _listed(self, pairs: list[tuple[NDArray[np.int64], pa.Array | list[Any]]]) -> list[Any]:
        whole: list[Any] = [None] * len(self.lines.ends)
        for at, values in pairs:
            listed = values if isinstance(values, list) else values.to_pylist()
            for line, value in zip(at.tolist(), listed, strict=True):
                whole[line] = value
        return whole


def _is_null(values: Any) -> bool:
    return not isinstance(values, list) and bool(values.type == pa.null())


class ShapedLines(Members):
    """Some lines of a block of few shapes."""

    def __init__(self, block: _Block, order: NDArray[np.int64]) -> None:
        self._block = block
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the records have, in the order in which they come first."""
        return self._block.names(self._order)

    @property
    def paths(self) -> tuple[Path, ...] | None:
        """The paths of all values; None where an object is empty, or lines are of no shape."""
        return self._block.paths

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
        """What stands at a path, a value a record; None where it takes the records to say."""
        values = self._block.column(path)
        if values is None or len(self._order) == len(values):  # ascending, and so all of them
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
        return self._lines.line(self._order[place])
