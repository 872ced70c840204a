"""Owns original times: ISO 8601 or a count since 1970 or a format, in a named zone; never a guessed one.

A time is microseconds since 1970 in UTC. A column of ISO texts of one kind is read whole by Arrow;
value by value, to the same result, everywhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.mapping import columns, numbers

if TYPE_CHECKING:
    from replay.mapping.timing import Time

_ISO: Final = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<utc>Z|z|UTC)| ?(?P<sign>[+-])(?P<zone_hour>\d{2})(?::?(?P<zone_minute>\d{2}))?)?)?",
    re.ASCII,
)
_ISO_DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO_CLOCK: Final = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_ISO_LOCAL: Final = _ISO_DAY + f"({_ISO_CLOCK})?$"
_ISO_ZONED: Final = _ISO_DAY + _ISO_CLOCK + r"(Z|[+-][0-9]{2}:?[0-9]{2})$"

_PLAIN_BYTES: Final = len("2024-01-01T00:00:00Z")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = -62_135_596_800_000_000  # the year 1
_LAST: Final = 253_402_300_799_999_999  # the end of the year 9999
_UNIT_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}

_NOT_ISO: Final = (
    'no ISO 8601 time. Say how it is written: unit = "s", "ms" or "us", or format = "%d/%m/%Y %H:%M"'
)
_NO_ZONE: Final = 'names no zone, and none is guessed. Add timezone = "…" under [time]'
_GAP: Final = "was skipped when the clocks of {zone} went forward. Mend the time, or name its offset"
_OVERLAP: Final = "came twice when the clocks of {zone} went back. Name its offset, as in +09:00"
_NO_COUNT: Final = "no count of {unit} since 1970. Mend the value, or the unit under [time]"
_NOT_FORMAT: Final = "not written as {format}. Mend the value, or the format under [time]"
_RANGE: Final = "lies outside the years 1 to 9999. Check the unit under [time]"


@dataclass(frozen=True, slots=True)
class Times:
    """The times of a column (int64 microseconds), and per reason the part that cannot be read.

    `written`: the column itself, where each of its texts is how `write` writes the time.
    """

    micros: pd.Series[Any]
    unreadable: dict[str, pd.Series[Any]]
    written: pd.Series[Any] | None = None


def read(column: pd.Series[Any], time: Time) -> Times:
    """The times that a column spells, in UTC."""
    whole = _whole(column, time) if columns.is_text(column) and len(column) else None
    if whole is not None and bool(((whole >= _FIRST) & (whole <= _LAST)).all()):
        is_plain = time.unit is None and _is_plain(columns.texts(column))
        return Times(pd.Series(whole, index=column.index, dtype="int64"), {}, column if is_plain else None)
    micros, places = [], []
    unreadable: dict[str, list[int]] = {}
    for order, (place, value) in enumerate(zip(column.index.tolist(), column.tolist(), strict=True)):
        result = read_one(value, time)
        if isinstance(result, str):
            unreadable.setdefault(result, []).append(order)
        else:
            micros.append(result)
            places.append(place)
    return Times(
        pd.Series(micros, index=np.array(places, dtype=np.int64), dtype="int64"),
        {reason: column.iloc[orders] for reason, orders in unreadable.items()},
    )


def _whole(column: pd.Series[Any], time: Time) -> Any:
    """The microseconds of a text column that Arrow reads as a whole, or None."""
    if time.format is not None:
        return None
    texts = columns.texts(column)
    try:
        return _whole_counts(texts, time.unit) if time.unit is not None else _whole_iso(texts, time.timezone)
    except pa.ArrowInvalid:  # the 30th of February, or a zone that Arrow does not have
        return None


def _whole_counts(texts: pa.Array, unit: str) -> Any:
    if not pc.all(pc.match_substring_regex(texts, r"^-?[0-9]{1,18}$")).as_py():
        return None
    return pc.multiply_checked(pc.cast(texts, pa.int64()), _UNIT_MICROSECONDS[unit]).to_numpy()


def _is_plain(texts: pa.Array) -> bool:
    """Whether all times are written like 2024-01-01T00:00:00Z, if Arrow reads them as times in UTC.

    It refuses whatever else would have 20 bytes, but for a space instead of the T.
    """
    sizes = pc.min_max(pc.binary_length(texts)).as_py()
    is_short = sizes["min"] == sizes["max"] == _PLAIN_BYTES
    return is_short and not pc.any(pc.match_substring(texts, " ")).as_py()


def _whole_iso(texts: pa.Array, zone: str | None) -> Any:
    if _is_plain(texts) or pc.all(pc.match_substring_regex(texts, _ISO_ZONED)).as_py():
        return _int64(pc.cast(texts, pa.timestamp("us", "UTC")))
    if zone is None or not pc.all(pc.match_substring_regex(texts, _ISO_LOCAL)).as_py():
        return None
    local = pc.cast(texts, pa.timestamp("us"))
    first = _int64(pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="earliest"))
    last = _int64(pc.assume_timezone(local, zone, ambiguous="latest", nonexistent="latest"))
    return first if np.array_equal(first, last) else None


def _int64(timestamps: pa.Array) -> Any:
    return timestamps.cast(pa.int64()).to_numpy()


def read_one(value: Any, time: Time) -> int | str:
    """The microseconds of one value, or why it cannot be read."""
    if time.unit is not None:
        micros = _read_count(value, time.unit)
    elif time.format is not None and type(value) in (str, int):  # 20240301, as JSON may write it
        micros = _read_format(str(value), time.format, time.timezone)
    elif type(value) is not str:
        return _NOT_ISO
    else:
        micros = _read_iso(value, time.timezone)
    return micros if isinstance(micros, str) or _FIRST <= micros <= _LAST else _RANGE


def _read_count(value: Any, unit: str) -> int | str:
    number: Any = numbers.parse(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return _NO_COUNT.format(unit=unit)
    if not -_LAST <= number <= _LAST:  # so that no huge exponent is multiplied out
        return _RANGE
    scaled = Decimal(str(number)) * _UNIT_MICROSECONDS[unit]
    return int(scaled // 1)


def _read_iso(text: str, zone: str | None) -> int | str:
    match = _ISO.fullmatch(text)
    if match is None:
        return _NOT_ISO
    part = match.groupdict()
    clock = [int(part[name] or 0) for name in ("hour", "minute", "second")]
    fraction = int((part["fraction"] or "").ljust(6, "0")[:6])
    try:
        local = datetime(*map(int, part["day"].split("-")), *clock, fraction)  # type: ignore[call-arg,arg-type]
        return _to_utc(local.replace(tzinfo=_offset(part)), zone)
    except ValueError:
        return _NOT_ISO


def _offset(part: dict[str, str | None]) -> timezone | None:
    if part["utc"]:
        return UTC
    if not part["sign"]:
        return None
    minutes = int(part["zone_minute"] or 0)
    if minutes > 59:
        raise ValueError("an offset of more than 59 minutes")
    offset = timedelta(hours=int(part["zone_hour"] or 0), minutes=minutes)
    return timezone(-offset if part["sign"] == "-" else offset)


@lru_cache(maxsize=10_000)
def _read_format(text: str, pattern: str, zone: str | None) -> int | str:
    try:
        return _to_utc(datetime.strptime(text, pattern), zone)
    except ValueError:
        return _NOT_FORMAT.format(format=pattern)


def _to_utc(time: datetime, zone: str | None) -> int | str:
    """Microseconds since 1970 of a time that names its offset, or else is local in the zone."""
    offset = time.utcoffset()
    if offset is None:
        if zone is None:
            return _NO_ZONE
        there = time.replace(tzinfo=ZoneInfo(zone))
        offset, other = there.utcoffset(), there.replace(fold=1).utcoffset()
        if offset is None or other is None or offset != other:
            forward = offset is not None and other is not None and other > offset
            return (_GAP if forward else _OVERLAP).format(zone=zone)
    return (time.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND - offset // _MICROSECOND


def write(micros: pd.Series[Any]) -> pd.Series[Any]:
    """The times as ISO 8601 in UTC: no fraction, or milliseconds, or microseconds, as it takes."""
    counts = micros.to_numpy()
    if (counts % 1_000_000 == 0).all():
        texts = pc.cast(pa.array(counts // 1_000_000).cast(pa.timestamp("s")), pa.large_string())
    else:
        texts = pc.cast(pa.array(counts).cast(pa.timestamp("us")), pa.large_string())
        texts = pc.replace_substring_regex(texts, r"(\.000000|(\.\d{3})000)$", r"\2")
    texts = pc.replace_substring(texts, " ", "T")
    z, nothing = pa.scalar("Z", texts.type), pa.scalar("", texts.type)
    return columns.from_texts(pc.binary_join_element_wise(texts, z, nothing), micros.index)
