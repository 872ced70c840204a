"""Which files are meant by what was typed: files, globs, folders and standard input, in the order typed."""

from __future__ import annotations

import difflib
import glob
import os
import re
import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from replay.errors import StorageError, UsageError
from replay.source.opening import reading
from replay.source.remote import fetch, shown_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replay.settings import ReadSettings

_DATA: Final = re.compile(
    r"\.(csv|tsv|jsonl|ndjson|json|parquet)(\.(gz|bz2|xz|zst|zip))?$|\.zip$", re.IGNORECASE
)
_DIGITS: Final = re.compile(r"([0-9]+)")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]")
STDIN: Final = "-"
NAME_BYTES: Final = 255  # what file systems take as one name


@dataclass(frozen=True, slots=True)
class Source:
    """One place rows come from.

    `name`: as it is shown, the path as typed or found; `path`: None for standard input, and for what is at
    an `address`, until that is stored. An address may hold secrets. `hosts`: others that it redirected to.
    """

    name: str
    path: Path | None
    address: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()


def find(names: Sequence[str], settings: ReadSettings) -> list[Source]:
    """The sources that these names stand for, in the order typed, each file once.

    Raises UsageError for a name that stands for nothing, SourceError where a folder cannot be looked into.
    """
    found: dict[str, Source] = {}
    for name in names:
        with reading(name):
            for source in _expand(name, settings):
                key = source.address or (STDIN if source.path is None else str(source.path.resolve()))
                found.setdefault(key, source)
    return list(found.values())


def store(source: Source, folder: Path, number: int = 0, stream: BinaryIO | None = None) -> Source:
    """A source that is no file yet, as a copy in `folder`; any other as it is.

    `number` tells copies of one name apart. Raises StorageError where a copy cannot be written, SourceError
    where what is copied cannot be had whole.
    """
    if source.path is not None:
        return source
    if source.address is None:
        return spool(source, folder, stream)
    last = _NOT_PLAIN.sub("_", source.name.rpartition("/")[2])[-100:]
    path = folder / "fetched" / f"{number}-{last}"
    return replace(source, path=path, hosts=fetch(source.name, source.address, path))


def spool(source: Source, folder: Path, stream: BinaryIO | None = None) -> Source:
    """Copy standard input into `folder`/stdin, readable by its owner alone, and give that as a source.

    Raises StorageError where it cannot be written, SourceError where the input breaks off.
    """
    path = folder / "stdin"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as copy:  # noqa: PTH123 (a descriptor, so that the mode holds from the start)
            shutil.copyfileobj(_Input(stream or sys.stdin.buffer, source.name), copy)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError as error:
        raise StorageError(
            f"{path}: standard input could not be kept ({error.strerror or error}). "
            "Make room there and start again."
        ) from error
    return Source(source.name, path)


class _Input:
    """Standard input, whose own failure is the source's and not the disk's."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def read(self, size: int = -1, /) -> bytes:
        with reading(self._name):
            return self._stream.read(size)


def natural(text: str) -> list[tuple[int, int, str]]:
    """What to sort names by, so that part-2 comes before part-10."""
    parts = _DIGITS.split(text)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _expand(name: str, settings: ReadSettings) -> Iterator[Source]:
    if name == STDIN:
        yield _standard_input(settings)
    elif "://" in name:
        yield Source(shown_address(name), None, name)
    elif len(os.fsencode(Path(name).name)) > NAME_BYTES:
        raise UsageError(f"{name[:60]}…: no such file; no name of a file is that long.")
    elif Path(name).is_dir():
        yield from _in_folder(Path(name))
    elif Path(name).exists():
        yield _file(Path(name))
    elif glob.has_magic(name):
        yield from _in_glob(name)
    else:
        raise UsageError(f"{name}: no such file.{_near(Path(name))}")


def _standard_input(settings: ReadSettings) -> Source:
    if settings.format is None:
        raise UsageError(
            "-: standard input has no name that tells its format. "
            "Add --format csv, tsv, jsonl, json or parquet."
        )
    return Source("stdin", None)


def _file(path: Path) -> Source:
    if not path.is_file():
        raise UsageError(
            f"{path}: not a regular file, and a source is read more than once. "
            "Pipe it in (give - and --format), or save it to a file first."
        )
    return Source(str(path), path)


def _in_glob(pattern: str) -> Iterator[Source]:
    hits = [Path(hit) for hit in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (Path.glob shows hidden files)
    files = [path for path in hits if not path.is_dir() and path.suffix != ".toml"]
    folders = (
        []
        if pattern.rstrip("/").endswith("**")
        else [path for path in hits if path.is_dir() and not _is_runs(path)]
    )
    found = files + [path for folder in folders for path in _data_files(folder)]
    if not found:
        raise UsageError(f"{pattern}: no data file matches.")
    yield from _sources(found)


def _in_folder(folder: Path) -> Iterator[Source]:
    found = list(_data_files(folder))
    if not found:
        raise UsageError(
            f"{folder}: no data file in it (.csv, .tsv, .jsonl, .ndjson, .json, .parquet or .zip, compressed "
            "or not). Name the files themselves if they end otherwise."
        )
    yield from _sources(found)


def _sources(paths: Iterable[Path]) -> Iterator[Source]:
    for path in sorted(paths, key=lambda path: [natural(part) for part in path.parts]):
        yield _file(path)


def _data_files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        here = Path(place)
        folders[:] = [name for name in folders if _is_plain(here, name) and not _is_runs(here / name)]
        yield from (here / name for name in files if _DATA.search(name) and _is_plain(here, name))


def _is_plain(folder: Path, name: str) -> bool:
    """Whether a name in a folder is neither hidden nor a link, which may lead out of the folder."""
    return not name.startswith(".") and not (folder / name).is_symlink()


def _raise(error: OSError) -> None:
    raise error


def _is_runs(folder: Path) -> bool:
    """Whether a folder holds runs, or is one: what is in there are reports, not data."""
    return (
        folder.name == "replay-runs"
        or (folder / "ledger.sqlite").exists()
        or (folder / "run.toml").exists()
        or any(folder.glob("*/run.toml"))
    )


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    names = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    if not close:
        return " Check the path."
    return " Did you mean " + " or ".join(str(path.parent / name) for name in close) + "?"
