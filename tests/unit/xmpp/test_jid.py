r"""RFC 7247 section 6 and XEP-0106: addresses both ways, and the one normal form of a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity import AddressError, normalise
from mappings.identity.jid import escape_local, jid_of_sip, sip_of_jid, unescape_local

ROWS = [
    ("sip:f%C3%BC@sip.example", "fü@sip.example"),
    ("sip:o'malley@sip.example", r"o\27malley@sip.example"),
    ("sip:foo@sip.example;gr=bar", "foo@sip.example/bar"),
    ("sip:m&m@xmpp.example", r"m\26m@xmpp.example"),
    ("sip:tsch%C3%BCss@xmpp.example", "tschüss@xmpp.example"),
    ("sip:baz@xmpp.example;gr=qux", "baz@xmpp.example/qux"),
    ("sip:a%40b@d.example", r"a\40b@d.example"),
]


@pytest.mark.parametrize(("uri", "jid"), ROWS)
def test_rows(uri: str, jid: str) -> None:
    assert jid_of_sip(uri) == jid
    assert sip_of_jid(jid) == uri


@pytest.mark.parametrize("uri", ["sips:alice@sip.example", "tel:+123", "sip:sip.example", "sip:%ff@sip.example"])
def test_what_is_not_translated(uri: str) -> None:
    with pytest.raises(AddressError):
        jid_of_sip(uri)


ESCAPES = [
    ("space cadet", r"space\20cadet"), ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
    ("at&t guy", r"at\26t\20guy"), ("d'artagnan", r"d\27artagnan"), ("/.fanboy", r"\2f.fanboy"),
    ("::foo::", r"\3a\3afoo\3a\3a"), ("<foo>", r"\3cfoo\3e"), ("user@host", r"user\40host"), (r"c:\net", r"c\3a\net"),
    (r"c:\5commas", r"c\3a\5c5commas"), (r"c:\3and\2is\5", r"c\3a\5c3and\2is\5"),
]  # fmt: skip


@pytest.mark.parametrize(("plain", "escaped"), ESCAPES)
def test_escapes_of_xep_0106(plain: str, escaped: str) -> None:
    assert escape_local(plain) == escaped
    assert unescape_local(escaped) == plain


@given(st.text(alphabet=st.sampled_from("ab 2570cef\\\"&'/:<>@"), max_size=20))
def test_escaping_is_undone(text: str) -> None:
    assert unescape_local(escape_local(text)) == text


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("Romeo@Example.NET", "romeo@example.net"),
        ("romeo@example.net/balcony", "romeo@example.net"),
        ("romeo@example.net/a@b", "romeo@example.net"),
        ("o'malley@sip.example", r"o\27malley@sip.example"),
        (r"o\27malley@sip.example", r"o\27malley@sip.example"),
        ("bob@hotmail.example@xmpp.example", r"bob\40hotmail.example@xmpp.example"),
        ("fü@bücher.example", "fü@bücher.example"),
        ("fu\u0308@x.example", "fü@x.example"),
    ],
)
def test_normal_form(typed: str, normal: str) -> None:
    assert normalise("xmpp", typed) == normal
    assert normalise("xmpp", normal) == normal


@pytest.mark.parametrize(
    "name",
    ["romeo", "@x.example", "romeo@", "romeo@-x.example", "romeo@x..example", "rom\u0435o@x.example",
     "ro\u200bmeo@x.example",
     "romeo\x00@x.example", "a" * 300 + "@x.example", "romeo@x.example" + "a" * 600],
)  # fmt: skip
def test_no_name(name: str) -> None:
    with pytest.raises(AddressError):
        normalise("xmpp", name)
