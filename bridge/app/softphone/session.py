"""What the softphone does: lines that are typed become requests, what the phone tells becomes events to show.

An event is a mapping with ``event``: ``registered``, ``sent``, ``refused``, ``message``, ``typing``, ``presence``,
``receipt``, ``peer``, ``lost``, ``wrong`` or ``help``. Messages are sent one after the other, as RFC 3428 section 8
asks of those who send without a session: the next one waits for the answer of the last.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bridge.app.softphone.address import AddressError, peer_uri
from bridge.model.presence import Activity, Basic, PersonPresence
from mappings.content import ContentError, decode, media_type
from mappings.imdn import parse_imdn
from mappings.pidf import from_pidf, to_pidf
from mappings.richtext import from_html, to_plain
from transports.sip.machine.uac import Accepted, Arrived, Refused, Registered, Seen, Sent
from transports.sip.phone import Lost, PhoneError, PhoneEvent
from transports.sip.wire import iscomposing
from transports.sip.wire.errors import SipSyntaxError

Event = Mapping[str, Any]
MAX_WATCHED: Final = 200
"""People whose presence is asked for because they are written to, and of whom it is known that they type."""
IDLE_AFTER: Final = 15.0
"""Seconds without a key after which nobody is composing any more (RFC 3994 section 3.2)."""
COMPOSING_REFRESH: Final = 90.0
"""Seconds after which a composing that goes on is told again (section 3.3 lets it run out after 120)."""
COMMANDS: Final = (
    ("/to ADDRESS", "write to somebody from now on"),
    ("/watch ADDRESS", "show somebody's presence"),
    ("/away [TEXT]", "tell that you are away"),
    ("/back", "tell that you are here"),
    ("/quit", "sign off and end"),
    ("/help", "show this"),
    ("//TEXT", "send a text that begins with a slash"),
)


class Line(Protocol):
    """The phone, as the session uses it; see ``transports.sip.phone.Phone``."""

    def register(self) -> None:
        """Registers."""

    def send(self, to: str, body: bytes, key: str, content_type: str = "text/plain") -> None:
        """Sends a MESSAGE."""

    def subscribe(self, target: str) -> str:
        """Watches somebody."""

    def publish(self, pidf: bytes) -> None:
        """Publishes presence."""


@frozen(kw_only=True)
class SessionConfig:
    """What the session is told.

    ``stays``: the end of the input ends nothing, ``/quit`` does. ``wait``: seconds to stay for what comes in after the
    end of the input. ``watches``: ask for the presence of those we write to.
    """

    me: str
    to: str | None = None
    stays: bool = False
    wait: float = 0.0
    watches: bool = True


@define(eq=False)
class Session:
    """One run of the softphone. ``finished`` fires once, with the exit code.

    Args:
        config: what it is told.
        phone: sends.
        show: takes each event.
        reactor: for delays.
        taken: called for each line that is done with, so that who reads them can go on.
    """

    config: SessionConfig
    phone: Line
    show: Callable[[Event], None]
    reactor: IReactorTime
    taken: Callable[[], None] = lambda: None
    finished: Deferred[int] = field(init=False, factory=Deferred)
    to: str | None = field(init=False, default=None)
    _lines: deque[str] = field(init=False, factory=deque)
    _ended: bool = field(init=False, default=False)
    _leaving: bool = field(init=False, default=False)
    _registered: bool = field(init=False, default=False)
    _under_way: str | None = field(init=False, default=None)
    _under_way_to: str = field(init=False, default="")
    _asked: set[str] = field(init=False, factory=set)
    _count: int = field(init=False, default=0)
    _refused: bool = field(init=False, default=False)
    _watched: dict[str, str] = field(init=False, factory=dict)
    _typing: set[str] = field(init=False, factory=set)
    _told_at: float | None = field(init=False, default=None)
    _pause: IDelayedCall | None = field(init=False, default=None)
    _presence: PersonPresence | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self.to = self.config.to

    # -- what is typed ------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Takes a line."""
        self._lines.append(text)
        self._go_on()

    def end_of_input(self) -> None:
        """No more lines will come."""
        self._ended = True
        self._go_on()

    def quit(self) -> None:
        """Ends, whatever is under way."""
        self._finish()

    def typed(self, text: str) -> None:
        """Takes what stands in the line that is being typed: whoever is written to learns that something is."""
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self._pause = None
        if not self._registered or self.to is None:
            return
        if not text or text.startswith("/"):
            self._not_composing()
            return
        now = self.reactor.seconds()
        if self._told_at is None or now - self._told_at >= COMPOSING_REFRESH:
            self._told_at = now
            self._composing("active")
        self._pause = self.reactor.callLater(IDLE_AFTER, self._not_composing)

    def _not_composing(self) -> None:
        if self._told_at is not None:
            self._told_at = None
            self._composing("idle")

    def _composing(self, state: Any) -> None:
        assert self.to is not None
        value = iscomposing.IsComposing(state=state, content_type="text/plain")
        try:
            self.phone.send(self.to, iscomposing.build_iscomposing(value), "", iscomposing.CONTENT_TYPE)
        except PhoneError:  # nobody learns that we type while there is no connection
            self._told_at = None

    def _go_on(self) -> None:
        while self._registered and self._under_way is None and self._lines and not self.finished.called:
            self._do(self._lines.popleft())
            self.taken()
        done = self._ended and self._registered and not (self._lines or self._under_way or self._asked)
        if done and not self.config.stays and not self._leaving:
            self._leaving = True
            self.reactor.callLater(self.config.wait, self._finish)

    def _finish(self, code: int | None = None) -> None:
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        if not self.finished.called:
            self.finished.callback((1 if self._refused else 0) if code is None else code)

    def _do(self, text: str) -> None:
        if not text.strip():
            return
        try:
            if text.startswith("/") and not text.startswith("//"):
                word, _, rest = text[1:].partition(" ")
                self._command(word, rest.strip())
            else:
                self._send(text[1:] if text.startswith("//") else text)
        except (AddressError, PhoneError) as e:
            self._wrong(str(e))

    def _wrong(self, reason: str) -> None:
        self._refused = self._refused or not self.config.stays
        self.show({"event": "wrong", "reason": reason})

    def _command(self, word: str, rest: str) -> None:
        if word == "to":
            self.to = peer_uri(rest)
            self.show({"event": "peer", "to": self.to})
            self._watch(self.to)
        elif word == "watch":
            target = peer_uri(rest) if rest else self.to
            if target is None:
                self._wrong("/watch ADDRESS: whom?")
            elif target not in self._watched:
                self._asked.add(self._subscribe(target))
        elif word == "away":
            self._publish(PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note=rest))
        elif word == "back":
            self._publish(PersonPresence(basic=Basic.OPEN))
        elif word == "help":
            self.show({"event": "help", "commands": [" - ".join(one) for one in COMMANDS]})
        elif word == "quit":
            self._finish()
        else:
            self._wrong(f"/{word} is not a command; /help shows them")

    def _send(self, text: str) -> None:
        if self.to is None:
            self._wrong("nobody to write to: /to ADDRESS, or --to")
            return
        self._watch(self.to)
        self._count += 1
        self._under_way, self._under_way_to = str(self._count), self.to
        self._told_at = None  # a message ends composing (RFC 3994 section 3.2)
        self.show({"event": "sending", "key": self._under_way, "to": self.to, "text": text})
        try:
            self.phone.send(self.to, text.encode("utf-8", "replace"), self._under_way, "text/plain;charset=UTF-8")
        except PhoneError:
            self._under_way = None
            raise

    def _publish(self, presence: PersonPresence) -> None:
        self._presence = presence
        self.phone.publish(to_pidf(presence, f"sip:{self.config.me}")[0])
        self._asked.add("PUBLISH")

    def _watch(self, target: str) -> None:
        if self.config.watches and target not in self._watched and len(self._watched) < MAX_WATCHED:
            self._subscribe(target)

    def _subscribe(self, target: str) -> str:
        key = self.phone.subscribe(target)
        self._watched[target] = key
        return key

    # -- what the phone tells -----------------------------------------------------------------------------------------

    def event(self, event: PhoneEvent) -> None:
        """Takes what has happened; what signing off brings is not shown any more."""
        if self.finished.called:
            return
        if isinstance(event, Registered):
            self._on_registered(event)
        elif isinstance(event, Sent):
            if event.key:
                self.show({"event": "sent", "key": event.key, "to": self._under_way_to, "status": event.status})
                self._answered(event.key)
        elif isinstance(event, Refused):
            self._on_refused(event)
        elif isinstance(event, Accepted):
            self._answered(event.key or event.method)
        elif isinstance(event, Arrived):
            self._on_arrived(event)
        elif isinstance(event, Seen):
            self._on_seen(event)
        else:
            assert isinstance(event, Lost)
            self.show({"event": "lost", "reason": event.reason, "retry_in": event.retry_in})

    def _answered(self, key: str) -> None:
        if key == self._under_way:
            self._under_way = None
        self._asked.discard(key)
        self._go_on()

    def _on_registered(self, event: Registered) -> None:
        if event.expires == 0:
            return
        self.show({"event": "registered", "as": self.config.me, "expires": event.expires})
        first, self._registered = not self._registered, True
        if first and self.to is not None:
            self._watch(self.to)
        self._go_on()

    def reconnected(self) -> None:
        """The connection is there again: the server knows nothing of the new one yet."""
        self.phone.register()
        watched, self._watched = list(self._watched), {}
        for target in watched:
            self._subscribe(target)
        if self._presence is not None:
            self._publish(self._presence)

    def _on_refused(self, event: Refused) -> None:
        if event.method == "MESSAGE" and not event.key:
            return  # it was only that we type
        asked = event.key == self._under_way or (event.key or event.method) in self._asked
        shown = {"event": "refused", "method": event.method, "status": event.status, "reason": event.reason}
        if event.method == "MESSAGE":
            shown |= {"key": event.key, "to": self._under_way_to}
        if event.method == "SUBSCRIBE":
            target = next((target for target, key in self._watched.items() if key == event.key), "")
            shown["to"] = target
        self.show(shown)
        if event.method == "REGISTER" and (not self._registered or 400 <= event.status < 500):
            self._finish(1)
            return
        self._refused = self._refused or (asked and not self.config.stays)
        self._answered(event.key or event.method)

    def _on_arrived(self, event: Arrived) -> None:
        try:
            kind = media_type(event.content_type)
            if kind.name == iscomposing.CONTENT_TYPE:
                self._on_composing(event)
                return
            if kind.name == "message/imdn+xml":
                receipt = parse_imdn(event.body)
                self.show(
                    {"event": "receipt", "from": event.sender, "of": str(receipt.target), "stage": receipt.stage.value}
                )
                return
            text, _ = decode(event.body, kind.charset)
            if kind.name == "text/html":
                text = to_plain(from_html(text))
        except (ContentError, SipSyntaxError) as e:
            self.show({"event": "wrong", "reason": f"a message of {event.sender} cannot be read: {e}"})
            return
        self._typing.discard(event.sender)
        self.show({"event": "message", "from": event.sender, "name": event.display_name, "text": text})
        if self.config.stays and self.to is None:
            self.to = event.sender
            self.show({"event": "peer", "to": self.to})

    def _on_composing(self, event: Arrived) -> None:
        active = iscomposing.parse_iscomposing(event.body).state == "active"
        if active == (event.sender in self._typing):
            return
        if active and len(self._typing) < MAX_WATCHED:
            self._typing.add(event.sender)
        else:
            self._typing.discard(event.sender)
        self.show({"event": "typing", "from": event.sender, "active": active})

    def _on_seen(self, event: Seen) -> None:
        if event.over:
            self._watched.pop(event.target, None)
        shown: dict[str, Any] = {"event": "presence", "of": event.target, "subscription": event.state}
        if event.pidf:
            try:
                presence, _ = from_pidf(event.pidf, time.time())
            except ContentError as e:
                self.show({"event": "wrong", "reason": f"the presence of {event.target} cannot be read: {e}"})
                return
            shown |= {"status": _status(presence), "note": presence.note}
        self.show(shown)


def _status(presence: PersonPresence) -> str:
    if presence.basic is Basic.CLOSED:
        return "offline"
    return "online" if presence.activity is Activity.AVAILABLE else presence.activity.value
