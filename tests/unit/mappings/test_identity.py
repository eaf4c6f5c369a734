import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.app.registry import KINDS
from bridge.model.address import Address
from bridge.model.ids import SIP, NetworkId, RemoteUserId
from mappings.identity import (
    RULES,
    AddressError,
    NetworkDomain,
    SipAddressBook,
    decode_user,
    encode_user,
    is_uin,
    normalise,
    safe_display_name,
    sip_uri,
)
from transports.oscar.wire import names as wire_names
from transports.sip.wire.uri import SipUri, parse_uri

AIM = NetworkId("aim")
MSN = NetworkId("msn")


@pytest.fixture
def book() -> SipAddressBook:
    return SipAddressBook.of(
        ["corp.example", "Branch.Example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")]
    )


def aim(user: str) -> Address:
    return Address(network=AIM, user=RemoteUserId(user))


def sip(user: str) -> Address:
    return Address(network=SIP, user=RemoteUserId(user))


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("theboogyman", "theboogyman"),
        ("The Boogy Man", "theboogyman"),
        (" The  BOOGY man ", "theboogyman"),
        ("abc", "abc"),
        ("A1234567890 12345", "a123456789012345"),
        ("123456", "123456"),
        ("123-456-789", "123456789"),
        ("1 2 3 4 5", "12345"),
        ("10000", "10000"),
        ("2147483646", "2147483646"),
        ("Bob@Mac.Com", "bob@mac.com"),
        ("1bob@mail.example", "1bob@mail.example"),
        ("bob.o'neil+x@mail.example", "bob.o'neil+x@mail.example"),
        ("+x@mail.example", "+x@mail.example"),
        ("+15551234567", "+15551234567"),
        ("+1 555 123 4567", "+15551234567"),
        ("OOS System Msg", "oossystemmsg"),
    ],
)
def test_oscar_normal_form(name: str, normal: str) -> None:
    assert normalise("oscar", name) == normal
    assert wire_names.normal(name) == normal or is_uin(normal)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("ab", "3 to 16"),
        ("a" * 17, "3 to 16"),
        ("   ", "begins with a letter"),
        ("_bob", "begins with a letter"),
        ("bob-smith", "letters, digits and spaces alone"),
        ("bob\tsmith", "ASCII letters"),
        ("bob\r\nTo: eve", "ASCII letters"),
        ("b\u043eb the man", "ASCII letters"),  # a Cyrillic o
        ("\u202eboogyman", "ASCII letters"),
        ("\u0130bob", "ASCII letters"),
        ("\u0661\u0662\u0663\u0664\u0665", "ASCII letters"),
        ("9999", "lies between"),
        ("2147483647", "lies between"),
        ("99999999999", "lies between"),
        ("012345", "lies between"),
        ("123abc", "digits alone"),
        ("+1555123456789012", "3 to 15 digits"),
        ("+12", "3 to 15 digits"),
        ("+1-555-123", "3 to 15 digits"),
        ("+", "3 to 15 digits"),
        ("+1555 rest", "3 to 15 digits"),
        ("@mail.example", "before @"),
        (".bob@mail.example", "before @"),
        ("bob..x@mail.example", "before @"),
        ("bob@mail", "after @"),
        ("bob@mail..example", "after @"),
        ("bob@-mail.example", "after @"),
        ("bob@a@mail.example", "after @"),
        ("a" * 98, "longer than 97"),
    ],
)
def test_oscar_refuses(name: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason) as caught:
        normalise("oscar", name)
    assert caught.value.kind == "oscar"
    assert caught.value.name.isascii()
    assert caught.value.name.isprintable()


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("alice@CORP.example", "alice@corp.example"),
        ("Alice@corp.example", "Alice@corp.example"),
        ("alice@corp.example.", "alice@corp.example"),
        ("f\u00fc@corp.example", "f\u00fc@corp.example"),
        ("fu\u0308@corp.example", "f\u00fc@corp.example"),
        ("bob@hotmail.example@msn.corp.example", "bob@hotmail.example@msn.corp.example"),
        ("\u0438\u0432\u0430\u043d@corp.example", "\u0438\u0432\u0430\u043d@corp.example"),
        ("\u5c71\u7530taro\u305f\u308d\u3046@corp.example", "\u5c71\u7530taro\u305f\u308d\u3046@corp.example"),
        ("a@[2001:DB8::1]", "a@[2001:db8::1]"),
        ("a@192.0.2.1", "a@192.0.2.1"),
    ],
)
def test_sip_normal_form(name: str, normal: str) -> None:
    assert normalise("sip", name) == normal


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "@corp.example",
        "alice@",
        "al ice@corp.example",
        "alice\r\nX: y@corp.example",
        "alice\x00@corp.example",
        "\u202ealice@corp.example",
        "al\u200bice@corp.example",
        "\u0430lice@corp.example",  # Cyrillic a before Latin letters
        "\u03bflice@corp.example",  # Greek omicron
        "\uff41lice@corp.example",  # fullwidth a
        "\ufb01sh@corp.example",  # the ligature fi
        "a\ufffdb@corp.example",
        "x\ud800y@corp.example",
        "a\ue000b@corp.example",
        "alice@corp..example",
        "alice@corp example",
        "alice@999.1.1.1",
        "a" * 129 + "@corp.example",
    ],
)
def test_sip_refuses(name: str) -> None:
    with pytest.raises(AddressError):
        normalise("sip", name)


def test_a_kind_without_rules_is_named() -> None:
    with pytest.raises(AddressError, match="known are " + ", ".join(sorted(RULES))):
        normalise("carrier-pigeon", "bob")
    assert set(RULES) == {"sip", *KINDS}, "each kind of network has its address rules"


@given(st.sampled_from(sorted(RULES)), st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9 @.-]{1,24}", fullmatch=True))
def test_normal_forms_are_idempotent_or_refused(kind: str, name: str) -> None:
    try:
        normal = normalise(kind, name)
    except AddressError:
        return
    assert normalise(kind, normal) == normal
    assert normal.isprintable()


@pytest.mark.parametrize("kind", sorted(RULES))
def test_a_name_of_a_megabyte_is_refused_at_once(kind: str) -> None:
    started = time.process_time()
    for name in ("a" * 1_000_000, "\u202e" * 1_000_000, "@" * 1_000_000):
        with pytest.raises(AddressError, match="longer than") as caught:
            normalise(kind, name)
        assert len(str(caught.value)) < 700
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    ("user", "encoded"),
    [
        ("theboogyman", "theboogyman"),
        ("bob@hotmail.example", "bob%40hotmail.example"),
        ("f\u00fc", "f%C3%BC"),
        ("o'malley", "o'malley"),
        ("m&m", "m&m"),
        ("tsch\u00fcss", "tsch%C3%BCss"),
        ("a b", "a%20b"),
        ('a"b', "a%22b"),
        ("a:b", "a%3Ab"),
        ("a;b?c/d", "a;b?c/d"),
        ("a%b", "a%25b"),
        ("a\\b<c>", "a%5Cb%3Cc%3E"),
        ("a\r\nb", "a%0D%0Ab"),
        ("a#b", "a%23b"),
        ("\U0001f600", "%F0%9F%98%80"),
    ],
)
def test_user_part_vectors(user: str, encoded: str) -> None:
    assert encode_user(user) == encoded
    assert decode_user(encoded) == user


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_user_part_round_trip_through_the_uri_parser(user: str) -> None:
    encoded = encode_user(user)
    assert decode_user(encoded) == user
    uri = parse_uri(f"sip:{encoded}@h.example")
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.host) == (encoded, "h.example")
    assert sip_uri(f"{user}@h.example") == f"sip:{encoded}@h.example"


@pytest.mark.parametrize("user", ["a%", "a%4", "a%zz", "a%FFb", "%C3"])
def test_broken_escapes_are_refused(user: str) -> None:
    with pytest.raises(AddressError):
        decode_user(user)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:theboogyman@aim.corp.example", aim("theboogyman")),
        ("sip:The%20Boogy%20Man@AIM.corp.example", aim("theboogyman")),
        ("sips:theboogyman@aim.corp.example:5061;transport=tcp", aim("theboogyman")),
        ("theboogyman@aim.corp.example", aim("theboogyman")),
        ("sip:bob%40mac.example@aim.corp.example", aim("bob@mac.example")),
        ("sip:123456@aim.corp.example", aim("123456")),
        ("sip:alice@corp.example", sip("alice@corp.example")),
        ("sip:alice@corp.example;gr=x", sip("alice@corp.example")),
        ("sip:f%C3%BC@branch.example", sip("f\u00fc@branch.example")),
    ],
)
def test_uri_vectors(book: SipAddressBook, uri: str, address: Address) -> None:
    assert book.from_uri(uri) == address
    assert book.from_uri(uri) == address  # out of the memo
    assert book.from_uri(book.to_uri(address)) == address
    assert book.from_aor(book.to_aor(address)) == address


def test_a_name_with_an_at_sign_is_percent_encoded() -> None:
    book = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="msn.corp.example", network=MSN, kind="oscar")])
    bob = Address(network=MSN, user=RemoteUserId("bob@hotmail.example"))
    assert book.to_uri(bob) == "sip:bob%40hotmail.example@msn.corp.example"
    assert book.from_uri("sip:bob%40hotmail.example@msn.corp.example") == bob


@pytest.mark.parametrize(
    "uri",
    [
        "tel:+123",
        "sip:aim.corp.example",
        "sip:bob@elsewhere.example",
        "sip:b@aim.corp.example",
        "sip:bob@evil@aim.corp.example",
        "sip:theboogyman@aim.corp.example\r\nTo: x",
        "sip:f%FF@corp.example",
        "sip:%E2%80%AEx@corp.example",
        "sip:al%00ice@corp.example",
        "sip:" + "a" * 2000 + "@corp.example",
        "",
        "mailto:a@corp.example",
    ],
)
def test_uris_that_lead_nowhere(book: SipAddressBook, uri: str) -> None:
    with pytest.raises(AddressError):
        book.from_uri(uri)


@pytest.mark.parametrize(
    "aor", ["alice", "@corp.example", "alice@elsewhere.example", "a" * 400, "\u202ea@corp.example"]
)
def test_aors_that_lead_nowhere(book: SipAddressBook, aor: str) -> None:
    with pytest.raises(AddressError):
        book.from_aor(aor)


def test_a_network_without_a_domain_has_no_sip_address(book: SipAddressBook) -> None:
    with pytest.raises(AddressError, match="no SIP domain"):
        book.to_uri(Address(network=MSN, user=RemoteUserId("bob")))


@pytest.mark.parametrize(
    ("corporate", "networks"),
    [
        ([], []),
        (["corp example"], []),
        (["corp.example"], [("corp.example", "aim")]),
        (["corp.example"], [("a.example", "aim"), ("A.example", "icq")]),
        (["corp.example"], [("a.example", "aim"), ("b.example", "aim")]),
        (["corp.example"], [("a.example", "sip")]),
    ],
)
def test_a_table_that_is_ambiguous_is_refused(corporate: list[str], networks: list[tuple[str, str]]) -> None:
    rows = [NetworkDomain(domain=domain, network=NetworkId(name), kind="oscar") for domain, name in networks]
    with pytest.raises(ValueError, match=r"no corporate|not a domain|stands for two|two SIP domains"):
        SipAddressBook.of(corporate, rows)


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mappings.identity.sip.MEMO_ENTRIES", 8)
    book = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")])
    for number in range(100):
        book.to_uri(book.from_uri(f"sip:bob{number}@aim.corp.example"))
        book.from_aor(f"bob{number}@corp.example")
    assert len(book._addresses) <= 8
    assert len(book._uris) <= 8


@given(st.from_regex(r"[a-z][a-z0-9]{2,15}", fullmatch=True))
def test_screen_names_round_trip_through_sip(name: str) -> None:
    book = SipAddressBook.of(["corp.example"], [NetworkDomain(domain="aim.corp.example", network=AIM, kind="oscar")])
    assert book.from_uri(book.to_uri(aim(name))) == aim(name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Alice Smith", "Alice Smith"),
        ("  Alice  ", "Alice"),
        ("Zo\u00eb", "Zo\u00eb"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("Bob\r\nX-Injected: yes", "Bob X-Injected: yes"),
        ("\u202ecilA", "cilA"),
        ('"Bob" <sip:eve>', "Bob sip:eve"),
        ("ceo@corp.example", ""),
        ("Bob@Mac.Example", "Bob@Mac.Example"),
        ("a\u200bb\x00c\ud800", "abc"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("a\u3000b\u00a0c", "a b c"),
        ("x" * 100, "x" * 64),
        ("", ""),
    ],
)
def test_display_names(name: str, shown: str) -> None:
    assert safe_display_name(name, "bob@mac.example") == shown


@given(st.text(max_size=200))
def test_display_names_are_safe_and_idempotent(name: str) -> None:
    shown = safe_display_name(name)
    assert safe_display_name(shown) == shown
    assert len(shown) <= 64
    assert not set(shown) & set('"<>\\@\r\n\x00\u202e\u2028')


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Bob@Hotmail.Example", "bob@hotmail.example"),
        (" bob@hotmail.example ", "bob@hotmail.example"),
        ("bob+x@mail.hotmail.example", "bob+x@mail.hotmail.example"),
    ],
)
def test_a_passport_is_a_mail_address_in_lower_case(name: str, normal: str) -> None:
    assert normalise("msnp", name) == normal


@pytest.mark.parametrize(
    "name", ["bob", "@hotmail.example", "bob@", "bob@x", "b\u043eb@hotmail.example", "a b@x.y", "b@@x.y"]
)
def test_what_is_no_passport_is_refused(name: str) -> None:
    with pytest.raises(AddressError) as caught:
        normalise("msnp", name)
    assert caught.value.kind == "msnp"
