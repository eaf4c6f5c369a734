"""The sign-on of versions 15 and 16: a token and cookies from a web server, and a hash of what came with them.

Two requests are made over HTTPS. The first shows name and password and gets a token; the second shows the token and
gets two cookies and a *crumb*. The answer to the challenge is MD5 of crumb and challenge.
"""

from __future__ import annotations

from hashlib import md5
from urllib.parse import quote

from attrs import frozen

from transports.ymsg.wire.challenge import y64
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.packet import Pair, pairs_of

MAX_ANSWER = 65_536
"""Bytes of an answer that are read."""
_TOKEN = "ymsgr="  # noqa: S105 - what stands in front of one


@frozen(kw_only=True)
class Refused:
    """The web server refuses, with a number (`codes.SIGN_ON_ERRORS`)."""

    code: int


@frozen(kw_only=True)
class Cookies:
    """What the second request gets."""

    crumb: str
    y: str
    t: str


def token_url(base: str, name: str, password: str, challenge: str) -> str:
    """Where the first request goes. ``base`` ends at the path that holds both services."""
    shown = f"login={_quoted(name)}&passwd={_quoted(password)}&chal={_quoted(challenge)}"
    return f"{base.rstrip('/')}/pwtoken_get?src=ymsgr&ts=&{shown}"


def cookies_url(base: str, token: str) -> str:
    """Where the second request goes."""
    return f"{base.rstrip('/')}/pwtoken_login?src=ymsgr&ts=&token={_quoted(token)}"


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def read_token(body: str) -> str | Refused:
    """The token of the first answer; raises `YmsgSyntaxError` where it is none."""
    lines = [line.strip() for line in body.strip().splitlines()]
    code = _code(lines)
    if code:
        return Refused(code=code)
    token = next((line.removeprefix(_TOKEN) for line in lines if line.startswith(_TOKEN)), "")
    if not token:
        raise YmsgSyntaxError("the token server's answer: no token")
    return token


def read_cookies(body: str) -> Cookies | Refused:
    """The cookies of the second answer; raises `YmsgSyntaxError` where one is missing."""
    lines = [line.strip() for line in body.strip().splitlines()]
    code = _code(lines)
    if code:
        return Refused(code=code)
    values = dict(line.partition("=")[::2] for line in lines)
    try:
        return Cookies(crumb=values["crumb"], y=values["Y"], t=values["T"])
    except KeyError as missing:
        raise YmsgSyntaxError(f"the token server's answer: no {missing.args[0]}") from missing


def _code(lines: list[str]) -> int:
    first = lines[0] if lines else ""
    if not (first.isascii() and first.isdigit() and len(first) <= 6):
        raise YmsgSyntaxError("the token server's answer does not begin with a number")
    return int(first)


def response(cookies: Cookies, challenge: str) -> bytes:
    """The answer to a challenge (key 307)."""
    return y64(md5((cookies.crumb + challenge).encode("utf-8", "replace")).digest())


def answer_pairs(name: str, cookies: Cookies, challenge: str, version: str) -> tuple[Pair, ...]:
    """What 0x54 holds; raises `YmsgSyntaxError` where a text holds half of a surrogate pair."""
    return pairs_of(
        (1, name),
        (0, name),
        (277, cookies.y),
        (278, cookies.t),
        (307, response(cookies, challenge)),
        (244, "4194239"),
        (2, name),
        (2, "1"),
        (98, "us"),
        (135, version),
    )
