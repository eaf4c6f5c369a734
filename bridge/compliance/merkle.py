"""The Merkle tree of RFC 6962 section 2.1 (the same as RFC 9162 section 2.1): hashes, appending, proofs.

A tree is held as its *frontier*: the roots of the perfect subtrees that it consists of, largest first, one for each
bit that is set in its size. That is all that appending and the root need; proofs take a ``subtree`` function that
returns the hash of a perfect subtree from wherever the leaf hashes or the tiles are.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from bridge.compliance.errors import ProofError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Subtree = Callable[[int, int], bytes]
"""``(level, index)`` -> the hash of the perfect subtree over the ``2**level`` leaves from ``index * 2**level`` on."""


def leaf_hash(content: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256(0x00 || content)."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that can be appended to, in 32 bytes for each bit set in its size.

    Args:
        size: the number of leaves.
        roots: the roots of its perfect subtrees, largest first.

    Raises:
        ProofError: there are not as many roots as bits set in ``size``.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        if size < 0 or size.bit_count() != len(roots) or any(len(root) != HASH_BYTES for root in roots):
            raise ProofError(f"a tree of {size} leaves has not {len(roots)} subtrees")
        self.size = size
        self._roots = list(roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Reads what ``to_bytes`` wrote. Raises ProofError."""
        if len(data) % HASH_BYTES:
            raise ProofError(f"a frontier of {len(data)} bytes is no sequence of hashes")
        return cls(size, [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])

    def to_bytes(self) -> bytes:
        """Returns the roots of the perfect subtrees, largest first, one after the other."""
        return b"".join(self._roots)

    def copy(self) -> "Frontier":
        """Returns a tree that grows apart from this one."""
        twin = Frontier()
        twin.size = self.size
        twin._roots = self._roots.copy()
        return twin

    def append(self, leaf: bytes) -> None:
        """Adds the hash of a leaf."""
        roots = self._roots
        size = self.size
        while size & 1:
            leaf = sha256(b"\x01" + roots.pop() + leaf).digest()
            size >>= 1
        roots.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Adds hashes of leaves."""
        for leaf in leaves:
            self.append(leaf)

    def append_subtree(self, level: int, root: bytes) -> None:
        """Adds the ``2**level`` leaves of a perfect subtree at once.

        Raises:
            ProofError: the tree does not end where such a subtree starts.
        """
        if self.size & ((1 << level) - 1):
            raise ProofError(f"a subtree of 2**{level} leaves cannot start at {self.size}")
        roots = self._roots
        size = self.size >> level
        while size & 1:
            root = sha256(b"\x01" + roots.pop() + root).digest()
            size >>= 1
        roots.append(root)
        self.size += 1 << level

    def root(self) -> bytes:
        """Returns the root of the whole tree."""
        roots = self._roots
        if not roots:
            return EMPTY_ROOT
        out = roots[-1]
        for left in reversed(roots[:-1]):
            out = node_hash(left, out)
        return out


def subtree_of(leaves: Sequence[bytes]) -> Subtree:
    """Returns a ``Subtree`` over leaf hashes in memory, for small trees and for tests."""

    def subtree(level: int, index: int) -> bytes:
        start, width = index << level, 1 << level
        row = list(leaves[start : start + width])
        if len(row) != width:
            raise ProofError(f"no perfect subtree at level {level}, index {index}")
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    return subtree


def _range_root(start: int, end: int, subtree: Subtree) -> bytes:
    """Returns MTH(D[start:end]), where ``start`` is a multiple of the largest power of two below the width."""
    width = end - start
    roots: list[bytes] = []
    at = start
    for level in range(width.bit_length() - 1, -1, -1):
        if width >> level & 1:
            roots.append(subtree(level, at >> level))
            at += 1 << level
    out = roots[-1]
    for left in reversed(roots[:-1]):
        out = node_hash(left, out)
    return out


def root_of(size: int, subtree: Subtree) -> bytes:
    """Returns the root of the tree of the first ``size`` leaves."""
    return _range_root(0, size, subtree) if size else EMPTY_ROOT


def _split(width: int) -> int:
    """Returns the largest power of two that is smaller than ``width`` (RFC 6962 section 2.1: k)."""
    return 1 << ((width - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Returns the audit path of leaf ``index`` in the tree of ``size`` leaves, leaf's sibling first (section 2.1.1).

    Raises:
        ProofError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start = middle
    path.reverse()
    return path


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Returns the proof that the tree of ``old`` leaves is a prefix of that of ``new`` leaves (section 2.1.2).

    Raises:
        ProofError: ``old`` is not between 1 and ``new``.
    """
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof from {old} to {new} leaves")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_root(middle, end, subtree))
            end = middle
        else:
            path.append(_range_root(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        path.append(_range_root(start, end, subtree))
    path.reverse()
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Checks an audit path (RFC 9162 section 2.1.3.2).

    Raises:
        ProofError: the leaf is not shown to be there.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    position, last, out = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            out = node_hash(sibling, out)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            out = node_hash(out, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the inclusion proof is too short")
    if out != root:
        raise ProofError(f"leaf {index} is not under the root of the tree of {size}")


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Checks a consistency proof (RFC 9162 section 2.1.4.2).

    Raises:
        ProofError: the older tree is not shown to be a prefix of the newer one.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {old} leaves is no prefix of one of {new}")
    if old in {0, new}:
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofError(f"trees of {old} and {new} leaves are not consistent")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        raise ProofError("the consistency proof is too short")
    if _climb(old, new, steps) != (old_root, new_root):
        raise ProofError(f"trees of {old} and {new} leaves are not consistent")


def _climb(old: int, new: int, steps: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Returns the roots of the older and the newer tree that a consistency proof leads to."""
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            older = node_hash(step, older)
            newer = node_hash(step, newer)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            newer = node_hash(newer, step)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the consistency proof is too short")
    return older, newer
