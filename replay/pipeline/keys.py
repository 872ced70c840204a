"""API keys: what can be one, and the file that holds one for its owner alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from replay.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def check_key(key: str) -> str:
    """The key without the white space around it, if it can be one; raises UsageError where it cannot."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError("The API key is empty, or holds characters that no key has. Copy it again.")
    return key


def key_of_file(path: Path) -> str:
    """The key that a file holds for its owner alone. Raises UsageError where it cannot be had so."""
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"--api-key-file {path} cannot be read: {reason}.") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"--api-key-file {path} can be read by others. Make it yours alone: chmod 600 {path}"
        )
    return check_key(text)
