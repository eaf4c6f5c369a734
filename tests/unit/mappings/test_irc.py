"""IRC's native events and the model, both ways; formatting codes; what is lost is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Body, ContactEdit, Message, PresenceUpdate, Reaction, Stage, TextPart, Typing, TypingState
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Direction, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.identity import AddressError, normalise
from mappings.irc import ABSENT, IrcMapping, to_own
from mappings.irc_format import PALETTE, from_irc, to_irc, writable
from mappings.richtext import from_html, to_plain
from mappings.style import Style
from transports.irc.wire import native as wire

IRC = NetworkId("irc")
MAPPING = IrcMapping(network=IRC)
CAPS = Capabilities(html=Support.PARTIAL, typing=Support.PARTIAL, max_text_bytes=300)
ALICE = Identity(address=Address(network=SIP, user=RemoteUserId("alice@corp.example")))
BOB = Identity(address=Address(network=IRC, user=RemoteUserId("bob")))


def out(body: Body, caps: Capabilities = CAPS) -> Translated[Any] | Unmappable:
    envelope = Envelope(
        id=EventId("e1"),
        origin=Origin(network=SIP, account="alice@corp.example"),
        conversation=ConversationKey(network=SIP, remote_id=RemoteConversationId("c")),
        sender=ALICE,
        recipients=(BOB,),
        direction=Direction.OUTBOUND,
        received_at=0.0,
        body=body,
    )
    return MAPPING.from_canonical(envelope, BOB, "alicework", caps)


def lines(text: str, html: str | None = None, **more: Any) -> tuple[list[tuple[str, wire.Kind]], set[str]]:
    translated = out(Message(parts=(TextPart(text=text, html=html),), **more))
    assert isinstance(translated, Translated)
    said = [(native.text, native.kind) for native in translated.natives]
    return said, {loss.feature for loss in translated.losses}


def came(**fields: Any) -> Any:
    native = wire.MessageReceived(**{"account": "alicework", "sender": "bob", "shown": "Bob", "text": "hi", **fields})
    result = MAPPING.to_canonical(native)
    return result if isinstance(result, Unmappable) else result[0]


def test_a_message_comes_in() -> None:
    draft = came(message_id="m1", timestamp=5.0, text="h\u00e9 \x02b\x02")
    assert (draft.sender.address.user, draft.sender.display_name) == ("bob", "Bob")
    assert draft.origin.remote_id == RemoteMessageId("bob/m1")
    assert draft.claimed_at == 5.0
    assert draft.body.parts[0] == TextPart(text="h\u00e9 b", html="h\u00e9 <b>b</b>")
    assert came().origin.remote_id is None, "without a name of its own nothing is a duplicate"
    assert came(kind=wire.Kind.NOTICE).body.automatic
    assert came(kind=wire.Kind.ACTION, text="waves").body.text == "/me waves"
    assert {loss.feature for loss in came(legacy=True).losses} == {"charset"}


def test_an_impostor_says_nothing() -> None:
    for fields in ({"impostor": True}, {"unverified": True, "services_account": "mallory"}):
        result = came(**fields)
        assert isinstance(result, Unmappable)
        assert result.feature == "sender"
    bad = came(sender="b b")
    assert isinstance(bad, Unmappable)
    assert bad.feature == "address"


@pytest.mark.parametrize(
    ("native", "text"),
    [
        (wire.AwayReply(account="a", nick="bob", text="\x02lunch"), "[is away] lunch"),
        (wire.Invited(account="a", sender="bob", channel="#x"), "[invites you to the channel #x; it was not entered]"),
        (wire.PeerChanged(account="a", nick="bob", before="u@h", after="v@h"), "before u@h, now v@h"),
        (wire.PeerRenamed(account="a", before="bob", after="rob"), "[is called rob now"),
        (wire.RequestDeclined(account="a", sender="bob", command="DCC", text="SEND x"), "proposed a file"),
    ],
)
def test_what_people_are_told(native: wire.Inbound, text: str) -> None:
    result = MAPPING.to_canonical(native)
    assert isinstance(result, tuple)
    (draft,) = result
    assert isinstance(draft.body, Message)
    assert draft.body.automatic
    assert text in draft.body.text
    assert draft.sender.address.user == "bob"


def test_what_is_of_the_link_is_no_message() -> None:
    for native in (
        wire.ServerNotice(account="a", source="s", text="x"),
        wire.Renamed(account="a", nick="b", wanted=False),
        wire.ChannelForced(account="a", channel="#x"),
        wire.ChannelTopic(account="a", channel="#x", topic="t"),
    ):
        assert MAPPING.to_canonical(native) == ()


def test_a_late_word() -> None:
    failed = wire.MessageFailed(account="a", to="bob", message_id="m", code="401", reason="r", user_text="u")
    result = MAPPING.to_canonical(failed)
    assert isinstance(result, tuple)
    receipt: Any = result[0].body
    assert (receipt.target, receipt.stage, receipt.failure.certain) == ("m", Stage.FAILED, True)


def test_lines_and_actions_go_out() -> None:
    assert lines("one\ntwo\n\nfour\n") == (
        [(text, wire.Kind.MESSAGE) for text in ("one", "two", "", "four")], {"line-ends"},
    )  # fmt: skip
    assert lines("/me waves") == ([("waves", wire.Kind.ACTION)], set())
    assert lines("x", automatic=True)[0] == [("x", wire.Kind.NOTICE)]
    assert lines("x", subject="S") == ([("S", wire.Kind.MESSAGE), ("x", wire.Kind.MESSAGE)], {"subject", "line-ends"})


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=900))
def test_pieces_join_to_the_text(text: str) -> None:
    said, _ = lines(text)
    joined = "".join(piece for piece, _ in said)
    assert joined == text or said[0][1] is wire.Kind.ACTION
    assert all(len(piece.encode()) <= 300 for piece, _ in said)


def test_natives_are_named_the_same_at_each_attempt() -> None:
    body = Message(parts=(TextPart(text="x" * 700),))
    first, second = out(body), out(body)
    assert first == second
    assert isinstance(first, Translated)
    assert len({native.reference for native in first.natives}) == len(first.natives) > 1


def test_what_irc_has_no_form_for() -> None:
    result = out(Reaction(target=RemoteMessageId("m"), emoji="x"))
    assert isinstance(result, Unmappable)
    assert isinstance(out(Typing(state=TypingState.ACTIVE), Capabilities()), Unmappable)


def test_typing_and_contacts_go_out() -> None:
    typing = out(Typing(state=TypingState.PAUSED))
    assert isinstance(typing, Translated)
    assert typing.natives == (wire.TypingSend(account="alicework", to="bob", state=wire.Typing.PAUSED),)
    edit = out(ContactEdit(wanted=False))
    assert isinstance(edit, Translated)
    assert edit.natives == (wire.ContactRemove(account="alicework", nick="bob"),)


@pytest.mark.parametrize(
    ("presence", "text"),
    [
        (PersonPresence(basic=Basic.OPEN), None),
        (PersonPresence(basic=Basic.OPEN, note="hi"), None),
        (PersonPresence(basic=Basic.OPEN, activity=Activity.MEETING), "In a meeting"),
        (PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note="lunch\r\ntime"), "lunch time"),
        (OFFLINE, ABSENT),
        (PersonPresence(basic=Basic.OPEN, invisible=True), ABSENT),
    ],
)
def test_presence_goes_out(presence: PersonPresence, text: str | None) -> None:
    own, losses = to_own("alicework", presence)
    assert own.away_text == text
    assert bool(losses) is (presence != PersonPresence(basic=Basic.OPEN) and presence.activity is not Activity.AWAY)


def test_presence_comes_in() -> None:
    def seen(**fields: Any) -> PersonPresence:
        result = MAPPING.to_canonical(wire.ContactPresence(account="a", nick="bob", **fields))
        assert isinstance(result, tuple)
        body = result[0].body
        assert isinstance(body, PresenceUpdate)
        return body.presence

    assert seen(online=False) == OFFLINE
    assert seen(online=True) == PersonPresence(basic=Basic.OPEN)
    away = seen(online=True, away=True, away_text="\x0304lunch")
    assert (away.activity, away.note) == (Activity.AWAY, "lunch")


@pytest.mark.parametrize(("name", "normal"), [("Bob", "bob"), ("B[b]^{}", "b[b]^{}"), ("BO\u00c9", "bo\u00c9")])
def test_names(name: str, normal: str) -> None:
    assert normalise("irc", name) == normal
    assert normalise("irc", normal) == normal


@pytest.mark.parametrize("name", ["", "b b", "#x", "b!c@d", "b\u200dc", "b\u043eb", "x" * 65, "irc.test"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(AddressError):
        normalise("irc", name)


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("a\x02b\x02c", [("a", Style()), ("b", Style(bold=True)), ("c", Style())]),
        ("\x1di\x1fiu\x0fx", [("i", Style(italic=True)), ("iu", Style(italic=True, underline=True)), ("x", Style())]),
        ("\x1es\x11m", [("s", Style(strike=True)), ("m", Style(strike=True, face="monospace"))]),
        ("\x034r\x03,1x", [("r", Style(color=PALETTE[4])), (",1x", Style())]),
        ("\x0304,12b\x16r", [("b", Style(color=PALETTE[4], background=PALETTE[12])),
                            ("r", Style(color=PALETTE[12], background=PALETTE[4]))]),
        ("\x04FF00fFh\x04x", [("h", Style(color="#ff00ff")), ("x", Style())]),
        ("\x0399d\x031234", [("d", Style()), ("34", Style(color=PALETTE[12]))]),
    ],
)  # fmt: skip
def test_formatting_codes(text: str, runs: list[tuple[str, Style]]) -> None:
    assert list(from_irc(text).runs) == runs


def test_what_formatting_cannot_say_is_lost_by_name() -> None:
    rich = from_html(
        '<span style="color:#fe0102;font-size:large;font-family:Arial"><a href="http://a.example">x</a></span>'
    )
    kept, losses = writable(rich)
    assert to_plain(kept) == "x (http://a.example)"
    assert len(losses) == 3
    assert from_irc("\x16x").losses[0].detail == "reverse video"


_styles = st.builds(
    Style,
    href=st.just(""),
    size=st.just(""),
    color=st.sampled_from(["", *PALETTE]),
    background=st.sampled_from(["", *PALETTE]),
    face=st.sampled_from(["", "monospace"]),
    bold=st.booleans(),
    italic=st.booleans(),
    underline=st.booleans(),
    strike=st.booleans(),
)
_texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from(",0123456789"), min_size=1, max_size=8
)


@given(st.lists(st.tuples(_texts, _styles), max_size=6))
def test_what_is_written_reads_back(runs: list[tuple[str, Style]]) -> None:
    from mappings.richtext import Rich

    kept, _ = writable(Rich(tuple(runs)))
    assert from_irc(to_irc(kept)).runs == kept.runs
