"""What very many watches show, kept in little room: documents that differ in the person's address alone share the rest.

Most people say nothing of themselves but that they are there, or away, so that their presence documents (RFC 3863) are
few texts with many addresses in them. A document is kept as its pieces around the address, which all who are in the
same state share, and is put together again to the octet where it is needed.
"""

from __future__ import annotations

from bridge.model.cache import TwoGenerationCache

MAX_SHAPES = 1024
"""Shapes that are looked for when a document comes. One that is forgotten is kept once more by who shows it anew."""


class Shape:
    """The pieces of a document around an address. Two that are made of equal pieces may be two values: see `same`."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self.pieces = pieces

    def octets(self, address: str) -> bytes:
        """Returns the document of this address."""
        return _octets(address).join(self.pieces)


_SHAPES: TwoGenerationCache[tuple[bytes, ...], Shape] = TwoGenerationCache(MAX_SHAPES)


def shape_of(document: bytes | None, address: str) -> Shape | None:
    """Returns what is left of a document without an address; None where there is none.

    A document without the address in it is one piece. ``shape.octets(address)`` is the document again, whatever it is.
    """
    if document is None:
        return None
    pieces = tuple(document.split(_octets(address))) if address else (document,)
    known = _SHAPES.get(pieces)
    if known is None:
        known = Shape(pieces)
        _SHAPES.put(pieces, known)
    return known


def same(left: Shape | None, right: Shape | None) -> bool:
    """Whether two shapes of one address are the same document."""
    return left is right or (left is not None and right is not None and left.pieces == right.pieces)


def _octets(address: str) -> bytes:
    return address.encode("utf-8", "surrogatepass")
