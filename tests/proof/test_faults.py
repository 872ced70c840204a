"""Each fault alone, end to end: what a server does to some rows, and what becomes of these and the others."""

import socket
from contextlib import contextmanager, suppress

import pytest
from proof.faults import FAULTS, MIXED, Plan
from proof.verdict import judged, judged_resent

ROWS = 40
STRUCK = (3, 17, 29)
QUICK = ("--rate", "none", "--concurrency", "8", "--timeout", "5")

STALE = "stale-keep-alive"
ACCEPTED = [name for name, fault in FAULTS.items() if fault.word == "accepted" and name != STALE]
BUSY = [name for name, fault in FAULTS.items() if fault.word == "busy"]
UNKNOWN = [name for name, fault in FAULTS.items() if fault.word == "unknown"]
ROW_REFUSED = ["400", "413", "422"]
RUN_REFUSED = {"401": "auth", "403": "auth"} | dict.fromkeys(
    ["404", "405", "410", "415", "301", "302", "307"], "destination"
)
POLICIES = {"hold": judged, "resend": judged_resent}


def struck_by(name, rows=STRUCK):
    """These rows meet a fault once; whatever comes after is answered well."""
    return Plan(rows={row: [name] for row in rows})


def run(here, policy):
    """The run and its figures."""
    told = here.type(*here.sending(*QUICK, "--on-ambiguous", policy))
    return told, POLICIES[policy](told, here.seen, rows=ROWS, concurrency=8)


def in_words(told):
    """How many rows ended how, without what is none."""
    return {name: rows for name, rows in told.rows.items() if rows and name != "read"}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_2xx_status_line_delivers_whatever_happens_to_the_body_after_it(bench, policy):
    """All that deliver at once: each strikes rows of its own."""
    plan = Plan(rows={row: [ACCEPTED[row % len(ACCEPTED)]] for row in range(2 * len(ACCEPTED))})
    here = bench(plan, rows=ROWS)
    told, figures = run(here, policy)
    assert figures.faults == ()
    assert in_words(told) == {"delivered": ROWS}
    assert here.seen.reads == ROWS


@pytest.mark.parametrize("policy", POLICIES)
def test_a_connection_closed_between_two_requests_takes_one_row_along_at_most(bench, policy):
    here = bench(struck_by(STALE), rows=ROWS)
    told, figures = run(here, policy)
    assert figures.faults == ()
    assert told.rows["delivered"] + told.rows["ambiguous"] == ROWS
    assert told.rows["ambiguous"] <= (len(STRUCK) if policy == "hold" else 0)


@pytest.mark.parametrize("name", BUSY)
def test_a_row_that_is_asked_to_come_again_comes_again_and_is_delivered_once(bench, name):
    here = bench(struck_by(name), rows=ROWS)
    told, figures = run(here, "hold")
    assert figures.faults == ()
    assert in_words(told) == {"delivered": ROWS}
    assert told.summary["retries"] == len(STRUCK)
    assert all(here.seen.words(row) == ["busy", "accepted"] for row in STRUCK)


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_row_whose_answer_is_lost_is_held(bench, name):
    here = bench(struck_by(name), rows=ROWS)
    told, figures = run(here, "hold")
    assert figures.faults == ()
    assert told.failed == dict.fromkeys(STRUCK, "ambiguous")
    assert in_words(told) == {"delivered": ROWS - len(STRUCK), "ambiguous": len(STRUCK)}
    assert here.seen.reads == ROWS


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_row_whose_answer_is_lost_is_sent_again_and_counted_if_the_user_says_so(bench, name):
    here = bench(struck_by(name), rows=ROWS)
    told, figures = run(here, "resend")
    assert figures.faults == ()
    assert in_words(told) == {"delivered": ROWS}
    assert told.summary["possible_duplicates"] == len(STRUCK)
    assert all(here.seen.words(row) == ["unknown", "accepted"] for row in STRUCK)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_connection_that_is_reset_before_anything_is_read_leaves_a_doubt(bench, policy):
    """For who sends it looks the same as one that was reset after all was read."""
    here = bench(Plan(unread_first=3), rows=ROWS)
    told, figures = run(here, policy)
    assert figures.faults == ()
    doubts = 3 if policy == "hold" else 0
    assert in_words(told) == {"delivered": ROWS - doubts} | ({"ambiguous": doubts} if doubts else {})
    assert told.summary["possible_duplicates"] == 3 - doubts
    assert here.seen.reads == ROWS - doubts


@pytest.mark.parametrize("policy", POLICIES)
def test_a_refused_row_is_rejected_and_never_sent_again(bench, policy):
    plan = Plan(rows=dict(zip(STRUCK, [[name] for name in ROW_REFUSED], strict=True)))
    here = bench(plan, rows=ROWS)
    told, figures = run(here, policy)
    assert figures.faults == ()
    assert told.failed == dict.fromkeys(STRUCK, "rejected")
    assert {reason["status"] for reason in told.summary["reasons"]} == {400, 413, 422}
    assert here.seen.reads == ROWS


@pytest.mark.parametrize(("name", "stopped_by"), RUN_REFUSED.items())
def test_a_refused_run_stops_at_once_and_goes_on_with_all_the_rest_when_mended(bench, name, stopped_by):
    here = bench(struck_by(name, rows=[20]), rows=ROWS)
    stopped = here.type(*here.sending(*QUICK))
    assert (stopped.code, stopped.summary["stopped_by"]) == (1, stopped_by)
    assert stopped.failed == {}
    assert stopped.rows["delivered"] + stopped.rows["pending"] == ROWS
    assert here.seen.reads <= 20 + 8
    assert here.judge.ask("elsewhere")["visits"] == []

    told = here.type("resume", "last", "--json")
    assert in_words(told) == {"delivered": ROWS}
    assert here.seen.words(20) == ["refused", "accepted"]
    assert here.seen.reads == ROWS + 1


def test_retry_after_holds_everybody_back(bench):
    here = bench(struck_by("429-later", rows=[30]), rows=1_000)
    told = here.type(*here.sending("--rate", "500/s", "--concurrency", "8"))
    assert in_words(told) == {"delivered": 1_000}
    assert here.seen.hurried <= 2 * 8


@pytest.mark.parametrize("policy", POLICIES)
def test_all_faults_mixed(bench, policy):
    names = [name for name, fault in FAULTS.items() if name not in RUN_REFUSED and not fault.wait]
    rows = {row: [name] for row, name in enumerate(names, 2)}
    here = bench(Plan(rows=rows, latency=0.02, unread_first=1), rows=ROWS)
    told, figures = run(here, policy)
    assert figures.faults == ()
    assert set(MIXED) - {"429-later"} <= set(names)
    assert told.rows["rejected"] == len(ROW_REFUSED)
    assert told.rows["delivered"] + told.rows["ambiguous"] == ROWS - len(ROW_REFUSED)
    if policy == "resend":
        assert told.rows["ambiguous"] == 0
        assert told.summary["possible_duplicates"] >= len(UNKNOWN)


@contextmanager
def nobody_accepts():
    """A port at which connections hang: the line is full, and nobody takes the first."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


@contextmanager
def nobody_there():
    """A port at which connections are refused."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


@pytest.mark.parametrize("absent", [nobody_there, nobody_accepts])
def test_a_destination_that_cannot_be_reached_stops_the_run_and_leaves_all_rows_pending(bench, absent):
    here = bench(Plan(), rows=ROWS)
    with absent() as port:
        url = f"http://127.0.0.1:{port}/v1/track"
        told = here.type(*here.sending(*QUICK, "--max-outage", "1", "--url", url))
    assert (told.code, told.summary["stopped_by"]) == (1, "outage")
    assert in_words(told) == {"pending": ROWS}


def test_a_tls_handshake_that_fails_leaves_all_rows_pending_and_shows_the_server_none(bench):
    here = bench(Plan(), rows=ROWS)
    here.scheme = "https"
    told = here.type(*here.sending(*QUICK, "--max-outage", "1"))
    assert (told.code, told.summary["stopped_by"]) == (1, "outage")
    assert in_words(told) == {"pending": ROWS}
    assert here.seen.reads == 0


def test_a_server_that_restarts_between_two_legs_is_sent_exactly_the_rest(bench):
    here = bench(Plan(), rows=ROWS)
    here.judge.ask("down")
    try:
        stopped = here.type(*here.sending(*QUICK, "--max-outage", "1"))
    finally:
        here.judge.ask("up")
    assert in_words(stopped) == {"pending": ROWS}
    told = here.type("resume", "last", "--json")
    assert in_words(told) == {"delivered": ROWS}
    assert here.seen.reads == ROWS
