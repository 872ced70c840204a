"""A destination that goes away for seconds, and one that is slow and asks for patience."""

import time

from proof.faults import Plan
from proof.verdict import judged, out_of_order

OUTAGE_SECONDS = 5.0


def test_an_outage_of_five_seconds_costs_no_row_but_those_that_were_in_flight(bench):
    here = bench(Plan(latency=0.02), rows=4_000)
    process = here.send("--rate", "1000/s", "--concurrency", "32", "--timeout", "5")
    here.until(process, rows=1_500)
    here.judge.ask("down")
    time.sleep(OUTAGE_SECONDS)
    here.judge.ask("up")
    told = here.end(process)
    # Like a kill, a server that breaks off leaves requests in the sockets that nobody ever saw.
    figures = judged(told, here.seen, rows=4_000, kills=1, concurrency=32)
    assert figures.faults == ()
    assert figures.delivered + figures.ambiguous == 4_000
    assert figures.ambiguous <= 2 * 32


def test_each_users_rows_arrive_in_order_while_many_are_in_flight(bench):
    shares = {"429-now": 0.001, "429-alone": 0.0005, "408": 0.0005}
    here = bench(Plan(seed=3, shares=shares, latency=0.1), rows=4_000, users=150)
    told = here.end(here.send("--rate", "1000/s", "--concurrency", "64", "--timeout", "5"))
    seen = here.seen
    assert judged(told, seen, rows=4_000, concurrency=64).faults == ()
    assert told.rows["delivered"] == 4_000
    assert out_of_order(seen, here.users) == []
    assert seen.most_in_flight >= 32
