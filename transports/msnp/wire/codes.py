"""Statuses, lists, capabilities and errors by their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType
from typing import Final

PORT: Final = 1863
VERSIONS: Final = (8, 9, 10, 11, 12, 15)
"""The versions that this codec speaks. 13 and 14, between the two ways to sign on, are not among them."""

ONLINE: Final = "NLN"
BUSY: Final = "BSY"
IDLE: Final = "IDL"
BE_RIGHT_BACK: Final = "BRB"
AWAY: Final = "AWY"
ON_THE_PHONE: Final = "PHN"
OUT_TO_LUNCH: Final = "LUN"
HIDDEN: Final = "HDN"
OFFLINE: Final = "FLN"
STATUSES: Final = frozenset({ONLINE, BUSY, IDLE, BE_RIGHT_BACK, AWAY, ON_THE_PHONE, OUT_TO_LUNCH, HIDDEN})
"""What CHG takes."""


class Lists(IntFlag):
    """The lists that somebody is on: forward (ours), allow, block, reverse (has us), pending (has us, not answered)."""

    NONE = 0
    FL = 1
    AL = 2
    BL = 4
    RL = 8
    PL = 16


CAN_READ_CHUNKS: Final = 0x20
"""The capability of a client that puts a message in chunks together."""
OUR_CAPABILITIES: Final = CAN_READ_CHUNKS

MAX_BOARD_PAYLOAD: Final = 1664
"""The longest payload of MSG on a switchboard, headers included."""
MAX_PERSONAL_MESSAGE: Final = 128
"""Characters of a personal message that clients show."""

ERRORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        200: "syntax error",
        201: "invalid parameter",
        204: "invalid network id",
        205: "invalid principal",
        206: "domain name missing",
        207: "already logged in",
        208: "invalid principal",
        209: "name too long or not allowed",
        210: "list full",
        213: "invalid rename request",
        215: "principal already on the list",
        216: "principal not on the list",
        217: "principal not online",
        218: "already in that mode",
        219: "principal is on the opposite list",
        223: "too many groups",
        224: "no such group",
        225: "principal not in the group",
        227: "group is not empty",
        228: "group exists already",
        229: "group name too long",
        230: "this group cannot be removed",
        231: "invalid group",
        240: "empty domain",
        241: "invalid list payload",
        280: "switchboard failed",
        281: "transfer to a switchboard failed",
        282: "peer-to-peer message with the wrong acknowledgement",
        300: "required field missing",
        302: "not signed on",
        402: "contact list unavailable",
        403: "contact list error",
        420: "invalid account permissions",
        500: "internal server error",
        501: "database server error",
        502: "command disabled",
        509: "ups failure",
        510: "file operation failed",
        511: "account is banned",
        520: "memory allocation failed",
        540: "challenge failed",
        600: "server is busy",
        601: "server is unavailable",
        602: "peer server is down",
        603: "database connection failed",
        604: "server is going down",
        605: "server unavailable",
        700: "connection could not be made",
        707: "connection could not be made",
        710: "invalid CVR parameters",
        711: "write is blocking",
        712: "session is overloaded",
        713: "calling too rapidly",
        714: "too many sessions",
        715: "not expected",
        717: "bad friend file",
        731: "not expected",
        800: "changing too rapidly",
        910: "server too busy",
        911: "authentication failed",
        912: "server too busy",
        913: "not allowed while appearing offline",
        914: "server unavailable",
        915: "server unavailable",
        916: "server unavailable",
        917: "authentication failed",
        918: "server too busy",
        919: "server too busy",
        920: "not accepting new principals",
        921: "server too busy",
        922: "server too busy",
        923: "kids passport without parental consent",
        924: "passport account not yet verified",
        927: "passport account is suspended",
        928: "bad ticket",
        931: "account is not on this server",
        933: "not a member of that circle",
    }
)

BAD_CREDENTIALS: Final = frozenset({206, 420, 511, 911, 917, 923, 924, 927})
"""Refusals to sign on that only people can mend."""
TOO_FAST: Final = frozenset({713, 714, 800})
"""We ask too often."""
RETRYABLE: Final = (
    frozenset({280, 281, 500, 501, 520, 600, 601, 602, 603, 604, 605, 700, 707, 711, 712, 910, 912, 914, 915, 916})
    | frozenset({918, 919, 921, 922, 928})
    | TOO_FAST
)
"""Trying again later may help."""
NOT_ONLINE: Final = 217
HIDDEN_MAY_NOT: Final = 913
ON_LIST: Final = 215
NOT_ON_LIST: Final = 216
NO_SUCH_PRINCIPAL: Final = frozenset({201, 205, 208, 231})
LIST_FULL: Final = 210


def error_name(number: int) -> str:
    """What an error means, in words."""
    return ERRORS.get(number, "unknown error")
