"""Owns whose export a source is: told by the shape of its records or by its header, never by its name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from replay.mapping import api, paths

SNOWPLOW: Final = "snowplow"
_SNOWPLOW_WIDTH: Final = 131
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOOKED_AT: Final = 200  # records

Test = Callable[[dict[str, Any]], bool]


def recognise(header: tuple[str, ...], records: list[Any]) -> str | None:
    """The preset that fits a table with this header, or these records; None for an unknown shape."""
    return _of_records(records[:_LOOKED_AT]) if records else _of_table(header)


def _of_table(header: tuple[str, ...]) -> str | None:
    names = frozenset(header)
    for preset, needed in _HEADERS:
        if needed <= names:
            return preset
    return SNOWPLOW if _is_snowplow(header) else None


def _is_snowplow(first: tuple[str, ...]) -> bool:
    """Whether a first line is of Snowplow's enriched events: as many cells, with an event and its id."""
    return len(first) == _SNOWPLOW_WIDTH and (
        first[5:7] == ("event", "event_id") or (first[5] != "" and _UUID.fullmatch(first[6]) is not None)
    )


def _of_records(records: list[Any]) -> str | None:
    """The shape that every record has; those of calls of many kinds have it as well."""
    for preset, test in _RECORDS:
        if all(type(record) is dict and test(record) for record in records):
            return preset
    return None


def _has(*texts: str) -> Test:
    wanted = [paths.split(text) for text in texts]
    return lambda record: all(paths.reaches(record, path) for path in wanted)


def _is_call(record: dict[str, Any]) -> bool:
    return record.get("type") in _CALLS and "messageId" in record


def _is_rudderstack(record: dict[str, Any]) -> bool:
    return _is_call(record) and ("rudderId" in record or "channel" in record)


def _is_braze(record: dict[str, Any]) -> bool:
    return str(record.get("event_type", "")).startswith("users.") and _has("properties", "user")(record)


def _is_ga4(record: dict[str, Any]) -> bool:
    return (
        _has("event_name", "event_timestamp", "event_params")(record) and type(record["event_params"]) is list
    )


_CALLS: Final = ("track", "page", "screen", "identify", "group", "alias")
_HEADERS: Final = (
    ("appsflyer", frozenset(("AppsFlyer ID", "Event Name", "Event Time", "Event Value"))),
    ("segment-warehouse", frozenset(("event_text", "anonymous_id", "user_id", "id", "timestamp", "event"))),
    ("heap", frozenset(("event_id", "user_id", "session_id", "time", "event_name", "library", "identity"))),
    ("posthog", frozenset(("uuid", "event", "timestamp", "distinct_id", "properties"))),
)  # fmt: skip
_RECORDS: Final[tuple[tuple[str, Test], ...]] = (
    ("hackle", lambda record: api.is_event(record) and type(record["event"]) is type(record["user"]) is dict),
    (
        "amplitude",
        _has("event_type", "event_time", "amplitude_id", "event_properties", "device_id", "user_id"),
    ),
    ("mixpanel", _has("event", "properties.distinct_id", "properties.time")),
    ("ga4", _is_ga4),
    ("posthog", _has("uuid", "event", "distinct_id", "properties", "timestamp")),
    ("rudderstack", _is_rudderstack),
    ("segment", _is_call),
    ("braze", _is_braze),
)
