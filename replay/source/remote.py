"""Sources at an address: fetched into a file first, whole or not at all.

A download goes on where it broke off, as long as size and version there are what they were. Nobody but the
server sees what is secret in an address (a user, a signed query): what is stored and shown is without it.
Foreign errors become a SourceError here; their own texts may hold the address, and are not shown.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlsplit

from replay.errors import SourceError, StorageError, UsageError
from replay.settings import is_loopback, show_url
from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMES: Final = ("s3", "gs", "https")
TRIES: Final = 5  # without a byte between them
_VERSION: Final = ("ETag", "etag", "generation", "Content-MD5", "Last-Modified", "LastModified", "VersionId")
_NO_CREDENTIALS: Final = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
_FOR_GOOD: Final = range(400, 500)
_PATIENCE: Final = (408, 425, 429)


def shown_address(address: str) -> str:
    """An address as it may be stored and shown. Raises UsageError for one that is not fetched from."""
    scheme = address.partition("://")[0].lower()
    try:
        parts = urlsplit(address)
        shown = show_url(address)
    except ValueError as error:
        raise UsageError(f"{scheme}://…: not an address.") from error
    if scheme == "http" and is_loopback(parts.hostname or ""):
        return shown
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"{scheme}://…: not an address that is read from. Use {known} or a file.")
    if not parts.hostname or (scheme != "https" and not parts.path.strip("/")):
        raise UsageError(f"{shown}: names no file. Write the whole address, such as s3://bucket/events.csv.")
    if scheme != "https" and (parts.path.endswith("/") or re.search(r"[*\[]", parts.path)):
        raise UsageError(f"{shown}: folders and globs are not looked through there. Name each file.")
    return shown


def fetch(
    name: str, address: str, path: Path, sleep: Callable[[float], None] = time.sleep
) -> tuple[str, ...]:
    """Download what is at an address into a new file, readable by its owner alone.

    Returns the hosts other than the address's own that took part, because it redirects to them.
    Raises UsageError where a library for it is missing, SourceError where it cannot be had whole,
    StorageError where it cannot be written.
    """
    redirects = Redirects(name, address)
    files = _files_of(address, redirects)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise _not_kept(path, error) from error
    with open(descriptor, "wb") as copy:  # noqa: PTH123 (a descriptor, so that the mode holds from the start)
        _Download(name, address, files, _Copy(path, copy), sleep).run(redirects)
    return tuple(redirects.hosts)


class Redirects:
    """What each request of a download goes to: a middleware of its HTTP client, asked before each.

    `hosts`: those other than the address's own; `refusal`: why a redirect was not followed.
    """

    def __init__(self, name: str, address: str) -> None:
        self._name = name
        self._own = urlsplit(address).hostname
        self._is_secure = urlsplit(address).scheme == "https"
        self.hosts: dict[str, None] = {}
        self.refusal: SourceError | None = None

    async def __call__(self, request: Any, send: Callable[[Any], Any]) -> Any:
        """Let a request go where it may."""
        host = str(request.url.host)
        if request.url.scheme != "https" and (self._is_secure or not is_loopback(host)):
            self.refusal = SourceError(
                f"{self._name}: it redirects to http://{host}, where anyone on the way can read and change "
                "it. Use an address that stays on https."
            )
            raise self.refusal
        if host != self._own:
            self.hosts[host] = None
        return await send(request)


class _Copy:
    """The file that a download fills; its faults are the disk's."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self.size = 0

    def refuse_beyond_room(self, size: int) -> None:
        """Refuse what cannot fit, before a byte of it is fetched. Raises StorageError."""
        free = shutil.disk_usage(self._path.parent).free
        if size - self.size > free:
            raise StorageError(
                f"{self._path.parent}: {size:,} bytes are to be fetched, and {free:,} are free. "
                "Make room there, or give another folder with --runs."
            )

    def write(self, data: bytes) -> int:
        """Add to it."""
        try:
            self._file.write(data)
        except OSError as error:
            raise _not_kept(self._path, error) from error
        self.size += len(data)
        return len(data)

    def clear(self) -> None:
        """Begin anew."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def sync(self) -> None:
        """Wait until it is on the disk."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _not_kept(self._path, error) from error


def _not_kept(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path}: what was fetched could not be kept ({error.strerror or error}). Make room and start again."
    )


class _NoRangesError(Exception):
    """The server gives the file whole or not at all."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What tells one content at an address from another."""

    size: int | None
    marks: tuple[tuple[str, str], ...]


class _Download:
    """One file on its way, piece by piece."""

    def __init__(
        self, name: str, address: str, files: Any, copy: _Copy, sleep: Callable[[float], None]
    ) -> None:
        self._name = name
        self._address = address
        self._files = files
        self._copy = copy
        self._sleep = sleep

    def run(self, redirects: Redirects) -> None:
        """Fetch it whole. Raises SourceError."""
        try:
            self._run()
        except SourceError:
            if redirects.refusal is not None:
                raise redirects.refusal from None
            raise

    def _run(self) -> None:
        version: _Version = self._patiently(self._version)
        self._copy.refuse_beyond_room(version.size or 0)
        try:
            if version.size is None:
                raise _NoRangesError
            while self._copy.size < version.size:
                self._patiently(lambda: self._piece(version))
        except _NoRangesError:
            self._patiently(lambda: self._in_one_go(version))
        self._refuse_other(version)
        self._copy.sync()

    def _version(self) -> _Version:
        self._files.invalidate_cache()
        info = self._files.info(self._address)
        marks = tuple((mark, str(info[mark])) for mark in _VERSION if info.get(mark) is not None)
        return _Version(info["size"], marks)

    def _refuse_other(self, version: _Version) -> None:
        if self._patiently(self._version) != version:
            raise SourceError(
                f"{self._name} changed while it was fetched. Start again once it stays as it is."
            )

    def _piece(self, version: _Version) -> None:
        """Fetch the next piece; less than was asked for is no fault, nothing is."""
        assert version.size is not None
        start = self._copy.size
        length = min(bounds.FETCH_BYTES, version.size - start)
        try:
            with self._files.open(
                self._address, "rb", block_size=bounds.FETCH_BYTES, cache_type="none", size=version.size
            ) as file:
                file.seek(start)
                data = file.read(length)
        except ValueError as error:
            if "range requests" in str(error):
                raise _NoRangesError from None
            raise
        if not data:
            raise EOFError
        self._copy.write(data[:length])

    def _in_one_go(self, version: _Version) -> None:
        """Fetch it whole, where a server gives no pieces; it must say how long it is."""
        self._copy.clear()
        with self._files.open(self._address, "rb", block_size=0) as file:
            size = file.r.content_length if version.size is None else version.size
            if size is None:
                raise SourceError(
                    f"{self._name}: the server does not say how long it is; a part cannot be told from the "
                    "whole. Download it by other means, and give the file."
                )
            self._copy.refuse_beyond_room(size)
            while data := file.read(bounds.PIECE_BYTES):
                self._copy.write(data)
        if self._copy.size != size:
            raise EOFError

    def _patiently(self, step: Callable[[], Any]) -> Any:
        """Take a step, again after a wait where it may yet succeed."""
        for attempt in range(1, TRIES + 1):
            try:
                return step()
            except (SourceError, StorageError, _NoRangesError):
                raise
            except Exception as error:  # every backend has its own
                if attempt == TRIES or _is_for_good(error):
                    raise SourceError(f"{self._name}: {_in_words(error)}") from None
                self._sleep(2.0 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _status(error: BaseException) -> int | None:
    """The HTTP status that an error, or what it came from, speaks of."""
    found = [getattr(one, "status", None) for one in (error, error.__cause__)]
    if type(error).__name__ == "HttpError":  # of gcsfs; a `code` of others is no answer's
        found.append(getattr(error, "code", None))
    return next((status for status in found if isinstance(status, int)), None)


def _is_for_good(error: BaseException) -> bool:
    status = _status(error)
    if status is not None:
        return status in _FOR_GOOD and status not in _PATIENCE
    if isinstance(error.__cause__, SourceError):
        return True
    if isinstance(error, FileNotFoundError):
        return error.__cause__ is None or not isinstance(error.__cause__, OSError)
    return isinstance(error, PermissionError) or type(error).__name__ in _NO_CREDENTIALS


def _in_words(error: BaseException) -> str:
    status = _status(error)
    if type(error).__name__ in _NO_CREDENTIALS:
        return (
            "no credentials for it were found. Give them as its own tools take them (environment, profile)."
        )
    if isinstance(error, PermissionError) or status in (401, 403):
        return "access is refused. Check the credentials, or whether a signed address has expired."
    if status == 404 or (isinstance(error, FileNotFoundError) and error.__cause__ is None):
        return "there is no such file. Check the address."
    if status is not None:
        return f"the server answered {status}. Try again later."
    if isinstance(error, EOFError):
        return "it breaks off before its end, again and again. Try again later."
    kind = type(error.__cause__ or error).__name__
    return f"it cannot be fetched ({kind}). Check the address and the connection."


def _files_of(address: str, redirects: Redirects) -> Any:
    """The file system that an address belongs to."""
    scheme = urlsplit(address).scheme
    try:
        import fsspec  # noqa: PLC0415 - for addresses only

        if scheme in ("http", "https"):
            # bytes as they are: the address not encoded anew, the content not unpacked on the way
            client = {
                "auto_decompress": False,
                "trust_env": scheme == "https",
                "middlewares": (redirects,),
            }
            return fsspec.filesystem(
                scheme,
                skip_instance_cache=True,
                encoded=True,
                client_kwargs=client,
                headers={"Accept-Encoding": "identity"},
            )
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)
    except ImportError as error:
        raise UsageError(
            f"{show_url(address)}: reading from {scheme}:// needs an extra: "
            "pip install 'hackle-replay[remote]'"
        ) from error
