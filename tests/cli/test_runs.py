"""`replay runs`: each run with its time, source, target and state; no number and no id is ever cut."""

import json
import time

import pytest
from cli.test_terminal import converse, environment

from replay.report import RunFolder

__all__ = ["environment"]

RUN = "20261123-081210-3f2a"
ROWS = {"read": 12_345_678, "delivered": 6_000, "rejected": 1, "exhausted": 0, "ambiguous": 0, "invalid": 2}
RECORD = {
    "run": RUN,
    "command": "send",
    "started": "2026-11-23T08:12:10+00:00",
    "url": "https://api.example.com/v1/events",
    "sources": [{"name": "data/events.csv"}, {"name": "data/more.csv"}],
}
SUMMARY = {"run": RUN, "command": "send", "state": "finished", "rows": {**ROWS, "pending": 12_339_675}}
WORDS = ("3f2a", "data/events.csv", "more", "https://api.example.com/v1/events", "finished")


@pytest.fixture
def kept(desk):
    """A runs folder with a run of many rows."""

    def of(**changes):
        folder = RunFolder(desk.folder / "replay-runs" / RUN)
        folder.path.mkdir(parents=True)
        folder.write_record(RECORD | changes)
        folder.summary.write_text(json.dumps(SUMMARY))

    return of


def test_in_a_pipe_each_run_is_a_line_with_all_that_is_known_of_it(desk, kept, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    kept()
    (line,) = [line for line in desk.type("runs").out.splitlines() if RUN in line]
    for word in (*WORDS, "2026-11-23 17:12:10", "12,345,678", "6,000", "12,339,675"):
        assert word in line
    monkeypatch.undo()
    time.tzset()


def test_a_rehearsal_is_marked(desk, kept):
    kept(url="sandbox")
    assert "rehearsal" in desk.type("runs").out


@pytest.mark.parametrize("columns", [0, 40, 80, 160])
def test_a_terminal_of_any_width_shows_each_number_and_id_whole(desk, kept, environment, columns):
    kept()
    del environment["COLUMNS"]
    code, screen = converse(desk, ["runs"], [], {**environment, "NO_COLOR": "1"}, columns)
    assert code == 0
    for word in (RUN, *WORDS, "12,345,678", "6,000", "12,339,675"):
        assert word in screen, screen


def test_a_run_whose_record_is_broken_is_listed_all_the_same(desk, kept):
    kept()
    (desk.folder / "replay-runs" / RUN / "run.toml").write_text("[broken")
    ended = desk.type("runs")
    assert (ended.code, RUN in ended.out) == (0, True)
