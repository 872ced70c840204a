"""How a source is written, found out from its beginning: encoding, format, dialect and header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.errors import SourceError, UsageError
from replay.settings import TABLES
from replay.source.dialect import Dialect, Format, Header, dialect_of, format_of, read_header
from replay.source.encoding import refuse_if_foreign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.settings import ReadSettings


@dataclass(frozen=True, slots=True)
class Written:
    """How a source is written; no `dialect` and an empty `header` for records."""

    format: Format
    encoding: str
    dialect: Dialect | None = None
    header: Header = Header((), 0)  # noqa: RUF009 (frozen)


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a source: `raw` as it is, `text` in UTF-8, `lines` the whole lines of that."""

    raw: bytes
    text: bytes
    lines: list[bytes]
    encoding: str


def lines_of(text: bytes, *, ended: bool) -> list[bytes]:
    """The lines of a beginning, without the last one where it may go on."""
    lines = text.splitlines(keepends=True)
    if lines and not ended and not lines[-1].endswith(b"\n"):
        lines.pop()
    return lines


def find_out(name: str, head: Head, settings: ReadSettings) -> Written:
    """How a source that begins so is written. Raises SourceError and UsageError where it is refused."""
    form = format_of(name, head.text, settings)
    is_table = form in TABLES
    refuse_if_foreign(name, head.encoding, head.raw, head.lines, table=is_table)
    if not is_table:
        if settings.columns is not None:
            raise UsageError(f"{name}: {form} has no columns to name. Leave --columns out.")
        return Written(form, head.encoding)
    dialect = dialect_of(form, head.lines, settings)
    if settings.columns is None:
        return Written(form, head.encoding, dialect, read_header(name, head.lines, dialect))
    _refuse_header(name, head.lines, dialect, settings.columns)
    return Written(form, head.encoding, dialect, Header(settings.columns, 0))


def _refuse_header(name: str, lines: Sequence[bytes], dialect: Dialect, columns: tuple[str, ...]) -> None:
    """Refuse a table whose first line is the names that were typed: it would be sent as a row."""
    try:
        first = read_header(name, lines, dialect).names
    except SourceError:
        return  # no row, or one that cannot be read: told where rows are
    if first == columns:
        raise UsageError(f"{name}: its first line is these very names, a header. Leave --columns out.")
