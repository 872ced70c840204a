"""What a person at a shell can count on: help with examples, completion, hints, colours only where wanted."""

import os
import re
import subprocess
import sys

import pytest
import typer
from cli.desk import TOP
from cli.test_terminal import converse, environment  # noqa: F401 - a fixture

from replay.cli import app, run
from replay.cli.mistakes import in_words

COMMANDS = (
    "check",
    "preview",
    "rules",
    "map",
    "send",
    "resend",
    "resume",
    "settle",
    "runs",
    "report",
    "sandbox",
)
COLOUR = re.compile(r"\x1b\[[0-9;]*(3|4|9|10)[0-7]m")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_examples_that_are_understood_and_the_exit_codes(desk, command):
    ended = desk.type(command, "--help")
    assert ended.code == 0
    assert "Exit: 0 " in ended.out
    examples = [line.strip() for line in ended.out.splitlines() if line.startswith(f"    replay {command}")]
    assert examples
    for option in re.findall(r"--[a-z-]+", " ".join(examples)):
        assert re.search(rf"^  .*{option}\b", ended.out, re.M), option


def test_the_help_of_all_names_every_command(desk):
    ended = desk.type("--help")
    assert all(re.search(rf"^  {command} ", ended.out, re.M) for command in COMMANDS)
    assert "130 interrupted" in ended.out


@pytest.fixture
def offered(desk, monkeypatch, capfd):
    """What Bash offers in the working folder after some words, the last of them not finished."""

    def offer(*words):
        monkeypatch.setenv("_REPLAY_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(("replay", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        capfd.readouterr()
        with pytest.raises(SystemExit):
            run([])
        out, err = capfd.readouterr()
        assert err == ""
        return out.split()

    return offer


def test_commands_runs_columns_and_rules_complete(desk, offered):
    desk.numbered(1)
    desk.write("records.jsonl", '{"name": "a", "user": {"id": 1}}\n')
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes").code == 0
    begun = desk.runs[0].name
    assert offered("res") == ["resend", "resume"]
    assert offered("resume", "") == ["last", begun]
    assert offered("resend", begun[:4]) == [begun]
    assert offered("send", "rows.csv", "--set", "event.k") == ["event.key="]
    assert offered("send", "rows.csv", "--set", "event.key=e") == ["event.key=event"]
    assert offered("check", "records.jsonl", "--set", "event.key=") == [
        "event.key=name",
        "event.key=user",
    ]
    assert offered("send", "rows.csv", "--set", "event.value", "=", "am") == ["amount"]
    assert offered("check", "rows.csv", "--rule", "user-id-deprecated=w") == ["user-id-deprecated=warning"]
    assert offered("resend", "last", "--only", "rejected,amb") == ["rejected,ambiguous"]


def test_what_cannot_be_completed_is_no_noise(offered):
    for words in (
        ("send", "nothing.csv", "--set", "event.key="),
        ("resume", "2"),
        ("resume", "--runs", "map", "2"),
    ):
        assert offered(*words) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_installs_for_the_shell_that_it_is_typed_in(desk, shell):
    home = desk.folder / "home"
    home.mkdir()
    (desk.folder / shell).symlink_to("/bin/sh")  # the installation looks at the names of its parent processes
    ended = subprocess.run(
        [desk.folder / shell, "-c", '"$0" -m replay --install-completion; exit $?', sys.executable],
        cwd=desk.folder,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    written = [path.read_text() for path in home.rglob("*") if path.is_file()]
    assert [text for text in written if f"_REPLAY_COMPLETE=complete_{shell}" in text], written


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("chek", "rows.csv"), "check"),
        (("check", "rows.csv", "--mpa", "map.toml"), "--map"),
        (("check", "row.csv"), "rows.csv"),
        (("check", "rows.csv", "--set", "event.key=evnt"), "event"),
        (("check", "rows.csv", "--set", "event.kye=event"), "event.key"),
        (("check", "rows.csv", "--map", "mpa.toml"), "map.toml"),
        (("check", "rows.csv", "--map", "map.toml", "--rule", "user-mising=off"), "user-missing"),
        (("check", "rows.csv", "--map", "map.toml", "--format", "jsnl"), "jsonl"),
        (("resume", "lst"), "replay runs"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(desk, typed, words):
    desk.numbered(1)
    ended = desk.type(*typed)
    assert ended.code == 2
    assert words in ended.err.split(":", 1)[1].replace(" ".join(typed), ""), ended.err


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("send",), "Missing argument 'SOURCE'. See: replay send --help"),
        (("send", "rows.csv", "--concurrency", "many"), "--concurrency: write a whole number."),
        (("send", "rows.csv", "--timeout", "long"), "--timeout: write a number."),
        (("sandbox", "--port", "99999"), "--port: at most 65535."),
        (("sandbox", "--port", "-3"), "--port: at least 0."),
        (("send", "rows.csv", "--order", "x"), "--order: "),
        (
            ("check", "rows.csv", "--delimitr", "x"),
            "No such option: --delimitr. Did you mean --delimiter? See: replay check --help",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_answered_in_plain_words(desk, typed, words):
    ended = desk.type(*typed)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "env var" not in ended.err


def test_what_a_library_says_of_a_value_is_not_what_decides_the_words():
    class FoundError(ValueError):
        def errors(self):
            return [{"type": "less_than_equal", "msg": "words of another release", "ctx": {"le": 5}}]

    option = typer.main.get_command(app).commands["sandbox"].params[0]
    error = typer.BadParameter("words of another release", param=option)
    error.__cause__ = FoundError()
    assert in_words(error) == f"{max(option.opts, key=len)}: at most 5"


def test_a_value_that_cannot_be_read_names_the_variable_that_it_comes_from(desk, monkeypatch):
    monkeypatch.setenv("REPLAY_CONCURRENCY", "many")
    ended = desk.type("send", "rows.csv")
    assert "REPLAY_CONCURRENCY: --concurrency: write a whole number." in ended.err


def test_there_are_no_colours_for_who_wants_none(desk, environment):  # noqa: F811
    environment |= {"TERM": "xterm-256color", "NO_COLOR": "1"}
    screens = [converse(desk, words, [], environment)[1] for words in (["--help"], ["rules"])]
    assert not COLOUR.search("".join(screens))
    assert "\x1b" not in desk.alone("--help").out
