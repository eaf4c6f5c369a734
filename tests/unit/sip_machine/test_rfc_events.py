"""What the RFCs of events ask of a notifier, each statement with its RFC and section: a table of checks.

What is told there in other words is tested elsewhere: `test_subscription_lifetime`, `test_presence`, `test_packages`,
`test_lists`, `test_publications_kept`. Here is what nothing else would miss.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.lists import LIST_HEADERS, resource_list, told
from tests.kit.sip import DOMAIN
from tests.kit.watchers import Subscriber, events, states, subscriber
from tests.unit.sip_machine.test_presence import OPEN
from transports.sip.machine.events import Published
from transports.sip.wire.message import Request, Response
from transports.sip.wire.native import SipPresence

CONTACT = "sip:friend@aim.example.test"
ME = f"sip:alice@{DOMAIN}"
CHECKS: dict[str, Callable[[], None]] = {}


def check(statement: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Puts a check into the table under what the RFC says."""

    def put(body: Callable[[], None]) -> Callable[[], None]:
        assert statement not in CHECKS
        CHECKS[statement] = body
        return body

    return put


def show(client: Subscriber, now: float, pidf: bytes | None = OPEN, target: str = CONTACT, **changes: object) -> int:
    values: dict[str, object] = {"target": target, "watcher": None, "pidf": pidf}
    return client.endpoint.notify(SipPresence(**(values | changes)), now)  # type: ignore[arg-type]


def one(requests: list[Request]) -> Request:
    (request,) = requests
    return request


# -- RFC 6665: events -------------------------------------------------------------------------------------------------


@check("RFC 6665 8.2.1: a SUBSCRIBE without Event names no package, and is answered 489 with Allow-Events")
def _no_event() -> None:
    alice = subscriber()
    response = alice.ask("SUBSCRIBE", CONTACT, [("Contact", f"<{alice.contact}>")], now=1.0)
    assert (response.status, response.has("Allow-Events")) == (489, True)


@check("RFC 6665 4.2.1.2, 4.2.2: a NOTIFY is in the dialog of its SUBSCRIBE, and names Event, id, state and Contact")
def _in_dialog() -> None:
    alice = subscriber()
    response = alice.subscribe(CONTACT, event="presence;id=77;x=y")
    notify = one(alice.notified(1.1))
    assert (notify.from_.tag, notify.call_id) == (response.to.tag, response.call_id)
    assert notify.to.tag == response.from_.tag
    assert notify.event is not None
    assert dict(notify.event[1]).get("id") == "77"
    assert notify.uri_text == alice.contact
    for name in ("Subscription-State", "Contact", "CSeq", "Max-Forwards"):
        assert notify.has(name), name


@check("RFC 6665 4.2.2: an active or pending state tells what is left, which only falls; a terminated one does not")
def _what_is_left() -> None:
    alice = subscriber()
    tag = alice.subscribe(CONTACT, expires=600).to.tag or ""
    show(alice, 1.0)
    left = []
    for number in range(3):
        show(alice, 1.0 + 10 * number, b"%d" % number)
        state = states(alice.notified(1.1 + 10 * number))[0][0]
        left.append(int(state.removeprefix("active;expires=")))
    assert left == sorted(left, reverse=True)
    assert left[0] <= 600
    alice.subscribe(CONTACT, 40.0, expires=0, tag=tag)
    assert "expires" not in states(alice.notified(40.1))[0][0]


@check("RFC 6665 4.4.1, RFC 3261 12.2.1.2: CSeq of NOTIFYs counts up; an older SUBSCRIBE in the dialog is answered 500")
def _order() -> None:
    alice = subscriber()
    tag = alice.subscribe(CONTACT).to.tag or ""
    numbers = [one(alice.notified(1.1)).cseq.number]
    for now in (10.0, 20.0):
        show(alice, now, b"%d" % now)
        numbers.append(one(alice.notified(now + 0.1)).cseq.number)
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    old = alice.request(
        "SUBSCRIBE", CONTACT, [("Event", "presence"), ("Contact", f"<{alice.contact}>")],
        call_id=alice.dialog, to=f"<{CONTACT}>;tag={tag}", cseq="1 SUBSCRIBE",
    )  # fmt: skip
    assert [getattr(answer, "status", 0) for answer in alice.deliver(old, 30.0)] == [500]


@check("RFC 6665 4.4.1, RFC 3261 12.2.2: a refresh moves the target: NOTIFYs go to its Contact")
def _target_refresh() -> None:
    alice = subscriber()
    tag = alice.subscribe(CONTACT).to.tag or ""
    alice.notified(1.1)
    there = f"{alice.contact};line=2"
    headers = [("Event", "presence"), ("Contact", f"<{there}>")]
    data = alice.request("SUBSCRIBE", CONTACT, headers, call_id=alice.dialog, to=f"<{CONTACT}>;tag={tag}")
    alice.deliver(data, 2.0)
    assert one(alice.notified(2.1)).uri_text == there


@check("RFC 6665 4.2.1.1: a dialog that is not there is answered 481, and begins nothing")
def _no_dialog() -> None:
    alice = subscriber()
    assert alice.subscribe(CONTACT, tag="elsewhere").status == 481
    assert alice.notified(1.1) == []
    assert alice.endpoint.counts["subscriptions"] == 0


@check("RFC 6665 4.2.1.3, 8.3.1: 202 is deprecated: a SUBSCRIBE that waits for approval is answered 200")
def _no_202() -> None:
    alice = subscriber()
    assert alice.subscribe(CONTACT).status == 200
    assert states(alice.notified(1.1)) == [("pending;expires=600", b"")]


@check("RFC 6665 4.5.2: two subscriptions of one watcher to one resource are two, each with its dialog")
def _two_of_one() -> None:
    alice = subscriber()
    alice.dialog = "first"
    alice.subscribe(CONTACT)
    alice.dialog = "second"
    tag = alice.subscribe(CONTACT).to.tag or ""
    assert len(alice.notified(1.1)) == 2
    alice.subscribe(CONTACT, 2.0, expires=0, tag=tag)
    alice.notified(2.1)
    show(alice, 10.0)
    assert [notify.call_id for notify in alice.notified(10.1)] == ["first"]


# -- RFC 3856: presence -----------------------------------------------------------------------------------------------


@check("RFC 3856 6.5: who names no Accept is told in PIDF")
def _default_pidf() -> None:
    alice = subscriber()
    show(alice, 0.5)
    alice.subscribe(CONTACT)
    show(alice, 1.0)
    assert one(alice.notified(1.1)).first("Content-Type") == "application/pidf+xml"


@check("RFC 3856 6.10: of a change and its undoing within the interval, nothing is told")
def _nothing_new() -> None:
    alice = subscriber()
    alice.subscribe(CONTACT)
    show(alice, 1.0)
    alice.notified(1.1)
    show(alice, 10.0, b"<x/>")
    alice.notified(10.1)
    show(alice, 11.0)
    show(alice, 12.0, b"<x/>")
    bodies = [body for _, body in states(alice.notified(20.0))]
    assert bodies in ([], [b"<x/>"])  # it may be told again, but never in a state that is over


@check("RFC 3856 9.1, RFC 6665 4.2.1.3: a watcher who waits, or whom policy hides the person from, learns no state")
def _waits() -> None:
    alice = subscriber()
    alice.subscribe(CONTACT)
    show(alice, 1.0, None, state="pending")
    for now in (1.1, 20.0):
        for state, body in states(alice.notified(now)):
            assert state.startswith("pending")
            assert body == b""


# -- RFC 3857, 3858: who watches --------------------------------------------------------------------------------------


@check("RFC 3857, RFC 6665 8.3.2: presence.winfo.winfo is a package that is not served, and answered 489")
def _no_recursion() -> None:
    assert subscriber().subscribe(ME, event="presence.winfo.winfo").status == 489


@check("RFC 3857 4.4: a subscription that names no time lasts an hour; a refresh is told all, versions go on")
def _winfo_default() -> None:
    alice = subscriber()
    response = alice.subscribe(ME, event="presence.winfo", expires=None)
    assert (response.status, response.expires) == (200, 3600)
    first = one(alice.notified(1.1))
    assert b'version="0" state="full"' in first.body
    alice.subscribe(ME, 10.0, event="presence.winfo", tag=response.to.tag or "")
    assert b'version="1" state="full"' in one(alice.notified(10.1)).body


@check("RFC 3857 4.10: watchers are told of at most once in 5 s")
def _winfo_rate() -> None:
    alice = subscriber()
    bob = subscriber("bob", alice.endpoint)
    alice.subscribe(ME, event="presence.winfo")
    alice.notified(1.1)
    for number in range(3):
        bob.dialog = f"b{number}"
        bob.subscribe(ME, 1.2)
    show(alice, 1.2, target=ME)
    bob.notified(1.3)
    assert [request for request in alice.notified(5.9) if request.call_id == alice.dialog] == []
    assert len(alice.notified(6.1)) == 1


# -- RFC 3680, 3842: registrations, waiting messages ------------------------------------------------------------------


@check("RFC 3680 4.4, 5.1: a subscription lasts 3761 s; each document has its version; id and aor stay as they are")
def _reg() -> None:
    alice = subscriber()
    response = alice.subscribe(ME, event="reg", expires=None)
    assert (response.status, response.expires) == (200, 3761)
    documents = [one(alice.notified(1.1)).body]
    other = subscriber("alice", alice.endpoint)
    other.flow = other.flow.__class__("udp", other.flow.local, ("192.0.2.77", 5060), 7)
    for now in (10.0, 20.0):
        alice.register(now)
        documents.append(alice.notified(now + 0.2)[0].body)
    assert [b'version="%d"' % number in document for number, document in enumerate(documents)] == [True] * 3
    assert len({document.partition(b' id="')[2].partition(b'"')[0] for document in documents}) == 1


@check("RFC 3842 3.5, 5.2: the first line says whether messages wait, and the body is there where nothing waits")
def _summary() -> None:
    alice = subscriber()
    alice.subscribe(ME, event="message-summary")
    notify = one(alice.notified(1.1))
    assert notify.first("Content-Type") == "application/simple-message-summary"
    assert notify.body.startswith(b"Messages-Waiting: no\r\n")


# -- RFC 4662, 5367: lists --------------------------------------------------------------------------------------------


BOTH = (CONTACT, f"sip:bob@{DOMAIN}")


def _list(alice: Subscriber, now: float = 1.0, tag: str = "", uris: tuple[str, ...] = BOTH) -> Response:
    body = resource_list(*uris) if uris else b""
    return alice.subscribe(f"sip:rls@{DOMAIN}", now, tag=tag, more=LIST_HEADERS if uris else (), body=body)


@check("RFC 4662 4.1: the 200 and every NOTIFY of a list have Require: eventlist")
def _eventlist() -> None:
    alice = subscriber()
    assert _list(alice).first("Require") == "eventlist"
    assert one(alice.notified(1.1)).first("Require") == "eventlist"


@check("RFC 4662 5.2: versions count up by one from 0; the answer to a SUBSCRIBE is the full state")
def _versions() -> None:
    alice = subscriber()
    tag = _list(alice).to.tag or ""
    seen = [told(one(alice.notified(1.1)))]
    show(alice, 10.0)
    seen.append(told(one(alice.notified(10.1))))
    _list(alice, 20.0, tag, ())
    seen.append(told(one(alice.notified(20.1))))
    assert [(document.version, document.full) for document in seen] == [(0, True), (1, False), (2, True)]
    assert {document.uri for document in seen} == {f"sip:rls@{DOMAIN}"}
    assert list(seen[1].resources) == [CONTACT]
    assert list(seen[2].resources) == [CONTACT, f"sip:bob@{DOMAIN}"]


@check("RFC 4662 5.5: each cid names a part of its own, which is there")
def _cids() -> None:
    alice = subscriber()
    _list(alice)
    show(alice, 1.0)
    show(alice, 1.0, target=f"sip:bob@{DOMAIN}")
    document = told(one(alice.notified(1.1)))  # a cid without its part is a KeyError there
    assert [rows[0][2] is not None for rows in document.resources.values()] == [True, True]


@check("RFC 4662 4.5: the state of the list is its own: an entry that is refused leaves it active")
def _list_state() -> None:
    alice = subscriber()
    _list(alice)
    show(alice, 1.0, None, state="terminated", reason="rejected")
    notify = one(alice.notified(1.1))
    assert (notify.first("Subscription-State") or "").startswith("active;expires=")
    assert told(notify).resources[CONTACT] == [("terminated", "rejected", None)]


@check("RFC 5367 5.1: a SUBSCRIBE in the dialog without a list keeps the list that was there")
def _list_kept() -> None:
    alice = subscriber()
    tag = _list(alice).to.tag or ""
    alice.notified(1.1)
    assert _list(alice, 2.0, tag, ()).status == 200
    assert list(told(one(alice.notified(2.1))).resources) == [CONTACT, f"sip:bob@{DOMAIN}"]


# -- RFC 3903: publication --------------------------------------------------------------------------------------------

KIND = ("Content-Type", "application/pidf+xml")


def publish(alice: Subscriber, body: bytes, now: float, *more: tuple[str, str]) -> Response:
    headers = [("Event", "presence"), *more, *([KIND] if body else [])]
    return alice.ask("PUBLISH", ME, headers, body, now)


@check("RFC 3903 6 step 3: SIP-If-Match holds a single entity-tag, or the request is answered 400")
def _one_tag() -> None:
    alice = subscriber()
    tag = publish(alice, OPEN, 1.0).first("SIP-ETag") or ""
    for more in ([("SIP-If-Match", f"{tag}, other")], [("SIP-If-Match", tag), ("SIP-If-Match", "other")]):
        assert publish(alice, b"", 2.0, *more).status == 400
    assert publish(alice, b"", 3.0, ("SIP-If-Match", tag)).status == 200


@check("RFC 3903 6 step 3: a tag that is none, was used up, has run out, or is of somebody else is answered 412")
def _no_tag() -> None:
    alice = subscriber()
    tag = publish(alice, OPEN, 1.0, ("Expires", "100")).first("SIP-ETag") or ""
    for wrong in ("*", "x", tag + "0", tag.partition(".")[0], f'"{tag}"'):
        assert publish(alice, b"", 2.0, ("SIP-If-Match", wrong)).status == 412, wrong
    alice.endpoint.handle_timer(102.0)
    assert publish(alice, b"", 103.0, ("SIP-If-Match", tag)).status == 412


@check("RFC 3903 6 steps 4, 6: the answer tells the time, never longer than was asked, and a tag that was never there")
def _tags() -> None:
    alice = subscriber()
    tags = []
    for number, asked in enumerate(("600", "99999999")):
        response = publish(alice, OPEN, 1.0 + number, ("Expires", asked))
        assert response.status == 200
        assert response.expires is not None
        assert 0 < response.expires <= int(asked)
        tags.append(response.first("SIP-ETag"))
    assert publish(alice, OPEN, 5.0).expires  # none was asked for: it is said which
    assert len(set(tags)) == 2


@check("RFC 3903 4.5: Expires: 0 with a tag removes what was published, and with a body does not publish it first")
def _removed() -> None:
    alice = subscriber()
    tag = publish(alice, OPEN, 1.0).first("SIP-ETag") or ""
    events(alice.endpoint)
    response = publish(alice, OPEN.replace(b"open", b"closed"), 2.0, ("Expires", "0"), ("SIP-If-Match", tag))
    assert (response.status, response.expires) == (200, 0)
    assert [event.native.pidf for event in events(alice.endpoint) if isinstance(event, Published)] == [None]
    assert publish(alice, b"", 3.0, ("SIP-If-Match", response.first("SIP-ETag") or "")).status == 412


@check("RFC 3903 6 step 1, 2: a package that is not published, or none, is answered 489 with Allow-Events")
def _wrong_package() -> None:
    alice = subscriber()
    for more in ([("Event", "reg")], []):
        response = alice.ask("PUBLISH", ME, [*more, KIND], OPEN, 1.0)
        assert (response.status, response.first("Allow-Events")) == (489, "presence")


@check("RFC 3903 6: what cannot be read changes nothing of what is there")
def _atomic() -> None:
    alice = subscriber()
    tag = publish(alice, OPEN, 1.0).first("SIP-ETag") or ""
    events(alice.endpoint)
    assert publish(alice, b"<presence", 2.0, ("SIP-If-Match", tag)).status == 400
    assert publish(alice, b"x", 2.0, ("SIP-If-Match", tag), ("Content-Encoding", "br")).status == 415
    assert events(alice.endpoint) == []
    assert publish(alice, b"", 3.0, ("SIP-If-Match", tag)).status == 200


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", CHECKS)
def test_what_the_rfc_asks_for(statement: str) -> None:
    CHECKS[statement]()


def test_no_rfc_of_events_is_left_out() -> None:
    named = " ".join(CHECKS)
    for number in ("6665", "3856", "3857", "3680", "3842", "4662", "5367", "3903"):
        assert f"RFC {number}" in named
