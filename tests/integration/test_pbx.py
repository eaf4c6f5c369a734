"""Beside a PBX: people who are registered at kamailio talk to AIM contacts through the bridge, both ways.

The bridge knows no password of theirs: kamailio authenticates them, and the bridge believes it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import frozen

from bridge.identity.changes import BindName
from bridge.identity.secret import Secret
from tests.integration.wire import Phone
from tests.kit.aim import AIM_DOMAIN, FRIEND, POLICY, network_section, wait_links_up
from tests.kit.daemon import BridgeProcess, until
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess
from tests.kit.trunk_certificates import make_authority
from tests.peers import Account, Baresip
from tests.peers.kamailio_trunk import TLS_PACKAGES, KamailioPbx, TrunkTls
from tests.peers.process import find_program
from transports.sip.wire.message import Request

pytestmark = pytest.mark.peer
DOMAIN = "corp.example"


@frozen(kw_only=True)
class PbxWorld:
    """All who take part."""

    pbx: KamailioPbx
    bridge: BridgeProcess
    friend: OscarUserProcess
    server: OscarServerProcess


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PbxWorld]:
    find_program("kamailio", TLS_PACKAGES)
    transport: str = request.param
    folder: Path = tmp_path_factory.mktemp("trunk")
    sip, tls, more = "", None, ""
    if transport == "tls":
        authority = make_authority(folder)
        ours, theirs = authority.issue("bridge.corp.example", DOMAIN), authority.issue("pbx.corp.example")
        sip = f'certificate = "{ours.certificate}"\nkey = "{ours.key}"\nauthorities = "{authority.certificate}"'
        tls = TrunkTls(certificate=theirs.certificate, key=theirs.key, authorities=authority.certificate)
        more = 'certificate = "pbx.corp.example"'
    pbx = KamailioPbx(DOMAIN, "secret", transport, tls)
    with ExitStack() as stack:
        server = stack.enter_context(
            OscarServerProcess({"alicework": "a", "carolwork": "a", FRIEND: "f"}, rates="wide")
        )
        friend = stack.enter_context(OscarUserProcess(server.address, FRIEND, "f"))
        bridge = BridgeProcess(
            policy=POLICY,
            networks=network_section(server.address),
            sip=sip,
            more=f"""[[sip.trusted_peers]]
name = "pbx"
address = "127.0.0.1:{pbx.trunk_port}"
transport = "{transport}"
ping = 1.0
{more}
""",
        )
        stack.enter_context(bridge)
        if transport == "tls":  # where phones look for what they are to trust
            (bridge.data / "tls").mkdir()
            shutil.copy(folder / "authority.pem", bridge.data / "tls" / "cert.pem")
        stack.callback(pbx.stop)
        pbx.begin(bridge.tls_port if transport == "tls" else bridge.port)
        for user in ("alice", "carol"):
            name = f"{user}work"
            bridge.change(BindName(address=f"{user}@{DOMAIN}", network="aim", name=name, password=Secret("a")))
        friend.signed_on()
        wait_links_up(bridge)
        until(lambda: bridge.status()["peers"][0]["state"] == "up", 10.0, "the peer's answer to OPTIONS")
        yield PbxWorld(pbx=pbx, bridge=bridge, friend=friend, server=server)


def test_a_user_of_the_pbx_and_an_aim_contact_write_to_each_other(world: PbxWorld) -> None:
    with Phone(world.pbx, "alice") as alice:
        assert alice.register().status == 200
        answer = alice.message(f"{FRIEND}@{AIM_DOMAIN}", "lunch?")
        assert answer.status == 202, answer.to_bytes()
        world.friend.message(sender="alicework", text="lunch?")
        world.friend.send("alicework", "at noon")
        assert alice.text(10.0) == (f"{FRIEND}@{AIM_DOMAIN}", "at noon")
    records = [one for one in world.bridge.audit("show") if one.get("text") == "lunch?"]
    assert [one["from"] for one in records] == [f"sip/alice@{DOMAIN}"]


def test_a_colleagues_screen_name_reaches_them_at_the_pbx(world: PbxWorld) -> None:
    """What leaves for the network comes back inside: through the bridge, on record, and to the PBX again."""
    sent = len(world.friend.events)
    with Phone(world.pbx, "alice") as alice, Phone(world.pbx, "carol") as carol:
        assert alice.register().status == carol.register().status == 200
        assert alice.message(f"carolwork@{AIM_DOMAIN}", "inside?").status == 202
        message = carol.incoming(lambda request: request.method == "MESSAGE", 10.0)
        assert (str(message.from_.uri), message.body) == (f"sip:alice@{DOMAIN}", b"inside?")
        # What the bridge asserts to the PBX (RFC 3325); that it goes on to a phone is the PBX's affair.
        assert message.first("P-Asserted-Identity") == f"<sip:alice@{DOMAIN}>"
    assert not [event for event in world.friend.events[sent:] if event.get("event") == "message"]


def test_people_of_the_pbx_are_judged_as_others_are(world: PbxWorld) -> None:
    """No screen name, no message; and what policy does not allow is refused, with a word why, and on record."""
    with Phone(world.pbx, "dave") as dave, Phone(world.pbx, "carol") as carol:
        assert dave.register().status == carol.register().status == 200
        unbound = dave.message(f"{FRIEND}@{AIM_DOMAIN}", "no name of mine")
        assert unbound.status == 403
        assert unbound.reason.startswith("you have no name on aim")
        try:
            _in_force(world, POLICY.replace('from = ["domain:{domain}"]\nto = ["network:aim"]', _ALICE_ALONE))
            assert carol.message(f"{FRIEND}@{AIM_DOMAIN}", "not for carol").status == 403
        finally:
            _in_force(world, POLICY)
    for text in ("no name of mine", "not for carol"):
        assert [one for one in world.bridge.audit("show") if one.get("text") == text], text


def _in_force(world: PbxWorld, policy: str) -> None:
    """Puts a policy in force: it is when it is on record."""
    before = world.bridge.status()["policy"]["digest"]
    world.bridge.write_policy(policy)
    world.bridge.reload()
    until(lambda: world.bridge.status()["policy"]["digest"] != before, 5.0, "the policy")


_ALICE_ALONE = 'from = ["person:alice@{domain}"]\nto = ["network:aim"]'


def test_presence_goes_both_ways_through_the_pbx(world: PbxWorld) -> None:
    with Phone(world.pbx, "alice") as alice:
        assert alice.register().status == 200
        since = len(world.friend.events)
        world.friend.do("add", name="alicework")
        published = alice.ask(
            "PUBLISH", f"sip:alice@{DOMAIN}", [("Event", "presence"), ("Expires", "600"), _PIDF], _pidf("alice")
        )
        assert published.status == 200, published.to_bytes()
        world.friend.presence("alicework", online=True, since=since)
        watch = [("Event", "presence"), ("Expires", "600"), ("Accept", "application/pidf+xml")]
        target = f"sip:{FRIEND}@{AIM_DOMAIN}"
        answer = alice.ask("SUBSCRIBE", target, [*watch, ("Contact", f"<{alice.contact}>")])
        assert answer.status == 200, answer.to_bytes()
        assert answer.has("Record-Route")
        notify = _notified(alice, b">open<")
        assert len(notify.vias) == 2  # it came by the proxy that had recorded its route, not past it
        world.friend.do("away", text="out")
        _notified(alice, b"away")
        # The dialog is refreshed, and ended, along its route.
        over = alice.ask(
            "SUBSCRIBE",
            str(answer.contacts[0].uri),  # type: ignore[union-attr]
            [
                *watch[:1],
                ("Expires", "0"),
                ("Contact", f"<{alice.contact}>"),
                ("Route", answer.values("Record-Route")[0]),
            ],
            to=answer.first("To") or "",
            from_=answer.first("From") or "",
            call_id=answer.call_id,
        )
        assert over.status == 200, over.to_bytes()
        final = alice.incoming(lambda request: "terminated" in (request.first("Subscription-State") or ""), 10.0)
        assert final.first("Subscription-State") == "terminated;reason=timeout"
        world.friend.do("back")


def test_what_is_written_to_somebody_who_is_not_there_waits(world: PbxWorld) -> None:
    with Phone(world.pbx, "alice") as alice:
        assert alice.register(expires=0).status == 200
        world.friend.send("alicework", "are you there")
        until(lambda: world.bridge.status()["queues"]["waiting"] == 1, 10.0, "the message that waits")
        assert alice.register().status == 200
        assert alice.text(30.0) == (f"{FRIEND}@{AIM_DOMAIN}", "are you there")


def test_a_pbx_that_is_down_is_seen_and_gets_what_waits_when_it_is_up(world: PbxWorld) -> None:
    # An answer that is still on its way through the PBX would be lost with it, and its message told once more.
    until(lambda: not any(world.bridge.status()["queues"][name] for name in ("sending", "waiting")), 40.0, "quiet")
    world.pbx.child.stop()
    try:
        until(lambda: world.bridge.status()["peers"][0]["state"] == "down", 20.0, "the PBX to be missed")
        assert re.search(
            rf"pbx +127\.0\.0\.1:{world.pbx.trunk_port} +{world.pbx.transport} +down", world.bridge.cli("status")
        )
        world.friend.send("alicework", "anybody?")
        until(lambda: world.bridge.status()["queues"]["waiting"] == 1, 10.0, "the message that waits")
    finally:
        world.pbx.begin(world.bridge.tls_port if world.pbx.transport == "tls" else world.bridge.port)
    with Phone(world.pbx, "alice") as alice:
        assert alice.register().status == 200
        until(lambda: world.bridge.status()["peers"][0]["state"] == "up", 20.0, "the PBX to be found again")
        assert alice.text(30.0) == (f"{FRIEND}@{AIM_DOMAIN}", "anybody?")


def test_nobody_else_is_believed(world: PbxWorld) -> None:
    """From the same address, even: it is another port, or shows no certificate."""
    for transport in ("udp", "tcp", "tls"):
        with Phone(world.bridge, "alice", transport) as stranger:
            asserted = ("P-Asserted-Identity", f"<sip:alice@{DOMAIN}>")
            answer = stranger.ask(
                "MESSAGE", f"sip:{FRIEND}@{AIM_DOMAIN}", [("Content-Type", "text/plain"), asserted], b"x"
            )
            assert answer.status == 407, (transport, answer.to_bytes())


def test_baresip_at_the_pbx(world: PbxWorld) -> None:
    account = Account(
        user="alice", domain=DOMAIN, password="secret", host="127.0.0.1", port=world.pbx.port,
        transport="udp", contacts=(f"{FRIEND}@{AIM_DOMAIN}",),
    )  # fmt: skip
    with Baresip(account) as baresip:
        baresip.wait_registered()
        baresip.send_text(f"{FRIEND}@{AIM_DOMAIN}", "from baresip")
        world.friend.message(sender="alicework", text="from baresip")
        world.friend.send("alicework", "to baresip")
        baresip.wait_text("to baresip")


_PIDF = ("Content-Type", "application/pidf+xml")


def _pidf(user: str) -> bytes:
    return (
        f'<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{user}@{DOMAIN}">'
        '<tuple id="t"><status><basic>open</basic></status></tuple></presence>'
    ).encode()


def _notified(phone: Phone, what: bytes) -> Request:
    return phone.incoming(lambda request: request.method == "NOTIFY" and what in request.body, 15.0)
