"""Talk and data: what goes to which stream, cleaned of what could steer a terminal."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

from replay.report.text import CONTROL, clean, short

__all__ = ["clean", "clean_json", "print_data", "print_json", "row", "say", "screen", "short", "table"]

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

UNFOLDED: Final = frozenset({"rows", "delivered", "failed", "pending", "command", "state"})
NUMBERS: Final = frozenset({"rows", "delivered", "failed", "pending"})
EVENT_KEYS_SHOWN: Final = 12
BEYOND_KEYS: Final = len(" and 1,000,000 or more others")
INDENT: Final = 13  # columns before what is said beside a name
VALUE_SHOWN: Final = 40


def clean_json(text: str) -> str:
    """The same JSON, with what could steer a terminal escaped as JSON does it."""
    return CONTROL.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr)  # noqa: T201


def columns() -> int:
    """How many columns the terminal has; 80 where there is none."""
    return shutil.get_terminal_size().columns


def folded(name: str, text: str) -> str:
    """A name and what there is to say of it, folded beside it on a terminal."""
    head = f"  {name:<{INDENT - 2}}"
    if not sys.stderr.isatty():
        return head + text
    folds = textwrap.TextWrapper(
        columns(),
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return folds.fill(text)


def print_data(text: str) -> None:
    """One line of data."""
    print(text)  # noqa: T201


def print_json(document: dict[str, Any]) -> None:
    """One JSON object, the only thing on standard output."""
    print_data(clean_json(json.dumps(document, ensure_ascii=False, indent=2)))


def screen(*, to_stdout: bool) -> Console:
    """What tables are drawn on."""
    from rich.console import Console

    return Console(stderr=not to_stdout, highlight=False, soft_wrap=False)


def table(*columns: str) -> Table:
    """A table whose first column is never folded, because people copy names and ids from it."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        justify: Any = "right" if column in NUMBERS else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=place == 0 or column in UNFOLDED)
    return made


def row(table: Table, *cells: object) -> None:
    """Add a row of cleaned cells to a table."""
    from rich.text import Text

    table.add_row(*(Text(clean(str(cell))) for cell in cells))


def keys_line(event_keys: dict[str, int], estimates: list[str], width: int | None = None) -> str:
    """The commonest event keys with their counts; no more of them than about `width` characters hold."""
    texts = [f"{clean(short(key, VALUE_SHOWN))} {rows:,}" for key, rows in event_keys.items()]
    first = texts[:EVENT_KEYS_SHOWN]
    while width is not None and len(first) > 1 and len(", ".join(first)) > width - BEYOND_KEYS:
        first.pop()
    beyond = len(texts) - len(first)
    more = " or more" if "event_keys" in estimates else ""
    text = ", ".join(first) or "none"
    return f"{text} and {beyond:,}{more} others" if beyond > 0 or more else text
