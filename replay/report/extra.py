"""The door to what the extra `report` brings: templates and charts are loaded when a page is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

MISSING: Final = "The HTML report needs what is not installed here: pip install 'hackle-replay[report]'"
_BROUGHT: Final = frozenset({"jinja2", "markupsafe", "pygal"})


def load_page() -> ModuleType:
    """The module that makes pages. Raises UsageError where the extra is not installed."""
    try:
        from replay.report import page  # noqa: PLC0415 - it loads what the extra brings
    except ModuleNotFoundError as error:
        if error.name not in _BROUGHT:
            raise
        raise UsageError(MISSING) from error
    return page
