"""Long messages in pieces: Message-ID and Chunks on the first, Message-ID and Chunk on those that follow.

Clients that tell `codes.CAN_READ_CHUNKS` put them together.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define, field

from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime

MAX_CHUNKS = 64
MAX_PENDING = 16
MAX_BYTES = 131_072


def cut(message: Mime, message_id: str, limit: int) -> list[Mime]:
    """A message as pieces of at most `limit` bytes with their headers, cut between characters of UTF-8.

    Raises:
        MsnpSyntaxError: it would take more than `MAX_CHUNKS`.
    """
    if len(message.encode()) <= limit:
        return [message]
    first_headers = (*message.headers, ("Message-ID", message_id), ("Chunks", "99"))
    room = limit - len(Mime(first_headers).encode())
    later_room = limit - len(Mime((("Message-ID", message_id), ("Chunk", "99"))).encode())
    if room < 4 or later_room < 4:
        raise MsnpSyntaxError("no room for the text beside its headers")
    bodies = []
    rest = message.body
    while rest:
        end = _boundary(rest, room)
        bodies.append(rest[:end])
        rest = rest[end:]
        room = later_room
    if len(bodies) > MAX_CHUNKS:
        raise MsnpSyntaxError(f"a message of {len(bodies)} chunks")
    first = Mime((*message.headers, ("Message-ID", message_id), ("Chunks", str(len(bodies)))), bodies[0])
    later = [Mime((("Message-ID", message_id), ("Chunk", str(at))), body) for at, body in enumerate(bodies[1:], 1)]
    return [first, *later]


def _boundary(data: bytes, room: int) -> int:
    """Where to cut: not inside a character."""
    if len(data) <= room:
        return len(data)
    end = room
    while end > 1 and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


@define
class _Parts:
    head: Mime
    count: int
    bodies: dict[int, bytes] = field(factory=dict)
    size: int = 0


class Gatherer:
    """Puts chunks together. What is not complete in time or is too much is given back as lost.

    Attributes:
        lost: messages of which pieces never came: head and how many of how many pieces, since last asked.
    """

    __slots__ = ("_pending", "lost")

    def __init__(self) -> None:
        self._pending: OrderedDict[tuple[str, str], _Parts] = OrderedDict()
        self.lost: list[tuple[str, Mime]] = []

    def add(self, sender: str, message: Mime) -> Mime | None:
        """Takes a message of a sender; gives a whole one, at once where it is no chunk.

        Raises:
            MsnpSyntaxError: a chunk that fits nothing.
        """
        message_id = message.get("Message-ID")
        chunks, chunk = message.get("Chunks"), message.get("Chunk")
        if message_id is None or (chunks is None and chunk is None):
            return message
        key = (sender, message_id)
        if chunks is not None:
            count = _number(chunks)
            if not 1 <= count <= MAX_CHUNKS:
                raise MsnpSyntaxError(f"a message in {count} chunks")
            if key in self._pending:
                raise MsnpSyntaxError("the first chunk of a message came twice")
            if len(self._pending) >= MAX_PENDING:
                self._lose(next(iter(self._pending)))
            self._pending[key] = _Parts(message, count)
            return self._put(key, 0, message.body)
        if key not in self._pending:
            raise MsnpSyntaxError("a chunk without its first one")
        return self._put(key, _number(chunk or ""), message.body)

    def _put(self, key: tuple[str, str], at: int, body: bytes) -> Mime | None:
        parts = self._pending[key]
        if at >= parts.count or at in parts.bodies:
            raise MsnpSyntaxError(f"chunk {at} of {parts.count} that does not fit")
        parts.size += len(body)
        if parts.size > MAX_BYTES:
            self._lose(key)
            return None
        parts.bodies[at] = body
        if len(parts.bodies) < parts.count:
            return None
        del self._pending[key]
        headers = tuple(pair for pair in parts.head.headers if pair[0].lower() != "chunks")
        return Mime(headers, b"".join(parts.bodies[each] for each in range(parts.count)))

    def _lose(self, key: tuple[str, str]) -> None:
        parts = self._pending.pop(key)
        body = b"".join(parts.bodies[each] for each in sorted(parts.bodies))
        self.lost.append((key[0], Mime(parts.head.headers, body)))

    def close(self) -> None:
        """Nothing more will come: what is not whole is lost."""
        for key in list(self._pending):
            self._lose(key)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise MsnpSyntaxError(f"not a number of a chunk: {text[:20]!a}")
    return int(text)


def guid(cookie: str) -> str:
    """The Message-ID of a message that is known by hexadecimal digits: each attempt has the same."""
    digits = cookie.ljust(32, "0")[:32].upper()
    return f"{{{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}}}"
