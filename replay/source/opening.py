"""The border to the file system: what it says when it fails becomes a SourceError here, and nowhere else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from replay.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Translate every OSError inside into a SourceError that names the source."""
    try:
        yield
    except PermissionError as error:
        raise SourceError(
            f"{name}: no permission to read it. Change its mode, or run as its owner."
        ) from error
    except IsADirectoryError as error:
        raise SourceError(f"{name}: a folder, not a file.") from error
    except FileNotFoundError as error:
        raise SourceError(f"{name}: the file is gone. Put it back, then start again.") from error
    except OSError as error:
        raise SourceError(
            f"{name}: reading failed ({error.strerror or error}). "
            "Check the disk or the connection, then start again."
        ) from error
