"""Parquet, a few rows at a time: each row becomes a JSON object with every value exact.

Text stays text, integers and decimals keep all digits, a 32-bit float is written as short as it is known
by, a time with a zone is ISO 8601 in UTC, one without a zone has none. A null stays null, which is absent.
What JSON has no word for (bytes, durations) is refused with the column's name; NaN costs its row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from replay.errors import SourceError, UsageError
from replay.source import bounds
from replay.source.fingerprint import Fingerprint, Fingerprinting
from replay.source.gathering import Gathering
from replay.source.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.settings import ReadSettings
    from replay.source.finding import Source
    from replay.source.stretch import Stretch

Written = Callable[[Any], Any]
"""From a value as Arrow gives it to one that is written as JSON."""

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_SELF: Final = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_decimal,
    pa.types.is_null,
)
_ISO: Final = (pa.types.is_date, pa.types.is_time)
_LISTS: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


class ParquetReader(Reader):
    """A reader of one Parquet file; its rows are records, and a row's line is its number."""

    is_cut = False

    def __init__(
        self, source: Source, file: BinaryIO, settings: ReadSettings, marks_at: Iterable[int] = ()
    ) -> None:
        super().__init__(source, file)
        self.format = "parquet"
        self._marks_at = tuple(marks_at)
        self._groups = 0
        _refuse(source.name, settings)
        try:
            self._parquet = pq.ParquetFile(file, buffer_size=bounds.MIB, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise _broken(source.name, error) from error
        self._all_groups: int = max(1, self._parquet.num_row_groups)
        self._columns = _columns_of(source.name, self._parquet.schema_arrow)

    def _stretches(self) -> Iterator[Stretch]:
        gathering = Gathering()
        try:
            for group in range(self._parquet.num_row_groups):
                for batch in self._parquet.iter_batches(self._batch_rows(group), row_groups=[group]):
                    self._gather(batch, gathering)
                    yield gathering.stretch()
                self._groups = group + 1
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            reason = f"damaged Parquet file: {_in_words(error)}"
            gathering.add_flaw(reason, b"", gathering.row)
            yield gathering.stretch()

    def _batch_rows(self, group: int) -> int:
        """How many rows are read at once: fewer where they are wide, or hold much."""
        known = self._parquet.metadata.row_group(group)
        by_bytes = bounds.GATHERED_BYTES * known.num_rows // max(1, known.total_byte_size)
        by_cells = bounds.RECORD_CELLS // max(1, known.num_columns)
        return max(1, min(bounds.RECORD_ROWS, int(by_cells), int(by_bytes)))

    def _gather(self, batch: pa.RecordBatch, gathering: Gathering) -> None:
        try:
            rows = _rows(batch)
        except (ValueError, OverflowError, pa.ArrowException):
            rows = None  # one value at least is none that Python has: row by row, it costs its row only
        for at in range(len(batch)):
            try:
                row = rows[at] if rows is not None else _rows(batch.slice(at, 1))[0]
                raw = _ENCODER.encode({name: write(row[name]) for name, write in self._columns.items()})
            except (ValueError, OverflowError, pa.ArrowException) as error:
                gathering.add_flaw(f"a value cannot be read: {_in_words(error)}", b"", gathering.row)
            else:
                gathering.add(raw, gathering.row)

    def _position(self) -> int:
        return self.size * self._groups // self._all_groups

    def _finish(self) -> Fingerprint:
        hashing = Fingerprinting(self._marks_at)
        self._file.seek(0)
        while piece := self._file.read(bounds.PIECE_BYTES):
            hashing.update(piece)
        self._groups = self._all_groups
        return hashing.finish()


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="strict")
    return rows


def _refuse(name: str, settings: ReadSettings) -> None:
    """Refuse settings that do not fit: they speak of another file."""
    typed = {
        "--format": settings.format not in (None, "parquet"),
        "--delimiter": settings.delimiter is not None,
        "--columns": settings.columns is not None,
        "--records": settings.records is not None,
    }
    for option, is_typed in typed.items():
        if is_typed:
            raise UsageError(f"{name}: a Parquet file, which {option} does not fit. Leave {option} out.")


def _broken(name: str, error: Exception) -> SourceError:
    return SourceError(
        f"{name}: a Parquet file that cannot be read: {_in_words(error)}. It may be cut off: "
        "fetch or export it again."
    )


def _in_words(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(". ")


def _columns_of(name: str, schema: pa.Schema) -> dict[str, Written]:
    """How the values of each column are written. Raises SourceError for columns that cannot be."""
    twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
    if twice:
        raise SourceError(f"{name}: the column {twice[0]!r} comes twice. Export it with names of their own.")
    columns = {}
    for field in schema:
        write = _written(field.type)
        if write is None:
            raise SourceError(
                f"{name}: the column {field.name!r} holds {_kind(field.type)}, which JSON has no word for. "
                "Export it as text, or leave it out."
            )
        columns[field.name] = write
    return columns


def _kind(kind: pa.DataType) -> str:
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return "bytes" if is_bytes or pa.types.is_fixed_size_binary(kind) else f"values of the type {kind}"


def _written(kind: pa.DataType) -> Written | None:
    """How values of a type are written; None where they are not."""
    if any(fits(kind) for fits in _SELF) or str(kind) == "string_view":
        return _as_it_is
    if any(fits(kind) for fits in _ISO):
        return _iso
    if pa.types.is_floating(kind):
        return _double if pa.types.is_float64(kind) else _short_float(kind)
    if pa.types.is_timestamp(kind):
        return _iso if kind.tz is None else _iso_utc
    if pa.types.is_dictionary(kind):
        return _written(kind.value_type)
    return _nested(kind)


def _nested(kind: pa.DataType) -> Written | None:
    if any(fits(kind) for fits in _LISTS):
        inside = _written(kind.value_type)
        return inside and _list_of(inside)
    if pa.types.is_struct(kind):
        members = {field.name: _written(field.type) for field in kind}
        known = {name: write for name, write in members.items() if write is not None}
        return _object_of(known) if len(known) == kind.num_fields else None
    if pa.types.is_map(kind):
        inside = _written(kind.item_type)
        is_named = pa.types.is_string(kind.key_type) or pa.types.is_large_string(kind.key_type)
        return _map_of(inside) if inside and is_named else None
    if isinstance(kind, pa.UuidType):
        return _text
    return _written(kind.storage_type) if isinstance(kind, pa.ExtensionType | pa.JsonType) else None


def _as_it_is(value: Any) -> Any:
    return value


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _iso(value: Any) -> Any:
    return None if value is None else value.isoformat()


def _iso_utc(value: Any) -> Any:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _double(value: Any) -> Any:
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{value} is no number that JSON has")
    return value


def _short_float(kind: pa.DataType) -> Written:
    """A narrow float as the shortest decimal that it is known by: 19.99, not 19.989999771118164."""
    narrow = np.float32 if pa.types.is_float32(kind) else np.float16

    def write(value: Any) -> Any:
        return None if value is None else float(str(narrow(_double(value))))

    return write


def _list_of(inside: Written) -> Written:
    def write(value: Any) -> Any:
        return None if value is None else [inside(item) for item in value]

    return write


def _object_of(members: dict[str, Written]) -> Written:
    def write(value: Any) -> Any:
        return None if value is None else {name: inside(value[name]) for name, inside in members.items()}

    return write


def _map_of(inside: Written) -> Written:
    def write(value: Any) -> Any:
        return None if value is None else {name: inside(item) for name, item in value.items()}

    return write
