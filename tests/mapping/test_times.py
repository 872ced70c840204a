from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import apply, column, records, values

from replay.mapping import Mapping
from replay.mapping.times import read_one

UNREADABLE = "unreadable"


def mapping(**time: str) -> Mapping:
    return Mapping.parse({"time": {"column": "ts", "property": "t", **time}}, "mapping.toml")


def read_cells(cells: list[str], **time: str) -> dict[int, str]:
    return values(apply(column("ts", cells), mapping(**time)), "event", "properties", "t")


def read_cell(cell: str, **time: str) -> str:
    mapped = apply(column("ts", [cell]), mapping(**time))
    if mapped.findings:
        (finding,) = mapped.findings
        assert (finding.rule, finding.field, finding.values) == ("time-unreadable", "ts", [cell])
        return UNREADABLE
    return str(values(mapped, "event", "properties", "t")[0])


def refusal(value: Any, **time: str) -> str:
    (finding,) = apply(records({"ts": value}), mapping(**time)).findings
    assert finding.rule == "time-unreadable"
    return finding.message


ISO = [
    ("2024-03-01T04:05:05Z", "2024-03-01T04:05:05Z"),
    ("2024-03-01 04:05:05.123456 UTC", "2024-03-01T04:05:05.123456Z"),
    ("2024-03-01T04:05:05.120Z", "2024-03-01T04:05:05.120Z"),
    ("2024-03-01T04:05:05.1234567Z", "2024-03-01T04:05:05.123456Z"),
    ("2024-03-01T04:05:05,5Z", "2024-03-01T04:05:05.500Z"),
    ("2024-03-01T13:05:05+09:00", "2024-03-01T04:05:05Z"),
    ("2024-03-01 13:05:05+0900", "2024-03-01T04:05:05Z"),
    ("2024-03-01 13:05:05 +09", "2024-03-01T04:05:05Z"),
    ("2024-02-29T23:05-05:30", "2024-03-01T04:35:00Z"),
    ("2024-03-01 13:05:05.123456", "2024-03-01T04:05:05.123456Z"),
    ("2024-03-01 13:05", "2024-03-01T04:05:00Z"),
    ("2024-03-01", "2024-02-29T15:00:00Z"),
    ("2024-02-30", UNREADABLE),
    ("2024-03-01T24:00:00Z", UNREADABLE),
    ("2024-03-01T04:05:60Z", UNREADABLE),
    ("2024-03-01T04:05:05+09:60", UNREADABLE),
    ("2024-03-01T04:05:05+25:00", UNREADABLE),
    ("0000-03-01T04:05:05Z", UNREADABLE),
    ("0001-01-01T00:00:00+09:00", UNREADABLE),
    ("20240301T040505Z", UNREADABLE),
    ("2024-3-1", UNREADABLE),
    ("1709265905", UNREADABLE),
    ("01/03/2024", UNREADABLE),
    (" 2024-03-01", UNREADABLE),
    ("now", UNREADABLE),
]


@pytest.mark.parametrize(("cell", "expected"), ISO)
def test_an_iso_time_is_carried_in_utc(cell: str, expected: str) -> None:
    assert read_cell(cell, timezone="Asia/Seoul") == expected


def test_a_column_of_mixed_times_reads_as_each_of_them_alone() -> None:
    mapped = apply(column("ts", [cell for cell, _ in ISO]), mapping(timezone="Asia/Seoul"))
    expected = {place: text for place, (_, text) in enumerate(ISO) if text != UNREADABLE}
    assert values(mapped, "event", "properties", "t") == expected


@pytest.mark.parametrize(
    ("cell", "time", "expected"),
    [
        ("1709265905", {"unit": "s"}, "2024-03-01T04:05:05Z"),
        ("1709265905.123456", {"unit": "s"}, "2024-03-01T04:05:05.123456Z"),
        ("1.709265905e9", {"unit": "s"}, "2024-03-01T04:05:05Z"),
        ("1709265905123", {"unit": "ms"}, "2024-03-01T04:05:05.123Z"),
        ("1709265905123456", {"unit": "us"}, "2024-03-01T04:05:05.123456Z"),
        ("-1", {"unit": "s"}, "1969-12-31T23:59:59Z"),
        ("1709265905123", {"unit": "s"}, UNREADABLE),
        ("1e999999999", {"unit": "s"}, UNREADABLE),
        ("2024-03-01", {"unit": "s"}, UNREADABLE),
        ("01/03/2024 13:05", {"format": "%d/%m/%Y %H:%M", "timezone": "Asia/Seoul"}, "2024-03-01T04:05:00Z"),
        ("01/03/2024 13:05 +0900", {"format": "%d/%m/%Y %H:%M %z"}, "2024-03-01T04:05:00Z"),
        ("2024-03-01", {"format": "%d/%m/%Y"}, UNREADABLE),
    ],
)
def test_a_count_or_a_format_is_read_as_the_mapping_says(
    cell: str, time: dict[str, str], expected: str
) -> None:
    assert read_cell(cell, **time) == expected


@pytest.mark.parametrize("value", [1709265905, 1709265905.0, Decimal("1709265905.0"), "1709265905"])
def test_a_count_in_a_record_may_be_a_number_or_its_text(value: Any) -> None:
    mapped = apply(records({"ts": value}), mapping(unit="s"))
    assert values(mapped, "event", "properties", "t") == {0: "2024-03-01T04:05:05Z"}


@pytest.mark.parametrize(
    ("value", "time", "says"),
    [
        ("2024-03-01 04:05:05", {}, "names no zone, and none is guessed. Add timezone"),
        ("2024-03-01", {}, "names no zone"),
        ("yesterday", {}, "no ISO 8601 time"),
        (1709265905, {}, 'unit = "s"'),
        (True, {"unit": "s"}, "no count of s"),
        (1709265905123, {"unit": "s"}, "Check the unit"),
        ("2024-03-31 02:30:00", {"timezone": "Europe/Paris"}, "skipped when the clocks of Europe/Paris"),
        ("2024-10-27 02:30:00", {"timezone": "Europe/Paris"}, "came twice when the clocks of Europe/Paris"),
        ("01/03/2024", {"format": "%Y"}, "not written as %Y"),
        ("01/03/2024", {"format": "%d/%m/%Y"}, "names no zone"),
    ],
)
def test_a_time_that_cannot_be_read_says_why_and_names_the_column(
    value: Any, time: dict[str, str], says: str
) -> None:
    message = refusal(value, **time)
    assert says in message
    assert "'ts'" in message


def test_the_hours_round_a_change_of_clocks_are_read_rightly() -> None:
    cells = ["2024-03-31 01:59:59", "2024-03-31 03:00:00", "2024-10-27 01:59:59", "2024-10-27 03:00:00"]
    assert list(read_cells(cells, timezone="Europe/Paris").values()) == [
        "2024-03-31T00:59:59Z",
        "2024-03-31T01:00:00Z",
        "2024-10-26T23:59:59Z",
        "2024-10-27T02:00:00Z",
    ]


def test_an_absent_time_is_no_finding_and_no_property() -> None:
    mapped = apply(column("ts", ["", "2024-03-01T04:05:05Z"]), mapping())
    assert mapped.findings == []
    assert list(values(mapped, "event", "properties", "t")) == [1]


def test_without_a_property_the_time_is_only_judged() -> None:
    mapped = apply(column("ts", ["2024-03-01T04:05:05Z"]), Mapping.parse({"time": {"column": "ts"}}, "m"))
    assert mapped.columns == {}
    assert mapped.times is not None
    assert mapped.times.tolist() == [1709265905000000]
    assert mapped.times.name == "ts"


moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@settings(deadline=None)
@given(st.lists(moments, min_size=1, max_size=5), st.sampled_from(["Z", "+00:00"]))
def test_a_column_read_whole_gives_the_moment_that_was_written(times: list[datetime], zone: str) -> None:
    mapped = apply(column("ts", [time.strftime("%Y-%m-%dT%H:%M:%S.%f") + zone for time in times]), mapping())
    written = values(mapped, "event", "properties", "t").values()
    assert [datetime.fromisoformat(text) for text in written] == times
    assert mapped.times is not None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert mapped.times.tolist() == [(time - epoch) // timedelta(microseconds=1) for time in times]


@settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1980, 1, 1), datetime(2035, 1, 1)), min_size=1, max_size=5))
def test_local_times_read_whole_and_one_by_one_are_the_same(times: list[datetime]) -> None:
    cells = [time.isoformat(" ", "seconds") for time in times]
    together = apply(column("ts", cells), mapping(timezone="America/New_York"))
    alone = [read_cell(cell.replace(" ", "t"), timezone="America/New_York") for cell in cells]
    written = values(together, "event", "properties", "t")
    assert [written.get(place, UNREADABLE) for place in range(len(cells))] == alone


ODD = st.builds(
    lambda text, at, other, size: text[:at] + other + text[at + size :],
    st.just("2024-02-29T23:59:59Z"),
    st.integers(0, 20),
    st.sampled_from([*"0369+-: .tTzZ\n", "Z\n", "+09", "24", "60", "\uff10", ""]),
    st.integers(0, 2),
)


@settings(deadline=None)
@given(st.lists(ODD, min_size=1, max_size=2))
def test_times_that_are_nearly_plain_read_the_same_whole_and_one_by_one(cells: list[str]) -> None:
    written = read_cells(cells)
    alone = [read_one(cell, mapping().time) for cell in cells]  # type: ignore[arg-type]
    assert list(written) == [place for place, micros in enumerate(alone) if isinstance(micros, int)]
    for place, text in written.items():
        assert read_one(text, mapping().time) == alone[place]  # type: ignore[arg-type]
        assert text == datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ")
