"""The tool from Python: the same as from a shell, and nothing is printed."""

import asyncio
import json
import threading

import pytest
from cli.desk import Server
from sink.origin import Held, Reply

import replay

TOML = '[event]\nkey = "event"\n[user]\nuserId = "user"\n'


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text("event,user\nbuy,u1\nbuy,\nsell,u2\n")
    (tmp_path / "mapping.toml").write_text(TOML)
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd):
    yield
    assert capfd.readouterr() == ("", "")


def test_check_says_what_the_rows_are(files):
    result = replay.check(["events.csv"], mapping=replay.Mapping.load("mapping.toml"))
    assert result.rows == {"read": 3, "valid": 2, "invalid": 1, "warned": 0}
    assert (result.event_keys, result.users, result.exit_code) == ({"buy": 1, "sell": 1}, 2, 3)


def test_send_sends_and_returns_the_summary(files):
    with Server() as server:
        mapping = replay.Mapping.load("mapping.toml")
        summary = replay.send(["events.csv"], mapping=mapping, rate="200/s", api_key="k", url=server.url)
    assert [event["user"]["userId"] for event in server.events] == ["u1", "u2"]
    assert (summary.state, summary.exit_code, summary.rows["delivered"]) == ("finished", 3, 2)
    assert json.loads((files / summary.files.folder / "summary.json").read_text()) == summary.as_dict() | {
        "files": {**summary.as_dict()["files"], "failed": list(summary.files.failed)}
    }


def test_send_async_works_inside_a_loop_and_a_stop_is_no_exception(files):
    async def story():
        mapping = replay.Mapping.load("mapping.toml")
        return await replay.send_async(["events.csv"], mapping=mapping, api_key="k", url=server.url)

    with Server([Reply(401)]) as server:
        summary = asyncio.run(story())
    assert (summary.state, summary.stopped_by, summary.rows["pending"]) == ("stopped", "auth", 2)


def test_a_cancelled_run_is_written_down_before_the_cancellation_goes_on(files):
    async def story():
        mapping = replay.Mapping.load("mapping.toml")
        run = replay.send_async(["events.csv"], mapping=mapping, api_key="k", url=server.url, concurrency=1)
        task = asyncio.create_task(run)
        await asyncio.to_thread(server.until_in_flight, 1)
        task.cancel()
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    cancelled = threading.Event()
    with Server([Held(cancelled)]) as server:
        asyncio.run(story())
    (path,) = files.glob("replay-runs/*/summary.json")
    summary = json.loads(path.read_text())
    assert (summary["state"], summary["rows"]["delivered"], summary["rows"]["ambiguous"]) == (
        "interrupted",
        1,
        0,
    )


def test_a_dry_run_and_a_sandbox_need_no_key(files, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY", raising=False)
    mapping = replay.Mapping.load("mapping.toml")
    assert replay.send(["events.csv"], mapping=mapping, dry_run=True).state == "dry-run"
    assert not (files / "replay-runs").exists()
    assert replay.send(["events.csv"], mapping=mapping, sandbox=True).rows["delivered"] == 2


def test_every_kind_of_error_has_one_root(files, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY", raising=False)
    mapping = replay.Mapping.load("mapping.toml")
    (files / "empty.csv").write_text("")
    with pytest.raises(replay.UsageError, match="nothing-there"):
        replay.check(["nothing-there.csv"], mapping=mapping)
    with pytest.raises(replay.SourceError, match=r"empty\.csv"):
        replay.check(["empty.csv"], mapping=mapping)
    with pytest.raises(replay.MappingError):
        replay.check(["events.csv"])
    with pytest.raises(replay.UsageError, match="HACKLE_API_KEY"):
        replay.send(["events.csv"], mapping=mapping)
    with pytest.raises(replay.UsageError, match="key"):
        replay.send(["events.csv"], mapping=mapping, api_key="two\nlines")
    for kind in (replay.UsageError, replay.SourceError, replay.StorageError, replay.AuthError):
        assert issubclass(kind, replay.ReplayError)


def test_a_member_that_only_a_late_record_has_is_no_slip_of_the_pen(tmp_path):
    early, late = tmp_path / "early.jsonl", tmp_path / "late.jsonl"
    early.write_text('{"e": "a", "u": "1"}\n' * 3000 + '{"e": "a", "u": "1", "vip": true}\n', "utf-8")
    late.write_text('{"e": "a", "u": "1"}\n', "utf-8")
    mapping = replay.Mapping.empty().with_set(["event.key=e", "user.userId=u", "user.properties.vip=vip"])
    assert replay.check([early, late], mapping=mapping).rows["valid"] == 3002


def test_a_member_that_no_record_has_is_refused_with_near_matches(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"e": "a", "u": "1", "vip": true}\n' * 3, "utf-8")
    mapping = replay.Mapping.empty().with_set(["event.key=e", "user.userId=u", "user.properties.vip=vpi"])
    with pytest.raises(replay.MappingError, match="did you mean 'vip'"):
        replay.check([path], mapping=mapping)
