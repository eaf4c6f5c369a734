"""Yahoo!'s formatting codes to styled runs and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.richtext import Rich, from_html, plain, split_rich, to_html, to_plain
from mappings.style import PLAIN, SIZES, Style
from mappings.text import clean, utf8_cost
from mappings.ymsg_text import CODE_COLOURS, TAG_COLOURS, from_yahoo, losses_of, measured, to_yahoo

ESC = "\x1b["
SMALL = '<span style="font-size:8pt">'


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("plain", "plain"),
        (f"{ESC}1mbold{ESC}x1m not", "<b>bold</b> not"),
        (f"{ESC}2mleft open", "<i>left open</i>"),
        (f"{ESC}1ma{ESC}4mb{ESC}x1mc{ESC}x4m", "<b>a<u>b</u></b><u>c</u>"),
        (f"{ESC}#ff0000mred{ESC}#000000mblack", '<span style="color:#ff0000">red</span>black'),
        (f"{ESC}34mgreen", '<span style="color:#008000">green</span>'),
        (f"{ESC}30mblack is no colour", "black is no colour"),
        (f"see {ESC}lmhttp://a.example{ESC}xlm!", "see http://a.example!"),
        ('<font face="Arial" size="14">x</font>y', "<span style=\"font-size:14pt;font-family:'Arial'\">x</span>y"),
        (
            '<FONT SIZE="8">s<font size="20">b</font>s',
            f'{SMALL}s</span><span style="font-size:20pt">b</span>{SMALL}s</span>',
        ),
        ('<font color="#00ff00">c</font>d', '<span style="color:#00ff00">c</span>d'),
        ("<b>b</b><i>i</i><u>u</u>", "<b>b</b><i>i</i><u>u</u>"),
        ("<red>r</red>n", '<span style="color:#ff0000">r</span>n'),
        ("</font></b>x", "x"),
        ("a < b, List<String>, <bob@x.example>, <3", "a &lt; b, List&lt;String&gt;, &lt;bob@x.example&gt;, &lt;3"),
        ("really <ding> this?", "really &lt;ding&gt; this?"),
        ("AT&T &lt;", "AT&amp;T &amp;lt;"),
        ("one\r\ntwo\rthree", "one<br>two<br>three"),
    ],
)  # fmt: skip
def test_reading(source: str, html: str) -> None:
    rich = from_yahoo(source)
    assert to_html(rich) == html
    assert not rich.losses


@pytest.mark.parametrize(
    ("source", "text", "lost"),
    [
        ("<FADE #ff0000,#0000ff>shine</FADE>", "shine", "<fade>"),
        ("<alt #ff0000,#0000ff>shine</alt>", "shine", "<alt>"),
        ('<snd="doorbell">ring', "ring", "<snd>"),
        (f"{ESC}77mx", "x", "the formatting code 77"),
        ('<font size="huge">x', "x", "font size 'huge'"),
        ("bell\x07 and null\x00", "bell and null", "taken out"),
    ],
)
def test_what_is_lost_is_named(source: str, text: str, lost: str) -> None:
    rich = from_yahoo(source)
    assert to_plain(rich) == text
    assert [loss.detail for loss in rich.losses] == [lost]


def test_the_info_that_effects_leave_is_no_loss() -> None:
    assert from_yahoo('<font INF ID:1 info="x">hi').losses == ()


def test_every_colour_of_the_tables() -> None:
    for code, colour in CODE_COLOURS.items():
        assert from_yahoo(f"{ESC}{code}mx").runs[0][1].color == ("" if colour == "#000000" else colour)
    for name, colour in TAG_COLOURS.items():
        assert from_yahoo(f"<{name}>x</{name}>").runs[0][1].color == ("" if colour == "#000000" else colour)


@pytest.mark.parametrize(
    "text", ["<ding>", "<b>not bold</b>", "</font>", "<fade #1,#2>x</fade>", "a<b", "<snd=x>", "<RED>"]
)
def test_what_looks_like_a_tag_is_kept_from_being_one(text: str) -> None:
    written = to_yahoo(plain(text))
    assert written != "<ding>"
    assert from_yahoo(written).runs == plain(text).runs


def test_links_are_told_behind_what_hides_them() -> None:
    rich = from_html('see <a href="http://a.example/x">here</a> and <a href="http://b.example">http://b.example</a>')
    assert to_yahoo(rich) == "see here (http://a.example/x) and http://b.example"
    assert [loss.detail for loss in losses_of(rich)] == ["a link is told behind its text"]
    assert [loss.detail for loss in losses_of(from_html('<s>x</s><span style="background-color:red">y</span>'))] == [
        "struck-out text",
        "background colours",
    ]


def test_sizes_in_words_are_written_in_points() -> None:
    for word in SIZES:
        (run,) = from_yahoo(to_yahoo(Rich((("x", Style(size=word)),)))).runs
        assert run[1].size.endswith("pt")


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12) | st.sampled_from(
    ["<b>", "<ding>", "</font>", "<", "\n", " ", "<red", "x>", "👩‍👩‍👧‍👦"]
)
colours = st.sampled_from(["", "#ff0000", "#00ff00"])
styles = st.builds(
    Style,
    color=colours,
    size=st.sampled_from(["", "10pt", "20pt"]),
    face=st.sampled_from(["", "Arial", "Comic Sans MS"]),
    bold=st.booleans(),
    italic=st.booleans(),
    underline=st.booleans(),
    href=st.just(""),
    background=st.just(""),
    strike=st.just(False),
)


def _joined(runs: list[tuple[str, Style]]) -> Rich:
    out: list[tuple[str, Style]] = []
    for text, style in runs:
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + text, style)
        else:
            out.append((text, style))
    return Rich(tuple(out))


@given(st.lists(st.tuples(texts, styles | st.just(PLAIN)), max_size=6))
def test_what_is_written_reads_back_as_the_same_runs(runs: list[tuple[str, Style]]) -> None:
    rich = _joined(runs)
    assert from_yahoo(to_yahoo(rich)).runs == rich.runs


@given(st.lists(st.tuples(texts, styles | st.just(PLAIN)), min_size=1, max_size=6), st.integers(200, 400))
def test_pieces_fit_and_join(runs: list[tuple[str, Style]], limit: int) -> None:
    rich = _joined([(text * 20, style) for text, style in runs])
    pieces = split_rich(rich, limit, utf8_cost, measured)
    assert "".join(to_plain(piece) for piece in pieces) == to_plain(rich)
    for piece in pieces:
        assert utf8_cost(to_yahoo(piece)) <= limit
        assert to_plain(from_yahoo(to_yahoo(piece))) == to_plain(piece)


fragments = st.sampled_from(["\x1b[", "1", "x2", "#ff0000", "m", "<font ", 'size="9"', ">", "</font>", "a", "<"])


@given(st.text(max_size=200) | st.lists(fragments, max_size=40).map("".join))
def test_any_text_is_read(source: str) -> None:
    rich = from_yahoo(source)
    assert all(text for text, _ in rich.runs)
    assert clean(to_plain(rich))[1] is False
