"""What a report says of a run: one sentence that is true, counts that add up, commands that help."""

import pytest

from replay.report import Course, Example, ToldRun
from replay.report.story import FAILED, OUTCOMES, REASONS_SHOWN, groups, standing, steps, tone, verdict


def told(state="finished", standing="", stopped_by=None, reasons=(), examples=None, **rows):
    counts = {name: rows.get(name, 0) for name in OUTCOMES}
    summary = {
        "run": "r1",
        "state": state,
        "stopped_by": stopped_by,
        "rows": {"read": sum(counts.values()), **counts},
        "reasons": list(reasons),
    }
    return ToldRun(
        summary=summary,
        record={},
        course=Course(),
        typed="r1",
        standing=standing,
        examples=examples or {},
    )


@pytest.mark.parametrize(
    ("run", "words", "colour"),
    [
        (told(delivered=300), "All 300 rows were delivered.", "good"),
        (told(delivered=1), "The one row was delivered.", "good"),
        (told(), "There was no row to send.", "good"),
        (
            told(delivered=200, skipped=100),
            "All 200 rows to send were delivered; 100 were left out on purpose.",
            "good",
        ),
        (told(skipped=8), "Nothing was sent: all 8 rows were left out on purpose.", "good"),
        (
            told(delivered=278, rejected=22),
            "278 of 300 rows were delivered; 22 did not get through.",
            "mixed",
        ),
        (
            told(delivered=1, ambiguous=3, exhausted=1),
            "1 of 5 rows was delivered; 4 did not get through, of which 3 may have arrived all the same.",
            "mixed",
        ),
        (
            told("stopped", stopped_by="auth", delivered=1, pending=4),
            "The run stopped because the API key was refused: 1 of 5 rows was delivered, 4 are pending.",
            "bad",
        ),
        (
            told("interrupted", "killed", delivered=2, ambiguous=1, pending=1),
            "The run was killed: 2 of 4 rows were delivered, 1 is pending.",
            "bad",
        ),
        (
            told("running", "live", delivered=2, pending=2),
            "Still running: 2 of 4 rows were delivered so far, 2 to go.",
            "open",
        ),
    ],
)
def test_the_verdict_is_one_true_sentence(run, words, colour):
    assert (verdict(run), tone(run)) == (words, colour)


def test_what_to_do_is_what_is_left_to_do():
    assert steps(told(delivered=5)) == []
    assert [step.command for step in steps(told("stopped", delivered=1, pending=4))] == ["replay resume r1"]
    assert [step.command for step in steps(told(rejected=1, ambiguous=2))] == [
        "replay resend r1",
        "replay settle r1 --as delivered",
        "replay settle r1 --as undelivered",
        "replay resend r1 --only ambiguous",
    ]
    assert [step.command for step in steps(told("running", "live", pending=4))] == ["replay report r1"]


def test_reasons_are_told_the_commonest_first_and_the_rest_in_one_line():
    reasons = [
        {"outcome": "rejected", "status": 400, "reason": f"reason {number}", "rows": 100 - number}
        for number in range(50)
    ]
    skips = [{"outcome": "skipped", "status": None, "reason": "limit", "rows": 7}]
    run = told(reasons=skips + reasons, rejected=sum(reason["rows"] for reason in reasons), skipped=7)
    found = groups(run)
    assert len(found) == REASONS_SHOWN + 1
    assert sum(group.rows for group in found) == run.rows["rejected"]
    assert "30 other reasons" in found[-1].reason
    assert sum(run.rows[name] for name in FAILED) == run.failed


def test_the_examples_of_a_reason_stand_with_it():
    one = {"outcome": "rejected", "status": 400, "reason": "no", "rows": 1}
    known = {("rejected", 400, "no"): [Example("rows.csv", 3, (("a", "1"),))]}
    (group,) = groups(told(reasons=[one], examples=known, rejected=1))
    assert group.examples == known["rejected", 400, "no"]


def test_the_state_is_told_with_its_cause():
    assert standing(told("stopped", stopped_by="outage")) == "stopped by outage"
    assert standing(told("interrupted", "killed")) == "killed"
