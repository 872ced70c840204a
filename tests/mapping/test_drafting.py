"""A draft proposes a place and a type for each column, says why, and never guesses."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import records, table

from replay.mapping import Mapping, bind
from replay.mapping.drafting import Scan, drafted, names, recognise
from replay.settings import ReadSettings

if TYPE_CHECKING:
    from replay.records import Chunk


def draft(*chunks: Chunk, read: ReadSettings | None = None) -> str:
    scan = Scan()
    for chunk in chunks:
        scan.begin(chunk.kind, chunk.header)
        scan.add(chunk)
    text = drafted(scan, "Drafted in a test.", read or ReadSettings()).text
    mapping = Mapping.parse(tomllib.loads(text), "the draft")
    for chunk in chunks:
        if mapping.fields:
            bound = bind(mapping, chunk.kind, chunk.header, "events", chunk.frame)
            bound.apply(chunk)
            assert bound.unseen() == {}
    return text


def notes(chunk: Chunk) -> str:
    scan = Scan()
    scan.begin(chunk.kind, chunk.header)
    scan.add(chunk)
    return "\n".join(drafted(scan, "", ReadSettings()).notes)


def line(text: str, begins: str) -> str:
    """The one line that begins so, its spaces made one."""
    (found,) = [row for row in text.splitlines() if row.startswith(begins)]
    return " ".join(found.split())


def of_column(name: str, *cells: str) -> str:
    """The line that a column of these cells gets."""
    text = draft(table([name, "userId"], *[[cell, f"u{n}"] for n, cell in enumerate(cells)]))
    return line(text, f"{name} =")


@pytest.mark.parametrize(
    ("header", "event", "user", "device"),
    [
        (["event_name", "user_id", "device_id"], "event_name", "user_id", "device_id"),
        (["Event Name", "User ID", "Device ID"], "Event Name", "User ID", "Device ID"),
        (["eventName", "memberNo", "anonymousId"], "eventName", "memberNo", "anonymousId"),
        (["이벤트명", "회원번호", "기기ID"], "이벤트명", "회원번호", "기기ID"),
        (["이벤트", "사용자ID", "디바이스 아이디"], "이벤트", "사용자ID", "디바이스 아이디"),
        (["행동", "고객 번호", "단말기ID"], "행동", "고객 번호", "단말기ID"),
        (["{event_name}", "[user_id]", "{adid}"], "{event_name}", "[user_id]", "{adid}"),
    ],
)
def test_names_in_english_and_korean_find_their_places(
    header: list[str], event: str, user: str, device: str
) -> None:
    mapping = Mapping.parse(tomllib.loads(draft(table(header, ["a", "1", "d"]))), "m").document()
    assert mapping["event"]["key"] == event
    assert (mapping["user"]["userId"], mapping["user"]["deviceId"]) == (user, device)


def test_what_tells_of_the_user_and_of_the_session_goes_there() -> None:
    text = draft(
        table(["이벤트", "회원번호", "등급", "나이", "세션ID", "금액"], ["a", "1", "VIP", "30", "s", "5"])
    )
    document = tomllib.loads(text)
    assert document["user"]["properties"] == {"등급": "등급", "나이": "나이:number"}
    assert document["user"]["identifiers"] == {"sessionId": "세션ID"}
    assert document["event"]["properties"] == {"금액": "금액:number"}


@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("amount", ["1", "2.5", "-3", ""], 'amount = "amount:number" # 3 numbers'),
        ("amount", ["1", "007", "05"], 'amount = "amount" # 3 numbers; 2 with 0 in front, so string'),
        ("ref", ["1", "1234567890123456"], "1 of more than 15 digits, so string"),
        ("order_id", ["1", "2"], "2 numbers, but by its name an id or a code, so string"),
        ("amount", ["1", "2", "none"], "2 numbers and 1 other texts, so string"),
        ("ok", ["true", "FALSE"], 'ok = "ok:boolean"'),
        ("is_vip", ["1", "0"], 'is_vip = "is_vip:boolean"'),
        ("clicks", ["1", "0"], 'clicks = "clicks:number"'),
        ("amount", ["32,000", "500"], 'type = "number", format = "1,234" }'),
        ("amount", ["32,000", "500"], 'if the comma is a decimal point, write format = "0,123"'),
        ("amount", ["32,000.5", "500"], 'format = "1,234.56" }'),
        ("amount", ["1.234,56", "0,61"], 'format = "1.234,56" }'),
        ("amount", ["0,61", "12"], 'format = "0,61" }'),
        ("amount", ["1,234", "0,61"], "written in several ways, so string"),
        ("plan", ["a", "b", "a"], 'plan = "plan" # 3 texts, 2 different'),
    ],
)
def test_a_type_is_proposed_where_every_value_is_of_it_and_the_evidence_is_told(
    name: str, cells: list[str], says: str
) -> None:
    assert says in of_column(name, *cells)


@pytest.mark.parametrize(
    ("name", "cell", "what"),
    [
        ("contact", "kim@example.com", "an e-mail address"),
        ("memo", "900101-1234567", "a resident number"),
        ("memo", "010-1234-5678", "a phone number"),
        ("memo", "01012345678", "a phone number"),
        ("연락처", "x", "a phone number"),
        ("배송지", "x", "an address"),
        ("주민등록번호", "x", "a resident number"),
        ("성함", "x", "a person's name"),
        ("Billing Name", "x", "a person's name"),
        ("first_name", "x", "a person's name"),
        ("ip", "x", "an IP address"),
    ],
)
def test_personal_data_is_left_out_until_a_person_takes_it_in(name: str, cell: str, what: str) -> None:
    chunk = table(["event", "userId", name], ["a", "u", cell])
    text = draft(chunk)
    assert f"personal data: {what}" in text
    assert name not in tomllib.loads(text).get("event", {}).get("properties", {})
    assert f"{name} is left out, for it is personal data: {what}" in notes(chunk)


def test_an_address_as_user_id_is_warned_of() -> None:
    assert "is an e-mail address: send another id" in notes(
        table(["event", "user"], ["a", "kim@example.com"])
    )


def test_product_names_and_ids_are_not_taken_for_persons() -> None:
    for name in ("productName", "item_name", "campaign", "상품명", "transaction_id"):
        assert names.personal(name) is None


@pytest.mark.parametrize(
    ("cells", "table_"),
    [
        (["2024-03-01T04:05:05Z", "2024-03-01 04:05:05 +0900"], {}),
        (["1709265905", "1709265906"], {"unit": "s"}),
        (["1709265905000"], {"unit": "ms"}),
        (["1709265905000000"], {"unit": "us"}),
    ],
)
def test_a_time_that_can_be_read_as_it_stands_is_proposed(cells: list[str], table_: dict[str, str]) -> None:
    text = draft(table(["event", "ts"], *[["a", cell] for cell in cells]))
    assert tomllib.loads(text)["time"] == {"column": "ts", **table_, "property": "originalTime"}


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["2024-03-01 04:05:05"], '# timezone = "…"'),
        (["2024-03-01T04:05:05Z", "2024-03-01 04:05:05"], "1 of 2 times without a zone, and none is guessed"),
        (["2024/3/1 04:05"], '# format = "%Y/%m/%d %H:%M"'),
        (["13/02/2024 04:05"], '# format = "%d/%m/%Y %H:%M"'),
        (["02-13-2024"], '# format = "%m-%d-%Y"'),
        (["20240301130505"], '# format = "%Y%m%d%H%M%S"'),
        (["01/02/2024"], "nothing tells the day from the month"),
        (["13/02/2024", "02/13/2024"], "nothing tells the day from the month"),
        (["2024. 3. 1 오후 1:05:05", "2024-03-01"], "written in several ways"),
    ],
)
def test_a_time_that_lacks_a_word_is_commented_out_and_goes_out_as_text(cells: list[str], says: str) -> None:
    text = draft(table(["event", "ts"], *[["a", cell] for cell in cells]))
    assert says in text
    assert "time" not in tomllib.loads(text)
    assert line(text, "ts =").startswith('ts = "ts')


def test_a_name_that_says_utc_is_evidence_of_a_zone() -> None:
    text = draft(table(["event", "Created date (UTC)"], ["a", "2024-03-01 04:05:05"]))
    assert tomllib.loads(text)["time"]["timezone"] == "UTC"


def test_what_cannot_be_found_is_asked_for_in_the_draft() -> None:
    chunk = table(["colour"], ["red"])
    text = draft(chunk)
    assert "# key = " in text
    assert "# userId = " in text
    assert "write the event's key into the mapping" in notes(chunk)


def test_what_is_left_out_is_listed_with_the_reason() -> None:
    text = draft(table(["event", "x", "twice", "twice", "", "*"], ["a", "", "1", "2", "3", "4"]))
    for says in (
        "x: no value in any row",
        "twice: 2 columns have this name",
        "column 5: it has no name",
        "*: the name * stands for every other column",
    ):
        assert f"#   {says}" in text


def test_members_are_found_by_their_paths_and_pairs_and_json_texts_are_unpacked() -> None:
    record = {
        "event": "a",
        "user": {"id": "u", "grade": "GOLD"},
        "data": {"amount": 5, "tags": ["x"]},
        "params": [{"key": "k", "value": {"int_value": "5"}}],
        "items": [{"sku": 1}],
        "extra": '{"b": 1}',
        "a.b": 1,
        "_replay": {"id": "x"},
    }
    document = tomllib.loads(draft(records(record)))
    assert document["event"]["properties"] == {
        "amount": "data.amount",
        "tags": "data.tags",
        "a\\.b": "a\\.b",
        "*": [{"pairs": "params"}, "extra.*"],
    }
    assert document["user"]["properties"]["grade"] == "user.grade"
    assert "#   items: arrays of objects" in draft(records(record))


def test_unions_of_avro_are_named_by_what_holds_them() -> None:
    document = tomllib.loads(draft(records({"name": "a", "external_user_id": {"string": "u"}})))
    assert document["user"]["userId"] == "external_user_id.string"
    assert document["event"]["key"] == "name"


def test_a_column_that_some_sources_lack_is_optional() -> None:
    text = draft(table(["event", "user", "x"], ["a", "u", "1"]), table(["event", "user"], ["a", "u"]))
    assert line(text, "x =").startswith('x = { column = "x", type = "number", optional = true }')


def test_headers_that_are_the_apis_paths_say_where_they_go() -> None:
    text = draft(table(["event.key", "user.userId", "event.properties.a:number"], ["k", "u", "5"]))
    document = tomllib.loads(text)
    assert document["event"] == {
        "key": "event.key",
        "properties": {"a": {"column": "event.properties.a:number", "type": "number"}},
    }


def test_how_the_source_was_read_is_kept_in_the_draft() -> None:
    read = ReadSettings(encoding="cp949", columns=("event", "user"))
    document = tomllib.loads(draft(table(["event", "user"], ["a", "u"]), read=read))
    assert document["source"] == {"encoding": "cp949", "columns": ["event", "user"]}


@pytest.mark.parametrize(
    "record", [{"event": "a"}, {"event": {}, "user": 5}, {"type": "track"}, {"event_name": "a"}, {}]
)
def test_records_of_no_known_shape_are_not_taken_for_a_vendors(record: Any) -> None:
    assert recognise((), [record]) is None


def test_a_wide_table_is_not_taken_for_snowplows() -> None:
    assert recognise(tuple(f"c{n}" for n in range(131)), []) is None


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.sampled_from(
    ["event", "user_id", "ts", "email", "a.b", "x:number", "*", "event.key", "금액", "user", "value"]
)
CELLS = st.sampled_from(
    [
        "",
        "1",
        "007",
        "32,000",
        "0,61",
        "true",
        "2024-01-01",
        "1709265905",
        "a@b.co",
        '{"a":1}',
        "[1]",
        "텍스트",
        "\x1b[1m",
    ]
) | st.text(max_size=4)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), header=st.lists(NAMES, min_size=1, max_size=5), size=st.integers(1, 4))
def test_every_draft_of_a_table_loads_and_fits_it(data: st.DataObject, header: list[str], size: int) -> None:
    rows = data.draw(st.lists(st.tuples(*[CELLS] * len(header)), min_size=size, max_size=size))
    draft(table(header, *map(list, rows)))


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.recursive(
            st.dictionaries(NAMES, CELLS | st.integers() | st.booleans() | st.none(), max_size=4),
            lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, max_size=2) | CELLS, max_size=4),
            max_leaves=6,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_every_draft_of_records_loads_and_fits_them(rows: list[Any]) -> None:
    draft(records(*rows))


def test_the_same_data_gives_the_same_draft() -> None:
    chunk = table(["event", "user_id", "b", "a"], ["x", "1", "2", "3"])
    assert draft(chunk) == draft(chunk)
