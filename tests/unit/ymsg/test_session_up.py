"""A session that is up: messages and what is known of them, typing, presence, lists, invitations."""

from __future__ import annotations

import pytest
from attrs import evolve

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN
from tests.unit.ymsg.kit import Net, im
from transports.common.wire.native import Link
from transports.ymsg.wire import codes, native
from transports.ymsg.wire.packet import Packet, pairs_of

# What becomes of messages


def test_a_keepalive_after_a_message_confirms_it() -> None:
    net = Net(echo=False).up()
    net.tell(codes.KEEPALIVE, (1, "me"))  # of the sign-on
    net.send(im("héllo 😀"))
    assert net.services() == [codes.MESSAGE, codes.KEEPALIVE]
    sent = net.packet(codes.MESSAGE)
    assert [key for key, _ in sent.pairs] == [1, 5, 14, 97, 63, 64]
    assert (sent.get(14), sent.get(97)) == ("héllo 😀".encode(), b"1")
    assert not net.results()
    net.tell(codes.KEEPALIVE, (1, "me"))
    assert (net.results()["k"].stage, net.results()["k"].remote_id) == (Stage.RELAYED, "m1")


def test_an_answer_to_an_earlier_keepalive_confirms_nothing() -> None:
    net = Net(echo=False).up()
    net.tell(codes.KEEPALIVE)
    net.pass_time(60.0)
    assert net.services() == [codes.KEEPALIVE]
    net.send(im(), "late")
    net.tell(codes.KEEPALIVE)
    assert "late" not in net.results()
    net.tell(codes.KEEPALIVE)
    assert net.results()["late"].stage is Stage.RELAYED
    net.tell(codes.KEEPALIVE)  # one that nobody asked for
    assert net.session.phase.value == "up"


def test_messages_that_go_together_are_confirmed_in_two_rounds() -> None:
    net = Net(echo=False).up()
    net.tell(codes.KEEPALIVE)
    for number in range(3):
        net.send(im(name=f"m{number}"), f"k{number}")
    assert net.services() == [codes.MESSAGE, codes.KEEPALIVE, codes.MESSAGE, codes.MESSAGE]
    net.tell(codes.KEEPALIVE)
    assert set(net.results()) == {"k0"}
    net.tell(codes.KEEPALIVE)
    assert set(net.results()) == {"k0", "k1", "k2"}


def test_a_server_that_answers_no_keepalive_leaves_it_unknown() -> None:
    net = Net(echo=False).up()
    net.send(im())
    net.pass_time(29.0)
    assert not net.results()
    net.pass_time(2.0)
    assert net.results()["k"].stage is Stage.UNKNOWN
    assert net.results()["k"].failure is None  # nothing speaks against its having arrived
    net.send(im(name="m2"), "k2")
    net.pass_time(0.5)
    assert "k2" not in net.results()
    net.pass_time(0.6)
    assert net.results()["k2"].stage is Stage.UNKNOWN
    net.pass_time(3000.0)
    assert net.session.phase.value == "up"
    net.send(im(name="m3"), "k3")
    net.drop()
    failure = net.results()["k3"].failure
    assert failure is not None
    assert (failure.retryable, failure.certain) == (True, False)


def test_a_server_that_falls_silent_is_lost_and_its_messages_may_be_sent_again() -> None:
    net = Net().up()
    net.echo = False
    net.send(im())
    net.pass_time(30.5)
    assert (net.state(), net.states[-1].reason) == (Link.TRANSIENT, "the server has fallen silent")
    result = net.results()["k"]
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    assert (result.failure.retryable, result.failure.certain) == (True, False)


def test_a_message_that_the_server_says_it_did_not_send() -> None:
    net = Net(echo=False).up()
    net.send(im(to="bob", name="a"), "a")
    net.send(im(to="carol", name="b"), "b")
    net.tell(codes.MESSAGE, (5, "Carol"), status=codes.NOT_SENT)
    failure = net.results()["b"].failure
    assert failure is not None
    assert (failure.certain, failure.retryable) == (True, False)
    net.tell(codes.MESSAGE, status=codes.NOT_SENT)
    assert "a" in net.results()
    net.tell(codes.MESSAGE, (5, "dora"), status=codes.NOT_SENT)
    assert net.told() == [native.ImRefused(account="me", to="dora")]


def test_pace_and_order_and_deadlines() -> None:
    net = Net(rate=1.0, burst=2).up()
    for number in range(5):
        net.send(im(str(number), name=f"m{number}"), f"k{number}", deadline=net.now + (1.5 if number == 4 else 60))
    assert [packet.get(14) for packet in net.got if packet.service == codes.MESSAGE] == [b"0", b"1"]
    net.pass_time(1.0)
    net.pass_time(5.0)
    assert [packet.get(14) for packet in net.got if packet.service == codes.MESSAGE] == [b"0", b"1", b"2", b"3"]
    failure = net.results()["k4"].failure
    assert failure is not None
    assert (failure.reason, failure.certain) == ("expired in the queue", True)


def test_what_waits_when_the_connection_is_lost_certainly_did_not_go() -> None:
    net = Net(rate=1.0, burst=1).up()
    net.echo = False
    net.send(im(name="a"), "a")
    net.send(im(name="b"), "b")
    net.drop()
    first, second = net.results()["a"].failure, net.results()["b"].failure
    assert first is not None
    assert second is not None
    assert (first.certain, second.certain) == (False, True)
    assert second.reason == LINK_DOWN


def test_bounds_of_what_waits() -> None:
    net = Net(rate=0.001, burst=1, max_queue=3).up()
    for number in range(6):
        net.send(im(name=f"m{number}"), number)  # type: ignore[arg-type]
    full = [
        key for key, result in net.results().items() if result.failure and result.failure.reason == "the queue is full"
    ]
    assert full == [4, 5]
    assert net.session.waiting() == 3


@pytest.mark.parametrize("text", ["\ud83d", "x" * 70_000])
def test_what_cannot_be_sent_is_said_at_once(text: str) -> None:
    net = Net().up()
    net.send(im(text))
    failure = net.results()["k"].failure
    assert failure is not None
    assert failure.reason.startswith("unsendable: ")
    assert net.services() == []


# Messages that come


def test_messages_in_both_encodings_and_a_buzz() -> None:
    net = Net().up()
    net.tell(codes.MESSAGE, (5, "me"), (4, "Bob"), (14, "héllo"), (97, "1"))
    net.tell(codes.MESSAGE, (5, "me"), (4, "Bob"), (14, "caf\xe9 €".encode("cp1252")))
    net.tell(codes.MESSAGE, (4, "Bob"), (14, b"\xff"), (97, "1"))
    net.tell(codes.MESSAGE, (4, "Bob"), (14, "<ding>"), (97, "1"), (15, "1479906238"))
    net.tell(codes.MESSAGE, (1, "Bob"), (5, "Alias"), (14, "new"), (97, "1"), (429, "0001"), status=codes.OK)
    bob = native.ImReceived(account="me", sender="Bob", text="")
    assert net.told() == [
        evolve(bob, text="héllo"),
        evolve(bob, text="café €"),
        evolve(bob, text="ÿ", lossy=True),
        native.Buzzed(account="me", sender="Bob", timestamp=1479906238),
        evolve(bob, text="new", to="Alias", message_id="0001"),
    ]
    net.got.clear()
    net.record(net.told()[-1])
    ack = net.packet(codes.MESSAGE_ACK)
    assert (ack.get(1), ack.get(5), ack.get(430)) == (b"Alias", b"Bob", b"0001")


def test_stored_messages_come_together_and_are_told_apart() -> None:
    net = Net().up()
    one = ((31, 6), (32, 6), (4, "bob"), (5, "me"), (14, "hi"), (15, 100), (97, "1"))
    net.tell(codes.MESSAGE, *one, *one, (31, 6), (32, 6), (4, "carol"), (5, "me"), (14, "ho"), status=codes.MORE)
    found = [event for event in net.told() if isinstance(event, native.ImReceived)]
    assert [(e.sender, e.text, e.timestamp, e.nth, e.offline) for e in found] == [
        ("bob", "hi", 100, 0, True),
        ("bob", "hi", 100, 1, True),
        ("carol", "ho", None, 0, True),
    ]


def test_what_lacks_a_part_is_told_for_the_record() -> None:
    net = Net().up()
    net.tell(codes.MESSAGE, (4, "bob"), (97, "1"))
    net.tell(codes.MESSAGE, (14, "who?"))
    assert [type(event) for event in net.told()] == [native.ImUnreadable, native.ImUnreadable]
    assert net.told()[1].raw == b"14=who?"  # type: ignore[union-attr]


def test_typing() -> None:
    net = Net().up()
    net.tell(codes.NOTIFY, (5, "me"), (4, "bob"), (49, "TYPING"), (14, " "), (13, "1"))
    net.tell(codes.NOTIFY, (5, "me"), (4, "bob"), (49, "typing"), (13, "0"))
    net.tell(codes.NOTIFY, (4, "bob"), (49, "GAME"), (13, "1"))
    net.tell(codes.NOTIFY, (4, "bob"), (49, "WEBCAMINVITE"))
    net.tell(codes.NOTIFY, (49, "TYPING"))
    assert net.told() == [
        native.TypingReceived(account="me", sender="bob", typing=True),
        native.TypingReceived(account="me", sender="bob", typing=False),
        native.InvitationIgnored(account="me", sender="bob", what="a webcam"),
    ]
    net.send(native.TypingSend(account="me", to="bob", typing=True))
    sent = net.packet(codes.NOTIFY)
    assert (sent.status, sent.get(13), sent.get(5)) == (codes.TYPING, b"1", b"bob")


def test_typing_is_not_told_late() -> None:
    net = Net(rate=0.1, burst=1).up()
    net.send(im())
    net.send(native.TypingSend(account="me", to="bob", typing=True), "t")
    assert net.results()["t"].stage is Stage.FAILED
    assert codes.NOTIFY not in net.services()


# Presence


def test_presence_of_contacts() -> None:
    net = Net().up()
    net.tell(
        codes.LOGON, (0, "me"), (1, "me"), (8, 3),
        (7, "a"), (10, 0), (11, 0), (17, 0), (13, 1),
        (7, "b"), (10, 99), (19, "gone òut"), (47, 1), (13, 1),
        (7, "c"), (10, 999), (47, 2), (137, 120), (13, 1),
    )  # fmt: skip
    net.tell(codes.IS_AWAY, (7, "b"), (10, 99), (19, "weg f\xfcr heute".encode("latin-1")), (47, 0), (13, 1))
    net.tell(codes.IS_BACK, (7, "c"), (10, 0), (13, 1))
    net.tell(codes.IS_BACK, (7, "c"), (10, 0), (13, 1))
    net.tell(codes.LOGOFF, (7, "a"), (10, 0), (13, 0))
    net.tell(codes.STATUS_15, (7, "b"), (10, 0), (13, 0))
    shown = [(e.name, e.online, e.status, e.text, e.away, e.idle, e.idle_seconds) for e in net.told()]  # type: ignore[union-attr]
    assert shown == [
        ("a", True, 0, "", False, False, None),
        ("b", True, 99, "gone òut", True, False, None),
        ("c", True, 999, "", True, True, 120),
        ("b", True, 99, "weg für heute", False, False, None),
        ("c", True, 0, "", False, False, None),
        ("a", False, 0, "", False, False, None),
        ("b", False, 0, "", False, False, None),
    ]
    net.events.clear()
    net.drop()
    assert [(e.name, e.online) for e in net.told()] == [("c", False)]  # type: ignore[union-attr]


def own(status: int = 0, text: str = "", *, away: bool = False, idle: bool = False) -> native.OwnPresence:
    return native.OwnPresence(account="me", status=status, text=text, away=away, idle=idle)


def test_our_own_status() -> None:
    net = Net().up()
    net.send(own(), "same")
    assert net.services() == []
    net.send(own(99, "wég", away=True))
    sent = net.packet(codes.IS_AWAY)
    assert (sent.status, sent.pairs) == (99, pairs_of((10, 99), (19, "wég"), (47, 1), (97, "1")))
    net.got.clear()
    net.send(own(codes.INVISIBLE), "hide")
    net.send(own(codes.BUSY, away=True), "show")
    assert [(packet.service, packet.get(10)) for packet in net.got] == [(3, b"12"), (4, b"0"), (3, b"2")]
    net.got.clear()
    net.send(own(codes.IDLE, idle=True), "idle")
    assert net.got[0].pairs == pairs_of((10, 999), (19, ""), (47, 2))
    assert {result.stage for result in net.results().values()} == {Stage.RELAYED}


def test_only_the_last_of_many_changes_is_told() -> None:
    net = Net(rate=1.0, burst=1).up()
    net.send(im())
    for status in (1, 2, 6):
        net.send(own(status, away=True), f"p{status}")
    net.pass_time(2.0)
    assert [packet.get(10) for packet in net.got if packet.service == codes.IS_AWAY] == [b"6"]
    assert {"p1", "p2", "p6"} <= set(net.results())


def test_newer_versions_have_services_of_their_own() -> None:
    net = Net(version=16).up()
    net.send(own(codes.INVISIBLE), "hide")
    net.send(own(codes.BUSY, away=True), "show")
    assert [(p.service, p.get(13), p.get(10)) for p in net.got] == [
        (codes.VISIBLE_TOGGLE, b"2", None),
        (codes.VISIBLE_TOGGLE, b"1", None),
        (codes.STATUS_UPDATE, None, b"2"),
    ]


# Contacts


def test_edits_of_the_list() -> None:
    net = Net().up("Friends:Bob\nWork:bob\n")
    net.send(native.BuddyAdd(account="me", name="BOB"), "there")
    assert net.results()["there"].stage is Stage.RELAYED
    assert net.services() == []
    net.send(native.BuddyAdd(account="me", name="carol"), "add")
    net.send(native.BuddyAdd(account="me", name="Carol"), "twice")
    assert net.results()["twice"].stage is Stage.FAILED
    assert "add" not in net.results()
    net.tell(codes.ADD_BUDDY, (1, "me"), (7, "Carol"), (65, "Friends"), (66, 0))
    assert net.results()["add"].stage is Stage.RELAYED
    net.got.clear()
    net.send(native.BuddyRemove(account="me", name="bob"), "del")
    assert [packet.get(65) for packet in net.got] == [b"Friends", b"Work"]
    net.tell(codes.REMOVE_BUDDY, (7, "bob"), (65, "Friends"), (66, 0))
    assert "del" not in net.results()
    net.tell(codes.REMOVE_BUDDY, (7, "bob"), (65, "Work"), (66, 0))
    assert net.results()["del"].stage is Stage.RELAYED
    rosters = [event for event in net.events if isinstance(event, native.Roster)]
    assert rosters[-1].contacts == (native.Contact(name="Carol", group="Friends"),)
    net.send(native.BuddyRemove(account="me", name="bob"), "gone")
    assert net.results()["gone"].stage is Stage.RELAYED


def test_edits_that_fail_or_hang() -> None:
    net = Net().up()
    net.send(native.BuddyAdd(account="me", name="nobody"), "add")
    net.tell(codes.ADD_BUDDY, (7, "nobody"), (65, "Friends"), (66, 3))
    assert net.told() == [
        native.RosterEditFailed(account="me", name="nobody", code=3, reason="the network knows no such name")
    ]
    net.send(native.BuddyAdd(account="me", name="hangs"), "hangs")
    net.pass_time(31.0)
    assert net.results()["hangs"].stage is Stage.UNKNOWN
    net.send(native.BuddyAdd(account="me", name="lost"), "lost")
    net.drop()
    assert net.results()["lost"].stage is Stage.UNKNOWN


def test_a_list_of_the_server_is_bounded() -> None:
    net = Net(max_roster=10).up("G:" + ",".join(f"n{number}" for number in range(50)) + "\n")
    assert net.session.roster_size() == 10
    for _ in range(40):
        net.tell(codes.LIST, (87, "x" * 60_000), status=codes.MORE)
    net.tell(codes.LIST, (87, "\nG:a\n"), status=codes.OK)
    assert net.session.phase.value == "up"


@pytest.mark.parametrize(
    ("accepted", "version", "service", "pairs"),
    [
        (False, 10, codes.DENY_CONTACT, ((1, "me"), (7, "bob"), (14, "no"))),
        (True, 16, codes.CONTACT_ANSWER_15, ((1, "me"), (5, "bob"), (13, 1), (334, 0))),
        (False, 16, codes.CONTACT_ANSWER_15, ((1, "me"), (5, "bob"), (13, 2), (334, 0), (97, 1), (14, "no"))),
    ],
)
def test_who_asks_is_answered(
    accepted: bool,
    version: int,
    service: int,
    pairs: tuple[tuple[int, str], ...],
) -> None:
    net = Net(version=version).up()
    net.send(native.ContactAnswer(account="me", to="bob", accepted=accepted, reason="no"))
    assert net.packet(service).pairs == pairs_of(*pairs)


def test_who_is_accepted_has_us_already() -> None:
    net = Net().up()
    net.send(native.ContactAnswer(account="me", to="bob", accepted=True))
    assert (net.results()["k"].stage, net.services()) == (Stage.RELAYED, [])


def test_contacts_that_ask_and_answer() -> None:
    net = Net().up()
    net.tell(codes.NEW_CONTACT, (1, "me"), (3, "bob"), (14, "may I?"), (15, "1.5"), status=codes.ASKS)
    net.tell(codes.NEW_CONTACT, (1, "me"), (3, "carol"), (14, "no"), status=codes.DENIED)
    net.tell(codes.CONTACT_ANSWER_15, (4, "dora"), (5, "me"), (14, "hi"), status=codes.ASKS)
    net.tell(codes.CONTACT_ANSWER_15, (4, "erin"), (5, "me"), (13, 1), status=codes.DONE)
    net.tell(codes.NEW_CONTACT, (8, 1), (7, "fred"), (10, 0), (13, 1), status=codes.DONE)
    assert net.told() == [
        native.ContactRequest(account="me", sender="bob", reason="may I?"),
        native.ContactAnswered(account="me", sender="carol", accepted=False, reason="no"),
        native.ContactRequest(account="me", sender="dora", reason="hi", asks=True),
        native.ContactAnswered(account="me", sender="erin", accepted=True),
        native.BuddyPresence(account="me", name="fred", online=True),
    ]


# Conferences and files


def test_a_conference_is_declined_once_it_is_on_record() -> None:
    net = Net().up()
    net.tell(
        codes.CONF_INVITE,
        (1, "me"),
        (57, "room-1"),
        (50, "bob"),
        (58, "join us"),
        (52, "me"),
        (52, "carol"),
        (53, "dora"),
    )
    (event,) = net.told()
    assert event == native.ConferenceDeclined(
        account="me", sender="bob", room="room-1", members=("carol", "dora"), text="join us"
    )
    assert net.services() == []
    net.record(event)
    assert net.packet(codes.CONF_DECLINE).all(3) == (b"bob", b"carol", b"dora")


def test_a_conference_that_we_were_put_into_is_left_once() -> None:
    net = Net().up()
    for text in ("one", "two"):
        net.tell(codes.CONF_MESSAGE, (1, "me"), (57, "room-2"), (3, "bob"), (14, text), (97, "1"))
    messages = [event for event in net.told() if isinstance(event, native.ConferenceMessage)]
    left = [event for event in net.told() if isinstance(event, native.ConferenceDeclined)]
    assert [message.text for message in messages] == ["one", "two"]
    assert [event.joined for event in left] == [True]
    net.record(left[0])
    assert net.packet(codes.CONF_LOGOFF).get(57) == b"room-2"
    for service in (codes.CONF_LOGON, codes.CONF_LOGOFF, codes.CONF_DECLINE):
        net.tell(service, (57, "room-2"), (53, "x"), (54, "x"), (56, "x"))
    assert len(net.told()) == 3


def test_files_are_refused_where_there_is_a_way() -> None:
    net = Net().up()
    net.tell(codes.P2P_FILE_TRANSFER, (4, "bob"), (49, "FILEXFER"), (27, "a.pdf"), (28, 12), (20, "http://x/a"))
    net.tell(codes.FILE_TRANSFER, (4, "bob"), (14, "look\x066"), (20, "http://x/dir/b.pdf?c=1"))
    net.tell(codes.FILE_TRANSFER_15, (4, "bob"), (222, 1), (265, "T1"), (27, "c.pdf"), (28, "x"))
    net.tell(codes.P2P_FILE_TRANSFER, (4, "bob"), (49, "IMVIRONMENT"), (27, "x"))
    net.tell(codes.FILE_TRANSFER_15, (4, "bob"), (222, 3), (265, "T1"))
    found = [event for event in net.told() if isinstance(event, native.FileDeclined)]
    assert [(e.name, e.size, e.text, e.told) for e in found] == [
        ("a.pdf", 12, "", False),
        ("b.pdf", None, "look", False),
        ("c.pdf", None, "", True),
    ]
    for event in found:
        net.record(event)
    refusal = net.packet(codes.FILE_TRANSFER_15)
    assert (refusal.get(265), refusal.get(222)) == (b"T1", b"4")


def test_an_answer_that_does_not_fit_is_left_out() -> None:
    net = Net().up()
    net.tell(codes.CONF_INVITE, (57, "r"), (50, "bob"), (52, "x" * 65_500))
    net.record(net.told()[0])
    assert net.services() == []
    assert net.session.syntax_errors == 1


# Keeping the connection


def test_keepalives_and_pings_come_in_their_time() -> None:
    net = Net().up()
    net.tell(codes.PING, (143, 30), (144, 13))
    net.pass_time(3700.0)
    assert net.services().count(codes.PING) == 2
    assert 55 <= net.services().count(codes.KEEPALIVE) <= 62
    assert net.session.phase.value == "up"


@pytest.mark.parametrize("minutes", ["0", "-5", "99999999999", "x", ""])
def test_times_of_the_server_are_bounded(minutes: str) -> None:
    net = Net().up()
    net.tell(codes.PING, (143, minutes), (144, minutes))
    net.pass_time(600.0)
    assert net.services().count(codes.PING) <= 10


def test_system_messages_and_what_is_unknown() -> None:
    net = Net().up()
    net.tell(codes.SYSTEM_MESSAGE, (14, "down at noon"), (15, "1"))
    net.tell(0x0BAD, (1, "x"))
    net.tell(codes.PING)
    assert net.told() == [native.SystemMessage(account="me", text="down at noon")]
    assert net.session.unknown_packets == 1


def test_what_comes_on_another_connection_is_ignored() -> None:
    net = Net().up()
    net.session.receive(99, Packet(service=codes.LOGOFF, status=codes.FAILED).encode(), net.now)
    net.session.connection_lost(99, net.now)
    net.session.connected(99, net.now)
    net.run()
    assert net.session.phase.value == "up"
