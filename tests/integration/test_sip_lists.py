"""linphone watches all its contacts with one SUBSCRIBE (RFC 5367), as it does where it is told of a list server."""

from __future__ import annotations

import pytest

from tests.integration.programs import need
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers import Account, Linphone

DOMAIN = "corp.example"
pytestmark = [pytest.mark.peer, pytest.mark.slow]
PIDF = (
    '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" '
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" '
    'entity="sip:%s@corp.example"><tuple id="t1"><status><basic>open</basic></status></tuple>'
    '<dm:person id="p1"><rpid:activities>%s</rpid:activities></dm:person></presence>'
)


def _publish(phone: Phone, user: str, activity: str, etag: str | None = None) -> str:
    headers = [("Event", "presence"), ("Content-Type", "application/pidf+xml"), ("Expires", "600")]
    if etag is not None:
        headers.append(("SIP-If-Match", etag))
    response = phone.ask("PUBLISH", f"sip:{user}@{DOMAIN}", headers, (PIDF % (user, activity)).encode())
    assert response.status == 200
    return response.first("SIP-ETag") or ""


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
            _publish(carol, "carol", "<rpid:busy/>")
            etag = _publish(alice, "alice", "")
            with Linphone(account, rls_address=f"rls@{DOMAIN}") as bob:
                bob.wait_registered()
                bob.wait_presence(f"alice@{DOMAIN}", "online")
                bob.wait_presence(f"carol@{DOMAIN}", "busy")
                _publish(alice, "alice", "<rpid:away/>", etag)
                bob.wait_presence(f"alice@{DOMAIN}", "away")
                assert bridge.status()["sip"]["subscriptions"] == 1
                sent = bob.wire_log()
                assert "Require: recipient-list-subscribe" in sent
                assert f"SUBSCRIBE sip:alice@{DOMAIN}" not in sent
            # Over UDP it is gone before it has answered the last NOTIFY.
            until(lambda: bridge.status()["sip"]["subscriptions"] == 0, 40.0, "the end of the subscription")
        assert '"level":"error"' not in bridge.log.read_text("utf-8")
