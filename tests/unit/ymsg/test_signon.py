"""Signing on, being refused, being lost, being thrown out."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.model.capabilities import LINK_DOWN
from tests.unit.ymsg.kit import CHALLENGE, Net, im
from transports.common.machine.comeback import ComebackTimes
from transports.common.wire.native import Link
from transports.ymsg.machine.config import TokenServer
from transports.ymsg.wire import codes, native
from transports.ymsg.wire.token import Cookies, response

WEB = TokenServer(host="login.test", port=8080, path="/config", tls=False)


def test_the_course_of_a_sign_on() -> None:
    net = Net()
    net.session.set_presence(native.OwnPresence(account="me", status=codes.INVISIBLE))
    net.ask()
    assert net.services() == [codes.HANDSHAKE, codes.AUTH]
    assert net.packet(codes.AUTH).get(1) == b"me"
    net.challenge()
    answer = net.packet(codes.AUTH_RESPONSE)
    assert answer.status == codes.INVISIBLE  # hidden from the first moment
    assert [key for key, _ in answer.pairs] == [6, 96, 0, 2, 1, 135]
    net.challenge()
    assert net.services().count(codes.AUTH_RESPONSE) == 1  # a password is no oracle
    net.tell(codes.LIST, (87, "Friends:bob,"), status=codes.MORE)
    assert net.state() is Link.CONNECTING
    net.tell(codes.LIST, (87, "carol\n"), (88, "spammer"), (89, "me"), status=codes.OK)
    assert net.state() is Link.UP
    (roster,) = [event for event in net.events if isinstance(event, native.Roster)]
    assert [(one.group, one.name) for one in roster.contacts] == [("Friends", "bob"), ("Friends", "carol")]
    assert roster.ignored == ("spammer",)
    assert net.packet(codes.IS_AWAY).get(10) == b"12"


@pytest.mark.parametrize("version", [9, 10, 15, 16])
def test_packets_have_the_version_and_repeat_the_session_id(version: int) -> None:
    net = Net(version=version)
    net.id = 0xCAFE0001
    net.ask()
    net.challenge()
    assert [packet.session for packet in net.got] == [0, 0xCAFE0001, 0xCAFE0001]
    assert {packet.version for packet in net.got} == {version}
    net.id = 7
    net.tell(codes.LIST, (87, ""), status=codes.OK)
    net.send(im())
    assert net.packet(codes.MESSAGE).session == 7


@pytest.mark.parametrize(
    ("code", "state", "least"),
    [
        (3, Link.AUTH_FAILED, None),
        (13, Link.AUTH_FAILED, None),
        (14, Link.AUTH_FAILED, None),
        (1013, Link.AUTH_FAILED, None),
        (777, Link.AUTH_FAILED, None),
        (52, Link.TRANSIENT, 0.0),
        (1236, Link.TRANSIENT, 900.0),
        (42, Link.SIGNED_ON_ELSEWHERE, 300.0),
    ],
)
def test_refusals(code: int, state: Link, least: float | None) -> None:
    net = Net()
    net.ask()
    net.challenge()
    net.tell(codes.AUTH_RESPONSE, (66, code), status=codes.FAILED)
    last = net.states[-1]
    assert (last.state, last.code) == (state, code)
    assert last.reason
    if least is None:
        assert last.retry_in is None
        assert net.session.next_deadline() is None
        net.pass_time(1e6)
        assert len(net.opened) == 1
    else:
        assert last.retry_in is not None
        assert last.retry_in >= least


def test_a_refusal_without_a_number_and_a_challenge_without_one() -> None:
    net = Net()
    net.ask()
    net.challenge()
    net.tell(codes.AUTH_RESPONSE, status=codes.FAILED)
    assert net.state() is Link.TRANSIENT
    net = Net()
    net.ask()
    net.tell(codes.AUTH, (1, "me"))
    assert (net.state(), net.states[-1].reason) == (Link.TRANSIENT, "the server sent no challenge")
    net = Net()
    net.ask()
    net.tell(codes.AUTH, (94, "short"))
    assert net.state() is Link.AUTH_FAILED


def test_no_password_is_not_shown_to_anybody() -> None:
    net = Net(password="")
    net.session.start(net.now)
    net.run()
    assert (net.state(), net.opened) == (Link.AUTH_FAILED, [])
    net.session.set_credential("secret")
    net.up()


def test_a_server_without_a_greeting_is_asked_all_the_same() -> None:
    net = Net()
    net.session.start(net.now)
    net.run()
    net.pass_time(4.9)
    assert net.services() == [codes.HANDSHAKE]
    net.pass_time(0.2)
    assert net.services() == [codes.HANDSHAKE, codes.AUTH]
    net.tell(codes.HANDSHAKE)
    assert net.services() == [codes.HANDSHAKE, codes.AUTH]
    net.challenge()
    assert net.services()[-1] == codes.AUTH_RESPONSE


def test_what_never_signs_on_is_given_up_and_tried_again() -> None:
    net = Net()
    net.session.start(net.now)
    net.run()
    net.pass_time(59.0)
    assert net.state() is Link.CONNECTING
    net.pass_time(2.0)
    assert Link.TRANSIENT in [state.state for state in net.states]
    net.pass_time(10.0)
    assert len(net.opened) == 2


def test_backoff_grows_and_begins_anew_after_a_good_time() -> None:
    net = Net().up()
    waits = []
    for _ in range(8):
        net.drop()
        wait = net.states[-1].retry_in
        assert wait is not None
        waits.append(wait)
        net.pass_time(wait + 0.01)
        assert net.session.phase.value == "signing-on"
    assert max(waits) <= 300.0
    assert max(waits[4:]) > waits[0]


@pytest.mark.parametrize(
    "octets", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"YMSG" + b"\0" * 4 + b"\xff\xff" + b"\0" * 10]
)
def test_a_broken_stream_ends_the_connection(octets: bytes) -> None:
    net = Net(max_body=2048).up()
    net.session.receive(net.conn, octets, net.now)
    net.run()
    assert net.state() is Link.TRANSIENT
    assert "broken stream" in net.states[-1].reason
    assert net.closed == [net.conn]
    assert net.session.syntax_errors == 1


def test_signed_on_elsewhere_is_left_alone_and_taken_back_late_and_a_few_times() -> None:
    net = Net(comeback=ComebackTimes(elsewhere_wait=300.0, elsewhere_times=2)).up()
    for pause in (300.0, 600.0):
        net.tell(codes.LOGOFF, status=codes.FAILED)
        last = net.states[-1]
        assert last.state is Link.SIGNED_ON_ELSEWHERE
        assert last.retry_in is not None
        assert pause <= last.retry_in <= pause * 1.25
        net.pass_time(pause - 1)
        assert net.state() is Link.SIGNED_ON_ELSEWHERE
        net.pass_time(last.retry_in - pause + 1.1)
        net.tell(codes.HANDSHAKE)
        net.challenge()
        net.tell(codes.LIST, (87, ""), status=codes.OK)
        assert net.state() is Link.UP
    net.tell(codes.LOGOFF, status=codes.FAILED)
    assert net.states[-1].retry_in is None
    net.pass_time(1e6)
    assert net.state() is Link.SIGNED_ON_ELSEWHERE
    net.session.start(net.now)  # people decide
    net.run()
    assert net.state() is Link.CONNECTING


def test_signed_off_by_the_server_and_a_contact_that_goes_are_two_things() -> None:
    net = Net().up()
    net.tell(codes.LOGOFF, (7, "bob"), (10, 0), (13, 0))
    assert net.session.phase.value == "up"
    net.tell(codes.LOGOFF, status=codes.OK)
    assert (net.state(), net.states[-1].reason) == (Link.TRANSIENT, "the server signed us off")


def test_a_protocol_error_is_judged_by_its_number() -> None:
    for code, state in ((1004, Link.AUTH_FAILED), (1014, Link.TRANSIENT), (42, Link.SIGNED_ON_ELSEWHERE)):
        net = Net().up()
        net.tell(codes.PROTOCOL_ERROR, (66, code))
        assert (net.state(), net.states[-1].code) == (state, code)


def test_stop_says_goodbye_and_ends_what_is_under_way() -> None:
    net = Net(echo=False).up()
    net.send(im())
    net.session.stop(net.now)
    net.run()
    assert net.services()[-1] == codes.LOGOFF
    assert net.state() is Link.LOGGED_OUT
    assert not net.results()["k"].failure.certain  # type: ignore[union-attr]
    assert net.session.next_deadline() is None
    net.send(im(), "later")
    failure = net.results()["later"].failure
    assert failure is not None
    assert (failure.reason, failure.retryable, failure.certain) == (LINK_DOWN, True, True)


# Tokens


def token_net(**changes: Any) -> Net:
    net = Net(version=16, token_server=WEB, **changes)
    net.ask()
    net.challenge((13, "2"))
    return net


def answer(net: Net, body: str, *, status: str = "200 OK", length: bool = True) -> None:
    conn = net.opened[-1].conn_id
    head = f"HTTP/1.0 {status}\r\n" + (f"Content-Length: {len(body)}\r\n" if length else "") + "\r\n"
    for octet in (head + body).encode():
        net.session.receive(conn, bytes([octet]), net.now)
    if not length:
        net.session.connection_lost(conn, net.now, "closed")
    net.run()


def test_a_sign_on_with_a_token() -> None:
    net = token_net()
    web = net.opened[-1]
    assert (web.host, web.port, web.tls) == ("login.test", 8080, False)
    net.session.connected(web.conn_id, net.now)
    net.run()
    assert net.web[-1].startswith(
        f"GET /config/pwtoken_get?src=ymsgr&ts=&login=me&passwd=secret&chal={CHALLENGE} HTTP/1.0\r\n".encode()
    )
    answer(net, "0\r\nymsgr=TOKEN\r\n")
    second = net.opened[-1]
    assert second.conn_id != web.conn_id
    assert web.conn_id in net.closed
    net.session.connected(second.conn_id, net.now)
    net.run()
    assert b"/config/pwtoken_login?src=ymsgr&ts=&token=TOKEN" in net.web[-1]
    answer(net, "0\r\ncrumb=CR\r\nY=y1\r\nT=t1\r\n", length=False)
    sent = net.packet(codes.AUTH_RESPONSE)
    assert sent.get(307) == response(Cookies(crumb="CR", y="y1", t="t1"), CHALLENGE)
    assert (sent.get(277), sent.get(278)) == (b"y1", b"t1")
    net.tell(codes.LIST_15, (302, 318), (300, 318), (65, "Friends"), (302, 319), (300, 319), (7, "bob"), (301, 319))
    assert net.state() is Link.UP
    (roster,) = [event for event in net.events if isinstance(event, native.Roster)]
    assert roster.contacts == (native.Contact(name="bob", group="Friends"),)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ("1212\r\n", Link.AUTH_FAILED),
        ("1236\r\n", Link.TRANSIENT),
        ("<html>maintenance</html>", Link.TRANSIENT),
        ("0\r\nymsgr=\r\n", Link.TRANSIENT),
    ],
)
def test_tokens_that_are_refused(body: str, state: Link) -> None:
    net = token_net()
    answer(net, body)
    assert net.state() is state
    assert net.conn in net.closed


def test_a_token_server_that_fails() -> None:
    net = token_net()
    answer(net, "oops", status="503 Busy")
    assert (net.state(), net.states[-1].reason) == (
        Link.TRANSIENT,
        "no token: the token server answers 503 (at byte 0)",
    )
    net = token_net()
    net.session.connection_lost(net.opened[-1].conn_id, net.now, "cannot connect: refused")
    net.run()
    assert net.states[-1].reason == "no token: cannot connect: refused"
    net = Net(version=16)
    net.ask()
    net.challenge((13, "1"))
    assert (net.state(), net.states[-1].reason) == (
        Link.AUTH_FAILED,
        "the server wants a token, and no token server is configured",
    )
