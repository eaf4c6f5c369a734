import time

import pytest

from bridge.model.body import TextPart
from mappings.elements import BLOCKS, DROPPED, FACES, FLAGS, KNOWN, RESIZED
from mappings.richtext import (
    MAX_SOURCE,
    escape,
    from_html,
    from_part,
    plain,
    split_rich,
    to_aim,
    to_html,
    to_part,
    to_plain,
)
from mappings.style import COLOURS, PLAIN, SIZES, Style, colour, css_changes, face, font_size, link, points
from mappings.text import utf8_cost


@pytest.mark.parametrize(
    ("source", "text", "html"),
    [
        ("hello", "hello", None),
        ('<HTML><BODY BGCOLOR="#ffffff"><FONT LANG="0">hello</FONT></BODY></HTML>', "hello", None),
        ("<HTML>\n<BODY>\nhello</BODY></HTML>", "hello", None),
        ("a<br>b<BR/>c", "a\nb\nc", None),
        ("a<br>\nb", "a\nb", None),
        ("a\r\nb", "a\nb", None),
        ("\nhello", "\nhello", None),
        ("a<br><br>b", "a\n\nb", None),
        ("<p>a</p>\n<p>b</p>", "a\n\nb", None),
        ("a<p>b", "a\n\nb", None),
        ("a<br><p>b", "a\n\nb", None),
        ("<div>a</div><div>b</div>c", "a\nb\nc", None),
        ("<ul><li>a<li>b</ul>", "\u2022 a\n\u2022 b", None),
        ("<table><tr><td>1<td>2<tr><td>3</table>x", "1\t2\n3\nx", None),
        ("a&nbsp; b  c", "a  b  c", None),
        (" x ", " x ", None),
        ("1 < 2 && 3 > 2 <3", "1 < 2 && 3 > 2 <3", None),
        ("vector<int> a; <T>", "vector<int> a; <T>", None),
        ("mail <bob@x.example>", "mail <bob@x.example>", None),
        ("&lt;b&gt;bold?&lt;/b&gt;", "<b>bold?</b>", None),
        ("<b>a</b>b", "ab", "<b>a</b>b"),
        ("<STRONG>a</STRONG><em>b</em>", "ab", "<b>a</b><i>b</i>"),
        ("<b>a<i>b</b>c</i>d", "abcd", "<b>a<i>b</i></b><i>c</i>d"),
        ("<b>open", "open", "<b>open</b>"),
        ("</b>closed</i>", "closed", None),
        ("<b><b>a</b>b</b>c", "abc", "<b>ab</b>c"),
        ("<u>a</u><s>b</s><strike>c</strike>", "abc", "<u>a</u><s>bc</s>"),
        ('<FONT COLOR="#FF0000">r</FONT>', "r", '<span style="color:#ff0000">r</span>'),
        ("<font color=red size=5 face='Arial, sans'>r</font>", "r",
         "<span style=\"color:#ff0000;font-size:x-large;font-family:'Arial'\">r</span>"),
        ("<font ptsize=12 back=#00f>r</font>", "r", '<span style="background-color:#0000ff;font-size:12pt">r</span>'),
        ('<span style="font-weight:bold; color: #0f0">g</span>', "g", '<span style="color:#00ff00"><b>g</b></span>'),
        ("<big>a</big><small>b</small>", "ab",
         '<span style="font-size:large">a</span><span style="font-size:small">b</span>'),
        ("<h1>T</h1>x", "T\n\nx", "<b>T</b><br><br>x"),
        ("<code>x</code>", "x", "<span style=\"font-family:'monospace'\">x</span>"),
        ('<a href="http://a.example/">here</a>!', "here (http://a.example/)!", '<a href="http://a.example/">here</a>!'),
        ('<A HREF="http://a.example/x">http://a.example/x</A>', "http://a.example/x",
         '<a href="http://a.example/x">http://a.example/x</a>'),
        ('<a href="http://a.example/">a.example</a>', "a.example", '<a href="http://a.example/">a.example</a>'),
        ('<a href="mailto:bob@a.example">bob@a.example</a>', "bob@a.example",
         '<a href="mailto:bob@a.example">bob@a.example</a>'),
        ('<a href="http://evil.example">http://bank.example</a>', "http://bank.example (http://evil.example)",
         '<a href="http://evil.example">http://bank.example</a>'),
        ('<a href="www.a.example">www.a.example</a>', "www.a.example",
         '<a href="http://www.a.example">www.a.example</a>'),
        ('<a href="http://a.example"><b>b</b>c</a>', "bc (http://a.example)",
         '<a href="http://a.example"><b>b</b>c</a>'),
        ('<a href="http://a.example/?a=1&amp;b=&quot;">x</a>', 'x (http://a.example/?a=1&b=")',
         '<a href="http://a.example/?a=1&amp;b=&quot;">x</a>'),
        ("<a name=x>x</a>", "x", None),
        (('<HTML><BODY ichatballooncolor="#ACB5BF" ichattextcolor="#000000"><FONT face="Lucida Grande" ABSZ=12 '
         'color="#000000">hi</FONT></BODY></HTML>'), "hi",
         "<span style=\"color:#000000;font-size:12pt;font-family:'Lucida Grande'\">hi</span>"),
        ('<HTML><BODY dir="ltr"><FONT face="Arial" color="#000000" size="2">a<BR>b</FONT></BODY></HTML>', "a\nb",
         "<span style=\"color:#000000;font-size:small;font-family:'Arial'\">a<br>b</span>"),
        ("caf\u00e9 \U0001f600 &#x1F600;", "caf\u00e9 \U0001f600 \U0001f600", None),
        ("", "", None),
    ],
)  # fmt: skip
def test_html_in(source: str, text: str, html: str | None) -> None:
    rich = from_html(source)
    part = to_part(rich)
    assert part.text == text
    assert part.html == html
    assert rich.losses == ()
    assert from_html(to_html(rich)).runs == rich.runs
    assert from_html(to_aim(rich)).runs == rich.runs
    assert from_part(part).runs == rich.runs


@pytest.mark.parametrize(
    ("source", "text", "feature", "detail"),
    [
        ("a<script>alert(1)</script>b", "ab", "html", "<script>"),
        ("a<style>b{}</style>c", "ac", "html", "<style>"),
        ("<img src=x alt=':-)'>", ":-)", "image", ":-)"),
        ("<IMG ID=1>", "[image]", "image", "an image"),
        ("a<hr>b", "a\nb", "html", "<hr>"),
        ("x<sup>2</sup>", "x2", "html", "<sup>"),
        ("<o:p>x</o:p>", "x", "html", "<o:p>"),
        ('<a href="javascript:alert(1)">x</a>', "x", "html", "javascript"),
        ('<a href="data:text/html,x">x</a>', "x", "html", "data:"),
        ("<font color=bogus>x</font>", "x", "html", "font color"),
        ('<span style="position:fixed">x</span>', "x", "html", "style position"),
        ("a\x07b\x00", "ab", "control-characters", "taken out"),
        ("a\ud800b", "a\ufffdb", "control-characters", "taken out"),
        ("<b>" * 100 + "x", "x", "html", "deeper"),
        ("x" * (MAX_SOURCE + 1), "x" * MAX_SOURCE, "length", "all after"),
    ],
)
def test_losses_are_told(source: str, text: str, feature: str, detail: str) -> None:
    rich = from_html(source)
    assert to_plain(rich) == text
    assert any(loss.feature == feature and detail in loss.detail for loss in rich.losses)


def test_losses_are_bounded() -> None:
    assert len(from_html("".join(f"<x-{number}>" for number in range(1000))).losses) == 16


@pytest.mark.parametrize(("name", "field"), FLAGS.items())
def test_every_flag_element(name: str, field: str) -> None:
    assert from_html(f"<{name}>x</{name}>").runs == (("x", PLAIN._replace(**{field: True})),)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted({*FACES, *RESIZED}))
def test_every_restyling_element(name: str) -> None:
    style = Style(face=FACES[name]) if name in FACES else Style(size=RESIZED[name])
    assert from_html(f"<{name}>x</{name}>").runs == (("x", style),)


@pytest.mark.parametrize(("name", "breaks"), BLOCKS.items())
def test_every_block(name: str, breaks: int) -> None:
    text = to_plain(from_html(f"a<{name}>b</{name}>c")).replace("\u2022 ", "")
    assert text == f"a{chr(10) * breaks}b{chr(10) * breaks}c"


@pytest.mark.parametrize("name", sorted(DROPPED))
def test_every_dropped_element_is_told_and_its_text_kept(name: str) -> None:
    rich = from_html(f"<{name}>x")
    assert to_plain(rich) == "x"
    assert rich.losses


@pytest.mark.parametrize("name", sorted(KNOWN - DROPPED - BLOCKS.keys() - {"br", "img"}))
def test_every_other_known_element_is_no_text(name: str) -> None:
    assert to_plain(from_html(f"<{name}>x</{name}>")) == "x"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a", "a"),
        ("a b", "a b"),
        ("a  b", "a &nbsp;b"),
        ("a   b", "a &nbsp; b"),
        (" a ", "&nbsp;a&nbsp;"),
        ("a\n b\n", "a<br>&nbsp;b<br>"),
        ("a \nb", "a&nbsp;<br>b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("&nbsp;", "&amp;nbsp;"),
        ("\u00a0", "\u00a0"),
        (" ", "&nbsp;"),
        ("", ""),
    ],
)
def test_escape(text: str, html: str) -> None:
    assert escape(text) == html
    assert to_plain(from_html(html)) == text


def test_aims_dialect() -> None:
    source = '<a href="http://a.example"><font color=red back=blue size=1 face=Arial><b>x</b></font></a>'
    rich = from_html(source)
    assert to_aim(rich) == (
        '<A HREF="http://a.example"><FONT COLOR="#ff0000" BACK="#0000ff" SIZE=1 FACE="Arial"><b>x</b></FONT></A>'
    )


def test_html_that_says_something_else_than_the_text_is_not_believed() -> None:
    redacted = TextPart(text="the [redacted] project", html="the <b>falcon</b> project")
    rich = from_part(redacted)
    assert to_plain(rich) == "the [redacted] project"
    assert "falcon" not in to_aim(rich)
    assert rich.losses[0].feature == "html"


def test_split_rich_keeps_style_and_text() -> None:
    rich = from_html("<b>" + "bold " * 20 + "</b>" + "plain " * 20 + '<a href="http://a.example">link text</a>')
    pieces = split_rich(rich, 80, utf8_cost, to_aim)
    assert len(pieces) > 3
    assert all(len(to_aim(piece)) <= 80 for piece in pieces)
    assert "".join(text for piece in pieces for text, _ in piece.runs) == "".join(text for text, _ in rich.runs)
    assert pieces[0].runs[0][1].bold


def test_a_style_whose_tags_do_not_fit_is_left_out_and_told() -> None:
    rich = from_html(f'<a href="http://a.example/{"x" * 200}">here</a>' + "y" * 200)
    pieces = split_rich(rich, 60, utf8_cost, to_aim)
    assert all(len(to_aim(piece)) <= 60 for piece in pieces)
    assert any("do not fit" in loss.detail for loss in pieces[0].losses)


def test_plain_tells_of_controls() -> None:
    assert plain("a\x00b").losses
    assert plain("a\nb").losses == ()
    assert plain("").runs == ()


@pytest.mark.parametrize(("name", "value"), COLOURS.items())
def test_colour_names(name: str, value: str) -> None:
    assert colour(f" {name.upper()} ") == value
    assert colour(value) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("#abc", "#aabbcc"), ("#ABCDEF", "#abcdef"), ("ff0000", "#ff0000"), ("abc", None), ("#12345", None), ("", None),
     ("red;x:y", None), ("rgb(1,2,3)", None)],
)  # fmt: skip
def test_colours(text: str, value: str | None) -> None:
    assert colour(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [*((str(number), SIZES[number - 1]) for number in range(1, 8)), ("0", SIZES[0]), ("9", SIZES[6]), ("+1", SIZES[3]),
     ("-1", SIZES[1]), ("+99", SIZES[6]), ("x", None), ("", None), ("3em", None), ("\u0663", None)],
)  # fmt: skip
def test_font_sizes(text: str, value: str | None) -> None:
    assert font_size(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("12", "12pt"), ("12pt", "12pt"), ("07", "7pt"), ("0", None), ("100", None), ("x", None)]
)
def test_points(text: str, value: str | None) -> None:
    assert points(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("Arial", "Arial"), ("'Times New Roman', serif", "Times New Roman"), ("a;b", None), ("", None), ("a" * 65, None)],
)
def test_faces(text: str, value: str | None) -> None:
    assert face(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("HTTP://A.example/", "http://A.example/"),
        ("www.a.example", "http://www.a.example"),
        (" http://a.example/a\n b", "http://a.example/ab"),
        ("sip:bob@a.example", "sip:bob@a.example"),
        ("javascript:alert(1)", None),
        ("JaVa\tScript:alert(1)", None),
        ("vbscript:x", None),
        ("data:x", None),
        ("file:///etc/passwd", None),
        ("http:", None),
        ("http://", None),
        ("/relative", None),
        ("", None),
        ("http://a.example/\u202e", None),
        ("http://" + "a" * 2050, None),
    ],
)
def test_links(text: str, value: str | None) -> None:
    assert link(text) == value


def test_css() -> None:
    changes, lost = css_changes(
        "font-weight:700;font-style:oblique;text-decoration:underline line-through;font-size:13pt;"
        "font-family:Arial;background:#fff;margin:0;;x"
    )
    assert changes == {
        "bold": True, "italic": True, "underline": True, "strike": True, "size": "13pt", "face": "Arial",
        "background": "#ffffff",
    }  # fmt: skip
    assert lost == ["margin"]
    assert css_changes("font-weight:normal")[0] == {"bold": False}


def test_words_fill_the_pieces_that_they_are_cut_into() -> None:
    pieces = split_rich(plain("word " * 2000), 1000, utf8_cost, to_aim)
    assert len(pieces) <= 11
    several = split_rich(plain("w   " * 2000), 1000, utf8_cost, to_aim)
    assert all(len(to_aim(piece)) <= 1000 for piece in several)
    assert "".join(to_plain(piece) for piece in several) == "w   " * 2000


@pytest.mark.parametrize(
    "source",
    [
        "<b>" * 20_000,
        "<i>" * 64 + "</b>" * 16_000,
        "<b><i><u><s><em><code><tt><big><small><ins><del><cite>" + "</b><b></i><i></u><u></s><s>" * 2000,
        "<p>" * 20_000 + "x",
        "a<br>" * 12_000,
        "<a href=http://a.example>" * 2500 + "x",
        "<font color=red>x</font>" * 2700,
        "&nbsp;" * 10_000 + "\n " * 10_000,
        "<li><td><tr>" * 5000,
        "".join(f"<font color=#{number:06x}>x" for number in range(3000)),
    ],
    ids=range(10),
)
def test_hostile_html_costs_little(source: str) -> None:
    started = time.process_time()
    rich = from_html(source)
    part = to_part(rich)
    from_part(part)
    split_rich(rich, 2000, utf8_cost, to_aim)
    assert time.process_time() - started < 3
