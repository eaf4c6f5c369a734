"""The whole main job over [::1], by every transport: registration, texts both ways, presence, a reload, a restart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from bridge.app.selfsigned import self_signed
from tests.integration.wire import Phone
from tests.kit.aim import ALICE, FRIEND, AimWorld, aim_world
from tests.kit.daemon import BridgeProcess, Person, until
from transports.sip.machine.flow import TRANSPORTS
from transports.sip.wire.message import Request

HOST = "::1"
AIM = f"{FRIEND}@aim.corp.example"
ALLOWS = [Person(user=user) for user in ("bob", "carol")]


@pytest.fixture(scope="module")
def world() -> Iterator[AimWorld]:
    with aim_world([ALICE, *ALLOWS], host=HOST, web=True) as made:
        yield made
        assert '"level":"error"' not in made.bridge.log.read_text("utf-8")
        assert made.bridge.audit("verify")["ok"]


@pytest.fixture
def bridge(world: AimWorld) -> BridgeProcess:
    return world.bridge


def notified(request: Request) -> bool:
    return request.method == "NOTIFY" and b"<basic>open" in request.body


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_text_to_another_network_and_back(world: AimWorld, transport: str) -> None:
    with Phone(world.bridge, "alice", transport) as alice:
        response = alice.register()
        assert response.status == 200
        assert dict(response.top_via.params)["received"] == HOST
        said = f"over {transport}, grüße"
        assert alice.message(AIM, said).status == 202
        until(lambda: any(said in str(event) for event in world.friend.messages()), 10.0, "the text at the friend")
        world.friend.send("alicework", f"heard {transport}")
        assert alice.text() == (AIM, f"heard {transport}")
        assert alice.register(0).status == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_texts_and_presence_between_two_people(bridge: BridgeProcess, transport: str) -> None:
    with Phone(bridge, "bob", transport) as bob, Phone(bridge, "carol", "tcp") as carol:
        assert bob.register().status == carol.register().status == 200
        headers = [("Event", "presence"), ("Contact", f"<{bob.contact}>"), ("Expires", "600")]
        assert bob.ask("SUBSCRIBE", "sip:carol@corp.example", headers).status == 200
        bob.incoming(notified, 8.0)
        assert carol.message("bob", f"there {transport}").status == 202
        assert bob.text() == ("carol@corp.example", f"there {transport}")
        assert bob.message("carol", f"back {transport}").status == 202
        assert carol.text() == ("bob@corp.example", f"back {transport}")
        assert bob.register(0).status == carol.register(0).status == 200


@pytest.mark.parametrize("transport", ["tls", "wss"])
def test_a_new_certificate_is_taken_under_a_living_connection(bridge: BridgeProcess, transport: str) -> None:
    with Phone(bridge, "bob", transport) as bob, Phone(bridge, "carol") as carol:
        assert bob.register().status == 200
        before = certificate(bob)
        for name in ("cert.pem", "key.pem"):
            (bridge.data / "tls" / name).unlink()
        self_signed(bridge.data / "tls", "corp.example", [HOST])
        os.kill(bridge.pid, signal.SIGHUP)

        def renewed() -> bool:
            try:
                with Phone(bridge, "carol", transport) as new:
                    return certificate(new) != before
            except OSError:  # the file is the new one already, and the daemon has the old one still
                return False

        until(renewed, 10.0, "the new certificate")
        assert carol.message("bob", "by the old connection").status == 202
        assert bob.text() == ("carol@corp.example", "by the old connection")
        assert bob.register(0).status == 200


def certificate(phone: Phone) -> bytes | None:
    return phone.socket.getpeercert(True)  # type: ignore[attr-defined, no-any-return]


def test_registrations_survive_a_kill(bridge: BridgeProcess) -> None:
    with Phone(bridge, "bob") as bob, Phone(bridge, "carol") as carol:
        assert bob.register().status == 200
        bridge.restart(kill=True)
        assert carol.message("bob", "after the restart").status == 202
        assert bob.text() == ("carol@corp.example", "after the restart")
