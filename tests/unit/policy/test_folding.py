"""The forms of a text: laws over every character of Unicode, and the way back."""

import unicodedata
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.folding import (
    JOINED,
    PLAIN,
    SYMBOLS,
    WORDS,
    Table,
    collapse,
    collapse_form,
    display_order,
    displayed,
    joins,
    trace,
)

_TABLES = {"plain": PLAIN, "words": WORDS, "joined": JOINED, "symbols": SYMBOLS}
_texts = st.text(st.one_of(st.characters(), st.sampled_from("aA -\n\u200b\u0301\u202e\u202cаﬁ①")), max_size=40)


def test_forms_are_stable_for_every_character() -> None:
    for code in chain(range(0x3400), range(0xA000, 0x20000, 3), range(0xE0000, 0xE0200)):  # ideographs are alike
        character = chr(code)
        plain = character.translate(PLAIN)
        for name, table in _TABLES.items():
            form = character.translate(table)
            assert form.translate(table) == form, (hex(code), name)
            assert plain.translate(table) == form, (hex(code), name)


def test_case_never_counts_among_words() -> None:
    for code in range(0x20, 0x20000):
        character = chr(code)
        if unicodedata.category(character) in {"Lu", "Ll"}:
            lower = character.lower().translate(WORDS)
            assert character.translate(WORDS) == lower or character.casefold().translate(WORDS) == lower, hex(code)


@pytest.mark.parametrize(
    ("seen", "plain"),
    [
        ("ｆａｌｃｏｎ", "falcon"),
        ("fаlсоn", "falcon"),  # Cyrillic a, es, o
        ("fαlcοn", "falcon"),  # Greek alpha, omicron
        ("𝓯𝓪𝓵𝓬𝓸𝓷", "falcon"),
        ("ⓕⓐⓛⓒⓞⓝ", "falcon"),
        ("🅵🅰🅻🅲🅾🅽", "FALCON"),
        ("🇫🇦🇱🇨🇴🇳", "FALCON"),
        ("ꜰᴀʟᴄᴏɴ", "falcon"),
        ("f\u200ba\u2060l\u00adc\ufeffo\u200dn", "falcon"),
        ("f\u0301a\u0336l\u20ddcon", "falcon"),
        ("fa\x00lc\x7fon", "falcon"),
        ("f\U000e0061alcon", "falcon"),
        ("fa\ufe0flcon", "falcon"),
        ("ﬁle ①②③ ٤٥٦ １２", "file 123 456 12"),
        ("ACME‑123—4", "ACME-123-4"),
        ("a\u00a0b\u3000c\u2800d", "a b c d"),
        ("Straße Ünïté", "Straße Unite"),
        ("한국어", "한국어"),
        ("हिन्दी ไทย", "हिन्दी ไทย"),
        ("\ud800x", "x"),
    ],
)
def test_what_a_reader_sees(seen: str, plain: str) -> None:
    assert seen.translate(PLAIN) == plain


def test_words_and_joined() -> None:
    assert "Fal-con, the 'Eyes'!".translate(WORDS) == "fal con  the  eyes  "
    assert "Fal-con, the 'Eyes'!".translate(JOINED) == "falcon the eyes"
    assert collapse("  a \n b ") == " a b "


@given(_texts, _texts)
def test_a_form_is_made_character_by_character(first: str, second: str) -> None:
    for table in _TABLES.values():
        assert (first + second).translate(table) == first.translate(table) + second.translate(table)


@given(_texts, st.sampled_from(sorted(_TABLES)))
def test_tracing_tells_where_each_character_came_from(text: str, name: str) -> None:
    table = _TABLES[name]
    form = trace(text, table)
    assert form.text == text.translate(table)
    assert len(form.origin) == len(form.text)
    for character, offset in zip(form.text, form.origin, strict=True):
        assert character in text[offset].translate(table)
    collapsed = collapse_form(form)
    assert collapsed.text == collapse(form.text) or not form.text.strip()
    assert len(collapsed.origin) == len(collapsed.text)


@given(_texts)
def test_display_order_is_a_permutation(text: str) -> None:
    assert sorted(display_order(text)) == list(range(len(text)))


def test_an_override_is_read_backwards() -> None:
    text = "see \u202enoclaf\u202c now"
    assert "".join(text[offset] for offset in display_order(text)).translate(PLAIN) == "see falcon now"


def test_a_table_keeps_a_bounded_number_of_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.policy.folding._TABLE_LIMIT", 10)
    table = Table(str.upper)
    text = "".join(map(chr, range(97, 123)))
    assert text.translate(table) == text.upper()
    assert len(table) == 10


_broken = st.text(st.sampled_from("abé.-,*'ßﬁ①\u0301 \n\u200b"), max_size=60)


@given(_broken)
def test_pieces_of_words_are_run_together_and_their_way_back_is_told(text: str) -> None:
    plain = text.translate(PLAIN)
    form = joins(plain)
    assert len(form.text) == len(form.origin)
    for character, offset in zip(form.text, form.origin, strict=True):
        assert character == " " or character in plain[offset].translate(WORDS)
    words = form.text.split()
    for chunk in plain.split():
        pieces = chunk.translate(WORDS).split()
        for first in range(len(pieces) - 1 if len(pieces) > 2 else 0):
            for last in range(first + 2, min(first + 4, len(pieces)) + 1):
                assert "".join(pieces[first:last]) in words


@given(_texts)
def test_what_is_displayed_is_the_text_in_its_order_without_overrides(text: str) -> None:
    assert displayed(text) == "".join(text[offset] for offset in display_order(text)).replace("\u202e", "")


@given(_texts, _texts)
def test_a_way_back_goes_through_another(first: str, second: str) -> None:
    text = first + second
    plain = trace(text, PLAIN)
    through = trace(plain.text, WORDS).through(plain)
    assert through.text == text.translate(WORDS)
    assert all(
        character in text[at].translate(WORDS) for character, at in zip(through.text, through.origin, strict=True)
    )
