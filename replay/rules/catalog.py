"""Owns the rules as data: id, severity, limit, origin, advice; and how severities are changed."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from replay import hackle
from replay.errors import UsageError
from replay.settings import SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

Origin = Literal["HTTP", "DOC", "SDK", "ours"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what it allows, how grave a breach is unless changed, who says so, what to do about it."""

    id: str
    severity: Severity
    limit: str
    origin: Origin
    advice: str


_ALL: Final = (
    Rule("row-unreadable", "error", "a row that can be read", "ours", "mend the row in the file"),
    Rule(
        "row-fields", "error", "as many fields as the header", "ours", "mend the row, or quote its delimiters"
    ),
    Rule("cast-failed", "error", "a value that fits its type", "ours", "mend the value, or change the type"),
    Rule("time-unreadable", "error", "a time that can be read", "ours", "say how it is written under [time]"),
    Rule("event-key-missing", "error", "an event key that is not blank", "HTTP", "map event.key to a column"),
    Rule(
        "user-missing",
        "error",
        "a userId, deviceId, user.id or custom identifier that is not blank",
        "SDK",
        "map an identifier, or fill it in",
    ),
    Rule("value-not-number", "error", "event.value is a number", "HTTP", 'cast it, as in "amount:number"'),
    Rule(
        "type-wrong",
        "error",
        "the JSON type that the API names",
        "HTTP",
        "mend the value, or map another column",
    ),
    Rule("number-not-finite", "error", "a number that a double holds", "SDK", "mend the number"),
    Rule(
        "event-key-too-long",
        "warning",
        f"{hackle.EVENT_KEY_MAX} characters",
        "DOC",
        "shorten the key",
    ),
    Rule("event-key-charset", "warning", "letters, digits and _ . -", "DOC", "rename the event"),
    Rule("event-key-reserved", "warning", "no leading $", "DOC", "rename the event: $ belongs to Hackle"),
    Rule(
        "identifier-too-long",
        "warning",
        f"{hackle.IDENTIFIER_MAX} characters",
        "SDK",
        "the SDKs drop it; check the column",
    ),
    Rule(
        "identifier-blank", "warning", "not white space only", "SDK", "the SDKs drop it; leave the cell empty"
    ),
    Rule(
        "identifier-name-too-long",
        "warning",
        f"{hackle.IDENTIFIER_NAME_MAX} characters",
        "SDK",
        "shorten the identifier's name",
    ),
    Rule("user-id-deprecated", "warning", "no user.id", "HTTP", "map user.userId or user.deviceId instead"),
    Rule(
        "properties-too-many",
        "warning",
        f"{hackle.EVENT_PROPERTIES_MAX} of an event, {hackle.USER_PROPERTIES_MAX} of a user",
        "DOC",
        "map fewer; which of them are dropped is not documented",
    ),
    Rule(
        "property-name-too-long",
        "warning",
        f"{hackle.PROPERTY_NAME_MAX} characters",
        "DOC",
        "shorten the property's name",
    ),
    Rule("property-name-blank", "warning", "not white space only", "SDK", "name the property"),
    Rule(
        "property-name-case", "warning", "names that differ by more than case", "DOC", "map only one of them"
    ),
    Rule("property-reserved", "warning", "no leading $", "DOC", "rename the property: $ belongs to Hackle"),
    Rule("string-too-long", "warning", f"{hackle.STRING_MAX} characters", "DOC", "shorten it: it is dropped"),
    Rule(
        "number-digits",
        "warning",
        f"{hackle.NUMBER_INTEGER_DIGITS} integer digits and {hackle.NUMBER_DECIMALS} decimals",
        "DOC",
        "carry it as a string, or round it",
    ),
    Rule("value-nested", "warning", "no object and no null inside", "SDK", "map its members one by one"),
    Rule(
        "array-element",
        "warning",
        f"strings of at most {hackle.STRING_MAX} characters, or numbers",
        "SDK",
        "the SDKs drop the element; mend the array",
    ),
    Rule("field-unknown", "warning", "members that the API names", "HTTP", "map it as a property"),
    Rule("time-out-of-order", "warning", "no time before that of the row before it", "ours", "sort by time"),
    Rule("row-duplicate", "off", "no row that says the same as an earlier one", "ours", "remove the copy"),
)

RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in _ALL}
"""Every rule, by id, in the order in which they are shown."""

NEVER_SENT: Final = frozenset(
    {"row-unreadable", "row-fields", "cast-failed", "type-wrong", "number-not-finite"}
)
"""Rules that stay errors: of such a row no request can be built."""


def severities(*overrides: Mapping[str, Severity]) -> dict[str, Severity]:
    """The severity of every rule; later overrides win.

    Raises UsageError for an unknown rule, and for one that cannot be anything but an error.
    """
    made = {rule.id: rule.severity for rule in RULES.values()}
    for override in overrides:
        for rule, severity in override.items():
            _check(rule, severity)
            made[rule] = severity
    return made


def _check(rule: str, severity: Severity) -> None:
    if rule not in RULES:
        matches = difflib.get_close_matches(rule, RULES)
        close = f" Did you mean {' or '.join(matches)}?" if matches else ""
        raise UsageError(f"Rule {rule}: there is no such rule.{close} See: replay rules")
    if rule in NEVER_SENT and severity != "error":
        raise UsageError(
            f"Rule {rule} = {severity}: no request can be built of such a row, so it stays an error. "
            "Mend the row, or map another column."
        )


def parse_rule_option(text: str) -> tuple[str, Severity]:
    """Read `--rule ID=error|warning|off`."""
    rule, equals, severity = text.partition("=")
    if not equals or severity not in SEVERITIES:
        raise UsageError(f"--rule {text}: write ID={'|'.join(SEVERITIES)}, as in event-key-charset=error.")
    _check(rule, cast("Severity", severity))
    return rule, cast("Severity", severity)
