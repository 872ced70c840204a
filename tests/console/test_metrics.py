"""Prometheus is told what the summary says, on loopback alone, while the run lives."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from urllib.error import URLError

import pytest
from cli.desk import Server
from console.test_standing import progress
from prometheus_client.parser import text_string_to_metric_families
from sink.origin import Held, Reply, Reset

from replay.console.metrics import WAITS, Metrics, wait_of
from replay.sender import NO_ROWS
from replay.sink.breaker import OUTAGE


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def asked(port):
    """What the port answers: a number by name and label."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=300) as answer:
        text = answer.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (sample.name.removeprefix("hackle_replay_"), *sample.labels.values()): sample.value
        for sample in samples
    }


def test_what_is_told_is_how_the_run_stands(port):
    with Metrics(port) as metrics:
        assert asked(port) == {}
        now = progress(4_000, failed=3, retries=2, waiting_for="Retry-After: 9 s more")
        now.answers.add(200, 0.004)
        now.answers.add(None, None)
        metrics.on_progress(now)
        told = asked(port)
    assert (told["rows", "delivered"], told["rows", "rejected"], told["rows", "pending"]) == (3_997, 3, 6_000)
    assert (told["requests_total", "200"], told["requests_total", "none"]) == (1, 1)
    assert (told["request_seconds_bucket", "0.003"], told["request_seconds_bucket", "0.005"]) == (0, 1)
    assert (told["request_seconds_count",], told["request_seconds_sum",]) == (1, 0.004)
    assert (told["in_flight",], told["rate_limit",], told["rows_left",]) == (32, 100, 6_000)
    assert (told["retries_total",], told["source_bytes_done",]) == (2, 40_000)
    assert [wait for wait in WAITS if told["waiting", wait]] == ["retry-after"]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (None, "rate"),
        ("Retry-After: 3 s more", "retry-after"),
        (f"{OUTAGE} (reset); next probe in 3 s", "outage"),
        ("3 rows wait for another try", "backoff"),
        ("408: 1 s more", "backoff"),
        (NO_ROWS, "reading"),
    ],
)
def test_every_reason_to_wait_has_a_kind_that_does_not_change_by_the_second(reason, kind):
    assert wait_of(reason, at_limit=True) == kind
    assert kind in WAITS
    assert wait_of(None, at_limit=False) is None


def test_the_port_is_this_machines_alone_and_closed_afterwards(port):
    with Metrics(port), socket.socket() as other:
        other.bind(("127.0.0.2", port))  # it is free: nobody listens on all addresses
    with pytest.raises(URLError):
        asked(port)


def test_a_port_in_use_is_told_before_anything_is_sent_or_made(desk):
    desk.numbered(3)
    with Server() as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        ended = desk.send(server, "--metrics-port", number)
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "usage"
    assert f"--metrics-port {number}: Address already in use" in ended.json["error"]["message"]
    assert (server.bodies, desk.runs) == ([], [])


def test_without_the_extra_its_name_is_told():
    code = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from replay.console import measuring\n"
        "with measuring(9000): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'hackle-replay[metrics]'" in done.stderr


def is_last_row_under_way(told):
    return told.get(("rows", "delivered")) == 57 and told.get(("in_flight",)) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_while_a_run_lives_the_port_tells_of_it_whatever_the_number_of_processes(desk, port, processes):
    desk.numbered(60)
    told: dict[tuple[str, ...], float] = {}
    seen = threading.Event()

    def answer(request, _):
        number = json.loads(request.body)["event"]["value"]
        if number == 60:
            return Held(seen)  # so long it lives with nothing but this row to wait for
        return Reset() if number == 1 else Reply(400 if number == 2 else 200)

    def ask():
        end = time.monotonic() + 300
        while not is_last_row_under_way(told) and time.monotonic() < end:
            with suppress(URLError):
                told.update(asked(port))
            time.sleep(0.05)
        seen.set()

    with Server(answer) as server:
        asking = threading.Thread(target=ask)
        asking.start()
        ended = desk.send(server, "--metrics-port", port, "--processes", processes, "--timeout", "600")
        asking.join()
    assert ended.code == 4, ended.err
    assert (told["rows", "rejected"], told["rows", "ambiguous"], is_last_row_under_way(told)) == (1, 1, True)
    assert (told["requests_total", "200"], told["requests_total", "400"], told["requests_total", "none"]) == (
        57,
        1,
        1,
    )
    assert told["request_seconds_count",] == 59
