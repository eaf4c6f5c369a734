"""The drivers against Kamailio: what fails here is a driver or a client, not the bridge."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.peers import (
    Account,
    Baresip,
    Bitlbee,
    Kamailio,
    Linphone,
    PeerError,
    PeerExited,
    PeerMissing,
    PeerTimeout,
    Sipp,
    credentials,
)
from tests.peers.process import find_program

DOMAIN = "example.test"
PASSWORD = "secret"

pytestmark = [pytest.mark.peer, pytest.mark.slow]

for _program, _package in (
    ("kamailio", "kamailio kamailio-presence-modules kamailio-sqlite-modules"),
    ("baresip", "baresip-core"),
    ("linphonec", "linphone-cli"),
    ("bitlbee", "bitlbee-libpurple"),
    ("sipp", "sip-tester"),
):
    try:
        find_program(_program, _package)
    except PeerMissing as _missing:
        if os.environ.get("SIMPLEBRIDGE_CI"):
            raise
        pytest.skip(str(_missing), allow_module_level=True)


@pytest.fixture
def server() -> Iterator[Kamailio]:
    with Kamailio(DOMAIN, PASSWORD) as kamailio:
        yield kamailio


def account(server: Kamailio, user: str, *contacts: str, transport: str = "udp", password: str = PASSWORD) -> Account:
    return Account(
        user=user,
        domain=DOMAIN,
        password=password,
        host="127.0.0.1",
        port=server.port,
        transport=transport,
        contacts=tuple(at(name) for name in contacts),
    )


def at(user: str) -> str:
    return f"{user}@{DOMAIN}"


def _sees(watcher: Baresip, bob: Baresip, *, online: bool) -> None:
    """Has bob publish until it is seen: on a loaded machine a first state was once never shown, nobody knows why."""
    for left in reversed(range(4)):
        bob.set_online(online)
        try:
            watcher.wait_presence(at("bob"), "online" if online else "offline", timeout=10.0)
        except PeerTimeout:
            if not left:
                raise
        else:
            return


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip(server: Kamailio, transport: str) -> None:
    with (
        Baresip(account(server, "alice", "carol", "bob", transport=transport)) as alice,
        Baresip(account(server, "bob", "alice", transport=transport)) as bob,
    ):
        alice.wait_registered()
        bob.wait_registered()
        alice.send_text(at("bob"), "grüße 1 & <2>")
        bob.wait_text("grüße 1 & <2>", sender=at("alice"))
        bob.send_text(at("alice"), "日本 😀")
        alice.wait_text("日本 😀", sender=at("bob"))
        _sees(alice, bob, online=True)
        _sees(alice, bob, online=False)
        alice.send_text(at("carol"), "nobody there")
        alice.wait_failure(404)
        assert [t.text for t in bob.texts] == ["grüße 1 & <2>"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone(server: Kamailio, transport: str) -> None:
    with Linphone(account(server, "alice", "bob", transport=transport)) as alice:
        with Linphone(account(server, "bob", "alice", transport=transport)) as bob:
            alice.wait_registered()
            bob.wait_registered()
            alice.send_text(at("bob"), "grüße 1 & <2>")
            bob.wait_text("grüße 1 & <2>", sender=at("alice"))
            bob.send_text(at("alice"), "日本 😀")
            alice.wait_text("日本 😀", sender=at("bob"))
            alice.wait_presence(at("bob"), "online")
        if transport == "tcp":  # over UDP its last PUBLISH has no Content-Length, which Kamailio refuses with 400
            alice.wait_presence(at("bob"), "offline")
        assert "application/pidf+xml" in alice.wire_log()


def test_linphone_subscribes_to_a_list(server: Kamailio) -> None:
    with Linphone(account(server, "alice", "bob", "carol", transport="tcp"), rls_address=at("rls")) as alice:
        alice.wait_registered()
        alice.child.wait(
            lambda: "Require: recipient-list-subscribe" in alice.wire_log(), 10, "the SUBSCRIBE with the list"
        )
        sent = alice.wire_log()
        assert f"SUBSCRIBE sip:{at('rls')}" in sent
        assert f"SUBSCRIBE sip:{at('bob')}" not in sent


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_bitlbee_and_baresip(server: Kamailio, transport: str) -> None:
    with (
        Bitlbee(account(server, "alice", "bob", transport=transport)) as alice,
        Baresip(account(server, "bob", "alice", transport=transport)) as bob,
        Linphone(account(server, "carol", transport=transport)) as carol,
    ):
        for client in (alice, bob, carol):
            client.wait_registered()
        alice.send_text(at("bob"), "grüße 1 & <2>")
        bob.wait_text("grüße 1 & <2>", sender=at("alice"))
        bob.send_text(at("alice"), "日本 😀")
        alice.wait_text("日本 😀", sender=at("bob"))
        carol.send_text(at("alice"), "from a stranger")
        alice.wait_text("from a stranger", sender=at("carol"))
        alice.wait_presence(at("bob"), "online", timeout=60.0)
        bob.set_online(False)
        if transport == "udp":  # over TCP libpurple leaves the second of two NOTIFYs unread until more comes
            alice.wait_presence(at("bob"), "offline", timeout=60.0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_sends_in_sequence_to_a_registered_receiver(server: Kamailio, transport: str) -> None:
    calls = 200
    with Sipp("message_uas", host="127.0.0.1", port=server.port, transport=transport) as receiver:
        binding = ("bulk", DOMAIN, credentials("bulk", PASSWORD), str(receiver.local_port))
        with Sipp(
            "register_digest", host="127.0.0.1", port=server.port, transport=transport, rows=[binding], calls=1
        ) as register:
            assert register.wait(10).successful == 1, register.errors()
        row = ("alice", DOMAIN, credentials("alice", PASSWORD), at("bulk"), "text")
        with Sipp(
            "message_uac",
            host="127.0.0.1",
            port=server.port,
            transport=transport,
            rows=[row],
            calls=calls,
            rate=400,
            limit=1,
        ) as sender:
            stats = sender.wait(20)
            assert (stats.successful, stats.failed) == (calls, 0), sender.errors()
        assert receiver.wait_bodies(calls, 10) == [f"text {n + 1}" for n in range(calls)]


def test_a_wrong_password_is_seen(server: Kamailio) -> None:
    with Baresip(account(server, "alice", password="wrong")) as alice, pytest.raises(PeerTimeout, match="401"):
        alice.wait_registered(timeout=2)
    row = ("alice", DOMAIN, credentials("alice", "wrong"), at("bob"), "text")
    with Sipp("message_uac", host="127.0.0.1", port=server.port, rows=[row], calls=1) as sender:
        stats = sender.wait(15)
        assert (stats.successful, stats.failed) == (0, 1)
        assert "407" in sender.errors()


def test_a_text_that_does_not_come_is_an_error(server: Kamailio) -> None:
    with Baresip(account(server, "alice", "bob")) as alice:
        alice.wait_registered()
        with pytest.raises(PeerTimeout, match="never sent"):
            alice.wait_text("never sent", timeout=0.3)
        with pytest.raises(PeerError, match="no contact"):
            alice.send_text(at("dave"), "hello")
        alice.child.process.kill()
        with pytest.raises(PeerExited):
            alice.wait_text("never sent", timeout=10)


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(PeerMissing, match="apt-get install no-such-package"):
        find_program("no-such-program", "no-such-package")
