import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.markup import Hidden, Tag, Token, decode_entities, tokens


def tag(name: str, source: str, closing: bool = False, **attributes: str) -> Tag:
    return Tag(name, closing, attributes, source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("text", ["text"]),
        ("<b>x</B >", [tag("b", "<b>"), "x", tag("b", "</B >", True)]),
        ("<BR/>", [tag("br", "<BR/>")]),
        ("<br / >", [tag("br", "<br / >")]),
        ("<a HREF=x>", [tag("a", "<a HREF=x>", href="x")]),
        ("<a href='x y'>", [tag("a", "<a href='x y'>", href="x y")]),
        ('<a href = "a>b">', [tag("a", '<a href = "a>b">', href="a>b")]),
        ('<a href="?a=1&amp;b=2&copy=3">', [tag("a", '<a href="?a=1&amp;b=2&copy=3">', href="?a=1&b=2&copy=3")]),
        ("<a href=x href=y>", [tag("a", "<a href=x href=y>", href="x")]),
        ("<FONT SIZE=3 nowrap>", [tag("font", "<FONT SIZE=3 nowrap>", size="3", nowrap="")]),
        ("<o:p></o:p>", [tag("o:p", "<o:p>"), tag("o:p", "</o:p>", True)]),
        ("a <3 b </3 < > <", ["a <3 b </3 < > <"]),
        ("<bob@x.example> <http://a.example/>", ["<bob@x.example> <http://a.example/>"]),
        ("<b", ["<b"]),
        ('<a href="x', ['<a href="x']),
        ("<a <b>x", ["<a ", tag("b", "<b>"), "x"]),
        ("x<!-- <b>no</b> -->y", ["x", Hidden("comment"), "y"]),
        ("x<!-- no end", ["x<!-- no end"]),
        ("<!DOCTYPE html>x", [Hidden("comment"), "x"]),
        ("<?xml version='1.0'?>x", [Hidden("comment"), "x"]),
        ("<!?!>", ["<!?!>"]),
        ("<script>a<b</script >x", [Hidden("script"), "x"]),
        ("<SCRIPT>a</ScRiPt>x", [Hidden("script"), "x"]),
        ("<style>b{}</style>x", [Hidden("style"), "x"]),
        ("<title>t</title>x", [Hidden("title"), "x"]),
        ("<script>said", [tag("script", "<script>"), "said"]),
        ("&lt;b&gt;", ["<b>"]),
    ],
)
def test_tokens(source: str, expected: list[Token]) -> None:
    assert list(tokens(source)) == expected


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&amp;&lt;&gt;&quot;&apos;&#39;&#x27;", "&<>\"'''"),
        ("&nbsp;|&#160;|&#xA0;|\u00a0", " | | |\u00a0"),
        ("AT&T, ?a=1&copy=2, &copy;", "AT&T, ?a=1&copy=2, \u00a9"),
        ("&hellip;&euro;&Auml;&auml;", "\u2026\u20ac\u00c4\u00e4"),
        ("&#8364;&#x1F600;", "\u20ac\U0001f600"),
        ("&#128;&#150;", "\u20ac\u2013"),  # Windows clients write their own code page
        ("&#0;", "\ufffd"),
        ("a&#13;&#10;b&#9;c&#7;d&#127;e&#129;f", "a\nb\tcdef"),
        ("&#xD800;&#1114112;", "\ufffd\ufffd"),
        ("&bogus; &; &#; &#x; &#xzz; &#-1; &#+1;", "&bogus; &; &#; &#x; &#xzz; &#-1; &#+1;"),
        ("&amp;lt;", "&lt;"),
        ("&&amp;&", "&&&"),
        ("&#99999999999999999999;", "&#99999999999999999999;"),
    ],
)
def test_entities(source: str, text: str) -> None:
    assert decode_entities(source) == text


class _Oracle(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(("<", tag, *(f"{name}={value or ''}" for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((">", tag))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "text":
            self.found[-1] = ("text", self.found[-1][1] + data)
        else:
            self.found.append(("text", data))


_NAMES = st.sampled_from(["b", "i", "font", "a", "p", "div", "h1"])
_VALUES = st.text("abc &;#<>='/\u00e9", max_size=8).filter(lambda text: "&" not in text)
_ATTRIBUTES = st.dictionaries(st.sampled_from(["href", "size", "x-y", "face"]), _VALUES, max_size=3)
_OPEN = st.builds(
    lambda name, attributes: f"<{name}" + "".join(f' {key}="{value}"' for key, value in attributes.items()) + ">",
    _NAMES,
    _ATTRIBUTES,
)
_WELL_FORMED = st.lists(
    _OPEN | _NAMES.map("</{}>".format) | st.text("ab c\n\u00e9>", min_size=1, max_size=5) | st.just("&lt;&amp;"),
    max_size=12,
).map("".join)


@given(_WELL_FORMED)
def test_agrees_with_the_standard_library_on_well_formed_html(source: str) -> None:
    oracle = _Oracle()
    oracle.feed(source)
    oracle.close()
    ours: list[tuple[str, ...]] = []
    for token in tokens(source):
        if isinstance(token, str):
            ours.append(("text", token))
        elif isinstance(token, Tag):
            attributes = [f"{name}={value}" for name, value in token.attributes.items()]
            ours.append((">", token.name) if token.closing else ("<", token.name, *attributes))
    assert ours == oracle.found


@given(st.text("<>/!-&;#ab=\"' \nscript", max_size=120) | st.text(max_size=80))
def test_never_fails_and_tags_say_their_source(source: str) -> None:
    for token in tokens(source):
        if isinstance(token, Tag):
            assert token.source in source
            assert token.name == token.name.lower()


@pytest.mark.parametrize(
    "unit",
    [
        "<!--", "<a ", '<a x="', "</a", "<![CDATA[", "&", "&#x", "<", "<script>", "<script", "</script", "<?", "<?a",
        "<a a=a=a ", "<a x=\"<a y='", "<a x=\"'<a y='\"", "<script></script ", "<!a", "<a " + "b " * 2000, "&a;", "<b>",
        "<a\n", "<a x=" + '"' * 50, "<a" + " b" * 31, "<title><style>", "<a       ", "<a =",
    ],
)  # fmt: skip
def test_hostile_input_costs_linear_time(unit: str) -> None:
    source = unit * (262_144 // len(unit))
    started = time.process_time()
    for _ in tokens(source):
        pass
    assert time.process_time() - started < 2
