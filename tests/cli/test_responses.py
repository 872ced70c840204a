"""What counts as a response: pages and errors with status 200, and refusals that differ in an id alone."""

import gzip
import itertools
import json
import uuid

import pytest
from cli.desk import Server, reply
from cli.test_stops import adds_up
from sink.origin import Reply

LOGIN = Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html><title>Sign in</title></html>")
ERROR = Reply(
    200, {"Content-Type": "application/json"}, b'{"success": false, "error": "unknown environment"}'
)


@pytest.mark.parametrize("processes", ["1", "3"])
@pytest.mark.parametrize("answer", [LOGIN, ERROR], ids=["page", "error"])
def test_a_page_or_an_error_with_status_200_stops_a_run_before_anything_is_delivered(desk, answer, processes):
    desk.numbered(300)
    with Server([answer]) as server:
        ended = desk.send(server, "--concurrency", "6", "--processes", processes)
        asked = len(server.origin.requests)
    summary = ended.json
    assert (ended.code, summary["state"], summary["stopped_by"]) == (1, "stopped", "destination")
    assert summary["rows"]["delivered"] == 0
    assert 1 <= summary["rows"]["ambiguous"] == asked <= 6
    assert summary["rows"]["pending"] == 300 - asked
    assert adds_up(summary)
    assert "Sign in" in ended.err or "unknown environment" in ended.err
    assert "check the address" in ended.err
    assert len(desk.failed().read_text().splitlines()) == 1 + asked


def test_such_a_stop_is_a_stop_by_the_destination_whatever_number_of_failures_is_allowed(desk):
    desk.numbered(9)
    with Server([LOGIN]) as server:
        summary = desk.send(server, "--max-failures", "1").json
    assert summary["stopped_by"] == "destination"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_after_a_delivery_the_status_decides_and_the_first_such_body_is_a_warning(desk, processes):
    desk.numbered(60)
    answers = reply(lambda body: LOGIN if body["event"]["value"] % 10 == 0 else Reply())
    with Server(answers) as server:
        ended = desk.send(server, "--concurrency", "1")
        assert (ended.code, ended.rows["delivered"]) == (0, 60)
        again = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--rate", "none")
        second = desk.type(*again, "--again", "--processes", processes)
    for summary in (ended.json, desk.summary):
        odd = {"outcome": "delivered", "status": 200, "reason": "200 an HTML page: Sign in", "rows": 6}
        assert summary["reasons"] == [odd]
    assert second.code == 0
    assert "Warning: 6 delivered rows were answered with a page" in second.out
    assert "200 an HTML page: Sign in" in second.out
    assert "6 delivered rows were answered with a page" in (desk.runs[-1] / "report.html").read_text()


def test_what_an_earlier_run_delivered_counts_as_a_delivery_to_the_target(desk):
    desk.numbered(2)
    desk.csv("buy,user1,1,other", name="more.csv")
    with Server([Reply(), Reply(), LOGIN]) as server:
        assert desk.send(server).code == 0
        ended = desk.send(server, source="more.csv")
    assert (ended.code, ended.rows["delivered"]) == (0, 1)
    assert ended.json["reasons"][0]["reason"] == "200 an HTML page: Sign in"


def test_a_delivery_to_another_address_says_nothing_about_this_one(desk):
    desk.numbered(2)
    with Server() as first, Server([LOGIN]) as second:
        assert desk.send(first).code == 0
        ended = desk.send(second)
    assert ended.json["stopped_by"] == "destination"


def test_rows_settled_as_delivered_let_the_run_go_on_with_a_warning(desk):
    desk.numbered(5)
    with Server([LOGIN]) as server:
        desk.send(server, "--concurrency", "1")
        assert desk.type("settle", "last", "--as", "delivered").code == 0
        ended = desk.type("resume", "last", "--json")
        assert len(server.origin.requests) == 5
    assert (ended.code, ended.rows["delivered"]) == (0, 5)
    assert ended.json["reasons"][0]["rows"] == 4


def test_a_resume_keeps_the_warning_of_the_session_before(desk):
    desk.numbered(6)
    answers = itertools.chain([Reply(), LOGIN, Reply(401)], itertools.repeat(Reply()))
    with Server(lambda *_: next(answers)) as server:
        desk.send(server, "--concurrency", "1")
        ended = desk.type("resume", "last", "--json")
    assert ended.rows["delivered"] == 6
    assert [one["rows"] for one in ended.json["reasons"]] == [1]


def refusal(body):
    user = body["user"]["userId"]
    moment = f"2026-11-23T08:12:{int(body['event']['value']) % 60:02}Z"
    said = f"request {uuid.uuid4()} at {moment}: {user} is not allowed"
    return Reply(400, body=json.dumps({"error": {"message": said}}).encode())


@pytest.mark.parametrize("processes", ["1", "2"])
def test_fifty_refusals_that_differ_in_an_id_a_time_and_a_value_of_the_row_stop_a_run(desk, processes):
    desk.numbered(400)
    with Server(reply(refusal)) as server:
        ended = desk.send(server, "--processes", processes, "--concurrency", "4")
    assert ended.json["stopped_by"] == "destination"
    assert ended.rows["pending"] == 400


def names(number):
    """A name without digits."""
    return "".join("klmnopqrst"[int(digit)] for digit in str(number))


def test_refusals_are_one_reason_in_the_summary_now_and_after_a_settling_and_each_its_own_in_the_file(desk):
    desk.csv("buy,first,1,m", *(f"buy,{names(n)},{n},m" for n in range(100, 300)), "buy,late,500,m")
    answers = reply(
        lambda body: (
            200 if body["event"]["value"] == 1 else 500 if body["event"]["value"] == 500 else refusal(body)
        )
    )
    with Server(answers) as server:
        ended = desk.send(server, "--concurrency", "1")
    (reason,) = [one for one in ended.json["reasons"] if one["outcome"] == "rejected"]
    assert (reason["status"], reason["rows"]) == (400, 200)
    assert reason["reason"] == "400 request … at … is not allowed"
    assert adds_up(ended.json)
    report = (desk.runs[-1] / "report.html").read_text()
    assert desk.type("settle", "last", "--as", "undelivered").code == 3
    assert reason in desk.summary["reasons"]
    assert adds_up(desk.summary)
    failed = desk.failed().read_text().splitlines()
    assert len({line.rpartition("request ")[2] for line in failed if "not allowed" in line}) == 200
    assert names(100) in report  # an example of the group


def test_a_summary_lists_a_hundred_reasons_and_sums_the_rest_and_the_screen_says_what_it_leaves_out(desk):
    desk.csv("buy,first,1,m", *(f"buy,user,{n},m" for n in range(2, 402)))
    answers = reply(
        lambda body: (
            200
            if body["event"]["value"] == 1
            else Reply(400, body=f"no {names(body['event']['value'])}".encode())
        )
    )
    with Server(answers) as server:
        arguments = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--rate", "none")
        ended = desk.type(*arguments)
    summary = desk.summary
    assert len(summary["reasons"]) == 100
    assert summary["reasons"][-1]["reason"] == "other"
    assert adds_up(summary)
    assert "and 90 more reasons, of 390 rows" in ended.out
    assert "and 80 more reasons, of 380 rows" in desk.type("runs", "last").out


def test_reasons_are_read_from_compressed_bodies_and_named_charsets(desk):
    desk.numbered(3)
    packed = Reply(400, {"Content-Encoding": "gzip"}, gzip.compress(b'{"errors": [{"message": "too late"}]}'))
    korean = Reply(422, {"Content-Type": "text/plain; charset=euc-kr"}, "없음".encode("cp949"))
    with Server([Reply(), packed, korean]) as server:
        ended = desk.send(server, "--concurrency", "1")
    assert {one["reason"] for one in ended.json["reasons"]} == {"400 too late", "422 없음"}


def test_a_run_that_delivered_rows_goes_on_through_fifty_like_refusals(desk):
    desk.numbered(61)
    answers = itertools.chain([Reply(), Reply(401)], itertools.repeat(Reply(400, body=b"no")))
    with Server(lambda *_: next(answers)) as server:
        desk.send(server, "--concurrency", "1")
        ended = desk.type("resume", "last", "--json", "--concurrency", "4")
    assert (ended.json["state"], ended.rows["rejected"]) == ("finished", 60)
