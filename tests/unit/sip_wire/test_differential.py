"""Two readers, one text: where sipmessage is right, we say the same. Where it is not, the exception says why."""

from __future__ import annotations

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import bench_sip_codec
from tests.unit.sip_wire.torture import CASES
from tests.wire.sip.transcript import FILES, read
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import NameAddr, parse_cseq, parse_name_addr, parse_via, split_commas
from transports.sip.wire.message import Message, parse_message
from transports.sip.wire.uri import SipUri, parse_uri

CAPTURED = [captured for path in FILES for captured in read(path)]

#: Valid torture messages on which the two differ, and why sipmessage is the one that is wrong.
EXCEPTIONS = {
    "wsinv": "it does not unfold headers",
    "intmeth": "it undoes only the escapes of quotation mark and backslash",
    "esc01": "it does not unfold headers",
    "longreq": "it does not allow blanks between a header's name and the colon",
    "semiuri": "it does not unfold headers",
    "unksm2": "it reads no schemes but sip, sips and tel",
    "regescrt": "it does not read the headers of a URI",
    "via-received-param-no-delim": "it does not read what RFC 3261's grammar says of received",
    "ipv6-bug-abnf-3-colons": "it does not know RFC 5118 4.10",
    "ipv6-correct-abnf-2-colons": "it does not read an IPv4 part of an IPv6 reference here",
}


def uris_agree(ours: object, theirs: sipmessage.URI) -> None:
    assert isinstance(ours, SipUri)
    assert (ours.scheme, ours.user_decoded, ours.host, ours.port) == (
        theirs.scheme, theirs.user, theirs.host.lower(), theirs.port,
    )  # fmt: skip
    assert {name: ours.param(name) for name, _ in ours.params} == dict(theirs.parameters)


def addresses_agree(ours: NameAddr, theirs: sipmessage.Address) -> None:
    assert (ours.display_name, ours.tag) == (theirs.name, theirs.parameters.get("tag"))
    uris_agree(ours.uri, theirs.uri)


def messages_agree(data: bytes) -> None:
    ours = parse_message(data)
    theirs = sipmessage.Message.parse(data)
    addresses_agree(ours.from_, theirs.from_address)
    addresses_agree(ours.to, theirs.to_address)
    assert ours.call_id == theirs.call_id
    assert (ours.cseq.number, ours.cseq.method) == (theirs.cseq.sequence, theirs.cseq.method)
    assert [(v.transport, v.host, v.port, v.branch) for v in ours.vias] == [
        (v.transport, v.host.lower(), v.port, v.parameters.get("branch")) for v in theirs.via
    ]
    assert ours.max_forwards == theirs.max_forwards
    contacts = [contact for contact in ours.contacts if contact != "*"]
    assert len(contacts) == len(theirs.contact)
    for mine, other in zip(contacts, theirs.contact, strict=True):
        addresses_agree(mine, other)
    compare_body(ours, theirs)


def compare_body(ours: Message, theirs: sipmessage.Message) -> None:
    # It takes all octets for the body; RFC 3261 18.3 wants the excess of a datagram dropped.
    assert theirs.body.startswith(ours.body)


@pytest.mark.parametrize("captured", CAPTURED, ids=lambda c: f"{c.file}@{c.at}")
def test_transcripts(captured: object) -> None:
    messages_agree(captured.data)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.valid and name not in EXCEPTIONS])
def test_valid_torture_messages(name: str) -> None:
    messages_agree(CASES[name].data())


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_still_exceptions(name: str) -> None:
    with pytest.raises((ValueError, AssertionError, KeyError)):
        messages_agree(CASES[name].data())


def test_the_identity_confusion_that_this_codec_exists_for() -> None:
    """Two addresses with quoted names in one header: sipmessage reads one with an odd name, we two, or an error."""
    line = '"Alice" <sip:alice@a>, "Mallory" <sip:mallory@m>'
    with pytest.raises(SipSyntaxError):
        parse_name_addr(line)
    assert len(split_commas(line)) == 2
    assert len(sipmessage.Address.parse_many(line)) == 1


_NAMES = st.text("abc XYZ-.!", max_size=8).map(
    lambda text: " ".join(text.split())
)  # it joins blanks even within quotes
_USERS = st.from_regex(r"[a-z][a-z0-9.\-]{0,6}", fullmatch=True)
_HOSTS = st.from_regex(r"[a-z]{1,6}(\.[a-z]{2,4}){0,2}", fullmatch=True)


@given(_NAMES, _USERS, _HOSTS, st.none() | st.integers(1, 65535), st.none() | _USERS, st.booleans())
def test_addresses(name: str, user: str, host: str, port: int | None, tag: str | None, quoted: bool) -> None:
    uri = f"sip:{user}@{host}" + ("" if port is None else f":{port}")
    display = f'"{name}" ' if quoted else f"{name} " if name else ""
    text = f"{display}<{uri};transport=tcp>" + ("" if tag is None else f";tag={tag}")
    addresses_agree(parse_name_addr(text), sipmessage.Address.parse(text))


@given(_HOSTS, st.none() | st.integers(1, 65535), _USERS, st.booleans())
def test_vias(host: str, port: int | None, branch: str, rport: bool) -> None:
    text = f"SIP/2.0/UDP {host}" + ("" if port is None else f":{port}") + f";branch=z9hG4bK{branch}" + ";rport" * rport
    ours, theirs = parse_via(text), sipmessage.Via.parse(text)
    assert (ours.host, ours.port, ours.branch) == (theirs.host, theirs.port, theirs.parameters.get("branch"))
    assert str(ours) == str(theirs)


@given(st.integers(0, 2**31 - 1), st.sampled_from(["MESSAGE", "NOTIFY", "X-Y"]))
def test_cseqs(number: int, method: str) -> None:
    ours, theirs = parse_cseq(f"{number} {method}"), sipmessage.CSeq.parse(f"{number} {method}")
    assert (ours.number, ours.method, str(ours)) == (theirs.sequence, theirs.method, str(theirs))


@given(_USERS, _HOSTS)
def test_uris(user: str, host: str) -> None:
    uris_agree(parse_uri(f"sip:{user}@{host};lr"), sipmessage.URI.parse(f"sip:{user}@{host};lr"))


def test_the_benchmark_is_fair() -> None:
    """Both sides of the benchmark make the same two messages of the same octets."""
    for data in bench_sip_codec.corpus()[:50]:
        for mine, other in zip(bench_sip_codec.ours(data), bench_sip_codec.theirs(data), strict=True):
            ours, theirs = parse_message(mine), parse_message(other)
            assert ours.start_line() == theirs.start_line()
            assert ours.body == theirs.body
            assert {(n, *ours.values(n)) for n, _ in ours.headers} == {
                (n, *theirs.values(n)) for n, _ in theirs.headers
            }
