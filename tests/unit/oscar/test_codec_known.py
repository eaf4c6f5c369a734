"""Bytes that servers and clients are known to send, and what they mean."""

from __future__ import annotations

import hashlib

import pytest

from transports.oscar.wire import bucp, buddy, caps, codes, feedbag, icbm, icq, locate, oservice, roast, text
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.rates import RateClass, next_level, wait_for_level
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import SnacFrame
from transports.oscar.wire.tlv import Tlvs, tlv16
from transports.oscar.wire.userinfo import UserInfo


def test_roasting() -> None:
    assert roast.roast(b"") == b""
    assert roast.roast(b"a") == b"\x92"
    password = b"a much longer password than the table"
    assert roast.roast(roast.roast(password)) == password


def test_both_digests() -> None:
    plain = hashlib.md5(b"key" + b"secret" + b"AOL Instant Messenger (SM)").digest()
    assert roast.md5_response(b"secret", b"key", hashed=False) == plain
    nested = hashlib.md5(b"key" + hashlib.md5(b"secret").digest() + b"AOL Instant Messenger (SM)").digest()
    assert roast.md5_response(b"secret", b"key") == nested


def test_passwords() -> None:
    assert roast.password_bytes("pässword") == b"p\xe4ssword"
    assert roast.password_bytes("☃") == "☃".encode()
    with pytest.raises(OscarSyntaxError):
        roast.password_bytes("")


def test_arrival_as_a_server_sends_it() -> None:
    raw = bytes.fromhex("0461696d6100000004000300046b0441990001000200110006000400000000001e000400000000")
    (user,) = buddy.Arrived.decode(raw).users
    assert user.name == "aima"
    assert user.user_class == 0x11
    assert not user.away
    assert user.signon_time == 0x6B044199
    assert user.idle_minutes == 0
    assert user.caps == ()


def test_message_as_a_client_sends_it() -> None:
    raw = bytes.fromhex("749397657cd131200001066e6f626f64790002000f05010001010101000600000000686900030000")
    message = icbm.SendMessage.decode(raw)
    assert (message.to, message.channel, message.cookie.hex()) == ("nobody", 1, "749397657cd13120")
    assert message.tlvs.has(icbm.TLV_HOST_ACK)
    value = message.tlvs.get(icbm.TLV_TEXT)
    assert value is not None
    assert text.decode_message(value) == text.MessageText(text="hi", charset=0, features=b"\x01")
    assert message.encode() == raw


def test_refusal() -> None:
    body = decode_body(SnacFrame(group=4, kind=1, request_id=14, data=bytes.fromhex("0004")))
    assert body == SnacError(group=4, code=4)
    assert isinstance(body, SnacError)
    assert body.name == "recipient is not logged on"
    assert body.subcode is None
    assert codes.error_name(0x7777) == "error 0x7777"


def test_the_list_as_a_server_sends_it() -> None:
    raw = bytes.fromhex(
        "0000030000000000000001000600c8000276ce00074275646469657376ce00000001000600c80002c800"
        "000461696d6276cec800000000006b044199"
    )
    reply = feedbag.ListReply.decode(raw)
    root, group, buddy_item = reply.items
    assert root.order == (0x76CE,)
    assert (group.name, group.class_id, group.order) == ("Buddies", feedbag.GROUP, (0xC800,))
    assert (buddy_item.name, buddy_item.group_id, buddy_item.item_id) == ("aimb", 0x76CE, 0xC800)
    assert reply.timestamp == 0x6B044199
    assert reply.encode() == raw
    assert group.with_order((1, 2)).order == (1, 2)


def test_list_limits() -> None:
    rights = feedbag.RightsReply(Tlvs([(feedbag.LIMIT_BY_CLASS, bytes.fromhex("003d003d00640064"))]))
    assert rights.limits_by_class() == (61, 61, 100, 100)


def test_parameters() -> None:
    reply = icbm.ParametersReply.decode(bytes.fromhex("006400000003020003e703e700000000"))
    assert (reply.max_length, reply.max_sender_warning, reply.min_interval) == (512, 999, 0)


def test_sign_on_answers() -> None:
    good = bucp.login_outcome(Tlvs([(5, b"127.0.0.1:5190"), (6, b"cookie")]))
    assert (good.host, good.cookie, good.error) == ("127.0.0.1:5190", b"cookie", None)
    bad = bucp.login_outcome(Tlvs([tlv16(8, 5), (4, b"http://x/")]))
    assert (bad.cookie, bad.error, bad.url) == (None, 5, "http://x/")
    assert codes.login_failure(5) == "incorrect password"
    assert bucp.login_outcome(Tlvs([(8, b"\x18")])).error == 0x18
    with pytest.raises(OscarSyntaxError):
        bucp.login_outcome(Tlvs([(8, b"")]))


def test_rate_classes_of_both_layouts() -> None:
    for extra in ({}, {"elapsed": 17, "dropping": 1}):
        rate = RateClass(
            id=3, window=20, clear=5100, alert=5000, limit=4000, disconnect=3000, current=6000, maximum=6000, **extra
        )
        change = oservice.RateChange.decode(oservice.RateChange(code=2, rate=rate).encode())
        assert change.rate == rate


def test_moving_average() -> None:
    rate = RateClass(id=3, window=20, clear=5100, alert=5000, limit=4000, disconnect=3000, current=6000, maximum=6000)
    assert next_level(rate, 6000, 0) == 5700
    assert next_level(rate, 6000, 60000) == 6000
    wait = wait_for_level(rate, 5700, 5500)
    assert next_level(rate, 5700, wait) == pytest.approx(5500)
    assert wait_for_level(rate, 6000, 1000) == 0


def test_away_message_in_its_charset() -> None:
    mime, raw = locate.mime_encode("à bientôt")
    reply = locate.InfoReply(user=UserInfo(name="x"), tlvs=Tlvs([(locate.AWAY_MIME, mime), (locate.AWAY, raw)]))
    assert locate.InfoReply.decode(reply.encode()).away_message == "à bientôt"
    assert locate.InfoReply(user=UserInfo(name="x")).away_message is None
    latin = Tlvs([(locate.AWAY_MIME, b'text/aolrtf; charset="iso-8859-1"'), (locate.AWAY, b"\xe9")])
    assert locate.InfoReply(user=UserInfo(name="x"), tlvs=latin).away_message == "é"
    lying = Tlvs([(locate.AWAY_MIME, b'text/aolrtf; charset="us-ascii"'), (locate.AWAY, raw)])
    assert locate.InfoReply(user=UserInfo(name="x"), tlvs=lying).away_message == "à bientôt"


def test_status_text() -> None:
    item = bytes.fromhex("0002040d") + b"\x00\x08at lunch\x00\x00\x00"
    assert UserInfo(name="x", tlvs=Tlvs([(0x1D, item)])).available_message == "at lunch"


def test_capabilities() -> None:
    both = Tlvs([(0x0D, caps.CAP_CHAT), (0x19, b"\x13\x4e")])
    assert UserInfo(name="x", tlvs=both).caps == (caps.CAP_CHAT, caps.CAP_UTF8)


def test_stored_icq_message() -> None:
    stored = icq.OfflineMessage(uin=100101, year=2026, month=11, day=23, hour=9, minute=5, type=1, text="é".encode())
    reply = icq.IcqReply(uin=100102, type=icq.OFFLINE_MESSAGE, sequence=2, data=stored.encode())
    again = icq.IcqReply.decode(reply.encode())
    assert again == reply
    assert icq.OfflineMessage.decode(again.data).text_str == "é"


def test_error_tells_what_and_where() -> None:
    with pytest.raises(OscarSyntaxError) as caught:
        icbm.HostAck.decode(b"\0" * 8 + b"\0\1" + b"\x09abc")
    assert caught.value.where == 11
    assert "screen name" in caught.value.what
