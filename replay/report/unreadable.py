"""The records that could not be read, as they stand in their source."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from replay.report.parts import PartFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from replay.records import Unreadable


class UnreadableFile:
    """`unreadable.jsonl`: while its run lives records are appended to a `.part`, as they come."""

    def __init__(self, path: Path) -> None:
        self._file = PartFile(path)
        self.close = self._file.close
        self.keep = self._file.keep

    @property
    def exists(self) -> bool:
        """Whether any record was written, in this leg of the run or in an earlier one."""
        return self._file.exists

    @property
    def left_before(self) -> list[Path]:
        """The files that there are."""
        return [path for path in self._file.paths if path.exists()]

    def set_aside(self, path: Path) -> Path:
        """Keep a file that a person edited as unreadable.jsonl.edited (`.edited-2`…)."""
        return self._file.set_aside(path)

    def append(self, source: str, record: Unreadable) -> None:
        """Add a record; it is with the operating system when this returns."""
        self._file.append(line_of(source, record))

    def finish(self, records: Iterable[tuple[str, Unreadable]]) -> Path | None:
        """Write the file whole from records and their sources; None if there is no record."""
        return self._file.finish(line_of(source, record) for source, record in records)


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
