"""Stanzas as native values and back: each extension, what is forged, and what is broken."""

from __future__ import annotations

import pytest
from attrs import evolve

from transports.xmpp.wire import decode, encode
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.errors import XmppSyntaxError
from transports.xmpp.wire.times import read_time, write_time
from transports.xmpp.wire.xml import MAX_DEPTH, MAX_STANZA, checked, read, write

ME, ROMEO = "alice@sip.example", "romeo@x.example/balcony"


def stanza(inside: str, name: str = "message", **attributes: str) -> tuple[wire.Inbound, ...]:
    given = {"from": ROMEO, "to": ME, "type": "chat", "id": "1"} | {
        key.rstrip("_"): value for key, value in attributes.items()
    }
    written = " ".join(f'{key}="{value}"' for key, value in given.items() if value)
    return decode.message(read(f'<{name} xmlns="jabber:client" {written}>{inside}</{name}>'.encode()), ME)


def test_a_message_with_everything() -> None:
    (came,) = stanza(
        '<body>hi</body><subject>s</subject><thread>t</thread><request xmlns="urn:xmpp:receipts"/>'
        '<markable xmlns="urn:xmpp:chat-markers:0"/><active xmlns="http://jabber.org/protocol/chatstates"/>'
        '<delay xmlns="urn:xmpp:delay" stamp="2026-11-27T12:00:00Z"/>'
        '<replace xmlns="urn:xmpp:message-correct:0" id="0"/>'
        f'<stanza-id xmlns="urn:xmpp:sid:0" by="{ME}" id="ours"/>'
        f'<stanza-id xmlns="urn:xmpp:sid:0" by="{ROMEO}" id="no"/>'
    )
    assert came == wire.MessageReceived(
        account=ME, sender=ROMEO, text="hi", id="1", stable_id="ours", subject="s", thread="t",
        stamp=1795780800.0, replaces="0", wants_receipt=True, markable=True,
    )  # fmt: skip


def test_xhtml_im_comes_as_its_body() -> None:
    (came,) = stanza(
        '<body>hi</body><html xmlns="http://jabber.org/protocol/xhtml-im">'
        '<body xmlns="http://www.w3.org/1999/xhtml"><strong>hi</strong></body></html>'
    )
    assert isinstance(came, wire.MessageReceived)
    assert came.html == "<body><strong>hi</strong></body>"


@pytest.mark.parametrize("state", list(wire.State))
def test_states(state: wire.State) -> None:
    (came,) = stanza(f'<{state.value} xmlns="http://jabber.org/protocol/chatstates"/>')
    assert came == wire.StateReceived(account=ME, sender=ROMEO, state=state)
    out = encode.state(wire.StateSend(account=ME, to=ROMEO, state=state))
    assert f'<{state.value} xmlns="http://jabber.org/protocol/chatstates"/>' in write(out)


@pytest.mark.parametrize("mark", list(wire.Mark))
def test_marks(mark: wire.Mark) -> None:
    out = encode.mark(wire.MarkSend(account=ROMEO, to=ME, id="7", mark=mark), "x")
    assert decode.message(out, ME) == (wire.MarkReceived(account=ME, sender=ROMEO, id="7", mark=mark),)


def test_an_error() -> None:
    out = encode.failure(
        wire.FailureSend(account=ROMEO, to=ME, id="7", condition="item-not-found", type="cancel", text="who?")
    )
    assert decode.message(out, ME) == (
        wire.MessageFailed(account=ME, sender=ROMEO, id="7", condition="item-not-found", type="cancel", text="who?"),
    )


def carbon(kind: str, sender: str) -> tuple[wire.Inbound, ...]:
    ends = f'from="{ROMEO}" to="{ME}/x"' if kind == "received" else f'from="{ME}/x" to="{ROMEO}"'
    inside = (
        f'<{kind} xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0">'
        f'<message xmlns="jabber:client" id="9" type="chat" {ends}><body>copy</body></message></forwarded></{kind}>'
    )
    return stanza(inside, from_=sender)


def test_carbons() -> None:
    (received,) = carbon("received", ME)
    assert isinstance(received, wire.MessageReceived)
    assert (received.sender, received.text, received.carbon) == (ROMEO, "copy", True)
    assert carbon("sent", ME) == (wire.SentElsewhere(account=ME, to=ROMEO, text="copy", id="9"),)


@pytest.mark.parametrize("kind", ["received", "sent"])
def test_a_carbon_of_anybody_else_is_forged(kind: str) -> None:
    (came,) = carbon(kind, "mallory@evil.example/x")
    assert isinstance(came, wire.Unreadable)


def test_invitations() -> None:
    (direct,) = stanza('<x xmlns="jabber:x:conference" jid="room@muc.example" reason="come"/>')
    assert direct == wire.RoomInvitation(account=ME, sender=ROMEO, room="room@muc.example", reason="come", direct=True)
    (mediated,) = stanza(
        f'<x xmlns="http://jabber.org/protocol/muc#user"><invite from="{ROMEO}"><reason>come</reason></invite></x>',
        from_="room@muc.example",
        type="",
    )
    assert isinstance(direct, wire.RoomInvitation)
    assert mediated == evolve(direct, direct=False)


def test_a_message_of_a_room_is_no_message() -> None:
    (came,) = stanza("<body>hi all</body>", type="groupchat")
    assert isinstance(came, wire.Unreadable)


def test_our_message() -> None:
    out = encode.message(
        wire.MessageSend(account=ME, to=ROMEO, id="1", text="a<b\x00\ufffe", html="<b>a</b>", wants_receipt=True)
    )
    (came,) = decode.message(read(write(out, "").encode()), "romeo@x.example")
    assert isinstance(came, wire.MessageReceived)
    assert (came.text, came.html, came.wants_receipt) == ("a<b", "<body><b>a</b></body>", True)
    assert "ns0" not in write(out)


@pytest.mark.parametrize(
    ("text", "number"), [("5", 5), (" -128 ", -128), ("128", 0), ("x", 0), ("", 0), ("١", 0), ("99999", 0), ("--1", 0)]
)
def test_priorities(text: str, number: int) -> None:
    element = read(f'<presence xmlns="jabber:client" from="{ROMEO}"><priority>{text}</priority></presence>'.encode())
    found = decode.place(element)
    assert found is not None
    assert found.priority == number


def test_presence_there_and_back() -> None:
    place = wire.Place(resource="balcony", show=wire.Show.DND, status="sch!", priority=7, idle_since=1795780800.0)
    assert decode.place(encode.presence(ROMEO, ME, place)) == place
    assert decode.place(encode.presence(ROMEO, ME, None)) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2026-11-27T12:00:00Z", 1795780800.0), ("2026-11-27T13:00:00.5+01:00", 1795780800.5),
     ("20261127T12:00:00", 1795780800.0), ("2026-13-27T12:00:00Z", None), ("yesterday", None), ("9" * 99, None)],
)  # fmt: skip
def test_times(text: str, seconds: float | None) -> None:
    assert read_time(text) == seconds


def test_a_time_there_and_back() -> None:
    assert read_time(write_time(1795780800.0)) == 1795780800.0


@pytest.mark.parametrize(
    "data",
    [b"<a", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
     b"<a>" + b"x" * MAX_STANZA + b"</a>", b"\xff\xfe<a/>", b"<?xml version='1.0' encoding='nonsense'?><a/>"],
)  # fmt: skip
def test_what_is_refused(data: bytes) -> None:
    with pytest.raises(XmppSyntaxError):
        read(data)


def test_a_component_s_stanza_is_a_client_s() -> None:
    element = checked(read(b'<message xmlns="jabber:component:accept"><body>x</body></message>'))
    assert [one.tag for one in element.iter()] == ["{jabber:client}message", "{jabber:client}body"]
