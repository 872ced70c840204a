"""What is seen and asked on a terminal, and what of the data never gets there."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

import pytest
from cli.desk import HEADER, KEY, MAP, TOP, Server
from sink.origin import Reply

# Where a process has threads, it cannot be forked safely: a new one takes its terminal by itself.
ON_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from replay.__main__ import main
sys.argv[0] = "replay"
sys.exit(main())
"""


INTERRUPT = b"\x03"


def seen(end, typed=b""):
    """What a terminal shows next; a command that shows nothing for five minutes hangs.

    An interrupt that comes in the instant before Python reads a line waits for the next key, as on any
    terminal: a person types it once more.
    """
    for _ in range(60):
        if select.select([end], [], [], 5)[0]:
            return os.read(end, 4096)
        if typed == INTERRUPT:
            os.write(end, typed)
    raise AssertionError("nothing more was shown")


def converse(desk, arguments, answers, env, columns=0):
    end, its_end = pty.openpty()
    if columns:
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command = [sys.executable, "-c", ON_A_TERMINAL, *arguments]
    process = subprocess.Popen(
        command,
        cwd=desk.folder,
        env=env,
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    screen, told = b"", 0
    for question, answer in answers:
        while question not in screen[told:]:
            screen += seen(end)
        told = len(screen)
        os.write(end, answer)
    try:
        while piece := seen(end, answers[-1][1] if answers else b""):
            screen += piece
    except OSError:
        pass  # that is how a terminal ends
    os.close(end)
    return process.wait(), screen.decode()


@pytest.fixture
def environment():
    kept = {name: value for name, value in os.environ.items() if name != "HACKLE_API_KEY"}
    return {**kept, "PYTHONPATH": str(TOP), "TERM": "xterm", "COLUMNS": "120"}


@pytest.mark.parametrize(
    ("answer", "code", "sent"),
    [(b"y\n", 0, 2), (b"n\n", 1, 0), (b"\n", 1, 0), (b"\x03", 130, 0), (b"\x04", 130, 0)],
)
def test_on_a_terminal_the_plan_is_shown_and_asked_about(desk, environment, answer, code, sent):
    desk.numbered(2)
    environment["HACKLE_API_KEY"] = KEY
    with Server() as server:
        arguments = ["send", "rows.csv", "--map", "map.toml", "--url", server.url]
        ended, screen = converse(desk, arguments, [(b"Send 2 events?", answer)], environment)
    assert (ended, len(server.bodies)) == (code, sent), screen
    for word in ("rows.csv", server.url, "2 to send", "buy 2", "no undo"):
        assert word in screen, screen
    assert "Traceback" not in screen
    assert bool(desk.runs) == bool(sent)


def test_on_a_terminal_the_key_is_asked_for_and_not_shown(desk, environment):
    desk.numbered(2)
    with Server() as server:
        arguments = ["send", "rows.csv", "--map", "map.toml", "--url", server.url]
        answers = [(b"SDK key): ", b"typed-by-hand\n"), (b"Send 2 events?", b"y\n")]
        ended, screen = converse(desk, arguments, answers, environment)
    assert ended == 0, screen
    assert "typed-by-hand" not in screen
    assert {request.headers["x-hackle-api-key"] for request in server.origin.requests} == {"typed-by-hand"}


def test_what_controls_a_terminal_never_leaves_the_data_raw(desk):
    evil = "\x1b[31mred\x9b2J\u202e"
    desk.write("rows.csv", f"{HEADER},{evil}\n{evil},u1,1,m,x\nbuy,u2,{evil},m,x\nshort{evil}\n")
    desk.write("map.toml", MAP)
    name = f"a{evil}.csv"
    desk.write(name, (desk.folder / "rows.csv").read_bytes())
    desk.write("evil.toml", '[event]\nkey = "\\u001b[31m"\n')
    with Server() as server:
        common = ("--url", server.url, "--yes")
        for ended in (
            desk.type("check", "rows.csv", name, "--map", "map.toml"),
            desk.type("check", "rows.csv", name, "--map", "map.toml", "--json"),
            desk.type("check", "rows.csv", "--map", "evil.toml"),
            desk.type("check", f"{evil}none.csv"),
            desk.type("send", name, "--map", "map.toml", *common),
            desk.type("send", "rows.csv", "--map", "map.toml", "--json", *common),
            desk.type("runs", "last"),
            desk.type("runs", "last", "--json"),
            desk.type("runs"),
        ):
            for sign in ("\x1b", "\x9b", "\u202e"):
                assert sign not in ended.out + ended.err, ended


def test_a_preview_on_a_terminal_is_the_same_json_without_what_controls_it(desk, environment):
    desk.csv("buy,u1,1,\x1b[31m\x9b2J\u202e")
    ended, screen = converse(desk, ["preview", "rows.csv", "--map", "map.toml"], [], environment)
    assert ended == 0
    assert json.loads(screen)["event"]["properties"]["memo"] == "\x1b[31m\x9b2J\u202e"
    assert not {"\x1b", "\x9b", "\u202e"} & set(screen)


def test_a_reader_that_goes_away_is_no_traceback(desk):
    process = desk.spawn("rules", "--json")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() in (0, 1)
    assert err == ""


@pytest.mark.parametrize(
    ("source", "mapping", "words"),
    [
        ("nothing-there.csv", "map.toml", "nothing-there.csv"),
        ("rows.csv", "nothing-there.toml", "nothing-there.toml"),
        ("rows.csv", "other.toml", "user_name"),
    ],
)
def test_what_makes_a_key_of_no_use_is_told_before_it_is_asked_for(desk, environment, source, mapping, words):
    desk.numbered(2)
    desk.write("other.toml", '[event]\nkey = "event"\n[user]\nuserId = "user_name"\n')
    ended, screen = converse(desk, ["send", source, "--map", mapping], [], environment)
    assert ended == 2, screen
    assert words in screen
    assert "SDK key" not in screen


@pytest.mark.parametrize("columns", [80, 44, 0])
def test_the_bar_and_the_plan_fit_the_terminal(desk, environment, columns):
    for part in (1, 2, 3, 4, 5):
        rows = (f"buy,user{part}-{n},{n},m" for n in range(4 * part))
        desk.csv(*rows, name=f"part-{part}.csv")
    environment["HACKLE_API_KEY"] = KEY
    del environment["COLUMNS"]

    def answer(request, number):
        return Reply(400) if number == 7 else Reply(429, {"Retry-After": "1"}) if number == 30 else Reply()

    with Server(answer) as server:
        arguments = ["send", "part-*.csv", "--map", "map.toml", "--url", server.url, "--rate", "40/s"]
        ended, screen = converse(desk, arguments, [(b"events?", b"y\n")], environment, columns)
    assert ended == 3, screen
    plan, _, rest = screen.partition("Send 60 events?")
    assert "and 2 more: 36 rows" in plan
    columns = columns or 80  # what a terminal counts as that reports none
    assert columns < 80 or len(plan.split("\r\n")) <= 24
    bars = [piece for piece in re.split(r"[\r\n]+", rest) if "%|" in piece]
    assert max(len(bar) for bar in bars) <= columns
    assert len(bars) > 5
    assert columns < 80 or re.search(r"[0-9]+( of [0-9]+)?/s", rest)
    assert "waiting: Retry-After" in rest
    assert "100%|" in bars[-1]
    assert "60/60 rows" in bars[-1]


def test_nothing_of_the_bar_is_in_a_pipe_and_nothing_at_all_with_quiet(desk):
    desk.numbered(30)
    with Server() as server:
        common = ("--map", "map.toml", "--url", server.url, "--yes", "--again")
        piped = desk.alone("send", "rows.csv", *common)
        quiet = desk.alone("send", "rows.csv", *common, "--quiet")
    assert (piped.code, quiet.code) == (0, 0)
    assert "%|" not in piped.out + piped.err
    assert "\r" not in piped.out + piped.err
    assert (quiet.out, quiet.err) == ("", "")


def test_a_terminal_that_hangs_up_stops_the_run_as_ctrl_c_does(desk, environment):
    desk.numbered(400)
    environment["HACKLE_API_KEY"] = KEY
    with Server(lambda _, number: Reply(delay=0.7 if number >= 20 else 0.0)) as server:
        arguments = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--rate", "none", "--yes")
        child, end = pty.fork()
        if child == 0:
            os.chdir(desk.folder)
            typed = [sys.executable, "-m", "replay", *arguments, "--concurrency", "4"]
            os.execve(sys.executable, typed, environment)
        server.until_in_flight(4)
        os.close(end)
        _, status = os.waitpid(child, 0)
        asked = len(server.origin.requests)
    assert os.waitstatus_to_exitcode(status) == 130
    summary = desk.summary
    assert (summary["state"], summary["rows"]["ambiguous"]) == ("interrupted", 0)
    assert summary["rows"]["delivered"] == asked
