"""What a check found, and the rules."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from replay.console.words import clean, clean_json, keys_line, print_data, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from replay.pipeline import CheckResult, Preview, RuleTally
    from replay.rules import Rule


def show_check(result: CheckResult, problems: Path | None) -> None:
    """What a check found: the broken rules, errors apart from warnings, and what comes next."""
    _show_problems("Errors: these rows are not sent", result.problems, "error")
    _show_problems("Warnings: these rows are sent", result.problems, "warning")
    rows = result.rows
    print_data(
        f"{rows['read']:,} rows read: {rows['valid']:,} can be sent "
        f"({rows['warned']:,} of them with a warning), {rows['invalid']:,} cannot"
        + (f", {result.skipped:,} are left out by [where]." if result.skipped else ".")
    )
    _show_keys_and_users(result.event_keys, result.users, result.estimates)
    if problems is not None:
        print_data(f"Every problem of every row: {clean(str(problems))}")
    elif result.problems:
        print_data("Every problem of every row, in a file: add --problems problems.csv")


def _show_problems(title: str, tallies: list[RuleTally], severity: str) -> None:
    broken = [tally for tally in tallies if tally.severity == severity]
    if not broken:
        return
    print_data(title)
    names = ("rule", "rows", "for example", "what to do")
    print_table(names, [(tally.rule, f"{tally.rows:,}", *_example(tally)) for tally in broken])


def _example(tally: RuleTally) -> tuple[str, str]:
    """The first row that breaks a rule, and what to do about it."""
    if not tally.examples:
        return "", ""
    example = tally.examples[0]
    field = f" {example.field}" if example.field else ""
    return f"row {example.row} (line {example.line}){field}: {example.value}", example.message


def _show_keys_and_users(event_keys: dict[str, int], users: int, estimates: list[str]) -> None:
    about = "about " if "users" in estimates else ""
    print_data(f"Users: {about}{users:,}. Event keys: {keys_line(event_keys, estimates)}")


def rule_dict(rule: Rule) -> dict[str, Any]:
    """A rule as `rules --json` prints it."""
    return {name: getattr(rule, name) for name in ("id", "severity", "limit", "origin", "advice")}


def show_rules(rules: Iterable[Rule]) -> None:
    """The rules as a table."""
    names = ("rule", "severity", "what it says", "from")
    print_table(names, [(rule.id, rule.severity, rule.limit, rule.origin) for rule in rules])


def show_requests(requests: Sequence[str], preview: Preview) -> None:
    """The requests of a preview, one a line: the exact bytes, but for a terminal, which some could steer."""
    for request in requests:
        print_data(clean_json(request) if sys.stdout.isatty() else request)
    if invalid := preview.passed_over - preview.elsewhere:
        say(f"{invalid} invalid rows were passed over; `replay check` says why.")
    if preview.elsewhere:
        say(f"{preview.elsewhere} rows were left out by [where].")
    if not requests:
        say("There is no row that could be sent.")


def print_requests(requests: Sequence[str], preview: Preview, *, quoted: bool) -> None:
    """The same as one JSON object; bodies stand in it as they are sent, digit for digit."""
    listed = ", ".join(json.dumps(request, ensure_ascii=False) if quoted else request for request in requests)
    print_data(clean_json(f'{{"requests": [{listed}], "passed_over": {preview.passed_over}}}'))
