"""Which entries of an archive are data: their names in one form, and what is refused by name."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from replay.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zipfile import ZipInfo

_DRIVE: Final = re.compile(r"[A-Za-z]:")
_UNIX: Final = 3  # the system whose modes an archive keeps
_SYSTEM_FOLDER: Final = "__MACOSX"


@dataclass(frozen=True, slots=True)
class Named:
    """What an entry is by its name, and that name in the one form that it is shown and sorted by."""

    name: str
    kind: Literal["file", "folder", "hidden"]


def named(archive: str, name: str, mode: int = 0) -> Named:
    r"""Judge one entry by its name: `./a`, `a//b` and `a\b` are other spellings of `a` and `a/b`.

    `mode`: its Unix mode, 0 if unknown. Raises SourceError for an entry that is no file of the archive's
    own folder, such as `../a`, `/a`, `C:/a` or a symbolic link.
    """
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    plain = "/".join(parts)
    if slashed.startswith("/") or ".." in parts or "\0" in name or (parts and _DRIVE.match(parts[0])):
        raise refused(archive, name, "has a path that leads out of the archive")
    if _SYSTEM_FOLDER in parts or any(part.startswith(".") for part in parts):
        return Named(plain, "hidden")
    if stat.S_ISLNK(mode):
        raise refused(archive, name, "is a symbolic link, not a file")
    is_folder = not parts or slashed.endswith("/") or stat.S_ISDIR(mode)
    return Named(plain, "folder" if is_folder else "file")


def data_entries(archive: str, infos: Iterable[ZipInfo]) -> dict[str, ZipInfo]:
    """The entries that are data, by name. Raises SourceError where two have one name."""
    found: dict[str, ZipInfo] = {}
    for info in infos:
        name = info.orig_filename if "\0" in info.orig_filename else info.filename  # which is cut there
        mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
        one = named(archive, name, mode)
        if one.kind == "folder" and info.file_size:
            raise full_folder(archive, name)
        if one.kind != "file":
            continue
        if one.name in found:
            raise refused(archive, one.name, "is there twice")
        found[one.name] = info
    return found


def refuse_overlaps(archive: str, spans: Iterable[tuple[int, int, str]]) -> None:
    """Refuse entries that share bytes: in that way a small archive stands for any amount of data.

    `spans`: where each entry's header begins, where its packed bytes end, and its name.
    """
    for (_, end, first), (begin, _, second) in pairwise(sorted(spans)):
        if begin < end:
            raise SourceError(
                f"{archive}: refused: {first} and {second} in it share the same bytes, so that it unpacks to "
                "more than it holds. Pack the files again."
            )


def full_folder(archive: str, name: str) -> SourceError:
    """The refusal of an entry that is a folder, and yet holds data."""
    return refused(archive, name, "is a folder that holds data itself")


def refused(archive: str, name: str, reason: str) -> SourceError:
    """The refusal of one entry."""
    return SourceError(f"{archive}: {name!r} in it {reason}: unpack it, and name the files that are data.")
