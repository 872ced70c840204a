"""Masked values are not shown, whoever quotes them; what is not masked stays as it is."""

import html
import json
import re
from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.masks import Mask

EMAIL, USER, KEY = ("event", "properties", "email"), ("user", "userId"), ("event", "key")
MASK = Mask(("email",), frozenset({EMAIL, USER}), frozenset({"email"}), b"salt")


def body(email="kim@example.com", user="u-1"):
    return json.dumps(
        {"event": {"key": "buy", "properties": {"email": email}}, "user": {"userId": user}}
    ).encode()


@pytest.mark.parametrize(
    "words",
    [
        "no such mail: kim@example.com",
        "no such mail: 'KIM@Example.com'",
        'bad "kim@example.com", twice kim@example.com',
        "see /users/kim%40example.com",
        "user u-1 is unknown (kim@example.com)",
    ],
)
def test_an_answer_that_quotes_a_value_is_told_without_it(words):
    told = MASK.reason(f"400 {words}", body())
    assert told.startswith("400 ")
    assert "kim" not in told.casefold()
    assert "u-1" not in told
    assert MASK.hash("kim@example.com") in told


def test_the_status_and_other_words_stay():
    assert MASK.reason("400 the row 4001 is bad", body(user="400")) == "400 the row 4001 is bad"
    assert MASK.reason("400 user 400 is bad", body(user="400")) == f"400 user {MASK.hash('400')} is bad"
    assert MASK.reason("500", body()) == "500"


def test_a_value_that_an_answers_end_cuts_off_is_not_shown():
    words = "x" * 280 + " kim@example"
    assert MASK.reason(f"400 {words}", body()).endswith(f" {MASK.hash('kim@example.com')}")


@pytest.mark.parametrize(
    ("value", "leaves"),
    [
        ('a"b\\c', ["a", "b"]),
        ("<b>&", ["<b", "&amp"]),
        ("줄\n바꿈", ["줄", "바꿈"]),
        (["one-value", "two-value"], ["one", "two"]),
        ({"name": "inner"}, ["inner"]),
        (123456, ["123456"]),
    ],
)
@pytest.mark.parametrize(
    "spell", [str, html.escape, quote, json.dumps, partial(json.dumps, ensure_ascii=False)]
)
def test_values_are_found_however_they_are_spelled(value, leaves, spell):
    quoted = spell(value if isinstance(value, str) else json.dumps(value))
    told = MASK.reason(f"400 0 {quoted}", body(email=value)).removeprefix("400 0 ")
    told = re.sub("#[0-9a-f]{10}", "", told)
    assert not [leaf for leaf in leaves if leaf in told]


@given(st.text(st.characters(categories=("L", "N", "P")), min_size=5, max_size=60))
def test_a_quoted_value_never_stands_in_what_is_told(value):
    assert value not in MASK.reason(f"400 refused: {value}!", body(email=value))


def test_the_same_value_has_the_same_hash_and_another_salt_another():
    other = Mask(("email",), frozenset({EMAIL}), frozenset(), b"pepper")
    assert MASK.hash("12") == MASK.hash(12) != other.hash("12")
    assert MASK.hash("") == MASK.hash(None) == ""
    assert "salt" not in repr(MASK)


def test_what_stands_around_or_within_a_masked_field_is_masked():
    assert MASK.covers("event.properties.email")
    assert MASK.covers("event.properties.email.inner")
    assert MASK.covers("email")
    assert MASK.shown("event.properties", 70) == 70
    assert MASK.shown("event.properties", {"email": "kim"}) != {"email": "kim"}
    assert MASK.shown("", "a,whole,row") == MASK.hash("a,whole,row")
    assert MASK.shown("event.key", "buy") == "buy"
    assert not Mask().covers("")


class Counted(str):
    """A text that counts how many characters are taken out of it, and of what was."""

    __slots__ = ()
    taken = 0

    def __getitem__(self, place):
        part = super().__getitem__(place)
        Counted.taken += len(part)
        return Counted(part)


@pytest.mark.parametrize("letter", ["a", "가", "<", " "])
def test_a_long_value_costs_no_more_than_the_words_it_is_looked_for_in(letter):
    words = f"400 {'x' * 280} {letter * 15}"
    Counted.taken = 0
    MASK.words(words, {Counted(letter * 64_000)})
    assert Counted.taken <= len(words) ** 2


def test_a_long_value_that_is_cut_off_anywhere_is_not_shown():
    value = "".join(chr(0xAC00 + number % 11_000) for number in range(64_000))
    told = MASK.reason(f"400 no: {value}"[:300], body(email=value))
    assert told == f"400 no: {MASK.hash(value)}"
    assert MASK.reason("400 no", body(email=value)) == "400 no"


def test_values_as_deep_as_they_may_be_are_found():
    deep = "[" * 900 + '"kim@example.com"' + "]" * 900
    told = MASK.reason("400 no kim@example.com", body(email=json.loads(deep)))
    assert told == f"400 no {MASK.hash('kim@example.com')}"
