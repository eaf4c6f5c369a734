"""Volleys: client transactions of one moment that share their timers (RFC 3261 17.1.2, 17.1.3, 8.1.3.3)."""

from typing import Any

import pytest

from transports.sip.machine.clients import Failure, Outcome
from transports.sip.machine.flow import Flow, Output
from transports.sip.machine.timers import TimerQueue
from transports.sip.machine.transactions import Timers
from transports.sip.machine.volley import Volleys
from transports.sip.wire.message import Response, parse_message

FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
BRANCH = b"z9hG4bKaa1"


class World:
    """A volley of one."""

    def __init__(self, limit: int = 10) -> None:
        self.queue = TimerQueue()
        self.outputs: list[Output] = []
        self.outcomes: list[tuple[Any, Outcome | None]] = []
        self.volleys = Volleys(
            Timers(),
            limit,
            self.queue,
            self.outputs,
            lambda owner, outcome, now: self.outcomes.append((owner, outcome)),
        )
        self.volleys.send([(BRANCH, b"data", FLOW, "owner")], 0.0)

    def sent(self, now: float) -> int:
        """How many octets-on-the-wire came until now."""
        self.queue.fire(now)
        count = len(self.outputs)
        self.outputs.clear()
        return count


def answer(
    status: str = "200 OK", via: str = "Via: SIP/2.0/UDP h;branch=z9hG4bKaa1;rport=1", method: str = "NOTIFY"
) -> bytes:
    """A response as a client writes it."""
    return (
        f"SIP/2.0 {status}\r\n{via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\n"
        f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "via", ["Via: SIP/2.0/UDP h;branch=z9hG4bKaa1", "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKaa1;x=y"]
)
def test_a_success_is_taken_at_once(via: str) -> None:
    world = World()
    assert world.volleys.quick(answer(via=via), 0.1)
    assert world.outcomes == [("owner", None)]
    assert not world.volleys.quick(answer(via=via), 0.2)
    assert len(world.volleys) == 0


@pytest.mark.parametrize(
    "data",
    [
        answer("404 Not Found"), answer(via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa2"), b"", b"SIP/2.0 200 OK\r\n\r\n",
        answer(via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa1\r\nVia: SIP/2.0/UDP other"),
        answer(via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa1\r\nv: SIP/2.0/UDP other"),
        answer(via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa1, SIP/2.0/UDP other"),
        answer(via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa1X"),
    ],
)  # fmt: skip
def test_all_else_is_read_with_care(data: bytes) -> None:
    world = World()
    assert not world.volleys.quick(data, 0.1)
    assert world.outcomes == []


def test_responses_are_matched_by_branch_and_method() -> None:
    world = World()
    for data, taken in (
        (answer("404 Not Found", via="Via: SIP/2.0/UDP h;branch=z9hG4bKother"), False),
        (answer("404 Not Found", method="MESSAGE"), False),
        (answer("404 Not Found", via="Via: SIP/2.0/UDP h;branch=z9hG4bKaa1\r\nVia: SIP/2.0/UDP x"), False),
        (answer("404 Not Found"), True),
    ):
        response = parse_message(data)
        assert isinstance(response, Response)
        assert world.volleys.response(response, 0.1) is taken
    ((owner, outcome),) = world.outcomes
    assert owner == "owner"
    assert isinstance(outcome, Response)
    assert outcome.status == 404


def test_timers_are_those_of_the_rfc() -> None:
    """Timer E: T1, 2*T1 .. T2; timer F: 64*T1 (figure 6)."""
    world = World()
    assert world.sent(0.0) == 1
    times = []
    for tick in range(1, 330):
        times += [tick / 10] * world.sent(tick / 10)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert world.outcomes == [("owner", Failure.TIMEOUT)]
    assert len(world.queue) == 0


def test_what_is_being_worked_on_is_repeated_at_t2_alone() -> None:
    world = World()
    world.sent(0.0)
    response = parse_message(answer("100 Trying"))
    assert isinstance(response, Response)
    assert world.volleys.response(response, 0.1)
    times = []
    for tick in range(1, 130):
        times += [tick / 10] * world.sent(tick / 10)
    assert times == [7.5, 11.5]
    assert world.volleys.quick(answer(), 13.0)
    assert world.outcomes == [("owner", None)]


def test_more_than_there_is_room_for_is_overload() -> None:
    world = World(limit=2)
    world.volleys.send([(b"b%d" % number, b"", FLOW, number) for number in range(3)], 1.0)
    assert world.outcomes == [(1, Failure.OVERLOAD), (2, Failure.OVERLOAD)]
