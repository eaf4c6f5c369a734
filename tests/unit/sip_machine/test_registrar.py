"""REGISTER: RFC 3261 10.3, and what real clients and NATs add."""

import pytest

from tests.kit.sip import DOMAIN, SERVER, Client, make_endpoint
from transports.sip.machine.config import Limits
from transports.sip.machine.events import RegistrationChanged
from transports.sip.machine.flow import ConnectTo, Flow, Target
from transports.sip.machine.ports import Done, StoredBinding
from transports.sip.wire.message import Response
from transports.sip.wire.native import SipMessage, SipRegistration

URI = f"sip:{DOMAIN}"


class Store:
    """Keeps bindings, and says so when it is told to."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[StoredBinding, ...]] = {}
        self.waiting: list[tuple[Done, str, tuple[StoredBinding, ...]]] = []
        self.slow = False

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        """Keeps, now or at `commit`."""
        if self.slow:
            self.waiting.append((done, aor, bindings))
            return
        self.rows[aor] = bindings
        done(True, 0.0)

    def commit(self, durable: bool, now: float) -> None:
        """Ends what waits."""
        for done, aor, bindings in self.waiting:
            if durable:
                self.rows[aor] = bindings
            done(durable, now)
        self.waiting.clear()

    def load(self) -> tuple[StoredBinding, ...]:
        """All rows."""
        return tuple(row for rows in self.rows.values() for row in rows)


def _contacts(response: Response) -> list[str]:
    return [str(contact) for contact in response.contacts]


def _register(client: Client, *contacts: str, now: float = 1.0, expires: str | None = None) -> Response:
    headers = [("Contact", contact) for contact in contacts]
    if expires is not None:
        headers.append(("Expires", expires))
    return client.ask("REGISTER", URI, headers, now=now)


@pytest.fixture
def alice() -> Client:
    return Client(make_endpoint(), "alice")


def test_a_contact_is_kept_refreshed_and_removed(alice: Client) -> None:
    assert _contacts(_register(alice, "<sip:alice@192.0.2.9:40000>;expires=300")) == [
        "<sip:alice@192.0.2.9:40000>;expires=300"
    ]
    assert _contacts(_register(alice, now=101.0)) == ["<sip:alice@192.0.2.9:40000>;expires=200"]
    assert _contacts(_register(alice, "<sip:alice@192.0.2.9:40000>;expires=600", now=101.0)) == [
        "<sip:alice@192.0.2.9:40000>;expires=600"
    ]
    assert _contacts(_register(alice, "<sip:alice@192.0.2.9:40000>", expires="0", now=101.0)) == []
    events = [event.native for event in iter(alice.endpoint.next_event, None) if isinstance(event, RegistrationChanged)]
    assert [native.contacts for native in events] == [1, 1, 0]


def test_a_phone_is_told_the_time(alice: Client) -> None:
    at_nought = _register(alice, now=0.0).date
    later = _register(alice, "<sip:alice@192.0.2.9:40000>", now=3600.0).date
    assert at_nought is not None
    assert later is not None
    assert (later - at_nought).total_seconds() == 3600


def test_expires_comes_from_the_contact_then_the_header_then_the_default(alice: Client) -> None:
    response = _register(
        alice, "<sip:a@192.0.2.9>;expires=100", "<sip:b@192.0.2.9>", "<sip:c@192.0.2.9>;expires=x", expires="200"
    )
    assert _contacts(response) == [
        "<sip:a@192.0.2.9>;expires=100", "<sip:b@192.0.2.9>;expires=200", "<sip:c@192.0.2.9>;expires=3600"
    ]  # fmt: skip
    assert _contacts(_register(alice, "<sip:b@192.0.2.9>", expires="999999"))[-1].endswith("expires=7200")


def test_too_brief_an_interval_changes_nothing(alice: Client) -> None:
    _register(alice, "<sip:a@192.0.2.9>")
    response = _register(alice, "<sip:b@192.0.2.9>", "<sip:a@192.0.2.9>;expires=59")
    assert (response.status, response.first("Min-Expires")) == (423, "60")
    assert _contacts(_register(alice)) == ["<sip:a@192.0.2.9>;expires=3600"]


def test_q_orders(alice: Client) -> None:
    response = _register(alice, "<sip:a@192.0.2.9>;q=0.1", "<sip:b@192.0.2.9>;q=0.75", "<sip:c@192.0.2.9>")
    assert [contact.rpartition("sip:")[2][0] for contact in _contacts(response)] == ["c", "b", "a"]
    assert "q=0.75" in _contacts(response)[1]
    for q in ("1.1", "x", "-1", "nan", "0_1", "1e-1", "inf"):
        assert _register(alice, f"<sip:a@192.0.2.9>;q={q}").status == 400


def test_an_instance_comes_back_as_it_was(alice: Client) -> None:
    contact = r'<sip:a@192.0.2.9>;+sip.instance="<urn:\"a\\b\">"'
    (shown,) = _register(alice, contact).lines("Contact")
    assert shown.endswith(r';+sip.instance="<urn:\"a\\b\">"')
    assert len(_contacts(_register(alice, contact))) == 1


def test_star_removes_all_and_stands_alone(alice: Client) -> None:
    _register(alice, "<sip:a@192.0.2.9>", "<sip:b@192.0.2.9>")
    assert _register(alice, "*").status == 400
    assert _register(alice, "*", expires="60").status == 400
    assert _register(alice, "*", "<sip:c@192.0.2.9>", expires="0").status == 400
    assert len(_contacts(_register(alice))) == 2
    assert _contacts(_register(alice, "*", expires="0")) == []


def test_equivalent_uris_are_one_contact(alice: Client) -> None:
    _register(alice, "<sip:alice@host.test:5062;transport=TCP>")
    assert len(_contacts(_register(alice, "<sip:%61lice@HOST.test:5062;transport=tcp>"))) == 1
    assert len(_contacts(_register(alice, "<sip:alice@host.test;transport=tcp>"))) == 2


def test_a_device_that_comes_back_on_another_port_takes_its_own_place(alice: Client) -> None:
    instance = '+sip.instance="<urn:uuid:1>"'
    _register(alice, f"<sip:alice@192.0.2.9:1>;{instance}")
    assert len(_contacts(_register(alice, f"<sip:alice@192.0.2.9:2>;{instance}"))) == 1
    assert len(_contacts(_register(alice, '<sip:alice@192.0.2.9:3>;+sip.instance="<urn:uuid:2>"'))) == 2
    flows = [f"<sip:alice@192.0.2.9:{port}>;{instance};reg-id={reg}" for port, reg in ((4, 1), (5, 2))]
    assert [len(_contacts(_register(alice, flow))) for flow in flows] == [
        3,
        4,
    ]  # RFC 5626: each reg-id is a flow of its own


def test_old_requests_do_not_undo_newer_ones(alice: Client) -> None:
    _register(alice, "<sip:alice@192.0.2.9:1>")
    headers = [("Contact", "<sip:alice@192.0.2.9:1>;expires=0")]
    (response,) = alice.deliver(alice.request("REGISTER", URI, headers, cseq="1 REGISTER"), 2.0)
    assert isinstance(response, Response)
    assert response.status == 500
    (response,) = alice.deliver(
        alice.request("REGISTER", URI, [("Contact", "*"), ("Expires", "0")], cseq="1 REGISTER"), 2.0
    )
    assert isinstance(response, Response)
    assert response.status == 500
    (response,) = alice.deliver(alice.request("REGISTER", URI, headers, cseq="1 REGISTER", call_id="other"), 2.0)
    assert isinstance(response, Response)
    assert response.contacts == []


def test_limits() -> None:
    endpoint = make_endpoint(limits=Limits(contacts_per_aor=2, bindings=3))
    alice, bob = Client(endpoint, "alice"), Client(endpoint, "bob", port=2)
    assert _register(alice, "<sip:a@h.test>", "<sip:b@h.test>", "<sip:c@h.test>").status == 403
    assert _register(alice, "<sip:a@h.test>", "<sip:b@h.test>").status == 200
    assert _register(bob, "<sip:a@h.test>", "<sip:b@h.test>").status == 503
    assert _register(bob, "<sip:a@h.test>").status == 200
    assert _register(bob, f"<sip:{'a' * 600}@h.test>").status == 400
    assert endpoint.counts["bindings"] == 3


def test_the_contact_that_was_refreshed_longest_ago_makes_room() -> None:
    alice = Client(make_endpoint(limits=Limits(contacts_per_aor=2)), "alice")
    _register(alice, "<sip:alice@192.0.2.9:1>;expires=300", now=1.0)
    _register(alice, "<sip:alice@192.0.2.9:2>;expires=3000", now=2.0)
    _register(alice, "<sip:alice@192.0.2.9:1>;expires=300", now=3.0)
    response = _register(alice, "<sip:alice@192.0.2.9:3>;expires=300", now=4.0)
    assert _contacts(response) == ["<sip:alice@192.0.2.9:1>;expires=299", "<sip:alice@192.0.2.9:3>;expires=300"]
    both = ("<sip:alice@192.0.2.9:4>;expires=300", "<sip:alice@192.0.2.9:5>;expires=300")
    assert _contacts(_register(alice, *both, now=5.0)) == list(both)


def test_nobody_registers_for_another(alice: Client) -> None:
    headers = [("Contact", "<sip:alice@192.0.2.9>")]
    alice.register()
    for to, status in ((f"<sip:bob@{DOMAIN}>", 403), ("<sip:alice@elsewhere.test>", 404)):
        (response,) = alice.deliver(alice.request("REGISTER", URI, headers, to=to), 1.0)
        assert isinstance(response, Response)
        assert response.status == status
    (response,) = alice.deliver(alice.request("REGISTER", "sip:elsewhere.test", headers), 1.0)
    assert isinstance(response, Response)
    assert response.status == 403


def test_contacts_end_with_their_time(alice: Client) -> None:
    _register(alice, "<sip:a@192.0.2.9>;expires=100", "<sip:b@192.0.2.9>;expires=200", now=0.0)
    list(iter(alice.endpoint.next_event, None))
    for now, left in ((99.0, 2), (101.0, 1), (199.0, 1), (201.0, 0)):
        alice.endpoint.handle_timer(now)
        assert alice.endpoint.counts["bindings"] == left
    events = [event.native for event in iter(alice.endpoint.next_event, None) if isinstance(event, RegistrationChanged)]
    assert events == [SipRegistration(aor=f"alice@{DOMAIN}", contacts=n, user_agents=("",) * n) for n in (1, 0)]


def test_a_later_shorter_contact_ends_on_time(alice: Client) -> None:
    _register(alice, "<sip:a@192.0.2.9>;expires=3000", now=0.0)
    _register(alice, "<sip:b@192.0.2.9>;expires=100", now=0.0)
    alice.endpoint.handle_timer(102.0)
    assert alice.endpoint.counts["bindings"] == 1


def test_the_200_waits_for_the_store() -> None:
    store = Store()
    alice = Client(make_endpoint(bindings=store), "alice")
    alice.register(0.0)
    store.slow = True
    data = alice.request("REGISTER", URI, [("Contact", "<sip:new@192.0.2.9>")])
    assert alice.deliver(data, 1.0) == []
    assert alice.deliver(data, 1.5) == []
    store.commit(True, 2.0)
    (response,) = alice.take(2.0)
    assert isinstance(response, Response)
    assert response.status == 200
    assert len(response.contacts) == 2


def test_a_save_that_fails_changes_nothing() -> None:
    store = Store()
    alice = Client(make_endpoint(bindings=store), "alice")
    alice.register(0.0)
    store.slow = True
    alice.deliver(alice.request("REGISTER", URI, [("Contact", "<sip:new@192.0.2.9>")]), 1.0)
    store.commit(False, 2.0)
    (response,) = alice.take(2.0)
    assert isinstance(response, Response)
    assert response.status == 500
    assert len(_contacts(_register(alice))) == 1


def test_registrations_survive_a_restart() -> None:
    store = Store()
    for port, transport in ((1, "udp"), (2, "tcp")):
        client = Client(
            make_endpoint(bindings=store, now=0.0), "alice" if port == 1 else "bob", port=port, transport=transport
        )
        assert client.register(1.0, 300, ("User-Agent", "phone")).status == 200
    again = make_endpoint(bindings=store, now=100.0)
    assert again.counts["bindings"] == 2
    for user in ("alice", "bob"):
        native = SipMessage(
            aor=f"{user}@{DOMAIN}",
            peer="sip:f@aim.example.test",
            call_id="",
            cseq=0,
            content_type="text/plain",
            body=b"x",
        )
        again.send_message(native, user, 101.0)
    first, second = again.to_send(101.0)
    assert isinstance(first, tuple)
    assert isinstance(first[0], Flow)
    assert first[0].remote == ("192.0.2.9", 1)
    assert isinstance(second, ConnectTo)  # the connection did not survive, the contact did
    assert second.target == Target("tcp", "192.0.2.9", 2)
    later = make_endpoint(bindings=store, now=400.0)
    assert later.counts["bindings"] == 0


@pytest.mark.parametrize(
    ("transport", "contact", "expected"),
    [
        ("udp", "sip:alice@192.0.2.9:40000", ("192.0.2.9", 40000)),
        ("udp", "sip:alice@192.0.2.9:5099", ("192.0.2.9", 5099)),  # no NAT: Contact is where it listens
        ("udp", "sip:alice@10.0.0.7:5060", ("192.0.2.9", 40000)),  # NAT: where the packets come from
        ("udp", "sip:alice@phone.invalid", ("192.0.2.9", 40000)),
        ("tcp", "sip:alice@10.0.0.7:5060;transport=tcp", ("192.0.2.9", 40000)),
        ("tls", "sip:alice@192.0.2.9:5061;transport=tls", ("192.0.2.9", 40000)),  # baresip: its own connection
        ("udp", "sip:alice@192.0.2.9:5070;transport=tcp", ("tcp", "192.0.2.9", 5070)),
    ],
)
def test_where_a_contact_is_reached(transport: str, contact: str, expected: tuple[object, ...]) -> None:
    endpoint = make_endpoint()
    alice = Client(endpoint, "alice", transport=transport)
    assert _register(alice, f"<{contact}>").status == 200
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer="sip:f@aim.example.test", call_id="", cseq=0, content_type="text/plain", body=b"x"
    )
    endpoint.send_message(native, "k", 2.0)
    (output,) = endpoint.to_send(2.0)
    if isinstance(output, ConnectTo):
        assert output.target == Target(*expected)  # type: ignore[arg-type]
        return
    flow = output[0]
    assert isinstance(flow, Flow)
    assert flow.remote == expected
    assert flow is alice.flow or not flow.reliable
    assert flow.local[0] == SERVER[0]


def test_path_is_the_way_to_a_contact(alice: Client) -> None:
    path = "<sip:edge.example.test;lr;transport=tcp>"
    headers = [("Contact", "<sip:alice@10.0.0.7>"), ("Path", path), ("Supported", "path"), ("Require", "path")]
    response = alice.ask("REGISTER", URI, headers, now=1.0)
    assert (response.status, response.first("Path")) == (200, path)
    native = SipMessage(
        aor=f"alice@{DOMAIN}", peer="sip:f@aim.example.test", call_id="", cseq=0, content_type="text/plain", body=b"x"
    )
    alice.endpoint.send_message(native, "k", 2.0)
    (output,) = alice.endpoint.to_send(2.0)
    assert isinstance(output, ConnectTo)
    assert output.target == Target("tcp", "edge.example.test", 5060)
    assert f"Route: {path}".encode() in output.data
