"""What the body of a response says: decoded, within bounds, and its words for people.

The status line decides what a response means. The body gives the reason, and shows a 2xx that comes from a
login page, a proxy or a wrong address instead of the API.
"""

from __future__ import annotations

import codecs
import html
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

DECODED_MAX: Final = 65_536  # bytes of a body that are looked at once it is decompressed
_TITLE_MAX: Final = 2_000  # characters
_DEPTH_MAX: Final = 4  # of objects and arrays in which words are looked for
_COMPRESSED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_BEGINS: Final = ("<!doctype html", "<html")
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.IGNORECASE)
_META_WITHIN: Final = 1_024  # bytes in which a page names its charset, as browsers look for it
_SLOW: Final = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAYING: Final = (
    "message",
    "error",
    "errors",
    "detail",
    "error_description",
    "description",
    "title",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Body:
    """A body as text; `document`: what it holds as JSON, None where it is none; `is_page`: it is HTML."""

    text: str
    document: Any = None
    is_page: bool = False

    @property
    def reports_failure(self) -> bool:
        """Whether it says that nothing was accepted: a page, or an object that reports an error."""
        if self.is_page:
            return True
        document = self.document
        if not isinstance(document, dict):
            return False
        return bool(document.get("error") or document.get("errors")) or document.get("success") is False

    @property
    def words(self) -> str:
        """What it says for people: the message of its object, the title of its page, else its text."""
        if self.is_page:
            return f"an HTML page: {_title(self.text) or self.text}"
        return (_said(self.document) if isinstance(self.document, dict) else "") or self.text


def read_body(raw: bytes, headers: Mapping[str, str]) -> Body:
    """Decode a body as its headers name it; what cannot be decoded is empty. Header names in any case."""
    content = _decompressed(raw, headers.get("Content-Encoding", "").strip().lower())[:DECODED_MAX]
    if not content.strip():
        return Body("")
    kind = headers.get("Content-Type", "")
    media = kind.partition(";")[0].strip().lower()
    text = _text(content, kind, may_name_its_own=media in _PAGES)
    begins = text.lstrip()
    is_page = media in _PAGES or (not media and begins[:20].lower().startswith(_PAGE_BEGINS))
    return Body(text, None if is_page or begins[:1] not in ("{", "[") else _document(text), is_page)


def _decompressed(raw: bytes, encoding: str) -> bytes:
    """At most DECODED_MAX bytes, of what came of a body that was cut off, too."""
    if encoding in ("", "identity") and not raw.startswith(b"\x1f\x8b"):
        return raw
    if encoding not in _COMPRESSED | {"", "identity"}:
        return b""
    for bits in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):  # with a gzip or zlib head, or without any
        try:
            return zlib.decompressobj(bits).decompress(raw, DECODED_MAX)
        except zlib.error:
            continue
    return raw  # the header names a compression that was not applied


def _text(content: bytes, kind: str, *, may_name_its_own: bool) -> str:
    """The text, by its byte order mark, the charset that its header or a page itself names, or as UTF-8."""
    for mark, encoding in _MARKS:
        if content.startswith(mark) and len(content) > len(mark):
            return content.decode(encoding, errors="replace")
    named = _CHARSET.search(kind)
    if named is None and may_name_its_own:
        named = _CHARSET.search(content[:_META_WITHIN].decode("latin-1"))
    return content.decode(_codec(named[1]) if named else "utf-8", errors="replace")


def _codec(name: str) -> str:
    """A codec of that name that decodes to text in linear time, else UTF-8."""
    try:
        codec = codecs.lookup(name)
        b"".decode(codec.name)
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if codec.name.replace("_", "-") in _SLOW else codec.name


def _document(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _said(value: Any, depth: int = 0) -> str:
    """The first text that an error document says, looked for under the names that services use."""
    if isinstance(value, str):
        return value if value.strip() else ""
    if depth == _DEPTH_MAX or not value:
        return ""
    if isinstance(value, list):
        return _said(value[0], depth + 1)
    if isinstance(value, dict):
        found = (_said(value.get(name), depth + 1) for name in _SAYING)
        return next(filter(None, found), "")
    return ""


def _title(text: str) -> str:
    """The title of a page, found without looking at any part of it twice."""
    lower = text.lower()
    start = lower.find("<title")
    start = lower.find(">", start) + 1 if start >= 0 else 0
    end = lower.find("</title", start)
    if not start or end < 0 or len(lower) != len(text):
        return ""
    return html.unescape(text[start:end][:_TITLE_MAX]).strip()
