"""JSON documents: arrays of records, or pages that hold such an array; one in a file, or several.

Nothing is held but the record at hand, so a document may be longer than the memory. What is between the
records must be JSON as far as it takes to tell them apart; a record is judged as a line of JSON Lines is.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import msgspec

from replay.errors import SourceError
from replay.source.gathering import Gathering
from replay.source.scan import ENDS_EARLY, BrokenJsonError, Scan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from replay.source.stretch import Stretch


class Documents:
    """Reads the records of a stream of JSON documents.

    `path`: the members that lead to the array in each; empty where each is an array itself. `rest`: the
    beginning of what could not be read at the end, because of `reason`; None where there is nothing such.
    `whole_bytes`: bytes of text up to the end of the last record whose end was found.
    """

    def __init__(self, name: str, path: tuple[str, ...]) -> None:
        self.rest: bytes | None = None
        self.reason = ""
        self.whole_bytes = 0
        self._name = name
        self._path = path
        self._gathering = Gathering()
        self._line = 1

    def read(self, pieces: Iterator[bytes]) -> Iterator[Stretch]:
        """Read to the end, a stretch of records at a time. Raises SourceError for other documents."""
        scan = Scan(pieces)
        try:
            for _ in self._documents(scan):
                if self._gathering.is_full:
                    yield self._gathering.stretch()
        except BrokenJsonError as error:
            self.rest, self.reason = scan.ahead, str(error)
        self._line = scan.line
        yield self._gathering.stretch()
        scan.drain()

    def lost(self, reason: str, raw: bytes) -> Stretch:
        """Count one row that is not read, where reading ended."""
        self._gathering.add_flaw(reason, raw, self._line)
        return self._gathering.stretch()

    def _documents(self, scan: Scan) -> Iterator[None]:
        number = 0
        while scan.peek():
            number += 1
            line, ahead = scan.line, scan.ahead
            names: list[str] = []
            found = yield from self._within(scan, self._path, names)
            if not found and number == 1:
                raise SourceError(self._nothing_found(names))
            if not found:
                self._gathering.add_flaw(f"document {number} has no array of records", ahead, line)
                yield

    def _within(self, scan: Scan, path: tuple[str, ...], names: list[str]) -> Generator[None, None, bool]:
        """Go over a value and gather the records in it; whether there is an array where the path leads."""
        first = scan.peek()
        if not path and first == "[":
            yield from self._records(scan)
            return True
        if not path and scan.value() == b"null":
            return bool(self._path)  # a page without records
        if path and first == "{":
            return (yield from self._member(scan, path, names))
        if path:
            scan.value()
        return False

    def _member(self, scan: Scan, path: tuple[str, ...], names: list[str]) -> Generator[None, None, bool]:
        """Go over an object, and into the member that the path names."""
        found, seen = False, False
        scan.expect("{")
        if scan.take("}"):
            return False
        while True:
            name = _name(scan)
            names.append(name)
            if name != path[0]:
                scan.value()
            elif seen:
                raise BrokenJsonError(f"the name {name!r} comes twice in one object")
            else:
                seen = True
                found = yield from self._within(scan, path[1:], [])
            if scan.take("}"):
                return found
            scan.expect(",")

    def _records(self, scan: Scan) -> Iterator[None]:
        scan.expect("[")
        if scan.take("]"):
            return
        while True:
            if scan.peek() == "]":
                self._gathering.add_flaw("nothing follows the comma before it", b"]", scan.line)
            elif scan.peek():
                line = scan.line
                self._gathering.add(scan.value(), line)
                self.whole_bytes = scan.offset
            yield
            if scan.take("]"):
                return
            scan.expect(",")

    def _nothing_found(self, names: list[str]) -> str:
        """What to say where the first document is not what it should be."""
        if not self._path:
            return (
                f"{self._name}: a JSON document that is no array. If its records are in an array inside it, "
                "name that with --records PATH; if each line is a record, it is of --format jsonl."
            )
        known = list(dict.fromkeys(names))
        near = difflib.get_close_matches(self._path[0], known, n=1) or known[:5]
        has = f" It has: {', '.join(near)}." if near else ""
        return f"{self._name}: --records {'.'.join(self._path)}: the first document has no array there.{has}"


def _name(scan: Scan) -> str:
    """Go over a member's name and the colon after it."""
    if scan.peek() != '"':
        raise BrokenJsonError("a member without a name" if scan.peek() else ENDS_EARLY)
    try:
        name = msgspec.json.decode(scan.value(), type=str)
    except ValueError as error:
        raise BrokenJsonError("a member's name is no text") from error
    scan.expect(":")
    scan.peek()
    return name
