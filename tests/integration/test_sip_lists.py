"""Subscriptions to lists (RFC 5367) at a whole daemon; linphone makes one where it is told of a list server."""

from __future__ import annotations

import pytest

from tests.integration.programs import need
from tests.integration.wire import Phone
from tests.kit.daemon import INSIDE, BridgeProcess, DaemonError, Person, until
from tests.kit.lists import LIST_HEADERS, Told, resource_list, told
from tests.peers import Account, Linphone

DOMAIN = "corp.example"
HIDDEN = """
[[rule]]
id = "alice-is-not-seen"
effect = "forbid"
from = ["person:alice@{domain}"]
to = ["person:bob@{domain}"]
kinds = ["presence"]
"""
PIDF = (
    '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" '
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" '
    'entity="sip:%s@corp.example"><tuple id="t1"><status><basic>open</basic></status></tuple>'
    '<dm:person id="p1"><rpid:activities>%s</rpid:activities></dm:person></presence>'
)


def publish(phone: Phone, user: str, activity: str, etag: str | None = None) -> str:
    """Publishes an activity of RPID. Returns the entity tag."""
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "600")]
    if etag is not None:
        headers.append(("SIP-If-Match", etag))
    response = phone.ask("PUBLISH", f"sip:{user}@{DOMAIN}", headers, (PIDF % (user, activity)).encode())
    assert response.status == 200
    return response.first("SIP-ETag") or ""


def _next(phone: Phone) -> Told:
    return told(phone.incoming(lambda request: request.method == "NOTIFY"))


@pytest.mark.slow
def test_a_list_goes_on_after_a_kill() -> None:
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    uris = [f"sip:{user}@{DOMAIN}" for user in ("alice", "carol", "nobody")]
    with BridgeProcess(people=people) as bridge, Phone(bridge, "alice") as alice, Phone(bridge, "bob") as bob:
        assert [phone.register().status for phone in (alice, bob)] == [200, 200]
        etag = publish(alice, "alice", "<rpid:busy/>")
        headers = [("Event", "presence"), ("Contact", f"<{bob.contact}>"), ("Expires", "600"), *LIST_HEADERS]
        accepted = bob.ask("SUBSCRIBE", f"sip:rls@{DOMAIN}", headers, resource_list(*uris))
        assert (accepted.status, accepted.require) == (200, ["eventlist"])
        first = _next(bob)
        assert (first.version, first.full, list(first.resources)) == (0, True, uris)
        ((state, _, shown),) = first.resources[uris[0]]
        assert state == "active"
        assert b"<rpid:busy/>" in (shown or b"")
        assert [one[0] for one in first.resources[uris[2]]] == [
            "pending"
        ]  # nobody tells whether there is such a person
        etag = publish(alice, "alice", "<rpid:busy/>", etag)  # its 200 says that what was written before is on disk
        bridge.restart(kill=True)
        again = _next(bob)
        assert again.full
        assert again.version > 0
        assert list(again.resources) == uris
        publish(alice, "alice", "<rpid:away/>", etag)
        change = _next(bob)
        assert (change.version, change.full, list(change.resources)) == (again.version + 1, False, uris[:1])
        assert b"<rpid:away/>" in (change.resources[uris[0]][0][2] or b"")
        assert '"level":"error"' not in bridge.log.read_text("utf-8")


@pytest.mark.slow
def test_policy_hides_in_a_list_what_it_hides() -> None:
    """alice's presence is taken from bob; he is told that she is offline, and of carol what he was told before."""
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    uris = [f"sip:{user}@{DOMAIN}" for user in ("alice", "carol", "nobody")]
    with (
        BridgeProcess(people=people) as bridge,
        Phone(bridge, "alice") as alice,
        Phone(bridge, "carol") as carol,
        Phone(bridge, "bob") as bob,
    ):
        assert [phone.register().status for phone in (alice, bob, carol)] == [200] * 3
        etag = publish(alice, "alice", "<rpid:busy/>")
        publish(carol, "carol", "<rpid:busy/>")
        headers = [("Event", "presence"), ("Contact", f"<{bob.contact}>"), ("Expires", "600"), *LIST_HEADERS]
        assert bob.ask("SUBSCRIBE", f"sip:rls@{DOMAIN}", headers, resource_list(*uris)).status == 200
        first = _next(bob)
        assert [b"<rpid:busy/>" in (first.resources[uri][0][2] or b"") for uri in uris] == [True, True, False]
        bridge.write_policy(INSIDE + HIDDEN)
        bridge.reload()
        change = _next(bob)
        assert list(change.resources) == uris[:1]
        body = change.resources[uris[0]][0][2] or b""
        assert b"<basic>closed</basic>" in body
        assert b"busy" not in body
        publish(alice, "alice", "<rpid:away/>", etag)
        assert bob.ask("SUBSCRIBE", f"sip:rls@{DOMAIN}", headers, resource_list(*uris)).status == 200
        anew = _next(bob)
        assert anew.version == 0
        assert anew.resources[uris[0]] == anew.resources[uris[2]] == [("pending", None, None)]
        assert b"<rpid:busy/>" in (anew.resources[uris[1]][0][2] or b"")


def test_a_reload_takes_changed_lists_and_tells_who_watches_them() -> None:
    """SIGHUP (RFC 4662): all of the changed list in one NOTIFY; a mistake leaves everything as it was."""
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    kept = '[[lists]]\naddress = "team@corp.example"\nmembers = [%s]\n'
    one, two = '"alice@corp.example"', '"alice@corp.example", "carol@corp.example"'
    with BridgeProcess(people=people, more=kept % one) as bridge, Phone(bridge, "bob") as bob:
        assert bob.register().status == 200
        headers = [("Event", "presence"), ("Contact", f"<{bob.contact}>"), ("Supported", "eventlist")]
        assert bob.ask("SUBSCRIBE", f"sip:team@{DOMAIN}", headers).status == 200
        assert list(_next(bob).resources) == [f"sip:alice@{DOMAIN}"]
        text = bridge.config.read_text("utf-8")
        bridge.config.write_text(text.replace(kept % one, kept % '"alice@elsewhere.example"'), "utf-8")
        with pytest.raises(DaemonError, match="not an address of a domain that is served"):
            bridge.reload()
        bridge.config.write_text(text.replace(kept % one, kept % two), "utf-8")
        bridge.reload()
        changed = _next(bob)
        assert (changed.full, list(changed.resources)) == (True, [f"sip:alice@{DOMAIN}", f"sip:carol@{DOMAIN}"])
        bridge.config.write_text(text.replace(kept % one, ""), "utf-8")
        bridge.reload()
        last = bob.incoming(lambda request: request.method == "NOTIFY", 15.0)
        assert last.first("Subscription-State") == "terminated;reason=noresource"


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_watches_a_list(transport: str) -> None:
    need(("linphonec", "linphone-cli"))
    with BridgeProcess(people=[Person(user=user) for user in ("alice", "bob", "carol")]) as bridge:
        account = Account(
            user="bob", domain=DOMAIN, password="secret", host="127.0.0.1", port=bridge.port, transport=transport,
            contacts=tuple(f"{user}@{DOMAIN}" for user in ("alice", "carol", "nobody")),
        )  # fmt: skip
        with Phone(bridge, "alice", "tcp") as alice, Phone(bridge, "carol", "tcp") as carol:
            assert [phone.register().status for phone in (alice, carol)] == [200, 200]
            publish(carol, "carol", "<rpid:busy/>")
            etag = publish(alice, "alice", "")
            with Linphone(account, rls_address=f"rls@{DOMAIN}") as bob:
                bob.wait_registered()
                bob.wait_presence(f"alice@{DOMAIN}", "online")
                bob.wait_presence(f"carol@{DOMAIN}", "busy")
                publish(alice, "alice", "<rpid:away/>", etag)
                bob.wait_presence(f"alice@{DOMAIN}", "away")
                assert bridge.status()["sip"]["subscriptions"] == 1
                sent = bob.wire_log()
                assert "Require: recipient-list-subscribe" in sent
                assert f"SUBSCRIBE sip:alice@{DOMAIN}" not in sent
            # Over UDP it is gone before it has answered the last NOTIFY.
            until(lambda: bridge.status()["sip"]["subscriptions"] == 0, 40.0, "the end of the subscription")
        assert '"level":"error"' not in bridge.log.read_text("utf-8")
