"""What must not pass: refused with a status, a reason and a reference; on record; and not one octet sent on.

That nothing was sent is seen in three places: on the recipient's own socket, at the network's server, and in a packet
capture. After each refusal a permitted text follows on the same way: what had been sent before it would be there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from bridge.compliance.query import Found
from bridge.identity.changes import DisableUser, EnableUser
from bridge.model.body import Message
from tests.integration.programs import Capture, need
from tests.integration.wire import TRANSPORTS, NoAnswer, Phone
from tests.kit.aim import RULES, AimWorld, aim_world
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.oscar_server.process import OscarUserProcess
from transports.sip.wire.message import Request, Response

POLICY = (
    """
[policy]
version = "refusals"
[lexicons.secret]
words = ["project falcon"]
[[rule]]
id = "no-secrets"
effect = "forbid"
lexicon = ["secret"]
reason = "this project is confidential"
"""
    + RULES
)
_REFERENCE = re.compile(r"reference ([0-9a-f-]{36})")
_markers = itertools.count(1)


@pytest.fixture(scope="module")
def world() -> Iterator[AimWorld]:
    people = [
        Person(user="alice", names={"aim": ("AliceWork", "a")}),
        Person(user="bob"),
        Person(user="carol"),  # has no screen name
        Person(user="dave"),
    ]
    with aim_world(people, policy=POLICY, friend="friend") as made:
        yield made
        assert '"level":"error"' not in made.bridge.log.read_text("utf-8")


@pytest.fixture
def bridge(world: AimWorld) -> BridgeProcess:
    return world.bridge


@pytest.fixture
def friend(world: AimWorld) -> OscarUserProcess:
    return world.friend


@pytest.fixture
def bob(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "bob") as phone:
        assert phone.register().status == 200
        yield phone
        assert phone.register(expires=0).status == 200


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "alice") as phone:
        phone.ask("REGISTER", f"sip:{phone.domain}")  # its challenge is answered from now on
        yield phone


def marker() -> str:
    return f"permitted {next(_markers)}"


def nothing_came_before(bob: Phone, sender: Phone) -> None:
    """Sends a permitted text to bob, which must be the first that he gets."""
    text = marker()
    assert sender.message("bob", text).status == 202
    assert bob.text() == (f"{sender.user}@corp.example", text)


def refused(bridge: BridgeProcess, response: Response, status: int, reason: str) -> list[Found]:
    """Checks a refusal; returns its records, found by the reference that the sender was given."""
    assert response.status == status
    assert reason in response.reason
    assert reason in (response.first("Warning") or "")
    found = _REFERENCE.search(response.reason)
    assert found is not None, response.reason
    records = bridge.about(found[1])
    assert [one.row.event for one in records] == ["intake", "decision"], records
    assert all(not record.problem for record in records)
    assert records[-1].record.fields["decision"] == "forbid"
    return records


def said(records: list[Found]) -> tuple[str, str, str]:
    """Sender, recipient and text on record."""
    envelope = records[0].record.envelope
    assert envelope is not None
    assert isinstance(envelope.body, Message)
    return str(envelope.sender.address), str(envelope.recipients[0].address), envelope.body.text


@pytest.mark.parametrize("text", ["about Project Falcon", "PROJECT  FALC\u043eN", "pro\u200bject falcon"])
def test_a_forbidden_word_inside(bridge: BridgeProcess, alice: Phone, bob: Phone, text: str) -> None:
    records = refused(bridge, alice.message("bob", text), 403, "this project is confidential")
    assert said(records) == ("sip/alice@corp.example", "sip/bob@corp.example", text)
    assert records[-1].record.fields["rule_ids"][0] == "no-secrets"
    nothing_came_before(bob, alice)


def test_a_forbidden_word_to_the_network(bridge: BridgeProcess, alice: Phone, friend: OscarUserProcess) -> None:
    since = len(friend.events)
    response = alice.message("friend@aim.corp.example", "see project falcon")
    assert said(refused(bridge, response, 403, "this project is confidential"))[1] == "aim/friend"
    text = marker()
    assert alice.message("friend@aim.corp.example", text).status == 202
    friend.message(text=text)
    assert [event["text"] for event in friend.events[since:] if event["event"] == "message"] == [text]


def test_a_forbidden_word_from_the_network(bridge: BridgeProcess, friend: OscarUserProcess, bob: Phone) -> None:
    with Phone(bridge, "alice", "tcp") as alice:
        assert alice.register().status == 200
        assert friend.send("alicework", "hear of project falcon?")["stage"] == "relayed"
        text = marker()
        assert friend.send("alicework", text)["stage"] == "relayed"
        assert alice.text() == ("friend@aim.corp.example", text)
        assert alice.register(expires=0).status == 200
    forbidden = [f for f in bridge.records() if f.row.event == "decision" and f.record.fields["decision"] == "forbid"]
    assert said(bridge.about(str(forbidden[-1].row.msg_id))) == (
        "aim/friend", "sip/alice@corp.example", "hear of project falcon?"
    )  # fmt: skip


def test_an_account_without_a_name_there(bridge: BridgeProcess, friend: OscarUserProcess, alice: Phone) -> None:
    since = len(friend.events)
    with Phone(bridge, "carol") as carol:
        records = refused(bridge, carol.message("friend@aim.corp.example", "hi"), 403, "no name on aim")
    assert said(records) == ("sip/carol@corp.example", "aim/friend", "hi")
    assert records[-1].record.fields["reason_code"] == "no-binding"
    text = marker()
    assert alice.message("friend@aim.corp.example", text).status == 202
    friend.message(text=text)
    assert [event["text"] for event in friend.events[since:] if event["event"] == "message"] == [text]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "claimed",
    [
        "<sip:bob@corp.example>;tag=x",
        '"alice" <sip:alice@corp.example.evil.test>;tag=x',
        "<sip:ALICE@corp.example>;tag=x",
    ],
)
def test_a_from_that_is_not_the_senders_own(bridge: BridgeProcess, bob: Phone, transport: str, claimed: str) -> None:
    known = len(edge(bridge))
    with Phone(bridge, "alice", transport) as alice:
        response = alice.message("bob", "it was not me", from_=claimed)
        assert response.status == 403
        assert "From is not the address of the authenticated user" in response.reason
        wanted = "authenticated: alice@corp.example\nto: sip:bob@corp.example"
        until(lambda: any(wanted in raw(letter) for letter in edge(bridge)[known:]), 5.0, "the record")
        nothing_came_before(bob, alice)


def edge(bridge: BridgeProcess) -> list[Found]:
    """What was refused before it became an event."""
    letters = [found for found in bridge.records() if (found.record.payload or {}).get("raw") is not None]
    assert all(found.row.event == "intake" for found in letters)
    return letters


@pytest.mark.slow
def test_an_unauthenticated_message(bridge: BridgeProcess, bob: Phone, alice: Phone) -> None:
    """It is asked for credentials, which is no refusal yet; when none have come in 3 s it is on record as refused."""
    wanted = set()
    for transport in TRANSPORTS:
        with Phone(bridge, "alice", transport) as nobody:
            unauthenticated(nobody, f"nobody-{transport}")
            wanted.add(f"call-id: nobody-{transport}")
            nothing_came_before(bob, alice)
    with Phone(bridge, "alice") as somebody:
        somebody.take_challenge(unauthenticated(somebody, "somebody"))
        assert somebody.message("bob", "with a word", call_id="somebody").status == 202
        assert bob.text()[1] == "with a word"
    until(lambda: wanted <= _lines(challenged(bridge)), 15.0, "the records")
    letters = challenged(bridge)
    assert len(letters) == len(wanted)  # and none of any challenge that was answered, in all the tests before
    for letter in letters:
        assert "407: not authenticated" in str(letter.record.payload)
        assert {"to: sip:bob@corp.example", "from: sip:alice@corp.example", "authenticated: -"} <= _lines([letter])
        decision = bridge.about(str(letter.row.msg_id))[-1]
        assert (decision.row.event, decision.record.fields["decision"]) == ("decision", "forbid")
    nothing_came_before(bob, alice)


def unauthenticated(phone: Phone, call_id: str) -> Response:
    """Sends bob a text without credentials; returns the challenge."""
    content = [("Content-Type", "text/plain")]
    phone.send(phone.build("MESSAGE", "sip:bob@corp.example", content, b"without a word", call_id=call_id))
    response = phone.final()
    assert response.status in {401, 407}
    assert response.has("WWW-Authenticate") or response.has("Proxy-Authenticate")
    return response


def challenged(bridge: BridgeProcess) -> list[Found]:
    """The challenges that nobody answered; a wrong password is another thing."""
    return [one for one in edge(bridge) if ": not authenticated" in str((one.record.payload or {})["reason"])]


def _lines(letters: list[Found]) -> set[str]:
    return {line for letter in letters for line in raw(letter).splitlines()}


def raw(found: Found) -> str:
    """What came, as a dead letter keeps it."""
    payload = found.record.payload
    assert payload is not None
    return bytes.fromhex(payload["raw"]).decode("utf-8", "replace")


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_wrong_password_and_an_unknown_user_are_told_alike(bridge: BridgeProcess, bob: Phone, user: str) -> None:
    with Phone(bridge, user, "tcp", password="guessed") as phone:
        response = phone.message("bob", "let me in")
        assert response.status in {401, 407}
        assert "stale=true" not in "".join(str(line) for line in response.headers).lower()
    with pytest.raises(NoAnswer):
        bob.text(0.2)


def test_an_unknown_recipient(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    records = refused(bridge, alice.message("nobody", "hi"), 404, "no one has the address nobody@corp.example")
    assert said(records)[1] == "sip/nobody@corp.example"
    nothing_came_before(bob, alice)


def test_another_domain(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    assert alice.message("bob@elsewhere.example", "hi").status == 403
    nothing_came_before(bob, alice)


def test_a_disabled_user_neither_sends_nor_receives(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    with Phone(bridge, "dave", "tcp") as dave:
        assert dave.register().status == 200
        assert dave.message("bob", "still enabled").status == 202
        assert bob.text()[1] == "still enabled"
        bridge.change(DisableUser(address="dave@corp.example"))
        assert dave.message("bob", "now disabled").status in {401, 403, 407}
        records = refused(bridge, alice.message("dave", "are you there?"), 404, "dave@corp.example cannot be reached")
        assert said(records)[1] == "sip/dave@corp.example"
        nothing_came_before(bob, alice)
        with pytest.raises(NoAnswer):
            dave.incoming(lambda request: request.method == "MESSAGE", 0.1)
        bridge.change(EnableUser(address="dave@corp.example"))
        assert dave.register().status == 200  # what he had was ended with his account
        assert alice.message("dave", "welcome back").status == 202
        assert dave.text()[1] == "welcome back"


def test_typing_follows_the_same_rules(bridge: BridgeProcess, alice: Phone, friend: OscarUserProcess) -> None:
    """A typing notice tells that somebody is there: without a name on the network it does not pass either."""
    body = (
        '<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state>'
        "</isComposing>"
    )
    kind = "application/im-iscomposing+xml"
    since = len(friend.events)
    with Phone(bridge, "carol") as carol:
        assert carol.message("friend@aim.corp.example", body, kind=kind).status == 403
    assert alice.message("friend@aim.corp.example", body, kind=kind).status in {200, 202}
    friend.event("typing", since=since)
    assert [e["from"] for e in friend.events[since:] if e["event"] == "typing"] == ["alicework"]


@pytest.mark.peer
def test_a_capture_shows_nothing_of_it(
    world: AimWorld, bridge: BridgeProcess, alice: Phone, bob: Phone, friend: OscarUserProcess
) -> None:
    need(("tcpdump", "tcpdump"))
    with Capture(bob.local[1], world.server.port) as capture:
        refusals = [
            alice.message("bob", "project falcon flies"),
            alice.message("friend@aim.corp.example", "project falcon flies"),
            alice.message("bob", "falcon, as bob", from_="<sip:bob@corp.example>;tag=x"),
            alice.message("nobody", "falcon for nobody"),
        ]
        with Phone(bridge, "carol") as carol:
            refusals.append(carol.message("friend@aim.corp.example", "falcon, unbound"))
        with Phone(bridge, "alice") as nobody:
            nobody.send(nobody.build("MESSAGE", "sip:bob@corp.example", [], b"falcon, unauthenticated"))
            refusals.append(nobody.final())
        assert [response.status for response in refusals] == [403, 403, 403, 404, 403, 401] or (
            refusals[-1].status == 407
        )
        inside, outside = marker(), marker()
        assert alice.message("bob", inside).status == 202
        assert alice.message("friend@aim.corp.example", outside).status == 202
        assert bob.text()[1] == inside
        friend.message(text=outside)
        capture.wait_for(inside.encode())
        until(lambda: _says(capture.octets(), outside), 10.0, "the permitted text to the network in the capture")
        assert not _says(capture.octets(), "falcon")
        assert capture.octets().count(b"MESSAGE sip:bob@") == 1


def _says(octets: bytes, text: str) -> bool:
    return any(text.encode(coding) in octets for coding in ("utf-8", "utf-16-be", "utf-16-le"))


def test_the_request_that_reaches_the_recipient_is_a_new_one(bridge: BridgeProcess, alice: Phone, bob: Phone) -> None:
    """Of the sender's own request text and name alone go through: no Via, Contact, Call-ID or header of theirs."""
    secret = ("X-Internal", "host-17.corp.example")
    text = marker()
    body = text.encode()
    assert alice.ask("MESSAGE", "sip:bob@corp.example", [secret, ("Content-Type", "text/plain")], body).status == 202
    got = bob.incoming(lambda request: request.method == "MESSAGE")
    assert isinstance(got, Request)
    octets = got.to_bytes()
    assert text.encode() in octets
    for hidden in (b"host-17", alice.name.encode(), f":{alice.local[1]}".encode()):
        assert hidden not in octets


def test_the_log_holds_after_all_that(bridge: BridgeProcess) -> None:
    assert not [found for found in bridge.records() if found.problem]
    assert bridge.audit("verify")["ok"]
    shown = bridge.audit("show", "--person", "carol@corp.example")
    assert any(row["result"] == "forbid: no-binding" for row in shown), shown
