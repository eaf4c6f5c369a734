"""What the transport makes of the endpoint's words, without sockets."""

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.task import Clock

from bridge.model.capabilities import Support
from tests.kit.sip import People, make_config
from transports.sip.connector import _MOST_LIMITS, CAPABILITIES, SipTransport
from transports.sip.machine.events import TypingRanOut
from transports.sip.seams import IntakeLike, SipTransportConfig
from transports.sip.wire.native import SipNative, SipTyping


class Room:
    """An endpoint of which nothing is asked but how much room there is."""

    def __init__(self, room: int) -> None:
        self.room = room

    def max_body(self, aor: str) -> int:
        assert aor
        return self.room


def _transport(room: int = 600) -> SipTransport:
    made = SipTransport(
        SipTransportConfig(endpoint=make_config()),
        reactor=cast("Any", Clock()),
        accounts=People({"alice"}),
        secret=bytes(16),
    )
    made.endpoint = cast("Any", Room(room))
    return made


def test_the_room_for_a_text_is_that_of_the_person() -> None:
    for room in (600, 150, 65_536, 3300):
        assert _transport(room).capabilities_of("alice@example.test").max_text_bytes == room
    assert _transport(600).capabilities_of("alice@example.test") is CAPABILITIES
    assert CAPABILITIES.delivered_receipts is CAPABILITIES.displayed_receipts is Support.FULL


def test_what_is_remembered_of_rooms_is_bounded() -> None:
    transport = _transport()
    for room in range(3 * _MOST_LIMITS):
        transport.endpoint = cast("Any", Room(room))
        transport.capabilities_of("alice@example.test")
    assert len(transport._wider) <= _MOST_LIMITS


def test_who_stopped_without_a_word_is_handed_on_as_idle() -> None:
    taken: list[SipNative] = []

    class Sink:
        def deliver(self, native: SipNative, on_recorded: Callable[[IntakeLike], None]) -> None:
            taken.append(native)

    idle = SipTyping(aor="alice@example.test", peer="sip:friend@aim.example.test", state="idle")
    _transport()._hand_on(TypingRanOut(idle), Sink())
    assert taken == [idle]
