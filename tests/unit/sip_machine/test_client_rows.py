"""What real clients do that no other test names: rows of the table of clients in docs/protocols/sip.md."""

import pytest

from bridge.model.address import Address
from bridge.model.ids import NetworkId, RemoteUserId
from mappings.identity import NetworkDomain, SipAddressBook
from mappings.identity.names import MAX_MAIL_NAME
from tests.kit.sip import DOMAIN, Client
from tests.unit.sip_machine.test_turns import phone, reply, results, texts, to_alice
from transports.sip.wire.message import Request

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
