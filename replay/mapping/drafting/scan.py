"""Owns the looking at data: chunk after chunk, what each column or member holds."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from replay.errors import MappingError
from replay.mapping import columns
from replay.mapping.drafting.evidence import Evidence
from replay.records import CARRIED

if TYPE_CHECKING:
    from replay.records import Chunk

DEPTH: Final = 4  # objects inside one another whose members are looked at one by one
MEMBERS_MAX: Final = 2_000  # different members kept apart

Path = tuple[str, ...]


class Scan:
    """What is known of some sources after looking at their rows.

    `evidence` by column or path, in the order in which they come; `sources` counts those looked at,
    `seen_in` how many of them have a column; `unusable` are columns that no mapping can name.
    """

    def __init__(self) -> None:
        self.kind = "table"
        self.rows = 0
        self.unreadable = 0
        self.sources = 0
        self.evidence: dict[Path, Evidence] = {}
        self.seen_in: defaultdict[Path, int] = defaultdict(int)
        self.unusable: dict[str, str] = {}

    def begin(self, kind: str, header: tuple[str, ...]) -> None:
        """Turn to another source; `header` of records is empty. MappingError for one of another kind."""
        if self.sources and kind != self.kind:
            raise MappingError(
                "Some of the sources are tables and some are JSON records, and one mapping cannot fit both. "
                "Draft one for each kind."
            )
        self.kind = kind
        self.sources += 1
        for place, name in enumerate(header, 1):
            if name == "":
                self.unusable[f"column {place}"] = "it has no name"
            elif header.count(name) > 1:
                self.unusable[name] = f"{header.count(name)} columns have this name"
            elif not name.startswith(CARRIED):
                self.evidence.setdefault((name,), Evidence())
                self.seen_in[name,] += 1

    def add(self, chunk: Chunk) -> None:
        """Look at the rows of a chunk."""
        self.rows += len(chunk)
        self.unreadable += len(chunk.unreadable)
        if chunk.kind == "records":
            self._add_records(chunk.frame[0].tolist())
            return
        for place, name in enumerate(chunk.header):
            if (name,) in self.evidence and name not in self.unusable:
                cells = columns.present(chunk.frame[place], len(chunk))
                look(self.evidence[name,], cells)

    def _add_records(self, records: list[Any]) -> None:
        gathered: defaultdict[Path, list[Any]] = defaultdict(list)
        for record in records:
            if type(record) is dict:
                _gather(record, (), gathered)
        for path, values in gathered.items():
            if path not in self.evidence and len(self.evidence) >= MEMBERS_MAX:
                self.unusable["further members"] = f"there are more than {MEMBERS_MAX:,} different ones"
                continue
            look(self.evidence.setdefault(path, Evidence()), values)


def look(evidence: Evidence, values: Any) -> None:
    """Count values, of a column or a list; none of them is absent."""
    if not isinstance(values, list) and columns.is_text(values):
        evidence.add_texts(columns.texts(values))
        return
    values = values if isinstance(values, list) else values.tolist()
    for value in values:
        if type(value) is not str:
            evidence.add_value(value)
    evidence.add_texts(pa.array([value for value in values if type(value) is str], pa.large_string()))


def _gather(record: dict[str, Any], owner: Path, gathered: defaultdict[Path, list[Any]]) -> None:
    """Add every value inside a record to those at its path; what is absent shows that the member exists."""
    for name, value in record.items():
        if not owner and name.startswith(CARRIED):
            continue
        path = (*owner, name)
        if type(value) is dict and value and len(path) < DEPTH:
            _gather(value, path, gathered)
        elif not columns.is_absent(value) and value not in ({}, []):
            gathered[path].append(value)
        else:
            gathered.setdefault(path, [])
