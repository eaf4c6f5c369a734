"""Fuzz: formatting codes; what is read and written again reads back as the same runs."""

from __future__ import annotations

from mappings.irc_format import from_irc, to_irc, writable
from mappings.richtext import Rich, from_html, to_plain

SEEDS: list[bytes] = [
    b"\x02bold\x02 \x1ditalic\x1d \x1funder\x1f \x1estrike\x1e \x11mono\x11 \x16reverse\x16 \x0freset",
    b"\x0304red\x0399 \x034,12both\x03 \x04ff00ffhex\x04ff0000,00ff00two\x04 \x03,1 \x0312,x",
    b'<b>bold</b> <span style="color:#123456">x</span> <a href="http://a.example">here</a>',
]


def one(data: bytes) -> None:
    """Reads the bytes as a text with codes, and as HTML, and writes both."""
    text = data.decode("utf-8", "replace")
    for read in (from_irc(text), from_html(text)):
        kept, _ = writable(Rich(read.runs))
        written = to_irc(kept)
        again = from_irc(written)
        assert again.runs == kept.runs, (kept, written)
        assert to_plain(again) == to_plain(kept)
