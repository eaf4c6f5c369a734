"""Digest: the examples of the RFCs, and what clients do otherwise."""

from __future__ import annotations

import pytest

from transports.sip.wire.auth import ALGORITHMS, Challenge, Credentials, answer, ha1, parse_challenges, response
from transports.sip.wire.errors import SipBuildError, SipSyntaxError


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("sha-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_example(algorithm: str, value: str) -> None:
    """RFC 7616 section 3.9.1."""
    secret = ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
    got = response(
        secret, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "/dir/index.html", "GET", algorithm,
        qop="auth", nc="00000001", cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )  # fmt: skip
    assert got == value


def test_rfc_2617_example() -> None:
    """RFC 2617 section 3.5, and its form without qop by its own formula (RFC 2069 2.1.2)."""
    secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    assert secret == "939e7578ed9e3c518a452acee763bce9"
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    got = response(secret, nonce, "/dir/index.html", "GET", qop="auth", nc="00000001", cnonce="0a4f113b")
    assert got == "6629fae49393a05397450978507c4ef1"
    assert response(secret, nonce, "/dir/index.html", "GET") == "670fd8c2df070c60b045671b8b24ff02"


def test_sha_512_256_is_its_own_function() -> None:
    """RFC 7616 3.9.2 has user names in hashed form; here the function is checked against FIPS 180-4's vector."""
    from transports.sip.wire.auth import _DIGESTS

    assert _DIGESTS["SHA-512-256"](b"abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    assert ALGORITHMS == ("SHA-512-256", "SHA-256", "MD5")


def test_session_and_integrity() -> None:
    secret = ha1("u", "r", "p")
    plain = response(secret, "n", "sip:a", "INVITE", qop="auth", nc="00000001", cnonce="c")
    assert response(secret, "n", "sip:a", "INVITE", "MD5-sess", qop="auth", nc="00000001", cnonce="c") != plain
    one, two = (
        response(secret, "n", "sip:a", "INVITE", qop="auth-int", nc="00000001", cnonce="c", body=body)
        for body in (b"1", b"2")
    )
    assert len({plain, one, two}) == 3
    with pytest.raises(SipSyntaxError):
        response(secret, "n", "sip:a", "INVITE", qop="x")
    with pytest.raises(SipSyntaxError):
        ha1("u", "r", "p", "MD4")


def test_challenge_as_text() -> None:
    value = Challenge(realm='corp "x"', nonce="n1", algorithm="SHA-256", qop=("auth",), opaque="o", stale=True)
    assert (
        str(value) == 'Digest realm="corp \\"x\\"", nonce="n1", opaque="o", stale=true, algorithm=SHA-256, qop="auth"'
    )
    assert Challenge.parse(str(value)) == value
    assert Challenge.parse("Basic realm=x") is None
    assert parse_challenges(["Basic realm=x", 'Digest realm="r", nonce="n"', str(value)]) == [
        Challenge(realm="r", nonce="n", qop=()),
        value,
    ]
    for text in ('Digest realm="r"', "Digest nonce=n"):
        with pytest.raises(SipSyntaxError):
            Challenge.parse(text)
    for bad in (Challenge(realm="a\r\nb", nonce="n"), Challenge(realm="r", nonce="n", algorithm="a b")):
        with pytest.raises(SipBuildError):
            str(bad)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess"])
@pytest.mark.parametrize("qop", [("auth",), ("auth", "auth-int"), ("auth-int",), ()])
def test_answers_are_what_is_expected(algorithm: str, qop: tuple[str, ...]) -> None:
    challenge = Challenge(realm="r", nonce="n", algorithm=algorithm, qop=qop, opaque="o")
    if algorithm == "MD5-sess" and not qop:
        return  # RFC 7616 wants qop with it
    secret = ha1("alice", "r", "pw", algorithm)
    credentials = answer(
        challenge, username="alice", ha1=secret, method="MESSAGE", uri="sip:b", cnonce="c", count=26, body=b"hi"
    )
    again = Credentials.parse(str(credentials))
    assert again == credentials
    assert again.expected(secret, "MESSAGE", body=b"hi") == again.response
    assert again.expected(secret, "REGISTER", body=b"hi") != again.response
    assert (again.expected(secret, "MESSAGE", body=b"ho") == again.response) is (qop != ("auth-int",))
    assert again.nonce_count == (26 if qop else None)


def test_answer_needs_a_qop_that_we_speak() -> None:
    with pytest.raises(SipBuildError):
        answer(Challenge(realm="r", nonce="n", qop=("x",)), username="a", ha1="", method="M", uri="u", cnonce="c")


def test_libpurple_quotes_nc_and_linphone_puts_two_blanks() -> None:
    text = 'Digest  username="bob", realm="r", nonce="n", uri="sip:r", nc="00000001", response="83523E9A"'
    value = Credentials.parse(text)
    assert value is not None
    assert (value.qop, value.cnonce, value.nc, value.nonce_count, value.response) == (
        None,
        "",
        "00000001",
        1,
        "83523e9a",
    )


@pytest.mark.parametrize(
    "text",
    ['Digest username="a"', 'Digest username="a",realm="r",nonce="n",uri="u",response="x",qop=auth', "Digest a"],
)
def test_bad_credentials(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Credentials.parse(text)


@pytest.mark.parametrize("nc", ["1", "0000000g", "000000001", "-0000001"])
def test_bad_nonce_counts(nc: str) -> None:
    value = Credentials(username="a", realm="r", nonce="n", uri="u", response="x", nc=nc)
    with pytest.raises(SipSyntaxError):
        _ = value.nonce_count


def test_other_schemes_are_no_credentials() -> None:
    assert Credentials.parse("NoOneKnowsThisScheme opaque-data=here") is None
