"""Messages: handed on, acknowledged, refused, stored; typing; warnings."""

from __future__ import annotations

import pytest

from tests.kit.oscar_server.accounts import MAX_STORED
from tests.kit.oscar_server.bots import start_bot
from tests.unit.oscar_server.harness import START, Client, Server, message
from transports.oscar.wire import icbm, icq, oservice, privacy
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.snac import MORE_REPLIES
from transports.oscar.wire.text import decode_message
from transports.oscar.wire.tlv import Tlvs

ACK = icbm.HostAck(cookie=b"cookie!!", channel=1, name="bob")
NOT_THERE = SnacError(group=4, code=4)


def pair(*, typing: bool = True) -> tuple[Server, Client, Client]:
    server = Server("alice", "bob")
    return server, server.online("alice", typing=typing), server.online("bob", typing=typing)


def text_of(body: object) -> str:
    assert isinstance(body, icbm.IncomingMessage)
    return decode_message(body.tlvs.get(icbm.TLV_TEXT) or b"").text


def test_a_message_is_handed_on_and_acknowledged() -> None:
    _, alice, bob = pair()
    assert alice.send("bob", "hello\N{SNOWMAN}") == [ACK]
    (heard,) = bob.heard()
    assert isinstance(heard, icbm.IncomingMessage)
    assert text_of(heard) == "hello\N{SNOWMAN}"
    assert (heard.cookie, heard.sender.name) == (b"cookie!!", "alice")
    assert [tag for tag, _ in heard.tlvs] == [icbm.TLV_TEXT, icbm.TLV_WANT_EVENTS]


def test_no_acknowledgement_unless_wanted() -> None:
    _, alice, bob = pair(typing=False)
    plain = icbm.SendMessage(cookie=b"cookie!!", channel=1, to="b o B", tlvs=message("bob").tlvs.without(3))
    assert alice.say(plain) == []
    (heard,) = bob.heard()
    assert isinstance(heard, icbm.IncomingMessage)
    assert [tag for tag, _ in heard.tlvs] == [icbm.TLV_TEXT]


def test_nobody_there() -> None:
    server = Server("alice", "carol")
    alice = server.online("alice")
    assert alice.send("nobody", store=True) == [NOT_THERE]
    assert alice.send("carol") == [NOT_THERE]
    assert server.network.counts["messages_not_there"] == 2


def test_stored_and_fetched_once() -> None:
    server = Server("alice", "bob")
    alice = server.online("alice")
    assert alice.send("bob", "later", store=True) == [ACK]
    server.clock.pass_(60)
    bob = server.online("bob")
    first, second = bob.say(icbm.OfflineRetrieve())
    assert text_of(first) == "later"
    assert isinstance(first, icbm.IncomingMessage)
    assert first.tlvs.u32(icbm.TLV_SEND_TIME) == int(START)
    assert not first.tlvs.has(icbm.TLV_STORE)
    assert second == icbm.OfflineRetrieved()
    assert bob.say(icbm.OfflineRetrieve()) == [icbm.OfflineRetrieved()]


def test_the_store_is_bounded() -> None:
    server = Server("alice", "bob")
    alice = server.online("alice")
    for _ in range(MAX_STORED):
        alice.send("bob", store=True)
    assert alice.send("bob", store=True) == [NOT_THERE]


def test_between_icq_numbers_the_older_store() -> None:
    server = Server("100100", "200200", "alice")
    server.online("100100").send("200200", "caf\u00e9", store=True)
    server.online("alice").send("200200", "hi", store=True)
    other = server.online("200200")
    assert [text_of(body) for body in other.say(icbm.OfflineRetrieve())[:-1]] == ["hi"]
    ask = icq.IcqRequest(uin=200200, type=icq.OFFLINE_REQUEST, sequence=7)
    frames = other.say_raw(ask, 9)
    first, last = (icq.IcqReply.decode(frame.data) for frame in frames)
    assert [(frame.flags, frame.request_id) for frame in frames] == [(MORE_REPLIES, 9), (0, 9)]
    assert (first.type, last.type, first.sequence) == (icq.OFFLINE_MESSAGE, icq.OFFLINE_END, 7)
    stored = icq.OfflineMessage.decode(first.data)
    assert (stored.uin, stored.text_str, stored.year) == (100100, "caf\u00e9", 2023)
    assert len(other.say(ask)) == 2
    other.say(icq.IcqRequest(uin=200200, type=icq.OFFLINE_DELETE, sequence=8))
    assert len(other.say(ask)) == 1
    assert other.say(icq.IcqRequest(uin=200200, type=icq.META_REQUEST, sequence=9)) == [SnacError(group=0x15, code=1)]


def test_typing_goes_to_those_who_want_it() -> None:
    server, alice, bob = pair()
    alice.say(icbm.ClientEvent(name="bob", event=icbm.TYPING_BEGUN))
    (heard,) = bob.heard()
    assert isinstance(heard, icbm.ClientEvent)
    assert (heard.name, heard.event) == ("alice", icbm.TYPING_BEGUN)
    bob.say(icbm.SetParameters(flags=icbm.FLAG_MESSAGES))
    alice.say(icbm.ClientEvent(name="bob", event=icbm.TYPING_NONE))
    assert bob.heard() == []
    assert alice.say(icbm.ClientEvent(name="nobody", event=icbm.TYPING_BEGUN)) == []
    assert server.network.counts["unknown_snacs"] == 0


def test_a_client_refuses_a_message() -> None:
    _, alice, bob = pair()
    alice.send("bob")
    bob.heard()
    bob.say(icbm.ClientError(cookie=b"cookie!!", channel=1, name="alice", code=3))
    assert alice.heard() == [icbm.ClientError(cookie=b"cookie!!", channel=1, name="bob", code=3)]


def test_blocking_works_both_ways() -> None:
    _, alice, bob = pair()
    bob.say(privacy.AddDenies(("alice",)))
    assert alice.send("bob") == [NOT_THERE]
    assert bob.send("alice") == [SnacError(group=4, code=0x10)]
    alice.say(icbm.ClientEvent(name="bob", event=icbm.TYPING_BEGUN))
    assert bob.heard() == []
    bob.say(privacy.RemoveDenies(("alice",)))
    assert alice.send("bob") == [ACK]


@pytest.mark.parametrize(("anonymous", "gained"), [(False, 100), (True, 30)])
def test_warnings(anonymous: bool, gained: int) -> None:
    _, alice, bob = pair()
    assert alice.say(icbm.WarnRequest(anonymous=anonymous, name="bob")) == [icbm.WarnReply(gained=gained, level=gained)]
    (heard,) = bob.heard()
    assert isinstance(heard, oservice.WarnedNotice)
    assert (heard.level, heard.by is None) == (gained, anonymous)
    assert alice.say(icbm.WarnRequest(anonymous=False, name="alice")) == [SnacError(group=4, code=0x0D)]


def test_acknowledgements_can_be_held_back() -> None:
    server, alice, bob = pair()
    server.network.acks_held_until = server.clock.now + 5
    assert alice.send("bob") == []
    assert len(bob.heard()) == 1
    server.clock.pass_(4)
    assert alice.heard() == []
    server.clock.pass_(2)
    assert alice.heard() == [ACK]
    assert alice.send("bob") == [ACK]


def test_bots_answer_but_not_each_other() -> None:
    server = Server("alice")
    echo = start_bot(server.network, "Echo Bot=echo")
    other = start_bot(server.network, "other=echo")
    sink = start_bot(server.network, "sink=sink")
    alice = server.online("alice")
    heard = alice.send("echobot", "hello")
    assert [body.ids() for body in heard] == [(4, 7), (4, 0x0C)]
    assert text_of(heard[0]) == "hello"
    assert [body.ids() for body in alice.send("sink")] == [(4, 0x0C)]
    echo.deliver(icbm.IncomingMessage(cookie=bytes(8), channel=1, sender=other.info(0), tlvs=Tlvs([(2, b"")])))
    assert (echo.received, other.received, sink.received) == (2, 0, 1)
