"""From a stream to lines. A line ends with CR LF; a bare LF or CR is taken too, as all servers and clients do."""

from __future__ import annotations

from typing import Final

from transports.irc.wire.errors import IrcSyntaxError

MAX_INCOMING: Final = 8191 + 512 + 1024
"""Bytes of one line with tags (IRCv3: 8191 of tags, 512 of the rest) and room for servers that count otherwise."""


class LineFramer:
    """Cuts a stream into lines. What is longer than a line may be is an error, and the stream is of no use any more."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the lines that have ended, without their ends; empty lines are none.

        Raises:
            IrcSyntaxError: a line is too long.
        """
        self._buffer += data
        if b"\n" not in data and b"\r" not in data:
            self._check(len(self._buffer))
            return []
        *lines, rest = self._buffer.replace(b"\r", b"\n").split(b"\n")
        self._buffer = bytearray(rest)
        self._check(len(rest))
        for line in lines:
            self._check(len(line))
        return [bytes(line) for line in lines if line]

    def _check(self, size: int) -> None:
        if size > MAX_INCOMING:
            self._buffer.clear()
            raise IrcSyntaxError(f"a line of more than {MAX_INCOMING} bytes")
