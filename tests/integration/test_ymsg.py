"""Yahoo! Messenger with the whole daemon: SIP phones on one side, a server that speaks the real wire on the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.test_presence_requests import command, subscribe
from tests.integration.test_receipts import asking, receipt
from tests.integration.test_sip_lists import publish
from tests.integration.wire import NoAnswer, Phone
from tests.kit.daemon import until
from tests.kit.yahoo import ALICE, FRIEND, POLICY, YAHOO_DOMAIN, YahooWorld, link_states, wait_links_up, yahoo_world
from tests.kit.ymsg_server.process import YmsgServerProcess
from tests.kit.ymsg_server.user import YmsgUser
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing
from transports.sip.wire.message import Request
from transports.ymsg.wire import codes
from transports.ymsg.wire.packet import Packet, pairs_of

TO = f"{FRIEND}@{YAHOO_DOMAIN}"
OWN = "alicework"
PATIENCE = 15.0
"""Seconds for which a wait lasts at most: a machine with other work needs some."""
FAMILY = "👩‍👩‍👧‍👦"
QUICK = "[presence]\nnotify_interval = 0.2\n"
HOLD = """
[[rule]]
id = "ask"
effect = "hold"
kinds = ["presence"]
from = ["person:alice@{domain}"]
to = ["network:yahoo"]
"""
FAST = "burst = 1000\nmessages_per_second = 1000.0\n"


@pytest.fixture(scope="module")
def world() -> Iterator[YahooWorld]:
    with yahoo_world([ALICE], network=FAST, more=QUICK) as made:
        yield made


@pytest.fixture
def alice(world: YahooWorld) -> Iterator[Phone]:
    wait_links_up(world.bridge)
    with Phone(world.bridge, "alice") as phone:
        assert phone.register().status == 200
        yield phone
        assert phone.register(expires=0).status == 200


# Messages


def said(packet: Packet) -> str:
    """The text of a message without the codes that keep a bracket from being read as a tag."""
    return (packet.get(14) or b"").decode().replace("\x1b[xlm", "")


@pytest.mark.parametrize(
    "text",
    ["hello", f"héllo – {FAMILY} Ω שלום", "two\nlines", "1 < 2 & <b>not bold</b> &amp;", "<ding>"],
)
def test_a_text_goes_over_and_back(world: YahooWorld, alice: Phone, text: str) -> None:
    since = len(world.friend.packets)
    assert alice.message(TO, text).status == 202
    there = world.friend.wait(lambda p: p.service == codes.MESSAGE and said(p) == text, since=since)
    assert there.get(97) == b"1"
    assert there.get(14) != b"<ding>"
    world.friend.say_raw(OWN, there.get(14) or b"", (97, "1"))
    assert alice.text(PATIENCE) == (TO, text)


def test_the_older_encoding_and_its_formatting(world: YahooWorld, alice: Phone) -> None:
    written = '\x1b[#0000ffm<font face="Arial" size="10">caf\xe9 \x1b[1m€5\x1b[x1m <FADE #ff0000,#0000ff>fine</FADE>'
    world.friend.say_raw(OWN, written.encode("cp1252"))
    looks = "color:#0000ff;font-size:10pt;font-family:'Arial'"
    assert alice.text(PATIENCE) == (TO, f'<span style="{looks}">café <b>€5</b> fine</span>')
    world.friend.say_raw(OWN, b"<ding>", (97, "1"))
    assert alice.text(PATIENCE) == (TO, "[buzz]")


def test_a_long_text_is_cut_between_graphemes(world: YahooWorld, alice: Phone) -> None:
    text = f"{FAMILY} " * 100
    since = len(world.friend.packets)
    assert alice.message(TO, text).status == 202
    pieces: list[str] = []

    def whole(packet: Packet) -> bool:
        if packet.service == codes.MESSAGE:
            piece = (packet.get(14) or b"").decode()
            assert len(piece.encode()) <= 800
            assert piece.replace(FAMILY, "").strip() == ""
            pieces.append(piece)
        return "".join(pieces) == text

    world.friend.wait(whole, since=since, what="the whole text")
    assert len(pieces) > 3


def test_receipts_say_what_is_known(world: YahooWorld, alice: Phone) -> None:
    body = asking("alice", TO, "did it go?", "yahoo-1", "processing, positive-delivery")
    assert alice.message(TO, body, kind="message/cpim").status == 202
    world.friend.heard(OWN, "did it go?")
    assert receipt(alice, PATIENCE) == ("yahoo-1", "processed", f"sip:{TO}")
    with pytest.raises(NoAnswer):
        alice.text(0.5)


def test_typing_goes_both_ways(world: YahooWorld, alice: Phone) -> None:
    states = ((IsComposing(state="active"), b"1"), (IsComposing(state="idle"), b"0"))
    for composing_state, flag in states:
        state, composing = composing_state.state, build_iscomposing(composing_state).decode()
        since = len(world.friend.packets)
        assert alice.message(TO, composing, kind="application/im-iscomposing+xml").status in {200, 202}
        world.friend.wait(lambda p, f=flag: p.service == codes.NOTIFY and p.get(13) == f, since=since)  # type: ignore[misc]
        world.friend.type(OWN, typing=flag == b"1")
        told = alice.incoming(lambda request: request.method == "MESSAGE", PATIENCE)
        assert f"<state>{state}</state>".encode() in told.body


# Presence and contacts


def shown(phone: Phone, wanted: bytes) -> Request:
    """The next NOTIFY whose document holds this."""
    for _ in range(20):
        request = phone.incoming(lambda request: request.method == "NOTIFY", PATIENCE)
        if wanted in request.body:
            return request
    raise AssertionError(f"{wanted!r} was never shown")


def test_presence_goes_both_ways(world: YahooWorld, alice: Phone) -> None:
    friend = world.friend
    subscribe(alice, f"sip:{TO}")
    until(lambda: FRIEND in str(world.server.lists(OWN)), 10.0, "the contact on the list")
    friend.write(codes.IS_AWAY, (10, 99), (19, "gone òut"), (47, "1"), status=99)
    assert b"gone \xc3\xb2ut" in shown(alice, b"gone").body
    friend.write(codes.IS_AWAY, (10, codes.ON_THE_PHONE), (19, ""), (47, "0"), status=6)
    shown(alice, b"on-the-phone")
    friend.write(codes.IS_AWAY, (10, codes.INVISIBLE), status=12)
    shown(alice, b"<basic>closed</basic>")
    friend.write(codes.IS_BACK, (10, 0))
    shown(alice, b"<basic>open</basic>")
    friend.add(OWN)
    since = len(friend.packets)
    publish(alice, "alice", "<rpid:on-the-phone/>")
    friend.sees(OWN, lambda p: p.get(10) == b"6", since=since)
    alice.text(PATIENCE)  # somebody has put alice on their list


def test_a_contact_that_is_none_is_told(world: YahooWorld, alice: Phone) -> None:
    headers = [("Event", "presence"), ("Contact", f"<{alice.contact}>"), ("Expires", "600")]
    assert alice.ask("SUBSCRIBE", f"sip:nobody_at_all@{YAHOO_DOMAIN}", headers).status == 200
    sender, text = alice.text(PATIENCE)
    assert sender == f"nobody_at_all@{YAHOO_DOMAIN}"
    assert text == "[cannot be put on your contact list: the network knows no such name]"


def test_a_conference_and_a_file_are_declined_on_record(world: YahooWorld, alice: Phone) -> None:
    world.friend.write(
        codes.CONF_INVITE, (1, FRIEND), (50, FRIEND), (57, f"{FRIEND}-7"), (58, "join us"), (52, OWN), (13, "0")
    )
    assert alice.text(PATIENCE) == (TO, "[invited you to a conference; it was declined] join us")
    declined = world.friend.wait(lambda p: p.service == codes.CONF_DECLINE)
    assert (declined.get(54), declined.get(57)) == (OWN.encode(), f"{FRIEND}-7".encode())
    world.friend.write(
        codes.P2P_FILE_TRANSFER, (5, OWN), (49, "FILEXFER"), (1, FRIEND), (13, "1"), (27, "plan.pdf"), (28, "1200"),
        (20, "http://198.51.100.7/plan.pdf"),
    )  # fmt: skip
    sender, text = alice.text(PATIENCE)
    assert (sender, text) == (
        TO,
        "[offered the file “plan.pdf” (1200 bytes); it was not taken, and they were not told]",
    )
    world.friend.write(codes.CONF_MESSAGE, (1, FRIEND), (53, OWN), (57, "room-8"), (14, "hush"), (97, "1"))
    texts = {alice.text(PATIENCE)[1].partition(" Reference")[0] for _ in range(2)}
    assert texts == {
        "Something came for you on yahoo that cannot be handed on. It is on record.",
        "[put you into a conference; it was left]",
    }
    left = world.friend.wait(lambda p: p.service == codes.CONF_LOGOFF)
    assert left.get(57) == b"room-8"


# Faults


def test_a_server_that_goes_amid_a_message_loses_none(world: YahooWorld, alice: Phone) -> None:
    """Cut before the server has read it, or after it has handed it on: it comes, once more where that is not known."""
    for keep, copies in ((False, 1), (True, 2)):
        text = f"cut, keep={keep}"
        world.server.set(cut=OWN, keep=keep)
        assert alice.message(TO, text).status == 202
        assert alice.message(TO, f"after {text}").status == 202
        world.friend.heard(OWN, f"after {text}", timeout=40.0)
        assert world.friend.texts(OWN).count(text) == copies
        ours = [each for each in world.friend.texts(OWN) if text in each]
        assert ours == [text] * copies + [f"after {text}"]


def test_signed_on_elsewhere_is_told_and_left_alone(world: YahooWorld, alice: Phone) -> None:
    with YmsgUser(world.server.address, OWN, "a"):
        until(lambda: link_states(world.bridge)[OWN] == "signed-on-elsewhere", 10.0, "word of the other client")
        sender, text = alice.text(PATIENCE)
        assert sender.startswith("simplebridge@")
        assert "signed on elsewhere" in text
        assert "again in about" in text
        assert alice.message(TO, "later").status == 202
    world.bridge.restart()  # people decide
    wait_links_up(world.bridge)
    assert alice.register().status == 200
    world.friend.heard(OWN, "later", timeout=30.0)


def test_hostile_octets_end_the_connection_and_nothing_else(world: YahooWorld, alice: Phone) -> None:
    for octets in (
        b"GET / HTTP/1.0\r\n\r\n",
        Packet(service=codes.MESSAGE, pairs=pairs_of((4, "x" * 300), (14, b"\xff\xfe\x00"))).encode()
        + Packet(service=codes.LIST, status=5, pairs=pairs_of((87, "a" * 60000))).encode() * 2
        + b"YMSG"
        + bytes(300),
    ):
        world.server.octets(OWN, octets)
        world.friend.say(OWN, "still there?")
        wait_links_up(world.bridge)
    assert alice.message(TO, "yes").status == 202
    world.friend.heard(OWN, "yes", timeout=30.0)


def test_a_wrong_password_is_told_and_not_tried_again() -> None:
    with yahoo_world([ALICE], passwords={OWN: "another"}, up=False) as made, Phone(made.bridge, "alice") as phone:
        assert phone.register().status == 200
        until(lambda: link_states(made.bridge).get(OWN) == "auth-failed", 20.0, "the refusal")
        since = made.server.services("").count(codes.AUTH_RESPONSE)
        assert "wrong Yahoo! ID or password" in phone.text(PATIENCE)[1]
        assert phone.message(TO, "waits").status == 202
        assert made.server.services("").count(codes.AUTH_RESPONSE) == since


def test_a_dead_server_comes_back(world: YahooWorld, alice: Phone) -> None:
    address = world.server.address
    world.server.process.kill()
    until(lambda: link_states(world.bridge)[OWN] == "transient", 10.0, "word of the loss")
    assert alice.message(TO, "while it was down").status == 202
    with (
        YmsgServerProcess({OWN: "a", FRIEND: "f"}, listen=address) as server,
        YmsgUser(server.address, FRIEND, "f") as friend,
    ):
        friend.heard(OWN, "while it was down", timeout=60.0)
        wait_links_up(world.bridge)


def test_who_asks_to_see_a_person_waits_for_them_and_may_be_declined() -> None:
    with yahoo_world([ALICE], policy=POLICY + HOLD) as made, Phone(made.bridge, "alice") as phone:
        assert phone.register().status == 200
        made.friend.add(OWN, "may I?")
        assert phone.text(PATIENCE) == (TO, "[has put you on their contact list] may I?")
        rows = command(made.bridge, "requests")
        assert [(row["watcher"], row["words"]) for row in rows] == [(f"yahoo/{FRIEND}", "may I?")]
        command(made.bridge, "refuse", f"yahoo/{FRIEND}", "--for", "alice@corp.example")
        denied = made.friend.wait(lambda p: p.service == codes.NEW_CONTACT and p.status == codes.DENIED)
        assert denied.get(3) == OWN.encode()
