"""One address attacks, another is served as before: none of its messages is lost, and nothing tells who exists.

What is timed here bounds the test alone; how long a message takes under attack is measured by `tests.bench.attack`.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.programs import need
from tests.integration.wire import NoAnswer, Phone, Wire
from tests.kit.attack import Flood
from tests.kit.daemon import BridgeProcess, Person, until
from tests.peers.process import find_program
from transports.sip.wire.message import Request, Response

EVIL, GOOD = "127.0.0.2", "127.0.0.3"
MESSAGES = 40
_numbers = itertools.count(1)
PEOPLE = [Person(user=user) for user in ("alice", "bob", "carol")]
KNOWN, UNKNOWN = "alice", "zelda"


@pytest.fixture(scope="module")
def bridge() -> Iterator[BridgeProcess]:
    with BridgeProcess(people=PEOPLE, host="127.0.0.1") as daemon:
        yield daemon
        assert '"level":"error"' not in daemon.log.read_text("utf-8")
        assert daemon.audit("verify")["ok"]


def good(bridge: BridgeProcess, user: str, transport: str = "udp") -> Phone:
    phone = Phone(bridge, user, transport, local=(GOOD, 0))
    assert phone.register().status == 200
    return phone


def ask_until_answered(phone: Phone, to: str, text: str) -> Response:
    """Sends a text again until there is an answer, as every user agent does over UDP (RFC 3261 17.1.2)."""
    data = phone.build("MESSAGE", f"sip:{to}@{phone.domain}", [("Content-Type", "text/plain")], text.encode())
    for _ in range(20):
        phone.send(data)
        with contextlib.suppress(NoAnswer):
            return phone.final(0.5 if phone.transport == "udp" else 10.0)
    raise NoAnswer(text)


def all_arrive(alice: Phone, bob: Phone, count: int = MESSAGES) -> None:
    """Each text is taken, and comes in order; a copy of the last is no text of its own."""
    for number in range(count):
        text = f"text {next(_numbers)}"
        assert ask_until_answered(alice, "bob", text).status == 202, number
        while (came := bob.text(20.0)[1]) != text:
            assert came == f"text {int(text[5:]) - 1}", (came, text)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_flood_from_one_address(bridge: BridgeProcess, transport: str) -> None:
    with good(bridge, "alice", transport) as alice, good(bridge, "bob", transport) as bob:
        all_arrive(alice, bob, 5)
        with Flood((bridge.host, bridge.port), EVIL, bridge.domain) as flood:
            until(lambda: flood.sent > 3000, 10.0, "the flood")
            all_arrive(alice, bob)
            with good(bridge, "carol", transport) as carol:  # who comes new from elsewhere is let in meanwhile
                assert carol.message("bob", "hello").status == 202
                assert bob.text()[1] == "hello"
        assert flood.received <= flood.sent / 4
        assert flood.received_octets <= flood.sent_octets
        all_arrive(alice, bob, 5)
    assert bridge.status()["sip"]["turned_away"] > 0


def test_a_flood_of_connections(bridge: BridgeProcess) -> None:
    with good(bridge, "alice", "tcp") as alice, good(bridge, "bob", "tls") as bob:
        held = []
        for number in range(1500):
            one = socket.socket()
            one.bind((EVIL, 0))
            try:
                one.connect((bridge.host, bridge.tls_port if number % 2 else bridge.port))
                one.sendall(b"OPTIONS sip:corp.example SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKa\r\n" * 3)
            except OSError:
                one.close()
                continue
            held.append(one)
            if number % 50 == 0:
                all_arrive(alice, bob, 1)
        assert bridge.status()["sip"]["connections"] <= 210
        for one in held:
            one.close()
        all_arrive(alice, bob, 5)


def test_who_does_not_read_is_dropped_and_others_are_not_kept_waiting(bridge: BridgeProcess) -> None:
    with good(bridge, "alice", "tcp") as alice, good(bridge, "bob") as bob:
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.bind((EVIL, 0))
            lazy.connect((bridge.host, bridge.port))
            lazy.settimeout(0.2)
            data = b"\r\n\r\n" * 16_384
            end, refused = time.monotonic() + 20.0, False
            while time.monotonic() < end and not refused:
                try:
                    lazy.sendall(data)
                except TimeoutError:
                    continue  # it has stopped reading from us, or has not got to it
                except OSError:
                    refused = True
            assert refused, "a peer that never reads its pongs is never dropped"
        all_arrive(alice, bob, 5)


# Real tools


def scan(program: str, *arguments: str, folder: Path) -> str:
    """Runs one of sipvicious' programs in an empty home; returns what it said."""
    done = subprocess.run(
        [find_program(program, "sipvicious"), *arguments],
        capture_output=True, text=True, timeout=120, check=False, cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.peer
def test_sipvicious_finds_a_server_and_no_user_and_others_are_served(bridge: BridgeProcess, tmp_path: Path) -> None:
    need(("svmap", "sipvicious"), ("svwar", "sipvicious"))
    names = tmp_path / "names"
    names.write_text("\n".join(["alice", "bob", "carol", *(f"user{number}" for number in range(300))]))
    port = str(bridge.port)
    with good(bridge, "alice") as alice, good(bridge, "bob") as bob:
        assert "simplebridge" not in scan("svmap", "-b", EVIL, "-p", port, bridge.host, folder=tmp_path).lower()
        all_arrive(alice, bob, 3)
        said = {}
        for method in ("REGISTER", "OPTIONS", "INVITE"):
            options = ("-b", EVIL, "-p", port, "-m", method, "-d", str(names), "--domain", bridge.domain, "--force")
            said[method] = scan("svwar", *options, bridge.host, folder=tmp_path)
            all_arrive(alice, bob, 3)
        for method, text in said.items():
            found = {user for user in ("alice", "bob", "carol") if f"| {user} " in text}
            others = text.count("| user")
            assert found in (set(), {"alice", "bob", "carol"}), (method, text)
            assert bool(found) == bool(others), (method, text)  # all of them, or none


@pytest.mark.peer
def test_sipsak_asks_for_options_and_floods(bridge: BridgeProcess) -> None:
    need(("sipsak", "sipsak"))
    uri = f"sip:{bridge.domain}"
    base = [find_program("sipsak", "sipsak"), "-H", EVIL, "-p", f"{bridge.host}:{bridge.port}", "-s", uri]
    asked = subprocess.run([*base, "-vv"], capture_output=True, text=True, timeout=30, check=False)
    assert "SIP/2.0 200" in asked.stdout, asked.stdout + asked.stderr
    assert asked.returncode == 0
    with good(bridge, "alice") as alice, good(bridge, "bob") as bob:
        flood = subprocess.Popen([*base, "-F", "-e", "20000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            all_arrive(alice, bob, 20)
        finally:
            flood.kill()
            flood.wait(10)


# Who exists


def answer_to(
    bridge: BridgeProcess, source: str, method: str, user: str, credentials: str = ""
) -> tuple[Response, float]:
    """Asks as ``user`` for ``user`` from a fresh port; returns the answer, and how long it took."""
    with Wire(bridge, "udp", (source, 0)) as wire:
        lines = [
            ("Via", f"SIP/2.0/UDP {wire.local[0]}:{wire.local[1]};rport;branch=z9hG4bK{user}{method}{wire.local[1]}"),
            ("Max-Forwards", "70"), ("From", f"<sip:{user}@corp.example>;tag=1"), ("To", f"<sip:{user}@corp.example>"),
            ("Call-ID", f"{user}{wire.local[1]}"), ("CSeq", f"1 {method}"), ("Event", "presence"),
            ("Contact", f"<sip:{user}@{wire.local[0]}:{wire.local[1]}>"),
        ]  # fmt: skip
        if credentials:
            lines.append(("Authorization", credentials))
        uri = "sip:corp.example" if method == "REGISTER" else f"sip:{user}@corp.example"
        data = Request.build(method, uri, lines).to_bytes()
        begun = time.perf_counter()
        wire.send(data)
        response = wire.response()
        return response, time.perf_counter() - begun


def faceless(response: Response, user: str) -> bytes:
    """An answer without what differs from one request to the next."""
    text = response.to_bytes().replace(user.encode(), b"USER")
    kept = []
    for line in text.split(b"\r\n"):
        name = line.partition(b":")[0]
        if name in {b"Via", b"Call-ID"}:
            continue
        if b"nonce=" in line:
            head, _, tail = line.partition(b'nonce="')
            line = head + tail.partition(b'"')[2]
        kept.append(line.partition(b";tag=")[0] if name == b"To" else line)
    return b"\r\n".join(kept)


ASKED = ("REGISTER", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH")


@pytest.mark.parametrize("method", ASKED)
@pytest.mark.parametrize("guess", [False, True])
def test_nothing_tells_a_known_user_from_an_unknown_one(bridge: BridgeProcess, method: str, guess: bool) -> None:
    """RFC 3261 26.3.2 and 22: status, headers and body are the same; times differ by no more than noise."""
    source = f"127.0.{4 + guess}.{10 + ASKED.index(method)}"
    times: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    texts: dict[str, set[bytes]] = {KNOWN: set(), UNKNOWN: set()}
    for number in range(4 if guess else 40):  # the first guesses are free
        for user in (KNOWN, UNKNOWN) if number % 2 else (UNKNOWN, KNOWN):
            credentials = ""
            if guess:
                challenge, _ = answer_to(bridge, source, "REGISTER", user)
                assert challenge.status == 401, challenge.to_bytes()
                nonce = (challenge.first("WWW-Authenticate") or "").partition('nonce="')[2].partition('"')[0]
                credentials = (
                    f'Digest username="{user}", realm="corp.example", nonce="{nonce}", uri="sip:corp.example", '
                    f'response="{"0" * 32}", algorithm=MD5'
                )
                if method != "REGISTER":
                    credentials = credentials.replace("sip:corp", f"sip:{user}@corp")
            response, seconds = answer_to(bridge, source, method, user, credentials)
            times[user].append(seconds)
            texts[user].add(faceless(response, user))
    assert texts[KNOWN] == texts[UNKNOWN]
    assert len(texts[KNOWN]) == 1
    if not guess:
        fastest = {user: sorted(found)[len(found) // 4] for user, found in times.items()}
        assert abs(fastest[KNOWN] - fastest[UNKNOWN]) < 0.5 * max(fastest.values()), fastest


# Whose a subscription is


def test_a_subscription_is_ended_by_its_owner_alone(bridge: BridgeProcess) -> None:
    with good(bridge, "alice") as alice, good(bridge, "carol") as carol:
        headers = [("Event", "presence"), ("Contact", f"<{alice.contact}>")]
        made = alice.ask("SUBSCRIBE", "sip:bob@corp.example", [*headers, ("Expires", "600")], call_id="hers")
        assert made.status == 200
        notify = alice.incoming(lambda request: request.method == "NOTIFY")
        to = f"<sip:bob@corp.example>;tag={made.to.tag}"
        # who has seen all of it on the wire, and has a password of their own
        fields = {"call_id": "hers", "to": to, "from_": f"<sip:carol@corp.example>;tag={alice.name}"}
        ended = carol.ask("SUBSCRIBE", notify.contacts[0].uri.__str__(), [*headers, ("Expires", "0")], b"", **fields)  # type: ignore[union-attr]
        assert ended.status in {403, 481}
        ended = carol.ask("SUBSCRIBE", "sip:bob@corp.example", [*headers, ("Expires", "0")], b"", **fields)
        assert ended.status == 481
        fields["from_"] = f"<sip:alice@corp.example>;tag={alice.name}"
        assert carol.ask("SUBSCRIBE", "sip:bob@corp.example", [*headers, ("Expires", "0")], b"", **fields).status == 403
        with pytest.raises(NoAnswer):
            alice.incoming(lambda request: b"terminated" in (request.first("Subscription-State") or "").encode(), 0.5)
        fields = {"call_id": "hers", "to": to}
        assert alice.ask("SUBSCRIBE", "sip:bob@corp.example", [*headers, ("Expires", "0")], b"", **fields).status == 200
        alice.incoming(lambda request: (request.first("Subscription-State") or "").startswith("terminated"))
