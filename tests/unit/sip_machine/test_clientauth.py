"""Challenges to requests of ours: RFC 3261 22.2 and 22.3, RFC 7616 3.3 to 3.6, RFC 8760 2.4."""

from __future__ import annotations

import pytest

from bridge.model.body import Stage
from tests.kit.sip import DOMAIN, counting_entropy
from tests.unit.sip_machine.test_elsewhere import BRIDGE, Elsewhere
from tests.unit.sip_machine.test_trust import make_peer
from tests.unit.sip_machine.test_upstream import World
from transports.sip.machine.clientauth import MOST_ROUNDS, MOST_SPACES, Asked, ClientAuth, next_cseq
from transports.sip.wire.auth import Credentials, ha1
from transports.sip.wire.message import Request, Response, parse_message

REALM = "pbx.test"


def challenge(nonce: str = "n1", *, realm: str = REALM, algorithm: str = "MD5", more: str = ', qop="auth"') -> str:
    return f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}{more}'


def response(status: int = 401, *challenges: str) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    lines = "".join(f"{name}: {one}\r\n" for one in challenges or (challenge(),))
    data = (
        f"SIP/2.0 {status} No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:a@b>;tag=b\r\n"
        f"Call-ID: c\r\nCSeq: 1 MESSAGE\r\n{lines}Content-Length: 0\r\n\r\n"
    )
    message = parse_message(data.encode())
    assert isinstance(message, Response)
    return message


def auth() -> ClientAuth:
    return ClientAuth("bridge", "secret", counting_entropy())


def credentials(request: Request, name: str = "Authorization") -> Credentials:
    (line,) = request.lines(name)
    found = Credentials.parse(line)
    assert found is not None
    return found


def check(found: Credentials, method: str, uri: str, algorithm: str = "MD5") -> None:
    assert (found.username, found.uri) == ("bridge", uri)
    assert found.response == found.expected(ha1("bridge", found.realm, "secret", algorithm), method)


def test_a_message_is_sent_anew_with_credentials_and_the_next_one_has_them_at_once() -> None:
    world = World(make_peer(user="bridge", password="secret"))
    world.send()
    ((flow, first),) = world.out()
    assert not first.has("Authorization")
    world.answer(flow, first, 401, 0.1, [("WWW-Authenticate", challenge())])
    ((flow, second),) = world.out(0.1)
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
    assert second.top_via.branch != first.top_via.branch
    assert second.body == first.body
    found = credentials(second)
    check(found, "MESSAGE", second.uri_text)
    assert (found.nc, found.nonce) == ("00000001", "n1")
    world.answer(flow, second, 202, 0.2)
    assert [result.stage for result in world.results()] == [Stage.RELAYED]
    world.send(key="k2", now=0.3)
    ((_, third),) = world.out(0.3)
    assert credentials(third).nc == "00000002"
    check(credentials(third), "MESSAGE", third.uri_text)


def test_a_proxy_is_told_in_its_own_header_and_the_server_behind_it_too() -> None:
    """RFC 3261 22.3: 407 and then 401; both sets of credentials stay."""
    world = World(make_peer(user="bridge", password="secret"))
    world.send()
    ((flow, first),) = world.out()
    world.answer(flow, first, 407, 0.1, [("Proxy-Authenticate", challenge("p"))])
    ((flow, second),) = world.out(0.1)
    check(credentials(second, "Proxy-Authorization"), "MESSAGE", second.uri_text)
    world.answer(flow, second, 401, 0.2, [("WWW-Authenticate", challenge("w", realm="behind.test"))])
    ((flow, third),) = world.out(0.2)
    assert credentials(third).realm == "behind.test"
    assert credentials(third, "Proxy-Authorization").nc == "00000002"
    world.answer(flow, third, 202, 0.3)
    assert [result.stage for result in world.results()] == [Stage.RELAYED]


def test_a_wrong_password_is_tried_once() -> None:
    world = World(make_peer(user="bridge", password="wrong"))
    world.send()
    ((flow, first),) = world.out()
    world.answer(flow, first, 401, 0.1, [("WWW-Authenticate", challenge())])
    ((flow, second),) = world.out(0.1)
    world.answer(flow, second, 401, 0.2, [("WWW-Authenticate", challenge("n2"))])
    assert world.out(0.2) == []
    (result,) = world.results()
    assert result.stage is Stage.FAILED


def test_a_stale_nonce_is_answered_anew_but_not_for_ever() -> None:
    """RFC 7616 3.3; a server that says stale to everything does not have us ask without an end."""
    client, asked = auth(), Asked()
    assert client.challenged(response(401), asked)
    rounds = 1
    while client.challenged(response(401, challenge(f"s{rounds}", more=', qop="auth", stale=TRUE')), asked):
        rounds += 1
    assert rounds == MOST_ROUNDS


def test_a_nonce_that_was_good_yesterday_and_is_refused_without_stale_is_answered_once() -> None:
    """What a request had of its own accord (RFC 7616 3.6) is no answer to a challenge of it."""
    client = auth()
    assert client.challenged(response(401, challenge("old")), Asked())
    asked = Asked()
    assert client.challenged(response(401, challenge("new")), asked)
    assert not client.challenged(response(401, challenge("newer")), asked)


def test_without_a_user_a_challenge_is_an_answer_like_others() -> None:
    world = World(make_peer())
    world.send()
    ((flow, first),) = world.out()
    world.answer(flow, first, 407, 0.1, [("Proxy-Authenticate", challenge())])
    assert world.out(0.1) == []
    assert [result.stage for result in world.results()] == [Stage.FAILED]


@pytest.mark.parametrize(
    ("lines", "algorithm"),
    [
        ([challenge(algorithm="SHA-256"), challenge("m")], "SHA-256"),  # RFC 8760 2.4: the first that we know
        ([challenge(algorithm="SHA-1"), challenge("m")], "MD5"),
        ([challenge(algorithm="SHA-512-256", more="")], "SHA-512-256"),
        (['Basic realm="x"', challenge("m")], "MD5"),
        (["Digest nonsense", challenge("m")], "MD5"),
        ([challenge(more=', qop="x"'), challenge("m", algorithm="md5")], "md5"),
    ],
)
def test_the_first_challenge_that_can_be_answered_is(lines: list[str], algorithm: str) -> None:
    client = auth()
    assert client.challenged(response(401, *lines), Asked())
    found = Credentials.parse(client.headers("OPTIONS", "sip:pbx").partition(": ")[2].strip())
    assert found is not None
    check(found, "OPTIONS", "sip:pbx", algorithm)


def test_a_server_that_wants_the_body_in_the_answer_has_it() -> None:
    """RFC 7616 section 3.4.3."""
    world = World(make_peer(user="bridge", password="secret"))
    world.send()
    ((flow, first),) = world.out()
    world.answer(flow, first, 401, 0.1, [("WWW-Authenticate", challenge(more=', qop="auth-int"'))])
    ((_, second),) = world.out(0.1)
    found = credentials(second)
    assert (found.qop, found.nc) == ("auth-int", "00000001")
    secret = ha1("bridge", REALM, "secret", "MD5")
    assert second.body
    assert found.response == found.expected(secret, "MESSAGE", body=second.body)
    assert found.response != found.expected(secret, "MESSAGE")


def test_the_body_is_left_out_where_that_is_enough() -> None:
    client = auth()
    assert client.challenged(response(401, challenge(more=', qop="auth-int, auth"')), Asked())
    assert "qop=auth," in client.headers("MESSAGE", "sip:pbx", b"body")


@pytest.mark.parametrize(
    "line", ["", "Digest", 'Digest realm="x"', challenge(algorithm="X"), challenge(more=', qop="q"')]
)
def test_what_cannot_be_answered_is_not(line: str) -> None:
    client = auth()
    assert not client.challenged(response(401, line), Asked())
    assert client.headers("MESSAGE", "sip:a@b") == ""


def test_realms_of_a_server_are_bounded_and_the_password_is_in_no_text() -> None:
    client = auth()
    for number in range(3 * MOST_SPACES):
        client.challenged(response(401, challenge(realm=f"r{number}")), Asked())
    assert client.headers("MESSAGE", "sip:a@b").count("\r\n") == MOST_SPACES
    assert "secret" not in repr(client) + repr(make_peer(user="bridge", password="secret"))


def test_the_next_cseq_is_that_of_the_headers() -> None:
    tail = b"Max-Forwards: 70\r\nCSeq: 9 MESSAGE\r\nContent-Length: 18\r\n\r\n\r\nCSeq: 1 MESSAGE\r\n"
    assert next_cseq(tail) == tail.replace(b"CSeq: 9", b"CSeq: 10")


def test_a_subscription_is_made_and_refreshed_with_credentials() -> None:
    world = Elsewhere(make_peer(watch_as=BRIDGE, user="bridge", password="secret"))
    world.want()
    (first,) = world.asked()
    world.reply(first, 407, [("Proxy-Authenticate", challenge())])
    (second,) = world.asked()
    assert (second[1].cseq.number, second[1].call_id) == (first[1].cseq.number + 1, first[1].call_id)
    check(credentials(second[1], "Proxy-Authorization"), "SUBSCRIBE", f"sip:dora@{DOMAIN}")
    world.reply(second)
    assert world.notify(second, "active;expires=600") == 200
    (refresh,) = world.soon(545.0)
    assert refresh[1].cseq.number == second[1].cseq.number + 1
    check(credentials(refresh[1], "Proxy-Authorization"), "SUBSCRIBE", refresh[1].uri_text)


def test_a_ping_that_is_asked_who_it_is_says_so() -> None:
    world = World(make_peer(ping=30.0, user="bridge", password="secret"))
    world.dns()
    ((flow, first),) = world.out(0.0, "OPTIONS")
    world.answer(flow, first, 401, 0.1, [("WWW-Authenticate", challenge())])
    ((flow, second),) = world.out(0.1, "OPTIONS")
    assert second.cseq.number == 2
    check(credentials(second), "OPTIONS", second.uri_text)
    world.answer(flow, second, 200, 0.2)
    assert world.endpoint.trunking is not None
    assert [state.state for state in world.endpoint.trunking.states(0.3)] == ["up"]
