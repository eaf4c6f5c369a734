"""Fuzz: Yahoo!'s formatting. What is written of any text that was read reads back as it."""

from __future__ import annotations

from mappings.richtext import to_plain
from mappings.ymsg_text import MAX_SOURCE, from_yahoo, measured, to_yahoo

SEEDS: list[bytes] = [
    b'\x1b[1mbold\x1b[x1m \x1b[#ff0000mred\x1b[30m <font face="Arial" size="12">x</font> y',
    b'<FADE #ff0000,#0000ff>x</FADE><alt #1>y</alt><snd="z"><red>r</red>',
    b"<b><i>x</b></i> \x1b[lmhttp://a.example\x1b[xlm < > <ding>",
    b"<font color=\"#00ff00\" size='9' face=Arial>\x1b[4mu</font></font>",
]


def one(data: bytes) -> None:
    """Read, write, read."""
    rich = from_yahoo(data.decode("utf-8", "replace"))
    written = to_yahoo(rich)
    if len(written) > MAX_SOURCE:
        return  # what keeps brackets from being tags has made it longer than is read
    again = from_yahoo(written)
    if to_plain(again) != to_plain(rich):
        raise AssertionError(f"{to_plain(rich)!r} became {to_plain(again)!r}")
    if len(measured(rich)) < len(written):
        raise AssertionError("a text is longer than it was measured")
