"""baresip, linphone and libpurple (under BitlBee), each registered at one daemon, write to and watch each other.

Programs of others, unmodified, from Debian. libpurple over UDP would take port 5060 of the whole machine, which another
libpurple may have: it is tried over TCP. Where a client cannot say that its user is away, a phone of ours says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.programs import need
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers import Account, Baresip, Bitlbee, Linphone, SipClient

DOMAIN = "corp.example"
pytestmark = [pytest.mark.peer, pytest.mark.slow]
PIDF = (
    '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" '
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" '
    'entity="sip:dora@corp.example"><tuple id="t1"><status><basic>%s</basic></status></tuple>'
    '<dm:person id="p1"><rpid:activities>%s</rpid:activities></dm:person></presence>'
)
TEXTS = ("grüße 1 & <2>", "日本語 😀👨‍👩‍👧 e\u0301")


@pytest.fixture(autouse=True)
def programs() -> None:
    need(("baresip", "baresip-core"), ("linphonec", "linphone-cli"), ("bitlbee", "bitlbee-libpurple"))


@pytest.fixture
def bridge() -> Iterator[BridgeProcess]:
    users = ("alice", "bob", "carol", "dora")
    with BridgeProcess(people=[Person(user=user) for user in users]) as daemon:
        yield daemon
        log = daemon.log.read_text("utf-8")
        assert '"level":"error"' not in log, log
        assert not [found for found in daemon.records() if found.problem]


def at(user: str) -> str:
    return f"{user}@{DOMAIN}"


def account(bridge: BridgeProcess, user: str, transport: str, *contacts: str) -> Account:
    return Account(
        user=user,
        domain=DOMAIN,
        password="secret",
        host="127.0.0.1",
        port=bridge.port,
        transport=transport,
        contacts=tuple(map(at, contacts)),
    )


def all_three(bridge: BridgeProcess, transport: str) -> dict[str, SipClient]:
    return {
        "alice": Baresip(account(bridge, "alice", transport, "bob", "carol", "dora")),
        "bob": Linphone(account(bridge, "bob", transport, "alice", "carol", "dora")),
        "carol": Bitlbee(account(bridge, "carol", "tcp", "alice", "bob", "dora")),
    }


def publish(phone: Phone, basic: str, activity: str, etag: str | None) -> str:
    """Publishes what dora does; returns the entity tag."""
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "600")]
    if etag is not None:
        headers.append(("SIP-If-Match", etag))
    response = phone.ask("PUBLISH", f"sip:{at('dora')}", headers, (PIDF % (basic, activity)).encode())
    assert response.status == 200
    return response.first("SIP-ETag") or ""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_three_clients(bridge: BridgeProcess, transport: str) -> None:
    clients = all_three(bridge, transport)
    with ExitStack() as stack:
        dora = stack.enter_context(Phone(bridge, "dora", "tcp"))
        assert dora.register().status == 200
        for client in clients.values():
            stack.enter_context(client)
            client.wait_registered()
        write_to_each_other(clients)
        see_each_other(clients)
        see_who_is_away(clients, dora)
        see_who_leaves(bridge, clients, stack)
    until(lambda: bridge.status()["sip"]["bindings"] == 1, 60.0, "the end of the registrations")
    recorded = {found.row.event for found in bridge.records()}
    assert {"intake", "decision", "outcome"} <= recorded


def write_to_each_other(clients: dict[str, SipClient]) -> None:
    for text in TEXTS:
        for sender, here in clients.items():
            for recipient, there in clients.items():
                if there is not here:
                    said = f"{text} {sender} to {recipient}"
                    here.send_text(at(recipient), said)
                    there.wait_text(said, sender=at(sender))
    for client in clients.values():
        assert len(client.texts) == 2 * len(TEXTS), client.texts


def see_each_other(clients: dict[str, SipClient]) -> None:
    for watcher in clients.values():
        for user in (*clients, "dora"):
            if watcher is not clients.get(user):
                watcher.wait_presence(at(user), "online")


def see_who_is_away(clients: dict[str, SipClient], dora: Phone) -> None:
    """Each in its own words: baresip has no away and shows it as offline, libpurple 2 shows nothing but open."""
    etag = publish(dora, "open", "<rpid:busy/>", None)
    clients["alice"].wait_presence(at("dora"), "busy")
    clients["bob"].wait_presence(at("dora"), "busy")
    etag = publish(dora, "open", "<rpid:away/>", etag)
    clients["alice"].wait_presence(at("dora"), "offline")
    clients["bob"].wait_presence(at("dora"), "away")
    assert clients["carol"].shown(at("dora")) == "online"
    etag = publish(dora, "open", "", etag)
    clients["alice"].wait_presence(at("dora"), "online")
    clients["bob"].wait_presence(at("dora"), "online")
    publish(dora, "closed", "", etag)
    for client in clients.values():
        client.wait_presence(at("dora"), "offline")


def see_who_leaves(bridge: BridgeProcess, clients: dict[str, SipClient], stack: ExitStack) -> None:
    alice = clients["alice"]
    assert isinstance(alice, Baresip)
    alice.set_online(False)
    clients["bob"].wait_presence(at("alice"), "offline")
    clients["carol"].wait_presence(at("alice"), "offline")
    alice.set_online(True)
    clients["bob"].wait_presence(at("alice"), "online")
    clients["bob"].stop()  # over UDP its last PUBLISH has no Content-Length
    alice.wait_presence(at("bob"), "offline")
    clients["carol"].wait_presence(at("bob"), "offline")
    clients["carol"].stop()
    # libpurple says farewell once and closes its connection, with what it has not read: then its own system throws away
    # what it said last. Its Contact is found dead a while later.
    until(lambda: bridge.status()["sip"]["bindings"] == 2, 60.0, "the end of carol's registration, alone")
    alice.wait_presence(at("carol"), "offline", timeout=30.0)


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_text_waits_for_its_recipient_over_a_restart(bridge: BridgeProcess, kill: bool) -> None:
    with Linphone(account(bridge, "bob", "udp", "alice")) as bob:
        bob.wait_registered()
        for number in range(3):
            bob.send_text(at("alice"), f"while you were out {number} 😀")
            until(lambda wanted=number: bridge.status()["messages"]["recorded"] > wanted, 10.0, "the record")  # type: ignore[misc]
    bridge.restart(kill=kill)
    assert bridge.status()["queues"]["waiting"] == 3
    with Baresip(account(bridge, "alice", "tcp", "bob")) as alice:
        alice.wait_registered()
        seen = alice.wait_texts(3)
        assert [text.text for text in seen] == [f"while you were out {number} 😀" for number in range(3)]
        until(lambda: bridge.status()["queues"]["waiting"] == 0, 10.0, "the end of the queue")
        assert len(alice.texts) == 3


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_registrations_and_watches_survive_a_restart(bridge: BridgeProcess, transport: str) -> None:
    """Over UDP the clients notice nothing at all; over TCP they come back by themselves."""
    alice = Baresip(account(bridge, "alice", transport, "bob", "carol"))
    bob = Linphone(account(bridge, "bob", transport, "alice"))
    with alice, bob:
        alice.wait_registered()
        bob.wait_registered()
        alice.wait_presence(at("bob"), "online")
        bob.wait_presence(at("alice"), "online")
        bridge.restart(kill=True)
        assert bridge.status()["sip"]["bindings"] == 2
        if transport == "udp":
            alice.send_text(at("bob"), "after the restart")
            bob.wait_text("after the restart", sender=at("alice"))
            bob.send_text(at("alice"), "and back")
            alice.wait_text("and back", sender=at("bob"))
        else:
            # linphone registers again a minute after it has lost its connection; baresip when its registration ends.
            with Phone(bridge, "carol") as carol:
                assert carol.message("bob", "after the restart").status == 202
                bob.send_text(at("carol"), "are you there?")  # it opens its new connection with that
                bob.wait_text("after the restart", sender=at("carol"), timeout=75.0)


def test_typing_between_two_libpurples(bridge: BridgeProcess) -> None:
    """Both make the same Call-IDs, tags and branches in the same order, and are told apart all the same."""
    carol = Bitlbee(account(bridge, "carol", "tcp", "dora"))
    dora = Bitlbee(account(bridge, "dora", "tcp", "carol"))
    with carol, dora:
        for client in (carol, dora):
            client.wait_registered()
            client.control("set typing_notice true")
        carol.wait_presence(at("dora"), "online")
        dora.wait_presence(at("carol"), "online")
        carol.send_text(at("dora"), "hi")  # libpurple shows typing in a conversation that is open
        dora.wait_text("hi", sender=at("carol"))
        dora.send_text(at("carol"), "hello")
        carol.wait_text("hello", sender=at("dora"))
        carol.send_typing(at("dora"))
        dora.child.wait(lambda: (at("carol"), 1) in dora.typing, 10.0, "carol typing")
        dora.send_typing(at("carol"))
        carol.child.wait(lambda: (at("dora"), 1) in carol.typing, 10.0, "dora typing")
        carol.send_typing(at("dora"), typing=False)
        dora.child.wait(lambda: dora.typing[-1] == (at("carol"), 0), 10.0, "carol typing no more")
        for number in range(20):
            carol.send_text(at("dora"), f"to dora {number}")
            dora.send_text(at("carol"), f"to carol {number}")
        assert [text.text for text in dora.wait_texts(21)[1:]] == [f"to dora {number}" for number in range(20)]
        assert [text.text for text in carol.wait_texts(21)[1:]] == [f"to carol {number}" for number in range(20)]
        dora.stop()
        carol.wait_presence(at("dora"), "offline")
    assert bridge.status()["messages"]["duplicates"] == 0


def wire_log(client: Linphone) -> str:
    """What linphone has on record; nothing before its first line."""
    try:
        return client.wire_log()
    except FileNotFoundError:
        return ""


def test_a_notice_of_receipt_never_becomes_a_text(bridge: BridgeProcess) -> None:
    """Linphone answers each text with a second MESSAGE, a deflated IMDN."""
    with (
        Linphone(account(bridge, "bob", "tcp")) as bob,
        Phone(bridge, "alice", "tcp") as alice,
    ):
        bob.wait_registered()
        assert alice.register().status == 200
        assert alice.message("bob", "one").status == 202
        bob.wait_text("one", sender=at("alice"))
        bob.child.wait(lambda: "message/imdn+xml" in wire_log(bob), 10.0, "the IMDN")
        bob.send_text(at("alice"), "two")
        assert alice.text() == (at("bob"), "two")
    texts = [found.record.envelope for found in bridge.records() if found.record.envelope is not None]
    assert len(texts) == 2


def test_a_wrong_password_does_not_get_in(bridge: BridgeProcess) -> None:
    wrong = Account(user="bob", domain=DOMAIN, password="guessed", host="127.0.0.1", port=bridge.port, transport="udp")
    with Linphone(wrong) as bob:
        bob.child.wait(lambda: "SIP/2.0 401" in wire_log(bob), 10.0, "the challenge")
        assert bridge.status()["sip"]["bindings"] == 0
