"""One line of IRC: tags, source, command, parameters (RFC 1459 section 2.3, RFC 2812 section 2.3.1, IRCv3).

A line is read as UTF-8 and, where it is none, as Windows-1252, which is what clients of before UTF-8 send.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from transports.irc.wire.errors import IrcSyntaxError

MAX_LINE: Final = 512
"""Bytes of a line with CR LF, without its tags (RFC 1459 section 2.3)."""
MAX_CLIENT_TAGS: Final = 4096
"""Bytes of the tags that a client sends, with ``@`` and the blank (IRCv3 message-tags)."""
MAX_PARAMS: Final = 64
"""More than the 15 of the RFC: some servers send more; what is beyond makes a line unreadable."""
MAX_TAGS: Final = 256

_NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})
_ESCAPES: Final = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_TO_ESCAPE: Final = str.maketrans({"\\": "\\\\", ";": "\\:", " ": "\\s", "\r": "\\r", "\n": "\\n"})
_BREAKS: Final = frozenset("\0\r\n")


@frozen(kw_only=True)
class Source:
    """Who a line is from: a user (``nick!user@host``) or a server (``host`` is then empty)."""

    name: str
    user: str = ""
    host: str = ""

    @property
    def is_user(self) -> bool:
        """Whether it is certainly a user: a server has neither user nor host, and a dot in its name."""
        return bool(self.user or self.host)

    @property
    def userhost(self) -> str:
        """``user@host``, empty where it is not known."""
        return f"{self.user}@{self.host}" if self.user or self.host else ""

    @classmethod
    def parse(cls, text: str) -> Source:
        """Reads ``name[!user][@host]``. Never fails: a server may call itself what it likes."""
        left, at, host = text.rpartition("@")
        if not at:
            left, host = text, ""
        name, _, user = left.partition("!")
        return cls(name=name, user=user, host=host)


@frozen(kw_only=True)
class Message:
    """A line.

    Attributes:
        tags: names with their values, unescaped; a tag without a value has an empty one.
        source: None where the line names none (what a client sends, and ``PING``).
        command: in upper case, or three digits.
        legacy: the line was no UTF-8 and was read as Windows-1252.
    """

    command: str
    params: tuple[str, ...] = ()
    source: Source | None = None
    tags: Mapping[str, str] = field(default=_NO_TAGS)
    legacy: bool = False

    def param(self, index: int) -> str:
        """A parameter; empty where there is none."""
        return self.params[index] if index < len(self.params) else ""

    @property
    def last(self) -> str:
        """The last parameter, mostly a text for people; empty where there is none."""
        return self.params[-1] if self.params else ""

    @property
    def is_numeric(self) -> bool:
        """Whether it is a reply of three digits."""
        return len(self.command) == 3 and self.command.isdigit()

    @classmethod
    def parse(cls, line: bytes) -> Message:
        """Reads a line without its CR LF.

        Raises:
            IrcSyntaxError: it is empty, has no command, or has too many parts.
        """
        head, rest = b"", line
        if line.startswith(b"@"):
            head, _, rest = line[1:].partition(b" ")
        text, legacy = _decode(rest.replace(b"\0", b""))  # no line has NUL (RFC 1459): it would end others' strings
        tags = _parse_tags(head.decode("utf-8", "replace")) if head else _NO_TAGS
        text = text.lstrip(" ")
        source = None
        if text.startswith(":"):
            prefix, _, text = text[1:].partition(" ")
            source = Source.parse(prefix)
        command, params = _words(text)
        return cls(command=command, params=params, source=source, tags=tags, legacy=legacy)

    def encode(self) -> bytes:
        """Writes the line with CR LF.

        Raises:
            IrcSyntaxError: a part holds a line end or NUL, a parameter that is not the last is empty, holds a blank or
                begins with a colon, or the line is too long.
        """
        if not self.command.isalnum() or not self.command.isascii():
            raise IrcSyntaxError(f"not a command: {self.command[:40]!a}")
        parts = [self.command]
        for index, value in enumerate(self.params):
            if not _BREAKS.isdisjoint(value):
                raise IrcSyntaxError(f"{self.command}: parameter {index + 1} holds a line end or NUL")
            if index == len(self.params) - 1:
                bare = value and not value.startswith(":") and " " not in value and not _wants_colon(self.command)
                parts.append(value if bare else f":{value}")
            elif not value or value.startswith(":") or " " in value:
                raise IrcSyntaxError(f"{self.command}: parameter {index + 1} is no word")
            else:
                parts.append(value)
        prefix = f":{_source_text(self.source)} " if self.source is not None else ""
        body = (prefix + " ".join(parts)).encode("utf-8", "replace") + b"\r\n"
        if len(body) > MAX_LINE:
            raise IrcSyntaxError(f"{self.command}: the line has {len(body)} bytes, more than {MAX_LINE}")
        return _encode_tags(self.tags) + body


def _wants_colon(command: str) -> bool:
    # a text is a text also where it is one word: some servers read "PRIVMSG bob x" in a way of their own
    return command in {"PRIVMSG", "NOTICE", "AWAY", "QUIT", "PART", "KICK", "TOPIC"}


def _source_text(source: Source) -> str:
    text = source.name
    if source.user:
        text += f"!{source.user}"
    if source.host:
        text += f"@{source.host}"
    if " " in text or not _BREAKS.isdisjoint(text):
        raise IrcSyntaxError("the source is no word")
    return text


def _decode(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), True


def _words(text: str) -> tuple[str, tuple[str, ...]]:
    words: list[str] = []
    while True:
        text = text.lstrip(" ")
        if not text:
            break
        if text.startswith(":") and words:
            words.append(text[1:])
            break
        word, blank, text = text.partition(" ")
        words.append(word)
        if len(words) > MAX_PARAMS:
            raise IrcSyntaxError(f"more than {MAX_PARAMS} parameters")
        if not blank:
            break
    if not words:
        raise IrcSyntaxError("a line without a command")
    command = words[0].upper()
    if not (command.isascii() and command.isalnum()):
        raise IrcSyntaxError(f"not a command: {words[0][:40]!a}")
    return command, tuple(words[1:])


def _parse_tags(text: str) -> Mapping[str, str]:
    tags: dict[str, str] = {}
    parts = text.split(";")
    if len(parts) > MAX_TAGS:
        raise IrcSyntaxError(f"more than {MAX_TAGS} tags")
    for part in parts:
        name, _, value = part.partition("=")
        if name:
            tags[name] = unescape_tag(value) if "\\" in value else value
    return tags


def unescape_tag(value: str) -> str:
    """Reads the value of a tag: what is no escape loses its backslash, and a lone one at the end falls away."""
    out: list[str] = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            out.append(_ESCAPES.get(following, following))
        else:
            out.append(character)
    return "".join(out)


def _encode_tags(tags: Mapping[str, str]) -> bytes:
    if not tags:
        return b""
    parts = []
    for name, value in tags.items():
        if not name or not name.isascii() or any(character in "=; \r\n\0" for character in name):
            raise IrcSyntaxError(f"not the name of a tag: {name[:40]!a}")
        if "\0" in value:
            raise IrcSyntaxError(f"the tag {name} holds NUL")
        parts.append(f"{name}={value.translate(_TO_ESCAPE)}" if value else name)
    data = f"@{';'.join(parts)} ".encode("utf-8", "replace")
    if len(data) > MAX_CLIENT_TAGS:
        raise IrcSyntaxError(f"the tags have {len(data)} bytes, more than {MAX_CLIENT_TAGS}")
    return data
