"""Matrix's identifiers (specification, appendices, "Common Identifier Format").

They are compared as they are, letter by letter: neither localparts nor server names are folded.
"""

from __future__ import annotations

import re
from typing import Final

MAX_ID: Final = 255
"""Bytes of an identifier with its sigil and domain."""
_SERVER = r"(?:[A-Za-z0-9.-]{1,230}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
_USER: Final = re.compile(rf"@([!-9;-~]{{1,250}}):({_SERVER})", re.ASCII)
"""Localparts of today hold ``a-z0-9._=-/+``; those of the past any printable ASCII but a colon, and are let in."""
_OWN: Final = re.compile(r"[a-z0-9._=/+-]{1,200}", re.ASCII)
_SERVER_NAME: Final = re.compile(_SERVER, re.ASCII)


def is_user_id(text: str) -> bool:
    """Whether a text is a user id, ``@localpart:server``."""
    return len(text) <= MAX_ID and _USER.fullmatch(text) is not None


def split_user_id(user: str) -> tuple[str, str]:
    """Returns the localpart and the server name of a user id.

    Raises:
        ValueError: it is none.
    """
    match = _USER.fullmatch(user) if len(user) <= MAX_ID else None
    if match is None:
        raise ValueError(f"not a Matrix user id: {user[:80]!a}")
    return match[1], match[2]


def is_localpart(text: str) -> bool:
    """Whether a text may be the localpart of a new user, or begin one."""
    return _OWN.fullmatch(text) is not None


def is_server_name(text: str) -> bool:
    """Whether a text is a server name: a host, and a port where there is one."""
    return _SERVER_NAME.fullmatch(text) is not None


def is_room_id(text: str) -> bool:
    """Whether a text may be a room id. Since room version 12 it has no domain."""
    return 1 < len(text) <= MAX_ID and text[0] == "!" and text.isprintable() and " " not in text


def is_event_id(text: str) -> bool:
    """Whether a text may be an event id."""
    return 1 < len(text) <= MAX_ID and text[0] == "$" and text.isprintable() and " " not in text
