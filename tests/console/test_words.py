"""Tables: no number and no id is ever cut, on a terminal of any width and in a pipe."""

import fcntl
import os
import pty
import struct
import sys
import termios

import pytest

from replay.console.words import columns, fitted_widths, print_table

NAMES = ("run", "source", "rows", "pending")
ROW = ("20261123-081210-3f2a", "a source with a name of many words.csv", "6,000,123", "1,234,567")


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of so many columns as standard output, and what it shows."""
    shown, screen = pty.openpty()

    def of(width):
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        monkeypatch.setattr(sys, "stdout", os.fdopen(screen, "w", encoding="utf-8"))
        return sys.stdout

    yield of, shown
    os.close(shown)


@pytest.mark.parametrize("width", [0, 20, 40, 60, 80, 200])
def test_a_terminal_of_any_width_shows_each_number_and_id_whole(terminal, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    of, shown = terminal
    with of(width) as screen:
        print_table(NAMES, [ROW])
        screen.flush()
        text = os.read(shown, 65536).decode()
    words = text.replace(",\r\n", " ").split()
    assert {word for cell in ROW for word in cell.split()} <= {word.rstrip(",") for word in words}, text
    assert width == 20 or max(map(len, text.split("\r\n"))) <= (width or 80), text


def test_a_pipe_has_no_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    print_table(NAMES, [("1" * 5_000, "word " * 1_000, "6,000,123", "1")])
    out = capsys.readouterr().out
    assert "1" * 5_000 in out
    assert "word " * 999 in out
    assert columns(sys.stdout) is None


@pytest.mark.parametrize(("named", "wide"), [("120", 120), ("", 80), ("0", 80), ("many", 80)])
def test_a_terminal_that_reports_no_columns_has_those_of_the_variable_or_80(
    terminal, monkeypatch, named, wide
):
    monkeypatch.setenv("COLUMNS", named)
    of, _ = terminal
    with of(0) as screen:
        assert columns(screen) == wide


def test_columns_give_way_down_to_their_longest_words():
    assert fitted_widths([20, 40, 9], [20, 6, 9], 100) == [20, 40, 9]
    assert fitted_widths([20, 40, 9], [20, 6, 9], 60) == [20, 31, 9]
    assert fitted_widths([20, 40, 9], [20, 6, 9], 34) is None
