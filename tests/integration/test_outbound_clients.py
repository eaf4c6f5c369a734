"""Real clients with SIP Outbound and GRUUs: baresip registers two flows, linphone takes its GRUU for its Contact."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.integration.programs import Capture, need
from tests.integration.test_sip_clients import account, at, wire_log
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers import Baresip, Linphone

pytestmark = [pytest.mark.peer, pytest.mark.slow]
FLOW_TIMER = 10
_COOKIE = re.escape(bytes.fromhex("2112a442"))


@pytest.fixture
def bridge() -> Iterator[BridgeProcess]:
    need(("baresip", "baresip-core"), ("linphonec", "linphone-cli"))
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    with BridgeProcess(people=people, sip=f"flow_timer = {FLOW_TIMER}") as daemon:
        yield daemon
        assert '"level":"error"' not in daemon.log.read_text("utf-8")
        assert not [found for found in daemon.records() if found.problem]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_baresip_with_two_flows_has_each_text_once_and_keeps_them_alive(bridge: BridgeProcess, transport: str) -> None:
    """RFC 5626 4.2: two registrations with reg-ids; 5.3: a request goes by one of them; 4.4: they are kept alive."""
    with (
        Capture(bridge.port) as capture,
        Baresip(account(bridge, "alice", transport, "bob"), by_flow=True) as alice,
        Phone(bridge, "bob", "tcp") as bob,
    ):
        alice.wait_registered()
        assert bob.register().status == 200
        until(lambda: bridge.status()["sip"]["bindings"] == 3, 10.0, "both flows")
        for number in range(3):
            assert bob.message("alice", f"text {number}").status == 202
            alice.wait_text(f"text {number}", sender=at("bob"))
        alice.send_text(at("bob"), "and back")
        assert bob.text() == (at("alice"), "and back")
        time.sleep(2 * FLOW_TIMER)  # a flow that is not kept alive is closed after 1.25 of it
        seen = capture.octets()
        assert b"Require: outbound" in seen
        if transport == "udp":
            asked = re.findall(rb"\x00\x01\x00." + _COOKIE + rb"(.{12})", seen, re.DOTALL)
            answered = re.findall(rb"\x01\x01\x00\x0c" + _COOKIE + rb"(.{12})", seen, re.DOTALL)
            assert asked
            assert set(asked) == set(answered)
        assert bob.message("alice", "still there").status == 202
        alice.wait_text("still there", sender=at("bob"))
        assert bridge.status()["sip"]["bindings"] == 3
        assert len(alice.texts) == 4


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_is_reached_by_its_gruu(bridge: BridgeProcess, transport: str) -> None:
    """RFC 5627: it subscribes with its GRUU for a Contact; its NOTIFY, and what is written to the GRUU, come to it."""
    with (
        Linphone(account(bridge, "bob", transport, "alice")) as bob,
        Phone(bridge, "bob", "udp") as other,
        Phone(bridge, "alice", "tcp") as alice,
    ):
        bob.wait_registered()
        assert alice.register().status == 200
        bob.wait_presence(at("alice"), "online")
        found = re.search(r'pub-gruu="(sip:[^"]+)"', wire_log(bob))
        assert found is not None
        subscribed = re.search(r"SUBSCRIBE sip:alice@.*?Contact: <([^>]+)>", wire_log(bob), re.DOTALL)
        assert subscribed is not None
        assert subscribed[1] == found[1]
        assert other.register().status == 200  # another device of bob, which is not meant
        temporary = re.search(r'temp-gruu="(sip:[^"]+)"', wire_log(bob))
        assert temporary is not None
        for number, uri in enumerate((found[1], temporary[1])):
            response = alice.ask("MESSAGE", uri, [("Content-Type", "text/plain")], f"to this one {number}".encode())
            assert response.status == 202
            bob.wait_text(f"to this one {number}", sender=at("alice"))  # and the sender is an address without gr
        assert alice.message("bob", "to all").status == 202
        assert other.text() == (at("alice"), "to all")
        bob.wait_text("to all", sender=at("alice"))
        bridge.restart(kill=True)
        with Phone(bridge, "alice") as again:
            response = again.ask("MESSAGE", temporary[1], [("Content-Type", "text/plain")], b"after the restart")
            assert response.status == 202, "a temporary GRUU survives a restart"
