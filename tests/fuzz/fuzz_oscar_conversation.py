"""Fuzz: a session that is signed on (or nearly), and a server that says valid nonsense, at any time, to any question.

An input is a program: a byte that chooses the account and the server, then steps of an operation, an argument and a
payload. The seeds are what real servers said, so that most payloads are SNACs that mean something.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.unit.oscar.kit import STRICT, WIDE, Net
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.machine.connections import MAX_SERVICES
from transports.oscar.machine.session import Phase
from transports.oscar.wire import native
from transports.oscar.wire.flap import DATA, FlapFramer
from transports.oscar.wire.snac import SnacFrame

MAX_STEPS: Final = 120
MAX_ROSTER: Final = 50
MAX_QUEUE: Final = 20
_HEAD: Final = 4
_OTHERS: Final = MAX_SERVICES + 3
"""The authorizer, BOS, the BOS to which we move, and services."""
_FINAL: Final = frozenset(
    {native.Link.TRANSIENT, native.Link.AUTH_FAILED, native.Link.SIGNED_ON_ELSEWHERE, native.Link.LOGGED_OUT}
)
_RECORDINGS: Final = Path(__file__).parents[1] / "wire" / "oscar"
_ICQ, _STRICT, _ROASTED, _BAD_ANSWER = 1, 2, 4, 8
_SAY, _ANSWER, _RAW, _FRAME, _TIME, _LOSE, _SEND, _SERVICE, _CREDENTIAL = 0, 5, 9, 10, 11, 12, 13, 14, 15


def step(operation: int, argument: int, payload: bytes) -> bytes:
    """Returns one step of an input."""
    return bytes((operation, argument)) + len(payload).to_bytes(2, "big") + payload


def _recorded() -> Iterator[bytes]:
    for path in sorted(_RECORDINGS.glob("*.txt")):
        lines = [line.split() for line in path.read_text().splitlines() if " S< " in line]
        framers: dict[str, FlapFramer] = {}
        payloads: list[bytes] = []
        for words in lines:
            if len(words) == _HEAD and all(char in "0123456789abcdef" for char in words[3]):
                frames = framers.setdefault(words[2], FlapFramer()).feed(bytes.fromhex(words[3]))
                payloads += [frame.payload for frame in frames if frame.channel == DATA]
        for kind in (0, _ICQ | _STRICT):
            said = b"".join(step(_SAY, 0, payload) for payload in payloads[:MAX_STEPS] if len(payload) < 600)
            yield bytes((kind,)) + said
        for start in range(0, len(payloads), 8):
            answers = b"".join(step(_ANSWER, 1, payload) for payload in payloads[start : start + 8])
            yield bytes((_BAD_ANSWER | (start % 16) << 4,)) + answers


def _service(*groups: int) -> bytes:
    named = b"".join(group.to_bytes(2, "big") for group in groups)
    count = len(groups).to_bytes(2, "big")
    return (
        bytes.fromhex("00010012000080000001")
        + count
        + named
        + bytes.fromhex("0005000178")
        + bytes.fromhex("00060001ff")
    )


SEEDS: list[bytes] = [
    *_recorded(),
    b"\0" + b"".join(step(_SAY, 0, _service(0x10)) for _ in range(20)),
    b"\0" + b"".join(step(_SAY, 0, _service(group)) for group in range(0x10, 0x20)),
    b"\1" + step(_SAY, 0, _service()) + step(_SEND, 0, b"hello") + step(_TIME, 40, b"") + step(_LOSE, 0, b""),
    b"\0" + b"".join(step(_SEND, kind, b"hello") for kind in range(8)) + step(_FRAME, 4, bytes.fromhex("000900020001")),
    b"\3" + step(_RAW, 0, b"\x2a\x02") + step(_TIME, 255, b"") + step(_CREDENTIAL, 0, b"new"),
]


class _Server(Net):
    """A server whose questions and answers are remembered, so that nonsense can be said in their place."""

    def __init__(self, kind: int, answer: bytes) -> None:
        config = SessionConfig(
            host="h",
            port=1,
            max_roster=MAX_ROSTER,
            max_queue=MAX_QUEUE,
            method=SignOnMethod.ROASTED if kind & _ROASTED else SignOnMethod.MD5,
        )
        super().__init__("100101" if kind & _ICQ else "aima", config=config, rates=STRICT if kind & _STRICT else WIDE)
        self.questions: list[tuple[int, SnacFrame]] = []
        self._bad = answer if kind & _BAD_ANSWER else None
        self._bad_at = kind >> 4

    def _answer(self, conn_id: int, snac: SnacFrame) -> None:
        self.questions = [*self.questions[-63:], (conn_id, snac)]
        if self._bad is not None and len(self.questions) == self._bad_at + 1:
            bad, self._bad = self._bad, None
            self.say(conn_id, bad, snac.request_id)
            return
        super()._answer(conn_id, snac)

    def say(self, conn_id: int, payload: bytes, request_id: int | None = None) -> None:
        """Let the server send a SNAC, maybe as the answer to a question."""
        if request_id is not None and len(payload) >= 10:
            payload = payload[:6] + request_id.to_bytes(4, "big") + payload[10:]
        self.frame(DATA, payload, conn_id)


def _steps(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 1
    for _ in range(MAX_STEPS):
        if at >= len(data):
            return
        head = data[at : at + _HEAD].ljust(_HEAD, b"\0")
        size = int.from_bytes(head[2:], "big")
        yield head[0] % 16, head[1], data[at + _HEAD : at + _HEAD + size]
        at += _HEAD + size


def _outbound(net: Net, number: int, kind: int, payload: bytes) -> native.Outbound:
    account, text = net.session.account, payload.decode("utf-8", "replace")
    name = text[:40] or "x"
    values: list[native.Outbound] = [
        net.im(number, to=name, text=text),
        net.im(number % 4, text=text, html=text),
        native.TypingSend(account=account, to=name, state=native.Typing.TYPING),
        native.OwnPresence(account=account, state=native.Availability.AWAY, away_message=text, idle_seconds=number),
        native.OwnPresence(account=account, state=native.Availability.INVISIBLE, icq_status=number),
        native.BuddyAdd(account=account, screen_name=name, group=text[:9], alias=text),
        native.BuddyRemove(account=account, screen_name=name),
        native.AuthorizationAnswer(account=account, to=name, accepted=bool(number % 2), reason=text),
    ]
    return values[kind % len(values)]


def _do(net: _Server, number: int, operation: int, argument: int, payload: bytes) -> bool:
    """Does one step. Gives whether something of ours was sent."""
    opened = [each.conn_id for each in net.opened if each.conn_id in net.standing]
    conn_id = opened[-1 - argument % len(opened)] if opened else 1
    if operation == _SEND:
        net.send(_outbound(net, number, argument, payload), f"{number}")
        return True
    if operation < _ANSWER:
        net.say(conn_id, payload)
    elif operation < _RAW:
        asked, snac = net.questions[-1 - argument % len(net.questions)] if net.questions else (conn_id, None)
        net.say(asked, payload, None if snac is None else snac.request_id)
    elif operation == _RAW:
        net.raw(payload, conn_id)
    elif operation == _FRAME:
        net.frame(argument % 8, payload, conn_id)
    elif operation == _TIME:
        net.wait(argument * argument / 16)
    elif operation == _LOSE:
        net.lose(conn_id)
    elif operation == _SERVICE:
        net.session.request_service(argument, net.now)
    else:
        net.session.set_credential(payload.decode("latin-1"))
        net.session.start(net.now)
    net.run()
    return False


def _check(net: _Server) -> None:
    session = net.session
    if len(net.standing) > _OTHERS:
        raise AssertionError(f"{len(net.standing)} connections stand")
    if session.waiting() > 2 * MAX_QUEUE + MAX_ROSTER:
        raise AssertionError(f"{session.waiting()} SNACs wait")
    if session.roster_size() > MAX_ROSTER:
        raise AssertionError(f"{session.roster_size()} items are kept")
    for event in net.events:
        if isinstance(event, native.LinkState):
            if not event.reason:
                raise AssertionError(f"{event} names no reason")
            if event.state is native.Link.TRANSIENT and event.retry_in is None:
                raise AssertionError(f"{event} does not come back")


def one(data: bytes) -> None:
    """Signs on, does the steps, then loses every connection and stops: whatever was sent has ended once by then."""
    steps = list(_steps(data))
    net = _Server(data[0] if data else 0, steps[0][2] if steps else b"")
    net.session.start(net.now)
    net.run()
    keys: set[object] = set()
    for number, (operation, argument, payload) in enumerate(steps):
        if _do(net, number, operation, argument, payload):
            keys.add(f"{number}")
        _check(net)
    for conn_id in sorted(net.standing):
        net.lose(conn_id)
    if net.session.phase in {Phase.UP, Phase.SIGNING_ON} or net.link().state not in _FINAL:
        raise AssertionError(f"without any connection it is {net.session.phase}: {net.link()}")
    net.session.stop(net.now)
    net.run()
    if set(net.results()) != keys:
        raise AssertionError(f"of {keys} ended {set(net.results())}")
    if net.session.next_deadline() is not None:
        raise AssertionError("a stopped session wants to be woken")
