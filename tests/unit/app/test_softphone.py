"""The softphone: what typed lines do, and what becomes of what the phone tells."""

from typing import Any

import pytest
from twisted.internet.task import Clock

from bridge.app.softphone.address import AddressError, peer_uri
from bridge.app.softphone.session import COMPOSING_REFRESH, MAX_WATCHED, Event, Session, SessionConfig
from bridge.app.softphone.views import short
from mappings.pidf import from_pidf
from transports.sip.machine.uac import Accepted, Arrived, Refused, Registered, Seen, Sent
from transports.sip.phone import Lost, PhoneError
from transports.sip.wire.iscomposing import CONTENT_TYPE, IsComposing, build_iscomposing, parse_iscomposing

ME = "alice@corp.example"
FRIEND = "sip:friend@aim.corp.example"


class FakePhone:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str, str]] = []
        self.subscribed: list[str] = []
        self.published: list[bytes] = []
        self.registered = 0
        self.broken = False

    def register(self) -> None:
        """Counts."""
        self.registered += 1

    def send(self, to: str, body: bytes, key: str, content_type: str = "text/plain") -> None:
        """Notes a MESSAGE."""
        if self.broken:
            raise PhoneError("there is no connection now")
        self.sent.append((to, body.decode(), key, content_type))

    def subscribe(self, target: str) -> str:
        """Notes a SUBSCRIBE."""
        self.subscribed.append(target)
        return f"s{len(self.subscribed)}"

    def publish(self, pidf: bytes) -> None:
        """Notes a PUBLISH."""
        self.published.append(pidf)


class Run:
    """A session with what it has shown."""

    def __init__(self, **config: Any) -> None:
        self.phone = FakePhone()
        self.shown: list[Event] = []
        self.clock = Clock()
        self.taken = 0
        self.session = Session(
            SessionConfig(me=ME, **config), self.phone, self.shown.append, self.clock, self._on_taken
        )
        self.codes: list[int] = []
        self.session.finished.addCallback(self.codes.append)

    def _on_taken(self) -> None:
        self.taken += 1

    def registered(self) -> "Run":
        """Is registered."""
        self.session.event(Registered(3600))
        return self

    def kinds(self) -> list[str]:
        """The kinds of the events that were shown."""
        return [event["event"] for event in self.shown]

    def typing(self) -> list[str]:
        """The states of composing that were sent."""
        return [parse_iscomposing(body.encode()).state for _, body, _, kind in self.phone.sent if kind == CONTENT_TYPE]


def arrived(text: str, kind: str = "text/plain", sender: str = FRIEND) -> Arrived:
    """A message."""
    return Arrived(sender, "", kind, text.encode("utf-8", "surrogatepass"), "call")


# -- lines become requests --------------------------------------------------------------------------------------------


def test_lines_wait_for_the_registration_and_for_each_other() -> None:
    run = Run(to=FRIEND)
    for text in ("one", "", "two"):
        run.session.line(text)
    run.session.end_of_input()
    assert run.phone.sent == []
    run.registered()
    assert [body for _, body, _, _ in run.phone.sent] == ["one"]
    run.session.event(Sent("1", 202))
    assert [body for _, body, _, _ in run.phone.sent] == ["one", "two"]
    run.clock.advance(0)
    assert run.codes == []
    run.session.event(Sent("2", 200))
    run.clock.advance(0)
    assert run.codes == [0]
    assert run.taken == 3
    assert [(e["to"], e["status"]) for e in run.shown if e["event"] == "sent"] == [(FRIEND, 202), (FRIEND, 200)]


def test_it_stays_for_what_comes_in() -> None:
    run = Run(to=FRIEND, wait=5.0).registered()
    run.session.end_of_input()
    run.clock.advance(4.9)
    run.session.event(arrived("late"))
    assert run.codes == []
    run.clock.advance(0.2)
    assert run.codes == [0]
    assert run.kinds() == ["registered", "message"]


def test_a_refused_message_is_told_and_ends_with_1() -> None:
    run = Run(to=FRIEND).registered()
    run.session.line("secret")
    run.session.end_of_input()
    run.session.event(Refused("MESSAGE", "1", 403, "no (reference 7)"))
    run.clock.advance(0)
    assert run.codes == [1]
    assert run.shown[-1] == {
        "event": "refused", "method": "MESSAGE", "status": 403, "reason": "no (reference 7)", "key": "1", "to": FRIEND,
    }  # fmt: skip


def test_somebody_who_stays_goes_on_after_a_refusal() -> None:
    run = Run(to=FRIEND, stays=True).registered()
    run.session.line("secret")
    run.session.event(Refused("MESSAGE", "1", 403, "no"))
    run.session.line("hi")
    run.session.event(Sent("2", 202))
    run.session.end_of_input()
    run.clock.advance(1)
    assert run.codes == []
    run.session.line("/quit")
    assert run.codes == [0]


@pytest.mark.parametrize("status", [0, 401, 403, 503])
def test_a_refused_registration_ends_with_1(status: int) -> None:
    run = Run(stays=True)
    run.session.event(Refused("REGISTER", "", status, "no"))
    assert run.codes == [1]
    assert run.shown[0]["status"] == status


def test_a_refresh_that_finds_nobody_ends_nothing() -> None:
    run = Run(stays=True).registered()
    run.session.event(Refused("REGISTER", "", 0, "nobody answered"))
    assert run.codes == []
    run.session.event(Refused("REGISTER", "", 403, "disabled"))
    assert run.codes == [1]


@pytest.mark.parametrize("line", ["/bogus", "/to nobody", "/to sip:@x", "/to", "/watch", "text"])
def test_what_makes_no_sense_is_told(line: str) -> None:
    run = Run().registered()
    run.session.line(line)
    run.session.end_of_input()
    run.clock.advance(0)
    assert run.kinds() == ["registered", "wrong"]
    assert run.phone.sent == []
    assert run.codes == [1]


def test_commands() -> None:
    run = Run(stays=True).registered()
    run.session.line("/to friend@aim.corp.example")
    run.session.line("//slash")
    assert run.phone.sent == [(FRIEND, "/slash", "1", "text/plain;charset=UTF-8")]
    run.session.event(Sent("1", 202))
    assert run.phone.subscribed == [FRIEND]
    run.session.line("/watch bob@corp.example")
    run.session.line("/away gone fishing")
    presence, _ = from_pidf(run.phone.published[0], 0.0)
    assert (presence.activity.value, presence.note) == ("away", "gone fishing")
    run.session.line("/back")
    presence, _ = from_pidf(run.phone.published[1], 0.0)
    assert presence.activity.value == "available"
    assert run.phone.subscribed == [FRIEND, "sip:bob@corp.example"]
    run.session.line("/help")
    assert any("/quit" in line for line in run.shown[-1]["commands"])


def test_the_end_waits_for_what_lines_have_asked() -> None:
    run = Run().registered()
    run.session.line("/watch friend@aim.corp.example")
    run.session.line("/away")
    run.session.end_of_input()
    run.session.event(Accepted("SUBSCRIBE", "s1", 3600))
    run.clock.advance(0)
    assert run.codes == []
    run.session.event(Accepted("PUBLISH", "", 3600))
    run.clock.advance(0)
    assert run.codes == [0]


def test_a_lost_connection() -> None:
    run = Run(to=FRIEND, stays=True).registered()
    run.session.line("/away")
    run.session.event(Lost("the connection broke", 1.0))
    run.phone.broken = True
    run.session.line("hi")
    assert run.kinds()[-2:] == ["sending", "wrong"]
    run.phone.broken = False
    run.session.reconnected()
    assert run.phone.registered == 1
    assert run.phone.subscribed == [FRIEND, FRIEND]
    assert len(run.phone.published) == 2


# -- what the phone tells ---------------------------------------------------------------------------------------------


def test_messages_of_every_kind() -> None:
    run = Run(stays=True).registered()
    run.session.event(arrived("plain"))
    assert run.session.to == FRIEND
    run.session.event(arrived("<b>f&auml;t</b><br>next", "text/html;charset=UTF-8"))
    run.session.event(arrived("x", "text/plain;charset=none"))
    texts = [event.get("text", event.get("reason")) for event in run.shown if event["event"] in {"message", "wrong"}]
    assert texts[:2] == ["plain", "fät\nnext"]
    assert "cannot be read" in texts[2]


def test_typing_of_a_peer_is_told_once() -> None:
    run = Run().registered()
    active = build_iscomposing(IsComposing(state="active")).decode()
    idle = build_iscomposing(IsComposing(state="idle")).decode()
    for body in (active, active, idle, idle, active):
        run.session.event(arrived(body, CONTENT_TYPE))
    run.session.event(arrived("done"))
    run.session.event(arrived(idle, CONTENT_TYPE))
    shown = [event.get("active", event["event"]) for event in run.shown[1:]]
    assert shown == [True, False, True, "message"]
    run.session.event(arrived("no xml", CONTENT_TYPE))
    assert run.kinds()[-1] == "wrong"


def test_many_who_type_cost_a_bounded_memory() -> None:
    run = Run().registered()
    active = build_iscomposing(IsComposing(state="active")).decode()
    for number in range(MAX_WATCHED + 50):
        run.session.event(arrived(active, CONTENT_TYPE, sender=f"sip:u{number}@aim.corp.example"))
    assert len(run.session._typing) == MAX_WATCHED


def test_presence() -> None:
    run = Run().registered()
    pidf = (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:f@x"><tuple id="t">'
        "<status><basic>{}</basic></status>{}</tuple></presence>"
    )
    run.session.event(Seen(FRIEND, "active", pidf.format("open", "<note>in</note>").encode(), False))
    run.session.event(Seen(FRIEND, "active", pidf.format("closed", "").encode(), False))
    run.session.event(Seen(FRIEND, "pending", b"", False))
    run.session.event(Seen(FRIEND, "active", b"<nothing", False))
    assert [event.get("status") for event in run.shown[1:4]] == ["online", "offline", None]
    assert run.shown[1]["note"] == "in"
    assert run.kinds()[-1] == "wrong"


# -- own typing -------------------------------------------------------------------------------------------------------


def test_own_typing_is_told_as_rfc_3994_says() -> None:
    run = Run(to=FRIEND, stays=True).registered()
    run.session.typed("h")
    run.session.typed("he")
    assert run.typing() == ["active"]
    run.clock.advance(14.9)
    assert run.typing() == ["active"]
    run.clock.advance(0.2)
    assert run.typing() == ["active", "idle"]
    run.session.typed("hel")
    run.session.typed("")
    assert run.typing() == ["active", "idle", "active", "idle"]
    for _ in range(int(COMPOSING_REFRESH) + 1):
        run.session.typed("long")
        run.clock.advance(1)
    run.session.typed("long")
    assert run.typing()[4:] == ["active", "active"]


def test_a_message_ends_typing_without_another_word() -> None:
    run = Run(to=FRIEND, stays=True).registered()
    run.session.typed("hi")
    run.session.line("hi")
    run.session.typed("")
    assert [kind for _, _, _, kind in run.phone.sent] == [CONTENT_TYPE, "text/plain;charset=UTF-8"]


def test_commands_and_nobody_are_not_told() -> None:
    run = Run(stays=True)
    run.session.typed("hi")
    run.registered()
    run.session.typed("hi")
    run.session.to = FRIEND
    run.session.typed("/away")
    run.phone.broken = True
    run.session.typed("hi")
    assert run.phone.sent == []


def test_typing_that_is_refused_is_silent() -> None:
    run = Run(to=FRIEND).registered()
    run.session.event(Refused("MESSAGE", "", 403, "no typing"))
    assert run.kinds() == ["registered"]


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("bob@corp.example", "sip:bob@corp.example"),
        (" sip:bob@corp.example;transport=tcp ", "sip:bob@corp.example;transport=tcp"),
        ("bob@hotmail.example@msn.corp.example", "sip:bob%40hotmail.example@msn.corp.example"),
        ("the boogyman@aim.corp.example", "sip:the%20boogyman@aim.corp.example"),
    ],
)
def test_addresses(typed: str, uri: str) -> None:
    assert peer_uri(typed) == uri


@pytest.mark.parametrize("typed", ["", "bob", "@x", "bob@", "sip:x", "sip:a b@c", "bob@a b"])
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(AddressError):
        peer_uri(typed)


def test_short() -> None:
    assert short("sip:bob%40hotmail.example@msn.corp.example") == "bob@hotmail.example@msn.corp.example"
    assert short("tel:+1") == "tel:+1"
    assert short("sip:a%zz@b") == "a%zz@b"
