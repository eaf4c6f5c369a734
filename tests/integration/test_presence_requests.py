"""Presence at a whole daemon: who asks waits for the person, who decides with a command; what policy hides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.test_sip_lists import publish
from tests.integration.wire import NoAnswer, Phone
from tests.kit.daemon import BridgeProcess, Person
from tests.kit.lists import told
from tests.unit.app.commands import Bridge
from transports.sip.wire.message import Request
from transports.sip.wire.watcherinfo import parse_watcherinfo

DOMAIN = "corp.example"
ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"
POLICY = """
[policy]
version = "presence"
[[rule]]
id = "bob-asks"
effect = "hold"
kinds = ["presence"]
from = ["person:alice@{domain}"]
to = ["person:bob@{domain}"]
[[rule]]
id = "carol-never"
effect = "forbid"
polite = true
kinds = ["presence"]
from = ["person:alice@{domain}"]
to = ["person:carol@{domain}"]
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
"""
LISTS = f"""
[presence]
notify_interval = 0.2
[[lists]]
address = "team@{DOMAIN}"
members = ["alice@{DOMAIN}", "carol@{DOMAIN}"]
"""


@pytest.fixture
def bridge() -> Iterator[BridgeProcess]:
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    with BridgeProcess(people, policy=POLICY, more=LISTS) as process:
        yield process


def subscribe(phone: Phone, uri: str, *more: tuple[str, str], event: str = "presence") -> Request:
    """Subscribes; returns the first NOTIFY."""
    headers = [("Event", event), ("Contact", f"<{phone.contact}>"), ("Expires", "600"), *more]
    assert phone.ask("SUBSCRIBE", uri, headers).status == 200
    return notified(phone, event)


def notified(phone: Phone, event: str = "presence") -> Request:
    """The next NOTIFY of a package."""
    return phone.incoming(lambda request: request.method == "NOTIFY" and request.first("Event") == event)


def state(request: Request) -> str:
    """The state of a subscription, without its time."""
    return (request.first("Subscription-State") or "").partition(";expires")[0]


def command(bridge: BridgeProcess, *words: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        return Bridge(bridge.folder, patch).good("presence", *words, "--json").json


@pytest.mark.slow
def test_a_request_waits_over_a_restart_and_is_answered_by_a_command(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "bob") as bob:
        assert [phone.register().status for phone in (alice, bob)] == [200, 200]
        publish(alice, "alice", "<rpid:busy/>")
        info = parse_watcherinfo(subscribe(alice, ALICE, event="presence.winfo").body)
        assert (info.full, info.watchers) == (True, ())
        first = subscribe(bob, ALICE)
        assert (state(first), first.body) == ("pending", b"")
        info = parse_watcherinfo(notified(alice, "presence.winfo").body)
        while not info.watchers:
            info = parse_watcherinfo(notified(alice, "presence.winfo").body)
        assert [(one.uri, one.status) for one in info.watchers] == [(BOB, "pending")]
        bridge.restart(kill=True)
        (row,) = command(bridge, "requests")
        assert (row["person"], row["watcher"], row["verdict"]) == (f"alice@{DOMAIN}", f"bob@{DOMAIN}", "waits")
        answer = command(bridge, "approve", f"bob@{DOMAIN}", "--for", f"alice@{DOMAIN}", "--reason", "a colleague")
        assert answer["verdict"] == "approved"
        shown = notified(bob)
        while state(shown) != "active":
            shown = notified(bob)
        assert b"<rpid:busy/>" in shown.body
        assert command(bridge, "requests") == []
        command(bridge, "refuse", f"bob@{DOMAIN}", "--for", f"alice@{DOMAIN}")
        over = notified(bob)
        while not state(over).startswith("terminated"):
            over = notified(bob)
        assert (state(over), over.body) == ("terminated;reason=rejected", b"")
        verdicts = [
            found.record.fields["verdict"]
            for found in bridge.records()
            if found.record.fields["event"] == "presence_approval"
        ]
        assert verdicts == ["approved", "refused"]
        again = subscribe(bob, ALICE)
        while not state(again).startswith("terminated"):
            again = notified(bob)
        assert state(again) == "terminated;reason=rejected"


@pytest.mark.slow
def test_an_answer_is_given_while_no_daemon_runs(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "bob") as bob:
        assert [phone.register().status for phone in (alice, bob)] == [200, 200]
        assert state(subscribe(bob, ALICE)) == "pending"
        assert bridge.terminate() == 0
        command(bridge, "approve", f"bob@{DOMAIN}", "--for", f"alice@{DOMAIN}")
        bridge.start()
        shown = notified(bob)
        while state(shown) != "active":
            shown = notified(bob)
        assert b"<basic>open</basic>" in shown.body


@pytest.mark.slow
def test_a_polite_block_a_list_and_what_nobody_learns(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "carol") as carol:
        assert [phone.register().status for phone in (alice, carol)] == [200, 200]
        publish(alice, "alice", "<rpid:busy/>")
        for shown in (subscribe(carol, ALICE), subscribe(carol, f"sip:team@{DOMAIN}", ("Supported", "eventlist"))):
            if shown.first("Require") == "eventlist":
                ((kind, _, body),) = told(shown).resources[ALICE]
                assert kind == "active"
            else:
                assert state(shown) == "active"
                body = shown.body
            assert b"<basic>closed</basic>" in (body or b"")
            assert b"busy" not in (body or b"")
        headers = [("Event", "presence.winfo"), ("Contact", f"<{carol.contact}>")]
        assert carol.ask("SUBSCRIBE", ALICE, headers).status == 403
        headers = [("Event", "presence"), ("Contact", f"<{carol.contact}>"), ("Expires", "0")]
        assert carol.ask("SUBSCRIBE", ALICE, headers).status == 200
        probed = notified(carol)
        assert state(probed) == "terminated;reason=timeout"
        assert b"busy" not in probed.body
        with pytest.raises(NoAnswer):
            pytest.fail(f"there came {notified(alice).to_bytes()!r}")


@pytest.mark.slow
def test_messages_that_wait_are_told_to_who_watches_that(bridge: BridgeProcess) -> None:
    with Phone(bridge, "alice") as alice, Phone(bridge, "bob") as bob:
        assert [phone.register().status for phone in (alice, bob)] == [200, 200]
        assert alice.ask("REGISTER", f"sip:{DOMAIN}", [("Contact", f"<{alice.contact}>;expires=0")]).status == 200
        empty = subscribe(alice, ALICE, event="message-summary")
        assert empty.body.startswith(b"Messages-Waiting: no\r\n")
        assert bob.message("alice", "are you there?").status == 202
        told_of = notified(alice, "message-summary")
        assert told_of.body.startswith(b"Messages-Waiting: yes\r\n")
        assert b"Pager-Message: 1/0\r\n" in told_of.body
