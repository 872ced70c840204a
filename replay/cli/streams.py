"""The standard streams: what a closed, full or broken one means to a command.

A closed stream counts as /dev/null. Messages that cannot be written are dropped: no run stops for them.
Data that cannot be written ends the command with an error.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from replay.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

_STANDARD: Final = (0, 1, 2)


class ReaderGoneError(Exception):
    """The process that read standard output has ended."""


def open_closed_descriptors() -> None:
    """Put /dev/null where a standard descriptor is closed: a file of the run would get its number."""
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let a command use the standard streams, whatever state they are in."""
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = sys.stdin or _null("r")
    sys.stdout = cast("TextIO", _Data(_every_character(sys.stdout or _null("w"))))
    sys.stderr = cast("TextIO", _Messages(sys.stderr or _null("w")))
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def _null(mode: str) -> TextIO:
    return cast("TextIO", open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123 (lives on)


def _every_character(stream: TextIO) -> TextIO:
    """What the terminal's encoding does not have is escaped, and is no error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


class _Stream:
    """A text stream, apart from what happens when it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _discard(self) -> None:
        """Let what is still buffered go to /dev/null, so that the interpreter can end."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)


class _Messages(_Stream):
    """Standard error."""

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._discard()


class _Data(_Stream):
    """Standard output; once it has failed, it fails each time."""

    _fault: Exception | None = None

    def write(self, text: str) -> int:
        with self._in_words():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._in_words():
            self._stream.flush()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        if self._fault is not None:
            raise self._fault
        try:
            yield
        except OSError as error:
            self._discard()
            self._fault = _fault_of(error)
            raise self._fault from error


def _fault_of(error: OSError) -> Exception:
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError()
    return StorageError(
        f"Standard output cannot be written: {error.strerror or error}. Print to another place. "
        "Rows that were sent stay sent: `replay runs` shows the runs."
    )
