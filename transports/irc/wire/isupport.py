"""What a server says of itself in 005 (draft-hardy-irc-isupport): values with their defaults."""

from __future__ import annotations

import re
from typing import Final

from transports.irc.wire.names import CaseMapping

MAX_TOKENS: Final = 256
_HEX: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")
_MOST: Final = 1_000_000


class ISupport:
    """The tokens of a server, as they stand after the lines that have come."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def take(self, tokens: tuple[str, ...]) -> None:
        """Takes the parameters between our nickname and the closing text. ``-NAME`` takes a token back."""
        for token in tokens:
            name, _, value = token.partition("=")
            name = name.upper()
            if name.startswith("-"):
                self._tokens.pop(name[1:], None)
            elif name and (name in self._tokens or len(self._tokens) < MAX_TOKENS):
                self._tokens[name] = _HEX.sub(lambda found: chr(int(found[1], 16)), value)

    def __contains__(self, name: str) -> bool:
        return name in self._tokens

    def text(self, name: str, default: str = "") -> str:
        """A value; the default where the token is not there."""
        return self._tokens.get(name, default)

    def number(self, name: str, default: int) -> int:
        """A whole number; the default where the token is not there, has no value, or one that is none."""
        value = self._tokens.get(name, "")
        return min(int(value), _MOST) if value.isascii() and value.isdigit() and len(value) < 10 else default

    @property
    def casemapping(self) -> CaseMapping:
        """How names are compared; RFC 1459's table where the server does not say."""
        return CaseMapping.of(self.text("CASEMAPPING", "rfc1459"))

    @property
    def chantypes(self) -> str:
        """The first characters of channels."""
        return self.text("CHANTYPES", "#&")

    @property
    def statusmsg(self) -> str:
        """The ranks that a message to a part of a channel may be prefixed with."""
        return self.text("STATUSMSG")

    @property
    def ranks(self) -> str:
        """The characters that stand before a member's name, highest rank first (PREFIX)."""
        return self.text("PREFIX", "(ov)@+").rpartition(")")[2]

    def denies_tag(self, name: str) -> bool:
        """Whether the server drops a client-only tag (``typing``, without the plus): CLIENTTAGDENY."""
        denied = self.text("CLIENTTAGDENY").split(",")
        return f"-{name}" not in denied if "*" in denied else name in denied
