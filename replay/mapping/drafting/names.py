"""Owns what a column's name says, in English and in Korean: what it may be, and that it may be personal."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

EVENT: Final = (
    "eventname", "eventkey", "event", "eventtype", "eventcode", "eventtitle", "eventtext", "eventaction",
    "action", "activity", "activityname", "activitykind", "이벤트명", "이벤트이름", "이벤트키", "이벤트",
    "이벤트코드", "이벤트유형", "이벤트타입", "이벤트종류", "행동", "행동명", "액션", "활동", "활동명",
)  # fmt: skip
EVENT_OF_RECORD: Final = (*EVENT, "name")  # in a table a name is a person's, or a product's
USER: Final = (
    "externaluserid", "customeruserid", "userid", "useridmetadata", "memberid", "memberno",
    "membernumber", "customerid", "customerno", "externalid", "accountid", "loginid", "identity", "uid",
    "user", "userno", "usernumber", "member", "distinctid", "회원번호", "회원id", "회원아이디",
    "사용자id", "사용자아이디", "사용자번호", "유저id", "유저아이디", "유저번호", "고객번호", "고객id",
    "고객아이디", "회원코드", "아이디", "회원", "사용자", "유저",
)  # fmt: skip
DEVICE: Final = (
    "deviceid", "anonymousid", "anonid", "visitorid", "clientid", "cookieid", "installationid",
    "installid", "userpseudoid", "domainuserid", "udid", "adid", "gaid", "idfv", "idfa", "gpsadid",
    "advertisingid", "device", "기기id", "기기아이디", "기기번호", "디바이스id", "디바이스아이디",
    "단말id", "단말기id", "단말번호", "비회원id", "방문자id", "쿠키id", "브라우저id", "설치id",
)  # fmt: skip
SESSION: Final = ("sessionid", "session", "gasessionid", "세션id", "세션아이디", "세션번호", "세션")
VALUE: Final = ("eventvalue", "metricvalue", "value", "이벤트값")
TIME: Final = (
    "eventtime", "eventtimestamp", "eventdatetime", "eventdate", "timestamp", "time", "ts", "datetime",
    "occurredat", "happenedat", "originaltimestamp", "clienttime", "createdat", "created",
    "createddateutc", "createddate", "orderedat", "purchasedat", "paidat", "servertimestamp", "date",
    "이벤트일시", "이벤트시간", "이벤트시각", "발생일시", "발생시각", "발생시간", "발생일", "일시",
    "시각", "시간", "날짜", "등록일시", "생성일시", "주문일시", "결제일시", "구매일시", "접속일시",
    "주문일", "결제일", "구매일", "등록일", "생성일",
)  # fmt: skip
OF_USER: Final = frozenset((
    "grade", "membergrade", "usergrade", "membership", "tier", "userlevel", "memberlevel", "vip", "isvip",
    "age", "agegroup", "gender", "sex", "birthyear", "signupdate", "joindate", "joinedat", "signedupat",
    "islogin", "isloggedin", "ismember", "plan", "등급", "회원등급", "고객등급", "멤버십", "나이", "연령",
    "연령대", "성별", "출생연도", "가입일", "가입일시", "가입일자", "회원여부", "로그인여부", "회원구분",
    "회원유형",
))  # fmt: skip

_PERSONAL_WORDS: Final = {
    "email": "an e-mail address", "mail": "an e-mail address", "phone": "a phone number",
    "mobile": "a phone number", "tel": "a phone number", "cellphone": "a phone number",
    "address": "an address", "addr": "an address", "street": "an address", "zip": "a postal code",
    "zipcode": "a postal code", "postcode": "a postal code", "postal": "a postal code",
    "ssn": "a resident number", "rrn": "a resident number", "birthday": "a date of birth",
    "birthdate": "a date of birth", "dob": "a date of birth", "ip": "an IP address",
    "passport": "a passport number",
}  # fmt: skip
_PERSONAL_NAMES: Final = frozenset((
    "name", "fullname", "firstname", "lastname", "familyname", "givenname", "surname", "nickname",
    "realname", "username", "membername", "customername", "billingname", "shippingname", "recipient",
    "recipientname", "receivername", "buyername", "ordername", "contactname", "이름", "성명", "성함",
    "실명", "별명", "닉네임", "고객명", "회원명", "사용자명", "유저명", "주문자", "주문자명", "구매자",
    "구매자명", "수령인", "수령자", "수취인", "받는사람", "받는분", "예금주",
))  # fmt: skip
_PERSONAL_KOREAN: Final = {
    "이메일": "an e-mail address", "메일주소": "an e-mail address", "전화": "a phone number",
    "휴대폰": "a phone number", "핸드폰": "a phone number", "연락처": "a phone number",
    "주소": "an address", "배송지": "an address", "우편번호": "a postal code",
    "생년월일": "a date of birth", "생일": "a date of birth", "주민": "a resident number",
    "카드번호": "a card's number", "계좌": "an account's number", "여권": "a passport number",
    "아이피": "an IP address",
}  # fmt: skip
_OF_IDS: Final = frozenset((
    "id", "ids", "no", "code", "sku", "key", "hash", "uuid", "guid", "serial", "barcode", "zip",
    "zipcode", "postcode", "phone",
))  # fmt: skip
_OF_IDS_KOREAN: Final = ("번호", "코드", "아이디", "id", "키")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")


def words(name: str) -> list[str]:
    """The words of a name, in lower case: `userId`, `USER_ID` and `User Id` have the same two."""
    return [word.lower() for word in _WORD.findall(unicodedata.normalize("NFC", name))]


def plain(name: str) -> str:
    """A name without what divides its words."""
    return "".join(words(name))


def is_of_id(name: str) -> bool:
    """Whether a name says that its values are ids or codes, which are texts even where they are digits."""
    parts = words(name)
    at_an_end = bool(parts) and (parts[-1] in _OF_IDS or parts[0] == "id")
    return at_an_end or plain(name).endswith(_OF_IDS_KOREAN)


def personal(name: str) -> str | None:
    """What of a person a name says that its values are, or None."""
    whole = plain(name)
    if whole in _PERSONAL_NAMES:
        return "a person's name"
    for word in words(name):
        if word in _PERSONAL_WORDS:
            return _PERSONAL_WORDS[word]
    return next((what for part, what in _PERSONAL_KOREAN.items() if part in whole), None)


def rank(name: str, known: tuple[str, ...]) -> int | None:
    """How high a name stands among known ones; None if it is none of them."""
    whole = plain(name)
    return known.index(whole) if whole in known else None
