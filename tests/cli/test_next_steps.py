"""Next steps: every command that a message or a report proposes works in the state that proposes it.

A state is a function that brings a desk into it and returns all that was said there.
"""

import errno
import html
import os
import re
import shlex
from pathlib import Path

import pytest
from cli.desk import KEY, Server, reply
from sink.origin import Reply

from replay.errors import StorageError
from replay.report import write_whole

PROPOSED = re.compile(r"replay ((?:check|map|resend|resume|report|runs|settle)\b(?: [^\n`<()]*)?)")
# What a person adds where no terminal asks.
ADDED = {"resend": ("--yes",)}


class Place:
    """A desk with a server whose answers may change, and options that every command gets."""

    def __init__(self, desk, options=()):
        self.desk = desk
        self.options = options
        self.status = 200
        self.server = Server(self.answer)
        self.choose = None

    def answer(self, request, number):
        chosen = (self.choose or (lambda *_: self.status))(request, number)
        return chosen if isinstance(chosen, Reply) else Reply(chosen)

    def send(self, *arguments):
        """Send rows.csv; returns all that was said, the report included, and lets everything work then."""
        url = ("--url", self.server.url)
        common = ("--map", "map.toml", *url, "--rate", "none", "--yes", "--retries", "0")
        ended = self.desk.type("send", "rows.csv", *common, *self.options, *arguments)
        self.choose = None
        self.status = 200
        pages = [path.read_text() for path in self.desk.folder.rglob("report.html")]
        steps = [html.unescape(text) for page in pages for text in re.findall(r"<code>([^<]*)</code>", page)]
        return "\n".join([ended.out, ended.err, *steps])


def rejected(place):
    place.desk.numbered(3)
    place.status = 400
    return place.send()


def ambiguous(place):
    place.desk.numbered(3)
    place.status = 504
    return place.send()


def key_refused(place):
    place.desk.numbered(3)
    place.status = 401
    return place.send()


def wrong_address(place):
    place.desk.numbered(3)
    place.status = 404
    return place.send()


def stopped_at_failures(place):
    place.desk.numbered(30)
    place.choose = lambda _, number: 400 if number < 5 else 200
    return place.send("--max-failures", "1", "--concurrency", "1")


def invalid(place):
    place.desk.csv("buy,u1,1,m", "buy,u2,none,m")
    said = place.send()
    failed = next(place.desk.folder.rglob("failed/rows.csv"))
    failed.write_text(failed.read_text().replace("none", "2"))
    return said


def unknown_run(place):
    ended = place.desk.type("resend", "nothing", "--yes", "--url", place.server.url, *place.options)
    return ended.out + ended.err


def no_mapping(place):
    place.desk.numbered(1)
    ended = place.desk.type("check", "rows.csv")
    return ended.out + ended.err


STATES = {
    rejected: {"resend"},
    ambiguous: {"resend", "settle"},
    key_refused: {"resume"},
    wrong_address: {"resume"},
    stopped_at_failures: {"resend", "resume"},
    invalid: {"resend"},
    unknown_run: {"runs"},
    no_mapping: {"map"},
}
OPTIONS = {
    "the usual folder": (),
    "another folder": ("--runs", "other runs"),
    "another ledger": ("--ledger", "other.sqlite"),
}


def proposals(said):
    """The commands that a text proposes, each once; one that is named without its arguments is prose."""
    found = [text.partition(", ")[0].rstrip(". ") for text in PROPOSED.findall(said)]
    return [words for words in map(shlex.split, dict.fromkeys(found)) if len(words) > 1 or words == ["runs"]]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_what_is_proposed_works(desk, monkeypatch, state, options):
    proposed, number = None, 0
    while proposed is None or number < len(proposed):
        folder = desk.folder / f"desk {number}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        place = Place(type(desk)(folder, desk._capfd), options)
        with place.server:
            proposed = proposals(state(place))
            command = proposed[number]
            added = ADDED.get(command[0], ())
            if command[0] == "resend":
                added = (*added, "--url", place.server.url)
            ended = desk.type(*command, *added)
        assert ended.code in (0, 3, 4), (command, ended)
        assert "Error" not in ended.err, (command, ended)
        number += 1
    assert STATES[state] <= {command[0] for command in proposed}, proposed


def test_for_rows_that_could_not_be_read_their_own_file_is_proposed_and_nothing_else(desk):
    desk.csv("buy,u1,1,m", "too short")
    with Server() as server:
        common = ("--map", "map.toml", "--url", server.url, "--yes")
        ended = desk.type("send", "rows.csv", *common)
    assert ended.code == 3
    assert "unreadable.jsonl" in ended.out
    proposed = re.findall(r"replay resend [^\s<]+", ended.out + (desk.runs[-1] / "report.html").read_text())
    assert proposed
    assert {Path(command.split()[-1]).name for command in proposed} == {"unreadable.jsonl"}


def test_a_resume_without_a_key_is_not_told_to_rehearse(desk, monkeypatch):
    desk.numbered(3)
    with Server(reply(lambda _: 401)) as server:
        assert desk.send(server).code == 1
        monkeypatch.delenv("HACKLE_API_KEY")
        ended = desk.type("resume", "last")
        assert ended.code == 2
        assert "HACKLE_API_KEY" in ended.err
        assert "--sandbox" not in ended.err
        monkeypatch.setenv("HACKLE_API_KEY", KEY)


@pytest.mark.parametrize(
    ("number", "words", "not_words"),
    [
        (errno.ENOSPC, "Make room", "--runs"),
        (errno.EDQUOT, "Make room", "--runs"),
        (errno.EROFS, "Let its owner write there", "Make room"),
        (errno.EACCES, "Let its owner write there", "Make room"),
    ],
)
def test_a_fault_of_the_disk_proposes_what_helps_against_it(tmp_path, monkeypatch, number, words, not_words):
    def failing(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StorageError, match=words) as fault:
        write_whole(tmp_path / "summary.json", b"")
    assert not_words not in str(fault.value)
