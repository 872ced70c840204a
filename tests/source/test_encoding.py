from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import SourceError, UsageError
from replay.source.encoding import encoding_of, likely_encodings, to_utf8

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
KOREAN = "이벤트,사용자\n구매,커피\n"


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[:4], *(data[start : start + size] for start in range(4, len(data), size))]


@given(
    TEXTS, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]), st.integers(1, 5)
)
def test_a_marked_text_is_transcoded_character_by_character_wherever_it_is_cut(
    text: str, encoding: str, size: int
) -> None:
    data = ("\ufeff" + text).encode(encoding)
    found = encoding_of(data, None)
    assert (found == encoding) or (text.startswith("\0") and encoding == "utf-16-le")
    assert b"".join(to_utf8(pieces(data, size), encoding)).decode() == text


@given(
    st.binary(max_size=60).map(lambda data: b"ab\n" + data),
    st.sampled_from(["cp949", "shift_jis", "utf-16-le", "gb18030", "ascii"]),
)
def test_bytes_that_do_not_decode_stay_undecodable_and_nothing_is_replaced(
    data: bytes, encoding: str
) -> None:
    try:
        expected = data.decode(encoding)
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            b"".join(to_utf8([data], encoding)).decode()
    else:
        assert b"".join(to_utf8([data], encoding)).decode() == expected.removeprefix("\ufeff")


def test_a_broken_character_breaks_its_own_row_only(read_bytes: Callable[..., Any]) -> None:
    data = KOREAN.encode("cp949") + b"a\xb0\n" + "회원,둘\n".encode("cp949")
    got = read_bytes("a.csv", data, encoding="cp949")
    assert got.values == [("구매", "커피"), ("회원", "둘")]
    assert got.bad_lines == [(3, "row-unreadable")]


def test_a_broken_code_unit_in_utf_16_breaks_its_own_row_only(read_bytes: Callable[..., Any]) -> None:
    data = KOREAN.encode("utf-16") + b"\x00\xd8" + "x,y\nz,w\n".encode("utf-16-le")
    got = read_bytes("a.csv", data)
    assert got.values == [("구매", "커피"), ("z", "w")]
    assert got.bad_lines == [(3, "row-unreadable")]


def test_an_encoding_that_is_none_is_wrong_usage() -> None:
    for name in ("no-such", "base64", "rot13", "idna", "unicode_escape", "idna\0"):
        with pytest.raises(UsageError, match="--encoding"):
            encoding_of(b"a", name)


def test_utf_16_without_a_byte_order_mark_must_say_which_byte_comes_first() -> None:
    assert encoding_of(b"\xfe\xff\x00a", "UTF-16") == "utf-16-be"
    assert encoding_of(b"\xff\xfe\x00\x00", "utf_32") == "utf-32-le"
    with pytest.raises(UsageError, match=r"utf-16-le .* or utf-16-be"):
        encoding_of(b"a\0", "utf-16")


def test_the_encoding_that_the_user_names_wins_over_the_mark() -> None:
    assert encoding_of(b"\xef\xbb\xbfa", "CP949") == "cp949"
    assert encoding_of(b"a", "UTF-8-SIG") == "utf-8"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (KOREAN, "cp949"),
        ("똠방각하,펲시\n", "cp949"),
        ("イベント,ユーザー\nテスト,これは\n", "shift_jis"),
        ("caf\u00e9,na\u00efve\n", "cp1252"),
        ("a,b\n1,2\n3,4\n", "utf-16-le"),
        ("a,b\n1,2\n3,4\n", "utf-16-be"),
        ("a,b\n1,2\n3,4\n", "utf-32-le"),
        (KOREAN, "utf-16-le"),
        (KOREAN, "utf-8"),
    ],
)
def test_the_likeliest_encoding_is_named_first(text: str, encoding: str) -> None:
    assert likely_encodings(text.encode(encoding))[0] == encoding


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_ascii_text_in_wide_characters_without_a_mark_is_refused(
    encoding: str, read_bytes: Callable[..., Any]
) -> None:
    with pytest.raises(SourceError, match=f"--encoding {encoding}"):
        read_bytes("a.csv", "event,user\npurchase,1\n".encode(encoding))


def test_a_wrong_encoding_named_by_the_user_is_refused_with_the_likely_one(
    read_bytes: Callable[..., Any],
) -> None:
    with pytest.raises(SourceError, match=r"is not ASCII.*--encoding utf-8"):
        read_bytes("a.csv", KOREAN.encode(), encoding="ascii")


def test_one_foreign_line_of_three_is_a_row_and_two_are_a_refusal(read_bytes: Callable[..., Any]) -> None:
    good, foreign = "가,나\n".encode(), "가,나\n".encode("cp949")
    assert len(read_bytes("a.csv", b"a,b\n" + good + good + foreign).bad) == 1
    assert len(read_bytes("a.csv", b"a,b\n" + good + foreign + b"x,y\n").bad) == 1
    with pytest.raises(SourceError, match="cp949"):
        read_bytes("a.csv", b"a,b\n" + foreign + foreign)


def test_a_character_that_is_cut_by_the_head_is_not_taken_for_foreign(read_bytes: Callable[..., Any]) -> None:
    data = b"a\n" + "가".encode() * 600_000 + b"\n"
    assert read_bytes("a.csv", data).values == [("가" * 600_000,)]
    data = b"ab\n" + "가".encode() * 600_000 + b"\n"
    assert read_bytes("a.csv", data).values == [("가" * 600_000,)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("購入,会員登録\n東京都 渋谷区,田中\n鈴木,商品名 冬\n配送先 注文,返金\n", "euc-jp"),
        (
            "事件,用户\n购买,用户在北京市朝阳区购买了商品，并且使用了优惠券\n退款,这个订单已经取消，退款会在三天内完成\n",
            "gb18030",
        ),
        ("購買,註冊\n臺北市 大安區,張偉\n王芳,商品名稱 冬季\n收貨地址 訂單,退款\n", "big5"),
        ("покупка,регистрация\nМосква,Иванов\nзима куртка,скидка\nадрес заказ,возврат\n", "cp1251"),
        ("구매,회원가입\n서울특별시,김철수\n상품명 겨울,할인 쿠폰\n", "cp949"),
        ("achat,prénom\nKöln,Müller\ncafé crème,élève\nseñor,mañana\n", "cp1252"),
    ],
)
def test_with_the_extra_texts_of_many_scripts_are_told(text: str, encoding: str) -> None:
    raw = text.encode(encoding)
    assert raw.decode(likely_encodings(raw)[0]) == text


def test_without_the_extra_korean_and_latin_texts_are_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    assert likely_encodings("구매,회원가입\n서울특별시,김철수\n".encode("cp949"))[0] == "cp949"
    assert likely_encodings("café,Müller\n".encode("latin-1"))[0] == "cp1252"
    assert likely_encodings(b"\x81\xff\xfe,\x8d\n")[-1:] == ["latin-1"]
