"""Tiles and entry bundles (https://c2sp.org/tlog-tiles): the tree and its entries as files for tools of others."""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from struct import Struct

from attrs import frozen

from bridge.compliance.errors import NoteError
from bridge.compliance.merkle import HASH_BYTES

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_ENTRY_BYTES = 0xFFFF
"""An entry in a bundle has a length of 16 bits."""
ENTRIES = -1
"""The level that stands for entry bundles."""
_LENGTH = Struct(">H")
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9]|[1-5][0-9]|6[0-3])/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@frozen
class Tile:
    """One tile, or with level ``ENTRIES`` one bundle: 256 hashes or entries, fewer in a partial one."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Returns the path below the log's prefix."""
        rest, digits = divmod(self.index, 1000)
        name = f"{digits:03d}"
        while rest:
            rest, digits = divmod(rest, 1000)
            name = f"x{digits:03d}/{name}"
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{name}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """Reads a path.

        Raises:
            NoteError: it is not the one canonical path of a tile.
        """
        match = _PATH.fullmatch(path)
        if match is None:
            raise NoteError(f"not the path of a tile: {path!r}")
        level = match["level"]
        tile = cls(
            ENTRIES if level == "entries" else int(level),
            int(match["index"].replace("x", "").replace("/", "")),
            int(match["width"]) if match["width"] else TILE_WIDTH,
        )
        if tile.path() != path:
            raise NoteError(f"not the canonical path of a tile: {path!r}")
        return tile

    def first(self) -> int:
        """Returns the first index, at its own level, of what it holds."""
        return self.index * TILE_WIDTH


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yields the tiles and bundles of a tree of ``size`` leaves that one of ``since`` leaves does not have."""
    for level in (ENTRIES, *range(8)):
        shift = TILE_HEIGHT * max(level, 0)
        have, old = size >> shift, since >> shift
        if have == 0:
            break
        if have == old:
            continue
        for index in range(old // TILE_WIDTH, -(-have // TILE_WIDTH)):
            yield Tile(level, index, min(TILE_WIDTH, have - index * TILE_WIDTH))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Returns an entry bundle.

    Raises:
        NoteError: an entry is longer than 65,535 bytes.
    """
    lengths = list(map(len, entries))
    if entries and max(lengths) > MAX_ENTRY_BYTES:
        raise NoteError(f"an entry of {max(lengths)} bytes is too long for a bundle")
    out = [b""] * (2 * len(entries))
    out[::2] = map(_LENGTH.pack, lengths)
    out[1::2] = entries
    return b"".join(out)


def decode_bundle(data: bytes) -> list[bytes]:
    """Returns the entries of a bundle.

    Raises:
        NoteError: it is cut short, or holds more than 256 entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        if len(entries) == TILE_WIDTH:
            raise NoteError("a bundle of more than 256 entries")
        end = at + 2 + _LENGTH.unpack_from(data, at)[0] if at + 2 <= len(data) else len(data) + 1
        if end > len(data):
            raise NoteError(f"the bundle is cut short in entry {len(entries)}")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def decode_tile(data: bytes, width: int) -> list[bytes]:
    """Returns the hashes of a tile.

    Raises:
        NoteError: it has not ``width`` hashes.
    """
    if len(data) != width * HASH_BYTES:
        raise NoteError(f"a tile of width {width} has {width * HASH_BYTES} bytes, not {len(data)}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def fold(hashes: Sequence[bytes]) -> bytes:
    """Returns the hash of the perfect subtree over a power of two of hashes."""
    row: Sequence[bytes] = hashes
    while len(row) > 1:
        pairs = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return row[0]
