"""Rows of one content come by one mapping; another one is meant, or refused."""

import sqlite3

import pytest
from cli.desk import MAP, Server, reply
from cli.test_sent_before import grow, memos, resend, skipped

import replay
from replay.pipeline.refusing import whole_digest

OTHER = MAP.replace('memo = "memo"', 'note = "memo"')
RULES = MAP + '[rules]\nevent-key-charset = "error"\n'


def as_recorded_before(desk):
    """Let the ledger's runs be recorded as format 1 did: by a digest of the whole document."""
    digest = whole_digest(replay.Mapping.load(desk.folder / "map.toml"))
    with sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE run_copies SET format = 1, mapping = ?", (digest,))
    ledger.close()


def message(ended):
    return ended.json["error"]["message"]


@pytest.mark.parametrize(
    "more",
    [
        '[rules]\nevent-key-charset = "error"\n',
        '[where]\nevent = "buy"\n',
        '[source]\nencoding = "utf-8"\n',
        '[rules]\nevent-key-charset = "off"\n[source]\ndelimiter = ","\n',
    ],
)
def test_what_makes_no_body_is_not_another_mapping(desk, more):
    desk.numbered(5)
    with Server() as server:
        desk.send(server)
        desk.write("map.toml", MAP + more)
        grow(desk, 5, 2)
        sent = desk.send(server)
    assert (sent.code, sent.rows["delivered"], len(server.bodies)) == (0, 2, 7), sent


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('key = "event"', 'key = { const = "x" }'),
        ('memo = "memo"', 'note = "memo"'),
        ('userId = "user"', 'deviceId = "user"'),
    ],
)
def test_another_mapping_is_refused_and_the_message_says_what_sends_the_rest(desk, old, new):
    desk.numbered(30)
    with Server() as server:
        desk.send(server)
        desk.write("map.toml", MAP.replace(old, new))
        refused = desk.send(server)
    assert (refused.code, len(server.bodies)) == (2, 30)
    assert "another mapping" in message(refused)
    assert "--new-mapping" in message(refused)
    assert "--again" not in message(refused)


def test_a_new_mapping_sends_the_rows_that_are_left_and_the_plan_counts_the_others(desk):
    desk.numbered(30)
    with Server() as server:
        desk.send(server, "--limit", "10")
        desk.write("map.toml", OTHER)
        sent = desk.send(server, "--new-mapping")
    assert (sent.code, sent.rows["delivered"], skipped(sent, "delivered-before")) == (0, 20, 10)
    assert "another one than before; 10 rows that were delivered are not sent again" in sent.err
    assert [event["event"]["properties"]["note"] for event in server.events[10:]] == [
        f"row {n}" for n in range(11, 31)
    ]


def test_the_mapping_that_counts_is_the_one_last_accepted(desk):
    desk.numbered(30)
    with Server() as server:
        desk.send(server, "--limit", "10")
        desk.write("map.toml", OTHER)
        desk.send(server, "--new-mapping", "--limit", "10")
        assert desk.send(server, "--limit", "5").code == 0
        desk.write("map.toml", MAP)
        refused = desk.send(server)
        assert "--new-mapping" in message(refused)
        assert desk.send(server, "--new-mapping").rows["delivered"] == 5
    assert len(server.bodies) == 30


def test_a_mapping_of_which_no_row_arrived_may_be_replaced(desk):
    desk.numbered(5)
    answers = {"status": 400}
    with Server(reply(lambda _: answers["status"])) as server:
        assert desk.send(server).rows["rejected"] == 5
        answers["status"] = 200
        desk.write("map.toml", OTHER)
        assert desk.send(server).rows["delivered"] == 5


def test_a_mapping_that_is_typed_for_a_resend_is_the_new_one(desk):
    desk.numbered(5)
    answers = {"refused": (3,)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        desk.send(server)
        answers["refused"] = ()
        desk.write("map.toml", OTHER)
        assert resend(desk, server, "last", "--map", "map.toml").rows["delivered"] == 1
        assert desk.send(server).code == 0
        desk.write("map.toml", MAP)
        assert "--new-mapping" in message(desk.send(server))


def test_a_resend_by_the_mapping_of_its_run_changes_nothing(desk):
    desk.numbered(5)
    answers = {"refused": (3,)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        run = desk.send(server).json["run"]
        desk.write("map.toml", OTHER)
        desk.send(server, "--new-mapping")
        answers["refused"] = ()
        assert resend(desk, server, run).rows["delivered"] == 1
        assert desk.send(server).code == 0


def test_what_an_older_version_recorded_is_compared_as_that_version_did(desk):
    desk.numbered(30)
    with Server() as server:
        desk.send(server, "--limit", "10")
        as_recorded_before(desk)
        assert desk.send(server, "--limit", "10").rows["delivered"] == 10
        as_recorded_before(desk)
        desk.write("map.toml", RULES)
        refused = desk.send(server)
        assert "--new-mapping" in message(refused)
        assert desk.send(server, "--new-mapping").rows["delivered"] == 10
        desk.write("map.toml", MAP)
        assert desk.send(server).code == 0
    assert len(memos(server)) == 30


def test_a_file_that_changed_is_refused_without_a_word_that_sends_it_twice(desk):
    path = desk.numbered(60)
    with Server() as server:
        desk.send(server)
        path.write_text(path.read_text().replace("row 40", "changed"))
        refused = desk.send(server)
    assert (refused.code, len(server.bodies)) == (2, 60)
    assert "resend" in message(refused)
    assert "--again" not in message(refused)


@pytest.mark.parametrize("where", ["file", "variable"])
def test_only_the_command_line_accepts_a_new_mapping(desk, monkeypatch, where):
    desk.numbered(3)
    if where == "file":
        desk.write("replay.toml", "new-mapping = true\n")
    else:
        monkeypatch.setenv("REPLAY_NEW_MAPPING", "1")
    refused = desk.send("http://127.0.0.1:1")
    assert refused.code == 2
    assert "command line alone" in message(refused)


def test_from_python_a_new_mapping_is_a_word_too(desk):
    desk.numbered(4)
    with Server() as server:
        options = {"url": server.url, "rate": "none"}
        mapping = replay.Mapping.load("map.toml")
        replay.send(["rows.csv"], mapping=mapping, limit=1, **options)
        other = mapping.with_set(["event.properties.memo=amount"])
        with pytest.raises(replay.UsageError, match="--new-mapping"):
            replay.send(["rows.csv"], mapping=other, **options)
        summary = replay.send(["rows.csv"], mapping=other, new_mapping=True, **options)
    assert summary.rows["delivered"] == 3
