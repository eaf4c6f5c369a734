"""Presence: who is told of whom, and what they may ask."""

from __future__ import annotations

import pytest

from tests.unit.oscar_server.harness import Client, Server
from transports.oscar.wire import buddy, feedbag, locate, oservice, privacy
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs, tlv32
from transports.oscar.wire.userinfo import UserInfo


def watched() -> tuple[Server, Client]:
    """Bob, who has alice on his list."""
    server = Server("alice", "bob")
    account = server.network.accounts.find("bob")
    assert account is not None
    account.put_on_list(["Alice"])
    return server, server.online("bob")


def arrived(bodies: list[Body]) -> UserInfo:
    (body,) = bodies
    assert isinstance(body, buddy.Arrived)
    (user,) = body.users
    return user


def gone(bodies: list[Body]) -> str:
    (body,) = bodies
    assert isinstance(body, buddy.Departed)
    return body.users[0].name


def test_coming_and_going() -> None:
    server, bob = watched()
    bob.heard()
    alice = server.bos("alice")
    alice.say(feedbag.Activate())
    assert bob.heard() == []
    assert [body.ids() for body in alice.say(oservice.ClientOnline())] == [(0x0B, 2)]
    assert arrived(bob.heard()).user_class == 0x11
    alice.hang_up()
    assert gone(bob.heard()) == "alice"


@pytest.mark.parametrize("list_first", [True, False])
def test_the_list_and_being_ready_in_either_order(list_first: bool) -> None:
    server, _ = watched()
    server.online("alice")
    bob = server.bos("bob")
    steps: list[Body] = [feedbag.Activate(), oservice.ClientOnline()]
    heard = [body for step in (steps if list_first else steps[::-1]) for body in bob.say(step)]
    assert sorted(body.ids() for body in heard) == [(0x03, 0x0B), (0x0B, 0x02)]


def test_away_and_back() -> None:
    server, bob = watched()
    alice = server.online("alice")
    bob.heard()
    mime = b'text/x-aolrtf; charset="us-ascii"'
    alice.say(locate.SetInfo(Tlvs([(locate.AWAY_MIME, mime), (locate.AWAY, b"fishing"), (locate.PROFILE, b"me")])))
    assert arrived(bob.heard()).away
    (reply,) = bob.say(locate.InfoQuery2(wanted=locate.WANT_AWAY, name="ALICE"))
    assert isinstance(reply, locate.InfoReply)
    assert (reply.away_message, reply.profile) == ("fishing", None)
    (reply,) = bob.say(locate.InfoQuery(type=1, name="alice"))
    assert isinstance(reply, locate.InfoReply)
    assert (reply.away_message, reply.profile) == (None, "me")
    (reply,) = bob.say(locate.InfoQuery(type=locate.TYPE_AWAY, name="alice"))
    assert isinstance(reply, locate.InfoReply)
    assert reply.away_message == "fishing"
    alice.say(locate.SetInfo(Tlvs([(locate.AWAY, b"")])))
    assert not arrived(bob.heard()).away


def test_information_of_who_is_not_there() -> None:
    _, bob = watched()
    assert bob.say(locate.InfoQuery2(wanted=2, name="alice")) == [SnacError(group=2, code=4)]


def test_idle_time_grows() -> None:
    server, bob = watched()
    alice = server.online("alice")
    bob.heard()
    alice.say(oservice.Idle(600))
    assert arrived(bob.heard()).idle_minutes == 10
    server.clock.pass_(300)
    (reply,) = bob.say(locate.InfoQuery2(wanted=0, name="alice"))
    assert isinstance(reply, locate.InfoReply)
    assert reply.user.idle_minutes == 15
    alice.say(oservice.Idle(0))
    assert arrived(bob.heard()).idle_minutes == 0


def test_being_invisible() -> None:
    server, bob = watched()
    alice = server.online("alice")
    bob.heard()
    alice.say(oservice.SetStatus(Tlvs([tlv32(oservice.TLV_STATUS, 0x100)])))
    assert gone(bob.heard()) == "alice"
    alice.say(oservice.Idle(600))
    assert bob.heard() == []
    assert bob.say(locate.InfoQuery2(wanted=2, name="alice")) == [SnacError(group=2, code=4)]
    alice.say(oservice.SetStatus(Tlvs([tlv32(oservice.TLV_STATUS, 0)])))
    assert arrived(bob.heard()).name == "alice"
    alice.say(oservice.SetStatus(Tlvs([tlv32(oservice.TLV_STATUS, 0x100)])))
    bob.heard()
    alice.hang_up()
    assert bob.heard() == []


def test_permits_and_denies_of_a_session() -> None:
    server, bob = watched()
    alice = server.online("alice")
    bob.heard()
    alice.say(privacy.AddDenies(("BOB",)))
    assert gone(bob.heard()) == "alice"
    alice.say(privacy.RemoveDenies(("bob",)))
    assert arrived(bob.heard()).name == "alice"
    alice.say(privacy.AddPermits(("carol",)))
    assert gone(bob.heard()) == "alice"
    alice.say(privacy.AddPermits(("bob",)))
    assert arrived(bob.heard()).name == "alice"
    alice.say(privacy.AddPermits(("alice",)))
    assert gone(bob.heard()) == "alice"
    alice.say(privacy.AddDenies(("alice",)))
    assert arrived(bob.heard()).name == "alice"


def test_clients_without_a_list() -> None:
    server = Server("alice", "bob")
    alice = server.online("alice")
    bob = server.bos("bob")
    assert bob.say(buddy.AddBuddies(("alice", "nobody"))) == []
    assert arrived(bob.say(oservice.ClientOnline())[:1]).name == "alice"
    bob.say(buddy.RemoveBuddies(("alice",)))
    alice.say(oservice.Idle(60))
    assert bob.heard() == []
    assert arrived(bob.say(buddy.AddTemporary(("alice",)))).idle_minutes == 1


def test_nothing_remains_of_who_is_gone() -> None:
    server, bob = watched()
    alice = server.online("alice")
    bob.hang_up()
    bob.hang_up()
    alice.hang_up()
    network = server.network
    assert (network.residents, network.sessions, dict(network.watchers)) == ({}, {}, {})
