"""Rich text: any bytes are read, written in each dialect, read again alike, and cut into pieces that fit."""

from mappings.richtext import from_html, from_part, split_rich, to_aim, to_html, to_part
from mappings.text import utf8_cost

LIMIT = 200
SEEDS: list[bytes] = [
    b"hello",
    b'<HTML><BODY BGCOLOR="#ffffff"><FONT LANG="0" COLOR="#ff0000" PTSIZE=10>hi &amp; bye</FONT></BODY></HTML>',
    b'<b>a<i>b</b>c</i><br>\r\n<p>x</p><a href="http://a.example/?a=1&amp;b=2">here</a>',
    b"<script>x</script><!-- c --><img src=x alt=y><ul><li>a<li>b</ul><table><tr><td>1<td>2</table>",
    b"1 < 2 && <bob@x> List<String> &nbsp;&#160;&#x1F600;&bogus;",
    b"<span style=\"color:#123;font-size:x-large;font-family:'A B'\">q</span>",
    "\U0001f468\u200d\U0001f469 \u202e caf\u00e9 \u00a0 x".encode(),
]


def one(data: bytes) -> None:
    """Reads one text. Nothing is caught: this decoder refuses nothing."""
    rich = from_html(data.decode("utf-8", "replace"))
    for write in (to_html, to_aim):
        written = write(rich)
        again = from_html(written)
        if again.runs != rich.runs or write(again) != written:
            raise AssertionError(f"{written!r} does not read back")
        for piece in split_rich(rich, LIMIT, utf8_cost, write):
            if len(write(piece).encode()) > LIMIT:
                raise AssertionError("a piece that does not fit")
    part = to_part(rich)
    if from_part(part).runs != rich.runs:
        raise AssertionError("a part that does not read back")
