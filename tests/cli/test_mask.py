"""`--mask FIELD`: what is masked is sent as it is, kept in failed files, and shown nowhere."""

import csv
import json
import re
import stat

import pytest
from cli.desk import HEADER, Server, reply
from sink.origin import Reply

SECRETS = ("secret-user-", "secret-memo-")


def refused(body):
    """An answer that quotes what it should not."""
    number = int(body["event"]["value"])
    if number % 3:
        return 200
    said = f"user {body['user']['userId']} may not say {body['event']['properties']['memo']}"
    return Reply(400, body=json.dumps({"message": said}).encode())


def rows(desk, number=12, key="buy"):
    return desk.csv(
        *(f"{key}{n % 2},secret-user-{n},{n},secret-memo-{n}" for n in range(1, number)),
        f"{key}1,secret-user-0,none,secret-memo-0",
        "secret-memo-short,secret-user-short",
    )


def told(desk):
    """All that a run told, but for what keeps the originals: failed and unreadable files."""
    files = [path for path in desk.folder.rglob("*") if path.is_file() and "replay-runs" in str(path)]
    shown = [path for path in files if path.parent.name != "failed" and path.name != "unreadable.jsonl"]
    return {path.name: path.read_bytes().decode(errors="replace") for path in shown}


HASHED = r"400 user #[0-9a-f]{10} may not say #[0-9a-f]{10}"
MASKS = ("--mask", "user.userId", "--mask", "memo")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_run_shows_hashes_and_sends_and_keeps_the_originals(desk, processes):
    rows(desk)
    with Server(reply(refused)) as server:
        arguments = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", *MASKS)
        ended = desk.type(*arguments, "--log-file", "log.jsonl", "--processes", processes)
    assert ended.code == 3
    assert {event["user"]["userId"] for event in server.events} == {
        f"secret-user-{n}" for n in range(1, 12) if n % 3
    }
    texts = {**told(desk), "out": ended.out, "err": ended.err, "log": (desk.folder / "log.jsonl").read_text()}
    for name, text in texts.items():
        for secret in SECRETS:
            assert secret not in text, name
    assert "400 user … may not say …" in ended.out
    assert "keep the original" in ended.err
    assert "keep the originals" in texts["report.html"]
    with desk.failed().open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert {row["user"] for row in failed} == {f"secret-user-{n}" for n in (0, 3, 6, 9)}
    assert "secret-user-short" in (desk.runs[-1] / "unreadable.jsonl").read_text()
    refusals = [row["_replay_reason"] for row in failed if row["_replay_outcome"] == "rejected"]
    assert len(refusals) == 3
    assert all(re.fullmatch(HASHED, reason) for reason in refusals)
    assert all(secret not in row["_replay_reason"] for row in failed for secret in SECRETS)


def test_one_salt_a_runs_folder_for_its_owner_alone(desk):
    rows(desk)
    for _ in range(2):
        with Server(reply(refused)) as server:
            desk.send(server, *MASKS, "--again")
    salt = desk.folder / "replay-runs" / "mask-salt"
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600
    reasons = [set(re.findall(HASHED, desk.failed(run=run).read_text())) for run in (0, 1)]
    assert reasons[0] == reasons[1]
    assert len(reasons[0]) == 3
    inside = desk.type("check", "rows.csv", "--map", "map.toml", *MASKS, "--json").out
    again = desk.type("check", "rows.csv", "--map", "map.toml", *MASKS, "--json").out
    assert inside == again
    salt.unlink()
    assert desk.type("check", "rows.csv", "--map", "map.toml", *MASKS, "--json").out != inside
    assert not salt.exists()


def test_a_check_shows_hashes_on_screen_in_json_in_problems_and_in_its_report(desk):
    rows(desk)
    files = ("--problems", "problems.csv", "--report", "check.html")
    masks = ("--mask", "event.value", *MASKS)
    ended = desk.type("check", "rows.csv", "--map", "map.toml", *files, *masks)
    document = desk.type("check", "rows.csv", "--map", "map.toml", "--json", *masks)
    shown = [ended.out, ended.err, document.out, *((desk.folder / name).read_text() for name in files[1::2])]
    for text in shown:
        assert not [secret for secret in SECRETS if secret in text]
    by_rule = {problem["rule"]: problem for problem in document.json["problems"]}
    assert by_rule["cast-failed"]["examples"][0]["value"].startswith("#")
    assert by_rule["row-fields"]["examples"][0]["value"].startswith("#")


def test_event_keys_are_masked_wherever_they_are_listed(desk):
    desk.csv("Secret key,u1,1,m", "Secret key,u2,2,m", "other,u3,3,m")
    with Server() as server:
        arguments = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--mask", "event")
        ended = desk.type(*arguments)
    text = told(desk)["report.html"]
    assert "Secret key" not in ended.err + ended.out + text + told(desk)["ledger.sqlite"]
    assert re.search(r"event keys #[0-9a-f]{10} 2, #[0-9a-f]{10} 1", ended.err)
    assert len(re.findall(r"<bdi>#[0-9a-f]{10}</bdi></th>", text)) == 2
    assert {event["event"]["key"] for event in server.events} == {"Secret key", "other"}


def test_what_a_run_masks_stays_masked_in_what_comes_after_it(desk):
    rows(desk)
    with Server(reply(refused)) as server:
        desk.send(server, *MASKS)
        desk.type("report", "last")
        ended = desk.type("resend", "last", "--url", server.url, "--yes", "--rate", "none")
        assert ended.code == 3
    assert len(re.findall(HASHED, desk.failed().read_text())) == 3
    for text in (*told(desk).values(), ended.out, ended.err):
        assert not [secret for secret in SECRETS if secret in text]


def test_a_report_can_mask_more_than_its_run(desk):
    rows(desk)
    with Server(reply(refused)) as server:
        desk.send(server)
    page = desk.runs[-1] / "report.html"
    assert "secret-user-3" in page.read_text()
    assert desk.type("report", "last", *MASKS, "--mask", "event.key").code == 0
    text = page.read_text()
    assert not [secret for secret in SECRETS if secret in text]
    assert re.search(r"#[0-9a-f]{10}", text)
    assert "user … may not say …" in text
    assert "buy1" not in text


def test_a_resume_can_mask_more_than_the_run_did_before(desk):
    rows(desk)
    with Server(lambda _, number: Reply(401 if number == 2 else 200)) as server:
        desk.send(server, "--concurrency", "1")
        desk.type("resume", "last", "--json", *MASKS, "--mask", "event.key")
    page = (desk.runs[-1] / "report.html").read_text()
    assert not [secret for secret in (*SECRETS, "buy1") if secret in page]
    desk.type("report", "last")
    assert not [
        secret for secret in (*SECRETS, "buy1") if secret in (desk.runs[-1] / "report.html").read_text()
    ]


@pytest.mark.parametrize(
    ("field", "words"),
    [("user.userID", "user.userId"), ("memmo", "memo"), ("nothing.like.it", "There are event.key")],
)
def test_an_unknown_field_is_refused_before_anything_is_written(desk, field, words):
    rows(desk)
    ended = desk.type("check", "rows.csv", "--map", "map.toml", "--problems", "problems.csv", "--mask", field)
    assert (ended.code, ended.out) == (2, "")
    assert f"--mask {field}" in ended.err
    assert words in ended.err
    assert not (desk.folder / "problems.csv").exists()
    with Server() as server:
        assert desk.send(server, "--mask", field).code == 2
    assert server.bodies == []


def test_members_of_records_are_masked_by_their_path(desk):
    records = [
        {"event": {"key": "buy", "properties": {"email": f"secret-memo-{n}"}}, "user": {"userId": f"u{n}"}}
        for n in range(3)
    ]
    desk.write("rows.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    answer = reply(lambda body: Reply(400, body=body["event"]["properties"]["email"].encode()))
    with Server(answer) as server:
        arguments = ("send", "rows.jsonl", "--url", server.url, "--yes", "--mask", "event.properties.email")
        ended = desk.type(*arguments)
    assert ended.code == 3
    for text in (*told(desk).values(), ended.out, ended.err):
        assert "secret-memo" not in text
    assert "secret-memo-1" in desk.failed("rows.jsonl").read_text()


def test_what_is_joined_of_a_masked_column_is_masked_and_the_other_columns_are_not(desk):
    desk.csv("buy,secret-user-1,none,plain memo")
    desk.write(
        "map.toml",
        '[event]\nkey = "event"\nvalue = "amount:number"\n[event.properties]\n'
        'both = { join = ["user", "memo"], with = "-" }\n[user]\nuserId = "user"\n',
    )
    with Server() as server:
        desk.send(server, "--mask", "user")
    page = told(desk)["report.html"]
    assert "secret-user" not in page
    assert "plain memo" in page


def test_members_that_a_star_takes_are_masked_too(desk):
    desk.write("map.toml", '[event]\nkey = "name"\n[event.properties]\n"*" = "*"\n[user]\nuserId = "id"\n')
    records = [{"name": "buy", "id": f"u{n}", "email": f"secret-memo-{n}", "city": "Seoul"} for n in range(3)]
    desk.write("rows.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    answer = reply(lambda body: Reply(400, body=" ".join(body["event"]["properties"].values()).encode()))
    for field in ("email", "event.properties.email"):
        with Server(answer) as server:
            desk.send(server, "--mask", field, source="rows.jsonl")
        texts = told(desk)
        assert not [name for name, text in texts.items() if "secret-memo" in text], field
        assert "Seoul" in texts["report.html"]


def test_a_column_that_fills_two_places_is_masked_in_both(desk):
    desk.write("rows.csv", f"{HEADER}\nbuy,secret-user-1,1,m\n")
    sets = ("--set", "event.key=event", "--set", "user.userId=user", "--set", "event.properties.uid=user")
    answer = reply(lambda body: Reply(400, body=b"no " + body["event"]["properties"]["uid"].encode()))
    with Server(answer) as server:
        desk.type("send", "rows.csv", *sets, "--url", server.url, "--yes", "--mask", "event.properties.uid")
    assert not [text for text in told(desk).values() if "secret-user" in text]
