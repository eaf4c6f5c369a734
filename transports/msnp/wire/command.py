"""Lines and payloads: the frame of everything that MSNP says.

A command is three letters (or the three digits of an error), arguments between blanks, CR LF. Some carry a payload,
whose length in bytes is the last argument. Which do depends on who sends.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from transports.msnp.wire.errors import MsnpSyntaxError

MAX_LINE = 8192
MAX_PAYLOAD = 65_536

_ALWAYS = frozenset({"MSG", "NOT", "UBX", "UBN", "UBM", "IPG", "GCF", "NFY", "SDG"})
_BY_NUMBER = frozenset({"ADL", "RML", "FQY", "UUX", "UUN", "UUM", "QRY"})
"""These carry a payload when more than the transaction id follows and the last argument is a number."""


@frozen
class Command:
    """One command: its name, its arguments as they stand on the wire (escaped), and its payload, if it has one."""

    name: str
    args: tuple[str, ...] = ()
    payload: bytes | None = None

    @property
    def trid(self) -> int:
        """The transaction id, 0 where there is none."""
        if self.args and self.args[0].isascii() and self.args[0].isdigit() and len(self.args[0]) <= 10:
            return int(self.args[0])
        return 0

    @property
    def error(self) -> int | None:
        """The number, where the command is an error."""
        return int(self.name) if len(self.name) == 3 and self.name.isascii() and self.name.isdigit() else None

    def arg(self, index: int) -> str:
        """An argument as it stands on the wire; raises `MsnpSyntaxError` where it is missing."""
        try:
            return self.args[index]
        except IndexError:
            raise MsnpSyntaxError(f"{self.name}: argument {index + 1} is missing") from None

    def number(self, index: int) -> int:
        """An argument that is a number; raises `MsnpSyntaxError` where it is none."""
        value = self.arg(index)
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise MsnpSyntaxError(f"{self.name}: argument {index + 1} is not a number: {value[:40]!a}")
        return int(value)

    def encode(self) -> bytes:
        """The bytes of it. Raises `MsnpSyntaxError` where an argument would break the line."""
        for arg in self.args:
            if not arg or any(char in " \r\n\0" for char in arg):
                raise MsnpSyntaxError(f"{self.name}: an argument cannot be {arg[:40]!a}")
        args = self.args if self.payload is None else (*self.args, str(len(self.payload)))
        line = " ".join((self.name, *args)).encode("utf-8", "replace")
        if len(line) > MAX_LINE:
            raise MsnpSyntaxError(f"{self.name}: a line of {len(line)} bytes")
        return line + b"\r\n" + (self.payload or b"")


class CommandReader:
    """Cuts what a server (or, with `from_client`, a client) sends into commands.

    After a `MsnpSyntaxError` the stream is broken: where the next command begins is not known.

    Args:
        max_payload: a longer payload breaks the stream; an error, so that nobody fills our memory.
        from_client: read what clients send.
    """

    __slots__ = ("_buffer", "_client", "_max", "_scanned", "_waiting")

    def __init__(self, max_payload: int = MAX_PAYLOAD, *, from_client: bool = False) -> None:
        self._buffer = bytearray()
        self._max = max_payload
        self._client = from_client
        self._scanned = 0
        self._waiting: tuple[str, tuple[str, ...], int] | None = None

    def feed(self, data: bytes) -> Iterator[Command]:
        """Takes bytes; yields the commands that are complete. Raises `MsnpSyntaxError`."""
        self._buffer += data
        while (command := self._next()) is not None:
            yield command

    def _next(self) -> Command | None:
        while True:
            if self._waiting is not None:
                name, args, length = self._waiting
                if len(self._buffer) < length:
                    return None
                payload = bytes(self._buffer[:length])
                del self._buffer[:length]
                self._waiting = None
                return Command(name, args, payload)
            end = self._buffer.find(b"\n", self._scanned)
            if end < 0:
                self._scanned = len(self._buffer)
                if self._scanned > MAX_LINE:
                    raise MsnpSyntaxError(f"a line of more than {MAX_LINE} bytes")
                return None
            if end > MAX_LINE:
                raise MsnpSyntaxError(f"a line of more than {MAX_LINE} bytes")
            words = self._buffer[:end].decode("utf-8", "replace").replace("\r", "").split(" ")
            del self._buffer[: end + 1]
            self._scanned = 0
            command = self._line([word for word in words if word])
            if command is not None:
                return command

    def _line(self, words: list[str]) -> Command | None:
        if not words:
            return None
        name, args = words[0], tuple(words[1:])
        if len(name) != 3 or not (name.isascii() and name.isalnum()):
            raise MsnpSyntaxError(f"not a command: {name[:40]!a}")
        name = name.upper()
        if not self._carries(name, args):
            return Command(name, args)
        last = args[-1]
        if not (last.isascii() and last.isdigit()) or len(last) > 9:
            raise MsnpSyntaxError(f"{name}: a payload without a length: {last[:40]!a}")
        length = int(last)
        if length > self._max:
            raise MsnpSyntaxError(f"{name}: a payload of {length} bytes")
        self._waiting = (name, args[:-1], length)
        return None

    def _carries(self, name: str, args: tuple[str, ...]) -> bool:
        if not args:
            return False
        if name in _ALWAYS:
            return not (self._client and name == "GCF")
        last_is_number = len(args) > 1 and args[-1].isascii() and args[-1].isdigit()
        if name in _BY_NUMBER:
            return last_is_number
        # MSNP13 and later: an error may tell its reason in a payload
        return name.isdigit() and last_is_number


def command(name: str, trid: int | None, *args: object, payload: bytes | None = None) -> Command:
    """Makes a command; a `trid` of None stands for a command without one (PNG, OUT)."""
    head = () if trid is None else (str(trid),)
    return Command(name, (*head, *(str(arg) for arg in args)), payload)
