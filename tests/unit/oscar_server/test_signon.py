"""Signing on: both forms of the digest, the roasted form, refusals, cookies, and two connections of one name."""

from __future__ import annotations

import pytest

from tests.kit.oscar_server.network import COOKIE_LIFE
from tests.unit.oscar_server.harness import Server, challenge, login
from transports.oscar.wire import bucp, oservice
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.flap import DATA, KEEPALIVE, SIGNOFF, SIGNON, SignonFrame
from transports.oscar.wire.roast import md5_response, roast
from transports.oscar.wire.tlv import Tlvs, tlv16, tlv_text


def test_the_server_speaks_first() -> None:
    frames = Server().client().frames()
    assert [(frame.channel, frame.payload) for frame in frames] == [(SIGNON, b"\0\0\0\1")]


@pytest.mark.parametrize("hashed", [True, False])
def test_both_forms_of_the_digest(hashed: bool) -> None:
    client = Server("Alice In").client()
    tlvs = login(client, "ALICE in", "nI ecilA", hashed=hashed)
    assert tlvs.text(bucp.SCREEN_NAME) == "Alice In"
    assert tlvs.text(bucp.HOST) == "127.0.0.1:5190"
    assert tlvs.get(bucp.COOKIE)
    assert client.closed


@pytest.mark.parametrize("hashed", [True, False])
def test_a_wrong_password(hashed: bool) -> None:
    tlvs = login(Server("alice").client(), "alice", "wrong", hashed=hashed)
    assert tlvs.u16(bucp.ERROR) == 0x05
    assert not tlvs.has(bucp.COOKIE)


@pytest.mark.parametrize(("name", "code"), [("nobody", 0x01), ("100100", 0x08)])
def test_an_unknown_name_is_refused_at_once(name: str, code: int) -> None:
    client = Server("alice").client()
    client.frame(SIGNON, SignonFrame().encode())
    (body,) = client.say(bucp.ChallengeRequest(Tlvs([tlv_text(bucp.SCREEN_NAME, name)])))
    assert isinstance(body, bucp.LoginResponse)
    assert body.tlvs.u16(bucp.ERROR) == code


def test_a_challenge_is_good_for_its_name_alone() -> None:
    client = Server("alice", "bob").client()
    client.frame(SIGNON, SignonFrame().encode())
    digest = md5_response(b"bob"[::-1], challenge(client, "alice"))
    tlvs = Tlvs([tlv_text(bucp.SCREEN_NAME, "bob"), (bucp.DIGEST, digest), (bucp.MD5_OF_MD5, b"")])
    (body,) = client.say(bucp.LoginRequest(tlvs))
    assert isinstance(body, bucp.LoginResponse)
    assert body.tlvs.u16(bucp.ERROR) == 0x05


@pytest.mark.parametrize(("password", "good"), [(b"ecila", True), (b"wrong", False)])
def test_the_roasted_form(password: bytes, good: bool) -> None:
    client = Server("alice").client()
    frame = SignonFrame(tlvs=Tlvs([tlv_text(bucp.SCREEN_NAME, "alice"), (bucp.ROASTED, roast(password))]))
    (answer,) = client.frame(SIGNON, frame.encode())
    assert answer.channel == SIGNOFF
    outcome = bucp.login_outcome(Tlvs.decode(answer.payload))
    assert (outcome.cookie is not None) is good
    assert outcome.error == (None if good else 0x05)
    assert client.closed


def test_the_cookie_leads_to_the_food_groups_once() -> None:
    server = Server("alice")
    cookie = login(server.client(), "alice", "ecila").get(bucp.COOKIE)
    assert cookie is not None
    frame = SignonFrame(tlvs=Tlvs([(bucp.COOKIE, cookie)])).encode()
    first = server.client()
    first.frames()
    (online,) = first.frame(SIGNON, frame)
    assert online.channel == DATA
    assert online.payload[:4] == b"\0\1\0\3"
    second = server.client()
    (refused,) = second.frame(SIGNON, frame)
    assert refused.channel == SIGNOFF
    assert second.closed
    assert not first.closed


def test_a_cookie_grows_old() -> None:
    server = Server("alice")
    cookie = login(server.client(), "alice", "ecila").get(bucp.COOKIE)
    assert cookie is not None
    server.clock.pass_(COOKIE_LIFE + 1)
    (refused,) = server.client().frame(SIGNON, SignonFrame(tlvs=Tlvs([(bucp.COOKIE, cookie)])).encode())
    assert refused.channel == SIGNOFF


def test_signing_on_elsewhere_ends_the_older_session() -> None:
    server = Server("alice")
    older = server.online("alice")
    newer = server.online("alice")
    (frame,) = older.frames()
    assert frame.channel == SIGNOFF
    assert Tlvs.decode(frame.payload).u16(0x09) == 1
    assert older.closed
    assert not newer.closed
    assert server.network.counts["signed_on_elsewhere"] == 1
    older.hang_up()
    assert server.network.resident("alice") is not None


def test_an_old_client_gets_a_frame_without_a_length() -> None:
    server = Server("alice")
    older = server.bos("alice", multi=False)
    older.frames()
    older.raw.clear()
    server.bos("alice")
    assert len(older.raw) == 4
    assert older.raw[:2] == b"\x2a\x04"


def test_moving_to_another_connection_is_not_noticed() -> None:
    server = Server("alice", "bob")
    bob_account = server.network.accounts.find("bob")
    assert bob_account is not None
    bob_account.put_on_list(["alice"])
    alice, bob = server.online("alice"), server.online("bob")
    bob.heard()
    cookie = server.network.move("alice")
    assert cookie is not None
    alice.hang_up()
    bob.send("alice", "on the way")
    again = server.client()
    again.frame(SIGNON, SignonFrame(tlvs=Tlvs([(bucp.COOKIE, cookie)])).encode())
    heard = again.say(oservice.ClientOnline())
    assert [body.ids() for body in heard] == [(0x04, 0x07), (0x0B, 0x02)]
    assert [body.ids() for body in bob.heard()] == [(0x03, 0x0B)]


def test_told_to_move_before_being_ready() -> None:
    server = Server("alice", "bob")
    alice, bob = server.bos("alice"), server.online("bob")
    cookie = server.network.move("alice")
    assert cookie is not None
    alice.say(oservice.ClientOnline())
    alice.hang_up()
    assert [body.ids() for body in bob.send("alice", "on the way")] == [(0x04, 0x0C)]
    again = server.client()
    again.frame(SIGNON, SignonFrame(tlvs=Tlvs([(bucp.COOKIE, cookie)])).encode())
    assert (0x04, 0x07) in [body.ids() for body in again.say(oservice.ClientOnline())]


def test_who_moves_and_does_not_come_is_gone() -> None:
    server = Server("alice", "bob")
    bob_account, alice_account = (server.network.accounts.find(name) for name in ("bob", "alice"))
    assert bob_account is not None
    assert alice_account is not None
    bob_account.put_on_list(["alice"])
    alice, bob = server.online("alice"), server.online("bob")
    server.network.move("alice")
    alice.hang_up()
    bob.send("alice", "on the way")
    bob.heard()
    server.clock.pass_(COOKIE_LIFE + 1)
    assert [body.ids() for body in bob.heard()] == [(0x03, 0x0C)]
    assert len(alice_account.stored) == 1


def test_snacs_that_nobody_knows_and_that_are_broken() -> None:
    server = Server("alice")
    client = server.online("alice")
    assert client.say(oservice.HostOnline((1,))) == [SnacError(group=1, code=0x01)]
    (frame,) = client.frame(DATA, bytes.fromhex("0004000600000000002a") + b"short")
    assert frame.payload == bytes.fromhex("0004000100000000002a000e")
    assert client.frame(KEEPALIVE, b"") == []
    assert not client.closed


def test_a_broken_stream_is_closed() -> None:
    client = Server().client()
    client.connection.received(b"GET / HTTP/1.1\r\n\r\n")
    assert client.closed


def test_versions_are_agreed_and_services_are_not_there() -> None:
    client = Server("alice").bos("alice")
    answers = client.say(oservice.ClientVersions(((0x01, 9), (0x04, 1), (0x18, 1))))
    assert answers[0] == oservice.HostVersions(((0x01, 3), (0x04, 1)))
    assert isinstance(answers[1], oservice.Motd)
    assert client.say(oservice.ServiceRequest(service=0x10)) == [SnacError(group=1, code=0x06)]


def test_status_comes_back() -> None:
    client = Server("100100").online("100100")
    (body,) = client.say(oservice.SetStatus(Tlvs([(oservice.TLV_STATUS, b"\0\0\1\0")])))
    assert isinstance(body, oservice.SelfInfo)
    assert body.users[0].invisible
    assert tlv16(1, 1) == (1, b"\0\1")
