"""Backfill events from files into Hackle: check them, send them at a set rate, re-send what failed.

A door: everything is defined further in, and loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from replay.errors import (
        AuthError,
        DestinationError,
        MappingError,
        ReplayError,
        SourceError,
        StorageError,
        UsageError,
    )
    from replay.mapping import Mapping
    from replay.pipeline import CheckResult, check, send, send_async
    from replay.report import Summary
    from replay.settings import ReadSettings

__all__ = [
    "AuthError",
    "CheckResult",
    "DestinationError",
    "Mapping",
    "MappingError",
    "ReadSettings",
    "ReplayError",
    "SourceError",
    "StorageError",
    "Summary",
    "UsageError",
    "check",
    "send",
    "send_async",
]

_ROOMS = {
    "Mapping": "mapping",
    "CheckResult": "pipeline",
    "check": "pipeline",
    "send": "pipeline",
    "send_async": "pipeline",
    "Summary": "report",
    "ReadSettings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'replay' has no attribute {name!r}")
    return getattr(import_module(f"replay.{_ROOMS.get(name, 'errors')}"), name)
