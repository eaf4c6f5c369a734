"""SIP URIs."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.memo import MAX_ENTRIES, MAX_KEY, Memo
from transports.sip.wire.uri import _MEMO, OtherUri, SipUri, escape_user, parse_uri


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


def test_all_parts() -> None:
    uri = sip("SIPS:al%69ce:pa%20ss@Example.COM:5061;Transport=tls;lr?Subject=a%20b&priority=urgent")
    assert (uri.scheme, uri.user, uri.user_decoded, uri.password) == ("sips", "al%69ce", "alice", "pa%20ss")
    assert (uri.host, uri.port, uri.aor, uri.host_port) == (
        "example.com",
        5061,
        "alice@example.com",
        "example.com:5061",
    )
    assert (uri.param("transport"), uri.has_param("lr"), uri.param("lr"), uri.has_param("x")) == (
        "tls",
        True,
        None,
        False,
    )
    assert uri.headers == (("Subject", "a%20b"), ("priority", "urgent"))
    assert str(uri) == "SIPS:al%69ce:pa%20ss@Example.COM:5061;Transport=tls;lr?Subject=a%20b&priority=urgent"


@pytest.mark.parametrize(
    ("text", "aor"),
    [
        ("sip:example.com", "example.com"),
        ("sip:f%C3%BC@SIP.example", "fü@sip.example"),
        ("sip:bob%40hotmail.example@msn.corp.example", "bob@hotmail.example@msn.corp.example"),
        ("sip:alice@example.com.:5070", "alice@example.com"),
        ("sip:a@[2001:DB8::1]:5060", "a@[2001:db8::1]"),
        ("sip:fü@example.com", "fü@example.com"),
        ("sip:#100@example.com", "#100@example.com"),
        ("sip:a@host_with_underscores", "a@host_with_underscores"),
    ],
)
def test_aor(text: str, aor: str) -> None:
    assert sip(text).aor == aor


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", "sip:@host", "sip:a@", "sip:a@b@c", "sip: a@b", "sip:a@b c", "sip:a@b\r\nX: y", "sip:a@b\x00",
        "sip:a@[::1", "sip:a@::1", "sip:a@[::1%25eth0]", "sip:a@[g::1]", "sip:a@1.2.3", "sip:a@1.2.3.256", "sip:a@h..x",
        "sip:a@-!", "sip:a@h:", "sip:a@h:99999", "sip:a@h:5o60", "sip:a@h;", "sip:a@h;;lr", "sip:a@h;=x", "sip:a@h;a=",
        "sip:a@h;a=b=c", "sip:a%4@h", "sip:a%zz@h", "sip:%ff@h", "sip:%C3@h", "sip:a\\b@h", 'sip:"a"@h', "<sip:a@h>", "sip:a@h?", "sip:a@h?a=b&",
        "1sip:a", ":a", "sip:a:b:c@h", "sip:a@\u0665", "sip:a@h:\u0665", "tel:+1 2", 'tel:"1"', f"sip:a@{'h' * 256}",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_uri(text)


@pytest.mark.parametrize(
    "text", ["tel:+1-201-555-0123;phone-context=x", "isbn:2983792873", "soap.beep://192.0.2.103:3002"]
)
def test_other_schemes_are_opaque(text: str) -> None:
    uri = parse_uri(text)
    assert isinstance(uri, OtherUri)
    assert (str(uri), uri.scheme, uri.aor) == (text, text.partition(":")[0], text)
    assert uri.equivalent(OtherUri("x", text))


# RFC 3261 section 19.1.4, its own examples, and the rules of the text.
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_equivalent(left: str, right: str) -> None:
    assert sip(left).equivalent(sip(right))
    assert sip(right).equivalent(sip(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a:b@h", "sip:a@h"),
        ("sip:a@h;maddr=1.2.3.4", "sip:a@h"),
        ("sip:a@h;user=phone", "sip:a@h"),
    ],
)
def test_not_equivalent(left: str, right: str) -> None:
    assert not sip(left).equivalent(sip(right))
    assert not sip(right).equivalent(sip(left))


def test_replace() -> None:
    uri = sip("sip:alice@example.com:5060;lr")
    assert str(uri.replace(user="bob", port=None, params=())) == "sip:bob@example.com"
    assert uri.replace() == uri
    for parts in (
        {"user": "a@b"},
        {"user": "a\r\n"},
        {"host": "a b"},
        {"host": "a;lr"},
        {"user": ""},
        {"scheme": "tel"},
    ):
        with pytest.raises(SipBuildError):
            uri.replace(**parts)  # type: ignore[arg-type]


def test_equal_texts_share_one_object_and_the_table_is_bounded() -> None:
    assert parse_uri("sip:shared@example.com") is parse_uri("sip:shared@example.com")
    for number in range(MAX_ENTRIES + 10):
        parse_uri(f"sip:{number}@example.com")
        assert len(_MEMO.table) <= MAX_ENTRIES
    long = f"sip:{'a' * MAX_KEY}@example.com"
    parse_uri(long)
    assert long not in _MEMO.table


def test_memo_empties_itself_when_full() -> None:
    memo: Memo[int] = Memo(3)
    for number in range(4):
        memo.put(str(number), number)
    assert memo.table == {"3": 3}


@given(st.text(min_size=1).filter(lambda text: all(not "\ud800" <= c <= "\udfff" for c in text)))
def test_any_user_survives_escaping(user: str) -> None:
    uri = sip(f"sip:{escape_user(user)}@example.com")
    assert uri.user_decoded == user
    assert escape_user(user).isascii()


_HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z]{2,5}){0,2}", fullmatch=True)
_WORDS = st.from_regex(r"[a-zA-Z0-9_.!~*'()-]{1,8}", fullmatch=True)


@given(
    host=_HOSTS, user=st.none() | _WORDS, port=st.none() | st.integers(0, 65535),
    params=st.lists(st.tuples(_WORDS, st.none() | _WORDS), max_size=3),
)  # fmt: skip
def test_written_and_read(host: str, user: str | None, port: int | None, params: list[tuple[str, str | None]]) -> None:
    uri = SipUri(host, user=user, port=port, params=tuple(params))
    assert parse_uri(str(uri)) == uri
    assert hash(parse_uri(str(uri))) == hash(uri)
