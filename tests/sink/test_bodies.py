"""What the body of a response says, whatever it is packed in; and whether it says that nothing arrived."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from replay.sink.answer import MESSAGE_MAX, message_of
from replay.sink.bodies import DECODED_MAX, read_body

JSON = {"Content-Type": "application/json"}
SAID = json.dumps({"message": "속성이 없습니다"}, ensure_ascii=False)


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (gzip.compress(SAID.encode(), mtime=0), {"Content-Encoding": "gzip"}),
        (gzip.compress(SAID.encode(), mtime=0), {"Content-Encoding": " X-GZIP "}),
        (gzip.compress(SAID.encode(), mtime=0), {}),
        (zlib.compress(SAID.encode()), {"Content-Encoding": "deflate"}),
        (raw_deflate(SAID.encode()), {"Content-Encoding": "deflate"}),
        (SAID.encode(), {"Content-Encoding": "gzip"}),
        (SAID.encode("cp949"), {"Content-Type": "application/json; charset=EUC-KR"}),
        (SAID.encode("utf-16"), JSON),
        (SAID.encode("utf-8-sig"), JSON),
    ],
)
def test_a_reason_is_read_through_compression_and_charset(raw: bytes, headers: dict[str, str]) -> None:
    assert message_of(raw, headers=headers) == "속성이 없습니다"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"message": "a"}, "a"),
        ({"error": {"message": "a", "code": "X"}}, "a"),
        ({"error": "a"}, "a"),
        ({"errors": ["a", "b"]}, "a"),
        ({"errors": [{"message": "a"}]}, "a"),
        ({"message": "", "error": "a"}, "a"),
        ({"message": None, "detail": "a"}, "a"),
        (["a"], '["a"]'),
        ({"code": 7}, '{"code": 7}'),
    ],
)
def test_a_reason_is_the_words_that_an_error_document_has_for_people(document: object, words: str) -> None:
    assert message_of(json.dumps(document).encode()) == words


def test_the_reason_of_a_page_is_its_title() -> None:
    page = "<!DOCTYPE html><html><head><Title lang='ko'>\n 로그인 &amp; more\n</title></head>".encode("cp949")
    assert message_of(page, headers={"Content-Type": "text/html; charset=cp949"}) == (
        "an HTML page: 로그인 & more"
    )
    page = b"<html><meta charset='euc-kr'><title>\xb7\xce</title>"
    assert message_of(page, headers={"Content-Type": "text/html"}) == "an HTML page: 로"


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"\x1f\x8b broken", {"Content-Encoding": "gzip"}),
        (b"\xff\xfe\x00", {"Content-Type": "text/plain; charset=hex"}),
        (b"x", {"Content-Type": "text/plain; charset=no-such"}),
        (b"xn--" * 10_000, {"Content-Type": "text/plain; charset=punycode"}),
        (b"<title" * 10_000, {"Content-Type": "text/html"}),
        (b"[" * 60_000, JSON),
        (gzip.compress(SAID.encode(), mtime=0)[:-12], {"Content-Encoding": "gzip"}),
        (b"\x8b\x02", {"Content-Encoding": "br"}),
    ],
)
def test_a_body_that_cannot_be_read_is_no_error_and_costs_no_more_than_its_size(
    raw: bytes, headers: dict[str, str]
) -> None:
    assert len(message_of(raw, headers=headers)) <= MESSAGE_MAX


def test_a_small_body_that_decompresses_to_much_is_cut_off() -> None:
    bomb = gzip.compress(b"a" * 50_000_000, mtime=0)
    assert len(read_body(bomb, {"Content-Encoding": "gzip"}).text) == DECODED_MAX


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"<html><title>Sign in</title>", "text/html"),
        (b"OK", "Text/HTML; charset=utf-8"),
        (b" <!DOCTYPE html>", ""),
        (b'{"error": "invalid key"}', "application/json"),
        (b'{"error": {"code": 1}}', "text/plain"),
        (b'{"errors": ["a"]}', ""),
        (b'{"success": false}', "application/json"),
    ],
)
def test_a_page_and_an_object_that_reports_an_error_report_a_failure(raw: bytes, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert read_body(raw, headers).reports_failure
    assert read_body(gzip.compress(raw, mtime=0), {**headers, "Content-Encoding": "gzip"}).reports_failure


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", "text/html"),
        (b" \r\n", "text/html"),
        (b"OK", "text/plain"),
        (b"{}", "application/json"),
        (b'{"error": null, "errors": [], "success": true}', "application/json"),
        (b'{"error": "", "message": "ok"}', "application/json"),
        (b'{"error": "cut o', "application/json"),
        (b'["error"]', "application/json"),
        (b'{"result": {"error": "x"}}', "application/json"),
    ],
)
def test_every_other_body_reports_none(raw: bytes, kind: str) -> None:
    assert not read_body(raw, {"Content-Type": kind}).reports_failure
