"""GRUUs: RFC 5627. They reach one device, temporary ones tell nobody whose they are and end with the registration."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.kit.sip import DOMAIN, Client, KeptBindings, counting_entropy, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import MessageReceived
from transports.sip.machine.flow import Flow
from transports.sip.machine.gruu import Gruus, names_a_device, same_instance
from transports.sip.wire.auth import Challenge
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.message import Request, Response, parse_message
from transports.sip.wire.native import SipMessage, SipPresence
from transports.sip.wire.uri import SipUri, parse_uri

INSTANCE = "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"
OTHER = "<urn:uuid:00000000-0000-1000-8000-000000000002>"
SUPPORTED = ("Supported", "gruu")
PUBLIC = f"sip:alice@{DOMAIN};gr=urn:uuid:00000000-0000-1000-8000-aabbccddeeff"


def register(
    client: Client, instance: str = INSTANCE, now: float = 1.0, expires: int = 600, **fields: str
) -> dict[str, NameAddr]:
    """Registers with an instance; returns the contacts in the answer by their instance."""
    contact = f'<{client.contact}>;+sip.instance="{instance}";expires={expires}'
    response: Response | None = None
    for _ in range(2):
        data = client.request("REGISTER", f"sip:{DOMAIN}", [("Contact", contact), SUPPORTED], **fields)  # type: ignore[arg-type]
        (response,) = (message for message in client.deliver(data, now) if isinstance(message, Response))
        if response.status != 401:
            break
        client.challenge, client.count = Challenge.parse(response.first("WWW-Authenticate") or ""), 0
    assert response is not None
    assert response.status == 200, response.to_bytes()
    return {one.param("+sip.instance") or "": one for one in response.contacts if isinstance(one, NameAddr)}


def gruus(client: Client, instance: str = INSTANCE, now: float = 1.0, **fields: str) -> tuple[str, str]:
    contact = register(client, instance, now, **fields)[instance]  # type: ignore[arg-type]
    return contact.param("pub-gruu") or "", contact.param("temp-gruu") or ""


@pytest.fixture
def endpoint() -> Endpoint:
    return make_endpoint()


@pytest.fixture
def alice(endpoint: Endpoint) -> Client:
    return Client(endpoint, "alice")


@pytest.fixture
def bob(endpoint: Endpoint) -> Client:
    return Client(endpoint, "bob", port=41_000)


def received(endpoint: Endpoint) -> Iterator[SipMessage]:
    for event in iter(endpoint.next_event, None):
        if isinstance(event, MessageReceived):
            assert isinstance(event.native, SipMessage)
            yield event.native


def write_to(bob: Client, uri: str, now: float = 2.0) -> tuple[list[int], list[SipMessage]]:
    """Has bob write to a URI: the final answers that he has at once, and what came in."""
    statuses = []
    for _ in range(2):
        got = bob.deliver(bob.request("MESSAGE", uri, [("Content-Type", "text/plain")], b"hi"), now)
        statuses = [one.status for one in got if isinstance(one, Response)]
        if statuses != [407]:
            break
        line = next(one.first("Proxy-Authenticate") or "" for one in got if isinstance(one, Response))
        bob.challenge, bob.count = Challenge.parse(line), 0
    return statuses, list(received(bob.endpoint))


def test_a_device_that_supports_them_gets_both(alice: Client) -> None:
    public, temporary = gruus(alice)
    assert public == PUBLIC
    uri = parse_uri(temporary)
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.has_param("gr"), uri.param("gr")) == (DOMAIN, True, None)
    for word in ("alice", "aabbccddeeff", "AABBCCDDEEFF"):
        assert word not in temporary


def test_who_does_not_support_them_gets_none(alice: Client) -> None:
    contact = f'<{alice.contact}>;+sip.instance="{INSTANCE}"'
    response = alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", contact)])
    assert "gruu" not in (response.first("Contact") or "")
    response = alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{alice.contact}>"), SUPPORTED])
    assert "gruu" not in (response.first("Contact") or "")  # nor who has no instance


def test_require_gruu_is_understood(alice: Client) -> None:
    response = alice.register(0.0, 600, ("Require", "gruu"), ("Supported", "gruu"))
    assert response.status == 200


def test_each_refresh_gives_a_new_temporary_one_and_the_old_ones_stay_good(alice: Client, bob: Client) -> None:
    found = [gruus(alice, now=float(now))[1] for now in range(1, 5)]
    assert len(set(found)) == 4
    for uri in found:
        statuses, (message,) = write_to(bob, uri)
        assert statuses == []
        assert message.peer == PUBLIC  # what goes on is whose it is: policy and record must know


def test_two_temporary_ones_have_no_octets_in_common(alice: Client) -> None:
    """Beyond chance: who compares them learns nothing of whose they are (RFC 5627 section 3.1.2)."""
    made = Gruus(DOMAIN, b"s" * 16, os.urandom)
    generation = made.generation()
    bodies = [made.temporary(generation)[len("sip:tgruu.") :].partition("@")[0] for _ in range(64)]
    for place in range(len(bodies[0]) - 1):
        assert len({body[place] for body in bodies}) > 8, place


def test_another_call_id_ends_the_temporary_ones(alice: Client, bob: Client) -> None:
    public, before = gruus(alice)
    _, after = gruus(alice, call_id="restarted")
    assert write_to(bob, before)[0] == [404]
    assert write_to(bob, after)[1][0].peer == public


def test_they_end_with_the_registration(alice: Client, bob: Client) -> None:
    _, temporary = gruus(alice)
    register(alice, expires=0, now=2.0)
    assert write_to(bob, temporary)[0] == [404]
    _, temporary = gruus(alice, now=3.0)
    alice.endpoint.handle_timer(700.0)
    assert write_to(bob, temporary, now=700.0)[0] == [404]


@pytest.mark.parametrize("user", ["tgruu.", "tgruu.aaaa", "tgruu.%00", "tgruu." + "a" * 42, "tgruu.ñ", "alice"])
def test_what_was_never_handed_out_means_nobody(bob: Client, user: str) -> None:
    assert write_to(bob, f"sip:{user}@{DOMAIN};gr")[0] == [404]


def test_one_that_was_changed_means_nobody(alice: Client, bob: Client) -> None:
    _, temporary = gruus(alice)
    start = temporary.index("tgruu.") + 6
    for place in range(start, start + 40, 5):
        other = "a" if temporary[place] != "a" else "b"
        assert write_to(bob, temporary[:place] + other + temporary[place + 1 :])[0] == [404]


def test_they_survive_a_restart(bob: Client) -> None:
    store = KeptBindings()
    alice = Client(make_endpoint(bindings=store), "alice")
    public, temporary = gruus(alice)
    again = make_endpoint(bindings=store, entropy=counting_entropy(5000), now=5.0)
    bob = Client(again, "bob", port=41_000)
    assert write_to(bob, temporary, 6.0)[1][0].peer == public
    alice = Client(again, "alice")
    alice.cseq = 100
    assert gruus(alice, now=7.0)[0] == public


def test_a_message_for_one_device_goes_to_that_device(endpoint: Endpoint) -> None:
    first, second = Client(endpoint, "alice", port=40_001), Client(endpoint, "alice", port=40_002)
    register(first, INSTANCE)
    register(second, OTHER)
    # The mapping gives the device as it stood in the URI: without brackets, in any case.
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer=f"sip:bob@{DOMAIN}", call_id="", cseq=0, content_type="text/plain", body=b"hi",
        device="urn:uuid:00000000-0000-1000-8000-000000000002",
    )  # fmt: skip
    endpoint.send_message(native, "key", 2.0)
    ports = [output[0].remote[1] for output in endpoint.to_send(2.0) if isinstance(output[0], Flow)]
    assert ports == [40_002]


def test_a_notify_to_a_gruu_goes_to_where_the_device_is_now(endpoint: Endpoint) -> None:
    """linphone's Contact is its GRUU; when it has come back elsewhere, its subscription goes there (RFC 5627 6.1)."""
    alice = Client(endpoint, "alice", port=40_001)
    public, _ = gruus(alice)
    headers = [("Event", "presence"), ("Contact", f"<{public}>"), ("Expires", "600")]
    assert alice.ask("SUBSCRIBE", f"sip:bob@{DOMAIN}", headers, now=2.0).status == 200
    elsewhere = Client(endpoint, "alice", port=40_777)
    register(elsewhere, INSTANCE, now=3.0)
    endpoint.notify(SipPresence(target=f"sip:bob@{DOMAIN}", watcher=None, pidf=b"<presence/>"), 4.0)
    endpoint.to_send(4.0)
    endpoint.handle_timer(20.0)
    ((flow, data),) = [output for output in endpoint.to_send(20.0) if isinstance(output[0], Flow)]
    assert isinstance(data, bytes)
    request = parse_message(data)
    assert isinstance(request, Request)
    assert isinstance(flow, Flow)
    assert (flow.remote[1], request.method, request.uri_text) == (40_777, "NOTIFY", elsewhere.contact)


def test_a_contact_that_leads_back_to_us_is_refused(alice: Client) -> None:
    for contact in (PUBLIC, f"sip:alice@{DOMAIN}"):
        response = alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{contact}>")])
        assert response.status == 403


def test_the_table_holds_what_is_registered_and_no_more(alice: Client) -> None:
    kept = alice.endpoint.registrar.gruus
    for number in range(50):
        register(alice, call_id=f"life-{number}", now=float(number + 1))
    assert len(kept) == 1
    register(alice, expires=0, now=100.0, call_id="life-49")
    assert len(kept) == 0


@pytest.mark.parametrize("instance", ["", "<>"])
def test_an_instance_that_says_nothing_is_none(alice: Client, instance: str) -> None:
    contact = register(alice, instance)[""]
    assert contact.param("pub-gruu") is None
    assert contact.param("temp-gruu") is None


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=40))
@example("0", "<")
@example("0", "<>")
def test_a_public_one_reads_back(user: str, instance: str) -> None:
    try:
        user.encode(), instance.encode()
    except UnicodeEncodeError:
        return
    if not names_a_device(instance):
        return
    made = Gruus("example.test", b"s" * 16, counting_entropy())
    uri = parse_uri(made.public(f"{user}@example.test", instance))
    assert isinstance(uri, SipUri)
    owner = made.owner(uri, uri.aor)
    if owner is not None:
        assert uri.user_decoded == user
        assert same_instance(owner[1], instance)
