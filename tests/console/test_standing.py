"""What is said of a run while it goes: it fits, it is true, and the end is not promised too early."""

from collections import Counter

import pytest

from replay.console.progress import Lines
from replay.console.standing import Speed, Speeds, fitted, line_of, parts_of
from replay.pipeline import Progress
from replay.pipeline.places import Place, Places
from replay.records import Answers
from replay.report import Counts


def progress(tried=0, rows=10_000, rate=100.0, *, failed=0, done=0, waiting_for=None, retries=0):
    counts = Counts(rows, Counter(delivered=tried - failed, rejected=failed), retries=retries)
    counts.requests = tried + retries
    place = Place(done or tried * 10, rows * 10, "data/part-2.csv")
    return Progress(counts, tried, 32, rate, waiting_for, Answers(), rows, place)


def speeds(*seen, every=1.0):
    """What was seen, one after another."""
    made = Speeds()
    for number, one in enumerate(seen):
        made.add(number * every, one)
    return made


def test_a_speed_is_that_of_the_last_seconds():
    speed = Speed()
    for second in range(100):
        speed.add(second, second * (10 if second < 80 else 1) + (720 if second >= 80 else 0))
    assert speed.now == 1
    assert Speed().now is None


def test_where_the_rate_is_the_limit_the_rest_takes_rows_by_rate():
    now = progress(1_000)
    assert speeds(progress(0), progress(500), now, every=5.0).seconds_left(now) == 90


def test_where_the_destination_is_slower_the_rest_takes_as_long_as_it_does_now():
    now = progress(200)
    assert speeds(progress(0), progress(100), now, every=5.0).seconds_left(now) == pytest.approx(9_800 / 20)


def test_where_no_row_ends_yet_the_bytes_tell():
    now = progress(0, rate=None, done=20_000)
    assert speeds(progress(0, rate=None), now, every=5.0).seconds_left(now) == pytest.approx(80_000 / 4_000)


@pytest.mark.parametrize("one", [progress(50, waiting_for="Retry-After: 9 s more"), progress(50, rate=None)])
def test_while_it_waits_or_nothing_is_known_no_end_is_promised(one):
    assert speeds(one).seconds_left(one) is None


def test_what_is_said_fits_whatever_the_width():
    parts = parts_of(progress(4_000, failed=3, retries=2), speeds(progress(0), progress(4_000, failed=3)))
    for width in range(10, 140):
        assert len(fitted(parts, width)) <= width


def test_the_most_important_is_said_last_to_go():
    parts = parts_of(
        progress(4_000, failed=3, retries=2),
        speeds(*(progress(n) for n in (2_000, 3_000, 4_000)), every=10.0),
    )
    whole = (
        "4,000/10,000 rows, 100/s, the limit, 3,997 delivered, 3 failed, 32 in flight, 2 retries, 1 min left"
    )
    assert fitted(parts, 200) == whole
    assert fitted(parts, 60) == "4,000/10,000 rows, 100/s, the limit, 3 failed, 1 min left"
    assert fitted(parts, 30) == "4,000/10,000 rows, 1 min left"
    assert fitted(parts, 9) == "1 min left"


def test_why_it_waits_is_said_before_all_else_and_cannot_steer_the_terminal():
    parts = parts_of(progress(10, waiting_for="Retry-After: 9 s more\x1b[2J"), Speeds())
    assert fitted(parts, 10) == "waiting: Retry-After: 9 s more\\x1b[2J"


def test_a_line_names_the_file_where_there_are_several():
    line = line_of(progress(5_000), Speeds(), several=True)
    assert line.startswith(
        "50% of 100,000 bytes, in part-2.csv: 5,000/10,000 rows, at most 100/s, 5,000 delivered"
    )
    assert "part-2" not in line_of(progress(5_000), Speeds(), several=False)


def test_a_run_is_where_its_rows_have_ended_not_where_it_reads():
    places = Places(["a", "b"], [1_000, 500], 1_400)
    places.add(0, 600, 10)
    places.add(0, 1_000, 0)
    places.add(1, 400, 20)
    seen = [(places.at(ended).done, places.at(ended).source) for ended in (0, 5, 10, 20, 30)]
    assert seen == [(0, "a"), (300, "a"), (1_000, "a"), (1_200, "b"), (1_400, "b")]
    assert places.at(30).total == 1_400


def test_in_a_pipe_there_is_a_line_every_ten_seconds(capsys):
    seconds = iter(range(100))
    lines = Lines(several=False, clock=lambda: next(seconds))
    for rows in range(25):
        lines.on_progress(progress(rows * 100))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("9% of 100,000 bytes: 900/10,000 rows, 100/s, the limit")
    assert second.startswith("19% of 100,000 bytes: 1,900/10,000 rows, 100/s, the limit")
