"""What stands in the files is what arrives, value by value and type by type; told without our own code."""

import csv
import io
import json
import random
from decimal import Decimal

from cli.desk import Server

ROWS = 500
TEXTS = (
    "",
    "가을 재킷",
    'say "hi"',
    "two\nlines",
    "cr\rhere",
    "crlf\r\nhere",
    "00123",
    "NA",
    "null",
    "1e5",
    " x ",
    "a,b;c\td",
)
MAP = """[event]
key = "event"
value = "amount:number"
[event.properties]
n = "n:number"
memo = "memo"
zip = "zip"
auto = "auto:auto"
source = { const = "backfill" }
[user]
userId = "user"
"""


def precise(body):
    return json.loads(body, parse_float=Decimal)


def generated():
    choice = random.Random(7)
    for n in range(1, ROWS + 1):
        yield {
            "n": n,
            "event": choice.choice(("구매", "purchase", "view-item")),
            "user": f"{choice.randrange(10**19, 10**20)}",
            "amount": choice.choice(("0.1", "12345678901234567890123", "007", "-3", "", "12.50")),
            "memo": choice.choice(TEXTS),
            "zip": f"{choice.randrange(10**5):05}",
            "auto": choice.choice(("12", "007", "true", "1e5", "12345678901234567890", "")),
        }


AUTO = {"12": 12, "true": True}


def expected(row):
    """The event of a row, as its file and its mapping say it, put together by hand."""
    properties = {"n": row["n"], "zip": row["zip"], "source": "backfill"}
    if row["memo"]:
        properties["memo"] = row["memo"]
    if row["auto"]:
        properties["auto"] = AUTO.get(row["auto"], row["auto"])
    event = {"key": row["event"], "properties": properties}
    if row["amount"]:
        event["value"] = Decimal(row["amount"]) if "." in row["amount"] else int(row["amount"])
    return {"event": event, "user": {"userId": row["user"]}}


def typed(value):
    """The value with its type beside it, because 1 == True == 1.0."""
    if isinstance(value, dict):
        return {name: typed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return type(value).__name__, value


def by_number(events):
    return {event["event"]["properties"]["n"]: typed(event) for event in events}


def test_every_value_of_a_csv_arrives_as_its_mapping_says(desk):
    rows = list(generated())
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    desk.write("rows.csv", text.getvalue())
    desk.write("map.toml", MAP)
    with Server() as server:
        ended = desk.send(server)
    assert ended.code == 0, ended
    assert len(server.bodies) == ROWS
    assert by_number(map(precise, server.bodies)) == by_number(map(expected, rows))


def test_every_value_of_a_jsonl_in_the_apis_shape_arrives_as_it_stands(desk):
    choice = random.Random(8)
    values = (
        "0.1",
        "12345678901234567890123",
        "-0.5",
        "1e5",
        "1.0",
        "true",
        '"00123"',
        '["a", "b"]',
        "[1, 2.50]",
    )
    lines = [
        f'{{"event": {{"key": "구매", "value": {choice.choice(values[:5])}, "properties": {{"n": {n}, '
        f'"v": {choice.choice(values)}, "t": {json.dumps(choice.choice(TEXTS))}, "empty": ""}}}}, '
        f'"user": {{"userId": "{10**19 + n}", "identifiers": {{"session": "007"}}}}}}'
        for n in range(1, ROWS + 1)
    ]
    desk.write("rows.jsonl", "\n".join(lines))
    with Server() as server:
        ended = desk.type("send", "rows.jsonl", "--url", server.url, "--rate", "none", "--yes", "--json")
    assert ended.code == 0, ended
    assert len(server.bodies) == ROWS
    assert by_number(map(precise, server.bodies)) == by_number(map(precise, lines))


def test_the_request_is_the_documented_one(desk):
    desk.numbered(1)
    with Server() as server:
        desk.send(server)
    (request,) = server.origin.requests
    assert (request.method, request.path) == ("POST", "/v1/track")
    assert request.headers["x-hackle-api-key"] == "sdk-key-that-nobody-may-see"
    assert request.headers["content-type"] == "application/json"


def test_the_rows_of_one_user_arrive_in_their_order(desk):
    desk.csv(*(f"buy,user{n % 3},{n},m" for n in range(200)))
    with Server() as server:
        assert desk.send(server).code == 0
    for user in range(3):
        values = [e["event"]["value"] for e in server.events if e["user"]["userId"] == f"user{user}"]
        assert values == sorted(values) and values


def test_the_time_of_a_row_travels_as_a_property_in_utc(desk):
    desk.write("rows.csv", "event,user,ts\nbuy,u,2025-09-01T09:00:00\n")
    desk.write(
        "map.toml",
        '[event]\nkey = "event"\n[user]\nuserId = "user"\n'
        '[time]\ncolumn = "ts"\ntimezone = "Asia/Seoul"\nproperty = "at"\n',
    )
    with Server() as server:
        assert desk.send(server).code == 0
    assert server.events[0]["event"]["properties"]["at"].startswith("2025-09-01T00:00:00")
