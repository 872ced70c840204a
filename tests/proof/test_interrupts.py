"""Ctrl-C and SIGTERM midway: what is in flight is finished, and going on sends exactly the rest."""

import signal

import pytest
from proof.faults import Plan
from proof.verdict import judged


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_run_stopped_by_hand_leaves_nothing_in_doubt_and_resume_sends_exactly_the_rest(bench, number):
    here = bench(Plan(latency=0.05), rows=900)
    process = here.send("--rate", "600/s", "--concurrency", "16")
    here.until(process, rows=250)
    process.send_signal(number)
    stopped = here.end(process)
    seen = here.seen
    assert stopped.code == 130
    assert stopped.summary["state"] == "interrupted"
    assert stopped.rows["ambiguous"] == 0
    assert stopped.rows["delivered"] == len(seen.attempts) >= 250
    assert stopped.rows["pending"] == 900 - len(seen.attempts) > 0

    ended = here.end(here.resume("--rate", "none"))
    figures = judged(ended, here.seen, rows=900)
    assert figures.faults == ()
    assert (ended.code, figures.delivered, here.seen.reads) == (0, 900, 900)
