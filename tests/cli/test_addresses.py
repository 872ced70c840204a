"""A source at an address: fetched beside the run, known by its address without what is secret in it."""

import os

import pytest
from cli.desk import HEADER, MAP, Server, reply
from source.shelf import Shelf

ROWS = "".join(f"buy,user{n},{n},row {n}\n" for n in range(1, 101))
CONTENT = f"{HEADER}\n{ROWS}".encode()
SECRET = "very-secret"


@pytest.fixture
def shelf():
    with Shelf(CONTENT) as shelf:
        yield shelf


def address(shelf):
    return f"{shelf.url.replace('//', f'//user:{SECRET}@')}/exports/rows.csv?X-Signature={SECRET}"


def test_what_is_secret_in_an_address_is_neither_kept_nor_shown(desk, shelf):
    desk.write("map.toml", MAP)
    with Server(reply(lambda body: 400 if body["event"]["value"] == 7 else 200)) as server:
        ended = desk.send(server, source=address(shelf))
        shown = desk.type("runs", "last")
        assert (ended.code, ended.rows["delivered"], ended.rows["rejected"]) == (3, 99, 1), ended
        assert [path.rpartition("/")[2] for path in ended.json["files"]["failed"]] == ["rows.csv"]
        again = desk.send(server, source=address(shelf))
        assert again.rows["skipped"] == 99
    kept = b"".join(path.read_bytes() for path in desk.folder.rglob("*") if path.is_file())
    said = ended.out + ended.err + shown.out + shown.err + again.out + again.err
    assert SECRET.encode() not in kept
    assert SECRET not in said
    assert f"{shelf.url}/exports/rows.csv".encode() in (desk.runs[0] / "run.toml").read_bytes()


def test_a_run_goes_on_with_what_it_fetched_and_asks_nobody_again(desk):
    desk.write("map.toml", MAP)
    refusing = {50}
    with Server(reply(lambda body: 401 if body["event"]["value"] in refusing else 200)) as server:
        with Shelf(CONTENT) as shelf:
            stopped = desk.send(server, "--concurrency", "1", source=address(shelf))
        assert stopped.json["stopped_by"] == "auth"
        refusing.clear()
        resumed = desk.type("resume", "last", "--json")
    assert (resumed.code, resumed.rows["delivered"]) == (0, 100)


def test_check_and_preview_take_addresses_too(desk, shelf):
    desk.write("map.toml", MAP)
    checked = desk.type("check", address(shelf), "--map", "map.toml", "--json")
    assert (checked.code, checked.rows["valid"]) == (0, 100)
    assert SECRET not in checked.out + checked.err
    assert desk.type("preview", address(shelf), "--map", "map.toml").out.count("\n") == 3


def test_a_file_that_cannot_be_had_stops_the_command_and_leaves_no_run(desk, shelf):
    desk.write("map.toml", MAP)
    shelf.statuses[:] = [404] * 9
    with Server() as server:
        ended = desk.send(server, source=address(shelf))
    assert (ended.code, ended.json["error"]["kind"]) == (1, "source")
    assert "there is no such file" in ended.json["error"]["message"]
    assert SECRET not in ended.out + ended.err
    assert desk.runs == []


def test_the_plan_names_another_host_that_an_address_redirects_to(desk, shelf):
    desk.write("map.toml", MAP)
    to = shelf.url.replace("127.0.0.1", "localhost")
    with Shelf(b"", redirects={"/rows.csv": f"{to}/rows.csv"}) as here:
        ended = desk.type("send", f"{here.url}/rows.csv", "--map", "map.toml", "--dry-run")
    assert f"{here.url}/rows.csv was fetched by way of localhost" in " ".join(ended.err.split()), ended


def test_a_run_removes_the_download_that_a_killed_one_left(desk, shelf):
    desk.write("map.toml", MAP)
    left = desk.folder / "replay-runs/20260101-000000-00aa"
    (left / "fetched").mkdir(parents=True)
    (left / "fetched" / "1-rows.csv").write_text("half of it")
    os.utime(left, (1, 1))
    with Server(reply(lambda body: 200)) as server:
        assert desk.send(server, source=address(shelf)).code == 0
    assert not left.exists()
