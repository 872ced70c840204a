"""The report of a run in a real browser: everything is there, nothing loads, nothing runs."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from cli.desk import HEADER, KEY, MAP, TOP, Server, reply
from report.browser import NEEDED, asked_for, complaints, printed, shown
from report.hostile import KEYS
from sink.origin import Reply

from replay.cli import run

pytestmark = NEEDED
POLICY = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")
EVIL = """<title>calm</title><img src="http://127.0.0.1:9/x.png"><iframe src="http://elsewhere.test/"></iframe>
<script>document.title = "ran"</script>"""


def refused_each_thirteenth(body):
    number = int(body["user"]["userId"].removeprefix("user"))
    if number % 13 or number > 22 * 13:
        return 200
    return Reply(400, body=json.dumps({"code": "BAD", "message": f"no {body['event']['key']}"[:60]}).encode())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Of a run of 300 rows, 22 of which are refused and 20 of which have hostile event keys."""
    assert len(KEYS) == 20
    folder = tmp_path_factory.mktemp("report")
    (folder / "map.toml").write_text(MAP)
    keys = {15 * place: key for place, key in enumerate(KEYS, 1)}
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        writer.writerows([keys.get(n, "buy"), f"user{n}", n, keys.get(n, "memo")] for n in range(1, 301))
    with Server(reply(refused_each_thirteenth)) as server:
        command = ["send", "rows.csv", "--map", "map.toml", "--url", server.url, "--rate", "500/s", "--yes"]
        done = subprocess.run(
            [sys.executable, "-m", "replay", *command, "--json"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(TOP), "HACKLE_API_KEY": KEY},
            capture_output=True,
            text=True,
            check=False,
        )
    summary = json.loads(done.stdout)
    assert (summary["rows"]["delivered"], summary["rows"]["rejected"]) == (278, 22), done.stderr
    return folder / summary["files"]["report"]


@pytest.fixture(scope="module")
def document(report):
    return shown(report)


def test_the_counts_are_there(document):
    text = re.sub(r"<[^>]*>", " ", document)
    assert "278 of 300 rows were delivered; 22 did not get through." in text
    numbers = re.findall(r'<td class="number">([0-9,]+)</td>', document)
    assert {"278", "22", "300"} <= set(numbers)


def test_there_are_pictures_with_words_for_those_who_do_not_see_them(document):
    pictures = re.findall(
        r'<div class="chart wide" role="img" aria-label="([^"]+)">(.*?)</svg>', document, re.S
    )
    assert len(pictures) == 3
    for words, drawing in pictures:
        assert len(words) > 40
        assert drawing.count("<path") > 4
        assert "<text" in drawing


def test_every_hostile_key_is_shown_as_what_it_is(document):
    table = document.split('id="keys"')[1].split("</section>")[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in table
    assert "{{ 7 * 7 }}" in table
    assert "\\u202egnp.exe" in table
    assert "مرحبا 이벤트 🎉" in table
    assert len(re.findall(r'<th scope="row">', table)) == len(KEYS) + 1


def test_nothing_in_it_is_more_than_text(document):
    assert "<title>Run " in document
    tags = re.findall(r"<[^>]*>", document)
    for harm in ("<script", "<iframe", "<img", "<link rel=.?style", r"\son[a-z]+=.?document", "href=.?java"):
        assert not [tag for tag in tags if re.search(harm, tag)], harm
    assert not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(document)


def test_nothing_loads_from_elsewhere_and_the_policy_has_nothing_to_forbid(report):
    assert asked_for(report) == []
    assert complaints(report) == []


def test_without_its_policy_it_is_as_harmless(report, tmp_path):
    bare = tmp_path / "bare.html"
    text, policies = POLICY.subn("", report.read_text("utf-8"))
    bare.write_text(text, "utf-8")
    assert policies == 1
    assert asked_for(bare) == []
    assert "<title>Run " in shown(bare)


def test_a_page_that_does_harm_is_found_out(tmp_path):
    page = tmp_path / "evil.html"
    page.write_text(EVIL)
    assert asked_for(page) == ["http://127.0.0.1:9/x.png", "http://elsewhere.test/"]
    assert "<title>ran</title>" in shown(page)


def test_the_report_of_a_check_is_as_harmless(tmp_path):
    (tmp_path / "map.toml").write_text('[event]\nkey = "event"\n[user]\nuserId = "user"\n')
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event", "user", KEYS[1]])
        writer.writerows([key, f"user{n}", key] for n, key in enumerate(KEYS))
    page = tmp_path / "check.html"
    arguments = [
        "check",
        str(tmp_path / "rows.csv"),
        "--map",
        str(tmp_path / "map.toml"),
        "--report",
        str(page),
    ]
    assert run(arguments) == 0
    page.write_text(POLICY.sub("", page.read_text("utf-8")), "utf-8")
    assert asked_for(page) == []
    assert "<title>Check of " in shown(page)


def test_it_can_be_printed(report):
    assert printed(report).startswith(b"%PDF-")
