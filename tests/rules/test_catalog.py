from __future__ import annotations

import pytest

from replay.errors import UsageError
from replay.rules import RULES, parse_rule_option, severities

ERRORS = [
    "row-unreadable", "row-fields", "cast-failed", "time-unreadable", "event-key-missing", "user-missing",
    "value-not-number", "type-wrong", "number-not-finite",
]  # fmt: skip
WARNINGS = [
    "event-key-too-long", "event-key-charset", "event-key-reserved",
    "identifier-too-long", "identifier-blank", "identifier-name-too-long", "user-id-deprecated",
    "properties-too-many", "property-name-too-long", "property-name-blank", "property-name-case",
    "property-reserved", "string-too-long", "number-digits", "value-nested", "array-element",
    "field-unknown", "time-out-of-order",
]  # fmt: skip


def test_the_rules_are_those_promised_in_their_order_and_severity() -> None:
    assert list(RULES) == [*ERRORS, *WARNINGS, "row-duplicate"]
    assert [RULES[rule].severity for rule in ERRORS] == ["error"] * len(ERRORS)
    assert [RULES[rule].severity for rule in WARNINGS] == ["warning"] * len(WARNINGS)
    assert RULES["row-duplicate"].severity == "off"


def test_every_rule_says_what_it_allows_who_says_so_and_what_to_do() -> None:
    for rule in RULES.values():
        assert rule.limit
        assert rule.advice
        assert rule.origin in ("HTTP", "DOC", "SDK", "ours")


def test_later_severities_win() -> None:
    made = severities({"string-too-long": "error", "number-digits": "off"}, {"string-too-long": "off"})
    assert made["string-too-long"] == "off"
    assert made["number-digits"] == "off"
    assert made["value-nested"] == "warning"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("event-key-charset=error", ("event-key-charset", "error")),
        ("user-missing=warning", ("user-missing", "warning")),
        ("row-duplicate=warning", ("row-duplicate", "warning")),
        ("cast-failed=error", ("cast-failed", "error")),
    ],
)
def test_an_option_names_a_rule_and_its_severity(option: str, expected: tuple[str, str]) -> None:
    assert parse_rule_option(option) == expected


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("event-key-charset", "write ID=error|warning|off"),
        ("event-key-charset=fatal", "write ID=error|warning|off"),
        ("event-key-charste=off", "Did you mean event-key-charset"),
        ("xyz=off", "See: replay rules"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_in_words(option: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_rule_option(option)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "rule", ["row-unreadable", "row-fields", "cast-failed", "type-wrong", "number-not-finite"]
)
def test_a_row_of_which_no_request_can_be_built_stays_invalid(rule: str) -> None:
    with pytest.raises(UsageError, match="no request can be built"):
        parse_rule_option(f"{rule}=off")
    with pytest.raises(UsageError, match="no request can be built"):
        severities({rule: "warning"})


def test_an_unknown_rule_of_a_mapping_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match="Did you mean string-too-long"):
        severities({"string-to-long": "off"})
