"""Laws of rich text: what is written reads back; canonical forms are fixed points; nothing is too much."""

from hypothesis import given
from hypothesis import strategies as st

from mappings.oscar import wire_cost
from mappings.richtext import Rich, escape, from_html, from_part, split_rich, to_aim, to_html, to_part, to_plain
from mappings.style import SIZES, Style
from mappings.text import clean, utf8_cost

# Every Unicode text without controls, with the line ends and blanks that people type.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(" \n\t&<>\"';"), max_size=80)
STYLES = st.builds(
    Style,
    href=st.sampled_from(["", "http://a.example/?x=1&y=2", "mailto:b@a.example"]),
    color=st.sampled_from(["", "#ff0000"]),
    background=st.sampled_from(["", "#00ff00"]),
    size=st.sampled_from(["", "12pt", *SIZES]),
    face=st.sampled_from(["", "Comic Sans MS"]),
    bold=st.booleans(),
    italic=st.booleans(),
    underline=st.booleans(),
    strike=st.booleans(),
)


def _rich(runs: list[tuple[str, Style]]) -> Rich:
    out: list[tuple[str, Style]] = []
    for text, style in runs:
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        else:
            out.append((text, style))
    return Rich(tuple(out))


RICH = st.lists(st.tuples(TEXT.filter(bool), STYLES), max_size=6).map(_rich)
SOUP = st.lists(
    st.sampled_from(
        ["<b>", "</b>", "<i>", "</i>", "<font color=red>", "</font>", "<br>", "<p>", "</p>", "<div>", "</div>", "<li>",
         "<td>", "<tr>", "<a href='http://a.example'>", "</a>", "<span style='color:#123456'>", "</span>", "&nbsp;",
         "&lt;", "<!--", "-->", "<script>", "</script>", "<", ">", "\n", " ", "<hr>", "<img alt=x>", "<foo>", "<h1>",
         "</h1>", "<body>", "<html>"]
    )
    | st.text(max_size=6),
    max_size=30,
).map("".join)  # fmt: skip


@given(TEXT)
def test_text_to_aim_and_back_is_the_identity(text: str) -> None:
    html = escape(text)
    assert to_plain(from_html(html)) == text
    assert from_html(html).losses == ()
    assert to_part(from_html(html)).html is None


@given(TEXT)
def test_escaped_text_survives_inside_aims_frame(text: str) -> None:
    framed = f'<HTML><BODY BGCOLOR="#ffffff"><FONT LANG="0">{escape(text)}</FONT></BODY></HTML>'
    assert to_plain(from_html(framed)) == text


@given(RICH)
def test_runs_survive_each_dialect(rich: Rich) -> None:
    assert from_html(to_html(rich)).runs == rich.runs
    assert from_html(to_aim(rich)).runs == rich.runs


@given(RICH)
def test_parts_survive(rich: Rich) -> None:
    part = to_part(rich)
    again = from_part(part)
    assert to_part(again) == part
    assert again.losses == ()


@given(SOUP)
def test_reading_makes_a_canonical_form(source: str) -> None:
    rich = from_html(source)
    for write in (to_html, to_aim):
        written = write(rich)
        again = from_html(written)
        assert again.runs == rich.runs
        assert write(again) == written
    assert all(text for text, _ in rich.runs)
    assert all(left[1] != right[1] for left, right in zip(rich.runs, rich.runs[1:], strict=False))


@given(st.text(max_size=200))
def test_any_text_is_readable_as_html(source: str) -> None:
    rich = from_html(source)
    part = to_part(rich)
    assert from_part(part).runs == rich.runs
    assert clean(part.text) == (part.text, False)
    for forbidden in ("<script", "<img", "javascript:"):
        assert forbidden not in (part.html or "").lower()


@given(RICH, st.integers(40, 300))
def test_pieces_of_rich_text_fit_and_join(rich: Rich, limit: int) -> None:
    for cost, write in ((utf8_cost, to_html), (wire_cost(to_aim(rich)), to_aim)):
        pieces = split_rich(rich, limit, cost, write)
        for piece in pieces:
            assert cost(write(piece)) <= limit
            assert from_html(write(piece)).runs == piece.runs
        assert "".join(t for piece in pieces for t, _ in piece.runs) == "".join(t for t, _ in rich.runs)
