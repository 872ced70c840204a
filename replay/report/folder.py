"""A run's folder and the runs folder around it: names, modes, and writing whole files or none."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import tomli_w

from replay import toml
from replay.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

DEFAULT_RUNS: Final = "replay-runs"
RUN_FILE: Final = "run.toml"
SUMMARY_FILE: Final = "summary.json"
REPORT_FILE: Final = "report.html"
UNREADABLE_FILE: Final = "unreadable.jsonl"
FAILED_FOLDER: Final = "failed"
DIGESTS_FOLDER: Final = "digests"
PART: Final = ".part"
LEDGER_FILE: Final = "ledger.sqlite"
SALT_FILE: Final = "mask-salt"
_SALT_BYTES: Final = 16
RECORD_BYTES: Final = 64 * toml.MAX_BYTES  # a run may have 10,000 sources, each of about 500 bytes
RECORD_DEPTH: Final = toml.MAX_DEPTH + 4  # holds a mapping


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn a fault of the disk into a StorageError that names the file."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}. {_advice(error)}"
        ) from error


def _advice(error: OSError) -> str:
    """What works next; another --runs does not where there is a run already."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            "Let its owner write there, then repeat the command; a first run can also name another folder "
            "with --runs."
        )
    return "Make room, then repeat the command."


def private(path: str, flags: int) -> int:
    """Open a file that is written for its owner alone; for `open(opener=…)`."""
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)  # one that is overwritten keeps its mode
    return descriptor


def open_runs(runs: Path) -> Path:
    """Make the runs folder where there is none: for its owner alone, and kept out of git."""
    with in_words(runs):
        runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = runs / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, b"*\n")
    return runs


def salt_of(runs: Path, *, make: bool = True) -> bytes:
    """The salt by which all that a runs folder tells is masked; a new one, known to nobody, if it has none.

    `make`: keep a new one there, for the folder's owner alone.
    """
    path = runs / SALT_FILE
    if not path.exists():
        salt = secrets.token_bytes(_SALT_BYTES)
        if not make:
            return salt
        open_runs(runs)
        with in_words(path):
            new = path.with_name(f".{SALT_FILE}.{secrets.token_hex(4)}")
            with PrivateFile(new) as file:
                file.write(salt.hex().encode() + b"\n")
                file.sync()
            with suppress(FileExistsError):  # another process was faster: its salt is the folder's
                os.link(new, path)
            new.unlink()
    try:
        return bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be read: {error}. Remove it: a new salt is made, and hashes shown so far differ."
        ) from error


def new_run_id(now: datetime | None = None) -> str:
    """A run's name: the moment in UTC, and four random digits for two runs of one second."""
    return f"{(now or datetime.now(UTC)):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file's content at once: a reader, or a crash, finds the old or the new, never half.

    Each call has a temporary file of its own, so that two processes may write the same file.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    with in_words(path):
        try:
            with PrivateFile(temporary) as file:
                file.write(content)
                file.sync()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


class PrivateFile:
    """A new file for its owner alone, whose bytes are with the operating system once written.

    Nothing is held back, so that closing it after a full disk has nothing left to fail with.
    `goes_on`: what the file holds already stays.
    """

    def __init__(self, path: Path, *, goes_on: bool = False) -> None:
        if goes_on:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
            return
        path.unlink(missing_ok=True)  # an older file's mode, or link, would stay
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, content: bytes) -> None:
        """Add all of the content, or nothing: what did not fit whole is taken back."""
        end, rest = os.fstat(self._descriptor).st_size, memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)
            raise

    def sync(self) -> None:
        """Wait until it is on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run keeps its files."""

    path: Path

    @classmethod
    def create(cls, runs: Path, run: str) -> RunFolder:
        """Make a run's folder."""
        folder = cls(runs / run)
        with in_words(folder.path):
            folder.path.mkdir(mode=0o700)
        return folder

    def discard_unless_begun(self) -> None:
        """Take the folder away again if no run was begun in it."""
        if not (self.path / RUN_FILE).exists():
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def run(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def failed(self) -> Path:
        """The folder of the failed files."""
        return self.path / FAILED_FOLDER

    @property
    def digests(self) -> Path:
        """The folder of the digests of what was written into the failed files."""
        return self.path / DIGESTS_FOLDER

    @property
    def unreadable(self) -> Path:
        """The file of the records that could not be read."""
        return self.path / UNREADABLE_FILE

    @property
    def summary(self) -> Path:
        """The file of the counts."""
        return self.path / SUMMARY_FILE

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.path / REPORT_FILE

    def write_record(self, record: dict[str, Any]) -> None:
        """Write `run.toml`: sources, mapping and settings of the run."""
        data = tomli_w.dumps(record).encode()
        if len(data) > RECORD_BYTES:
            raise UsageError(
                f"{self.path / RUN_FILE}: the record of {len(record.get('sources', ())):,} sources is larger "
                f"than {RECORD_BYTES:,} bytes. Give them in several runs."
            )
        write_whole(self.path / RUN_FILE, data)

    def read_record(self) -> dict[str, Any]:
        """Read `run.toml` back."""
        path = self.path / RUN_FILE
        try:
            return toml.load(path, RECORD_BYTES, RECORD_DEPTH)
        except (OSError, toml.TomlError) as error:
            raise UsageError(
                f"{path} cannot be read: {error}. Is {self.path} the folder of a run?"
            ) from error


def read_record_or_none(folder: RunFolder) -> dict[str, Any] | None:
    """The record of a run; None if it cannot be read."""
    try:
        return folder.read_record()
    except UsageError:
        return None


def all_runs(runs: Path) -> list[RunFolder]:
    """The runs of a runs folder, oldest first."""
    try:
        folders = [path for path in runs.iterdir() if (path / RUN_FILE).is_file()]
        return [RunFolder(path) for path in sorted(folders, key=_began)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(
            f"--runs {runs} cannot be read: {error.strerror}. Name another folder, or mend its permissions."
        ) from error


def _began(folder: Path) -> tuple[str, int]:
    """When a run began: the second in its name, and within that the moment its record was written."""
    second, _, _ = folder.name.rpartition("-")
    return second, (folder / RUN_FILE).stat().st_mtime_ns


def find_run(name: str, runs: Path) -> RunFolder | None:
    """The run that an id, a folder or `last` names; None if it names none."""
    known = all_runs(runs)
    if name == "last":
        return known[-1] if known else None
    as_folder = runs.__class__(name)
    if os.access(as_folder / RUN_FILE, os.R_OK):
        return RunFolder(as_folder.resolve())
    return next((folder for folder in known if folder.run == name), None)
