"""The tree against published roots, a naive implementation of RFC 6962's definition, and forged proofs."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance.errors import ProofError
from bridge.compliance.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    subtree_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots of the Certificate Transparency reference tests.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")] + [
    bytes.fromhex("606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word, over the contents of leaves."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def contents(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(content) for content in contents(count)]


def test_published_roots() -> None:
    tree = Frontier()
    assert tree.root() == EMPTY_ROOT == sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf_hash(leaf))
        assert tree.root().hex() == root


def test_published_paths() -> None:
    subtree = subtree_of([leaf_hash(leaf) for leaf in LEAVES])
    assert [step.hex() for step in inclusion_proof(0, 8, subtree)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [step.hex() for step in consistency_proof(6, 8, subtree)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.integers(0, 300))
def test_appending_gives_the_defined_root(size: int) -> None:
    tree = Frontier()
    tree.extend(hashes(size))
    root = naive_root(contents(size))
    assert tree.root() == root == root_of(size, subtree_of(hashes(size)))
    again = Frontier.from_bytes(size, tree.to_bytes())
    twin = again.copy()
    twin.append(leaf_hash(b"more"))
    assert again.root() == root != twin.root()


@given(st.data())
def test_every_proof_holds_and_no_other_one_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 90))
    index = data.draw(st.integers(0, size - 1))
    leaves = hashes(size)
    path = inclusion_proof(index, size, subtree_of(leaves))
    root = naive_root(contents(size))
    verify_inclusion(leaves[index], index, size, path, root)
    wrong = data.draw(st.integers(0, 5))
    forged: tuple[bytes, int, int, list[bytes], bytes] = (leaves[index], index, size, path, root)
    if wrong == 0:
        forged = (leaf_hash(b"forged"), index, size, path, root)
    elif wrong == 1:
        forged = (leaves[index], (index + 1) % (size + 1), size, path, root)
    elif wrong == 2:
        forged = (leaves[index], index, size, [*path, root], root)
    elif wrong == 3:
        forged = (leaves[index], index, size, path[:-1] if path else [root], root)
    elif wrong == 4:
        forged = (leaves[index], index, size, path, leaf_hash(root))
    elif path:
        forged = (leaves[index], index, size, [leaf_hash(path[0]), *path[1:]], root)
    else:
        return
    with pytest.raises(ProofError):
        verify_inclusion(*forged)


@given(st.data())
def test_consistency(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 90))
    old = data.draw(st.integers(1, new))
    path = consistency_proof(old, new, subtree_of(hashes(new)))
    roots = naive_root(contents(old)), naive_root(contents(new))
    verify_consistency(old, new, path, *roots)
    verify_consistency(0, new, [], EMPTY_ROOT, roots[1])
    for forged in (
        (old, new, [*path, roots[0]], *roots),
        (old, new, path, leaf_hash(b"x"), roots[1]),
        (old, new, path, roots[0], leaf_hash(b"x")),
        (new + 1, new, path, *roots),
        *([(old, new, path[:-1], *roots)] if path else []),
    ):
        with pytest.raises(ProofError):
            verify_consistency(*forged)


@pytest.mark.parametrize(("size", "data"), [(1, b""), (2, b"x" * 64), (3, b"x" * 63), (-1, b"")])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(ProofError):
        Frontier.from_bytes(size, data)


def test_proofs_of_what_is_not_there_are_refused() -> None:
    subtree = subtree_of(hashes(4))
    for index, size in ((4, 4), (-1, 4), (0, 0)):
        with pytest.raises(ProofError):
            inclusion_proof(index, size, subtree)
    with pytest.raises(ProofError):
        consistency_proof(5, 4, subtree)
    with pytest.raises(ProofError):
        inclusion_proof(0, 8, subtree)


@pytest.mark.parametrize("before", [0, 256, 512, 768])
def test_a_perfect_subtree_is_appended_at_once(before: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(before + 256)]
    one, other = Frontier(), Frontier()
    one.extend(leaves)
    other.extend(leaves[:before])
    other.append_subtree(8, subtree_of(leaves[before:])(8, 0))
    assert (one.size, one.to_bytes(), one.root()) == (other.size, other.to_bytes(), other.root())


def test_a_perfect_subtree_starts_where_one_can() -> None:
    tree = Frontier()
    tree.append(leaf_hash(b""))
    with pytest.raises(ProofError, match="cannot start at 1"):
        tree.append_subtree(8, leaf_hash(b""))
