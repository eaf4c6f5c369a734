"""Addresses and what Digest is checked with."""

import pickle

import pytest
from attrs import asdict, evolve

from bridge.identity import accounts
from bridge.identity.accounts import (
    Account,
    Algorithm,
    Ha1,
    LoginForm,
    domain_of,
    ha1,
    ha1s,
    normal_address,
    user_of,
)
from bridge.identity.errors import AddressRefused, PasswordRefused
from bridge.identity.secret import Secret
from tests.unit.identity.given import ALICE


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("alice@corp.example", "alice@corp.example"),
        ("Alice@Corp.Example.", "alice@corp.example"),
        (" sip:ALICE@corp.example ", "alice@corp.example"),
        ("sips:alice@corp.example", "alice@corp.example"),
        ("+49-30.12(3)@10.0.0.1", "+49-30.12(3)@10.0.0.1"),
        ("alice@[2001:DB8::1]", "alice@[2001:db8::1]"),
        ("Zoë@corp.example", "zoë@corp.example"),
        ("Zoe\u0308@corp.example", "zoë@corp.example"),
        ("ａｌｉｃｅ@corp.example", "alice@corp.example"),
        ("ЁЖ@corp.example", "ёж@corp.example"),
        ("İ@corp.example", "i̇@corp.example"),
    ],
)
def test_an_address_has_one_form(text: str, normal: str) -> None:
    assert normal_address(text) == normal
    assert normal_address(normal) == normal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("alice", "user@domain"),
        ("@corp.example", "user@domain"),
        ("alice@", "host name"),
        ("alice@corp example", "host name"),
        ("alice@-corp.example", "host name"),
        ("alice@münchen.example", "xn--"),
        ("a b@corp.example", "' '"),
        ("a:b@corp.example", "':'"),
        ('a"b@corp.example', "may not hold"),
        ("a@b@corp.example", "'@'"),
        ("a%40b@corp.example", "'%'"),
        ("al\u200bice@corp.example", "u200b"),
        ("\u202ealice@corp.example", "u202e"),
        ("alice\ufe0f@corp.example", "may not hold"),
        ("\u3164alice@corp.example", "may not hold"),
        ("a\x00@corp.example", "x00"),
        ("\ud800@corp.example", "ud800"),
        ("a" * 255 + "@corp.example", "at most 254"),
        ("a" * 243 + "@corp.example", "at most 254"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        normal_address(text)
    assert why in str(caught.value)
    assert caught.value.code == "bad-address"


def test_the_longest_address() -> None:
    longest = "a" * (254 - len("@corp.example")) + "@corp.example"
    assert normal_address("sips:" + longest) == longest


def test_an_address_that_grows_in_its_normal_form_is_measured_there() -> None:
    with pytest.raises(AddressRefused):
        normal_address("\ufdfa" * 200 + "@corp.example")


def test_parts_of_an_address() -> None:
    assert (user_of(ALICE), domain_of(ALICE)) == ("alice", "corp.example")


def test_ha1_is_that_of_the_rfcs() -> None:
    # RFC 7616 section 3.9.1
    user, realm, password = "Mufasa", "http-auth@example.org", "Circle of Life"
    assert ha1(user, realm, password, Algorithm.MD5) == "3d78807defe7de2157e2b0b6573a855f"
    sha256 = "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
    assert ha1(user, realm, password, Algorithm.SHA_256) == sha256
    # FIPS 180-4's own initial value: not a cut SHA-512
    assert len(ha1(user, realm, password, Algorithm.SHA_512_256)) == 64
    assert ha1("", "", "", Algorithm.SHA_512_256) != ha1("", "", "", Algorithm.SHA_256)


def test_both_user_names_are_kept_for_every_algorithm() -> None:
    entries = ha1s(ALICE, "corp.example", Secret("pässword"))
    assert {(entry.form, entry.algorithm) for entry in entries} == {(f, a) for f in LoginForm for a in Algorithm}
    for entry in entries:
        user = "alice" if entry.form is LoginForm.USER else "alice@corp.example"
        assert entry.digest == ha1(user, "corp.example", "pässword", entry.algorithm)


@pytest.mark.parametrize("text", ["", "abc\n", "a\x00b", "x" * 1025, "\ud800"])
def test_what_cannot_be_a_password(text: str) -> None:
    with pytest.raises(PasswordRefused) as caught:
        ha1s(ALICE, "corp.example", Secret(text))
    assert str(caught.value).startswith(ALICE)
    assert text not in str(caught.value) or not text


def test_an_account_shows_no_hash() -> None:
    entries = ha1s(ALICE, "corp.example", Secret("geheim"))
    account = Account(address=ALICE, realm="corp.example", ha1s=entries)
    for shown in (repr(account), repr(entries), str(account)):
        assert not any(entry.digest in shown for entry in entries)


def test_an_account_gives_its_hashes_back_whichever_there_are() -> None:
    entries = ha1s(ALICE, "corp.example", Secret("geheim"))
    for count in range(1 << len(entries)):
        some = tuple(entry for place, entry in enumerate(entries) if count >> place & 1)
        account = Account(address=ALICE, realm="corp.example", ha1s=reversed(some))
        assert account.ha1s == some
        assert evolve(account, enabled=False).ha1s == some
        for entry in entries:
            assert account.ha1(entry.form, entry.algorithm) == (entry.digest if entry in some else None)


def test_a_hash_of_another_length_is_refused() -> None:
    short = Ha1(form=LoginForm.USER, algorithm=Algorithm.SHA_256, digest="00" * 16)
    with pytest.raises(ValueError, match="SHA-256 HA1 has 32 bytes, not 16"):
        Account(address=ALICE, realm="corp.example", ha1s=[short])


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("geheim")
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{[secret]}",
        str(asdict(Account(address=ALICE, realm="r"))),
    ):
        assert "geheim" not in shown
    assert secret.reveal() == "geheim"
    assert secret == Secret("geheim")
    assert secret != Secret("offen")
    assert secret != "geheim"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)


def test_an_address_that_never_comes_to_rest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # no such text is known to Unicode 14: the guard is tried with fewer rounds than a known one needs
    monkeypatch.setattr(accounts, "_FOLD_ROUNDS", 1)
    with pytest.raises(AddressRefused, match="no stable normal form"):
        normal_address("İ@corp.example")
