"""Digest: who gets in, who does not, and that neither says more than it must."""

import re
from random import Random

import pytest

from tests.kit.sip import DOMAIN, PASSWORD, Client, counting_entropy, make_endpoint
from transports.sip.machine.auth import WINDOW, Nonces, use_count
from transports.sip.machine.config import AuthConfig, ChallengeRule
from transports.sip.machine.events import MessageReceived, RequestRefused
from transports.sip.wire.auth import Challenge, Credentials, ha1
from transports.sip.wire.auth import response as digest_response
from transports.sip.wire.message import Request, Response

TARGET = "sip:friend@aim.example.test"


def _client(**auth: object) -> Client:
    return Client(make_endpoint(auth=AuthConfig(**auth)), "alice")  # type: ignore[arg-type]


def _only(got: list[Response | Request]) -> Response:
    assert len(got) == 1
    assert isinstance(got[0], Response)
    return got[0]


def _message(client: Client, credentials: str | None, header: str = "Proxy-Authorization", **fields: str) -> Response:
    more = [("Content-Type", "text/plain")]
    if credentials is not None:
        more.append((header, credentials))
    return _only(client.deliver(client.request("MESSAGE", TARGET, more, b"x", authenticate=False, **fields), 1.0))


def _challenged(client: Client) -> Challenge:
    response = _message(client, None)
    assert response.status == 407
    challenge = Challenge.parse(response.first("Proxy-Authenticate") or "")
    assert challenge is not None
    client.challenge = challenge
    return challenge


def _taken(client: Client) -> bool:
    while (event := client.endpoint.next_event()) is not None:
        if isinstance(event, MessageReceived):
            return True
    return False


def test_register_is_challenged_with_401_and_everything_else_with_407() -> None:
    client = _client()
    assert _only(client.deliver(client.request("REGISTER", f"sip:{DOMAIN}"), 0.0)).status == 401
    for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH"):
        uri = TARGET if method != "PUBLISH" else f"sip:alice@{DOMAIN}"
        assert _only(client.deliver(client.request(method, uri), 0.0)).status == 407


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_right_credentials_get_in(algorithm: str) -> None:
    client = _client(challenges=(ChallengeRule(algorithms=(algorithm,)),))
    assert _challenged(client).algorithm == algorithm
    assert client.deliver(client.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"x"), 1.0) == []
    assert _taken(client)


def test_one_nonce_serves_every_method_in_either_header() -> None:
    client = _client()
    assert client.register().status == 200
    for header in ("Proxy-Authorization", "Authorization"):
        client.deliver(
            client.request("MESSAGE", TARGET, [(header, client.credentials("MESSAGE", TARGET))], authenticate=False),
            1.0,
        )
        assert _taken(client)


def test_challenges_come_in_the_order_of_the_first_rule_that_matches() -> None:
    rules = (
        ChallengeRule(algorithms=("MD5",), user_agent=re.compile("JsSIP")),
        ChallengeRule(algorithms=("SHA-256",), transport="tls"),
        ChallengeRule(algorithms=("SHA-512-256", "SHA-256", "MD5")),
    )
    endpoint = make_endpoint(auth=AuthConfig(challenges=rules))

    def offered(client: Client, *headers: tuple[str, str]) -> list[str]:
        response = _only(client.deliver(client.request("MESSAGE", TARGET, headers), 0.0))
        found = [Challenge.parse(line) for line in response.lines("Proxy-Authenticate")]
        return [challenge.algorithm for challenge in found if challenge is not None]

    assert offered(Client(endpoint, "alice"), ("User-Agent", "JsSIP 3")) == ["MD5"]
    assert offered(Client(endpoint, "alice", port=2, transport="tls")) == ["SHA-256"]
    assert offered(Client(endpoint, "alice", port=3)) == ["SHA-512-256", "SHA-256", "MD5"]


def test_a_count_is_used_once_and_may_come_out_of_order() -> None:
    client = _client()
    _challenged(client)
    lines = [client.credentials("MESSAGE", TARGET) for _ in range(4)]
    for number in (3, 0, 2):
        client.deliver(
            client.request("MESSAGE", TARGET, [("Proxy-Authorization", lines[number])], authenticate=False), 1.0
        )
        assert _taken(client)
    for number in (0, 2, 3):
        response = _message(client, lines[number])
        assert response.status == 407
        assert "stale=true" in (response.first("Proxy-Authenticate") or "")
    assert not _taken(client)


def test_an_old_nonce_is_stale_where_the_password_is_right_and_only_there() -> None:
    client = _client(nonce_lifetime=60.0)
    _challenged(client)
    good, bad = client.credentials("MESSAGE", TARGET), client.credentials("MESSAGE", TARGET, "wrong")
    for line, stale in ((good, True), (bad, False)):
        data = client.request("MESSAGE", TARGET, [("Proxy-Authorization", line)], authenticate=False)
        response = _only(client.deliver(data, 62.0))
        assert ("stale" in (response.first("Proxy-Authenticate") or "")) is stale


def test_a_nonce_that_we_did_not_make_is_not_taken() -> None:
    client = _client()
    challenge = _challenged(client)
    for nonce in (challenge.nonce[:-2] + "AA", "x", "é", challenge.nonce + "="):
        value = Credentials(
            username="alice", realm=DOMAIN, nonce=nonce, uri=TARGET, qop="auth", nc="00000001", cnonce="c",
            response=digest_response(
                ha1("alice", DOMAIN, PASSWORD), nonce, TARGET, "MESSAGE", qop="auth", nc="00000001", cnonce="c"
            ),
        )  # fmt: skip
        assert _message(client, str(value)).status == 407
    assert not _taken(client)


def test_the_form_of_rfc_2069_is_taken_by_configuration_and_not_for_long() -> None:
    client = _client(legacy_nonce_lifetime=30.0)
    challenge = _challenged(client)
    response = digest_response(ha1("alice", DOMAIN, PASSWORD), challenge.nonce, TARGET, "MESSAGE")
    line = (
        f'Digest username="alice", realm="{DOMAIN}", nonce="{challenge.nonce}", uri="{TARGET}", nc="00000001", '
        f'response="{response}"'
    )
    data = client.request("MESSAGE", TARGET, [("Proxy-Authorization", line)], authenticate=False)
    assert client.deliver(data, 2.0) == []
    assert _taken(client)
    late = client.request("MESSAGE", TARGET, [("Proxy-Authorization", line)], authenticate=False)
    assert "stale=true" in (_only(client.deliver(late, 40.0)).first("Proxy-Authenticate") or "")
    strict = _client(legacy=False)
    assert _message(strict, line).status == 400


def test_the_digest_uri_must_be_the_request_uri() -> None:
    client = _client(uri_aliases=frozenset({"192.0.2.1:5060"}))
    _challenged(client)
    other = client.credentials("MESSAGE", "sip:someone@aim.example.test")
    response = _message(client, other)
    assert (response.status, response.reason) == (400, "Digest uri is not the Request-URI")
    equivalent = client.credentials("MESSAGE", "sip:friend@AIM.example.test")
    data = client.request("MESSAGE", TARGET, [("Proxy-Authorization", equivalent)], authenticate=False)
    assert client.deliver(data, 1.0) == []
    sipp = client.credentials("MESSAGE", "sip:192.0.2.1:5060")
    data = client.request("MESSAGE", TARGET, [("Proxy-Authorization", sipp)], authenticate=False)
    assert client.deliver(data, 1.0) == []


def test_the_user_name_may_be_the_whole_address() -> None:
    client = _client()
    challenge = _challenged(client)
    name = f"alice@{DOMAIN}"
    value = digest_response(
        ha1(name, DOMAIN, PASSWORD), challenge.nonce, TARGET, "MESSAGE", qop="auth", nc="00000001", cnonce="c"
    )
    line = Credentials(
        username=name, realm=DOMAIN, nonce=challenge.nonce, uri=TARGET, response=value, qop="auth", nc="00000001",
        cnonce="c",
    )  # fmt: skip
    data = client.request("MESSAGE", TARGET, [("Proxy-Authorization", str(line))], authenticate=False)
    assert client.deliver(data, 1.0) == []
    assert _taken(client)


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer() -> None:
    answers = []
    for user, password in (("alice", "wrong"), ("nobody", "wrong"), ("nobody", PASSWORD)):
        client = Client(make_endpoint(), user)
        _challenged(client)
        response = _message(client, client.credentials("MESSAGE", TARGET, password))
        text = re.sub(r'nonce="[^"]*"|tag=\w+|branch=\w+', "", response.to_bytes().decode()).replace(user, "USER")
        answers.append(text)
    assert answers[0] == answers[1] == answers[2]


def test_guessing_is_slowed_down_for_the_user_at_that_source_and_not_elsewhere() -> None:
    endpoint = make_endpoint()
    client = Client(endpoint, "alice")
    _challenged(client)
    statuses = [_message(client, client.credentials("MESSAGE", TARGET, "wrong")).status for _ in range(8)]
    assert statuses[:6] == [407] * 6
    assert statuses[6:] == [503, 503]
    right = _message(client, client.credentials("MESSAGE", TARGET))
    assert right.status == 503
    assert int(right.first("Retry-After") or "0") >= 1
    other = Client(endpoint, "alice", host="192.0.2.77")
    assert other.register(1.0).status == 200
    refused = [event for event in iter(endpoint.next_event, None) if isinstance(event, RequestRefused)]
    assert sum(not event.challenged for event in refused) == 9


def test_an_old_password_behind_a_nat_does_not_lock_out_who_has_signed_on_from_there() -> None:
    """The source is throttled as well, whatever the user; but one device must not lock its whole office out."""
    endpoint = make_endpoint(auth=AuthConfig(free_guesses=1))
    alice = Client(endpoint, "alice", port=40_001)
    assert alice.register().status == 200
    others = [Client(endpoint, f"nobody{number}", port=41_000 + number) for number in range(6)]
    for other in others:
        _challenged(other)
        last = _message(other, other.credentials("MESSAGE", TARGET, "wrong"))
    assert last.status == 503
    late = Client(endpoint, "bob", port=40_002)
    _challenged(late)
    assert _message(late, late.credentials("MESSAGE", TARGET)).status == 503
    assert alice.register(1.0).status == 200
    guesses = [_message(alice, alice.credentials("MESSAGE", TARGET, "wrong")).status for _ in range(4)]
    assert guesses == [407, 407, 503, 503]


def test_guesses_under_a_forged_address_do_not_lock_out_who_is_there() -> None:
    """A nonce is for the address that it was sent to, and who forges one does not get what is sent there."""
    endpoint = make_endpoint(auth=AuthConfig(free_guesses=1))
    evil, alice = Client(endpoint, "alice", host="198.51.100.66"), Client(endpoint, "alice", port=40_009)
    _challenged(evil)
    evil.flow = alice.flow
    for _ in range(20):
        answer = _message(evil, evil.credentials("MESSAGE", TARGET, "wrong"))
        assert (answer.status, "stale=true" in (answer.first("Proxy-Authenticate") or "")) == (407, True)
    assert alice.register(1.0).status == 200


def test_all_addresses_of_an_ipv6_network_guess_together() -> None:
    endpoint = make_endpoint(auth=AuthConfig(free_guesses=1))
    statuses = []
    for number in range(1, 6):
        client = Client(endpoint, "alice", host=f"2001:db8::{number}")
        _challenged(client)
        statuses.append(_message(client, client.credentials("MESSAGE", TARGET, "wrong")).status)
    assert statuses == [407, 407, 503, 503, 503]
    other = Client(endpoint, "alice", host="2001:db8:0:1::1")
    _challenged(other)
    assert _message(other, other.credentials("MESSAGE", TARGET, "wrong")).status == 407


@pytest.mark.parametrize("count", ["0x00000a", "0000_00a", "+000000a", " 000000a", "-0000001", "00000000", "a"])
def test_a_nonce_count_is_eight_hex_digits(count: str) -> None:
    client = _client()
    challenge = _challenged(client)
    secret = ha1("alice", DOMAIN, PASSWORD, challenge.algorithm)
    value = digest_response(
        secret, challenge.nonce, TARGET, "MESSAGE", challenge.algorithm, qop="auth", nc=count, cnonce="c"
    )
    line = (
        f'Digest username="alice", realm="{DOMAIN}", nonce="{challenge.nonce}", uri="{TARGET}", response="{value}", '
        f'qop=auth, nc="{count}", cnonce="c"'
    )
    assert _message(client, line).status == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 407),
        ("NoOneKnowsThisScheme opaque-data=here", 407),
        ("Basic YWxpY2U6c2VjcmV0", 407),  # token68: no parameters at all
        ("Bearer a.b-c", 407),
        ("Digest", 407),
        ('Digest realm="elsewhere", username="alice"', 407),
        (f'Digest realm="{DOMAIN}", username="alice"', 400),
        (f'Digest realm="{DOMAIN}", username="a", nonce="n", uri="{TARGET}", response="r", qop=auth', 400),
        (f'Digest realm="{DOMAIN}", username="a", nonce="n", uri="{TARGET}", response="r", qop=auth, nc=1', 400),
        (f'Digest realm="{DOMAIN}", username="a", nonce="n", uri="{TARGET}", response="r", qop=auth-int', 400),
        (f'Digest realm="{DOMAIN}", realm="{DOMAIN}"', 400),
        (f'Digest realm="{DOMAIN}", username="alice", nonce="n", uri="{TARGET}", response="é"', 407),
        (f'Digest realm="{DOMAIN}", username="alice", nonce="n", uri="{TARGET}", response="r", algorithm=ROT13', 407),
        ('Digest realm="', 400),
    ],
)
def test_odd_credentials(line: str, status: int) -> None:
    assert _message(_client(), line).status == status


def test_an_algorithm_that_was_not_offered_is_not_taken() -> None:
    client = _client(challenges=(ChallengeRule(algorithms=("SHA-256",)),))
    challenge = _challenged(client)
    value = digest_response(
        ha1("alice", DOMAIN, PASSWORD), challenge.nonce, TARGET, "MESSAGE", qop="auth", nc="00000001", cnonce="c"
    )
    line = Credentials(
        username="alice", realm=DOMAIN, nonce=challenge.nonce, uri=TARGET, response=value, algorithm="MD5",
        qop="auth", nc="00000001", cnonce="c",
    )  # fmt: skip
    assert _message(client, str(line)).status == 407


def test_windows_are_bounded_and_a_forgotten_nonce_cannot_be_used_again() -> None:
    nonces = Nonces(b"k" * 32, 100.0, 3)
    made = [nonces.make(float(number), "192.0.2.9") for number in range(6)]
    for number, nonce in enumerate(made):
        issued = nonces.issued(nonce, "192.0.2.9")
        assert issued == number
        assert nonces.use(nonce, "192.0.2.9", issued, 1, 10.0)
    assert len(nonces) <= 3
    assert not nonces.use(made[0], "192.0.2.9", 0.0, 2, 10.0)
    assert not nonces.use(made[0], "192.0.2.9", 0.0, 1, 10.0)
    assert nonces.use(made[5], "192.0.2.9", 5.0, 2, 10.0)
    fresh = nonces.make(500.0, "192.0.2.9")
    assert nonces.use(fresh, "192.0.2.9", 500.0, 1, 500.0)
    assert len(nonces) <= 3
    assert not nonces.use(fresh, "192.0.2.9", 500.0, 1, 500.0)
    newer = nonces.make(700.0, "192.0.2.9")
    assert nonces.use(newer, "192.0.2.9", 700.0, 1, 700.0)
    assert nonces.use(fresh, "192.0.2.9", 500.0, 2, 700.0)
    assert not nonces.use(made[5], "192.0.2.9", 5.0, 3, 700.0)


def test_any_order_of_counts_is_taken_once_each() -> None:
    """The table of a nonce says the same as a set of all counts that were used, as far back as it looks."""
    chance = Random(7)
    for _ in range(200):
        used: int | None = None
        taken: set[int] = set()
        highest = 0
        for _ in range(60):
            count = max(1, highest + chance.randint(-140, 140) if chance.random() < 0.5 else highest + 1)
            noted = use_count(used, count)
            assert (noted is not None) == (count not in taken and count > highest - WINDOW)
            if noted is not None:
                used = noted
                taken.add(count)
                highest = max(highest, count)


def test_counts_in_their_order_take_no_room() -> None:
    used: int | None = None
    for count in range(1, 200):
        used = use_count(used, count)
        assert used == count


def test_a_nonce_is_known_at_the_address_alone_that_it_was_made_for() -> None:
    nonces = Nonces(b"k" * 32, 100.0, 10)
    nonce = nonces.make(1.0, "192.0.2.9")
    assert nonces.issued(nonce, "192.0.2.8") is None
    assert nonces.use(nonce, "192.0.2.9", 1.0, 1, 1.0)
    assert nonces.issued(nonce, "192.0.2.9") == 1.0
    assert nonces.issued(nonce, "192.0.2.8") is None


def test_counts_beyond_the_window_are_too_old() -> None:
    nonces = Nonces(b"k" * 32, 100.0, 3)
    nonce = nonces.make(1.0, "192.0.2.9")
    assert nonces.use(nonce, "192.0.2.9", 1.0, 1000, 1.0)
    assert nonces.use(nonce, "192.0.2.9", 1.0, 900, 1.0)
    assert not nonces.use(nonce, "192.0.2.9", 1.0, 900, 1.0)
    assert not nonces.use(nonce, "192.0.2.9", 1.0, 800, 1.0)
    assert nonces.use(nonce, "192.0.2.9", 1.0, 2000, 1.0)
    assert not nonces.use(nonce, "192.0.2.9", 1.0, 1000, 1.0)


def test_a_challenge_takes_no_room_and_a_guess_is_counted_once() -> None:
    client = _client()
    data = client.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"x")
    for _ in range(3):
        assert _only(client.deliver(data, 1.0)).status == 407
    assert client.endpoint.counts["finished"] == client.endpoint.counts["server"] == 0
    assert client.endpoint.counts["timers"] == client.endpoint.counts["challenged"] == 1  # however often it came
    _challenged(client)
    wrong = client.request(
        "MESSAGE", TARGET, [("Proxy-Authorization", client.credentials("MESSAGE", TARGET, "no"))], authenticate=False
    )
    answers = {_only(client.deliver(wrong, 1.0)).to_bytes() for _ in range(20)}
    assert len(answers) == 1
    assert _message(client, client.credentials("MESSAGE", TARGET, "no")).status == 407


def test_a_nonce_of_another_life_of_the_bridge_is_stale_and_no_guess() -> None:
    """Its counts are not known any more, so what was captured before could be sent again: it is asked for anew.

    ``stale=true`` has the client try again by itself (RFC 7616 3.3), and it is not slowed down for it.
    """
    before = _client(free_guesses=2)
    challenge = _challenged(before)
    assert before.deliver(before.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"x"), 1.0) == []
    entropy = counting_entropy()
    entropy(1)
    after = Client(make_endpoint(auth=AuthConfig(free_guesses=2), entropy=entropy), "alice")
    after.challenge, after.count = challenge, before.count
    for _ in range(10):
        response = _message(after, after.credentials("MESSAGE", TARGET))
        assert response.status == 407
        assert "stale=true" in (response.first("Proxy-Authenticate") or "")
    assert not _taken(after)
    for _ in range(10):  # nor does it say whether a password is right: there is nothing to guess with it
        wrong = _message(after, after.credentials("MESSAGE", TARGET, password="guessed"))
        assert (wrong.status, "stale=true" in (wrong.first("Proxy-Authenticate") or "")) == (407, True)
    after.challenge = Challenge.parse(response.first("Proxy-Authenticate") or "")
    after.count = 0
    assert after.deliver(after.request("MESSAGE", TARGET, [("Content-Type", "text/plain")], b"x"), 1.0) == []
    assert _taken(after)
