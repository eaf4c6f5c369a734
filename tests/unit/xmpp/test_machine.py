"""A stream without sockets: sends that are confirmed, fail or stay unknown; subscriptions; an account's own stream."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN, SendResult
from transports.common.machine.actions import SendDone
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.stream import StreamMachine
from transports.xmpp.wire import names
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.caps import Identity, fingerprint
from transports.xmpp.wire.xml import read, write

DOMAIN = "sip.example"
ME, ROMEO = f"alice@{DOMAIN}", "romeo@x.example"
HERE = wire.Place(resource="")


def machine(*, component: bool = True, **more: float) -> StreamMachine:
    made = StreamMachine(StreamConfig(component=component, domain=DOMAIN, **more), lambda: "n")  # type: ignore[arg-type]
    made.add(ME, HERE)
    made.up(0.0)
    return made


def said(made: StreamMachine) -> list[str]:
    return [write(element) for element in made.to_send()]


def hear(made: StreamMachine, xml: str, now: float = 1.0) -> bool:
    head, _, tail = xml.partition(" ")
    return made.receive(read(f'{head} xmlns="jabber:client" {tail}'.encode()), now)


def events(made: StreamMachine) -> list[object]:
    found: list[object] = []
    while (event := made.next_event()) is not None:
        found.append(event)
    return found


def results(made: StreamMachine) -> list[SendResult]:
    return [event.result for event in events(made) if isinstance(event, SendDone)]


def message(ref: str) -> wire.MessageSend:
    return wire.MessageSend(account=ME, to=ROMEO, id=ref, text="hi")


def ping_of(made: StreamMachine) -> str:
    found = [one for one in made.to_send() if one.find("{urn:xmpp:ping}ping") is not None]
    return found[-1].get("id", "") if found else ""


def test_a_message_is_relayed_when_the_ping_behind_it_is_answered() -> None:
    made = machine()
    made.send(message("m1"), "k1", 1.0)
    first = ping_of(made)
    made.send(message("m2"), "k2", 1.1)
    assert not ping_of(made), "one ping at a time"
    assert not events(made)
    hear(made, f'<iq type="get" id="{first}" from="{DOMAIN}" to="{DOMAIN}"/>', 1.2)
    assert results(made) == [SendResult(stage=Stage.RELAYED, remote_id="m1")]
    second = ping_of(made)
    hear(made, f'<iq type="error" id="{second}" from="{DOMAIN}" to="{DOMAIN}"/>', 1.3)
    assert results(made) == [SendResult(stage=Stage.RELAYED, remote_id="m2")]


def test_an_error_before_that_is_the_end_of_the_send_and_one_after_it_is_an_event() -> None:
    made = machine()
    made.send(message("m1"), "k1", 1.0)
    error = (
        f'<message type="error" id="m1" from="{ROMEO}" to="{ME}"><error type="cancel">'
        '<item-not-found xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></message>'
    )
    hear(made, error)
    (result,) = results(made)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.retryable, result.failure.certain) == ("item-not-found", False, True)
    hear(made, error)
    (late,) = events(made)
    assert isinstance(late, wire.MessageFailed)


def test_what_is_not_confirmed_when_the_stream_ends_is_unknown() -> None:
    made = machine()
    made.send(message("m1"), "k1", 1.0)
    made.down()
    (result,) = results(made)
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    assert not result.failure.certain
    made.send(message("m2"), "k2", 2.0)
    (result,) = results(made)
    assert result.failure is not None
    assert result.failure.reason == LINK_DOWN


def test_an_interruption_leaves_it_open_until_the_stream_goes_on() -> None:
    made = machine()
    made.send(message("m1"), "k1", 1.0)
    ref = ping_of(made)
    made.interrupted()
    assert not events(made)
    made.resumed(20.0)
    hear(made, f'<iq type="result" id="{ref}" from="{DOMAIN}" to="{DOMAIN}"/>', 21.0)
    assert [result.stage for result in results(made)] == [Stage.RELAYED]


def test_a_silent_server_is_asked_and_given_up() -> None:
    made = machine(ping_after=60.0, ping_timeout=30.0)
    made.to_send()
    assert made.next_deadline() == 60.0
    made.handle_timer(60.0)
    assert ping_of(made)
    assert made.next_deadline() == 90.0
    made.handle_timer(89.0)
    assert not made.broken
    made.handle_timer(90.0)
    assert made.broken


def test_unconfirmed_sends_are_bounded() -> None:
    made = machine(max_unconfirmed=2)
    for number in range(3):
        made.send(message(f"m{number}"), number, 1.0)
    (result,) = results(made)
    assert result.failure is not None
    assert result.failure.retryable


# Subscriptions (RFC 8048 section 5), of a component


def test_who_asks_is_told_once_and_is_shown_us_when_granted() -> None:
    made = machine()
    hear(made, f'<presence type="subscribe" from="{ROMEO}" to="{ME}"><status>please</status></presence>')
    (asked,) = events(made)
    assert asked == wire.ConsentReceived(account=ME, sender=ROMEO, kind=wire.Consent.SUBSCRIBE, words="please")
    made.send(wire.ConsentSend(account=ME, to=ROMEO, granted=True), "k", 1.0)
    kinds = [(one.get("type"), one.get("from")) for one in made.to_send() if one.tag.endswith("presence")]
    assert kinds == [("subscribed", ME), (None, f"{ME}/simplebridge")]
    hear(made, f'<presence type="subscribe" from="{ROMEO}" to="{ME}"/>')
    assert not [event for event in events(made) if isinstance(event, wire.ConsentReceived)], "known already"
    assert any('type="subscribed"' in one for one in said(made))


def test_a_change_is_shown_to_who_may_see_it_and_a_probe_is_answered() -> None:
    made = machine()
    made.send(wire.ConsentSend(account=ME, to=ROMEO, granted=True), "k", 1.0)
    made.to_send()
    made.send(wire.OwnPresence(account=ME, place=wire.Place(resource="", show=wire.Show.DND)), "p", 1.0)
    (shown,) = said(made)
    assert f'to="{ROMEO}"' in shown
    assert "<show>dnd</show>" in shown
    hear(made, f'<presence type="probe" from="{ROMEO}/b" to="{ME}"/>')
    (answer,) = said(made)
    assert f'to="{ROMEO}/b"' in answer
    hear(made, f'<presence type="probe" from="mallory@x.example" to="{ME}"/>')
    assert not said(made), "policy answers a stranger"
    assert isinstance(events(made)[-1], wire.ConsentReceived)


def test_unsubscribe_ends_it() -> None:
    made = machine()
    made.send(wire.ConsentSend(account=ME, to=ROMEO, granted=True), "k", 1.0)
    made.to_send()
    hear(made, f'<presence type="unsubscribe" from="{ROMEO}" to="{ME}"/>')
    assert ['type="unsubscribed"' in one or 'type="unavailable"' in one for one in said(made)] == [True, True]
    made.send(wire.OwnPresence(account=ME, place=HERE), "p", 1.0)
    assert not said(made)


def test_to_see_somebody() -> None:
    made = machine()
    made.to_send()
    made.send(wire.ContactAdd(account=ME, contact=ROMEO), "k", 1.0)
    kinds = [one.get("type") for one in made.to_send() if one.tag.endswith("presence")]
    assert kinds == ["subscribe"]
    assert wire.Asked(account=ME, contact=ROMEO) in events(made)
    hear(made, f'<presence type="subscribed" from="{ROMEO}" to="{ME}"/>')
    assert [one.get("type") for one in made.to_send()] == ["probe"]
    hear(
        made,
        f'<presence from="{ROMEO}/a"><priority>1</priority></presence>'.replace("<presence ", f'<presence to="{ME}" '),
    )
    hear(made, f'<presence to="{ME}" from="{ROMEO}/b"><show>away</show><priority>9</priority></presence>')
    last = events(made)[-1]
    assert isinstance(last, wire.ContactPresence)
    assert [place.resource for place in last.places] == ["b", "a"]
    hear(made, f'<presence to="{ME}" from="{ROMEO}/b" type="unavailable"/>')
    hear(made, f'<presence to="{ME}" from="{ROMEO}/a" type="unavailable"><status>bye</status></presence>')
    assert events(made)[-1] == wire.ContactPresence(account=ME, contact=ROMEO, status="bye")
    hear(made, f'<presence to="{ME}" from="{ROMEO}" type="unsubscribed"/>')
    (over,) = events(made)
    assert isinstance(over, wire.ConsentReceived)
    assert over.kind is wire.Consent.UNSUBSCRIBED


def test_presence_of_strangers_and_endless_resources_is_not_kept() -> None:
    made = machine(max_places=2)
    hear(made, f'<presence to="{ME}" from="mallory@x.example/a"/>')
    assert not events(made)
    made.send(wire.ContactAdd(account=ME, contact=ROMEO), "k", 1.0)
    for number in range(5):
        hear(made, f'<presence to="{ME}" from="{ROMEO}/{number}"/>')
    assert len(made.people[ME].places[ROMEO]) == 2


@pytest.mark.parametrize("kind", ["subscribe", "probe"])
def test_whom_nobody_knows_cannot_be_seen(kind: str) -> None:
    made = machine()
    hear(made, f'<presence type="{kind}" from="{ROMEO}" to="nobody@{DOMAIN}"/>')
    assert 'type="unsubscribed"' in said(made)[-1]


# An account of its own


def up_client() -> StreamMachine:
    made = machine(component=False)
    (asked,) = made.to_send()
    assert made.next_deadline() == 30.0, "it waits for its list"
    item = f'<item jid="{ROMEO}" subscription="both"/><item jid="paris@x.example" subscription="none" ask="subscribe"/>'
    hear(made, f'<iq type="result" id="{asked.get("id")}"><query xmlns="jabber:iq:roster">{item}</query></iq>')
    assert made.ready
    return made


def test_an_account_is_up_with_its_list_and_asks_nobody_twice() -> None:
    made = up_client()
    assert any("urn:xmpp:carbons:2" in one for one in said(made))
    made.send(wire.ContactAdd(account=ME, contact=ROMEO), "k", 1.0)
    assert not [one for one in made.to_send() if one.tag.endswith("presence")]


def test_only_our_server_changes_the_list() -> None:
    made = up_client()
    made.to_send()
    push = '<query xmlns="jabber:iq:roster"><item jid="evil@x.example" subscription="both"/></query></iq>'
    hear(made, f'<iq type="set" id="p" from="mallory@x.example">{push}')
    assert 'type="error"' in said(made)[0]
    assert "evil@x.example" not in made.people[ME].seen
    hear(made, f'<iq type="set" id="p">{push}')
    assert 'type="result"' in said(made)[0]
    assert "evil@x.example" in made.people[ME].seen


def test_a_server_that_does_not_give_the_list_is_given_up() -> None:
    made = machine(component=False)
    made.handle_timer(made.next_deadline() or 0.0)
    assert made.broken


# Questions, rooms


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ('<ping xmlns="urn:xmpp:ping"/>', 'type="result"'),
        ('<query xmlns="http://jabber.org/protocol/disco#info"/>', "urn:xmpp:receipts"),
        ('<query xmlns="http://jabber.org/protocol/disco#items"/>', "disco#items"),
        ('<query xmlns="jabber:iq:version"/>', "simplebridge"),
        ('<query xmlns="urn:made-up"/>', "service-unavailable"),
    ],
)
def test_questions_are_answered(payload: str, answer: str) -> None:
    made = machine()
    made.to_send()
    hear(made, f'<iq type="get" id="q" from="{ROMEO}" to="{ME}">{payload}</iq>')
    (reply,) = said(made)
    assert answer in reply
    assert 'id="q"' in reply


def test_the_fingerprint_in_a_presence_is_that_of_the_answer() -> None:
    """XEP-0115 section 6.2, as a contact's client goes about it."""
    made = machine()
    made.to_send()
    hear(made, f'<presence type="subscribe" from="{ROMEO}" to="{ME}"/>')
    made.send(wire.ConsentSend(account=ME, to=ROMEO, granted=True), "k", 1.0)
    (shown,) = [
        element for element in made.to_send() if element.get("type") is None and element.tag.endswith("}presence")
    ]
    (caps,) = shown.findall(f"{{{names.CAPS}}}c")
    assert caps.get("hash") == "sha-1"
    node = f"{caps.get('node')}#{caps.get('ver')}"
    hear(made, f'<iq type="get" id="q" from="{ROMEO}" to="{ME}"><query xmlns="{names.DISCO_INFO}" node="{node}"/></iq>')
    (reply,) = made.to_send()
    (query,) = reply.findall(f"{{{names.DISCO_INFO}}}query")
    (one,) = query.findall(f"{{{names.DISCO_INFO}}}identity")
    identity = Identity(one.get("category", ""), one.get("type", ""), one.get("name", ""))
    features = [each.get("var", "") for each in query.findall(f"{{{names.DISCO_INFO}}}feature")]
    assert query.get("node") == node
    assert fingerprint(identity, features) == caps.get("ver")


def test_of_another_node_there_is_nothing() -> None:
    made = machine()
    made.to_send()
    hear(made, f'<iq type="get" id="q" from="{ROMEO}" to="{ME}"><query xmlns="{names.DISCO_INFO}" node="x#y"/></iq>')
    assert "item-not-found" in said(made)[0]


def test_who_is_gone_shows_no_fingerprint() -> None:
    made = machine()
    made.to_send()
    made.people[ME].watchers[ROMEO] = None
    made.people[ME].show(None)
    (gone,) = made.to_send()
    assert gone.find(f"{{{names.CAPS}}}c") is None


def test_an_example_of_the_specification() -> None:
    """XEP-0115 section 5.2."""
    identity = Identity("client", "pc", "Exodus 0.9.1")
    features = [names.DISCO_ITEMS, "http://jabber.org/protocol/muc", names.CAPS, names.DISCO_INFO]
    assert fingerprint(identity, features) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_answers_to_what_nobody_asked_are_let_be() -> None:
    made = machine()
    made.to_send()
    assert not hear(made, f'<iq type="result" id="zzz" from="{ROMEO}" to="{ME}"/>')
    assert not made.to_send()


def test_a_room_s_invitation_is_declined_politely() -> None:
    made = machine()
    made.to_send()
    hear(
        made,
        f'<message from="room@muc.example" to="{ME}"><x xmlns="http://jabber.org/protocol/muc#user">'
        f'<invite from="{ROMEO}"/></x></message>',
    )
    (declined,) = said(made)
    assert "<decline" in declined
    assert isinstance(events(made)[0], wire.RoomInvitation)


def test_a_person_s_own_invitation_has_no_answer() -> None:
    made = machine()
    made.to_send()
    hear(made, f'<message from="{ROMEO}" to="{ME}"><x xmlns="jabber:x:conference" jid="room@muc.example"/></message>')
    assert made.to_send() == []
    (told,) = events(made)
    assert isinstance(told, wire.RoomInvitation)
    assert told.direct


def test_elements_that_are_no_stanzas_are_the_owner_s() -> None:
    assert not machine().receive(Element("{urn:xmpp:sm:3}r"), 1.0)
