"""What an answer means is a table, and so is its test."""

from __future__ import annotations

import inspect
import socket
import ssl
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from replay.sink.answer import (
    MESSAGE_MAX,
    WAIT_MAX,
    Meaning,
    from_exception,
    from_status,
    message_of,
    parse_retry_after,
)

NOW = datetime(2026, 11, 23, 8, 12, 10, tzinfo=UTC)
KEY = "s3cret-key"
AUTH = {401, 402, 403, 407}
DESTINATION = {404, 405, 410, 415} | set(range(300, 400))
AGAIN = {408, 425, 429}


def expected_meaning(status: int) -> Meaning:
    if status in AUTH | DESTINATION:
        return Meaning.RUN_REFUSED
    if status in AGAIN:
        return Meaning.NOT_ACCEPTED
    return {2: Meaning.ACCEPTED, 4: Meaning.ROW_REFUSED}.get(status // 100, Meaning.UNKNOWN)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_meaning(status: int) -> None:
    answer = from_status(status, None, "", NOW)
    assert answer.meaning is expected_meaning(status)
    assert answer.status == status
    assert answer.reason == str(status)
    assert answer.retry_after is None
    assert answer.started


@pytest.mark.parametrize("status", range(100, 600))
def test_retry_after_turns_503_alone_into_a_known_refusal(status: int) -> None:
    answer = from_status(status, "7", "", NOW)
    expected = Meaning.NOT_ACCEPTED if status == 503 else expected_meaning(status)
    assert answer.meaning is expected
    assert answer.throttled is (status in {429, 503})
    if expected in (Meaning.NOT_ACCEPTED, Meaning.UNKNOWN):
        assert answer.retry_after == 7.0


@pytest.mark.parametrize("status", sorted(AUTH))
def test_a_refused_key_stops_the_run_as_auth(status: int) -> None:
    assert from_status(status, None, "", NOW).stopped_by == "auth"


@pytest.mark.parametrize("status", sorted(DESTINATION))
def test_a_wrong_address_stops_the_run_as_destination(status: int) -> None:
    assert from_status(status, None, "", NOW).stopped_by == "destination"


def test_a_bare_503_and_one_with_a_senseless_wait_leave_the_row_unknown() -> None:
    assert from_status(503, None, "", NOW).meaning is Meaning.UNKNOWN
    assert from_status(503, "soon", "", NOW).meaning is Meaning.UNKNOWN


def test_the_reason_is_the_status_and_the_words_of_the_answer() -> None:
    assert from_status(400, None, "event is required", NOW).reason == "400 event is required"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("2", 2.0),
        (" 2 ", 2.0),
        ("1" * 400, WAIT_MAX),
        ("Mon, 23 Nov 2026 08:12:40 GMT", 30.0),
        ("Mon, 23 Nov 2026 08:12:40", 30.0),
        ("Mon, 23 Nov 2026 17:12:40 +0900", 30.0),
        ("Mon, 23 Nov 2026 08:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", WAIT_MAX),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("٣", None),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_nothing(
    text: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(
    st.text()
    | st.from_regex(
        r"[A-Z][a-z]{2}, \d{1,25} [A-Z][a-z]{2} \d{1,25} \d+:\d+:\d+ [+-]\d{1,20}", fullmatch=True
    )
)
def test_no_retry_after_whatever_it_says_is_an_error_or_a_negative_wait(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= WAIT_MAX


# Exceptions

CONNECTION = ConnectionKey("10.0.0.7", 8443, True, True, None, None, None)
REQUEST = RequestInfo(
    URL("https://10.0.0.7:8443/v1/track?token=" + KEY),
    "POST",
    CIMultiDictProxy(CIMultiDict({"X-HACKLE-API-KEY": KEY})),
)
REFUSED = ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 8443)")
PAYLOAD = '{"user": {"userId": "jane@example.com"}}'


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_message = "Hostname mismatch, certificate is not valid for '10.0.0.7'."
    return error


def response_error(kind: type[aiohttp.ClientResponseError]) -> aiohttp.ClientResponseError:
    return kind(REQUEST, (), status=400, message=PAYLOAD)


MADE: dict[str, Any] = {
    "ClientConnectorError": lambda kind: kind(CONNECTION, REFUSED),
    "ClientConnectorDNSError": lambda kind: kind(
        CONNECTION, socket.gaierror(-2, "Name or service not known")
    ),
    "ClientProxyConnectionError": lambda kind: kind(CONNECTION, REFUSED),
    "ClientSSLError": lambda kind: kind(CONNECTION, REFUSED),
    "ClientConnectorSSLError": lambda kind: kind(CONNECTION, ssl.SSLError(1, "[SSL] 10.0.0.7")),
    "ClientConnectorCertificateError": lambda kind: kind(CONNECTION, certificate_error()),
    "UnixClientConnectorError": lambda kind: kind("/run/10.0.0.7", CONNECTION, REFUSED),
    "ServerFingerprintMismatch": lambda kind: kind(b"a", b"b", "10.0.0.7", 8443),
    "ClientOSError": lambda kind: kind(104, "Can not write request body for https://10.0.0.7:8443/"),
    "ClientResponseError": response_error,
    "ContentTypeError": response_error,
    "WSServerHandshakeError": response_error,
    "ClientHttpProxyError": response_error,
    "TooManyRedirects": response_error,
}

WORDS = {
    "ClientError": "the attempt failed",
    "ClientResponseError": "the answer was not HTTP",
    "ContentTypeError": "the answer was not HTTP",
    "WSServerHandshakeError": "the answer was not HTTP",
    "ClientHttpProxyError": "the answer was not HTTP",
    "TooManyRedirects": "the answer was not HTTP",
    "ClientConnectionError": "the connection failed",
    "ClientConnectionResetError": "the connection was reset",
    "ClientOSError": "the connection failed: Connection reset by peer",
    "ClientConnectorError": "no connection: Connection refused",
    "ClientConnectorDNSError": "the host name was not found: Name or service not known",
    "ClientProxyConnectionError": "the proxy could not be reached: Connection refused",
    "UnixClientConnectorError": "no connection: Connection refused",
    "ServerConnectionError": "the connection failed",
    "ServerDisconnectedError": "the server closed the connection without an answer",
    "ServerTimeoutError": "no answer in time",
    "ConnectionTimeoutError": "no connection in time",
    "SocketTimeoutError": "no answer in time",
    "ServerFingerprintMismatch": "the connection failed",
    "ClientPayloadError": "the answer broke off",
    "UploadAbortedError": "the attempt failed",
    "InvalidURL": "the attempt failed",
    "InvalidUrlClientError": "the attempt failed",
    "RedirectClientError": "the attempt failed",
    "NonHttpUrlClientError": "the attempt failed",
    "InvalidUrlRedirectClientError": "the attempt failed",
    "NonHttpUrlRedirectClientError": "the attempt failed",
    "ClientSSLError": "no connection: Connection refused",
    "ClientConnectorSSLError": "the TLS handshake failed",
    "ClientConnectorCertificateError": "no connection: Hostname mismatch",
    "WSMessageTypeError": "the attempt failed",
}

REFUSE_THE_RUN = {
    "ServerFingerprintMismatch": "the certificate does not hold",
    "ClientConnectorCertificateError": "the certificate does not hold: Hostname mismatch",
    "InvalidURL": "the address is unusable",
    "InvalidUrlClientError": "the address is unusable",
    "NonHttpUrlClientError": "the address is unusable",
    "InvalidUrlRedirectClientError": "the address is unusable",
    "NonHttpUrlRedirectClientError": "the address is unusable",
}

DEFINED = {
    name: kind
    for name, kind in inspect.getmembers(client_exceptions, inspect.isclass)
    if issubclass(kind, BaseException) and kind.__module__ == client_exceptions.__name__
}


def make(name: str) -> BaseException:
    kind = DEFINED[name]
    error: BaseException = MADE[name](kind) if name in MADE else kind(f"{PAYLOAD} 10.0.0.7 {KEY}")
    return error


def says_nothing_private(reason: str) -> bool:
    return not any(word in reason for word in ("10.0.0.7", "8443", KEY, "jane", "userId", "http"))


def test_the_table_has_every_exception_that_the_client_can_raise() -> None:
    assert set(DEFINED) - {"UploadAbortedError"} == set(WORDS) - {"UploadAbortedError"}


@pytest.mark.parametrize("name", sorted(DEFINED))
def test_after_the_start_every_exception_leaves_the_row_unknown(name: str) -> None:
    answer = from_exception(make(name), started=True)
    assert answer.meaning is Meaning.UNKNOWN
    assert answer.reason == WORDS[name]
    assert answer.started
    assert answer.status is None
    assert says_nothing_private(answer.reason)


@pytest.mark.parametrize("name", sorted(set(DEFINED) - {"ClientHttpProxyError"}))
def test_before_the_start_nothing_was_accepted_and_what_cannot_mend_itself_refuses_the_run(name: str) -> None:
    answer = from_exception(make(name), started=False)
    refused = name in REFUSE_THE_RUN
    assert answer.meaning is (Meaning.RUN_REFUSED if refused else Meaning.NOT_ACCEPTED)
    assert answer.stopped_by == ("destination" if refused else None)
    assert answer.reason == REFUSE_THE_RUN.get(name, WORDS[name])
    assert not answer.started
    assert answer.status is None
    assert says_nothing_private(answer.reason)


@pytest.mark.parametrize(
    ("status", "meaning", "stopped_by"),
    [
        (302, Meaning.RUN_REFUSED, "destination"),
        (400, Meaning.NOT_ACCEPTED, None),
        (403, Meaning.RUN_REFUSED, "auth"),
        (404, Meaning.RUN_REFUSED, "destination"),
        (407, Meaning.RUN_REFUSED, "auth"),
        (429, Meaning.NOT_ACCEPTED, None),
        (502, Meaning.NOT_ACCEPTED, None),
        (503, Meaning.NOT_ACCEPTED, None),
    ],
)
def test_a_proxy_that_opens_no_tunnel_let_nothing_through(
    status: int, meaning: Meaning, stopped_by: str | None
) -> None:
    error = aiohttp.ClientHttpProxyError(REQUEST, (), status=status, message=PAYLOAD)
    answer = from_exception(error, started=False)
    assert (answer.meaning, answer.stopped_by, answer.status) == (meaning, stopped_by, status)
    assert answer.reason == f"the proxy answered {status}"
    assert not answer.started


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(104, PAYLOAD), "the connection was reset: Connection reset by peer"),
        (BrokenPipeError(32, PAYLOAD), "the connection failed: Broken pipe"),
        (OSError(PAYLOAD), "the connection failed"),
    ],
)
def test_the_systems_own_errors_are_told_by_their_number(error: BaseException, reason: str) -> None:
    assert from_exception(error, started=True).reason == reason


# The body's own words


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", ""),
        (b'{"code": 3, "message": "event is required"}', "event is required"),
        (b'{"message": 3}', '{"message": 3}'),
        (b'["message"]', '["message"]'),
        (b"plain words\r\n", "plain words"),
        (b"\x1b[2J\x1b]0;title\x07 hi \x00 \xc2\x9b", "[2J ]0;title  hi"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b'{"message": "\\u001b[31mred"}', "[31mred"),
        ('{"message": "이벤트"}'.encode(), "이벤트"),
        (b"[" * 100_000, "[" * MESSAGE_MAX),
    ],
)
def test_a_message_is_what_a_person_can_read(raw: bytes, message: str) -> None:
    assert message_of(raw) == message


@pytest.mark.parametrize("room", [0, MESSAGE_MAX - 5])
def test_a_message_never_repeats_the_key(room: int) -> None:
    said = message_of(b"x" * room + f" no such key: {KEY}".encode(), KEY)
    assert KEY not in said
    assert KEY[:3] not in said


@given(st.binary())
def test_every_message_is_short_printable_text(raw: bytes) -> None:
    message = message_of(raw)
    assert len(message) <= MESSAGE_MAX
    assert "\x1b" not in message
    message.encode()


def ssl_error(reason: str) -> aiohttp.ClientConnectorSSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return aiohttp.ClientConnectorSSLError(CONNECTION, error)


@pytest.mark.parametrize(
    "reason",
    [
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "HTTP_REQUEST",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "NO_PROTOCOLS_AVAILABLE",
        "NO_SHARED_CIPHER",
        "NO_CIPHERS_AVAILABLE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    ],
)
def test_a_handshake_that_can_never_succeed_stops_the_run_as_destination(reason: str) -> None:
    answer = from_exception(ssl_error(reason), started=False)
    assert (answer.meaning, answer.stopped_by) == (Meaning.RUN_REFUSED, "destination")
    assert reason in answer.reason
    assert "check the address" in answer.reason


@pytest.mark.parametrize("reason", ["UNEXPECTED_EOF_WHILE_READING", "TLSV1_ALERT_INTERNAL_ERROR", "BAD_MAC"])
def test_a_handshake_that_broke_off_is_tried_again(reason: str) -> None:
    assert from_exception(ssl_error(reason), started=False).meaning is Meaning.NOT_ACCEPTED


def test_a_tls_fault_after_a_request_began_to_leave_leaves_its_row_in_doubt() -> None:
    assert from_exception(ssl_error("WRONG_VERSION_NUMBER"), started=True).meaning is Meaning.UNKNOWN


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        ("unable to get local issuer certificate", True),
        ("self-signed certificate in certificate chain", True),
        ("unable to verify the first certificate", True),
        ("certificate has expired", False),
        ("Hostname mismatch, certificate is not valid for '10.0.0.7'.", False),
    ],
)
def test_a_certificate_of_an_unknown_authority_names_the_variable_that_helps(
    said: str, is_named: bool
) -> None:
    error = certificate_error()
    error.verify_message = said
    assert ("SSL_CERT_FILE" in from_exception(error, started=False).reason) is is_named
