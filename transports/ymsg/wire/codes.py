"""Numbers of the protocol: services, statuses, keys that many services share, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Services
LOGON = 0x01
LOGOFF = 0x02
IS_AWAY = 0x03
IS_BACK = 0x04
MESSAGE = 0x06
USER_STAT = 0x0A
NEW_CONTACT = 0x0F
PING = 0x12
SYSTEM_MESSAGE = 0x14
CONF_INVITE = 0x18
CONF_LOGON = 0x19
CONF_DECLINE = 0x1A
CONF_LOGOFF = 0x1B
CONF_ADD_INVITE = 0x1C
CONF_MESSAGE = 0x1D
FILE_TRANSFER = 0x46
NOTIFY = 0x4B
HANDSHAKE = 0x4C
P2P_FILE_TRANSFER = 0x4D
AUTH_RESPONSE = 0x54
LIST = 0x55
AUTH = 0x57
ADD_BUDDY = 0x83
REMOVE_BUDDY = 0x84
IGNORE = 0x85
DENY_CONTACT = 0x86
KEEPALIVE = 0x8A
VISIBLE_TOGGLE = 0xC5
STATUS_UPDATE = 0xC6
CONTACT_ANSWER_15 = 0xD6
FILE_TRANSFER_15 = 0xDC
STATUS_15 = 0xF0
LIST_15 = 0xF1
MESSAGE_ACK = 0xFB
PROTOCOL_ERROR = 0x07D1

# Keys that mean the same in most services
KEY_NAME = 0
KEY_ME = 1
KEY_FROM = 4
KEY_TO = 5
KEY_WHO = 7
KEY_STATUS = 10
KEY_FLAG = 13
KEY_TEXT = 14
KEY_TIME = 15
KEY_STATUS_TEXT = 19
KEY_AWAY = 47
KEY_COOKIE = 59
KEY_GROUP = 65
KEY_CODE = 66
KEY_CHALLENGE = 94
KEY_UTF8 = 97
KEY_VERSION = 135
KEY_PING_MINUTES = 143
KEY_KEEPALIVE_MINUTES = 144

# The status of a packet, and of a person
OK = 0
DONE = 1
NOT_SENT = 2
ASKS = 3
MORE = 5
"""A list or stored messages go on in the next packet."""
DENIED = 7
TYPING = 0x16
OFFLINE = 0x5A55AA56
FAILED = 0xFFFFFFFF

AVAILABLE = 0
BE_RIGHT_BACK = 1
BUSY = 2
NOT_AT_HOME = 3
NOT_AT_DESK = 4
NOT_IN_OFFICE = 5
ON_THE_PHONE = 6
ON_VACATION = 7
OUT_TO_LUNCH = 8
STEPPED_OUT = 9
INVISIBLE = 12
CUSTOM = 99
IDLE = 999

NOT_AWAY, AWAY, AWAY_IDLE = 0, 1, 2
"""What key 47 says of a custom status."""

# Key 66 after 0x83, 0x84, 0x85
EDIT_DONE = 0
EDIT_KNOWN = 2
EDIT_NO_SUCH = 3
EDIT_FULL = 6
EDIT_ERRORS: Mapping[int, str] = MappingProxyType(
    {
        1: "the network could not do it",
        EDIT_NO_SUCH: "the network knows no such name",
        EDIT_FULL: "the list on the network is full",
        12: "the name is on the contact list",
    }
)

SIGN_ON_ERRORS: Mapping[int, str] = MappingProxyType(
    {
        3: "no such Yahoo! ID",
        13: "wrong Yahoo! ID or password",
        14: "the account is locked: too many failed sign-ons",
        29: "the account is locked: too many failed sign-ons",
        42: "signed on elsewhere",
        52: "the session was ended by the server",
        1004: "the server does not speak this version of the protocol",
        1005: "the server did not understand a field",
        1006: "the server does not take this client",
        1007: "the server does not take this version of the protocol, or this authorization",
        1011: "the sign-on has expired",
        1013: "not a Yahoo! ID in the form that the server takes",
        1014: "the session was ended by the server",
        1015: "the session has expired",
        1017: "a session of this account is there already",
        1020: "the server does not take this client",
        1051: "the sign-on has expired",
        1212: "wrong Yahoo! ID or password",
        1213: "the account is locked: too many failed sign-ons",
        1214: "the account is locked",
        1218: "the account is disabled",
        1235: "no such Yahoo! ID",
        1236: "signed on too often",
    }
)
"""Key 66 of 0x54 and of 0x7D1, and what the token server answers (1212 and more)."""

TRANSIENT_SIGN_ON = frozenset({0, 52, 1005, 1011, 1014, 1015, 1017, 1051})
"""Refusals that another attempt may end."""
SIGN_ON_TOO_OFTEN = frozenset({1236})
SIGNED_ON_ELSEWHERE = frozenset({42})


def sign_on_error(code: int) -> str:
    """What a refusal means, for people."""
    return SIGN_ON_ERRORS.get(code, f"refused by the server (code {code})")
