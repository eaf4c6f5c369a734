import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.text import clean, graphemes, latin1_cost, split, utf8_cost, utf16_cost

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e9\U0001f1ea"
COSTS = {"utf-8": utf8_cost, "utf-16-be": utf16_cost, "latin-1": latin1_cost}
UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
_KINDS = ["a", " ", "\n", "\u00e9", "e\u0301", FAMILY, FLAG, "\u0e01\u0e34", "\U0001f600", "&", "<"]
CLUSTERS = st.lists(st.sampled_from(_KINDS), max_size=80).map("".join)


@pytest.mark.parametrize(
    ("text", "cleaned", "changed"),
    [
        ("plain", "plain", False),
        ("a\tb\nc", "a\tb\nc", False),
        ("a\r\nb\rc", "a\nb\nc", False),
        ("a\x00b\x1bc\x7fd\x85e\x9bf", "abcdef", True),
        ("a\ud800b", "a\ufffdb", True),
        (FAMILY, FAMILY, False),
        ("\u202eabc\u2028d\u00a0", "\u202eabc\u2028d\u00a0", False),
    ],
)
def test_clean(text: str, cleaned: str, changed: bool) -> None:
    assert clean(text) == (cleaned, changed)


@given(st.text())
def test_clean_is_idempotent_and_encodable(text: str) -> None:
    cleaned, _ = clean(text)
    assert clean(cleaned) == (cleaned, False)
    cleaned.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("ab", ["a", "b"]),
        ("e\u0301x", ["e\u0301", "x"]),
        (FAMILY + FLAG + FLAG, [FAMILY, FLAG, FLAG]),
        ("\r\n", ["\r\n"]),
        ("", []),
    ],
)
def test_graphemes(text: str, clusters: list[str]) -> None:
    assert list(graphemes(text)) == clusters


def test_graphemes_are_the_same_across_the_window() -> None:
    for lead in range(6):
        text = "x" * lead + (FLAG + FAMILY + "e\u0301") * 200
        assert list(graphemes(text)) == ["x"] * lead + [FLAG, FAMILY, "e\u0301"] * 200


@given(UNICODE)
def test_graphemes_join(text: str) -> None:
    assert "".join(graphemes(text)) == text


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("", 4, ("",)),
        ("abcd", 4, ("abcd",)),
        ("abcdef", 4, ("abcd", "ef")),
        ("abcd efgh", 6, ("abcd ", "efgh")),
        ("a bcdefghij", 6, ("a bcde", "fghij")),
        (FAMILY + FAMILY, 20, (FAMILY, FAMILY)),
        ("e\u0301e\u0301", 4, ("e\u0301", "e\u0301")),
        ("a" + "\u0301" * 5, 5, ("a\u0301\u0301", "\u0301\u0301", "\u0301")),
    ],
)
def test_split_vectors(text: str, limit: int, pieces: tuple[str, ...]) -> None:
    assert split(text, limit) == pieces


def test_a_character_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="takes 4 bytes"):
        split("ab\U0001f600", 3)


@given(UNICODE | CLUSTERS, st.integers(4, 60), st.sampled_from(sorted(COSTS)))
def test_split_joins_and_fits(text: str, limit: int, encoding: str) -> None:
    cost = COSTS[encoding]
    pieces = split(text, limit, cost)
    assert "".join(pieces) == text
    for piece in pieces:
        assert cost(piece) <= limit
        assert len(piece.encode(encoding, "replace")) <= limit
    assert all(pieces) or pieces == ("",)


@given(CLUSTERS, st.integers(32, 80))
def test_split_keeps_clusters_whole_where_they_fit(text: str, limit: int) -> None:
    cuts = set()
    at = 0
    for cluster in graphemes(text):
        at += len(cluster)
        cuts.add(at)
    at = 0
    for piece in split(text, limit)[:-1]:
        at += len(piece)
        assert at in cuts


@pytest.mark.parametrize("unit", ["a\u0301", "\u0301", FAMILY, FLAG, "ab ", "\u200d", "\U0001f1e9"])
def test_split_is_linear(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    started = time.process_time()
    assert "".join(split(text, 500)) == text
    assert time.process_time() - started < 2
