"""Runs folders and ledgers that others can write to: these decide where rows and the key go."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.settings import RunSettings

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def refuse_open_to_others(paths: Iterable[Path]) -> None:
    """Raise UsageError for a path that others can write to, where the file system can keep them out."""
    for path in _open_to_others(paths):
        if _keeps_modes(path):
            raise UsageError(
                f"{path} can be written to by others, who could then send rows and the API key to another "
                f"place, or hide what was sent. Look whether it is as you left it, then: chmod go-w {path}"
            )


def places_of(settings: RunSettings) -> list[Path]:
    """The places of a run that only its owner may write to."""
    ledger = settings.ledger_place
    return [settings.runs, *([ledger] if isinstance(ledger, Path) else [])]


def unprotected(settings: RunSettings) -> list[Path]:
    """The places of a run whose file system keeps no modes, so that others may be able to write to them."""
    return [path for path in _open_to_others(places_of(settings)) if not _keeps_modes(path)]


def _open_to_others(paths: Iterable[Path]) -> list[Path]:
    found = []
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # what is not there yet is made for its owner alone
        if mode & _OTHERS_WRITE:
            found.append(path)
    return found


def _keeps_modes(path: Path) -> bool:
    """Whether a new file beside or in it can be kept from others; where none can be made, it counts so."""
    try:
        with tempfile.NamedTemporaryFile(dir=path if path.is_dir() else path.parent) as probe:
            os.fchmod(probe.fileno(), 0o600)
            return not os.fstat(probe.fileno()).st_mode & _OTHERS_WRITE
    except OSError:
        return True
