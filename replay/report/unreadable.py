"""The records that could not be read, as they stand in their source."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from replay.report.folder import PART, PrivateFile, in_words

if TYPE_CHECKING:
    from pathlib import Path

    from replay.records import Unreadable


class UnreadableFile:
    """`unreadable.jsonl`, a `.part` while its run lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(path.name + PART)
        self._file: PrivateFile | None = None

    def append(self, source: str, record: Unreadable) -> None:
        """Add a record; it is with the operating system when this returns."""
        with in_words(self._part):
            if self._file is None:
                self._file = PrivateFile(self._part)
            self._file.write(line_of(source, record))

    def close(self) -> None:
        """Close the `.part` as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(self) -> Path | None:
        """Give the file its name; None if there is no record in it."""
        self.close()
        with in_words(self.path):
            if self._part.exists():
                self._part.replace(self.path)
            return self.path if self.path.exists() else None


def line_of(source: str, record: Unreadable) -> bytes:
    """One record as a line of JSON: `raw` where it is text, else `raw_base64`."""
    line: dict[str, object] = {
        "source": source,
        "row": record.row,
        "line": record.line,
        "reason": record.reason,
    }
    try:
        line["raw"] = record.raw.decode()
    except UnicodeDecodeError:
        line["raw_base64"] = base64.b64encode(record.raw).decode()
    return msgspec.json.encode(line) + b"\n"
