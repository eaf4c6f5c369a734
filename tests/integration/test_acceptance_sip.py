"""What somebody who knows the RFCs alone finds out about the daemon over its sockets."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.app.selfsigned import self_signed
from bridge.identity.changes import AddUser, DisableUser, RemoveUser, SetPassword
from bridge.identity.secret import Secret
from tests.integration.wire import NoAnswer, Phone, Wire
from tests.kit.daemon import INSIDE, BridgeProcess, Person, until
from transports.sip.wire.message import Request, Response

PEOPLE = tuple(Person(user=name) for name in ("alice", "bob", "carol", "dave"))
PIDF = (
    '<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{user}@corp.example">'
    '<tuple id="t"><status><basic>{basic}</basic></status></tuple></presence>'
)
_markers = itertools.count(1)


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    sip = 'digest_algorithms = ["SHA-512-256", "SHA-256", "MD5"]\nmax_contacts = 3\nmax_body = 20000'
    with BridgeProcess(people=PEOPLE, sip=sip) as daemon:
        yield daemon
        assert '"level":"error"' not in daemon.log.read_text("utf-8")


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "alice") as phone:
        phone.ask("REGISTER", "sip:corp.example")
        yield phone


@pytest.fixture
def bob(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "bob") as phone:
        assert phone.register().status == 200
        yield phone
        star(phone)


def star(phone: Phone) -> Response:
    """Removes all contacts."""
    return phone.ask("REGISTER", "sip:corp.example", [("Contact", "*"), ("Expires", "0")])


def contacts(response: Response) -> list[str]:
    return [str(one) for one in response.contacts]


def texts(phone: Phone, seconds: float = 0.5) -> list[str]:
    """Returns the texts that come until ``seconds`` pass without one."""
    found = []
    try:
        while True:
            found.append(phone.text(seconds)[1])
    except NoAnswer:
        return found


def presence(request: Request) -> tuple[str, str]:
    """Returns the state of a subscription, and what is shown."""
    state = (request.first("Subscription-State") or "").partition(";")[0]
    return state, "open" if b"<basic>open" in request.body else "closed" if b"<basic>closed" in request.body else ""


def notify(phone: Phone, seconds: float = 8.0) -> tuple[str, str]:
    return presence(phone.incoming(lambda request: request.method == "NOTIFY", seconds))


def subscribe(phone: Phone, target: str, expires: int = 600, **fields: str) -> Response:
    headers = [("Event", "presence"), ("Contact", f"<{phone.contact}>"), ("Expires", str(expires))]
    return phone.ask("SUBSCRIBE", f"sip:{target}@corp.example", headers, b"", **fields)


def publish(phone: Phone, basic: str) -> Response:
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml")]
    body = PIDF.format(user=phone.user, basic=basic).encode()
    return phone.ask("PUBLISH", f"sip:{phone.user}@corp.example", headers, body)


# Digest


@pytest.mark.parametrize("number", range(3))
def test_each_algorithm_that_is_offered_is_taken_and_they_come_in_order(bridge: BridgeProcess, number: int) -> None:
    with Phone(bridge, "carol") as phone:
        phone.send(phone.build("REGISTER", "sip:corp.example"))
        lines = phone.final().lines("WWW-Authenticate")
        assert [line.partition("algorithm=")[2].partition(",")[0] for line in lines] == [
            "SHA-512-256",
            "SHA-256",
            "MD5",
        ]
        response = Response.build(401, "Unauthorized", [("WWW-Authenticate", lines[number])])
        phone.take_challenge(response)
        phone.send(phone.build("REGISTER", "sip:corp.example"))
        assert phone.final().status == 200


def test_a_captured_request_cannot_be_used_again(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    data = alice.build("MESSAGE", "sip:bob@corp.example", [("Content-Type", "text/plain")], b"my words")
    alice.send(data)
    assert alice.final().status == 202
    with Wire(bridge, "udp") as other:
        changed = data.replace(b"z9hG4bK", b"z9hG4bKother").replace(b"my words", b"evil one")
        other.send(changed)
        response = other.response()
        assert response.status == 407
        assert "stale=true" in (response.first("Proxy-Authenticate") or "")
    assert texts(bob) == ["my words"]


# REGISTER


def test_contacts_of_one_person(bridge: BridgeProcess) -> None:
    with Phone(bridge, "dave") as phone:

        def register(*lines: str, expires: str = "600") -> Response:
            headers = [("Contact", line) for line in lines] + [("Expires", expires)]
            return phone.ask("REGISTER", "sip:corp.example", headers)

        two = register("<sip:d@127.0.0.1:7001>;q=0.5, <sip:d@[::1]:7002>;q=0.9;expires=100")
        assert contacts(two) == ["<sip:d@[::1]:7002>;expires=100;q=0.9", "<sip:d@127.0.0.1:7001>;expires=600;q=0.5"]
        assert register(*(f"<sip:d@127.0.0.1:{port}>" for port in range(7003, 7007))).status == 403
        assert register("<sip:d@127.0.0.1:7003>;expires=5").first("Min-Expires") == "60"
        assert register("*").status == 400
        assert register("*, <sip:d@127.0.0.1:7001>", expires="0").status == 400
        assert len(contacts(phone.ask("REGISTER", "sip:corp.example"))) == 2
        assert len(contacts(register("<sip:d@[::1]:7002>;expires=0"))) == 1
        assert contacts(register("*", expires="0")) == []


def test_registrations_survive_a_stop_and_a_kill(bridge: BridgeProcess) -> None:
    with Phone(bridge, "bob") as phone:
        assert phone.register().status == 200
        for kill in (True, False):
            bridge.restart(kill=kill)
            with Phone(bridge, "carol", "tcp") as carol:
                text = f"after a restart {next(_markers)}"
                assert carol.message("bob", text).status == 202
                assert phone.text() == ("carol@corp.example", text)
        star(phone)


# MESSAGE


@pytest.mark.parametrize(
    "uri", ["sip:BOB@CORP.example.", "sip:b%6fb@corp.example:5060;transport=tcp", "sip:bob@127.0.0.1"]
)
def test_spellings_of_one_address(alice: Phone, bob: Phone, uri: str) -> None:
    text = f"spelling {next(_markers)}"
    assert alice.ask("MESSAGE", uri, [("Content-Type", "text/plain")], text.encode()).status == 202
    assert bob.text()[1] == text


def test_a_retransmission_is_answered_alike_and_delivered_once(alice: Phone, bob: Phone) -> None:
    data = alice.build("MESSAGE", "sip:bob@corp.example", [("Content-Type", "text/plain")], b"once more")
    answers = set()
    for _ in range(3):
        alice.send(data)
        answers.add(alice.receive_bytes())
    assert len(answers) == 1
    assert texts(bob) == ["once more"]


def test_the_same_message_by_another_way(alice: Phone, bob: Phone) -> None:
    """RFC 3261 8.2.2.2: the same From tag, Call-ID and CSeq in another transaction."""
    statuses = []
    for _ in range(2):
        alice._cseq = 9_000
        statuses.append(alice.message("bob", "merged", call_id=f"merged-{alice.name}").status)
    assert statuses == [202, 482]
    assert texts(bob) == ["merged"]


def test_once_delivered_is_once_delivered(bridge: BridgeProcess, alice: Phone) -> None:
    """Of three devices one takes the text, one does not take texts, one is silent."""
    with Phone(bridge, "dave") as takes, Phone(bridge, "dave", "tcp") as refuses, Phone(bridge, "dave") as silent:
        for phone in (takes, refuses, silent):
            assert phone.register().status == 200
        assert alice.message("dave", "to all of you").status == 202
        assert takes.text()[1] == "to all of you"
        assert refuses.incoming(status=415).body == b"to all of you"
        branches = {silent.receive().to_bytes().split(b"branch=")[1][:40] for _ in range(3)}
        assert len(branches) == 1  # retransmissions of one request, to a device that might yet be there
        assert texts(takes) == []
        star(takes)


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 120,
        "e\u0301" * 900,
        "\U0001f44d\U0001f3fd" * 400,
        "many words " * 300,
        "x" * 20_000,
    ],
)
def test_a_long_text_is_cut_between_characters_for_a_device_on_udp(
    bridge: BridgeProcess, bob: Phone, text: str
) -> None:
    with Phone(bridge, "carol", "tcp") as carol:
        assert carol.message("bob", text).status == 202
    parts: list[str] = []
    while sum(map(len, parts)) < len(text):
        message = bob.incoming(lambda request: request.method == "MESSAGE")
        assert len(message.to_bytes()) <= 1300
        parts.append(message.body.decode())
    assert "".join(parts) == text
    for part in parts:
        assert not unicodedata.combining(part[0])
        assert part[0] not in "\u200d\U0001f3fd"


def test_a_long_text_goes_whole_to_a_device_on_tcp(bridge: BridgeProcess) -> None:
    text = "\U0001f469\u200d\U0001f467 " * 1500
    with Phone(bridge, "bob", "tcp") as phone, Phone(bridge, "carol", "tls") as carol:
        assert phone.register().status == 200
        assert carol.message("bob", text).status == 202
        assert phone.text()[1] == text
        star(phone)


@pytest.mark.parametrize(
    ("transport", "size", "status"), [("udp", 20_001, 413), ("tcp", 20_001, 413), ("tcp", 20_000, 202)]
)
def test_the_limit_of_a_body(bridge: BridgeProcess, transport: str, size: int, status: int) -> None:
    with Phone(bridge, "carol", transport) as phone:
        assert phone.message("dave", "x" * size).status == status


def test_a_name_is_no_header(alice: Phone, bob: Phone) -> None:
    name = '"a\\"b\\\\ <sip:x@y>;tag=z" <sip:alice@corp.example>;tag=1'
    assert alice.message("bob", "hello\r\nX-Evil: 1\r\n\r\nMESSAGE", from_=name).status == 202
    message = bob.incoming(lambda request: request.method == "MESSAGE")
    assert not message.has("X-Evil")
    assert str(message.from_.uri) == "sip:alice@corp.example"


# Accounts that change


def test_who_is_shut_out_is_told_nothing_more(bridge: BridgeProcess, alice: Phone) -> None:
    assert alice.register().status == 200
    bridge.change(AddUser(address="eve@corp.example", password=Secret("secret")))
    with Phone(bridge, "eve") as eve:
        assert eve.register().status == 200
        assert subscribe(eve, "alice").status == 200
        assert notify(eve) == ("active", "open")
        bridge.change(DisableUser(address="eve@corp.example"))
        assert notify(eve) == ("terminated", "")
        assert publish(alice, "closed").status == 200
        assert eve.register().status == 401
        bridge.change(RemoveUser(address="eve@corp.example"))
        bridge.change(AddUser(address="eve@corp.example", password=Secret("of somebody else")))
        assert alice.message("eve", "for the new one").status == 202
        with pytest.raises(NoAnswer):
            eve.receive(0.5)
    with Phone(bridge, "eve", password="of somebody else") as new:
        assert new.register().status == 200
        assert new.text()[1] == "for the new one"


def test_a_new_password_ends_what_the_old_one_opened(bridge: BridgeProcess, alice: Phone) -> None:
    bridge.change(AddUser(address="fay@corp.example", password=Secret("secret")))
    with Phone(bridge, "fay") as stolen, Phone(bridge, "fay", password="fresh") as own:
        assert stolen.register().status == 200
        bridge.change(SetPassword(address="fay@corp.example", password=Secret("fresh")))
        assert own.register().status == 200
        assert alice.message("fay", "private").status == 202
        assert own.text()[1] == "private"
        with pytest.raises(NoAnswer):
            stolen.receive(0.3)


def test_who_was_shut_out_while_the_bridge_was_down() -> None:
    with BridgeProcess(people=PEOPLE) as bridge, Phone(bridge, "bob") as bob:
        assert bob.register().status == 200
        bridge.terminate()
        bridge.home().change_people([DisableUser(address="bob@corp.example")], actor="test")
        bridge.start()
        assert bridge.status()["sip"]["bindings"] == 0


# Presence


def test_another_cannot_end_a_watch_and_a_kill_does_not(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.register().status == 200
    opened = subscribe(bob, "alice", call_id="watch-1")
    state, shown = notify(bob)
    assert state == "active"
    to = str(opened.to)
    with Phone(bridge, "carol") as carol:
        from_ = f"<sip:carol@corp.example>;tag={bob.name}"
        assert subscribe(carol, "alice", 0, call_id="watch-1", to=to, from_=from_).status == 481
        from_ = f"<sip:bob@corp.example>;tag={bob.name}"
        assert subscribe(carol, "alice", 0, call_id="watch-1", to=to, from_=from_).status == 403
    bridge.restart(kill=True)
    assert notify(bob) == ("active", shown)
    with Phone(bridge, "bob") as again:
        again.name, again._cseq = bob.name, 5_000
        again.ask("REGISTER", "sip:corp.example")
        assert subscribe(again, "alice", 0, call_id="watch-1", to=to).status == 200
        assert notify(again) == ("terminated", shown)
        assert subscribe(again, "alice", 0, call_id="watch-1", to=to).status == 481


# Streams and floods


def test_a_stream_cut_at_every_octet_and_many_requests_in_one_write(bridge: BridgeProcess) -> None:
    with Phone(bridge, "carol", "tcp") as phone:
        one = phone.build("OPTIONS", "sip:corp.example", authenticate=False)
        for octet in one:
            phone.send(bytes([octet]))
        assert phone.response().status == 200
        many = [phone.build("OPTIONS", "sip:corp.example", authenticate=False) for _ in range(100)]
        phone.send(b"".join(many))
        assert [phone.response().cseq.number for _ in many] == list(range(2, 102))
        phone.send(b"\r\n\r\n")
        phone.socket.settimeout(5.0)
        assert phone.socket.recv(100) == b"\r\n"


def test_garbage_by_the_thousand_costs_others_nothing_and_no_memory(bridge: BridgeProcess) -> None:
    def resident() -> int:
        status = Path(f"/proc/{bridge.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0])

    dice = random.Random(7)
    connections = [Wire(bridge, "tcp", (f"127.2.0.{number % 5 + 1}", 0)) for number in range(300)]
    with Phone(bridge, "carol") as flood, Wire(bridge, "udp", ("127.2.1.1", 0)) as other:
        good = flood.build(
            "MESSAGE", "sip:bob@corp.example", [("Content-Type", "text/plain")], b"x", authenticate=False
        )

        def burst() -> None:
            for _ in range(50):
                data = bytearray(good)
                data[dice.randrange(len(data))] = dice.randrange(256)
                flood.send(dice.choice([bytes(data), dice.randbytes(600), b"SIP/2.0 200 OK\r\n" + good]))

        for _ in range(20):
            burst()
            assert other.options().status == 200
        before = resident()
        for _ in range(100):
            burst()
            assert other.options().status == 200
        assert resident() - before < 16_384
    for connection in connections:
        assert connection.options().status == 200
        connection.socket.close()


def test_an_unused_handshake_does_not_hold_others_up(bridge: BridgeProcess) -> None:
    half = [socket.create_connection(("127.0.0.1", bridge.tls_port)) for _ in range(50)]
    with Wire(bridge, "tls") as wire:
        assert wire.options().status == 200
    for one in half:
        one.close()


# Reload and stop


def test_a_reload_under_a_living_connection_and_a_stop_that_loses_nothing() -> None:
    with BridgeProcess(people=PEOPLE) as bridge, Phone(bridge, "bob") as bob:
        assert bob.register().status == 200
        with Phone(bridge, "alice", "tls") as alice:
            assert alice.message("bob", "before").status == 202
            assert bob.text()[1] == "before"
            old = certificate(alice)
            bridge.write_policy('[policy]\nversion = "closed"\n')
            for name in ("cert.pem", "key.pem"):
                (bridge.data / "tls" / name).unlink()
            self_signed(bridge.data / "tls", "corp.example", ["127.0.0.1"])
            os.kill(bridge.pid, signal.SIGHUP)
            until(lambda: bridge.status()["policy"]["version"] == "closed", 5.0, "the policy")
            assert alice.message("bob", "meanwhile").status == 403
            with Phone(bridge, "carol", "tls") as new:
                assert certificate(new) != old
            bridge.write_policy(INSIDE)
            os.kill(bridge.pid, signal.SIGHUP)
            until(lambda: bridge.status()["policy"]["version"] == "test", 5.0, "the policy")
            assert alice.message("bob", "in flight").status == 202
            under_way = bob.receive()
            assert isinstance(under_way, Request)
            assert bridge.process is not None
            bridge.process.send_signal(signal.SIGTERM)
            until(lambda: bridge.status()["state"] == "stopping", 5.0, "the stop")
            assert alice.message("bob", "during the stop").status in {202, 503}
            bob.reply(under_way, 200)
            assert bridge.process.wait(20) == 0
        bridge.start()
        assert texts(bob, 1.5) == ["during the stop"]
        assert bridge.audit("verify")["ok"]


def certificate(phone: Phone) -> bytes | None:
    return phone.socket.getpeercert(True)  # type: ignore[attr-defined, no-any-return]
