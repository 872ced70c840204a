from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from replay.settings import ReadSettings
from replay.source import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replay.records import Chunk, Unreadable
    from replay.source import Reader


@dataclass(frozen=True)
class Reading:
    """Everything a source gave."""

    reader: Reader
    chunks: list[Chunk]

    @property
    def values(self) -> list[Any]:
        """Tuples of cells, or records, one a readable row."""
        if not self.reader.header:
            return [record for chunk in self.chunks for record in chunk.frame[0]]
        return [cells for chunk in self.chunks for cells in chunk.frame.itertuples(index=False, name=None)]

    @property
    def rows(self) -> list[int]:
        return [int(row) for chunk in self.chunks for row in chunk.rows]

    @property
    def lines(self) -> list[int]:
        return [int(line) for chunk in self.chunks for line in chunk.lines]

    @property
    def bad(self) -> list[Unreadable]:
        return [flaw for chunk in self.chunks for flaw in chunk.unreadable]

    @property
    def bad_lines(self) -> list[tuple[int, str]]:
        return [(flaw.line, flaw.rule) for flaw in self.bad]


def read_path(path: Path, **settings: Any) -> Reading:
    with open_source(Source(path.name, path), ReadSettings(**settings)) as reader:
        return Reading(reader, list(reader))


@pytest.fixture
def read() -> Callable[..., Reading]:
    return read_path


@pytest.fixture
def read_bytes(tmp_path: Path) -> Callable[..., Reading]:
    def of(name: str, data: bytes, **settings: Any) -> Reading:
        path = tmp_path / name
        path.write_bytes(data)
        return read_path(path, **settings)

    return of
