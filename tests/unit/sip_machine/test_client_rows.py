"""What real clients do that no other test names: rows of the table of clients in docs/protocols/sip.md."""

import pytest

from bridge.model.address import Address
from bridge.model.ids import NetworkId, RemoteUserId
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.identity.names import MAX_MAIL_NAME
from mappings.identity.sip import encode_user
from tests.kit.sip import DOMAIN, Client, make_endpoint
from tests.unit.sip_machine.test_presence import OPEN, Watcher
from tests.unit.sip_machine.test_turns import phone, reply, results, texts, to_alice
from transports.sip.wire.message import Request
from transports.sip.wire.native import SipPresence
from transports.sip.wire.uri import parse_uri

PJSIP_URI = 256
"""PJSIP_MAX_URL_SIZE: a message with a longer URI in it is thrown away whole."""


def test_linphone_each_message_has_a_call_id_of_its_own() -> None:
    """It takes a second message with a Call-ID that it knows for a copy of the first."""
    client, seen = phone(), set()
    for number in range(20):
        client.endpoint.send_message(to_alice(0), f"k{number}", 1.0)
        (request,) = texts(client, 1.0)
        seen.add(request.call_id)
        reply(client, request, 1.0)
    assert len(seen) == 20


def test_libpurples_200_repeats_all_headers_of_the_request() -> None:
    client = phone()
    client.endpoint.send_message(to_alice(1), "k", 1.0)
    (request,) = texts(client, 1.0)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers if name != "Content-Length")
    data = f"SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n".encode()
    client.endpoint.receive(client.flow, data, 1.1)
    (result,) = results(client)
    assert result.failure is None


@pytest.mark.parametrize("letter", ["x", "ü", "@"])
def test_no_uri_that_pjsip_is_sent_of_a_contact_is_longer_than_it_reads(letter: str) -> None:
    """Of the longest names that AIM has; a letter beyond ASCII takes six octets of a URI."""
    aim = NetworkId("aim")
    rows = [NetworkDomain(domain="aim.corp.example", network=aim, kind="oscar")]
    book = SipAddressBook.of([DOMAIN], rows)
    name = letter * (MAX_MAIL_NAME if letter == "x" else 30)
    uri = book.to_uri(Address(network=aim, user=RemoteUserId(name)))
    assert len(uri) <= PJSIP_URI


def test_no_uri_of_ours_that_pjsip_is_sent_is_longer_than_it_reads() -> None:
    """Contact of a NOTIFY, and both GRUUs, of a device with the longest instance that is usual: a UUID."""
    client = Client(phone().endpoint, "bob", port=40_001)
    instance = '"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'
    contact = f"<{client.contact}>;+sip.instance={instance}"
    headers = [("Contact", contact), ("Supported", "gruu")]
    (challenge,) = client.deliver(client.request("REGISTER", f"sip:{DOMAIN}", headers), 1.0)
    assert not isinstance(challenge, Request)
    client.register()
    (response,) = client.deliver(client.request("REGISTER", f"sip:{DOMAIN}", headers), 1.0)
    assert not isinstance(response, Request)
    assert response.status == 200
    gruus = [value for one in response.contacts for name, value in getattr(one, "params", ()) if name.endswith("gruu")]
    assert len(gruus) == 2
    assert all(len(one.strip('"')) <= PJSIP_URI for one in gruus)


_LABEL = "h" * 60
_FAR = f"{_LABEL}.{_LABEL}.{_LABEL}.example"
"""A host name of 190 characters, which DNS takes."""


def _long(letter: str, length: int) -> tuple[Watcher, str]:
    """Returns a watcher, and the URI of an address with so many characters."""
    watcher = Watcher(make_endpoint(network_domains=frozenset({_FAR})), "alice")
    watcher.register()
    user = letter * (length - len(_FAR) - 1)
    return watcher, f"sip:{encode_user(user)}@{_FAR}"


@pytest.mark.parametrize("letter", ["x", "ü"])
@pytest.mark.parametrize("length", [256, 257, 318, 320])
def test_an_address_that_is_longer_than_pjsip_reads_is_watched_by_who_can_write_it(letter: str, length: int) -> None:
    """What a NOTIFY adds to the addresses that the client has written itself is short enough for every one."""
    watcher, uri = _long(letter, length)
    response = watcher.subscribe(uri=uri)
    assert response.status == 200
    watcher.endpoint.notify(SipPresence(target=uri, watcher=None, pidf=OPEN), 1.0)
    (notify,) = watcher.notified(1.2)
    assert (notify.uri_text, notify.body) == (watcher.contact, OPEN)
    assert (notify.from_.uri, notify.from_.tag) == (parse_uri(uri), response.to.tag)
    assert all(len(str(one)) <= PJSIP_URI for one in notify.contacts)
    assert watcher.subscribe(2.0, 0, response.to.tag or "", uri=uri).status == 200


@pytest.mark.parametrize(("letter", "length"), [("x", 321), ("x", 900), ("ü", 321), ("x", 1100), ("ü", 400)])
def test_an_address_that_is_longer_than_any_is_refused_as_such(letter: str, length: int) -> None:
    watcher, uri = _long(letter, length)
    response = watcher.subscribe(uri=uri)
    assert (response.status, response.reason) == (414, "Request-URI Too Long")
    assert watcher.endpoint.counts["subscriptions"] == 0
