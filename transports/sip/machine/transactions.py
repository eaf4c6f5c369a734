"""The four transaction machines of RFC 3261 section 17, as corrected by RFC 6026, as tables.

``step(machine, state, event)`` is a pure function: it returns the next state and the actions to take. A pair that a
table does not hold changes nothing: RFC 3261 has strays and late retransmissions dropped without a word.
Timers are data: `Timers` gives their lengths, and says which are 0 on a reliable transport.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType

from attrs import frozen


class State(IntEnum):
    """States of all four machines."""

    INIT = 0
    CALLING = 1
    TRYING = 2
    PROCEEDING = 3
    COMPLETED = 4
    CONFIRMED = 5
    ACCEPTED = 6
    TERMINATED = 7


class Event(IntEnum):
    """Inputs of all four machines. TU is the transaction user: the code that asks or answers."""

    START = 0
    REQUEST = 1
    ACK = 2
    TU_1XX = 3
    TU_2XX = 4
    TU_FINAL = 5
    R_1XX = 6
    R_2XX = 7
    R_FINAL = 8
    TIMER_A = 9
    TIMER_B = 10
    TIMER_D = 11
    TIMER_E = 12
    TIMER_F = 13
    TIMER_G = 14
    TIMER_H = 15
    TIMER_I = 16
    TIMER_J = 17
    TIMER_K = 18
    TIMER_L = 19
    TIMER_M = 20
    TRANSPORT_ERROR = 21


class Action(IntEnum):
    """What a step asks for. A START_ of a timer that runs restarts it with its next length."""

    SEND = 0
    """Send the request, or the response just given."""
    RESEND = 1
    """Send what was sent last once more."""
    SEND_ACK = 2
    TO_TU = 3
    TIMED_OUT = 4
    FAILED = 5
    START_A = 9
    START_B = 10
    START_D = 11
    START_E = 12
    START_F = 13
    START_G = 14
    START_H = 15
    START_I = 16
    START_J = 17
    START_K = 18
    START_L = 19
    START_M = 20


class Machine(IntEnum):
    """Which of the four."""

    INVITE_CLIENT = 0
    CLIENT = 1
    INVITE_SERVER = 2
    SERVER = 3


Step = tuple[State, tuple[Action, ...]]
Table = dict[tuple[State, Event], Step]

S = State
E = Event
A = Action

_INVITE_CLIENT: Table = {  # RFC 3261 figure 5, RFC 6026 figure 5
    (S.INIT, E.START): (S.CALLING, (A.SEND, A.START_A, A.START_B)),
    (S.CALLING, E.TIMER_A): (S.CALLING, (A.RESEND, A.START_A)),
    (S.CALLING, E.TIMER_B): (S.TERMINATED, (A.TIMED_OUT,)),
    (S.CALLING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.CALLING, E.R_1XX): (S.PROCEEDING, (A.TO_TU,)),
    (S.CALLING, E.R_2XX): (S.ACCEPTED, (A.TO_TU, A.START_M)),
    (S.CALLING, E.R_FINAL): (S.COMPLETED, (A.SEND_ACK, A.TO_TU, A.START_D)),
    (S.PROCEEDING, E.R_1XX): (S.PROCEEDING, (A.TO_TU,)),
    (S.PROCEEDING, E.R_2XX): (S.ACCEPTED, (A.TO_TU, A.START_M)),
    (S.PROCEEDING, E.R_FINAL): (S.COMPLETED, (A.SEND_ACK, A.TO_TU, A.START_D)),
    (S.PROCEEDING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.COMPLETED, E.R_FINAL): (S.COMPLETED, (A.SEND_ACK,)),
    (S.COMPLETED, E.TIMER_D): (S.TERMINATED, ()),
    (S.COMPLETED, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.ACCEPTED, E.R_2XX): (S.ACCEPTED, (A.TO_TU,)),
    (S.ACCEPTED, E.TIMER_M): (S.TERMINATED, ()),
}

_CLIENT: Table = {  # RFC 3261 figure 6
    (S.INIT, E.START): (S.TRYING, (A.SEND, A.START_F, A.START_E)),
    (S.TRYING, E.TIMER_E): (S.TRYING, (A.RESEND, A.START_E)),
    (S.TRYING, E.TIMER_F): (S.TERMINATED, (A.TIMED_OUT,)),
    (S.TRYING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.TRYING, E.R_1XX): (S.PROCEEDING, (A.TO_TU,)),
    (S.TRYING, E.R_2XX): (S.COMPLETED, (A.TO_TU, A.START_K)),
    (S.TRYING, E.R_FINAL): (S.COMPLETED, (A.TO_TU, A.START_K)),
    (S.PROCEEDING, E.TIMER_E): (S.PROCEEDING, (A.RESEND, A.START_E)),
    (S.PROCEEDING, E.TIMER_F): (S.TERMINATED, (A.TIMED_OUT,)),
    (S.PROCEEDING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.PROCEEDING, E.R_1XX): (S.PROCEEDING, (A.TO_TU,)),
    (S.PROCEEDING, E.R_2XX): (S.COMPLETED, (A.TO_TU, A.START_K)),
    (S.PROCEEDING, E.R_FINAL): (S.COMPLETED, (A.TO_TU, A.START_K)),
    (S.COMPLETED, E.TIMER_K): (S.TERMINATED, ()),
}

_INVITE_SERVER: Table = {  # RFC 3261 figure 7, RFC 6026 figure 3
    (S.INIT, E.REQUEST): (S.PROCEEDING, (A.TO_TU,)),
    (S.PROCEEDING, E.REQUEST): (S.PROCEEDING, (A.RESEND,)),
    (S.PROCEEDING, E.TU_1XX): (S.PROCEEDING, (A.SEND,)),
    (S.PROCEEDING, E.TU_2XX): (S.ACCEPTED, (A.SEND, A.START_L)),
    (S.PROCEEDING, E.TU_FINAL): (S.COMPLETED, (A.SEND, A.START_H, A.START_G)),
    (S.PROCEEDING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.COMPLETED, E.REQUEST): (S.COMPLETED, (A.RESEND,)),
    (S.COMPLETED, E.TIMER_G): (S.COMPLETED, (A.RESEND, A.START_G)),
    (S.COMPLETED, E.TIMER_H): (S.TERMINATED, (A.TIMED_OUT,)),
    (S.COMPLETED, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.COMPLETED, E.ACK): (S.CONFIRMED, (A.START_I,)),
    (S.CONFIRMED, E.TIMER_I): (S.TERMINATED, ()),
    (S.ACCEPTED, E.TU_2XX): (S.ACCEPTED, (A.SEND,)),
    (S.ACCEPTED, E.ACK): (S.ACCEPTED, (A.TO_TU,)),
    (S.ACCEPTED, E.TRANSPORT_ERROR): (S.ACCEPTED, (A.FAILED,)),
    (S.ACCEPTED, E.TIMER_L): (S.TERMINATED, ()),
}

_SERVER: Table = {  # RFC 3261 figure 8; RFC 4320: no 1xx but 100, and none on time
    (S.INIT, E.REQUEST): (S.TRYING, (A.TO_TU,)),
    (S.TRYING, E.TU_1XX): (S.PROCEEDING, (A.SEND,)),
    (S.TRYING, E.TU_2XX): (S.COMPLETED, (A.SEND, A.START_J)),
    (S.TRYING, E.TU_FINAL): (S.COMPLETED, (A.SEND, A.START_J)),
    (S.PROCEEDING, E.REQUEST): (S.PROCEEDING, (A.RESEND,)),
    (S.PROCEEDING, E.TU_1XX): (S.PROCEEDING, (A.SEND,)),
    (S.PROCEEDING, E.TU_2XX): (S.COMPLETED, (A.SEND, A.START_J)),
    (S.PROCEEDING, E.TU_FINAL): (S.COMPLETED, (A.SEND, A.START_J)),
    (S.PROCEEDING, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.COMPLETED, E.REQUEST): (S.COMPLETED, (A.RESEND,)),
    (S.COMPLETED, E.TRANSPORT_ERROR): (S.TERMINATED, (A.FAILED,)),
    (S.COMPLETED, E.TIMER_J): (S.TERMINATED, ()),
}

TABLES: tuple[MappingProxyType[tuple[State, Event], Step], ...] = tuple(
    MappingProxyType(table) for table in (_INVITE_CLIENT, _CLIENT, _INVITE_SERVER, _SERVER)
)
"""By `Machine`."""


def step(machine: Machine, state: State, event: Event) -> Step:
    """Returns the next state and the actions; the same state and none where the table has no such pair."""
    return TABLES[machine].get((state, event), (state, ()))


@frozen
class Timers:
    """RFC 3261 table 4, in seconds."""

    t1: float = 0.5
    """Estimate of the round trip."""
    t2: float = 4.0
    """The longest wait between retransmissions of a non-INVITE request or of an INVITE response."""
    t4: float = 5.0
    """The longest time that a message stays in the network."""
    d: float = 32.0

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L and M."""
        return 64 * self.t1

    def length(self, start: Action, reliable: bool, again: int) -> float | None:
        """Returns how long a timer runs; ``again`` counts how often it was started before.

        None: a timer that a reliable transport does not have. 0: it fires at once.
        """
        if start in _RESENDING:
            if reliable:
                return None
            length = self.t1 * float(1 << min(again, 16))
            return length if start == Action.START_A else min(length, self.t2)
        if start in _WAITING:
            if reliable:
                return 0.0
            if start == Action.START_D:
                return self.d
            return self.timeout if start == Action.START_J else self.t4
        return self.timeout


_RESENDING = frozenset({Action.START_A, Action.START_E, Action.START_G})
_WAITING = frozenset({Action.START_D, Action.START_I, Action.START_J, Action.START_K})
TIMER_EVENT: dict[Action, Event] = {action: Event(int(action)) for action in Action if action >= Action.START_A}
