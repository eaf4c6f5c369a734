"""Numbers with names: food groups, error codes, sign-on failures, disconnect reasons, ICQ states."""

from __future__ import annotations

OSERVICE, LOCATE, BUDDY, ICBM, PRIVACY, STATS = 0x01, 0x02, 0x03, 0x04, 0x09, 0x0B
FEEDBAG, ICQ, BUCP = 0x13, 0x15, 0x17

ERROR_NAMES: dict[int, str] = {
    0x01: "invalid SNAC",
    0x02: "rate limit exceeded towards the server",
    0x03: "rate limit exceeded towards the recipient",
    0x04: "recipient is not logged on",
    0x05: "service unavailable",
    0x06: "service not defined",
    0x07: "obsolete SNAC",
    0x08: "not supported by the server",
    0x09: "not supported by the recipient's client",
    0x0A: "refused by the recipient's client",
    0x0B: "reply too big",
    0x0C: "responses lost",
    0x0D: "request denied",
    0x0E: "malformed SNAC",
    0x0F: "insufficient rights",
    0x10: "recipient is blocked by the sender",
    0x11: "sender's warning level is too high",
    0x12: "recipient's warning level is too high",
    0x13: "user temporarily unavailable",
    0x14: "no match",
    0x15: "list overflow",
    0x16: "request ambiguous",
    0x17: "server queue full",
    0x18: "not while on AOL",
    0x19: "query failed",
    0x1A: "timeout",
    0x1B: "error text",
    0x1C: "general failure",
    0x1D: "in progress",
    0x1E: "in free area",
    0x1F: "restricted by parental controls",
    0x20: "recipient is restricted by parental controls",
}
"""What xx/01 says (its first two bytes)."""

RETRYABLE_ERRORS = frozenset({0x02, 0x03, 0x05, 0x0C, 0x13, 0x17, 0x1A})
"""Errors of xx/01 that pass with time. All of them are certain: what was refused was not delivered."""

LOGIN_FAILURES: dict[int, str] = {
    0x0001: "unknown screen name or incorrect password",
    0x0002: "service temporarily unavailable",
    0x0003: "sign-on failed",
    0x0004: "unknown screen name or incorrect password",
    0x0005: "incorrect password",
    0x0006: "internal error of the client",
    0x0007: "invalid account",
    0x0008: "deleted account or unknown ICQ number",
    0x0009: "expired account",
    0x000A: "no access to the account database",
    0x000B: "no access to the name resolver",
    0x000C: "invalid database fields",
    0x000D: "bad database status",
    0x000E: "bad resolver status",
    0x000F: "internal error of the server",
    0x0010: "service temporarily offline",
    0x0011: "suspended account",
    0x0012: "database send error",
    0x0013: "database link error",
    0x0014: "reservation map error",
    0x0015: "reservation link error",
    0x0016: "too many sign-ons from this address",
    0x0017: "too many sign-ons from this address",
    0x0018: "connecting too often (rate limited)",
    0x0019: "warning level too high",
    0x001A: "reservation timeout",
    0x001B: "client too old (upgrade required)",
    0x001C: "client too old (upgrade recommended)",
    0x001D: "connecting too often (rate limited)",
    0x001E: "ICQ cannot register now",
    0x0020: "invalid SecurID",
    0x0022: "suspended because of age",
}
"""Sign-on failures (TLV 0008 of 17/03, or of the sign-off frame in the roasted sign-on)."""

TRANSIENT_LOGIN_FAILURES = frozenset({
    0x0002, 0x000A, 0x000B, 0x000C, 0x000D, 0x000E, 0x000F, 0x0010, 0x0012, 0x0013, 0x0014, 0x0015, 0x001A,
})  # fmt: skip
"""The server's own trouble: trying again later, with the usual backoff, is right."""

RATE_LOGIN_FAILURES = frozenset({0x0016, 0x0017, 0x0018, 0x001D})
"""Too many sign-ons: each further attempt prolongs the ban, so wait long."""

DISCONNECT_NEW_LOGIN = 0x0001
DISCONNECT_DELETED = 0x0002
DISCONNECT_NAMES: dict[int, str] = {
    DISCONNECT_NEW_LOGIN: "the screen name signed on elsewhere",
    DISCONNECT_DELETED: "the account was deleted",
}
"""Why a server signs us off (TLV 0009 of the sign-off frame)."""

CLIENT_ERROR_NAMES: dict[int, str] = {
    0x00: "unsupported channel",
    0x01: "busted payload",
    0x02: "channel-specific reason",
    0x03: "declined",
}
"""Why a client refuses a message (04/0B)."""

MISSED_REASONS: dict[int, str] = {
    0x00: "invalid message",
    0x01: "message too large",
    0x02: "sender too fast",
    0x03: "sender's warning level too high",
    0x04: "our warning level too high",
}
"""Why a message was not handed to us (04/0A)."""

# ICQ status: the low half of TLV 0006 of a user's information (and of 01/1E)
ICQ_ONLINE, ICQ_AWAY, ICQ_DND, ICQ_NA, ICQ_OCCUPIED, ICQ_CHAT, ICQ_INVISIBLE = 0, 0x01, 0x02, 0x04, 0x10, 0x20, 0x100


def error_name(code: int) -> str:
    """The name of an xx/01 code, or the code itself."""
    return ERROR_NAMES.get(code, f"error {code:#06x}")


def login_failure(code: int) -> str:
    """The name of a sign-on failure, or the code itself."""
    return LOGIN_FAILURES.get(code, f"sign-on failure {code:#06x}")
