"""What a SIP client has from the bridge stays its own over a stop and a kill: what it published, and its way in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.test_acceptance_sip import PIDF, notify, publish, subscribe
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person
from transports.sip.wire.message import Response


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(people=[Person(user="alice"), Person(user="bob")]) as daemon:
        yield daemon
        assert '"level":"error"' not in daemon.log.read_text("utf-8")


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "alice") as phone:
        assert phone.register().status == 200
        yield phone
        assert phone.register(expires=0).status == 200


def refresh(phone: Phone, tag: str, expires: int = 600) -> Response:
    headers = [("Event", "presence"), ("SIP-If-Match", tag), ("Expires", str(expires))]
    return phone.ask("PUBLISH", f"sip:{phone.user}@corp.example", headers)


def shown(bridge: BridgeProcess) -> str:
    """What bob's phone, new each time, is shown of alice."""
    with Phone(bridge, "bob") as bob:
        assert bob.register().status == 200
        assert subscribe(bob, "alice", 0).status == 200
        return notify(bob)[1]


@pytest.mark.parametrize("kill", [True, False], ids=["kill", "stop"])
def test_a_publication_is_refreshed_after_a_restart(bridge: BridgeProcess, alice: Phone, kill: bool) -> None:
    assert shown(bridge) == "open"  # she is registered
    first = publish(alice, "closed")
    assert first.status == 200
    assert shown(bridge) == "closed"
    bridge.restart(kill=kill)
    assert shown(bridge) == "closed"
    second = refresh(alice, first.first("SIP-ETag") or "")
    assert second.status == 200
    assert second.first("SIP-ETag") != first.first("SIP-ETag")
    assert refresh(alice, first.first("SIP-ETag") or "").status == 412
    bridge.restart(kill=kill)
    assert refresh(alice, second.first("SIP-ETag") or "", 0).status == 200
    assert shown(bridge) == "open"
    bridge.restart(kill=kill)
    assert bridge.status()["sip"]["publications"] == 0


def test_a_watcher_sees_what_was_published_before_the_kill(bridge: BridgeProcess, alice: Phone) -> None:
    assert publish(alice, "closed").status == 200
    with Phone(bridge, "bob") as bob:
        assert bob.register().status == 200
        assert subscribe(bob, "alice").status == 200
        assert notify(bob) == ("active", "closed")
        bridge.restart(kill=True)
        assert notify(bob) == ("active", "closed")
        body = PIDF.format(user="alice", basic="open").encode()
        headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml")]
        assert alice.ask("PUBLISH", "sip:alice@corp.example", headers, body).status == 200
        assert notify(bob) == ("active", "open")


def test_a_nonce_from_before_a_restart_is_stale_and_nothing_worse(bridge: BridgeProcess, alice: Phone) -> None:
    """A client tries again by itself where it is told that the nonce was stale, and does not ask for a password."""
    captured = alice.build("MESSAGE", "sip:alice@corp.example", [("Content-Type", "text/plain")], b"said once")
    bridge.restart(kill=True)
    records = len(bridge.records())
    for _ in range(8):  # more often than a password may be guessed
        alice.send(captured)
        response = alice.final()
        assert response.status == 407
        assert "stale=true" in (response.first("Proxy-Authenticate") or "")
    alice.take_challenge(response)
    text = "said again"
    alice.send(alice.build("MESSAGE", "sip:alice@corp.example", [("Content-Type", "text/plain")], text.encode()))
    assert alice.text() == ("alice@corp.example", text)
    assert len(bridge.records()) > records
    assert not [one for one in bridge.records()[records:] if "503" in str(one.record.payload)]


def test_a_stop_puts_on_record_who_was_asked_for_credentials_and_did_not_come_again(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as nobody:
        content = [("Content-Type", "text/plain")]
        nobody.send(nobody.build("MESSAGE", "sip:bob@corp.example", content, b"", call_id="cut-short"))
        assert nobody.final().status == 407
        assert bridge.status()["sip"]["challenged"] >= 1
        bridge.restart()
    letters = [bytes.fromhex((one.record.payload or {}).get("raw", "")).decode() for one in bridge.records()]
    assert any("call-id: cut-short\nanswer: 407 not authenticated" in letter for letter in letters)
    assert bridge.audit("verify")["ok"]
