"""What is at an address is fetched whole, or not at all; what is secret in the address stays there."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest
from source.shelf import Shelf
from yarl import URL

from replay.errors import SourceError, StorageError, UsageError
from replay.settings import ReadSettings
from replay.source import bounds, find, open_source, store
from replay.source.remote import TRIES, Redirects, fetch, shown_address

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(20_000))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "FETCH_BYTES", 1 << 14)


class Naps:
    """Time that passes at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def fetched(shelf: Shelf, folder: Path, address: str = "/rows.csv", naps: Naps | None = None) -> bytes:
    path = folder / "fetched" / "copy"
    fetch("the file", shelf.url + address, path, naps or Naps())
    return path.read_bytes()


def test_a_file_is_fetched_in_pieces_for_its_owner_alone(tmp_path: Path) -> None:
    with Shelf(CONTENT) as shelf:
        assert fetched(shelf, tmp_path) == CONTENT
    assert stat.S_IMODE((tmp_path / "fetched" / "copy").stat().st_mode) == 0o600
    assert len([piece for piece in shelf.pieces if piece]) == -(-len(CONTENT) // (1 << 14))


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    naps = Naps()
    with Shelf(CONTENT, breaks_at=[50_000, 50_001, 90_000]) as shelf:
        assert fetched(shelf, tmp_path, naps=naps) == CONTENT
    assert shelf.pieces.count("bytes=0-16383") == 1
    assert naps.seconds == [1.0, 2.0, 1.0]


def test_a_server_that_gives_no_pieces_gives_it_whole(tmp_path: Path) -> None:
    with Shelf(CONTENT, ranges=False) as shelf:
        assert fetched(shelf, tmp_path) == CONTENT
    with Shelf(CONTENT, ranges=False, breaks_at=[60_000]) as shelf:
        assert fetched(shelf, tmp_path) == CONTENT


def test_a_signed_address_that_answers_get_alone_is_fetched(tmp_path: Path) -> None:
    with Shelf(CONTENT, takes_head=False) as shelf:
        assert fetched(shelf, tmp_path, "/rows.csv?X-Sig=a%2Fb%3D&x=1") == CONTENT
    assert {path for _, path, _ in shelf.asked} == {"/rows.csv?X-Sig=a%2Fb%3D&x=1"}


def test_a_file_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    with (
        Shelf(CONTENT, changes_after=4) as shelf,
        pytest.raises(SourceError, match="changed while it was fetched"),
    ):
        fetched(shelf, tmp_path)


def test_a_server_that_does_not_say_how_long_a_file_is_cannot_be_trusted(tmp_path: Path) -> None:
    with (
        Shelf(CONTENT, says_length=False, ranges=False) as shelf,
        pytest.raises(SourceError, match="does not say how long"),
    ):
        fetched(shelf, tmp_path)


def test_a_download_that_breaks_at_one_place_again_and_again_fails_in_words(tmp_path: Path) -> None:
    naps = Naps()
    with (
        Shelf(CONTENT, breaks_at=[50_000] * 50) as shelf,
        pytest.raises(SourceError, match=r"the file: it (breaks off|cannot be fetched)"),
    ):
        fetched(shelf, tmp_path, naps=naps)
    assert len(naps.seconds) == TRIES - 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "no such file"), (403, "access is refused"), (401, "access is refused"), (410, "answered 410")],
)
def test_an_answer_that_stands_is_told_at_once(status: int, words: str, tmp_path: Path) -> None:
    naps = Naps()
    with Shelf(CONTENT, statuses=[status] * 9) as shelf, pytest.raises(SourceError, match=words) as refusal:
        fetched(shelf, tmp_path, "/rows.csv?secret=1", naps)
    assert (naps.seconds, "secret" in str(refusal.value)) == ([], False)
    assert refusal.value.__cause__ is None


def test_an_answer_that_may_change_is_waited_for(tmp_path: Path) -> None:
    naps = Naps()
    with Shelf(CONTENT, statuses=[503, 503, 429, 429]) as shelf:
        assert fetched(shelf, tmp_path, naps=naps) == CONTENT
    assert naps.seconds == [1.0, 2.0]


def test_a_server_that_is_not_there_is_named_without_what_is_secret(tmp_path: Path) -> None:
    with Shelf(b"") as shelf:
        gone = shelf.url
    with pytest.raises(SourceError, match="cannot be fetched") as refusal:
        fetch("the file", f"{gone}/a.csv?token=secret", tmp_path / "x" / "copy", Naps())
    assert "secret" not in str(refusal.value)


def test_a_disk_that_is_full_is_the_disk_s_fault(tmp_path: Path) -> None:
    (tmp_path / "fetched").write_bytes(b"")
    with Shelf(CONTENT) as shelf, pytest.raises(StorageError, match="could not be kept"):
        fetched(shelf, tmp_path)


def test_an_address_is_a_source_that_is_known_without_its_secrets(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n1,2\n")
    with Shelf(packed) as shelf:
        address = f"{shelf.url.replace('//', '//user:pw@')}/x/rows.csv.gz?sig=1"
        (source,) = find([address, address], ReadSettings())
        assert (source.name, source.path) == (f"{shelf.url}/x/rows.csv.gz", None)
        assert "sig" not in repr(source)
        stored = store(source, tmp_path, 3)
    assert stored.path == tmp_path / "fetched" / "3-rows.csv.gz"
    with open_source(stored, ReadSettings()) as reader:
        assert (reader.format, reader.header, len(next(iter(reader)))) == ("csv", ("a", "b"), 1)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pw@host.example/a/b.csv?sig=1#x", "https://host.example/a/b.csv"),
        ("http://localhost:8080/a", "http://localhost:8080/a"),
        ("s3://bucket/a/b.jsonl.gz", "s3://bucket/a/b.jsonl.gz"),
        ("gs://bucket/b", "gs://bucket/b"),
    ],
)
def test_an_address_is_shown_without_user_and_query(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://host.example/a.csv?sig=secret", "not an address that is read from"),
        ("ftp://host.example/a.csv", "s3://, gs://, https://"),
        ("s3://bucket", "names no file"),
        ("s3://bucket/folder/", "Name each file"),
        ("gs://bucket/part-*.csv", "Name each file"),
        ("https:///a.csv", "names no file"),
        ("https://[/a.csv", "not an address"),
    ],
)
def test_what_is_not_fetched_is_refused_in_words(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refusal:
        shown_address(address)
    assert "secret" not in str(refusal.value)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"pip install 'hackle-replay\[remote\]'"):
        fetch("f", "s3://bucket/key", tmp_path / "x", Naps())


def test_an_object_is_fetched_from_a_store_that_speaks_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, Any] = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_REGION": "us-east-1",
    }
    with Shelf(CONTENT, breaks_at=[40_000]) as shelf:
        for name, value in (values | {"AWS_ENDPOINT_URL": shelf.url}).items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "fetched" / "copy"
        fetch("s3://bucket/rows.csv", "s3://bucket/rows.csv", path, Naps())
    assert path.read_bytes() == CONTENT
    assert {path for _, path, _ in shelf.asked} == {"/bucket/rows.csv"}


def test_a_redirect_to_plain_http_is_not_followed(tmp_path: Path) -> None:
    naps = Naps()
    with (
        Shelf(CONTENT, redirects={"/rows.csv": "http://files.example.com/rows.csv"}) as shelf,
        pytest.raises(SourceError, match=r"^the file: it redirects to http://files\.example\.com, where"),
    ):
        fetched(shelf, tmp_path, naps=naps)
    assert naps.seconds == []


@pytest.mark.parametrize(
    ("typed", "url", "is_followed"),
    [
        ("https://a.example/x", "https://a.example/y", True),
        ("https://a.example/x", "https://b.example/y", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "http://127.0.0.1/x", False),
        ("http://127.0.0.1/x", "http://localhost/x", True),
        ("http://127.0.0.1/x", "http://a.example/x", False),
    ],
)
def test_a_secure_address_stays_secure_and_loopback_stays_loopback(
    typed: str, url: str, is_followed: bool
) -> None:
    class Request:
        def __init__(self) -> None:
            self.url = URL(url)

    async def send(request: Any) -> str:
        return "a response"

    redirects = Redirects("the file", typed)
    if is_followed:
        assert asyncio.run(redirects(Request(), send)) == "a response"
    else:
        with pytest.raises(SourceError, match="it redirects to http://"):
            asyncio.run(redirects(Request(), send))
    assert list(redirects.hosts) == (
        [] if URL(url).host == URL(typed).host or not is_followed else [URL(url).host]
    )


def test_another_host_that_an_address_redirects_to_is_known(tmp_path: Path) -> None:
    with Shelf(CONTENT) as there:
        other = there.url.replace("127.0.0.1", "localhost")
        with Shelf(CONTENT, redirects={"/rows.csv": f"{other}/rows.csv"}) as here:
            (found,) = find([f"{here.url}/rows.csv"], ReadSettings())
            assert store(found, tmp_path, 1).hosts == ("localhost",)
        (found,) = find([f"{there.url}/rows.csv"], ReadSettings())
        assert store(found, tmp_path, 2).hosts == ()


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_larger_than_the_room_on_the_disk_is_refused_before_it_is_fetched(
    says_length: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1_000))
    with (
        Shelf(CONTENT, ranges=says_length) as shelf,
        pytest.raises(StorageError, match=rf"{len(CONTENT):,} bytes are to be fetched, and 1,000 are free"),
    ):
        fetched(shelf, tmp_path)
    assert (tmp_path / "fetched" / "copy").read_bytes() == b""
