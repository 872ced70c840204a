"""What came back from one attempt, and what it means for the row and for the run.

Two tables: the meaning of every status, and the meaning of every exception of the HTTP client. The
same exceptions come whether the server never read the request or had processed it already, so only
"had the request begun to leave?" splits what is known from what is not.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import aiohttp


class Meaning(StrEnum):
    """What an answer says about the row it answers."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not accepted"  # known: it can be tried again
    UNKNOWN = "unknown"  # it may have been accepted
    ROW_REFUSED = "row refused"
    RUN_REFUSED = "run refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """One attempt's end.

    `retry_after`: seconds that the destination asked everybody to wait. `throttled`: it asked for
    less (429, or 503 with `Retry-After`), which costs the row none of its tries. `stopped_by`: why
    the whole run ends, with RUN_REFUSED. `started`: the request had begun to leave.
    """

    meaning: Meaning
    reason: str
    status: int | None = None
    retry_after: float | None = None
    throttled: bool = False
    stopped_by: str | None = None
    started: bool = True


_AUTH: Final = frozenset({401, 402, 403, 407})
_DESTINATION: Final = frozenset({404, 405, 410, 415})
_TRY_AGAIN: Final = frozenset({408, 425, 429})
MESSAGE_MAX: Final = 300


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
    return Answer(Meaning.UNKNOWN, reason, status)


def parse_retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, from seconds or an HTTP date; None for nothing or nonsense."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 1e9)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


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
    (ConnectionResetError, "the connection was reset"),
    (aiohttp.ClientOSError, "the connection failed"),
    (aiohttp.ClientConnectionError, "the connection failed"),
    (OSError, "the connection failed"),
)
"""How each exception is told, the first that fits; what it means is decided in `from_exception`."""

_CERTIFICATE: Final = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ServerFingerprintMismatch,
    ssl.SSLCertVerificationError,
)
_ADDRESS: Final = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)


def from_exception(error: BaseException, *, started: bool) -> Answer:
    """The meaning of an exception, by whether the request had begun to leave."""
    if not started:
        if isinstance(error, _CERTIFICATE):
            reason = f"the certificate does not hold: {_detail(error)}"
            return Answer(Meaning.RUN_REFUSED, reason, stopped_by="destination", started=False)
        if isinstance(error, _ADDRESS):
            return Answer(
                Meaning.RUN_REFUSED, "the address is unusable", stopped_by="destination", started=False
            )
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return _from_proxy(error)
        return Answer(Meaning.NOT_ACCEPTED, _reason(error), started=False)
    return Answer(Meaning.UNKNOWN, _reason(error))


def _from_proxy(error: aiohttp.ClientHttpProxyError) -> Answer:
    """A proxy that refused to open the tunnel: nothing reached the destination."""
    reason = f"the proxy answered {error.status}"
    stopped_by = "auth" if error.status in _AUTH else "destination" if error.status in _DESTINATION else None
    meaning = Meaning.NOT_ACCEPTED if stopped_by is None else Meaning.RUN_REFUSED
    return Answer(meaning, reason, error.status, stopped_by=stopped_by, started=False)


def _reason(error: BaseException) -> str:
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the attempt failed")
    if isinstance(error, TimeoutError) or words == "the answer was not HTTP":
        return words
    detail = _detail(error)
    return f"{words}: {detail}" if detail else words


def _detail(error: BaseException) -> str:
    """What the operating system says, without the addresses and payloads that texts may hold."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLError):
        return (getattr(cause, "verify_message", "") or cause.reason or "")[:MESSAGE_MAX]
    return (getattr(cause, "strerror", None) or "")[:MESSAGE_MAX]
