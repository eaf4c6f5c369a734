"""What a sign-on is proved with: answers that a real server took, and MD5-crypt as OpenSSL has it."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import md5
from pathlib import Path

import pytest

from transports.ymsg.wire.challenge import Answers, answers, kind, y64
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.md5crypt import md5crypt
from transports.ymsg.wire.token import (
    Cookies,
    Refused,
    answer_pairs,
    cookies_url,
    read_cookies,
    read_token,
    response,
    token_url,
)

TAKEN = [
    line.split()
    for line in (Path(__file__).parents[2] / "wire/ymsg/escargot-challenges.txt").read_text().splitlines()
    if not line.startswith("--")
]


def test_all_five_kinds_were_taken() -> None:
    assert {int(row[0]) for row in TAKEN} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("row", TAKEN, ids=lambda row: row[3])
def test_answers_that_a_real_server_took(row: list[str]) -> None:
    which, name, password, challenge, plain, crypted = row
    assert kind(challenge.encode()) == int(which)
    assert answers(name, password, challenge.encode()) == Answers(plain.encode(), crypted.encode())


@pytest.mark.parametrize(
    ("password", "salt", "hashed"),
    [
        ("", "_2S43d5f", "$1$_2S43d5f$iPqEy9jfn2CpKVOs9WGE70"),
        ("secret", "_2S43d5f", "$1$_2S43d5f$TP0X/xQfbJsulWCAryrua0"),
        ("pässwörd", "abc", "$1$abc$va.mDh.xD0xaCpxxh9akd0"),
        ("x" * 100, "12345678", "$1$12345678$/5NxtAT.Xg3Y9ShvNINWT1"),
    ],
)
def test_md5_crypt_as_openssl_has_it(password: str, salt: str, hashed: str) -> None:
    program = shutil.which("openssl")
    if program is not None:
        command = [program, "passwd", "-1", "-salt", salt, "-stdin"]
        done = subprocess.run(command, input=password.encode() + b"\n", capture_output=True, check=True)
        assert done.stdout.strip().decode() == hashed
    assert md5crypt(password.encode(), salt.encode()).decode() == hashed
    assert md5crypt(password.encode(), f"$1${salt}$".encode()).decode() == hashed


def test_y64() -> None:
    assert y64(b"\xfb\xef\xbe") == b"...."
    assert y64(b"\xff\xff\xff") == b"____"
    assert y64(b"\x00") == b"AA--"


def test_what_cannot_be_answered() -> None:
    with pytest.raises(YmsgSyntaxError, match="at least 16"):
        answers("me", "secret", b"short")
    with pytest.raises(YmsgSyntaxError, match="surrogate"):
        answers("me", "\ud800", b"x" * 24)


# Tokens


def test_a_token_is_asked_for_and_read() -> None:
    url = token_url("https://login.test/config", "me", "p&ss wörd", "ch+l")
    assert url == ("https://login.test/config/pwtoken_get?src=ymsgr&ts=&login=me&passwd=p%26ss%20w%C3%B6rd&chal=ch%2Bl")
    assert read_token("0\r\nymsgr=ABC\r\npartnerid=X\r\n") == "ABC"
    assert read_token("1212\r\n") == Refused(code=1212)
    assert cookies_url("https://login.test/config/", "A/B").endswith("/config/pwtoken_login?src=ymsgr&ts=&token=A%2FB")
    cookies = read_cookies("0\r\ncrumb=CR\r\nY=v=1&n=2; path=/\r\nT=z=3\r\ncookievalidfor=86400")
    assert cookies == Cookies(crumb="CR", y="v=1&n=2; path=/", t="z=3")
    assert response(Cookies(crumb="CR", y="", t=""), "ch") == y64(md5(b"CRch").digest())
    assert dict(answer_pairs("me", cookies, "ch", "9.0"))[278] == b"z=3"


@pytest.mark.parametrize("body", ["", "<html>", "0\r\nnothing", "0", "9999999\r\n"])
def test_answers_that_are_none(body: str) -> None:
    for read in (read_token, read_cookies):
        with pytest.raises(YmsgSyntaxError):
            read(body)
