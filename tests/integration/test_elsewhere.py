"""Presence of people at a PBX that is a presence server itself (kamailio), and asks the bridge who it is.

RFC 3856 and RFC 6665 section 4.1: the bridge subscribes there, refreshes, begins anew after a restart of the PBX (481),
and ends it. RFC 3261 section 22: kamailio wants credentials of each SUBSCRIBE and MESSAGE.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import frozen

from tests.integration.programs import need
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers.kamailio import Kamailio
from transports.sip.wire.message import Request

pytestmark = [pytest.mark.peer, pytest.mark.slow]
DOMAIN = "corp.example"
LONGEST = 8
"""Seconds that a subscription lives at kamailio: it is refreshed while the test waits."""


@frozen(kw_only=True)
class World:
    """A PBX, and a bridge that has one person of its own: bob."""

    pbx: Kamailio
    bridge: BridgeProcess


@pytest.fixture(scope="module", params=["udp", "tcp"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    need(("kamailio", "kamailio kamailio-presence-modules kamailio-sqlite-modules"))
    transport: str = request.param
    with ExitStack() as stack:
        pbx = stack.enter_context(Kamailio(DOMAIN, "secret", longest=LONGEST))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        password = folder / "pbx-password"
        password.touch(mode=0o600)
        password.write_text("secret\n")
        bridge = stack.enter_context(
            BridgeProcess(
                [Person(user="bob")],
                more=f"""[presence]
notify_interval = 0.1
[[sip.trusted_peers]]
name = "pbx"
address = "127.0.0.1:{pbx.port}"
transport = "{transport}"
any_port = true
identity = "asserted"
ping = 1.0
user = "bridge"
password_file = "{password}"
watch_as = "bridge@{DOMAIN}"
""",
            )
        )
        until(lambda: bridge.status()["peers"][0]["state"] == "up", 10.0, "the PBX")
        yield World(pbx=pbx, bridge=bridge)


def publish(phone: Phone, inner: str, tag: str = "") -> str:
    """Publishes at whom the phone speaks to, anew or in the place of what has a tag. Returns the tag (RFC 3903)."""
    document = (
        f'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{phone.user}@{DOMAIN}">'
        f'<tuple id="t"><status><basic>open</basic></status>{inner}</tuple></presence>'
    )
    headers = [("Event", "presence"), ("Expires", "600"), ("Content-Type", "application/pidf+xml")]
    headers += [("SIP-If-Match", tag)] if tag else []
    answer = phone.ask("PUBLISH", f"sip:{phone.user}@{DOMAIN}", headers, document.encode())
    assert answer.status == 200, answer.to_bytes()
    return answer.first("SIP-ETag") or ""


def watch(phone: Phone, expires: int = 600) -> None:
    headers = [("Event", "presence"), ("Expires", str(expires)), ("Contact", f"<{phone.contact}>")]
    assert phone.ask("SUBSCRIBE", f"sip:alice@{DOMAIN}", headers).status == 200


def told(phone: Phone, *words: str, seconds: float = 30.0) -> Request:
    """Returns the NOTIFY that says all of this."""
    return phone.incoming(
        lambda request: request.method == "NOTIFY" and all(re.search(word, request.body.decode()) for word in words),
        seconds,
    )


def watching(world: World) -> int:
    count: int = world.bridge.status()["sip"]["watching"]
    return count


def test_who_is_at_the_pbx_is_seen_here_and_refreshed_and_begun_anew(world: World) -> None:
    with Phone(world.pbx, "alice") as alice, Phone(world.bridge, "bob") as bob:
        assert alice.register().status == bob.register().status == 200
        tag = publish(alice, "<note>in the office</note>")
        watch(bob)
        told(bob, ">open<", "in the office")
        tag = publish(alice, "<note>at lunch</note>", tag)
        told(bob, "at lunch")
        until(lambda: watching(world) == 1, 5.0, "the one watch")
        time.sleep(LONGEST + 2.0)  # the subscription would be over, if it were not refreshed
        publish(alice, "<note>back again</note>", tag)
        told(bob, "back again")

    with Phone(world.bridge, "bob") as bob:
        watch(bob)
        told(bob, "back again")
        world.pbx.child.stop()
        world.pbx.start()  # with nothing in memory: the refresh is answered with 481
        with Phone(world.pbx, "alice") as alice:
            assert alice.register().status == 200
            publish(alice, "<note>after the restart</note>")
            told(bob, "after the restart", seconds=120.0)


def test_who_asks_once_is_told_what_the_pbx_knows(world: World) -> None:
    until(lambda: watching(world) == 0, 60.0, "nobody to watch")
    with Phone(world.pbx, "alice") as alice, Phone(world.bridge, "bob") as bob:
        assert alice.register().status == bob.register().status == 200
        publish(alice, "<note>for who asks</note>")
        watch(bob, expires=0)
        notify = bob.incoming(lambda request: request.method == "NOTIFY", 30.0)
        assert (notify.first("Subscription-State") or "").startswith("terminated")
        assert "for who asks" in notify.body.decode()
    until(lambda: watching(world) == 0, 60.0, "nothing stays")


def test_a_message_to_who_is_at_the_pbx_is_sent_with_credentials(world: World) -> None:
    with Phone(world.pbx, "alice") as alice, Phone(world.bridge, "bob") as bob:
        assert alice.register().status == bob.register().status == 200
        for text in ("who goes there?", "me again"):
            assert bob.message("alice", text).status == 202
            assert alice.text(15.0) == (f"bob@{DOMAIN}", text)
    until(lambda: not any(world.bridge.status()["queues"][name] for name in ("sending", "waiting")), 20.0, "quiet")
    assert world.bridge.audit("verify")["ok"]


def test_when_nobody_watches_any_more_it_ends(world: World) -> None:
    with Phone(world.bridge, "bob") as bob:
        assert bob.register().status == 200
        watch(bob)
        until(lambda: watching(world) == 1, 5.0, "the one watch")
        world.bridge.cli("user", "disable", f"bob@{DOMAIN}")
        until(lambda: watching(world) == 0, 60.0, "the end of the watch")  # 64*T1 for phones that are gone
