"""Tiles: the paths and the numbers of tlog-tiles' own examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance.errors import NoteError
from bridge.compliance.tiles import ENTRIES, Tile, decode_bundle, decode_tile, encode_bundle, tiles_of


def test_the_path_of_the_specification() -> None:
    assert Tile(0, 1234067).path() == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 0, 17).path() == "tile/entries/000.p/17"
    assert Tile.parse("tile/63/x001/x234/067.p/255") == Tile(63, 1234067, 255)


def test_the_tiles_of_the_specifications_example() -> None:
    """A tree of 70,000 leaves, and one of 256."""
    tiles = [tile for tile in tiles_of(70_000) if tile.level >= 0]
    assert [len([tile for tile in tiles if tile.level == level]) for level in (0, 1, 2)] == [274, 2, 1]
    assert [tile.width for tile in tiles if tile.width != 256] == [112, 17, 1]
    assert [tile for tile in tiles_of(256) if tile.level >= 0] == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 70_000), st.integers(0, 600))
def test_growing_gives_the_tiles_that_are_new(size: int, more: int) -> None:
    assert set(tiles_of(size + more, size)) == set(tiles_of(size + more)) - set(tiles_of(size))


@given(st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_paths_round_trip(level: int, index: int, width: int) -> None:
    assert Tile.parse(Tile(level, index, width).path()) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/300",
        "tile/0/001/000",
        "tile/0/../000",
        "tile/0/٠٠٠",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/000\n",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(NoteError):
        Tile.parse(path)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


def test_bundles_and_tiles_that_are_cut_short_are_refused() -> None:
    for data in (b"\x00", b"\x00\x05abcd", b"\x00\x00" * 257):
        with pytest.raises(NoteError):
            decode_bundle(data)
    with pytest.raises(NoteError):
        encode_bundle([b"x" * 65_536])
    assert decode_tile(b"x" * 64, 2) == [b"x" * 32] * 2
    with pytest.raises(NoteError):
        decode_tile(b"x" * 64, 3)
