"""Each vendor's export becomes Hackle events by its preset alone."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import replay
from replay.errors import MappingError
from replay.mapping import Mapping, presets
from replay.pipeline import as_read, check_job, find_stored, make_job, preview
from replay.settings import ReadSettings

EXAMPLES = Path(__file__).parent / "examples"
TIME = "2024-03-01T04:05:05.900Z"
SEGMENT = {
    "event": {
        "key": "Report Submitted",
        "properties": {
            "messageId": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
            "revenue": 39.95,
            "label": "보고서",
            "originalTime": "2015-12-10T04:08:31.905Z",
        },
    },
    "user": {
        "userId": "97980cfea0067",
        "deviceId": "507f191e810c19729de860ea",
        "properties": {"grade": "GOLD"},
    },
}
EVENTS: list[tuple[str, str, list[Any]]] = [
    (
        "amplitude",
        "amplitude.jsonl",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "insertId": "5f2c6e1a",
                        "product": "커피",
                        "amount": 32000,
                        "coupon": "0010",
                        "originalTime": TIME,
                    },
                },
                "user": {
                    "userId": "00123",
                    "deviceId": "b7d0a1c2-0000-4000-8000-000000000001",
                    "properties": {"grade": "GOLD", "age": 34},
                },
            },
            {
                "event": {
                    "key": "[Amplitude] Page Viewed",
                    "properties": {"insertId": "5f2c6e1a", "originalTime": TIME},
                },
                "user": {
                    "deviceId": "b7d0a1c2-0000-4000-8000-000000000001",
                    "properties": {"grade": "GOLD", "age": 34},
                },
            },
        ],
    ),
    (
        "mixpanel",
        "mixpanel.jsonl",
        [
            {
                "event": {
                    "key": "Signed up",
                    "properties": {
                        "insertId": "hpuDqcvpltpCjBsebtxwadtEBDnFAdycabFb",
                        "plan": "프로",
                        "amount": 12.5,
                        "originalTime": "2020-10-13T17:48:31Z",
                    },
                },
                "user": {"userId": "00123", "deviceId": "dev-1", "identifiers": {"distinctId": "00123"}},
            },
            {
                "event": {
                    "key": "Purchase",
                    "properties": {
                        "insertId": "jajcebutltmvhbbholfhxtCcycwnBjDtndha",
                        "originalTime": "2020-10-15T18:38:41Z",
                    },
                },
                "user": {"deviceId": "dev-2", "identifiers": {"distinctId": "$device:dev-2"}},
            },
        ],
    ),
    ("segment", "segment.jsonl", [SEGMENT]),
    ("segment", "segment.json.gz", [SEGMENT]),
    (
        "segment-warehouse",
        "segment_tracks.csv",
        [
            {
                "event": {
                    "key": "Report Submitted",
                    "properties": {
                        "messageId": "022bb90c",
                        "context_library_name": "analytics.js",
                        "context_device_id": "B5372DB0",
                        "originalTime": "2015-12-10T04:08:31.905Z",
                    },
                },
                "user": {"userId": "97980cfea0067", "deviceId": "507f191e"},
            }
        ],
    ),
    (
        "rudderstack",
        "rudderstack.jsonl",
        [
            {
                "event": {
                    "key": "Product Reviewed",
                    "properties": {
                        "messageId": "m-1",
                        "review_id": "86ac1cd43",
                        "rating": 3.0,
                        "originalTime": TIME,
                    },
                },
                "user": {"userId": "00123", "deviceId": "dev-1", "properties": {"grade": "GOLD"}},
            }
        ],
    ),
    (
        "ga4",
        "ga4_bigquery.jsonl",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "ga_session_id": 1709265900,
                        "value": 32000.0,
                        "currency": "KRW",
                        "page_location": "https://shop.example/?a=1&b=2",
                        "originalTime": TIME,
                    },
                },
                "user": {
                    "userId": "00123",
                    "deviceId": "1234567890.1709265900",
                    "properties": {"grade": "GOLD"},
                },
            }
        ],
    ),
    (
        "posthog",
        "posthog_batch_export.jsonl",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "uuid": "018df8a0-0000-7000-8000-000000000001",
                        "amount": 32000,
                        "product": "커피",
                        "$current_url": "https://shop.example/",
                        "originalTime": TIME,
                    },
                },
                "user": {"userId": "00123", "deviceId": "dev-1", "properties": {"grade": "GOLD"}},
            }
        ],
    ),
    (
        "posthog",
        "posthog_ui.csv",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "uuid": "018df8a0",
                        "amount": 32000,
                        "product": "커피",
                        "originalTime": TIME,
                    },
                },
                "user": {"userId": "00123"},
            }
        ],
    ),
    (
        "appsflyer",
        "appsflyer_in_app_events.csv",
        [
            {
                "event": {
                    "key": "af_purchase",
                    "properties": {
                        "eventTime": "2024-03-01 04:05:05",
                        "revenue": 32000,
                        "currency": "KRW",
                        "platform": "ios",
                        "af_revenue": "32000",
                        "af_content_id": "0010",
                    },
                },
                "user": {"userId": "00123", "deviceId": "1707053358481-2071216"},
            },
            {
                "event": {
                    "key": "dashboard_visit",
                    "properties": {
                        "eventTime": "2024-03-01 04:05:05",
                        "revenue": 32000,
                        "currency": "KRW",
                        "platform": "ios",
                    },
                },
                "user": {"deviceId": "1707053358481-2071216"},
            },
        ],
    ),
    (
        "heap",
        "heap.csv",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "eventId": "6035729184402345678",
                        "library": "web",
                        "platform": "Web",
                        "device_type": "Desktop",
                        "country": "South Korea",
                        "path": "/cart",
                        "amount": "32000",
                        "originalTime": "2024-03-01T04:05:05Z",
                    },
                },
                "user": {
                    "userId": "user@example.com",
                    "identifiers": {
                        "heapUserId": "4881234567890123456",
                        "sessionId": "770123456789012345",
                    },
                },
            }
        ],
    ),
    (
        "braze",
        "braze_custom_http.jsonl",
        [
            {
                "event": {
                    "key": "purchase",
                    "properties": {
                        "eventId": "f47ac10b",
                        "platform": "android",
                        "amount": 32000,
                        "originalTime": "2024-03-01T04:05:05Z",
                    },
                },
                "user": {
                    "userId": "00123",
                    "deviceId": "dev-1",
                    "identifiers": {"brazeUserId": "639a35d1"},
                },
            }
        ],
    ),
]


def sent(path: Path, mapping: Mapping) -> list[Any]:
    """The events of a file that is clean by its mapping."""
    read = as_read(mapping, ReadSettings())
    job = make_job(find_stored([path], read, path.parent), mapping, read)
    found = check_job(job)
    assert found.rows["invalid"] == 0, [problem.as_dict() for problem in found.problems]
    return [json.loads(body) for body in preview(job, 1000).bodies]


AMPLITUDE = next(events for _, file, events in EVENTS if file == "amplitude.jsonl")
EVENTS.append(("amplitude", "amplitude_export.zip", AMPLITUDE))


@pytest.mark.parametrize(("name", "file", "events"), EVENTS, ids=[file for _, file, _ in EVENTS])
def test_an_export_becomes_events_by_its_preset_alone(name: str, file: str, events: list[Any]) -> None:
    assert sent(EXAMPLES / file, Mapping.preset(name)) == events


def test_snowplow_events_find_their_columns_and_the_members_of_their_json() -> None:
    (event,) = sent(EXAMPLES / "snowplow_enriched.tsv", Mapping.preset("snowplow"))
    assert event["event"]["key"] == "purchase"
    assert event["event"]["properties"] == {
        "eventId": "c6ef3124-b53a-4b13-a233-0088f79dcbcb",
        "appId": "shop",
        "platform": "web",
        "pageTitle": '커피 "라떼"',
        "amount": 32000,
        "product": "커피",
        "originalTime": "2024-03-01T04:05:05.950Z",
    }
    assert event["user"] == {
        "userId": "00123",
        "deviceId": "bc2e92ec6c204a14",
        "identifiers": {"networkUserId": "ecdff4d0"},
    }


def test_records_of_the_apis_own_shape_go_out_as_they_are_by_its_preset(tmp_path: Path) -> None:
    event = {
        "event": {"key": "k", "value": 1.5, "properties": {"a": [1, 2], "b": True}},
        "user": {"userId": "u", "id": "i", "identifiers": {"x": "y"}, "properties": {"age": 30}},
    }
    only = {"event": {"key": "k"}, "user": {"deviceId": "d"}}
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, (event, only))), "utf-8")
    assert sent(file, Mapping.preset("hackle")) == [event, only]


def test_person_properties_may_be_a_text_of_json(tmp_path: Path) -> None:
    (line,) = (EXAMPLES / "posthog_batch_export.jsonl").read_text("utf-8").splitlines()
    record = json.loads(line)
    record["properties"] = json.dumps(record["properties"])
    record["person_properties"] = json.dumps(record["person_properties"])
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(record), "utf-8")
    expected = next(events for _, name, events in EVENTS if name == "posthog_batch_export.jsonl")
    assert sent(file, Mapping.preset("posthog")) == expected


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_a_mapping_file_like_any_other_and_says_what_it_is_for(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(presets.text(name), "utf-8")
    mapping = Mapping.load(file)
    assert Mapping.parse(mapping.document(), "again") == mapping
    assert presets.about(name)
    assert tomllib.loads(presets.text(name))["event"]["key"]


def test_a_preset_that_is_not_there_is_refused_with_near_matches() -> None:
    with pytest.raises(MappingError, match="did you mean 'amplitude'"):
        replay.Mapping.preset("amplitud")


def test_a_preset_given_as_a_mapping_file_says_how_to_get_the_file() -> None:
    with pytest.raises(MappingError, match=r"replay map --preset ga4 -o ga4\.toml"):
        Mapping.load("ga4")
