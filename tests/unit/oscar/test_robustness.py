"""Whatever a server sends, in whichever state: no exception, no endless loop, no growth, every send ends once."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.model.body import Stage
from tests.unit.oscar.kit import AOL, STRICT, Net, stored
from tests.unit.oscar.strategies import bodies, u16s
from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.connections import MAX_SERVICES
from transports.oscar.machine.session import Phase
from transports.oscar.wire import bucp, caps, feedbag, icbm, icq, native, oservice, rendezvous
from transports.oscar.wire.rates import RateClass, RateMembers
from transports.oscar.wire.registry import BODIES
from transports.oscar.wire.snac import Body, UnknownBody, encode_snac
from transports.oscar.wire.tlv import Tlvs
from transports.oscar.wire.userinfo import UserInfo

STATES = ("idle", "authorizing", "signing-on", "up", "paused", "moving", "waiting")
any_body = st.sampled_from(list(BODIES.values())).flatmap(bodies)
garbage = st.builds(UnknownBody, group=st.integers(0, 0x18), kind=st.integers(0, 0x25), data=st.binary(max_size=60))
frames = st.lists(
    st.tuples(
        st.integers(1, 5),
        any_body | garbage,
        st.sampled_from([0, 1, 2, 3, 5, 8, 13, 0x80000000]),
        st.sampled_from([0, 0, 0, 1, 0x8000]),
    ),
    min_size=1,
    max_size=12,
)


def in_state(state: str) -> Net:
    net = Net("100101", config=SessionConfig(host="h", port=1, max_queue=20, max_roster=50), rates=STRICT)
    if state == "idle":
        return net
    if state == "authorizing":
        net.answers[bucp.ChallengeRequest] = None
    elif state == "signing-on":
        net.answers[oservice.RatesQuery] = None
    elif state == "waiting":
        net.refuse_connections = True
    net.session.start(net.now)
    net.run()
    if state == "paused":
        net.push(oservice.Pause())
    elif state == "moving":
        net.answers[oservice.RatesQuery] = None
        net.push(oservice.Migrate(tlvs=Tlvs([(5, b"n"), (6, b"c")])))
    net.run()
    expected = {"paused": Phase.UP, "moving": Phase.UP}.get(state) or Phase(state)
    assert net.session.phase is expected
    return net


@pytest.mark.parametrize("state", STATES)
def test_any_snac_in_any_state(state: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sequence=frames, seed=st.integers(0, 99))
    def holds(sequence: list[tuple[int, Body, int, int]], seed: int) -> None:
        net = in_state(state)
        rng = random.Random(seed)
        net.send(net.im(1), "first")
        for channel, body, request_id, flags in sequence:
            payload = encode_snac(body, request_id, flags=flags & 1)
            if flags & 0x8000:
                payload = payload[:4] + b"\x80\x00" + payload[6:]
            target = rng.choice(net.opened).conn_id if net.opened else 1
            if rng.random() < 0.9:
                channel = 2
            net.frame(channel, payload, target) if target in net._numbers else net.raw(payload, target)
            net.run()
        net.send(native.BuddyAdd(account="100101", screen_name="x"), "edit")
        net.send(native.OwnPresence(account="100101", state=native.Availability.AWAY, away_message="x"), "away")
        net.wait(200)
        net.session.stop(net.now)
        net.run()
        assert set(net.results()) == {"first", "edit", "away"}
        assert net.session.roster_size() <= 50
        assert net.session.waiting() == 0
        assert net.session.next_deadline() is None

    holds()


@pytest.mark.parametrize("state", STATES)
def test_any_bytes_in_any_state(state: str) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(chunks=st.lists(st.binary(max_size=40), max_size=6), conn=st.integers(0, 4))
    def holds(chunks: list[bytes], conn: int) -> None:
        net = in_state(state)
        for chunk in chunks:
            net.raw(chunk, conn)
            net.run()
        net.session.connection_lost(conn, net.now)
        net.session.connected(conn, net.now)
        net.run()
        net.wait(5)

    holds()


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.integers(0, 0xFFFFFFFF), min_size=7, max_size=7), code=u16s)
def test_any_rate_class(numbers: list[int], code: int) -> None:
    fields = ("window", "clear", "alert", "limit", "disconnect", "current", "maximum")
    rate = RateClass(id=3, **dict(zip(fields, numbers, strict=True)))
    net = Net(rates=STRICT).up()
    net.push(oservice.RateChange(code=code, rate=rate))
    for number in range(3):
        net.send(net.im(number), f"k{number}")
    net.wait(1000)
    assert len(net.results()) == 3


def test_a_server_that_proposes_faster_than_it_lets_us_decline() -> None:
    """Each proposal is declined, in its turn; what waits is bounded."""
    proposal = rendezvous.Rendezvous(
        type=rendezvous.PROPOSE, cookie=bytes(8), capability=caps.CAP_FILE_TRANSFER, tlvs=Tlvs()
    )
    rates = oservice.RatesReply(classes=(AOL,), members=(RateMembers(class_id=3, members=((4, 0x0B),)),))
    net = Net(config=SessionConfig(host="h", port=1, max_queue=20), rates=rates).up()
    data = Tlvs([(icbm.TLV_DATA, proposal.encode())])
    for number in range(200):
        net.push(
            icbm.IncomingMessage(cookie=number.to_bytes(8, "big"), channel=2, sender=UserInfo(name="Bob"), tlvs=data)
        )
    net.run()
    assert len(net.of(native.RendezvousDeclined)) == 200
    assert net.session.waiting() == 20


def test_many_edits_from_elsewhere_at_once_are_told_as_one_list() -> None:
    net = Net(config=SessionConfig(host="h", port=1, max_roster=2000)).up()
    told = len(net.of(native.Roster))
    for number in range(1000):
        net.push(feedbag.Insert((feedbag.Item(name=f"n{number}", group_id=5, item_id=number + 1, class_id=0),)))
    net.run()
    lists = [event for event in net.of(native.Roster)[told:] if isinstance(event, native.Roster)]
    assert [len(each.contacts) for each in lists] == [1000]


def test_a_service_that_moves_again_and_again_has_one_connection() -> None:
    net = Net().up()
    bos = net.bos
    for _ in range(20):
        net.push(oservice.Migrate(groups=(0x10,), tlvs=Tlvs([(5, b"n"), (6, b"c")])), bos)
        net.run()
    assert len(net.standing) == 2
    for group in range(0x20, 0x40):
        net.push(oservice.Migrate(groups=(group,), tlvs=Tlvs([(5, b"n"), (6, b"c")])), bos)
        net.run()
    assert len(net.standing) == 1 + MAX_SERVICES


def test_the_end_of_a_store_that_a_screen_name_does_not_have() -> None:
    net = Net("Aim A").up()
    net.push(icq.IcqReply(uin=1, type=icq.OFFLINE_END, sequence=1, data=b""))
    net.push(stored(100102, b"x"))
    net.run()
    assert not net.of(native.ImReceived)
    assert not net.got(icq.IcqRequest)


def test_classes_of_which_nothing_is_told_do_not_hold_up() -> None:
    net = Net(rates=oservice.RatesReply(classes=(), members=STRICT.members)).up()
    net.send(net.im(1))
    assert net.results()["k"].stage is Stage.RELAYED
