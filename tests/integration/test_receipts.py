"""Receipts and composing at a whole daemon: CPIM and IMDN by hand, linphone, libpurple, a screen name (RFC 5438)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.integration.programs import need
from tests.integration.wire import NoAnswer, Phone
from tests.kit.aim import AIM_DOMAIN, ALICE, FRIEND, AimWorld, aim_world
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers import Account, Baresip, Bitlbee, Linphone
from transports.sip.wire.cpim import IMDN, parse_cpim
from transports.sip.wire.imdn import parse_imdn
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing
from transports.sip.wire.message import Request

DOMAIN = "corp.example"
PEOPLE = [Person(user=user) for user in ("alice", "bob", "carol", "dora", "erin", "fred")]


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(people=PEOPLE) as daemon:
        yield daemon
        assert '"level":"error"' not in daemon.log.read_text("utf-8")


def asking(sender: str, to: str, text: str, message_id: str, asked: str) -> str:
    """A CPIM message that asks for receipts."""
    return (
        f"From: <sip:{sender}@{DOMAIN}>\r\nTo: <sip:{to}>\r\nDateTime: 2026-11-27T12:00:00Z\r\n"
        f"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {message_id}\r\n"
        f"imdn.Disposition-Notification: {asked}\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )


def is_message(request: Request) -> bool:
    return request.method == "MESSAGE"


def receipt(phone: Phone, seconds: float = 5.0) -> tuple[str, str, str]:
    """The next notification: its Message-ID, its status, and who tells it."""
    request = phone.incoming(is_message, seconds)
    assert request.content_type is not None
    assert request.content_type.media_type == "message/cpim", request.to_bytes()
    message = parse_cpim(request.body)
    assert message.content.disposition == "notification"
    assert not message.first("Disposition-Notification", IMDN)
    told = parse_imdn(message.content.body)
    assert told.datetime == "2026-11-27T12:00:00Z"
    assert message.sender == str(request.from_.uri)
    return told.message_id, told.status, str(request.from_.uri)


def nothing(phone: Phone, seconds: float = 0.7) -> None:
    with pytest.raises(NoAnswer):
        phone.incoming(is_message, seconds)


def test_receipts_between_two_phones_in_both_names(bridge: BridgeProcess) -> None:
    """What bob's phone reports is told to alice in her own name for the message; a 200 makes no receipt."""
    with Phone(bridge, "alice") as alice, Phone(bridge, "bob", "tcp") as bob:
        assert alice.register().status == 200
        accept = ("Accept", "text/plain, message/cpim, message/imdn+xml")
        headers = [("Contact", f"<{bob.contact}>"), accept]
        assert bob.ask("REGISTER", f"sip:{DOMAIN}", headers).status == 200
        asked = "positive-delivery, negative-delivery, display"
        body = asking("alice", f"bob@{DOMAIN}", "lunch?", "alices-name", asked)
        assert alice.message("bob", body, kind="message/cpim").status == 202
        request = bob.incoming(is_message)
        message = parse_cpim(request.body)
        assert message.content.body == b"lunch?"
        assert message.first("Disposition-Notification", IMDN) == asked
        bridges_name = message.first("Message-ID", IMDN)
        assert bridges_name not in {"", "alices-name"}
        nothing(alice)
        for status, kind in (("delivered", "delivery"), ("displayed", "display")):
            document = (
                f'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>{bridges_name}</message-id>'
                f"<datetime>2026-11-27T12:00:00Z</datetime><{kind}-notification><status><{status}/></status>"
                f"</{kind}-notification></imdn>"
            )
            assert bob.message("alice", document, kind="message/imdn+xml").status == 202
            assert receipt(alice) == ("alices-name", status, f"sip:bob@{DOMAIN}")
        assert bob.message("alice", document, kind="message/imdn+xml").status == 202
        nothing(alice)


def test_a_device_that_refuses_fails_the_message_and_the_sender_is_told(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "carol") as carol:
        assert [alice.register().status, carol.register().status] == [200, 200]
        body = asking("alice", f"carol@{DOMAIN}", "no", "refused-1", "negative-delivery")
        assert alice.message("carol", body, kind="message/cpim").status == 202
        request = carol.incoming(is_message, status=403)
        assert request.content_type is not None
        assert request.content_type.media_type == "text/plain"  # nothing says that carol takes CPIM
        found = {_kind(alice.incoming(is_message)) for _ in range(2)}
        assert found == {"failed", "text"}  # the notification, and the bridge's own words


def _kind(request: Request) -> str:
    if request.content_type is not None and request.content_type.media_type == "message/cpim":
        return parse_imdn(parse_cpim(request.body).content.body).status
    return "text"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("message/cpim", "From: <sip:bob@corp.example>\r\n\r\nContent-Type: text/plain\r\n\r\nas bob", 403),
        ("message/cpim", "NS: x <urn:x>\r\nRequire: x.Y\r\n\r\nContent-Type: text/plain\r\n\r\nhi", 420),
        ("message/cpim", "\r\nContent-Type: image/png\r\n\r\nhi", 415),
        ("multipart/mixed;boundary=b", "--b\r\nContent-Type: image/png\r\n\r\nhi\r\n--b--", 415),
        ("multipart/mixed;boundary=b", "no part", 400),
        ("multipart/alternative;boundary=b", "--b\r\n\r\nplain\r\n--b\r\nContent-Type: x/y\r\n\r\nz\r\n--b--", 202),
        ("application/x-unheard-of", "hi", 415),
    ],
)
def test_what_is_not_understood_is_answered_and_on_record(
    bridge: BridgeProcess, kind: str, body: str, status: int
) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "carol") as carol:
        assert [alice.register().status, carol.register().status] == [200, 200]
        before = bridge.status()["messages"]
        response = alice.message("carol", body, kind=kind)
        assert response.status == status
        if status == 415:
            assert "multipart/mixed" in (response.first("Accept") or "")
        if status == 202:
            assert carol.text()[1] == "plain"
        elif kind != "application/x-unheard-of":  # which goes no further than the endpoint
            after = bridge.status()["messages"]
            assert after["dead_letters"] == before["dead_letters"] + 1


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_reports_and_the_sender_is_told(bridge: BridgeProcess, transport: str) -> None:
    need((Linphone.program, Linphone.package))
    account = Account(
        user="bob", domain=DOMAIN, password="secret", host="127.0.0.1", port=bridge.port, transport=transport
    )
    with Linphone(account) as bob, Phone(bridge, "alice", "tcp") as alice:
        bob.wait_registered()
        assert alice.register().status == 200
        body = asking("alice", f"bob@{DOMAIN}", "in CPIM", "short", "positive-delivery")
        assert alice.message("bob", body, kind="message/cpim").status == 202
        bob.wait_text("in CPIM", sender=f"alice@{DOMAIN}")
        assert receipt(alice, 10.0) == ("short", "delivered", f"sip:bob@{DOMAIN}")
        # Over UDP this one is too long for CPIM, goes as plain text, and is reported by its Call-ID, before the 200.
        long = "long " * 80
        assert (
            alice.message(
                "bob", asking("alice", f"bob@{DOMAIN}", long, "long", "positive-delivery"), kind="message/cpim"
            ).status
            == 202
        )
        bob.child.wait(lambda: len(bob.texts) == 2, 10.0, "the long text")
        assert receipt(alice, 10.0) == ("long", "delivered", f"sip:bob@{DOMAIN}")
        assert alice.message("bob", "nobody asked").status == 202
        bob.wait_text("nobody asked")
        nothing(alice, 1.5)


@pytest.mark.peer
@pytest.mark.slow
def test_each_client_is_sent_what_it_takes(bridge: BridgeProcess) -> None:
    """HTML to linphone and baresip is plain from the start: no 415 on the wire; libpurple gets it as it is."""
    for cls in (Linphone, Baresip, Bitlbee):
        need((cls.program, cls.package))
    clients = (("dora", Linphone, "bold text"), ("erin", Baresip, "bold text"), ("fred", Bitlbee, "\x02bold\x02 text"))
    for user, cls, shown in clients:
        account = Account(
            user=user, domain=DOMAIN, password="secret", host="127.0.0.1", port=bridge.port, transport="tcp",
            contacts=(f"alice@{DOMAIN}",),
        )  # fmt: skip
        with cls(account) as client, Phone(bridge, "alice") as alice:
            client.wait_registered()
            assert alice.register().status == 200
            assert alice.message(user, "<b>bold</b> text", kind="text/html").status == 202
            client.wait_text(shown, sender=f"alice@{DOMAIN}")
            composing = build_iscomposing(IsComposing(state="active")).decode()
            assert alice.message(user, composing, kind="application/im-iscomposing+xml").status == 202
            assert alice.message(user, "after the typing").status == 202
            client.wait_text("after the typing")
            if isinstance(client, Linphone):
                assert " 415 " not in client.wire_log()


# A screen name


@pytest.fixture(scope="module")
def world() -> Iterator[AimWorld]:
    with aim_world([ALICE]) as made:
        yield made


@pytest.mark.slow
def test_what_a_screen_names_network_says_is_told_as_processing(world: AimWorld) -> None:
    """The host's acknowledgement is no delivery: who asks for that alone hears nothing."""
    to = f"{FRIEND}@{AIM_DOMAIN}"
    with Phone(world.bridge, "alice") as alice:
        assert alice.register().status == 200
        body = asking("alice", to, "over there", "aim-1", "processing, positive-delivery, display")
        assert alice.message(to, body, kind="message/cpim").status == 202
        until(lambda: [m["text"] for m in world.friend.messages()] == ["over there"], 10.0, "the text")
        assert receipt(alice) == ("aim-1", "processed", f"sip:{to}")
        nothing(alice)
        document = (
            '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>x</message-id><datetime>2026-11-27T12:00:00Z'
            "</datetime><display-notification><status><displayed/></status></display-notification></imdn>"
        )
        assert alice.message(to, document, kind="message/imdn+xml").status == 202
        time.sleep(0.5)
        assert len(world.friend.messages()) == 1  # a receipt is never a text
