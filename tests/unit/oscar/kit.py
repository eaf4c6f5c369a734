"""A server in a few lines, without I/O: it signs a session on, answers its questions, and says what a test tells it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from bridge.model.capabilities import SendResult
from transports.oscar.machine.actions import Connect, Disconnect, Purpose, SendDone, ServiceReady
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.machine.session import Event, OscarSession
from transports.oscar.wire import bucp, buddy, feedbag, icbm, icq, locate, native, oservice, privacy
from transports.oscar.wire.flap import DATA, KEEPALIVE, SIGNOFF, SIGNON, FlapFramer, FlapSequence, SignonFrame
from transports.oscar.wire.rates import RateClass, RateMembers
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import FROM_SERVER, Body, SnacFrame, encode_snac
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import UserInfo

GROUPS = (0x01, 0x02, 0x03, 0x04, 0x09, 0x13, 0x15)
OPEN = RateClass(id=1, window=80, clear=0, alert=0, limit=0, disconnect=0, current=6000, maximum=6000)
AOL = RateClass(id=3, window=20, clear=5100, alert=5000, limit=4000, disconnect=3000, current=6000, maximum=6000)
WIDE = oservice.RatesReply(classes=(OPEN,), members=(RateMembers(class_id=1, members=((4, 6), (4, 0x14))),))
STRICT = oservice.RatesReply(
    classes=(OPEN, AOL),
    members=(RateMembers(class_id=1, members=((1, 2), (2, 4), (4, 2))), RateMembers(class_id=3, members=((4, 6),))),
)
Answer = Callable[[Body], "Body | list[Body] | None"]


class Net:
    """A session, its server, and the time between them.

    Attributes:
        log: every SNAC body that the server received, by connection id.
        answers: by body type, how the server answers; None: not at all.
        events: what the session told.
    """

    def __init__(self, account: str = "Aim A", *, config: SessionConfig | None = None, rates: Body = WIDE) -> None:
        self.config = config or SessionConfig(host="login.test", port=5190)
        self.session = OscarSession(account, "secret", self.config, rng=random.Random(1))
        self.now = 1000.0
        self.events: list[Event] = []
        self.log: list[tuple[int, Body]] = []
        self.frames: list[tuple[int, int, bytes]] = []
        self.opened: list[Connect] = []
        self.closed: list[int] = []
        self.standing: set[int] = set()
        self.refuse_connections = False
        self._framers: dict[int, FlapFramer] = {}
        self._numbers: dict[int, FlapSequence] = {}
        self._purposes: dict[int, Purpose] = {}
        login = Tlvs([(bucp.HOST, b"bos.test:5191"), (bucp.COOKIE, b"cookie")])
        me = UserInfo(name=account)
        self.answers: dict[type[Body], Answer | None] = {
            bucp.ChallengeRequest: lambda _: bucp.Challenge(b"key"),
            bucp.LoginRequest: lambda _: bucp.LoginResponse(login),
            oservice.ClientVersions: lambda body: oservice.HostVersions(getattr(body, "versions")),  # noqa: B009
            oservice.RatesQuery: lambda _: rates,
            oservice.SelfInfoQuery: lambda _: oservice.SelfInfo((me,)),
            feedbag.RightsQuery: lambda _: feedbag.RightsReply(),
            feedbag.ListQuery: lambda _: feedbag.ListReply(timestamp=7),
            feedbag.ListQueryIfChanged: lambda _: feedbag.ListUnchanged(timestamp=7),
            feedbag.Insert: _all_done,
            feedbag.Update: _all_done,
            feedbag.Delete: _all_done,
            locate.RightsQuery: lambda _: locate.RightsReply(),
            buddy.RightsQuery: lambda _: buddy.RightsReply(),
            icbm.ParametersQuery: lambda _: icbm.ParametersReply(max_length=512),
            privacy.RightsQuery: lambda _: privacy.RightsReply(),
            icbm.OfflineRetrieve: lambda _: icbm.OfflineRetrieved(),
            icbm.SendMessage: _acknowledge,
        }
        self.roasted_answer = login

    # -- driving

    def run(self) -> None:
        """Carry everything to and fro until nothing moves."""
        for _ in range(10_000):
            if not self._step():
                self._collect()
                return
        raise AssertionError("the session and its server never come to rest")

    def _step(self) -> bool:
        moved = False
        for conn_id, data in self.session.to_send():
            moved = True
            self._server_reads(conn_id, data)
        action = self.session.next_action()
        if isinstance(action, Connect):
            self._connect(action)
        elif isinstance(action, Disconnect):
            self.standing.discard(action.conn_id)
            self.closed.append(action.conn_id)
        return moved or action is not None

    def _collect(self) -> None:
        while (event := self.session.next_event()) is not None:
            self.events.append(event)

    def _connect(self, action: Connect) -> None:
        self.opened.append(action)
        if self.refuse_connections:
            self.session.connection_lost(action.conn_id, self.now, "refused")
            return
        conn_id = action.conn_id
        self.standing.add(conn_id)
        self._framers[conn_id] = FlapFramer(check_sequence=True)
        self._numbers[conn_id] = FlapSequence(100)
        self._purposes[conn_id] = action.purpose
        self.session.connected(conn_id, self.now)
        self.frame(SIGNON, SignonFrame().encode(), conn_id)

    def _server_reads(self, conn_id: int, data: bytes) -> None:
        for frame in self._framers[conn_id].feed(data):
            self.frames.append((conn_id, frame.channel, frame.payload))
            if frame.channel == SIGNON:
                if self._purposes[conn_id] is Purpose.AUTHORIZER:
                    if self.config.method is SignOnMethod.ROASTED:
                        self.frame(SIGNOFF, self.roasted_answer.encode(), conn_id)
                else:
                    self.push(oservice.HostOnline(GROUPS), conn_id)
            elif frame.channel == DATA:
                self._answer(conn_id, SnacFrame.decode(frame.payload))

    def _answer(self, conn_id: int, snac: SnacFrame) -> None:
        body = decode_body(snac)
        self.log.append((conn_id, body))
        answer = self.answers.get(type(body))
        if answer is None:
            return
        result = answer(body)
        for each in result if isinstance(result, list) else [result]:
            if each is not None:
                self.frame(DATA, encode_snac(each, snac.request_id), conn_id)

    # -- the server's side

    @property
    def bos(self) -> int:
        """The newest connection that is not to the authorizer."""
        return next(each.conn_id for each in reversed(self.opened) if each.purpose is not Purpose.AUTHORIZER)

    def frame(self, channel: int, payload: bytes, conn_id: int | None = None) -> None:
        """Let the server send a frame."""
        conn_id = self.bos if conn_id is None else conn_id
        if conn_id in self.standing:
            self.session.receive(conn_id, self._numbers[conn_id].frame(channel, payload), self.now)

    def push(self, body: Body, conn_id: int | None = None, *, request_id: int = FROM_SERVER) -> None:
        """Let the server send a SNAC unasked."""
        self.frame(DATA, encode_snac(body, request_id), conn_id)

    def raw(self, data: bytes, conn_id: int | None = None) -> None:
        """Let bytes come that are no frame."""
        self.session.receive(self.bos if conn_id is None else conn_id, data, self.now)

    def lose(self, conn_id: int | None = None) -> None:
        """Break a connection."""
        conn_id = self.bos if conn_id is None else conn_id
        self.standing.discard(conn_id)
        self.session.connection_lost(conn_id, self.now, "broken")
        self.run()

    # -- the test's side

    def up(self) -> Net:
        """Sign on."""
        self.session.start(self.now)
        self.run()
        assert self.states()[-1] is native.Link.UP
        return self

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer on its way."""
        end = self.now + seconds
        idle = 0
        while (deadline := self.session.next_deadline()) is not None and deadline <= end:
            assert deadline >= self.now - 1e-9 or deadline == 0.0, "a deadline in the past that nothing removes"
            before, self.now = self.now, max(self.now, deadline)
            self.session.handle_timer(self.now)
            self.run()
            idle = 0 if self.now > before else idle + 1
            assert idle < 100, "a timer that changes nothing"
        self.now = end

    def send(self, value: native.Outbound, key: str = "k", deadline: float | None = None) -> None:
        """Send a native value."""
        self.session.send(value, key, self.now, deadline)
        self.run()

    def im(self, number: int, to: str = "Bob", text: str = "hello", **more: Any) -> native.ImSend:
        """A message whose cookie is its number."""
        return native.ImSend(
            account=self.session.account, to=to, text=text, is_html=True, cookie=number.to_bytes(8, "big"), **more
        )

    def states(self) -> list[native.Link]:
        """The link states told so far."""
        return [event.state for event in self.events if isinstance(event, native.LinkState)]

    def link(self) -> native.LinkState:
        """The newest link state."""
        return [event for event in self.events if isinstance(event, native.LinkState)][-1]

    def results(self) -> dict[object, SendResult]:
        """What became of each send."""
        found: dict[object, SendResult] = {}
        for event in self.events:
            if isinstance(event, SendDone):
                assert event.key not in found, f"{event.key} ended twice"
                found[event.key] = event.result
        return found

    def of(self, kind: type[native.Inbound | ServiceReady]) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def got(self, kind: type[Body]) -> list[Body]:
        """The bodies of a kind that the server received."""
        return [body for _, body in self.log if isinstance(body, kind)]

    def keepalives(self) -> int:
        """How many keep-alive frames came."""
        return sum(channel == KEEPALIVE for _, channel, _ in self.frames)


def _all_done(body: Body) -> Body:
    assert isinstance(body, feedbag.Insert | feedbag.Update | feedbag.Delete)
    return feedbag.EditStatus((feedbag.OK,) * len(body.items))


def _acknowledge(body: Body) -> Body | None:
    assert isinstance(body, icbm.SendMessage)
    if not body.tlvs.has(icbm.TLV_HOST_ACK):
        return None
    return icbm.HostAck(cookie=body.cookie, channel=body.channel, name=body.to)


def message(sender: str = "Bob", text: bytes = b"hi", cookie: bytes = b"12345678") -> icbm.IncomingMessage:
    """A channel 1 message as a server hands it on."""
    fragment = b"\x01\x01" + (len(text) + 4).to_bytes(2, "big") + b"\0\0\0\0" + text
    return icbm.IncomingMessage(
        cookie=cookie, channel=1, sender=UserInfo(name=sender), tlvs=Tlvs([(icbm.TLV_TEXT, fragment)])
    )


def stored(uin: int, text: bytes, sequence: int = 1) -> icq.IcqReply:
    """A message from ICQ's store."""
    kept = icq.OfflineMessage(uin=uin, year=2026, month=11, day=23, hour=9, minute=5, type=1, text=text)
    return icq.IcqReply(uin=100101, type=icq.OFFLINE_MESSAGE, sequence=sequence, data=kept.encode())
