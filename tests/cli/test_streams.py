"""Standard streams that are closed, full or broken: no traceback, and an exit code that makes sense."""

import json
import os
import subprocess
import sys

import pytest
from cli.desk import TOP

COMMANDS = {  # each with the exit code that it has when its streams are fine, and whether it prints data
    "rules": (0, True, "rules"),
    "check as JSON": (3, True, "check", "rows.csv", "--map", "map.toml", "--json"),
    "preview of standard input": (1, False, "preview", "-", "--format", "csv", "--map", "map.toml"),
    "send": (3, True, "send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes"),
    "send without --yes": (2, False, "send", "rows.csv", "--map", "map.toml", "--sandbox"),
    "map": (0, True, "map", "rows.csv"),
    "runs": (0, True, "runs"),
    "report": (0, True, "report", "RUN"),
    "resume": (3, True, "resume", "RUN"),
    "resend": (3, True, "resend", "RUN", "--sandbox", "--yes"),
    "settle": (2, False, "settle", "RUN", "--as", "delivered"),
    "sandbox": (2, False, "sandbox", "--port", "0", "--accepted", "nowhere/accepted.jsonl"),
    "help": (0, True, "--help"),
    "an error as JSON": (2, True, "check", "missing.csv", "--json"),
}
HARMLESS = ("<&- >&- 2>&-", ">&-", "2>/dev/full")


def typed(desk, arguments, redirections=""):
    """A command in a shell that redirects its streams."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "replay", *arguments],
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run(desk):
    """The id of a run that delivered a row and failed to deliver another one."""
    desk.csv("buy,u1,1,m", "buy,u2,none,m")
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes").code == 3
    return desk.runs[-1].name


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_command_needs_its_streams(desk, run, command):
    code, prints_data, *words = command
    arguments = [run if word == "RUN" else word for word in words]
    for redirections in HARMLESS:
        ended = typed(desk, arguments, redirections)
        assert ended.returncode == code, (redirections, ended)
        assert "Traceback" not in ended.stdout + ended.stderr, (redirections, ended)
    full = typed(desk, arguments, ">/dev/full")
    assert full.returncode == (1 if prints_data and code in (0, 3) else code), full
    assert not prints_data or "Error" in full.stderr
    assert "Traceback" not in full.stderr
    assert "ignored" not in full.stderr


def test_a_run_whose_messages_no_one_reads_delivers_all_the_same(desk):
    desk.numbered(20)
    gone, messages = os.pipe()
    os.close(gone)
    arguments = ("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes")
    with subprocess.Popen(
        [sys.executable, "-m", "replay", *arguments],
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=messages,
    ) as process:
        os.close(messages)
        out, _ = process.communicate(timeout=120)
    assert (process.returncode, b"20 rows: 20 delivered" in out) == (0, True)
    assert desk.summary["state"] == "finished"


def test_a_disk_that_is_full_for_the_summary_of_a_run_is_an_error_but_the_run_is_written_down(desk, run):
    arguments = ("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes", "--json")
    ended = typed(desk, arguments, ">/dev/full")
    assert (ended.returncode, "Standard output cannot be written" in ended.stderr) == (1, True)
    assert json.loads((desk.runs[-1] / "summary.json").read_text())["rows"]["delivered"] == 1
