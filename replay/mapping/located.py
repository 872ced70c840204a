"""Owns what a mapping's words have become once they are fitted to a source: places in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.mapping.fields import TypeName
    from replay.mapping.figures import Figures
    from replay.mapping.stars import PartKind
    from replay.mapping.timing import Time
    from replay.records import Target


@dataclass(frozen=True, slots=True)
class Located:
    """A column found in a source.

    `text` is as the mapping writes it, `owner` the table's column or the record's top-level member,
    `column` its label in a table's frame, `path` the names below a JSON cell, or all of a record's.
    """

    source: str
    text: str
    owner: str
    column: int | None = None
    path: tuple[str, ...] = ()
    type: TypeName | None = None
    default: Any = None
    format: Figures | None = None
    trim: bool = False
    lower: bool = False

    @property
    def whole_path(self) -> tuple[str, ...]:
        """All names from the row down to the value."""
        return (self.owner, *self.path) if self.column is not None else self.path


@dataclass(frozen=True, slots=True)
class JoinPlaces:
    """Several columns found in a source, to be joined."""

    places: tuple[Located, ...]
    between: str


@dataclass(frozen=True, slots=True)
class TimeBound:
    """The original time, found in a source."""

    located: Located
    time: Time


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on a column found in a source."""

    located: Located
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Many:
    """One source of many values, found.

    `columns` are those of a table that `rest` stands for; else `place` is where the object or the array
    stands, None for a record itself. `left_out` are the names that are not taken, `named` those that
    something else names. A name that must be left out and never came is in `missing`, by what stands in
    `watched`.
    """

    kind: PartKind
    place: Located | None = None
    columns: tuple[Located, ...] = ()
    left_out: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    type: TypeName | None = None
    missing: dict[str, str] = field(default_factory=dict)
    watched: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StarBound:
    """Everything behind one `"*"`: `owner` is the object that takes it; the first part wins."""

    owner: Target
    parts: tuple[Many, ...]
