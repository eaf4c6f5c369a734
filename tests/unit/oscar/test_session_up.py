"""What a session does once it is up: messages, presence, the list, warnings, moves."""

from __future__ import annotations

import pytest

from bridge.model.body import Stage
from tests.unit.oscar.kit import AOL, STRICT, Net, message, stored
from transports.oscar.machine.actions import Purpose
from transports.oscar.machine.config import SessionConfig
from transports.oscar.wire import buddy, feedbag, icbm, icq, locate, native, oservice, rendezvous, text
from transports.oscar.wire.caps import CAP_HTML_MESSAGES, CAP_TYPING
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.native import Availability, Link, Typing
from transports.oscar.wire.snac import UnknownBody
from transports.oscar.wire.tlv import Tlvs, tlv16, tlv32
from transports.oscar.wire.userinfo import CLASS, STATUS, UserInfo


def user(name: str = "Bob", **tlvs: bytes) -> UserInfo:
    return UserInfo(name=name, tlvs=Tlvs([(int(tag[1:], 16), value) for tag, value in tlvs.items()]))


# -- messages out


def test_a_message_and_its_acknowledgement() -> None:
    net = Net().up()
    net.send(net.im(7, text="grüß 👍"))
    (sent,) = net.got(icbm.SendMessage)
    assert isinstance(sent, icbm.SendMessage)
    assert (sent.to, sent.cookie, sent.channel) == ("Bob", (7).to_bytes(8, "big"), 1)
    assert sent.tlvs.has(icbm.TLV_HOST_ACK)
    assert sent.tlvs.has(icbm.TLV_STORE)
    # a client tells that it types only to those whose last message asked for it
    assert sent.tlvs.get(icbm.TLV_WANT_EVENTS) == b""
    assert text.decode_message(sent.tlvs.get(icbm.TLV_TEXT) or b"").text == "grüß 👍"
    result = net.results()["k"]
    assert (result.stage, result.remote_id, result.failure) == (Stage.RELAYED, (7).to_bytes(8, "big").hex(), None)


@pytest.mark.parametrize(("code", "retryable"), [(0x04, False), (0x02, True), (0x0E, False), (0x13, True)])
def test_a_refusal_is_certain(code: int, retryable: bool) -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = lambda _: SnacError(group=4, code=code)
    net.send(net.im(1))
    failure = net.results()["k"].failure
    assert failure is not None
    assert (failure.certain, failure.retryable) == (True, retryable)


def test_a_refusal_with_a_subcode() -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = lambda _: SnacError(group=4, code=4, tlvs=Tlvs([tlv16(8, 0x0F)]))
    net.send(net.im(1))
    failure = net.results()["k"].failure
    assert failure is not None
    assert "store of offline messages is full" in failure.reason


def test_no_answer_is_unknown_and_a_late_one_is_told() -> None:
    net = Net(config=SessionConfig(host="h", port=1, ack_timeout=20.0)).up()
    net.answers[icbm.SendMessage] = None
    net.send(net.im(1))
    net.wait(19)
    assert not net.results()
    net.wait(2)
    result = net.results()["k"]
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    # a server that stores a message need not answer: sent again it would be read twice
    assert (result.failure.certain, result.failure.retryable) == (False, False)
    net.push(icbm.HostAck(cookie=(1).to_bytes(8, "big"), channel=1, name="Bob"), request_id=99999)
    net.run()
    assert net.of(native.ImAck)


def test_after_a_lost_connection_a_message_without_an_answer_may_be_sent_again() -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = None
    net.send(net.im(1))
    net.lose()
    result = net.results()["k"]
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    assert (result.failure.certain, result.failure.retryable) == (False, True)


def test_an_automatic_answer_asks_for_typing_too() -> None:
    net = Net().up()
    net.send(net.im(1, auto_response=True, request_host_ack=False, store_offline=False))
    (sent,) = net.got(icbm.SendMessage)
    assert isinstance(sent, icbm.SendMessage)
    assert [tag for tag, _ in sent.tlvs] == [icbm.TLV_TEXT, icbm.TLV_WANT_EVENTS, icbm.TLV_AUTO_RESPONSE]


def test_an_acknowledgement_is_found_by_its_cookie() -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = None
    net.send(net.im(1), "one")
    net.send(net.im(2), "two")
    net.push(icbm.HostAck(cookie=(2).to_bytes(8, "big"), channel=1, name="Bob"), request_id=0)
    net.run()
    assert set(net.results()) == {"two"}


def test_the_other_client_refuses() -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = None
    net.send(net.im(1))
    net.push(icbm.ClientError(cookie=(1).to_bytes(8, "big"), channel=1, name="Bob", code=3), request_id=1)
    net.run()
    assert net.results()["k"].stage is Stage.FAILED
    net.push(icbm.ClientError(cookie=(1).to_bytes(8, "big"), channel=1, name="Bob", code=3))
    net.run()
    assert len(net.of(native.ImError)) == 1


def test_too_long() -> None:
    net = Net().up()
    net.send(net.im(1, text="x" * 2049))
    failure = net.results()["k"].failure
    assert failure is not None
    assert "more than 2048 bytes" in failure.reason
    net.send(net.im(2, text="x" * 2048), "fits")
    assert net.results()["fits"].stage is Stage.RELAYED


def test_a_name_that_does_not_fit() -> None:
    net = Net().up()
    net.send(net.im(1, to="x" * 300))
    assert net.results()["k"].stage is Stage.FAILED
    assert not net.got(icbm.SendMessage)


def test_the_same_cookie_twice_at_once() -> None:
    net = Net().up()
    net.answers[icbm.SendMessage] = None
    net.send(net.im(1), "one")
    net.send(net.im(1), "two")
    assert set(net.results()) == {"two"}
    assert len(net.got(icbm.SendMessage)) == 1


def test_losing_the_connection_tells_the_sent_from_the_unsent() -> None:
    net = Net(rates=STRICT).up()
    net.answers[icbm.SendMessage] = None
    for number in range(5):
        net.send(net.im(number), f"k{number}")
    sent = len(net.got(icbm.SendMessage))
    assert 0 < sent < 5
    net.lose()
    stages = [net.results()[f"k{number}"].stage for number in range(5)]
    assert stages == [Stage.UNKNOWN] * sent + [Stage.FAILED] * (5 - sent)


# -- rates


def test_a_burst_is_paced_and_nothing_is_lost() -> None:
    net = Net(rates=STRICT).up()
    level, last, lowest = float(AOL.current), net.now, float(AOL.current)
    times: list[float] = []

    def counted(body: object) -> icbm.HostAck:
        nonlocal level, last, lowest
        assert isinstance(body, icbm.SendMessage)
        level = min(AOL.maximum, (level * (AOL.window - 1) + int((net.now - last) * 1000)) // AOL.window)
        last = net.now
        lowest = min(lowest, level)
        times.append(net.now)
        return icbm.HostAck(cookie=body.cookie, channel=1, name=body.to)

    net.answers[icbm.SendMessage] = counted
    for number in range(100):
        net.send(net.im(number), f"k{number}", deadline=net.now + 2000)
    queued = [event for event in net.of(native.ImQueued) if isinstance(event, native.ImQueued)]
    assert len(queued) + len(times) == 100
    assert [each.waiting for each in queued] == list(range(1, len(queued) + 1))
    expected = queued[-1].expected_seconds
    began = net.now
    net.wait(2000)
    assert all(net.results()[f"k{number}"].stage is Stage.RELAYED for number in range(100))
    bodies = [body for body in net.got(icbm.SendMessage) if isinstance(body, icbm.SendMessage)]
    assert [int.from_bytes(body.cookie, "big") for body in bodies] == list(range(100))
    assert lowest >= AOL.alert
    assert times[-1] - began == pytest.approx(expected, rel=0.05)


def test_limited_waits_for_clear() -> None:
    net = Net(rates=STRICT).up()
    net.wait(100)
    net.push(oservice.RateChange(code=oservice.RATE_LIMITED, rate=AOL))
    net.send(net.im(1))
    assert not net.got(icbm.SendMessage) or AOL.current >= AOL.clear
    low = oservice.RateChange(
        code=oservice.RATE_LIMITED,
        rate=type(AOL)(
            id=3, window=20, clear=5100, alert=5000, limit=4000, disconnect=3000, current=3900, maximum=6000
        ),
    )
    net.wait(100)
    net.push(low)
    net.send(net.im(2), "two")
    before = len(net.got(icbm.SendMessage))
    net.wait(20)
    assert len(net.got(icbm.SendMessage)) == before
    net.wait(15)
    assert len(net.got(icbm.SendMessage)) == before + 1


def test_a_message_whose_time_is_over_is_not_sent() -> None:
    net = Net(rates=STRICT).up()
    for number in range(10):
        net.send(net.im(number), f"k{number}", deadline=net.now + 12)
    net.wait(100)
    late = [key for key, result in net.results().items() if result.stage is Stage.FAILED]
    assert late
    assert len(net.got(icbm.SendMessage)) == 10 - len(late)
    failure = net.results()[late[0]].failure
    assert failure is not None
    assert failure.certain


def test_the_queue_has_an_end() -> None:
    net = Net(rates=STRICT, config=SessionConfig(host="h", port=1, max_queue=5)).up()
    for number in range(20):
        net.send(net.im(number), f"k{number}")
    full = [result for result in net.results().values() if result.failure and "queue is full" in result.failure.reason]
    assert len(full) >= 10


def test_a_server_that_never_answers_is_not_buried() -> None:
    net = Net(config=SessionConfig(host="h", port=1, max_in_flight=10)).up()
    net.answers[icbm.SendMessage] = None
    for number in range(20):
        net.send(net.im(number), f"k{number}")
    assert len(net.got(icbm.SendMessage)) == 10
    net.wait(40)
    stages = [result.stage for result in net.results().values()]
    assert (stages.count(Stage.FAILED), stages.count(Stage.UNKNOWN)) == (10, 10)


def test_typing_is_dropped_rather_than_late() -> None:
    rates = oservice.RatesReply(
        classes=STRICT.classes, members=(type(STRICT.members[0])(class_id=3, members=((4, 0x14),)),)
    )
    net = Net(rates=rates).up()
    for number in range(10):
        net.send(native.TypingSend(account="aima", to="bob", state=Typing.TYPING), f"t{number}")
    stages = [result.stage for result in net.results().values()]
    assert stages.count(Stage.RELAYED) == len(net.got(icbm.ClientEvent)) < 10
    net.wait(100)
    assert len(net.results()) == 10


# -- messages in


def test_a_message_comes() -> None:
    net = Net().up()
    net.push(message(text="gr\u00fc\u00df".encode()))
    net.run()
    (event,) = net.of(native.ImReceived)
    assert isinstance(event, native.ImReceived)
    assert (event.sender, event.text, event.is_html, event.offline) == ("Bob", "grüß", True, False)


def test_between_icq_numbers_text_is_plain() -> None:
    net = Net("100101").up()
    net.push(message(sender="100102"))
    net.run()
    (event,) = net.of(native.ImReceived)
    assert isinstance(event, native.ImReceived)
    assert not event.is_html


def test_what_cannot_be_read_is_told() -> None:
    net = Net().up()
    empty = icbm.IncomingMessage(cookie=b"12345678", channel=1, sender=user(), tlvs=Tlvs())
    net.push(empty)
    net.push(UnknownBody(group=4, kind=7, data=b"short"))
    net.push(icbm.IncomingMessage(cookie=b"12345678", channel=9, sender=user(), tlvs=Tlvs()))
    net.run()
    found = [event for event in net.of(native.ImUnreadable) if isinstance(event, native.ImUnreadable)]
    assert [(each.sender, each.channel) for each in found] == [("Bob", 1), (None, None), ("Bob", 9)]
    assert found[1].raw == b"short"
    assert net.link().state is Link.UP


def test_a_rendezvous_is_declined() -> None:
    net = Net().up()
    proposal = rendezvous.Rendezvous(
        type=rendezvous.PROPOSE, cookie=b"87654321", capability=b"c" * 16, tlvs=Tlvs([(0x0C, b"take this")])
    )
    tlvs = Tlvs([(icbm.TLV_DATA, proposal.encode())])
    net.push(icbm.IncomingMessage(cookie=b"87654321", channel=2, sender=user(), tlvs=tlvs))
    net.run()
    (event,) = net.of(native.RendezvousDeclined)
    assert isinstance(event, native.RendezvousDeclined)
    assert (event.sender, event.capability, event.invitation) == ("Bob", b"c" * 16, "take this")
    assert net.got(icbm.ClientError) == [rendezvous.decline("Bob", b"87654321")]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (1, "old text", native.ImReceived),
        (4, "page\xfehttp://x", native.ImReceived),
        (6, "n\xfef\xfel\xfee\xfe1\xfeplease", native.AuthorizationRequest),
        (7, "no", native.AuthorizationAnswered),
        (8, "", native.AuthorizationAnswered),
        (0x0C, "n\xfef\xfel\xfee", native.YouWereAdded),
        (0x1A, "plugin", native.ImUnreadable),
    ],
)
def test_old_icq_messages(kind: int, body: str, expected: type[native.Inbound]) -> None:
    net = Net("100101").up()
    value = rendezvous.IcqMessage(uin=100102, type=kind, text=body).encode()
    net.push(
        icbm.IncomingMessage(cookie=b"12345678", channel=4, sender=user("100102"), tlvs=Tlvs([(icbm.TLV_DATA, value)]))
    )
    net.run()
    (event,) = net.of(expected)
    if isinstance(event, native.AuthorizationRequest):
        assert event.reason == "please"
    if isinstance(event, native.AuthorizationAnswered):
        assert event.accepted == (kind == 8)
    if isinstance(event, native.ImReceived) and kind == 4:
        assert event.text == "page\nhttp://x"


def test_missed_and_typing_and_warned() -> None:
    net = Net().up()
    net.push(icbm.MissedCalls((icbm.MissedCall(channel=1, sender=user(), count=3, reason=2),)))
    # servers hand on the sender's own request id with these: it must not pass for an answer
    net.push(icbm.ClientEvent(name="Bob", event=2), request_id=1)
    net.push(icbm.ClientEvent(name="Bob", event=0x0F), request_id=2)
    net.push(oservice.WarnedNotice(level=200, by=user("Carl")), request_id=0)
    net.push(oservice.SelfInfo((UserInfo(name="Aim A", warning=100),)))
    net.run()
    assert net.of(native.ImMissed) == [native.ImMissed(account="aima", sender="Bob", count=3, reason="sender too fast")]
    assert [event.state for event in net.of(native.TypingReceived) if isinstance(event, native.TypingReceived)] == [
        Typing.TYPING,
        Typing.CLOSED,
    ]
    assert net.of(native.Warned) == [
        native.Warned(account="aima", level=200, by="Carl"),
        native.Warned(account="aima", level=100),
    ]


def test_what_is_fetched_was_stored() -> None:
    net = Net()
    net.answers[icbm.OfflineRetrieve] = None
    net.up()
    kept = message()
    stamped = type(kept)(
        cookie=kept.cookie, channel=1, sender=kept.sender, tlvs=Tlvs([*kept.tlvs, tlv32(icbm.TLV_SEND_TIME, 77)])
    )
    net.push(stamped)
    net.push(message())
    request = next(payload for _, _, payload in net.frames if payload[:4] == b"\0\4\0\x10")
    net.push(icbm.OfflineRetrieved(), request_id=int.from_bytes(request[6:10], "big"))
    net.push(stamped)
    net.run()
    events = [event for event in net.of(native.ImReceived) if isinstance(event, native.ImReceived)]
    assert [(event.offline, event.timestamp) for event in events] == [(True, 77), (False, None), (False, 77)]


# -- ICQ's store


def test_stored_messages_are_deleted_once_recorded() -> None:
    net = Net("100101").up()
    for body in (stored(100102, b"one"), stored(100102, b"same"), stored(100102, b"same")):
        net.push(body)
    net.push(icq.IcqReply(uin=100101, type=icq.OFFLINE_END, sequence=1, data=b"\0"))
    net.run()
    events = [event for event in net.of(native.ImReceived) if isinstance(event, native.ImReceived)]
    assert len({event.cookie for event in events}) == 3
    assert all(event.offline and event.timestamp == 1795424700 for event in events)
    for event in events[:2]:
        net.session.recorded(event, net.now)
    net.run()
    assert [body.type for body in net.got(icq.IcqRequest) if isinstance(body, icq.IcqRequest)] == [icq.OFFLINE_REQUEST]
    net.session.recorded(events[2], net.now)
    net.run()
    last = net.got(icq.IcqRequest)[-1]
    assert isinstance(last, icq.IcqRequest)
    assert last.type == icq.OFFLINE_DELETE


# -- presence


def test_presence_comes_and_goes() -> None:
    net = Net().up()
    net.answers[locate.InfoQuery2] = lambda _: locate.InfoReply(
        user=user(), tlvs=Tlvs([(locate.AWAY_MIME, b"text/plain"), (locate.AWAY, b"at lunch")])
    )
    net.push(buddy.Arrived((user(),)))
    net.push(buddy.Arrived((user(),)))
    net.push(buddy.Arrived((user(x01=b"\x00\x30", x04=b"\x00\x07"),)))
    net.run()
    net.push(buddy.Departed((user(),)))
    net.run()
    seen = [event for event in net.of(native.BuddyPresence) if isinstance(event, native.BuddyPresence)]
    assert [(each.online, each.away, each.away_message, each.idle_minutes) for each in seen] == [
        (True, False, None, 0),
        (True, True, None, 7),
        (True, True, "at lunch", 7),
        (False, False, None, 0),
    ]


def test_icq_status_is_away_too() -> None:
    net = Net("100101").up()
    net.push(buddy.Arrived((UserInfo(name="100102", tlvs=Tlvs([tlv16(CLASS, 0x50), tlv32(STATUS, 0x10000001)])),)))
    net.run()
    (event,) = net.of(native.BuddyPresence)
    assert isinstance(event, native.BuddyPresence)
    assert (event.away, event.icq_status) == (True, 1)
    assert not net.got(locate.InfoQuery2)


def test_a_malformed_arrival_is_skipped() -> None:
    net = Net().up()
    net.push(buddy.Arrived((user(x04=b"\1"),)))
    net.push(UnknownBody(group=3, kind=0x0B, data=b"\xff"))
    net.run()
    assert not net.of(native.BuddyPresence)
    assert net.session.syntax_errors == 2
    assert net.link().state is Link.UP


def test_everybody_is_offline_once_the_connection_is_lost() -> None:
    net = Net().up()
    net.push(buddy.Arrived((user(),)))
    net.lose()
    last = net.of(native.BuddyPresence)[-1]
    assert isinstance(last, native.BuddyPresence)
    assert not last.online


def test_own_presence() -> None:
    net = Net().up()
    net.log.clear()
    away = native.OwnPresence(account="aima", state=Availability.AWAY, away_message="", idle_seconds=60)
    net.send(away, "a")
    (info,) = net.got(locate.SetInfo)
    assert isinstance(info, locate.SetInfo)
    assert info.tlvs.get(locate.AWAY) == b" "
    assert net.got(oservice.Idle) == [oservice.Idle(60)]
    net.log.clear()
    net.send(native.OwnPresence(account="aima", state=Availability.INVISIBLE), "b")
    (status,) = net.got(oservice.SetStatus)
    assert isinstance(status, oservice.SetStatus)
    assert status.tlvs.u32(oservice.TLV_STATUS) == 0x100
    (info,) = net.got(locate.SetInfo)
    assert isinstance(info, locate.SetInfo)
    assert info.tlvs.get(locate.AWAY) == b""


def test_what_is_shown_already_is_not_said_again() -> None:
    net = Net().up()
    net.log.clear()
    away = native.OwnPresence(account="aima", state=Availability.AWAY, away_message="lunch")
    for key in "ab":
        net.send(away, key)
        assert net.results()[key].stage is Stage.RELAYED
    assert len(net.got(locate.SetInfo)) == 1
    net.send(native.OwnPresence(account="aima", state=Availability.ONLINE), "c")
    net.send(away, "d")
    assert len(net.got(locate.SetInfo)) == 3
    net.lose()
    net.wait(400)
    assert net.link().state is Link.UP
    net.log.clear()
    net.send(away, "e")
    assert not net.got(locate.SetInfo)


# -- ICQ's newer clients


def plain_and_html(net: Net, number: int, to: str = "200202") -> str:
    """What goes out of a plain text that has a form in HTML too."""
    net.log.clear()
    message = native.ImSend(
        account=net.session.account,
        to=to,
        text="1 < 2",
        is_html=False,
        cookie=number.to_bytes(8, "big"),
        html="1 &lt; 2",
    )
    net.send(message, f"k{number}")
    (sent,) = net.got(icbm.SendMessage)
    assert isinstance(sent, icbm.SendMessage)
    return text.decode_message(sent.tlvs.get(icbm.TLV_TEXT) or b"").text


def test_a_client_that_reads_html_gets_html_until_another_is_there() -> None:
    net = Net("100101").up()
    assert plain_and_html(net, 1) == "1 < 2"
    net.push(buddy.Arrived((user("200202", x0D=CAP_HTML_MESSAGES),)))
    assert plain_and_html(net, 2) == "1 &lt; 2"
    assert plain_and_html(net, 3, "300303") == "1 < 2"
    net.push(buddy.Arrived((user("200202", x0D=CAP_TYPING),)))
    assert plain_and_html(net, 4) == "1 < 2"
    net.push(buddy.Arrived((user("200202", x0D=CAP_TYPING + CAP_HTML_MESSAGES),)))
    net.push(buddy.Departed((user("200202"),)))
    assert plain_and_html(net, 5) == "1 &lt; 2", "what is stored is most likely read with the same client"


def test_a_stranger_shows_it_with_a_message() -> None:
    net = Net("100101").up()
    incoming = message("200202", b"hi")
    shown = icbm.IncomingMessage(
        cookie=incoming.cookie, channel=1, sender=user("200202", x0D=CAP_HTML_MESSAGES), tlvs=incoming.tlvs
    )
    net.push(shown)
    assert plain_and_html(net, 1) == "1 &lt; 2"
    net.lose()
    net.wait(400)
    assert plain_and_html(net, 2) == "1 &lt; 2"


def test_capabilities_that_cannot_be_read_lose_no_message() -> None:
    net = Net("100101").up()
    incoming = message("200202", b"hi")
    net.push(
        icbm.IncomingMessage(cookie=incoming.cookie, channel=1, sender=user("200202", x0D=b"\1"), tlvs=incoming.tlvs)
    )
    net.run()
    assert [event.text for event in net.of(native.ImReceived) if isinstance(event, native.ImReceived)] == ["hi"]


@pytest.mark.parametrize(
    ("account", "sender", "said", "is_html"),
    [
        ("100101", "200202", b"<b>1 < 2", False),
        ("100101", "200202", b"<HTML><BODY>hi</BODY></HTML>", True),
        ("100101", "200202", b"<html>hi", True),
        ("100101", "Bob", b"hi", True),
        ("Aim A", "200202", b"hi", True),
    ],
)
def test_between_icq_numbers_only_whole_documents_are_html(
    account: str, sender: str, said: bytes, is_html: bool
) -> None:
    net = Net(account).up()
    net.push(message(sender, said))
    net.run()
    (event,) = net.of(native.ImReceived)
    assert isinstance(event, native.ImReceived)
    assert event.is_html == is_html


# -- the list


def listed() -> feedbag.ListReply:
    items = (
        feedbag.Item(name="", group_id=0, item_id=0, class_id=1).with_order((5,)),
        feedbag.Item(name="Buddies", group_id=5, item_id=0, class_id=1).with_order((6,)),
        feedbag.Item(name="Carl", group_id=5, item_id=6, class_id=0),
        feedbag.Item(name="Spam", group_id=0, item_id=7, class_id=feedbag.IGNORE),
    )
    return feedbag.ListReply(items=items, timestamp=9)


def with_list() -> Net:
    net = Net()
    net.answers[feedbag.ListQuery] = lambda _: listed()
    net.answers[feedbag.RightsQuery] = lambda _: feedbag.RightsReply(
        Tlvs([(feedbag.LIMIT_BY_CLASS, b"\0\x03\0\x03"), tlv16(feedbag.LIMIT_NAME, 20)])
    )
    return net.up()


def names(net: Net) -> list[tuple[str, str]]:
    event = net.of(native.Roster)[-1]
    assert isinstance(event, native.Roster)
    return [(contact.screen_name, contact.group) for contact in event.contacts]


def test_the_list_is_told() -> None:
    net = with_list()
    assert names(net) == [("Carl", "Buddies")]
    event = net.of(native.Roster)[-1]
    assert isinstance(event, native.Roster)
    assert event.ignored == ("Spam",)


def test_add_and_remove() -> None:
    net = with_list()
    net.log.clear()
    net.send(native.BuddyAdd(account="aima", screen_name="Dora", group="New", alias="D"), "add")
    assert net.results()["add"].stage is Stage.RELAYED
    kinds = [type(body).__name__ for _, body in net.log]
    assert kinds == ["StartEdit", "Insert", "Update", "Insert", "Update", "EndEdit"]
    assert names(net) == [("Carl", "Buddies"), ("Dora", "New")]
    net.send(native.BuddyAdd(account="aima", screen_name="d o r a", group="new"), "again")
    assert net.results()["again"].stage is Stage.RELAYED
    assert len(net.log) == 6
    net.send(native.BuddyRemove(account="aima", screen_name="DORA"), "remove")
    assert names(net) == [("Carl", "Buddies")]
    net.send(native.BuddyRemove(account="aima", screen_name="DORA"), "gone")
    assert net.results()["gone"].stage is Stage.RELAYED


def test_edits_wait_for_each_other() -> None:
    net = with_list()
    net.answers[feedbag.Insert] = None
    net.send(native.BuddyAdd(account="aima", screen_name="x"), "one")
    net.send(native.BuddyAdd(account="aima", screen_name="y"), "two")
    assert len(net.got(feedbag.Insert)) == 1
    net.answers[feedbag.Insert] = lambda _: feedbag.EditStatus((0,))
    net.wait(100)
    assert net.results()["one"].stage is Stage.UNKNOWN
    assert net.results()["two"].stage is Stage.RELAYED
    assert names(net)[-1] == ("y", "Buddies")


def test_limits_of_the_list() -> None:
    net = with_list()
    for name in ("x", "y", "z"):
        net.send(native.BuddyAdd(account="aima", screen_name=name), name)
    assert [net.results()[name].stage for name in "xyz"] == [Stage.RELAYED, Stage.RELAYED, Stage.FAILED]
    failed = net.of(native.RosterEditFailed)[-1]
    assert isinstance(failed, native.RosterEditFailed)
    assert failed.code == feedbag.LIMIT_EXCEEDED
    net.send(native.BuddyAdd(account="aima", screen_name="n" * 21), "long")
    assert net.results()["long"].stage is Stage.FAILED


def test_a_contact_that_has_to_authorize() -> None:
    net = with_list()

    def judged(body: object) -> feedbag.EditStatus:
        assert isinstance(body, feedbag.Insert)
        return feedbag.EditStatus(tuple(0 if item.awaits_authorization else 0x0E for item in body.items))

    net.answers[feedbag.Insert] = judged
    net.send(native.BuddyAdd(account="aima", screen_name="100200"), "add")
    failed = net.of(native.RosterEditFailed)[-1]
    assert isinstance(failed, native.RosterEditFailed)
    assert failed.needs_authorization
    event = net.of(native.Roster)[-1]
    assert isinstance(event, native.Roster)
    assert event.contacts[-1].awaits_authorization
    net.send(native.AuthorizationAsk(account="aima", to="100200", reason="bitte"), "ask")
    assert net.got(feedbag.AuthorizationRequest) == [feedbag.AuthorizationRequest(name="100200", reason="bitte")]
    net.push(feedbag.AuthorizationAnswered(name="100200", accepted=True))
    net.push(feedbag.AuthorizationAsked(name="100200", reason="me too"))
    net.push(feedbag.YouWereAdded("100200"))
    net.run()
    assert net.of(native.AuthorizationAnswered)
    assert net.of(native.AuthorizationRequest)
    assert net.of(native.YouWereAdded)
    net.send(native.AuthorizationAnswer(account="aima", to="100200", accepted=True), "answer")
    assert net.got(feedbag.AuthorizationReply)


def test_a_contact_that_awaits_authorization_since_before_is_asked_once_more() -> None:
    """Whether they ever saw the question of an earlier run is on no list."""
    net = with_list()
    pending = feedbag.Item(name="100200", group_id=5, item_id=9, class_id=0, tlvs=Tlvs([(feedbag.ATTR_PENDING, b"")]))
    net.push(feedbag.Insert((pending,)))
    for key in ("first", "second"):
        net.send(native.BuddyAdd(account="aima", screen_name="100200"), key)
    net.lose()
    net.wait(10)
    net.send(native.BuddyAdd(account="aima", screen_name="100200"), "after a loss")
    failed = net.of(native.RosterEditFailed)
    assert [each.needs_authorization for each in failed if isinstance(each, native.RosterEditFailed)] == [True]
    assert [net.results()[key].stage for key in ("first", "second", "after a loss")] == [
        Stage.FAILED, Stage.RELAYED, Stage.RELAYED,
    ]  # fmt: skip


def test_edits_from_elsewhere() -> None:
    net = with_list()
    told = len(net.of(native.Roster))
    net.push(feedbag.StartEdit())
    net.push(feedbag.Insert((feedbag.Item(name="Eve", group_id=5, item_id=9, class_id=0),)))
    net.push(feedbag.Delete((feedbag.Item(name="Carl", group_id=5, item_id=6, class_id=0),)))
    net.run()
    assert len(net.of(native.Roster)) == told
    net.push(feedbag.EndEdit())
    net.run()
    assert names(net) == [("Eve", "Buddies")]


def test_a_list_in_parts_and_over_the_limit() -> None:
    net = Net(config=SessionConfig(host="h", port=1, max_roster=10))
    many = tuple(feedbag.Item(name=f"b{n}", group_id=1, item_id=n, class_id=0) for n in range(1, 30))
    net.answers[feedbag.ListQuery] = lambda _: feedbag.ListReply(items=many, timestamp=3)
    net.up()
    assert net.session.roster_size() == 10


def test_losing_the_connection_ends_edits() -> None:
    net = with_list()
    net.answers[feedbag.Insert] = None
    net.send(native.BuddyAdd(account="aima", screen_name="x"), "one")
    net.send(native.BuddyAdd(account="aima", screen_name="y"), "two")
    net.lose()
    assert net.results()["one"].stage is Stage.UNKNOWN
    assert net.results()["two"].stage is Stage.FAILED


def test_an_edit_refused_altogether() -> None:
    net = with_list()
    net.answers[feedbag.Insert] = lambda _: SnacError(group=0x13, code=0x0F)
    net.send(native.BuddyAdd(account="aima", screen_name="x"), "one")
    assert net.results()["one"].stage is Stage.FAILED
    net.answers[feedbag.Insert] = lambda _: feedbag.EditStatus()
    net.send(native.BuddyAdd(account="aima", screen_name="x"), "two")
    assert net.results()["two"].stage is Stage.UNKNOWN
    assert names(net) == [("Carl", "Buddies")]


def test_too_many_edits() -> None:
    net = with_list()
    net.answers[feedbag.Insert] = None
    for number in range(600):
        net.send(native.BuddyAdd(account="aima", screen_name=f"n{number}"), f"k{number}")
    assert len(net.results()) == 99


def test_only_the_newest_presence_waits() -> None:
    net = Net().up()
    net.push(oservice.Pause())
    for seconds in range(50):
        state = native.OwnPresence(account="aima", state=Availability.ONLINE, idle_seconds=seconds)
        net.send(state, f"p{seconds}")
    net.log.clear()
    net.push(oservice.Resume())
    net.run()
    assert net.got(oservice.Idle) == [oservice.Idle(49)]
    assert len(net.got(locate.SetInfo)) == 1


# -- moves and services


def test_pause_and_resume() -> None:
    net = Net().up()
    net.push(oservice.Pause())
    net.run()
    assert net.got(oservice.PauseAck)
    net.send(net.im(1))
    assert not net.got(icbm.SendMessage)
    net.push(oservice.Resume())
    net.run()
    assert net.results()["k"].stage is Stage.RELAYED


def test_migration_loses_nothing() -> None:
    net = Net().up()
    old = net.bos
    net.push(oservice.Pause(), old)
    net.push(oservice.Migrate(tlvs=Tlvs([(5, b"new.test:77"), (6, b"fresh")])), old)
    net.send(net.im(1), "one")
    assert (net.opened[-1].host, net.opened[-1].port, net.opened[-1].purpose) == ("new.test", 77, Purpose.BOS)
    assert net.results()["one"].stage is Stage.RELAYED
    assert [conn for conn, body in net.log if isinstance(body, icbm.SendMessage)] == [net.bos]
    assert net.bos != old
    assert old in net.closed
    assert net.states() == [Link.CONNECTING, Link.UP]
    net.send(net.im(2), "two")
    assert net.results()["two"].stage is Stage.RELAYED


def test_messages_wait_while_moving() -> None:
    net = Net().up()
    old = net.bos
    net.answers[oservice.RatesQuery] = None
    net.push(oservice.Migrate(tlvs=Tlvs([(5, b"new.test:77"), (6, b"fresh")])), old)
    net.run()
    net.lose(old)
    assert net.link().state is Link.UP
    net.send(net.im(1), "one")
    assert "one" not in net.results()
    net.lose()
    assert net.link().state is Link.TRANSIENT
    assert net.results()["one"].stage is Stage.FAILED


def test_a_further_service() -> None:
    net = Net().up()
    net.answers[oservice.ServiceRequest] = lambda _: oservice.ServiceResponse(
        Tlvs([tlv16(0x0D, 0x10), (5, b"bart.test"), (6, b"c")])
    )
    main = net.bos
    net.session.request_service(0x10, net.now)
    net.run()
    assert (net.opened[-1].host, net.opened[-1].purpose) == ("bart.test", Purpose.SERVICE)
    ready = [event for event in net.events if type(event).__name__ == "ServiceReady"]
    assert [getattr(event, "error") for event in ready] == [None]  # noqa: B009
    net.lose()
    assert net.link().state is Link.UP
    net.answers[oservice.ServiceRequest] = lambda _: SnacError(group=1, code=5)
    net.session.request_service(0x10, net.now)
    net.run()
    assert main in net.standing
    assert len([event for event in net.events if type(event).__name__ == "ServiceReady"]) == 3


def test_unknown_snacs_are_counted_and_harmless() -> None:
    net = Net().up()
    net.push(UnknownBody(group=0x99, kind=0x42, data=b"?"))
    net.push(UnknownBody(group=0x04, kind=0x77, data=b"?"), request_id=3)
    net.run()
    assert net.session.unknown_snacs == 2
    assert net.link().state is Link.UP
