"""What servers and services say in words alone: why they end a connection, whether a password was right.

There is no code for it. What is not understood is taken for a loss that passes.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

_GHOSTED: Final = re.compile(r"ghost|regain|recover|collision|nickserv|another client|logged in from", re.IGNORECASE)
_KILLED: Final = re.compile(r"\bkill", re.IGNORECASE)
_THROTTLED: Final = re.compile(r"thrott|too fast|too many|too often|clone|flood|session limit", re.IGNORECASE)
_BANNED: Final = re.compile(r"[kgzqd]-?lined|\bbanned\b|blacklist|not authori|\bnot welcome\b", re.IGNORECASE)
_PASSWORD: Final = re.compile(r"access denied|bad (server )?password|invalid password|password mismatch", re.IGNORECASE)
_IDENTIFIED: Final = re.compile(r"now (identified|recognized|recognised|logged)|password accepted", re.IGNORECASE)
_NOT_IDENTIFIED: Final = re.compile(
    r"(invalid|incorrect|wrong) (password|credentials)|password (is )?(incorrect|invalid)|access denied"
    r"|authentication failed|(isn't|is not|not) registered|not a registered",
    re.IGNORECASE,
)


class End(Enum):
    """Why a server ends a connection (ERROR)."""

    KILLED = "killed"
    PASSWORD = "password"  # noqa: S105 - not one
    BANNED = "banned"
    THROTTLED = "throttled"
    OTHER = "other"


def end_of(reason: str, *, up: bool) -> End:
    """Reads the text of ERROR. `up`: whether we were signed on: a password is of the sign-on, KILL of later."""
    if up and _KILLED.search(reason):
        return End.KILLED
    if not up and _PASSWORD.search(reason):
        return End.PASSWORD
    if _BANNED.search(reason):
        return End.BANNED
    return End.THROTTLED if _THROTTLED.search(reason) else End.OTHER


def for_another_client(reason: str) -> bool:
    """Whether a KILL was services' work for whoever the name belongs to."""
    return _GHOSTED.search(reason) is not None


def identified(text: str) -> bool | None:
    """Whether services took the password, by their words; None where these say neither."""
    if _NOT_IDENTIFIED.search(text):
        return False
    return True if _IDENTIFIED.search(text) else None
