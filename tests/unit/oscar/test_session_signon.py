"""Signing on, being refused, being thrown out, coming back."""

from __future__ import annotations

import pytest

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN
from tests.unit.oscar.kit import GROUPS, STRICT, Net
from transports.oscar.machine.actions import Purpose
from transports.oscar.machine.config import SessionConfig, SignOnMethod
from transports.oscar.machine.session import Phase
from transports.oscar.machine.signon import parse_address
from transports.oscar.wire import bucp, feedbag, icbm, icq, locate, oservice
from transports.oscar.wire.codes import LOGIN_FAILURES, RATE_LOGIN_FAILURES, TRANSIENT_LOGIN_FAILURES
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.flap import SIGNOFF, SIGNON, SignonFrame
from transports.oscar.wire.native import Availability as Av
from transports.oscar.wire.native import Link, LinkState, OwnPresence
from transports.oscar.wire.roast import md5_response, roast
from transports.oscar.wire.tlv import Tlvs, tlv16


def config(**more: object) -> SessionConfig:
    return SessionConfig(host="login.test", port=5190, **more)  # type: ignore[arg-type]


def refuse(code: int) -> Net:
    net = Net()
    net.answers[bucp.LoginRequest] = lambda _: bucp.LoginResponse(Tlvs([tlv16(bucp.ERROR, code)]))
    net.session.start(net.now)
    net.run()
    return net


def kick(net: Net) -> None:
    net.frame(SIGNOFF, Tlvs([tlv16(9, 1), (11, b"http://x")]).encode())
    net.run()


def test_md5_sign_on() -> None:
    net = Net().up()
    (request,) = net.got(bucp.LoginRequest)
    assert isinstance(request, bucp.LoginRequest)
    assert request.tlvs.get(bucp.DIGEST) == md5_response(b"secret", b"key")
    assert request.tlvs.has(bucp.MD5_OF_MD5)
    assert [(each.host, each.port, each.purpose) for each in net.opened] == [
        ("login.test", 5190, Purpose.AUTHORIZER),
        ("bos.test", 5191, Purpose.BOS),
    ]
    assert net.states() == [Link.CONNECTING, Link.UP]
    assert net.closed == [1]
    assert net.link().account == "aima"
    assert net.link().max_message_bytes == 2048


def test_the_older_digest() -> None:
    net = Net(config=config(hashed_password=False)).up()
    (request,) = net.got(bucp.LoginRequest)
    assert isinstance(request, bucp.LoginRequest)
    assert request.tlvs.get(bucp.DIGEST) == md5_response(b"secret", b"key", hashed=False)
    assert not request.tlvs.has(bucp.MD5_OF_MD5)


def test_roasted_sign_on() -> None:
    net = Net("123456", config=config(method=SignOnMethod.ROASTED)).up()
    frame = SignonFrame.decode(next(payload for _, channel, payload in net.frames if channel == SIGNON))
    assert frame.tlvs.text(bucp.SCREEN_NAME) == "123456"
    assert roast(frame.tlvs.get(bucp.ROASTED) or b"") == b"secret"
    assert not net.got(bucp.ChallengeRequest)


def test_roasted_refusal() -> None:
    net = Net(config=config(method=SignOnMethod.ROASTED))
    net.roasted_answer = Tlvs([tlv16(bucp.ERROR, 5)])
    net.session.start(net.now)
    net.run()
    assert net.link().state is Link.AUTH_FAILED


def test_the_order_of_signing_on() -> None:
    net = Net().up()
    kinds = [type(body) for conn, body in net.log if conn == net.bos]
    before = [oservice.ClientVersions, oservice.RatesQuery, oservice.RatesAccept]
    assert kinds[:3] == before
    assert kinds.index(feedbag.Activate) < kinds.index(oservice.ClientOnline) < kinds.index(icbm.OfflineRetrieve)
    assert kinds.index(icbm.SetParameters) < kinds.index(oservice.ClientOnline)
    (online,) = net.got(oservice.ClientOnline)
    assert isinstance(online, oservice.ClientOnline)
    assert {tool.group for tool in online.tools} == set(GROUPS)


def test_icq_asks_for_its_own_store_too() -> None:
    net = Net("100-101").up()
    (request,) = net.got(icq.IcqRequest)
    assert isinstance(request, icq.IcqRequest)
    assert (request.uin, request.type) == (100101, icq.OFFLINE_REQUEST)


def test_a_question_refused_or_garbled_does_not_stop_sign_on() -> None:
    net = Net()
    net.answers[locate.RightsQuery] = lambda _: SnacError(group=2, code=5)
    net.answers[feedbag.RightsQuery] = lambda _: feedbag.RightsReply(Tlvs([(feedbag.LIMIT_NAME, b"\1")]))
    net.answers[icbm.ParametersQuery] = lambda _: icbm.SetParameters()
    net.up()
    assert net.session.syntax_errors == 1


@pytest.mark.parametrize("code", sorted(set(LOGIN_FAILURES) - TRANSIENT_LOGIN_FAILURES - RATE_LOGIN_FAILURES))
def test_a_refusal_for_good(code: int) -> None:
    net = refuse(code)
    assert (net.link().state, net.link().code, net.link().reason) == (Link.AUTH_FAILED, code, LOGIN_FAILURES[code])
    assert net.session.next_deadline() is None
    net.wait(1e6)
    assert len(net.opened) == 1
    assert not net.standing


@pytest.mark.parametrize("code", sorted(RATE_LOGIN_FAILURES))
def test_connecting_too_often_waits_long(code: int) -> None:
    net = refuse(code)
    assert net.link().state is Link.TRANSIENT
    net.wait(899)
    assert len(net.opened) == 1
    net.wait(500)
    assert len(net.opened) == 2


def test_asking_again_does_not_hurry() -> None:
    net = refuse(0x18)
    for _ in range(10):
        net.session.start(net.now)
        net.run()
        net.wait(10)
    assert len(net.opened) == 1


@pytest.mark.parametrize("code", sorted(TRANSIENT_LOGIN_FAILURES))
def test_the_servers_own_trouble_is_retried(code: int) -> None:
    net = refuse(code)
    assert net.link().state is Link.TRANSIENT
    net.wait((net.link().retry_in or 0.0) + 0.1)
    assert len(net.opened) == 2


def test_after_a_refusal_a_new_password_helps() -> None:
    net = refuse(5)
    del net.answers[bucp.LoginRequest]
    net.answers[bucp.LoginRequest] = lambda _: bucp.LoginResponse(Tlvs([(bucp.HOST, b"bos.test"), (bucp.COOKIE, b"c")]))
    net.session.set_credential("better")
    net.up()
    request = net.got(bucp.LoginRequest)[-1]
    assert isinstance(request, bucp.LoginRequest)
    assert request.tlvs.get(bucp.DIGEST) == md5_response(b"better", b"key")


def test_an_empty_password_is_refused_at_home() -> None:
    net = Net()
    net.session.set_credential("")
    net.session.start(net.now)
    net.run()
    assert net.link().state is Link.AUTH_FAILED
    assert not net.got(bucp.LoginRequest)


def test_one_answer_to_one_challenge() -> None:
    net = Net()
    net.answers[bucp.ChallengeRequest] = lambda _: [bucp.Challenge(b"one"), bucp.Challenge(b"two")]
    net.answers[bucp.LoginRequest] = None
    net.session.start(net.now)
    net.run()
    assert len(net.got(bucp.LoginRequest)) == 1


def test_no_connection_backs_off_with_jitter() -> None:
    net = Net(config=config(backoff_base=2.0, backoff_cap=60.0))
    net.refuse_connections = True
    net.session.start(net.now)
    net.run()
    net.wait(600)
    links = [event for event in net.of(LinkState) if isinstance(event, LinkState)]
    waits = [link.retry_in or 0.0 for link in links if link.state is Link.TRANSIENT]
    assert len(waits) >= 12
    assert all(0.5 <= wait <= min(60.0, 2.0 * 2.0**n) for n, wait in enumerate(waits))
    assert len(set(waits)) == len(waits)
    assert len(net.opened) < 60


def test_sign_on_that_stalls_is_given_up() -> None:
    net = Net()
    net.answers[oservice.RatesQuery] = None
    net.session.start(net.now)
    net.run()
    net.wait(91)
    assert Link.TRANSIENT in net.states()
    assert net.closed[:2] == [1, 2]


def test_kicked_by_another_sign_on_leaves_the_name_alone_for_a_while() -> None:
    net = Net(config=config(elsewhere_wait=300.0)).up()
    kick(net)
    assert (net.link().state, net.link().code) == (Link.SIGNED_ON_ELSEWHERE, 1)
    assert 300.0 <= (net.link().retry_in or 0.0) <= 375.0
    net.send(net.im(1), key="now")
    net.session.set_presence(OwnPresence(account="aima", state=Av.AWAY))
    net.send(OwnPresence(account="aima", state=Av.AWAY), key="shown")
    net.wait(299.0)
    failure = net.results()["now"].failure
    assert failure is not None
    assert (failure.reason, failure.retryable, failure.certain) == (LINK_DOWN, True, True)
    assert len(net.opened) == 2, "neither a message nor a presence takes the name back"
    net.wait(77.0)
    assert net.link().state is Link.UP
    assert len(net.opened) == 4


def test_two_that_throw_each_other_out_come_to_an_end() -> None:
    net = Net(config=config(elsewhere_wait=300.0, elsewhere_cap=2400.0, elsewhere_times=5)).up()
    pauses = []
    for _ in range(6):
        net.wait(10.0)
        kick(net)
        pauses.append(net.link().retry_in)
        net.wait((pauses[-1] or 1e6) + 1.0)
    assert [pause is None for pause in pauses] == [False] * 5 + [True]
    for pause, least in zip(pauses, (300.0, 600.0, 1200.0, 2400.0, 2400.0), strict=False):
        assert pause is not None
        assert least <= pause <= 1.25 * least
    assert net.link().state is Link.SIGNED_ON_ELSEWHERE
    assert net.session.next_deadline() is None
    net.session.start(net.now)  # people have decided: it begins anew
    net.run()
    assert net.link().state is Link.UP
    kick(net)
    assert 300.0 <= (net.link().retry_in or 0.0) <= 375.0


def test_a_name_that_was_ours_for_long_is_taken_back_soon() -> None:
    net = Net(config=config(elsewhere_wait=300.0, elsewhere_cap=2400.0)).up()
    for _ in range(3):
        kick(net)
        net.wait((net.link().retry_in or 0.0) + 1.0)
    net.wait(2401.0)
    kick(net)
    assert 300.0 <= (net.link().retry_in or 0.0) <= 375.0


def test_a_name_that_is_never_taken_back() -> None:
    net = Net(config=config(elsewhere_wait=0.0)).up()
    kick(net)
    assert (net.link().state, net.link().retry_in) == (Link.SIGNED_ON_ELSEWHERE, None)
    net.wait(1e6)
    assert len(net.opened) == 2


def test_people_decide_at_once_who_has_a_name() -> None:
    net = Net().up()
    kick(net)
    net.session.start(net.now)
    net.run()
    assert net.link().state is Link.UP
    kick(net)
    net.session.stop(net.now)
    net.run()
    assert net.link().state is Link.LOGGED_OUT
    net.wait(1e6)
    assert net.link().state is Link.LOGGED_OUT


def test_signed_off_for_another_reason_is_for_people_to_mend() -> None:
    net = Net().up()
    net.frame(SIGNOFF, Tlvs([tlv16(9, 2)]).encode())
    net.run()
    assert (net.link().state, net.link().reason) == (Link.AUTH_FAILED, "the account was deleted")
    net.wait(1e6)
    assert len(net.opened) == 2


def test_what_waits_when_the_connection_is_lost_waits_for_the_link() -> None:
    net = Net(rates=STRICT).up()
    for number in range(20):
        net.send(net.im(number), key=f"{number}")
    net.lose()
    reasons = {key: result.failure.reason for key, result in net.results().items() if result.failure is not None}
    assert reasons["19"] == LINK_DOWN


def test_signed_off_without_a_reason_comes_back() -> None:
    net = Net().up()
    net.raw(b"\x2a\x04\x00\x09")
    net.lose()
    assert net.link().state is Link.TRANSIENT
    net.wait(10)
    assert net.link().state is Link.UP
    # the list has not changed: it is not fetched again
    assert len(net.got(feedbag.ListQuery)) == 1
    assert len(net.got(feedbag.ListQueryIfChanged)) == 1


def test_refused_at_bos() -> None:
    net = Net()
    net.answers[oservice.RatesQuery] = None
    net.session.start(net.now)
    net.run()
    net.frame(SIGNOFF, Tlvs([(8, b"\x18")]).encode())
    net.run()
    assert (net.link().state, net.link().code) == (Link.TRANSIENT, 0x18)
    assert (net.link().retry_in or 0) >= 900


def test_a_broken_stream_ends_the_connection_alone() -> None:
    net = Net().up()
    net.raw(b"HTTP/1.1 400 Bad Request\r\n")
    net.run()
    assert net.link().state is Link.TRANSIENT
    assert "FLAP marker" in net.link().reason
    net.wait(10)
    assert net.link().state is Link.UP


def test_stop_signs_off() -> None:
    net = Net().up()
    bos = net.bos
    net.session.stop(net.now)
    net.run()
    assert net.frames[-1] == (bos, SIGNOFF, b"")
    assert net.link().state is Link.LOGGED_OUT
    assert not net.standing
    assert net.session.phase is Phase.IDLE
    net.session.stop(net.now)
    net.run()
    assert net.states().count(Link.LOGGED_OUT) == 1


def test_keepalive_and_the_silent_server() -> None:
    net = Net(config=config(keepalive=60.0, probe_after=300.0, probe_timeout=60.0)).up()
    asked = len(net.got(oservice.SelfInfoQuery))
    net.wait(299)
    assert net.keepalives() == 4
    net.wait(2)
    assert len(net.got(oservice.SelfInfoQuery)) == asked + 1
    assert net.link().state is Link.UP
    net.answers[oservice.SelfInfoQuery] = None
    net.wait(400)
    assert net.states()[2] is Link.TRANSIENT


def test_addresses_behind_a_translator() -> None:
    net = Net(config=config(server_override={"bos.test:5191": ("10.0.0.1", 99)})).up()
    assert (net.opened[1].host, net.opened[1].port) == ("10.0.0.1", 99)
    net = Net(config=config(same_host=True)).up()
    assert (net.opened[1].host, net.opened[1].port) == ("login.test", 5191)
    net = Net(config=config(server_override={"*": ("::1", 7)})).up()
    assert (net.opened[1].host, net.opened[1].port) == ("::1", 7)


def test_an_address_that_is_none() -> None:
    net = Net()
    bad = Tlvs([(bucp.HOST, b"bos:99999"), (bucp.COOKIE, b"c")])
    net.answers[bucp.LoginRequest] = lambda _: bucp.LoginResponse(bad)
    net.session.start(net.now)
    net.run()
    assert net.link().state is Link.TRANSIENT
    assert "no usable address" in net.link().reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b:1", ("a.b", 1)),
        ("a.b", ("a.b", 5190)),
        ("[::1]:2", ("::1", 2)),
        ("::1", ("::1", 5190)),
        (" h:3 ", ("h", 3)),
    ],
)
def test_address_forms(text: str, expected: tuple[str, int]) -> None:
    assert parse_address(text, 5190) == expected


@pytest.mark.parametrize("text", ["", ":1", "h:0", "h:65536", "h:x", "h:١", "x" * 300])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(OscarSyntaxError):
        parse_address(text, 5190)


def test_presence_set_before_sign_on_is_shown_from_the_start() -> None:
    net = Net("100101")
    net.session.set_presence(OwnPresence(account="100101", state=Av.AWAY, away_message="à table"))
    net.up()
    (info,) = net.got(locate.SetInfo)
    assert isinstance(info, locate.SetInfo)
    assert (info.tlvs.get(locate.AWAY) or b"").decode("utf-16-be") == "à table"
    (status,) = net.got(oservice.SetStatus)
    assert isinstance(status, oservice.SetStatus)
    assert status.tlvs.u32(oservice.TLV_STATUS) == 1


def test_sends_while_not_signed_on_fail_at_once() -> None:
    net = Net()
    net.send(net.im(1))
    result = net.results()["k"]
    assert result.stage is Stage.FAILED
    assert result.failure is not None
    assert result.failure.retryable
    assert result.failure.certain
