"""What real clients do that no other test names: rows of the table of clients in docs/protocols/sip.md."""

import pytest

from bridge.model.address import Address
from bridge.model.ids import NetworkId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.identity.names import MAX_MAIL_NAME
from mappings.identity.sip import encode_user
from mappings.pidf import from_pidf, to_pidf
from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from tests.kit.watchers import subscriber
from tests.unit.sip_machine.test_presence import OPEN, Watcher
from tests.unit.sip_machine.test_turns import phone, reply, results, texts, to_alice
from transports.sip.machine.events import MessageReceived, Published
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import Request, respond_bytes
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


def test_libpurples_answer_on_another_connection_is_that_of_its_transaction() -> None:
    """It listens on a port of its own, which its Contact names, and answers on the connection that it made itself."""
    client = phone("tcp")
    other = Client(client.endpoint, "alice", port=40_001, transport="tcp")
    client.endpoint.send_message(to_alice(1), "k", 1.0)
    (request,) = texts(client, 1.0)
    other.endpoint.receive(other.flow, respond_bytes(request, 200, to_tag="p"), 1.1)
    (result,) = results(client)
    assert result.failure is None


def test_a_route_that_a_client_brings_along_leads_here_and_nowhere_else() -> None:
    """baresip writes its outbound proxy, which is the bridge, into every request."""
    client = phone()
    own, elsewhere = f"<sip:{SERVER[0]}:{SERVER[1]};transport=udp;lr>", "<sip:203.0.113.9;lr>"
    for route in (own, f"{own}, {elsewhere}", elsewhere):
        headers = [("Content-Type", "text/plain"), ("Route", route)]
        client.deliver(client.request("MESSAGE", "sip:friend@aim.example.test", headers, b"x"), 1.0)
        (event,) = (one for one in iter(client.endpoint.next_event, None) if isinstance(one, MessageReceived))
        client.endpoint.answer(event.tx, 202, now=1.0)
        assert [getattr(answer, "status", 0) for answer in client.take(1.0)] == [202]
        assert client.endpoint.to_send(1.0) == []


def test_baresip_names_no_accept_and_gets_the_type_that_it_looks_for() -> None:
    """It compares the text of Content-Type; a parameter would make it another."""
    bob = subscriber("bob")
    target = f"sip:alice@{DOMAIN}"
    bob.subscribe(target)
    shown = to_pidf(PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY), target)[0]
    bob.endpoint.notify(SipPresence(target=target, watcher=None, pidf=shown), 1.0)
    (notify,) = bob.notified(1.1)
    assert notify.first("Content-Type") == "application/pidf+xml"
    assert not notify.has("Content-Encoding")
    for text in (b"<basic>open</basic>", b"<rpid:away/>"):
        assert text in notify.body


def test_baresips_contact_has_the_lifetime_and_no_header_does() -> None:
    client = phone()
    contact = '<sip:alice-0x55ee12@192.0.2.9:5071>;expires=240;+sip.instance="<urn:uuid:1>"'
    response = client.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact)], now=2.0)
    assert response.status == 200
    shown = [one for one in response.contacts if isinstance(one, NameAddr) and "0x55ee12" in str(one.uri)]
    assert [one.param("expires") for one in shown] == ["240"]


def test_linphones_spelling_is_read() -> None:
    """To without brackets, two blanks after Digest, no Content-Length in a datagram, `200 Ok`."""
    client = phone()
    headers = [("Event", "presence"), ("Contact", f"<{client.contact}>")]
    data = client.request("SUBSCRIBE", "sip:bob@example.test", headers)
    for given, written in ((b"To: <sip:bob@example.test>", b"To: sip:bob@example.test"),
                           (b"Proxy-Authorization: Digest ", b"Proxy-Authorization:  Digest  "),
                           (b"Content-Length: 0\r\n", b"")):  # fmt: skip
        assert given in data
        data = data.replace(given, written)
    assert [getattr(one, "status", 0) for one in client.deliver(data, 1.0)] == [200]
    client.endpoint.send_message(to_alice(1), "k", 2.0)
    (request,) = texts(client, 2.0)
    client.endpoint.receive(client.flow, respond_bytes(request, 200, "Ok", to_tag="p"), 2.1)
    assert [result.failure for result in results(client)] == [None]


def test_libpurples_farewell_is_a_state_like_any_other() -> None:
    """At logout it publishes closed, with the usual Expires, and closes its connection at once."""
    client = phone("tcp")
    list(iter(client.endpoint.next_event, None))
    farewell = to_pidf(OFFLINE, f"sip:alice@{DOMAIN}")[0]
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "600")]
    assert client.ask("PUBLISH", f"sip:alice@{DOMAIN}", headers, farewell, 1.0).status == 200
    client.endpoint.flow_lost(client.flow, 1.0)
    (event,) = (one for one in iter(client.endpoint.next_event, None) if isinstance(one, Published))
    assert event.native.pidf is not None
    assert from_pidf(event.native.pidf, 1.0)[0].basic is Basic.CLOSED


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
