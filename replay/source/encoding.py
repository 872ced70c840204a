"""From a file's own encoding to UTF-8, without replacing or guessing a single character.

What does not decode stays undecodable in the UTF-8 stream (as surrogates, which strict UTF-8 refuses), so
that further down only the record that holds it is broken.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from replay.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARKS: Final = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BYTE_CANDIDATES: Final = ("cp949", "euc-kr", "shift_jis", "gb18030", "cp1252", "latin-1")
_WIDE_CANDIDATES: Final = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_NOT_OF_FILES: Final = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
_LATIN: Final = ("cp1252", "latin-1")
_SURE: Final = 0.9
_FOREIGN_RUNS: Final = re.compile(rb"[\x80-\xff]+")
_DETECTED_BYTES: Final = 1 << 18
_KEEP_BROKEN: Final = "replay-keep-broken"


def _keep_broken(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff" * (error.end - error.start), error.end


codecs.register_error(_KEEP_BROKEN, _keep_broken)


def encoding_of(head: bytes, wanted: str | None) -> str:
    """The encoding to read a source by: what the user wants, else its byte order mark, else UTF-8."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if wanted is None:
        return marked or "utf-8"
    codec = _text_codec(wanted)
    if codec not in ("utf-16", "utf-32"):
        return codec
    if marked is None or not marked.startswith(codec):
        raise UsageError(
            f"--encoding {wanted}: no byte order mark says which byte of a character comes first. "
            f"Name it: {codec}-le (the usual one) or {codec}-be."
        )
    return marked


def _text_codec(name: str) -> str:
    try:
        codec = codecs.lookup(name).name
        if codec.replace("_", "-") in _NOT_OF_FILES:
            raise LookupError(name)
        "".encode(codec)  # refuses codecs that are not of text, such as base64
        codecs.getincrementaldecoder(codec)(errors=_KEEP_BROKEN)
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"--encoding {name}: not an encoding this tool knows. Use utf-8, cp949, euc-kr, utf-16, latin-1…"
        ) from error
    return "utf-8" if codec == "utf-8-sig" else codec


def without_mark(raw: bytes, encoding: str) -> bytes:
    """The beginning of a text without its byte order mark, if it has that of this encoding."""
    mark = next((mark for mark, name in _MARKS if name == encoding), b"")
    return raw.removeprefix(mark)


def to_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The same text as UTF-8, one byte order mark taken off; the first piece holds the whole mark."""
    if encoding != "utf-8":
        pieces = _transcoded(pieces, encoding)
    start = True
    for piece in pieces:
        yield piece.removeprefix(codecs.BOM_UTF8) if start else piece
        start = start and not piece


def _transcoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors=_KEEP_BROKEN)
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def is_utf8(data: bytes) -> bool:
    """Whether these bytes are UTF-8, strictly."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def refuse_if_foreign(name: str, encoding: str, raw: bytes, lines: list[bytes], *, table: bool) -> None:
    """Raise SourceError if a source cannot be in `encoding`, naming those it may be in.

    `raw`: the head of the source as it is; `lines`: whole lines of it in UTF-8. The header, or most of the
    lines that are not ASCII, must have decoded; and text full of NUL is UTF-16 or UTF-32 without a mark.
    """
    telling = [line for line in lines if not line.isascii()]
    broken = sum(not is_utf8(line) for line in telling)
    header = next((line for line in lines if line.strip()), b"")
    foreign = 2 * broken > len(telling) or (table and not is_utf8(header))
    if foreign or (encoding == "utf-8" and _is_wide(raw)):
        raise SourceError(f"{name}: is not {encoding.upper()}. {_advice(likely_encodings(raw))}")


def _advice(names: list[str]) -> str:
    if not names:
        return (
            "No usual encoding fits: name it with --encoding, or save the file as UTF-8. "
            "(More encodings are told by: pip install 'hackle-replay[formats]')"
        )
    return f"It may be {' or '.join(names)}: add --encoding {names[0]}."


def _is_wide(raw: bytes) -> bool:
    """Whether every other byte, or nearly, is NUL: ASCII text in two or four bytes a character."""
    return max(raw[0::2].count(0), raw[1::2].count(0)) * 2 > len(raw) // 2


def likely_encodings(raw: bytes) -> list[str]:
    """The encodings that this beginning of a file decodes in, the most plausible first, at most three.

    Where our own judgement is not sure, charset-normalizer (of the extra `formats`) is asked first: it tells
    Chinese, Japanese and Cyrillic texts better, Korean and Latin ones, and very short ones, worse.
    """
    if b"\0" in raw:
        return _ranked(_WIDE_CANDIDATES, raw)[0][:3]
    if is_utf8(raw):
        return ["utf-8"]
    own, score = _ranked(_BYTE_CANDIDATES, raw)
    is_sure = score >= _SURE and (_is_latin(raw) or own[0] not in _LATIN)
    return list(dict.fromkeys(own if is_sure else _detected(raw) + own))[:3]


def _ranked(candidates: Iterable[str], raw: bytes) -> tuple[list[str], float]:
    """Those that may be, the most plausible first, and how plausible that is."""
    scores = {name: _plausibility(name, raw) for name in candidates}
    ranked = sorted((name for name in scores if scores[name] > 0), key=lambda name: -scores[name])
    return ranked, max(scores.values())


def _detected(raw: bytes) -> list[str]:
    """What charset-normalizer says, where it is installed."""
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415 - for files that are refused only
    except ImportError:
        return []
    whole_lines = raw[:_DETECTED_BYTES].rpartition(b"\n")[0] or raw[:_DETECTED_BYTES]
    found = [match.encoding.replace("_", "-") for match in from_bytes(whole_lines)]
    return [name for name in found if not name.startswith("utf")][:3]


def _is_latin(raw: bytes) -> bool:
    """Whether bytes beyond ASCII stand among ASCII letters, one or two at a time."""
    runs = _FOREIGN_RUNS.findall(raw)
    return sum(map(len, runs)) <= 2 * len(runs)


def _plausibility(encoding: str, raw: bytes) -> float:
    """From 0 (cannot be) to 1: the share of what is not ASCII that people write in this encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)("strict").decode(raw)
    except UnicodeDecodeError:
        return 0.0
    foreign = [character for character in text if ord(character) > 0x7F]
    usual = sum(map(_USUAL.get(encoding, _is_letter), foreign))
    blank = encoding in _WIDE_CANDIDATES and "\0" in text
    return 0.0 if blank else (usual + 0.01) / (len(foreign) + 0.01)


def _is_hangul(character: str) -> bool:
    return "가" <= character <= "힣"


def _is_kana(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff"


def _is_letter(character: str) -> bool:
    return character.isalpha()


def _is_chinese(character: str) -> bool:
    """Half convinced: bytes of nearly any encoding of East Asia come out as some Chinese character."""
    return "\u4e00" <= character <= "\u9fff" and ord(character) % 2 == 0


_USUAL: Final = {"cp949": _is_hangul, "euc-kr": _is_hangul, "shift_jis": _is_kana, "gb18030": _is_chinese}
