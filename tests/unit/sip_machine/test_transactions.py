"""The tables, pair by pair, against RFC 3261 figures 5 to 8 and RFC 6026; and what no table may do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.machine.transactions import TABLES, TIMER_EVENT, Action, Event, Machine, State, Timers, step

A, E, M, S = Action, Event, Machine, State
ALL = [(machine, state, event) for machine in Machine for state in State for event in Event]


@pytest.mark.parametrize(
    ("machine", "events", "state"),
    [
        (M.CLIENT, [E.START], S.TRYING),
        (M.CLIENT, [E.START, E.TIMER_E, E.TIMER_E], S.TRYING),
        (M.CLIENT, [E.START, E.R_1XX, E.TIMER_E], S.PROCEEDING),
        (M.CLIENT, [E.START, E.R_2XX], S.COMPLETED),
        (M.CLIENT, [E.START, E.R_1XX, E.R_FINAL, E.R_FINAL, E.TIMER_K], S.TERMINATED),
        (M.CLIENT, [E.START, E.TIMER_F], S.TERMINATED),
        (M.CLIENT, [E.START, E.TRANSPORT_ERROR], S.TERMINATED),
        (M.CLIENT, [E.START, E.R_2XX, E.TRANSPORT_ERROR], S.COMPLETED),
        (M.INVITE_CLIENT, [E.START, E.R_1XX, E.R_2XX, E.R_2XX], S.ACCEPTED),
        (M.INVITE_CLIENT, [E.START, E.R_1XX, E.TIMER_A, E.TIMER_B], S.PROCEEDING),
        (M.INVITE_CLIENT, [E.START, E.R_FINAL, E.R_FINAL], S.COMPLETED),
        (M.INVITE_CLIENT, [E.START, E.R_FINAL, E.TIMER_D], S.TERMINATED),
        (M.INVITE_CLIENT, [E.START, E.R_2XX, E.TIMER_M], S.TERMINATED),
        (M.INVITE_CLIENT, [E.START, E.TIMER_B], S.TERMINATED),
        (M.INVITE_SERVER, [E.REQUEST, E.REQUEST], S.PROCEEDING),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_FINAL, E.REQUEST, E.TIMER_G], S.COMPLETED),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_FINAL, E.ACK, E.ACK, E.REQUEST], S.CONFIRMED),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_FINAL, E.ACK, E.TIMER_I], S.TERMINATED),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_FINAL, E.TIMER_H], S.TERMINATED),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_2XX, E.REQUEST, E.TU_2XX], S.ACCEPTED),
        (M.INVITE_SERVER, [E.REQUEST, E.TU_2XX, E.TIMER_L], S.TERMINATED),
        (M.SERVER, [E.REQUEST, E.REQUEST], S.TRYING),
        (M.SERVER, [E.REQUEST, E.TU_1XX, E.REQUEST], S.PROCEEDING),
        (M.SERVER, [E.REQUEST, E.TU_FINAL, E.TU_FINAL, E.REQUEST], S.COMPLETED),
        (M.SERVER, [E.REQUEST, E.TU_2XX, E.TIMER_J], S.TERMINATED),
    ],
)
def test_paths(machine: Machine, events: list[Event], state: State) -> None:
    now = S.INIT
    for event in events:
        now, _ = step(machine, now, event)
    assert now is state


def test_retransmissions_are_absorbed_and_answered_alike() -> None:
    assert step(M.SERVER, S.TRYING, E.REQUEST) == (S.TRYING, ())
    assert step(M.SERVER, S.COMPLETED, E.REQUEST) == (S.COMPLETED, (A.RESEND,))
    assert step(M.INVITE_SERVER, S.PROCEEDING, E.REQUEST) == (S.PROCEEDING, (A.RESEND,))
    assert step(M.INVITE_SERVER, S.ACCEPTED, E.REQUEST) == (S.ACCEPTED, ())  # RFC 6026 7.1


def test_every_failure_response_to_invite_is_acknowledged() -> None:
    for state in (S.CALLING, S.PROCEEDING, S.COMPLETED):
        assert A.SEND_ACK in step(M.INVITE_CLIENT, state, E.R_FINAL)[1]


@pytest.mark.parametrize(("machine", "state", "event"), ALL)
def test_every_pair(machine: Machine, state: State, event: Event) -> None:
    following, actions = step(machine, state, event)
    if (state, event) not in TABLES[machine]:
        assert (following, actions) == (state, ())
    if state is S.TERMINATED:
        assert following is S.TERMINATED
    if following is S.TERMINATED and state is not S.TERMINATED:
        assert all(action in {A.TIMED_OUT, A.FAILED} for action in actions)
    if A.TO_TU in actions and machine in {M.CLIENT, M.INVITE_CLIENT}:
        assert event in {E.R_1XX, E.R_2XX, E.R_FINAL}


def _reachable(machine: Machine) -> set[State]:
    seen, queue = {S.INIT}, [S.INIT]
    while queue:
        state = queue.pop()
        for event in Event:
            following = step(machine, state, event)[0]
            if following not in seen:
                seen.add(following)
                queue.append(following)
    return seen


@pytest.mark.parametrize("machine", list(Machine))
def test_every_state_of_a_table_is_reached_and_ends(machine: Machine) -> None:
    reached = _reachable(machine)
    assert {state for state, _ in TABLES[machine]} <= reached
    assert S.TERMINATED in reached
    started = {action for _, actions in TABLES[machine].values() for action in actions if action >= A.START_A}
    handled = {event for _, event in TABLES[machine]}
    assert {TIMER_EVENT[action] for action in started} <= handled


@given(st.sampled_from([M.CLIENT, M.INVITE_CLIENT]), st.lists(st.sampled_from(list(Event)), max_size=30))
def test_the_user_hears_of_one_end_only(machine: Machine, events: list[Event]) -> None:
    state, ends, finals = S.INIT, 0, 0
    for event in [E.START, *events]:
        before = state
        state, actions = step(machine, state, event)
        ends += sum(action in {A.TIMED_OUT, A.FAILED} for action in actions)
        if A.TO_TU in actions and event is not E.R_1XX and before not in {S.ACCEPTED, S.COMPLETED}:
            finals += 1
    if machine is M.CLIENT:
        assert ends + finals <= 1
    else:
        assert finals <= 1


@given(st.sampled_from([M.SERVER, M.INVITE_SERVER]), st.lists(st.sampled_from(list(Event)), max_size=30))
def test_one_failure_response_is_sent_at_most(machine: Machine, events: list[Event]) -> None:
    state, sent = S.INIT, 0
    for event in [E.REQUEST, *events]:
        state, actions = step(machine, state, event)
        if A.SEND in actions and event is E.TU_FINAL:
            sent += 1
    assert sent <= 1


def test_lengths_of_timers_over_udp() -> None:
    timers = Timers()
    lengths = [timers.length(A.START_E, False, again) for again in range(6)]
    assert lengths == [0.5, 1, 2, 4, 4, 4]
    assert [timers.length(A.START_A, False, again) for again in range(6)] == [0.5, 1, 2, 4, 8, 16]
    assert timers.length(A.START_G, False, 4) == 4
    for start in (A.START_B, A.START_F, A.START_H, A.START_J, A.START_L, A.START_M):
        assert timers.length(start, False, 0) == 32
    assert timers.length(A.START_I, False, 0) == timers.length(A.START_K, False, 0) == 5
    assert timers.length(A.START_D, False, 0) == 32


def test_lengths_of_timers_over_a_stream() -> None:
    timers = Timers()
    assert [timers.length(start, True, 0) for start in (A.START_A, A.START_E, A.START_G)] == [None] * 3
    assert [timers.length(start, True, 0) for start in (A.START_D, A.START_I, A.START_J, A.START_K)] == [0] * 4
    assert timers.length(A.START_F, True, 0) == timers.length(A.START_H, True, 0) == 32
