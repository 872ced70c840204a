"""Records gathered one by one, each with its line, and handed on in stretches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from replay.source import bounds
from replay.source.jsonl import read_record
from replay.source.stretch import Stretch, unreadable

if TYPE_CHECKING:
    from replay.records import Unreadable


class Gathering:
    """Counts rows, and judges each record as a line of JSON Lines is judged."""

    def __init__(self) -> None:
        self.row = 1
        self._values: list[dict[str, Any]] = []
        self._raw: list[bytes] = []
        self._places: list[tuple[int, int]] = []
        self._flaws: list[Unreadable] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether a stretch is due."""
        rows = len(self._values) + len(self._flaws)
        return rows >= bounds.RECORD_ROWS or self._bytes >= bounds.GATHERED_BYTES

    def add(self, raw: bytes, line: int) -> None:
        """Add a record as it is written."""
        try:
            value = read_record(raw)
        except ValueError as error:
            self.add_flaw(str(error), raw, line)
            return
        self._values.append(value)
        self._raw.append(_on_one_line(raw))
        self._places.append((self.row, line))
        self._bytes += len(raw)
        self.row += 1

    def add_flaw(self, reason: str, raw: bytes, line: int) -> None:
        """Count a row that cannot be read."""
        self._flaws.append(unreadable(self.row, line, reason, raw))
        self.row += 1

    def stretch(self) -> Stretch:
        """What was gathered since the last one."""
        rows, lines = np.array(self._places, np.int64).reshape(-1, 2).T
        frame = pd.DataFrame({0: pd.Series(self._values, dtype=object)})
        stretch = Stretch(frame, rows, lines, self._flaws, self._raw)
        self._values, self._raw, self._places, self._flaws, self._bytes = [], [], [], [], 0
        return stretch


def _on_one_line(raw: bytes) -> bytes:
    """The same record on one line; a line end in it can only stand between values."""
    return msgspec.json.format(raw, indent=-1) if b"\n" in raw or b"\r" in raw else raw
