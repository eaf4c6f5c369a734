"""Lexicons: what is found, what is not, and where."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.policy.language import Lexicon
from bridge.policy.matcher import Matcher, compile_pattern


def _matcher(*words: str, **more: Any) -> Matcher:
    return Matcher([Lexicon(name="l", words=words, **more)])


def _found(matcher: Matcher, text: str, preceding: str = "") -> list[str]:
    """The parts of the text that are found; touching must never miss what searching finds."""
    hits = matcher.find(text, ~0, preceding)
    if hits:
        assert matcher.touches(text, preceding)
    return sorted({text[hit.start : hit.end] for hit in hits})


@pytest.mark.parametrize(
    "text",
    [
        "project falcon",
        "about Project FALCON.",
        "project\nfalcon",
        "project  \t falcon",
        "project-falcon",
        "project_falcon/1",
        "(project) [falcon]",
        "ProjectFalcon",
        "#projectfalcon",
        "p r o j e c t f a l c o n",
        "p.r.o.j.e.c.t falcon",
        "project f a l c o n",
        "project f-a-l-c-o-n",
        "pro-ject fal·con",
        "project fal*con",
        "рrоjесt fаlсоn",
        "ｐｒｏｊｅｃｔ　ｆａｌｃｏｎ",
        "𝐩𝐫𝐨𝐣𝐞𝐜𝐭 𝐟𝐚𝐥𝐜𝐨𝐧",
        "pro\u200bject fal\u00adcon",
        "pro\u202eject falcon",
        "project\u200f \u200efalcon",
        "p\u0336r\u0336o\u0336j\u0336e\u0336c\u0336t\u0336 falcon",
        "pröjéct fålcøn",
        "\u202enoclaf tcejorp\u202c",
        "\u202enoclaf tcejorp",
        "pro\x00ject falc\x08on",
        "\U0001f1f5\U0001f1f7\U0001f1f4\U0001f1ef\U0001f1ea\U0001f1e8\U0001f1f9 falcon",
        "project🙂falcon",
    ],
)
def test_evasion_is_met(text: str) -> None:
    assert _found(_matcher("project falcon"), text)


@pytest.mark.parametrize(
    "text", ["projects falcon", "project the falcon", "a project", "falconproject", "", " ", "\u202e"]
)
def test_what_is_another_word_is_not_found(text: str) -> None:
    assert not _found(_matcher("project falcon"), text)


@pytest.mark.parametrize(
    ("word", "text", "part"),
    [
        ("falcon", "x fal\u200bcon y", "fal\u200bcon"),
        ("falcon", "x falcon\u0301\u200b y", "falcon\u0301\u200b"),
        ("falcon", "x f a l c o n y", "f a l c o n"),
        ("falcon", "x ﬀ fal-con.", "fal-con"),
        ("straße", "die STRASSE dort", "STRASSE"),
        ("strasse", "die Straße dort", "Straße"),
        ("c++", "in C++ now", "C++"),
        ("a&b", "x A&B y", "A&B"),
        ("$$$", "send $$$!", "$$$"),
        ("機密", "これは機密です", "機密"),
        ("機密", "これは機 密です", "機 密"),
        ("기밀", "이것은 기밀입니다", "기밀"),
        ("секрет", "Это СЕКРЕТ!", "СЕКРЕТ"),
        ("गुप्त", "यह गुप्त है", "गुप्त"),
        ("o'brien", "ask O’Brien", "O’Brien"),
    ],
)
def test_places_are_those_of_the_original(word: str, text: str, part: str) -> None:
    assert part in _found(_matcher(word), text)


@pytest.mark.parametrize(("word", "text"), [("c++", "in c now"), ("c++", "abc++"), ("a&b", "a b"), ("$$$", "$ $ $")])
def test_symbols_are_part_of_a_term_that_holds_them(word: str, text: str) -> None:
    assert not _found(_matcher(word), text)


def test_parts_of_words_where_asked_for() -> None:
    assert not _found(_matcher("falcon"), "millenniumfalcons")
    assert _found(_matcher("falcon", whole_words=False), "millenniumfalcons") == ["falcon"]
    assert _found(_matcher("c++", whole_words=False), "abc++") == ["c++"]


def test_patterns_see_the_text_as_it_came_and_as_it_is_seen() -> None:
    matcher = _matcher(patterns=(r"\bACME-\d{6}\b", "É{2}"))
    assert _found(matcher, "see ACME-123456.") == ["ACME-123456"]
    assert _found(matcher, "see AC\u200bME‑１２３４５６.") == ["AC\u200bME‑１２３４５６"]
    assert _found(matcher, "see acme-123456") == []
    assert _found(matcher, "ÉÉ") == ["ÉÉ"]
    assert _found(matcher, "half \ud800 ACME-123456") == ["ACME-123456"]


def test_only_wanted_lexicons_are_told() -> None:
    matcher = Matcher([Lexicon(name="a", words=("x1",)), Lexicon(name="b", words=("x1", "y1"), patterns=("z+1",))])
    assert [(hit.lexicon, hit.term) for hit in matcher.find("x1 y1 zz1", 1)] == [("a", "x1")]
    assert [(hit.lexicon, hit.term) for hit in matcher.find("x1 y1 zz1", 2)] == [("b", "x1"), ("b", "y1"), ("b", "z+1")]
    assert matcher.touches("x1") == 3
    assert matcher.touches("nothing") == 0


@pytest.mark.parametrize(
    ("preceding", "text", "part"),
    [
        ("about project", "falcon, you know", "falcon"),
        ("about project fal", "con, you know", "con"),
        ("p\nr\no\nj\ne\nc\nt\nf\na\nl\nc\no", "n", "n"),
        ("pro\nject fal", "con", "con"),
        ("ACME-12", "3456 ok", "3456"),
        ("project fal\u200b", "\u200bcon", "\u200bcon"),
    ],
)
def test_words_split_over_messages(preceding: str, text: str, part: str) -> None:
    matcher = _matcher("project falcon", patterns=(r"\bACME-\d{6}\b",))
    assert _found(matcher, text) == []
    assert part in _found(matcher, text, preceding)
    assert all(hit.straddles and hit.start == 0 for hit in matcher.find(text, ~0, preceding))


def test_what_stands_in_the_text_before_alone_is_not_told_again() -> None:
    assert _found(_matcher("falcon"), "and now?", "the falcon") == []
    assert _found(_matcher("falcon"), "the falcon", "the falcon") == ["falcon"]
    assert [hit.straddles for hit in _matcher("falcon").find("the falcon", 1, "the falcon")] == [False]


def test_a_set_that_runs_out_of_memory_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = _matcher(patterns=(r"\bACME-\d{6}\b",))

    class Exhausted:
        def Match(self, text: str) -> None:  # noqa: N802
            return None

    monkeypatch.setattr(matcher, "_set", Exhausted())
    assert _found(matcher, "see ACME-123456") == ["ACME-123456"]
    assert matcher.touches("nothing at all") == 1
    assert _found(matcher, "nothing at all") == []


def test_hostile_patterns_and_texts_stay_linear() -> None:
    matcher = _matcher(patterns=("(x+x+)+y", "(a|aa)+$", "(.*)(.*)(.*)[^>]>"))
    for text in ("x" * 20_000, "a" * 20_000 + "!", "\u202e" * 20_000, "f " * 10_000, "\u0301" * 20_000):
        matcher.touches(text)
        matcher.find(text[:2_000], ~0)


@pytest.mark.parametrize("pattern", ["(a", r"(a)\1", "(?=a)", "a**", r"\p{Nonsense}", "", "a?", "^", r"\b", "\ud800"])
def test_patterns_that_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compile_pattern(pattern)


_words = st.text("abc", min_size=1, max_size=4)
_noise = st.sampled_from(["", "", "\u200b", "\u0301", "\u200e", "\x01"])


@given(st.lists(_words, min_size=1, max_size=6), st.lists(_words, max_size=12), st.data())
def test_whole_words_agree_with_a_plain_search(terms: list[str], words: list[str], data: st.DataObject) -> None:
    # Words of two letters at most per term are not spelled out, so plain equality of words is the whole truth here.
    terms = [term[:2] for term in terms]
    text = " ".join("".join(letter + data.draw(_noise) for letter in word) for word in words)
    matcher = _matcher(*dict.fromkeys(terms))
    assert {hit.term for hit in matcher.find(text, 1)} == set(terms) & set(words)
    assert bool(matcher.touches(text)) == bool(set(terms) & set(words))


_soup = st.text(
    st.one_of(st.sampled_from("falcon FALCON-'.\n\u200b\u0301аο1234567890ACME\u202e\u202c"), st.characters()),
    max_size=60,
)
_everything = Matcher(
    [
        Lexicon(name="w", words=("falcon", "fa", "c++", "機密", "l c")),
        Lexicon(name="p", patterns=(r"[A-C]+\d", "é", r"(?i)fal.on"), validators=("payment-card", "iban")),
    ]
)


@settings(max_examples=150)
@given(_soup, _soup)
def test_touching_never_misses_what_searching_finds(text: str, preceding: str) -> None:
    for hit in _everything.find(text, ~0, preceding):
        assert 0 <= hit.start < hit.end <= len(text)
    found = {hit.lexicon for hit in _everything.find(text, ~0, preceding)}
    touched = _everything.touches(text, preceding)
    assert found <= {name for number, name in enumerate("wp") if touched >> number & 1}
