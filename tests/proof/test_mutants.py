"""Products that break one promise are caught: a judge that never finds anything proves nothing."""

import sys
from pathlib import Path

import pytest
from proof.bench import PRODUCT
from proof.faults import Plan
from proof.kills import Campaign, wage
from proof.mutants import MUTANTS
from proof.verdict import judged

QUICK = ("--rate", "500/s", "--concurrency", "8", "--timeout", "5")
ROWS = 400


def mutated(name):
    return (sys.executable, "-m", "proof.mutants", name)


def found_by_kills(name, folder):
    """What one kill midway finds; the server takes its time, so that there are rows in flight."""
    folder.mkdir()
    campaign = Campaign(kills=1, rows=160, seed=5, latency=0.2, moments=(0, 1, 0), product=mutated(name))
    return wage(campaign, folder, workers=1)


@pytest.mark.parametrize("name", ["intent_after_send", "window_not_written", "not_announced"])
def test_a_row_that_left_without_a_trace_is_found_to_be_sent_twice_after_a_kill(name, tmp_path):
    assert found_by_kills(name, tmp_path / name).twice > 0


def found(bench, name, plan):
    """The figures of one run without any kill, and what the judge saw."""
    here = bench(plan, rows=ROWS)
    here.product = PRODUCT if name is None else mutated(name)
    told = here.end(here.send(*QUICK))
    return told, here.seen, judged(told, here.seen, rows=ROWS, concurrency=8)


LOST_ANSWERS = Plan(rows={100: ["eof-after-read"], 200: ["503"], 300: ["400"]})
ASKED_TO_WAIT = Plan(rows={50: ["429-later"]})


def test_the_product_as_it_is_passes_what_its_mutants_do_not(bench):
    _, seen, figures = found(bench, None, LOST_ANSWERS)
    assert figures.faults == ()
    assert figures.ambiguous == 2
    assert seen.twice == []


@pytest.mark.parametrize("name", ["everything_retried", "repeated_by_the_client"])
def test_a_row_repeated_without_the_users_word_is_found(bench, name):
    _, seen, figures = found(bench, name, LOST_ANSWERS)
    assert set(seen.twice) & {100, 200}
    assert figures.twice > 0


def test_a_refused_row_that_is_not_told_is_found(bench):
    _, _, figures = found(bench, "refusals_untold", LOST_ANSWERS)
    assert any("300" in fault for fault in figures.faults)


def test_senders_that_do_not_wait_when_asked_to_are_found(bench):
    """Those who do wait stay below this bound: see the faults."""
    _, seen, _ = found(bench, "retry_after_ignored", ASKED_TO_WAIT)
    assert seen.hurried > 2 * 8


def test_a_redirect_that_is_followed_is_found(bench, judge):
    before = judge.ask("elsewhere")["visits"]
    here = bench(Plan(rows={10: ["307"]}), rows=20)
    here.product = mutated("redirects_followed")
    told = here.end(here.send(*QUICK))
    assert judge.ask("elsewhere")["visits"] == [*before, "/elsewhere"]
    assert told.summary["stopped_by"] != "destination"


def test_every_mutant_is_tried():
    text = Path(__file__).read_text("utf-8")
    assert [name for name in MUTANTS if f'"{name}"' not in text] == []
