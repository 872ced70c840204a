"""Our notes on a failed row: which row it was, and what became of it. Written beside the data, never data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from replay.records import CARRIED, Chunk, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMBERS: Final = ("id", "row", "run", "outcome", "status", "attempts", "reason")
COLUMNS: Final = tuple(f"{CARRIED}_{member}" for member in MEMBERS)
ID_COLUMN: Final = f"{CARRIED}_id"
RUN_COLUMN: Final = f"{CARRIED}_run"
_ID: Final = re.compile(r"(\S+)-([1-9][0-9]{0,14})")
_ROW: Final = re.compile(r"([0-9]{1,15})(?:\.0+)?")  # spreadsheets and pandas write 12 as 12.0
_AROUND_ID: Final = " \t\r\n\v\f\u00a0\u200b\ufeff\"'="  # blanks, and what spreadsheets put around texts
_CARRIED_BY: Final = tuple(zip(MEMBERS, COLUMNS, strict=True))


@dataclass(frozen=True, slots=True)
class Note:
    """A row's first name (`id`, `row`: those of the source it first came from) and its result.

    `run`: the run that writes the note.
    """

    id: str
    row: int
    result: Result
    run: str = ""

    def cells(self) -> list[str]:
        """The note as the cells of COLUMNS."""
        return ["" if value is None else str(value) for value in self.member().values()]

    def member(self) -> dict[str, str | int | None]:
        """The note as the member of a JSON record."""
        result = self.result
        return {
            "id": self.id,
            "row": self.row,
            "run": self.run,
            "outcome": result.outcome.value,
            "status": result.status,
            "attempts": result.attempts,
            "reason": result.reason,
        }


Notes = dict[int, Note]
"""The notes on some rows of a chunk, by their place in it, ascending."""


def carried_notes(chunk: Chunk, places: Sequence[int]) -> list[dict[str, str]]:
    """The notes that rows of a chunk carry, one a place; {} where a row carries none."""
    if chunk.kind == "records":
        if chunk.members is not None and CARRIED not in chunk.members.names:
            return [{} for _ in places]
        return [_texts(chunk.record(place).get(CARRIED)) for place in places]
    columns = {member: chunk.header.index(name) for member, name in _CARRIED_BY if name in chunk.header}
    if not columns:
        return [{} for _ in places]
    rows = chunk.frame.iloc[list(places), list(columns.values())].to_numpy(dtype=object).tolist()
    return [{member: cell for member, cell in zip(columns, row, strict=True) if cell} for row in rows]


def carries_notes(chunk: Chunk) -> bool:
    """Whether rows of this chunk may carry notes."""
    if chunk.members is not None:
        return CARRIED in chunk.members.names
    if chunk.kind == "records":
        return any(CARRIED in record for record in chunk.frame[0].tolist())
    return any(name in chunk.header for name in COLUMNS)


def misnamed_columns(header: Sequence[str]) -> list[str]:
    """Columns of notes whose names are written in other letter case or with blanks: they would be data."""
    return [name for name in header if name not in COLUMNS and name.strip().casefold() in COLUMNS]


def tidy_id(text: str) -> str:
    """An id without what people and spreadsheets add to it: capitals, blanks and quotes around it."""
    return text.strip(_AROUND_ID).lower()


def parse_id(text: str) -> tuple[str, int] | None:
    """The name of the content and the row that an id speaks of; None where it is none."""
    match = _ID.fullmatch(tidy_id(text))
    return None if match is None else (match[1], int(match[2]))


def flaw_of(note: dict[str, str]) -> str | None:
    """Why a note does not say which row it belongs to; None where it does."""
    if not note.get("id", "").strip():
        return f"has no {ID_COLUMN}"
    named = parse_id(note["id"])
    if named is None:
        return f"{ID_COLUMN} is {note['id']!r}, which is not an id"
    row = note.get("row", "").strip()
    match = _ROW.fullmatch(row)
    if row and (match is None or int(match[1]) != named[1]):
        return f"{CARRIED}_row is {row!r}, but {ID_COLUMN} is {note['id']!r}"
    return None


def uid_of(name: str) -> str:
    """The name of the content that a row's id speaks of."""
    return name.rpartition("-")[0]


def _texts(member: Any) -> dict[str, str]:
    if not isinstance(member, dict):
        return {}
    return {name: str(value) for name, value in member.items() if name in MEMBERS and value is not None}


def first_name(note: dict[str, str], uid: str, row: int) -> tuple[str, int]:
    """A row's `id` and `row`: what its id says, else of this source's `uid` and its number here."""
    if (named := parse_id(note.get("id", ""))) is not None:
        return tidy_id(note["id"]), named[1]
    return f"{uid}-{row}", row


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a failed file are sent again: by outcome or status."""

    wanted: frozenset[str]

    def takes(self, note: dict[str, str]) -> bool:
        """Whether a row with this note is wanted; one whose outcome was removed is, the ledger knows it."""
        outcome = note.get("outcome", "").strip().lower()
        status = note.get("status", "").strip().removesuffix(".0")
        return not outcome or outcome in self.wanted or status in self.wanted


RESENT: Final = Selection(frozenset({Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.INVALID}))
"""What a resend takes unless told otherwise; never the ambiguous ones."""
