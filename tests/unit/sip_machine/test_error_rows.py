"""Errors, row by row: what a SIP status means for a message, and which status a sender gets for which refusal.

The rows are those of RFC 7247 section 7, tables 2 and 3, by the condition that each names; what is behind a condition
on another network is its mapping's to say.
"""

from __future__ import annotations

import pytest

from bridge.model.body import Stage
from tests.kit.sip import DOMAIN, Client
from tests.unit.sip_machine.test_turns import phone, reply, results, texts, to_alice
from transports.sip.machine.events import MessageReceived
from transports.sip.seams import STATUS
from transports.sip.wire.message import Response

# Table 3: the condition, the statuses, and what the bridge makes of them: a reason, and whether it tries again.
FROM_SIP: dict[str, list[tuple[int, str, bool]]] = {
    "redirect": [(300, "moved", False), (302, "moved", False), (305, "moved", False), (399, "moved", False)],
    "gone": [(301, "gone", False), (410, "gone", True)],
    "not-acceptable": [
        *((status, "unsupported", False) for status in (380, 406, 416, 421, 505, 606)),
        (415, "unsupported", False),
        (488, "unsupported", False),
        (482, "duplicate", False),
        (483, "loop", False),
    ],
    "bad-request": [(status, "bad-request", False) for status in (400, 402, 493, 499)],
    "not-authorized": [(401, "unauthorized", False)],
    "forbidden": [(403, "refused", False)],
    "item-not-found": [(404, "gone", True), (481, "gone", True), *((one, "gone", False) for one in (484, 485, 604))],
    "feature-not-implemented": [(status, "unsupported", False) for status in (405, 420, 439, 501)],
    "registration-required": [(407, "unauthorized", False)],
    "remote-server-timeout": [(408, "timeout", True), (504, "timeout", True)],
    "policy-violation": [
        *((status, "too-large", False) for status in (413, 414, 513)),
        *((status, "refused", False) for status in (440, 489)),
    ],
    "resource-constraint": [(423, "busy", True)],
    "recipient-unavailable": [
        (430, "unreachable", True),
        *((status, "unavailable", True) for status in (480, 486, 487, 600, 699)),
        (603, "refused", False),
    ],
    "unexpected-request": [(491, "busy", True)],
    "internal-server-error": [(500, "device-error", True), (503, "unavailable", True), (599, "device-error", True)],
    "remote-server-not-found": [(502, "unreachable", True)],
}
NOT_CERTAIN = {408, 482, 504}
"""It may have come through all the same: nobody answered in time, or an earlier copy did."""


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        pytest.param(status, reason, retryable, id=f"{condition}-{status}")
        for condition, rows in FROM_SIP.items()
        for status, reason, retryable in rows
    ],
)
def test_what_an_answer_means_for_a_message(status: int, reason: str, retryable: bool) -> None:
    client = phone()
    client.endpoint.send_message(to_alice(0), "k", 1.0)
    (request,) = texts(client, 1.0)
    reply(client, request, 1.0, status)
    (result,) = results(client)
    assert result.failure is not None
    assert result.failure.reason.startswith(f"{reason} (SIP {status}")
    assert result.failure.retryable is retryable
    assert result.failure.certain is (status not in NOT_CERTAIN)
    assert result.stage is (Stage.UNKNOWN if status in NOT_CERTAIN else Stage.FAILED)


@pytest.mark.parametrize(
    ("phrase", "kept"),
    [
        ("No such service today", "gone (SIP 404: No such service today)"),
        ("Not Found", "gone (SIP 404)"),
        ("not found", "gone (SIP 404)"),
        ("", "gone (SIP 404)"),
        ("x" * 500, f"gone (SIP 404: {'x' * 60})"),
        ("tab\there \u202eback", "gone (SIP 404: tab here ?back)"),
    ],
)
def test_the_reason_phrase_is_kept_where_it_says_more(phrase: str, kept: str) -> None:
    """RFC 7247 section 7: it is the text of the error on the other side."""
    client = phone()
    client.endpoint.send_message(to_alice(0), "k", 1.0)
    (request,) = texts(client, 1.0)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers if name in _REPEATED)
    data = f"SIP/2.0 404 {phrase}\r\n{lines}Content-Length: 0\r\n\r\n".encode()
    client.endpoint.receive(client.flow, data, 1.1)
    (result,) = results(client)
    assert result.failure is not None
    assert result.failure.reason == kept


_REPEATED = {"Via", "From", "To", "Call-ID", "CSeq"}

# Table 2, as far as it is SIP's: what is refused before it is taken. What has been taken, and fails on the other
# network, has had its 202: the sender is told in a message, and by IMDN (tests/unit/delivery).
TO_SIP = {
    "bad-request": 400,  # bad-request, jid-malformed
    "forbidden": 403,  # policy-violation, not-allowed, forbidden
    "no-binding": 403,  # service-unavailable; 503 is NOT RECOMMENDED there
    "not-found": 404,  # item-not-found
    "too-large": 413,
    "unsupported": 415,
    "bad-extension": 420,
    "unavailable": 503,  # the record cannot be written; told to come again
    "duplicate": 202,
}


def test_each_refusal_has_its_status() -> None:
    assert dict(STATUS) == TO_SIP
    # RFC 3261 sections 22.1 and 8.1.3.5: 401 and 407 need a challenge that would help, and 6xx speaks for the world.
    assert not {401, 407} & set(TO_SIP.values())
    assert max(TO_SIP.values()) < 600


@pytest.mark.parametrize("to", ["sips:friend@aim.example.test", "SIPS:friend@aim.example.test;transport=tcp"])
def test_a_sips_to_is_not_translated(to: str) -> None:
    """RFC 7247 section 6: whether it stands in the Request-URI or in To (MUST NOT)."""
    client = Client(phone().endpoint, "bob", port=40_001)
    client.register()
    list(iter(client.endpoint.next_event, None))
    text, target = [("Content-Type", "text/plain")], "sip:friend@aim.example.test"
    for uri, named in ((target, to), (to, target), (to, to)):
        (response,) = client.deliver(client.request("MESSAGE", uri, text, b"x", to=f"<{named}>"), 1.0)
        assert isinstance(response, Response)
        assert response.status == 416
        client.deliver(client.request("SUBSCRIBE", uri, [("Event", "presence")], to=f"<{named}>"), 1.0)
    events = list(iter(client.endpoint.next_event, None))
    assert [event for event in events if isinstance(event, MessageReceived)] == []
    assert client.endpoint.counts["subscriptions"] == 0


def test_a_to_of_another_scheme_than_sips_changes_nothing() -> None:
    """To is what the user wrote (RFC 3261 section 8.1.1.2); where a request goes is said by its Request-URI."""
    client = Client(phone().endpoint, "bob", port=40_001)
    client.register()
    list(iter(client.endpoint.next_event, None))
    text = [("Content-Type", "text/plain")]
    client.deliver(client.request("MESSAGE", f"sip:alice@{DOMAIN}", text, b"x", to="<im:alice@example.test>"), 1.0)
    assert len([event for event in iter(client.endpoint.next_event, None) if isinstance(event, MessageReceived)]) == 1
