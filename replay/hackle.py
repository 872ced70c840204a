"""The destination as it is documented, in one place: address, header, fields and limits.

Where a limit comes from: HTTP is the page of the HTTP API, DOC the other documentation, SDK what the
official SDKs do in code.
"""

from __future__ import annotations

from typing import Final

URL: Final = "https://api.hackle.io/v1/track"
PATH: Final = "/v1/track"
KEY_HEADER: Final = "X-HACKLE-API-KEY"
KEY_VARIABLE: Final = "HACKLE_API_KEY"
CONTENT_TYPE: Final = "application/json"

EVENT_KEY_MAX: Final = 128  # DOC, in UTF-16 units
EVENT_KEY_CHARSET: Final = r"[A-Za-z0-9_.\-]+"  # DOC, said of keys made in the dashboard
RESERVED_PREFIX: Final = "$"  # DOC: names that start so belong to Hackle
IDENTIFIER_MAX: Final = 512  # SDK
IDENTIFIER_NAME_MAX: Final = 128  # SDK
EVENT_PROPERTIES_MAX: Final = 64  # DOC (the SDKs take 128)
USER_PROPERTIES_MAX: Final = 128  # DOC, SDK
PROPERTY_NAME_MAX: Final = 128  # DOC, SDK
STRING_MAX: Final = 1024  # DOC, SDK
NUMBER_INTEGER_DIGITS: Final = 15  # DOC
NUMBER_DECIMALS: Final = 6  # DOC

EVENT_MEMBERS: Final = ("key", "value", "properties")
USER_MEMBERS: Final = ("userId", "deviceId", "id", "identifiers", "properties")
