r"""The fast way for JSON Lines: lines shown to be of one shape, taken apart at their quotes.

A shape is what is left of a line when its values are taken out: names, order, spaces, brackets. Its first
line is read the exact way, so that it is one object whose names are unique. Where another line has the
same bytes in the same places, and each value between them is shown to be one text or one word or number,
that line is such an object too. Quotes tell where texts begin and end, but for those that an odd number of
backslashes stands before: these are inside a text. (A backslash outside of texts is in no shape.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from replay.source import bounds
from replay.source.encoding import is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Path = tuple[str, ...]

_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_SPACE: Final = 0x20
_QUOTE: Final = 0x22
_BACKSLASH: Final = 0x5C
_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_TOKEN: Final = re.compile(rb"\[[^\[\]{}]*\]|[\[\]{}:,]|[^\s\[\]{}:,]+")


@dataclass(frozen=True, slots=True)
class Edge:
    """A place in a line: so many bytes behind (or before) one of its marks.

    The marks of a line are the byte before it, its quotes, and its end.
    """

    mark: int
    offset: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value stands: the inside of a text, or a word or number, or an array of such.

    `path`: None inside an array that texts are in.
    """

    path: Path | None
    is_text: bool
    start: Edge
    end: Edge


@dataclass(frozen=True, slots=True)
class Shape:
    """What lines have in common.

    `quotes`: how many a line has. `slots`: its values in order. `fixed`: the bytes before, between and
    behind them, one more than slots. `arrays`: those that slots are in. `names`: those of its own members, in
    order. `objects`: the paths of the objects in it, () the line itself. `paths`: those of values and arrays.
    """

    quotes: int
    names: tuple[str, ...]
    slots: tuple[Slot, ...]
    arrays: tuple[Slot, ...]
    fixed: tuple[bytes, ...]
    objects: frozenset[Path]
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A block of whole lines: where each begins and ends (its line end left out), and where quotes stand.

    `first_quotes`: of each line, the place of its first one in `quotes`; `quotes_in`: how many it has.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    quotes: NDArray[np.int64]
    first_quotes: NDArray[np.int64]
    quotes_in: NDArray[np.int64]

    def line(self, place: int) -> bytes:
        """One of them, without its end."""
        return self.data[self.starts[place] : self.ends[place]]


def lines_of(data: bytes) -> Lines | None:
    r"""The lines of a block, or None where quotes or line ends do not tell what stands where.

    Lines end with \n or \r\n; no other control character is there, and the bytes are UTF-8.
    """
    if not data.endswith(b"\n"):
        return None
    raw = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(raw == _NEWLINE)
    ends = newlines
    returns = data.count(b"\r")
    if returns:
        ends = newlines - (raw[newlines - 1] == _RETURN)
        if newlines[0] == 0 or int((newlines - ends).sum()) != returns:
            return None
    if np.count_nonzero(raw < _SPACE) != len(newlines) + returns or not is_utf8(data):
        return None
    quotes = np.flatnonzero(raw == _QUOTE)
    if b'\\"' in data:
        quotes = quotes[~_is_escaped(raw, quotes)]
    starts = np.concatenate(([0], newlines[:-1] + 1))
    first_quotes = np.searchsorted(quotes, starts)
    return Lines(data, starts, ends, quotes, first_quotes, np.diff(first_quotes, append=len(quotes)))


def _is_escaped(raw: NDArray[np.uint8], quotes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether an odd number of backslashes stands before each quote."""
    escaped = raw[quotes - 1] == _BACKSLASH
    backslashes = np.flatnonzero(raw == _BACKSLASH)
    begins = np.diff(backslashes, prepend=-2) != 1
    firsts = np.maximum.accumulate(np.where(begins, backslashes, 0))  # of a run of them
    last = np.searchsorted(backslashes, quotes[escaped] - 1)
    escaped[escaped] = (quotes[escaped] - firsts[last]) % 2 == 1
    return np.asarray(escaped)


def shape_of(line: bytes) -> Shape | None:
    """The shape of a line that is known to be one object; None where its values are not told apart."""
    marks = [mark for match in _TEXT.finditer(line) for mark in (match.start(), match.end() - 1)]
    cuts = [-1, *marks, len(line)]
    pieces = [line[start + 1 : stop] for start, stop in pairwise(cuts)]
    walk = _Walk()
    for mark, piece in enumerate(pieces):
        if mark % 2 == 0:
            if not walk.between(mark, piece):
                return None
        elif pieces[mark + 1].lstrip().startswith(b":"):
            walk.meet(msgspec.json.decode(b'"' + piece + b'"', type=str))
        else:
            walk.add(Edge(mark, 1), Edge(mark + 1, 0), is_text=True)
    edges = _edges_of(walk.slots)
    places = [0, *(cuts[edge.mark] + edge.offset for edge in edges), len(line)]
    fixed = tuple(line[places[at] : places[at + 1]] for at in range(0, len(places), 2))
    return Shape(
        quotes=len(marks),
        names=tuple(walk.names),
        slots=tuple(walk.slots),
        arrays=tuple(walk.arrays),
        fixed=fixed,
        objects=frozenset(walk.objects),
        paths=tuple(walk.paths),
    )


class _Walk:
    """A way through a line: the objects and arrays it is in, the last name, the values so far."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.slots: list[Slot] = []
        self.arrays: list[Slot] = []
        self.objects: set[Path] = set()
        self.paths: list[Path] = []
        self._inside: list[Path | None] = []  # None: an array, or anything in one
        self._name = ""

    def meet(self, name: str) -> None:
        """Take in the name of a member."""
        self._name = name
        if len(self._inside) == 1:
            self.names.append(name)

    def add(self, start: Edge, end: Edge, *, is_text: bool) -> None:
        """Take in a value."""
        self.slots.append(Slot(self._value(), is_text, start, end))

    def _here(self) -> Path | None:
        """The path of what comes next."""
        above = self._inside[-1] if self._inside else None
        return None if above is None else (*above, self._name)

    def _value(self) -> Path | None:
        path = self._here()
        if path is not None:
            self.paths.append(path)
        return path

    def between(self, mark: int, piece: bytes) -> bool:
        """Go over what stands outside quotes; False where it holds two words or numbers, or one too deep."""
        count = len(self.slots)
        for match in _TOKEN.finditer(piece):
            token, start = match[0], Edge(mark, 1 + match.start())
            end = Edge(mark + 1, match.end() - len(piece))
            if token == b"{":
                self._open()
            elif token == b"[":
                self._open_array(start)
            elif token in (b"}", b"]"):
                self._close(end)
            elif token not in (b":", b","):
                self.add(start, end, is_text=False)
                if len(self._inside) >= bounds.DEPTH:  # elsewhere it may be an array
                    return False
        return len(self.slots) - count < 2

    def _open(self) -> None:
        path = self._here() if self._inside else ()
        if path is not None:
            self.objects.add(path)
        self._inside.append(path)

    def _open_array(self, start: Edge) -> None:
        path = self._value()
        if path is not None:
            self.arrays.append(Slot(path, is_text=False, start=start, end=start))
        self._inside.append(None)

    def _close(self, end: Edge) -> None:
        self._inside.pop()
        if self.arrays and self._inside and self._inside[-1] is not None and self._is_open:
            self.arrays[-1] = replace(self.arrays[-1], end=end)

    @property
    def _is_open(self) -> bool:
        return self.arrays[-1].start == self.arrays[-1].end


def alike(
    lines: Lines, shape: Shape, among: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of some lines have this shape, and where each of their values and arrays begins and ends.

    Two columns of places a slot, then two an array. Words and numbers are only shown to be more than nothing.
    """
    among = among[lines.quotes_in[among] == shape.quotes]
    found = _edges(lines, shape, among)
    holds = np.ones(len(among), dtype=np.bool_)
    for at, fixed in enumerate(shape.fixed):
        holds &= found[:, 2 * at + 1] - found[:, 2 * at] == len(fixed)
    for at, slot in enumerate(shape.slots):
        if not slot.is_text:
            holds &= found[:, 2 * at + 1] < found[:, 2 * at + 2]
    among, found = _those(holds, among, found)
    holds = np.ones(len(among), dtype=np.bool_)
    for at, fixed in enumerate(shape.fixed):
        holds &= _are(lines.data, found[:, 2 * at], fixed)
    among, found = _those(holds, among, found)
    if not shape.arrays:
        return among, found[:, 1:-1]
    return among, np.delete(found, [0, 2 * len(shape.slots) + 1], axis=1)


def _edges_of(slots: Iterable[Slot]) -> list[Edge]:
    return [edge for slot in slots for edge in (slot.start, slot.end)]


def _those(
    holds: NDArray[np.bool_], among: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return (among, found) if holds.all() else (among[holds], found[holds])


def _edges(lines: Lines, shape: Shape, among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where everything fixed in some lines would begin and end, if they are of this shape."""
    starts, ends = lines.starts[among], lines.ends[among]
    if len(among) * shape.quotes == len(lines.quotes):  # all that there are
        quotes = lines.quotes.reshape(len(among), shape.quotes)
    else:
        quotes = lines.quotes[lines.first_quotes[among][:, None] + np.arange(shape.quotes)]
    marks = [starts - 1, *quotes.T, ends]
    begin, end = Edge(0, 1), Edge(len(marks) - 1, 0)
    edges = [begin, *_edges_of(shape.slots), end, *_edges_of(shape.arrays)]
    found = np.empty((len(among), len(edges)), dtype=np.int64)
    for at, edge in enumerate(edges):
        np.add(marks[edge.mark], edge.offset, out=found[:, at])
    return found


def _are(data: bytes, starts: NDArray[np.int64], fixed: bytes) -> NDArray[np.bool_]:
    """Where these bytes stand, of some places in a block that holds no NUL."""
    if not fixed:
        return np.ones(len(starts), dtype=np.bool_)
    size = len(fixed)
    anywhere = np.ndarray((len(data) - size + 1,), dtype=f"S{size}", buffer=data, strides=(1,))
    return np.asarray(anywhere[starts] == fixed)
