"""Segments: the leaves of one transaction stand in one row, and so do the bodies and the data keys that go with them.

A row for each leaf, and an entry of an index for each, cost more than all the hashing and sealing; a row for a batch
costs next to nothing. What is inside is found by counting: leaf ``n`` of a segment that starts at ``first`` has seq
``first + n``.

- ``hashes``: 32 bytes a leaf.
- ``contents``: for each leaf a 16-bit length and the leaf, as in the entry bundles of C2SP tlog-tiles; length 0 once
  it was disposed of.
- ``names``: 4 bytes for each message that the segment is about (CRC-32 of its id), so that a message is found without
  reading what is in between. The same id twice in a row is named once; a segment about no message has no such row.
- ``ciphertexts``: for each sealed record its place in the segment and the ciphertext's length, 32 bits each, and it.
- ``keys``: for each sealed record its place, the key-encryption key's id, a length, 32 bits each, and the wrapped key.

All numbers are big-endian.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any
from zlib import crc32

import orjson

from bridge.compliance.merkle import HASH_BYTES
from bridge.compliance.rows import LeafRow, StoreDamagedError

_BODY = Struct(">II")
_KEY = Struct(">III")
_NAME = Struct(">I")
MOST_BYTES = 1 << 20
"""When a segment has so many bytes of ciphertext, the transaction begins another one."""


def name_of(msg_id: str) -> bytes:
    """Returns what a message is found by."""
    return _NAME.pack(crc32(msg_id.encode("utf-8", "surrogatepass")))


def pack_bodies(first: int, bodies: Sequence[Any]) -> bytes:
    """Returns ``ciphertexts`` of a segment.

    Args:
        first: the segment's first seq.
        bodies: seq and ciphertext in turn.
    """
    out: list[bytes] = []
    for at in range(0, len(bodies), 2):
        ciphertext: bytes = bodies[at + 1]
        out.append(_BODY.pack(bodies[at] - first, len(ciphertext)))
        out.append(ciphertext)
    return b"".join(out)


def pack_keys(first: int, keys: Sequence[Any]) -> bytes:
    """Returns ``keys`` of a segment.

    Args:
        first: the segment's first seq.
        keys: seq, the id of the key-encryption key and the wrapped key in turn.
    """
    out: list[bytes] = []
    for at in range(0, len(keys), 3):
        wrapped: bytes = keys[at + 2]
        out.append(_KEY.pack(keys[at] - first, keys[at + 1], len(wrapped)))
        out.append(wrapped)
    return b"".join(out)


def count_of(first: int, hashes: bytes) -> int:
    """Returns how many leaves a segment has. Raises StoreDamagedError."""
    if not hashes or len(hashes) % HASH_BYTES:
        raise StoreDamagedError("leaf", f"row {first}: hashes: {len(hashes)} bytes are no sequence of hashes", first)
    return len(hashes) // HASH_BYTES


def unpack_hashes(first: int, hashes: bytes) -> list[bytes]:
    """Returns the hashes of a segment's leaves. Raises StoreDamagedError."""
    count = count_of(first, hashes)
    return [hashes[at : at + HASH_BYTES] for at in range(0, count * HASH_BYTES, HASH_BYTES)]


def ends_of(first: int, contents: bytes, count: int) -> list[int]:
    """Returns where each leaf of a segment ends in its contents.

    Raises:
        StoreDamagedError: there are not ``count`` of them.
    """
    out: list[int] = []
    at, size = 0, len(contents)
    while at + 2 <= size:
        at += 2 + (contents[at] << 8 | contents[at + 1])
        out.append(at)
    if at != size or len(out) != count:
        raise StoreDamagedError("leaf", f"row {first}: contents: are not {count} leaves", first)
    return out


def unpack_contents(first: int, contents: bytes, count: int) -> list[bytes | None]:
    """Returns the leaves of a segment, None for what was disposed of.

    Raises:
        StoreDamagedError: there are not ``count`` of them.
    """
    out: list[bytes | None] = []
    at = 0
    for end in ends_of(first, contents, count):
        out.append(contents[at + 2 : end] or None)
        at = end
    return out


def unpack_bodies(first: int, ciphertexts: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields seq and ciphertext of what is sealed, in order of seq. Raises StoreDamagedError."""
    at, last = 0, -1
    while at < len(ciphertexts):
        start = at + _BODY.size
        if start > len(ciphertexts):
            raise StoreDamagedError("body", f"row {first}: ciphertexts: cut short", first)
        place, size = _BODY.unpack_from(ciphertexts, at)
        at = start + size
        if at > len(ciphertexts) or place <= last:
            raise StoreDamagedError("body", f"row {first}: ciphertexts: not as they were written", first + last)
        last = place
        yield first + place, ciphertexts[start:at]


def unpack_keys(first: int, keys: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields seq, the id of the key-encryption key and the wrapped key, in order of seq. Raises StoreDamagedError."""
    at, last = 0, -1
    while at < len(keys):
        start = at + _KEY.size
        if start > len(keys):
            raise StoreDamagedError("data_key", f"row {first}: keys: cut short", first)
        place, kek_id, size = _KEY.unpack_from(keys, at)
        at = start + size
        if at > len(keys) or place <= last:
            raise StoreDamagedError("data_key", f"row {first}: keys: not as they were written", first + last)
        last = place
        yield first + place, kek_id, keys[start:at]


def leaf_row(seq: int, digest: bytes, content: bytes | None) -> LeafRow:
    """Returns a leaf with what it says of itself; nothing where it does not say it any more.

    What is said here is not checked: ``opening.read_leaf`` does that.
    """
    event, msg_id, moment = _said(content)
    return LeafRow(seq, event, msg_id, moment, digest, content)


def _said(content: bytes | None) -> tuple[str, str | None, int]:
    if content is None:
        return "", None, 0
    try:
        fields = orjson.loads(content)
    except orjson.JSONDecodeError:
        return "", None, 0
    if not isinstance(fields, dict):
        return "", None, 0
    event, msg_id, moment = fields.get("event"), fields.get("msg_id"), fields.get("t_intake")
    return (
        event if isinstance(event, str) else "",
        msg_id if isinstance(msg_id, str) else None,
        moment if type(moment) is int else 0,
    )


def names_of(contents: Sequence[bytes | None]) -> bytes:
    """Returns ``names`` as they should be for these leaves."""
    out: list[bytes] = []
    last = ""
    for content in contents:
        msg_id = _said(content)[1] or ""
        if msg_id and msg_id != last:
            out.append(name_of(msg_id))
        last = msg_id
    return b"".join(out)


def pack_names(msg_ids: Sequence[str]) -> bytes:
    """Returns ``names`` of a segment that is about these messages, in order."""
    return b"".join(map(name_of, msg_ids))


def rows_of(first: int, hashes: bytes, contents: bytes) -> Iterator[LeafRow]:
    """Yields the leaves of a segment. Raises StoreDamagedError."""
    digests = unpack_hashes(first, hashes)
    for at, content in enumerate(unpack_contents(first, contents, len(digests))):
        yield leaf_row(first + at, digests[at], content)


def find(connection: sqlite3.Connection, msg_id: str) -> list[LeafRow]:
    """Returns the leaves about a message, in order of seq, over any connection.

    Raises:
        StoreDamagedError: a segment that may have one cannot be read.
        sqlite3.Error: the database cannot.
    """
    query = (
        "SELECT leaf.first, hashes, contents FROM mention JOIN leaf ON leaf.first = mention.first "
        "WHERE instr(names, ?) ORDER BY leaf.first"
    )
    found = connection.execute(query, (name_of(msg_id),)).fetchall()
    return [row for segment in found for row in rows_of(*segment) if row.msg_id == msg_id]
