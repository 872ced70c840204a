"""Where a ledger is kept: a file, or a database that machines share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replay.errors import UsageError
from replay.ledger.store import BUSY_SECONDS, open_file

if TYPE_CHECKING:
    from replay.ledger.base import Store
    from replay.settings import Postgres


def open_ledger(
    place: Path | Postgres,
    windows: Path | None = None,
    busy_seconds: float = BUSY_SECONDS,
    *,
    reading: bool = False,
) -> Store:
    """Open a ledger, making it where there is none, and bringing one of an older format to this one.

    `windows`: the folder for the windows of a database's runs; a file's lie beside it. `busy_seconds`:
    how long to wait while another process holds it. `reading`: nothing will be written, and a ledger of an
    older format stays as it is. Raises StorageError in words, UsageError where an extra
    is missing.
    """
    if isinstance(place, Path):
        return open_file(place, busy_seconds, reading=reading)
    try:
        import psycopg  # noqa: F401, PLC0415 - of an extra
    except ImportError as error:
        raise UsageError(
            f"--ledger {place}: a ledger in Postgres needs more than is installed. "
            "Install it: pip install 'hackle-replay[cluster]'"
        ) from error
    from replay.ledger.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(place.url, str(place), windows or Path(), busy_seconds, reading=reading)
