from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mapping.chunks import assigned

from replay.errors import MappingError
from replay.mapping import Mapping
from replay.mapping.fieldmap import body_part
from replay.mapping.fields import Column, Constant
from replay.mapping.stars import Star
from replay.mapping.timing import Time

if TYPE_CHECKING:
    from pathlib import Path

FULL = """
[event]
key = "event_name"
value = "amount:number"
[event.properties]
paymentMethod = "payment_method"
source = { const = "backfill" }
'utm\\.source' = "utm"
"*" = "*"
[user]
userId = "user_id"
id = "old_id"
[user.identifiers]
sessionId = 'session\\.id'
[user.properties]
grade = { column = "grade", default = "NONE" }
age = { column = "age", type = "number", default = 0 }
tags = { const = ["a", 1, true] }
[time]
column = "ts"
timezone = "Asia/Seoul"
property = "originalTime"
[rules]
event-key-charset = "error"
"""


def load(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return Mapping.load(path)


def test_a_mapping_file_says_what_stands_behind_each_target(tmp_path: Path) -> None:
    mapping = load(tmp_path, FULL)
    assert mapping.fields["event", "key"] == Column("event_name")
    assert mapping.fields["event", "properties", "source"] == Constant("backfill")
    assert mapping.fields["event", "properties", "utm.source"] == Column("utm")
    assert mapping.fields["event", "properties", "*"] == Star()
    assert mapping.fields["user", "properties", "age"] == Column("age", "number", 0)
    assert mapping.time == Time("ts", timezone="Asia/Seoul", property="originalTime")
    assert mapping.rules == {"event-key-charset": "error"}


def test_the_document_of_a_mapping_parses_to_an_equal_one(tmp_path: Path) -> None:
    mapping = load(tmp_path, FULL).with_set(["event.properties.x=@1", r"user.identifiers.a\.b=c:string"])
    again = Mapping.parse(mapping.document(), "run.toml")
    assert again == mapping
    assert list(again.document()["event"]["properties"]) == list(mapping.document()["event"]["properties"])


def test_a_byte_order_mark_before_the_mapping_is_read_over(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + FULL).fields["event", "key"] == Column("event_name")


def test_an_empty_mapping_names_nothing() -> None:
    assert Mapping.empty().document() == {}
    assert Mapping.parse({}, "m") == Mapping.empty()


def test_an_assignment_wins_over_the_file(tmp_path: Path) -> None:
    mapping = load(tmp_path, FULL).with_set(["event.key=@purchase", "user.userId=uid"])
    assert mapping.fields["event", "key"] == Constant("purchase")
    assert mapping.fields["user", "userId"] == Column("uid")
    assert mapping.fields["event", "value"] == Column("amount:number")


def test_the_last_of_two_assignments_to_a_target_wins() -> None:
    assert assigned("event.key=a", "event.key=b").fields == {("event", "key"): Column("b")}


@pytest.mark.parametrize(
    ("assignment", "target", "source"),
    [
        ("event.key=event_name", ("event", "key"), Column("event_name")),
        ("event.key=@purchase", ("event", "key"), Constant("purchase")),
        ("event.properties.*=*", ("event", "properties", "*"), Star()),
        ("event.properties.amount=amount:number", ("event", "properties", "amount"), Column("amount:number")),
        (r"event.properties.a\.b=x=y", ("event", "properties", "a.b"), Column("x=y")),
        ("event.value=@12.5", ("event", "value"), Constant(12.5)),
    ],
)
def test_an_assignment_says_the_same_as_a_line_of_the_file(
    assignment: str, target: tuple[str, ...], source: Any
) -> None:
    assert assigned(assignment).fields == {target: source}


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("event.key", "write TARGET=SOURCE"),
        ("event.key=", "write TARGET=SOURCE"),
        ("user.userID=x", "did you mean 'user.userId'"),
        ("evnt.key=x", "did you mean 'event.key'"),
        ("event.properties=x", "no target of the API"),
        ("event.properties.=x", "no target of the API"),
        ("event.properties.a.b=x", r"write event.properties.a\.b"),
        ("event.properties.a=*", "stands for every other column"),
        ("event.properties.*=a", "stands for every other column"),
        ("event.key=_replay_id", "never data"),
        ("event.value=@a", "no number"),
    ],
)
def test_an_assignment_that_cannot_be_meant_is_refused_in_words(assignment: str, says: str) -> None:
    with pytest.raises(MappingError) as error:
        assigned(assignment)
    assert says in str(error.value)
    assert "--set" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[event]\nkey = \n", "line 2"),
        ("[evnt]\nkey = 'a'", "did you mean 'event'?"),
        ("[event]\nkye = 'a'", "did you mean 'key'?"),
        ("[user]\nuser_id = 'a'", "did you mean 'userId'?"),
        ("[user]\nUserId = 'a'", "case counts"),
        ("event = 'a'", "[event]: 'a' is no table"),
        ("[event]\nproperties = 'a'", "[event.properties]: 'a' is no table"),
        ("[event]\nkey = 5", "{ const = … }"),
        ("[event]\nkey = ''", "no column's name"),
        ("[event.properties]\n'' = 'a'", "an empty name"),
        ("[event.properties.a]\nb = 'c'", "no nested properties"),
        ("[event.properties]\na.b = 'c'", "'a\\.b'"),
        ("[event.properties]\na = { colum = 'b' }", "did you mean 'column'?"),
        ("[event.properties]\na = { column = 'b', typ = 'number' }", "did you mean 'type'?"),
        ("[event.properties]\na = { column = 'b', type = 'numbr' }", "did you mean 'number'?"),
        ("[event.properties]\na = { column = 5 }", "5 is no column's name"),
        ("[event.properties]\na = { const = 1, default = 2 }", "default is unknown"),
        ("[event.properties]\na = { const = nan }", "a finite number"),
        ("[event.properties]\na = { const = 2024-01-01 }", "a finite number"),
        ("[event.properties]\na = { column = 'b', default = { c = 1 } }", "a finite number"),
        ("[event]\nkey = { const = 1.5 }", "the API takes a text here"),
        ("[event]\nvalue = { const = '1' }", "the API takes a number here"),
        ("[event]\nvalue = { column = 'a', default = true }", "the API takes a number here"),
        ("[event]\nkey = '_replay_id'", "never data"),
        ("[event]\nkey = '*'", "stands for every other column"),
        ("[time]\ncolumn = 'a'\nzone = 'UTC'", "zone is unknown"),
        ("[time]\nunit = 's'", "names no column"),
        ("[time]\ncolumn = 'a'\nunit = 'sec'", "none of s, ms, us"),
        ("[time]\ncolumn = 'a'\nunit = 5", "5 is no text"),
        ("[time]\ncolumn = 'a'\nunit = 's'\nformat = '%Y'", "exclude each other"),
        ("[time]\ncolumn = 'a'\nunit = 's'\ntimezone = 'UTC'", "Remove timezone"),
        ("[time]\ncolumn = 'a'\nformat = '%Y %Z'", "Use %z"),
        ("[time]\ncolumn = 'a'\ntimezone = 'Asia/Soul'", "did you mean 'Asia/Seoul'"),
        ("[time]\ncolumn = 'a'\ntimezone = '../UTC'", "no zone of the IANA database"),
        ("[time]\ncolumn = '_replay_row'", "never data"),
        ("time = 5", "no table"),
        ("[rules]\nevent-key-charset = 'eror'", "error, warning, off"),
        ("rules = 5", "no table"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place_and_what_was_meant(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(MappingError) as error:
        load(tmp_path, text)
    assert says in str(error.value)
    assert "mapping.toml" in str(error.value)


def test_a_missing_file_says_how_to_draft_one(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"cannot be read .* replay map SOURCE -o"):
        Mapping.load(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_bytes('[event]\nkey = "이름"'.encode("cp949"))
    with pytest.raises(MappingError, match="save the file as UTF-8"):
        Mapping.load(path)


def test_an_integer_constant_where_the_api_takes_text_becomes_its_digits() -> None:
    mapping = Mapping.parse({"user": {"identifiers": {"group": {"const": 7}}}}, "m")
    assert mapping.fields["user", "identifiers", "group"] == Constant("7")


def test_what_makes_a_body_is_events_users_times_and_the_texts_that_count_as_absent() -> None:
    body = {"event": {"key": "e"}, "user": {"userId": "u"}, "time": {"column": "t"}}
    rest = {"where": [{"column": "a"}], "rules": {"x": "off"}, "dedupe": {"by": ["i"]}}
    assert body_part({**body, **rest, "source": {"encoding": "cp949"}}) == body
    assert body_part({**body, "source": {"absent": ["-"]}}) == {**body, "absent": ["-"]}
