"""Why a record is not JSON: the same words whichever release of the decoder refuses it."""

from __future__ import annotations

import pytest

from replay.source.broken import is_cut_short, reason_of

OTHER_RELEASE = ValueError("words of another release - at `$.a`")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (b'{"a": NaN}', "NaN is not a number in JSON"),
        (b'{"a": [-Infinity]}', "-Infinity is not a number in JSON"),
        (b'{"a": 1e400}', "beyond the range of a double"),
        (b'{"a": -1e-400}', "beyond the range of a double"),
        (b'{"a": ' + b"7" * 4301 + b"}", "a number of more than 4,300 digits"),
        (b'{"a": "\xc0\xb1"}', "bytes that do not decode"),
        (b'{"\xed\xa0\x80": 1}', "bytes that do not decode"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udc00 and more text behind it": 1}', "half of a surrogate pair"),
        (b'{"a": "open', "ends before its JSON does"),
        (b'{"a": tru', "ends before its JSON does"),
        (b'{"a": -', "ends before its JSON does"),
        (b'{"a":' + b"[" * 100_000, "more than 128 objects and arrays"),
        (b'{"a": 1,}', "words of another release"),
        (b"{'a': 1}", "words of another release"),
        (b'{"a": 1} {"a": 2}', "words of another release"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_record_that_is_not_json_is_refused_in_the_same_words_whatever_the_decoder_says(
    record: bytes, words: str
) -> None:
    reason = reason_of(record, OTHER_RELEASE)
    assert words in reason
    assert "$" not in reason


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a"', b'{"a": tru', b'{"a": -', b'{"a": "x', b'{"a": 1', b"[1, "]
)
def test_the_beginning_of_json_is_known_as_that(text: bytes) -> None:
    assert is_cut_short(text)


@pytest.mark.parametrize("text", [b"{'a", b'{"a": 1,}', b"{event_name},x", b'{"a": 1} x', b'{"a": "\\x'])
def test_text_that_no_more_bytes_make_json_is_not_its_beginning(text: bytes) -> None:
    assert not is_cut_short(text)
