"""A file that grows as a `.part` while its run lives, and gets its name once it is whole."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from replay.report.folder import PART, PrivateFile, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


EDITED: Final = re.compile(r"\.edited(-[0-9]+)?$")
"""How the name of a file ends that a person edited, and that was set aside."""


class PartFile:
    """One such file; `head` is what it begins with. A run that goes on adds to what an earlier leg left."""

    def __init__(self, path: Path, head: bytes = b"") -> None:
        self.path = path
        self._head = head
        self._part = path.with_name(path.name + PART)
        self._file: PrivateFile | None = None

    @property
    def paths(self) -> tuple[Path, Path]:
        """The file's name, and that of the `.part`."""
        return self.path, self._part

    @property
    def exists(self) -> bool:
        """Whether there is anything of it on the disk."""
        return self.path.exists() or self._part.exists()

    def append(self, content: bytes) -> None:
        """Add to the `.part`; it is with the operating system when this returns."""
        with in_words(self._part):
            if self._file is None:
                self._file = self._opened()
            self._file.write(content)

    def close(self) -> None:
        """Close the `.part` as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def keep(self) -> Path | None:
        """Give the `.part` the file's name as it is; None if there is no file."""
        self.close()
        with in_words(self.path):
            if self._part.exists():
                self._part.replace(self.path)
            return self.path if self.path.exists() else None

    def finish(self, pieces: Iterable[bytes]) -> Path | None:
        """Write the file whole; None, and no file, if there is nothing for it.

        Where that fails everything stays as it is.
        """
        self.close()
        pieces = iter(pieces)
        first = next(pieces, None)
        with in_words(self.path):
            if first is None:
                self.path.unlink(missing_ok=True)
            else:
                self._replace(chain([self._head, first], pieces))
            self._part.unlink(missing_ok=True)
        return None if first is None else self.path

    def set_aside(self, path: Path) -> Path:
        """Give one of its files the first free name: NAME.edited, NAME.edited-2 and so on."""
        number, aside = 1, self.path.with_name(f"{self.path.name}.edited")
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{self.path.name}.edited-{number}")
        with in_words(aside):
            path.rename(aside)
        return aside

    def _replace(self, pieces: Iterable[bytes]) -> None:
        """Put the whole file, safe on the disk, in the place of the old one."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        whole = self.path.with_name(f".{self.path.name}.tmp")
        try:
            with PrivateFile(whole) as file:
                for piece in pieces:
                    file.write(piece)
                file.sync()
            whole.replace(self.path)
        finally:
            whole.unlink(missing_ok=True)

    def _opened(self) -> PrivateFile:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        if self.path.exists():
            self.path.replace(self._part)
        if self._part.exists():
            return PrivateFile(self._part, goes_on=True)
        file = PrivateFile(self._part)
        file.write(self._head)
        return file
