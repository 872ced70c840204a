"""What came back from one attempt, and what it means for the row and for the run.

Two tables: the meaning of every status, and the words for every exception of the HTTP client. The
same exceptions come whether the server never read the request or had processed it already, so only
"had the request begun to leave?" splits what is known from what is not.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from replay.sink.bodies import Body, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping


class Meaning(StrEnum):
    """What an answer says about the row it answers."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not accepted"  # known: it can be tried again
    UNKNOWN = "unknown"  # it may have been accepted
    ROW_REFUSED = "row refused"
    RUN_REFUSED = "run refused"
    DISBELIEVED = "disbelieved"  # a 2xx of something that may not be the API: it may have been accepted


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt's end.

    `retry_after`: seconds that the destination asked everybody to wait. `throttled`: it asked for
    less (429, or 503 with `Retry-After`), which costs the row none of its tries. `stopped_by`: why
    the whole run ends, with RUN_REFUSED. `started`: the request had begun to leave. `reports_failure`: the
    body of a 2xx is a page, or reports an error.
    """

    meaning: Meaning
    reason: str
    status: int | None = None
    retry_after: float | None = None
    throttled: bool = False
    stopped_by: str | None = None
    started: bool = True
    reports_failure: bool = False

    @property
    def is_trouble(self) -> bool:
        """Whether attempts end so in an outage; an answer that asks for patience is none."""
        if self.meaning is Meaning.ACCEPTED:
            return False
        return self.meaning is Meaning.UNKNOWN or (self.meaning is Meaning.NOT_ACCEPTED and not self.started)


_AUTH: Final = frozenset({401, 402, 403, 407})
_DESTINATION: Final = frozenset({404, 405, 410, 415})
_TRY_AGAIN: Final = frozenset({408, 425, 429})
MESSAGE_MAX: Final = 300  # characters of an answer's own words that are kept
WAIT_MAX: Final = 1e9  # seconds; a longer wait is as good as this one
_TERMINAL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def from_status(status: int, retry_after: str | None, message: str, now: datetime) -> Answer:
    """The meaning of a status line; `message` is the body's own word, `now` is for dates."""
    wait = parse_retry_after(retry_after, now)
    reason = f"{status} {message}".strip()
    if 200 <= status < 300:
        return Answer(Meaning.ACCEPTED, reason, status)
    if status in _AUTH:
        return Answer(Meaning.RUN_REFUSED, reason, status, stopped_by="auth")
    if status in _DESTINATION or 300 <= status < 400:
        return Answer(Meaning.RUN_REFUSED, reason, status, stopped_by="destination")
    if status in _TRY_AGAIN or (status == 503 and wait is not None):
        throttled = status in (429, 503)
        return Answer(Meaning.NOT_ACCEPTED, reason, status, retry_after=wait, throttled=throttled)
    if 400 <= status < 500:
        return Answer(Meaning.ROW_REFUSED, reason, status)
    return Answer(Meaning.UNKNOWN, reason, status, retry_after=wait)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None for nothing or nonsense."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), WAIT_MAX)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), WAIT_MAX)


def message_of(raw: bytes, secret: str = "", headers: Mapping[str, str] | None = None) -> str:
    """What the body of an answer says for people, cleaned and cut short; see `words_for_people`."""
    return words_for_people(read_body(raw, headers or {}), secret)


def words_for_people(body: Body, secret: str = "") -> str:
    """The words of a body, cleaned and cut short.

    `secret` is blotted out of them: a server may well repeat the key that it refuses.
    """
    text = body.words
    if secret:
        text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
    return _TERMINAL.sub(" ", text).strip()[:MESSAGE_MAX]


def from_body(status: int, body: Body, retry_after: str | None, secret: str, now: datetime) -> Answer:
    """The meaning of a status line, with what the body adds to it."""
    answer = from_status(status, retry_after, words_for_people(body, secret), now)
    if answer.meaning is Meaning.ACCEPTED and body.reports_failure:
        return replace(answer, reports_failure=True)
    return answer


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "the host name was not found"),
    (aiohttp.ClientProxyConnectionError, "the proxy could not be reached"),
    (aiohttp.ClientConnectorSSLError, "the TLS handshake failed"),
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.SocketTimeoutError, "no answer in time"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ServerDisconnectedError, "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientResponseError, "the answer was not HTTP"),
    (HttpProcessingError, "the answer was not HTTP"),
    (ConnectionResetError, "the connection was reset"),
    (aiohttp.ClientOSError, "the connection failed"),
    (aiohttp.ClientConnectionError, "the connection failed"),
    (OSError, "the connection failed"),
    (BaseException, "the attempt failed"),
)
"""How each exception is told, the first that fits; what it means is decided in `from_exception`."""

_CERTIFICATE: Final = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ServerFingerprintMismatch,
    ssl.SSLCertVerificationError,
)
_UNKNOWN_AUTHORITY: Final = (
    "self-signed",
    "self signed",
    "issuer certificate",
    "verify the first certificate",
)
_NO_TLS: Final = "what listens there does not speak TLS"
_NO_COMMON_TLS: Final = "the server accepts no TLS version or cipher that this machine allows"
_NEVER: Final = (
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("RECORD_LAYER_FAILURE", _NO_TLS),
    ("HTTP_REQUEST", _NO_TLS),
    ("UNKNOWN_PROTOCOL", _NO_TLS),
    ("PROTOCOL_VERSION", _NO_COMMON_TLS),
    ("UNSUPPORTED_PROTOCOL", _NO_COMMON_TLS),
    ("NO_PROTOCOLS", _NO_COMMON_TLS),
    ("VERSION_TOO_", _NO_COMMON_TLS),
    ("HANDSHAKE_FAILURE", _NO_COMMON_TLS),
    ("CIPHER", _NO_COMMON_TLS),
    ("INSUFFICIENT_SECURITY", _NO_COMMON_TLS),
    ("KEY_TOO_SMALL", _NO_COMMON_TLS),
    ("LEGACY_RENEGOTIATION", _NO_COMMON_TLS),
    ("UNRECOGNIZED_NAME", "the server knows no host of this name"),
)
"""Parts of the names that OpenSSL gives to faults which the next handshake has, too."""
_ADDRESS: Final = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


def from_exception(error: BaseException, *, started: bool) -> Answer:
    """The meaning of an exception, by whether the request had begun to leave."""
    if started:
        return Answer(Meaning.UNKNOWN, _reason(error))
    if isinstance(error, _CERTIFICATE):
        detail = _detail(error)
        return _refused(f"the certificate does not hold: {detail}".removesuffix(": ") + _advice(detail))
    if words := _never(_detail(error)):
        return _refused(words)
    if isinstance(error, _ADDRESS):
        return _refused("the address is unusable")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _from_proxy(error.status)
    return Answer(Meaning.NOT_ACCEPTED, _reason(error), started=False)


def _advice(detail: str) -> str:
    """What to do about a certificate whose authority is not known here."""
    if not any(words in detail for words in _UNKNOWN_AUTHORITY):
        return ""
    return ". If a proxy or your own authority signed it, name the authority's certificate in SSL_CERT_FILE"


def _never(detail: str) -> str:
    """What to say of a TLS fault that no later handshake will be without; "" for any other."""
    found = next((words for part, words in _NEVER if part in detail), "")
    return f"{found} ({detail}); check the address" if found else ""


def _refused(reason: str) -> Answer:
    return Answer(Meaning.RUN_REFUSED, reason, stopped_by="destination", started=False)


def _from_proxy(status: int) -> Answer:
    """A proxy that refused to open the tunnel: nothing reached the destination."""
    meant = from_status(status, None, "", datetime.now(UTC))
    refused = meant.meaning is Meaning.RUN_REFUSED
    return Answer(
        Meaning.RUN_REFUSED if refused else Meaning.NOT_ACCEPTED,
        f"the proxy answered {status}",
        status,
        stopped_by=meant.stopped_by,
        started=False,
    )


def _reason(error: BaseException) -> str:
    words = next(words for kind, words in _WORDS if isinstance(error, kind))
    detail = _detail(error)
    return f"{words}: {detail}" if detail else words


def _detail(error: BaseException) -> str:
    """What the operating system or TLS says, by its number: their texts may hold addresses and payloads."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLError):
        # Either is missing where the error was not raised by a handshake.
        verdict: str = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or ""
        return verdict.split(", certificate is not valid for", maxsplit=1)[0][:MESSAGE_MAX]
    if isinstance(cause, socket.gaierror):
        return str(cause.strerror or "")
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else ""
