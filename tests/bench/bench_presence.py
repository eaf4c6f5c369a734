"""What presence costs: one person's thousand watchers, and a hundred thousand people's registrations and subscriptions.

``run_fanout``: a person's state changes; hub, policy, mapping, endpoint and a UDP socket have a thousand watchers told.
The least of some rounds counts. Their answers are measured apart: they are the watchers' doing.

``run_many``: in a process of its own, 100,000 registered people with two subscriptions each; its memory, all their
accounts included, and the longest that one step of the reactor took, in CPU time of its thread, while all of it came,
changed and ran out.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

from bridge.app.sipside import SnapshotAccounts
from bridge.delivery.ephemeral import EphemeralDelivery
from bridge.delivery.judge import Judge
from bridge.delivery.ports import Link
from bridge.identity import accounts as people
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
from bridge.model.capabilities import Capabilities
from bridge.model.ids import SIP, EventIdMint, PersonId
from bridge.model.presence import Activity, Basic, PersonPresence
from bridge.policy.loader import Surroundings
from bridge.policy.loading import load_text
from bridge.presence.approvals import Approvals
from bridge.presence.hub import PresenceHub, Watcher
from bridge.runtime import memory
from mappings.identity import SipAddressBook
from mappings.pidf import to_pidf
from mappings.sip import SipMapping
from tests.kit.sip import DOMAIN, PASSWORD, Client, make_endpoint
from transports.sip.connector import CAPABILITIES
from transports.sip.machine.config import Limits
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.events import SubscriptionOpened
from transports.sip.machine.flow import Flow
from transports.sip.udp import UdpPort
from transports.sip.wire.message import parse_message, respond_bytes
from transports.sip.wire.native import SipPresence

WATCHERS = 1000
ROUNDS = 20
REGISTRATIONS = 100_000
SUBSCRIPTIONS_EACH = 2
SLOW = 0.02
"""Steps of more seconds are printed."""
POLICY = f"""
[policy]
version = "1"
digest_clock = "Europe/Paris"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{DOMAIN}"]
to = ["domain:{DOMAIN}"]
"""


class _Transport:
    """Hands presence to an endpoint without a reactor."""

    capabilities = CAPABILITIES

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.now = 1.0

    def capabilities_of(self, user: str) -> Capabilities:
        del user
        return self.capabilities

    def send(self, native: Any, **_: Any) -> None:
        if isinstance(native, SipPresence):
            self.endpoint.notify(native, self.now)


def _directory(users: int) -> IdentitySnapshot:
    """The people, each with an account that holds what a password is checked with, as the store gives them."""
    rules = IdentityRules(domains=frozenset({DOMAIN}), normal_name=lambda _, name: name, accounts_required=True)
    password = Secret(PASSWORD)

    def account(number: int) -> people.Account:
        address = PersonId(f"user{number}@{DOMAIN}")
        return people.Account(
            address=address, realm=DOMAIN, ha1s=people.ha1s(address, DOMAIN, password),
            display_name=f"User {number}", created_at=float(number),
        )  # fmt: skip

    accounts = (account(number) for number in range(users))
    return IdentitySnapshot(version=1, rules=rules, accounts=accounts, bindings=(), groups={})


class Bridge:
    """An endpoint with the hub, the policy and the mapping that a daemon has."""

    def __init__(self, users: int, **changes: object) -> None:
        directory = _directory(users)
        accounts = SnapshotAccounts(lambda: directory)
        self.endpoint = make_endpoint(people=accounts, entropy=os.urandom, **changes)  # type: ignore[arg-type]
        self.transport = _Transport(self.endpoint)
        self.clock = time.time()
        self.alone = False
        policy = load_text(POLICY, file="bench", surroundings=Surroundings(networks=(), domains=[DOMAIN]))
        mapping = SipMapping(addresses=SipAddressBook.of([DOMAIN]), clock=lambda: self.clock)
        links = {SIP: Link(transport=self.transport, mapping=mapping)}  # type: ignore[arg-type]
        judge = Judge(policy=policy, directory=directory)
        mint = EventIdMint(lambda: self.clock, os.urandom)
        ephemeral = EphemeralDelivery(links, judge, mint, lambda: self.clock, lambda: self.clock)
        approvals = Approvals(self, lambda: self.clock)
        self.hub = PresenceHub(ephemeral, ephemeral.sight, approvals, lambda: self.clock, ephemeral.age)
        self.directory = directory

    def put(self, request: object) -> None:
        """Nobody asks anything here."""

    def watch(self, event: SubscriptionOpened) -> None:
        """Does what the way of a SUBSCRIBE to the hub does."""
        native = event.native
        watcher, target = PersonId(native.aor), PersonId(native.target.removeprefix("sip:"))
        identity, aimed = self.directory.identity(watcher), self.directory.identity(target)
        assert identity.person is not None
        self.hub.watch(Watcher(id=native.id, identity=identity, target=aimed, by=identity.person))

    def person(self, number: int) -> PersonId:
        """Returns a person as the directory has them."""
        person = self.directory.identity(PersonId(f"user{number}@{DOMAIN}")).person
        assert person is not None
        return person

    def events(self) -> None:
        """Takes what the endpoint has to tell."""
        while (event := self.endpoint.next_event()) is not None:
            if not isinstance(event, SubscriptionOpened):
                continue
            if self.alone:
                target = event.native.target
                pidf, _ = to_pidf(PersonPresence(basic=Basic.OPEN), target)
                state = SipPresence(target=target, watcher=None, pidf=pidf, subscription=event.native.id)
                self.endpoint.notify(state, self.transport.now)
            else:
                self.watch(event)


def _client(endpoint: Endpoint, number: int) -> Client:
    host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    return Client(endpoint, f"user{number}", port=5060, host=host)


def _subscribe(bridge: Bridge, client: Client, target: str, name: str, now: float) -> None:
    uri = f"sip:{target}@{DOMAIN}"
    headers = [("Event", "presence"), ("Contact", f"<{client.contact}>"), ("Expires", "3600")]
    data = client.request("SUBSCRIBE", uri, headers, call_id=f"{name}@{client.flow.remote[0]}")
    bridge.endpoint.receive(client.flow, data, now)
    bridge.endpoint.to_send(now)
    bridge.events()


def _drain(endpoint: Endpoint, now: float, seconds: float) -> list[tuple[Flow, bytes]]:
    out: list[tuple[Flow, bytes]] = []
    end = now + seconds
    while now < end:
        endpoint.handle_timer(now)
        out += endpoint.to_send(now)  # type: ignore[arg-type]
        now += 0.002
    return out


class _Reactor:
    """For a port that is written to and never waits."""

    def removeReader(self, reader: object) -> None:  # noqa: N802 - Twisted's name
        del reader

    def removeWriter(self, writer: object) -> None:  # noqa: N802 - Twisted's name
        del writer


def _fanout_bridge(port: int) -> tuple[Bridge, PersonId]:
    """A person and a thousand watchers, all at one port, who have had their first NOTIFY."""
    bridge = Bridge(WATCHERS + 1)
    endpoint = bridge.endpoint
    person = PersonId(f"user{WATCHERS}@{DOMAIN}")
    bridge.hub.reachable(person, 1)
    for number in range(WATCHERS):
        client = Client(endpoint, f"user{number}", port=port, host="127.0.0.1")
        now = number * 0.01
        client.register(now)
        _subscribe(bridge, client, f"user{WATCHERS}", "watch", now)
    for flow, data in _drain(endpoint, now, 0.2):
        if data.startswith(b"NOTIFY"):
            endpoint.receive(flow, respond_bytes(parse_message(data), 200), 2.0)  # type: ignore[arg-type]
    bridge.events()
    memory.settle()
    return bridge, person


def run_fanout() -> dict[str, float]:
    """Returns microseconds of CPU for each NOTIFY."""
    taker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taker.bind(("127.0.0.1", 0))
    taker.setblocking(False)
    reactor: Any = _Reactor()
    udp = UdpPort(reactor, "127.0.0.1", 0, lambda flow, data: None, lambda: None)
    bridge, person = _fanout_bridge(taker.getsockname()[1])
    endpoint = bridge.endpoint
    clock, now = time.process_time, 100.0
    rounds: list[list[float]] = []
    for number in range(ROUNDS):
        activity = Activity.AWAY if number % 2 else Activity.BUSY
        presence = PersonPresence(basic=Basic.OPEN, activity=activity, note=f"round {number}")
        bridge.transport.now = now
        bridge.clock += 10.0
        begin = clock()
        bridge.hub.published(person, "desk", presence)
        told = clock()
        outputs: list[tuple[Flow, bytes]] = []
        for step in range(6):
            endpoint.handle_timer(now + 0.01 + step * 0.002)
            outputs += endpoint.to_send(now + 0.01 + step * 0.002)  # type: ignore[arg-type]
        written = clock()
        for flow, data in outputs:
            udp.send(data, flow.remote)
        sent = clock()
        assert len(outputs) == WATCHERS, len(outputs)
        answers = [(flow, respond_bytes(parse_message(data), 200)) for flow, data in outputs]  # type: ignore[arg-type]
        answering = clock()
        for flow, data in answers:
            endpoint.receive(flow, data, now + 0.1)
        rounds.append([told - begin, written - told, sent - written, sent - begin, clock() - answering])
        _empty(taker)
        bridge.events()
        now += 10.0
    udp.stop()
    taker.close()
    names = (
        "decided and put into words, for each watcher", "NOTIFY written", "sent by UDP", "a NOTIFY, UDP included",
        "its 200 taken",
    )  # fmt: skip
    least = [min(column) / WATCHERS * 1e6 for column in zip(*rounds, strict=True)]
    return dict(zip(names, least, strict=True))


def _empty(taker: socket.socket) -> None:
    while True:
        try:
            taker.recv(65535)
        except BlockingIOError:
            return


def _rss() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Stalls:
    """The longest that one step took."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.where = ""

    def step(self, where: str, begun: float) -> None:
        took = time.thread_time() - begun
        if took > SLOW:
            print(f"{took * 1000:.1f} ms: {where}", file=sys.stderr, flush=True)
        if took > self.longest:
            self.longest, self.where = took, where


def many(registrations: int, *, alone: bool) -> dict[str, Any]:
    """Fills this process, and returns its memory in MiB and the longest stall in milliseconds.

    ``alone``: the SIP endpoint without the hub, which has each subscription shown its state directly.
    """
    base = _rss()
    memory.settle()
    limits = Limits(server_transactions_per_source=1 << 30, finished_transactions=65536)
    bridge = Bridge(registrations, limits=limits)
    bridge.alone = alone
    endpoint = bridge.endpoint
    memory.settle()
    peopled = _rss()
    stalls = _Stalls()
    now = 0.0
    challenge = None
    for number in range(registrations):
        begun = time.thread_time()
        client = _client(endpoint, number)
        client.challenge = challenge
        client.register(now)
        challenge = client.challenge
        bridge.transport.now = now
        if not alone:
            bridge.hub.reachable(bridge.person(number), 1)
        for each in range(SUBSCRIPTIONS_EACH):
            other = (number * 7919 + each * 104_729 + 1) % registrations
            _subscribe(bridge, client, f"user{other}", f"w{each}", now)
        endpoint.to_send(now)
        stalls.step(f"registration {number} and its subscriptions", begun)
        now += 0.006
        if number % 20_000 == 0:
            print(number, _rss() / 2**20, stalls.longest, stalls.where, file=sys.stderr, flush=True)
        if number % 10 == 0:
            begun = time.thread_time()
            memory.tend()
            stalls.step("looking for garbage", begun)
            _answer_all(endpoint, now, stalls)
    for _ in range(400):
        now += 0.1
        _answer_all(endpoint, now, stalls)
    memory.tend()
    filled = _rss()
    counts = endpoint.counts
    print("filled", filled / 2**20, file=sys.stderr, flush=True)
    for step in range(2000):  # a tenth of the people change their state
        number = (step * 4057) % registrations
        bridge.transport.now = now
        begun = time.thread_time()
        away = PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY)
        if alone:
            target = f"sip:user{number}@{DOMAIN}"
            endpoint.notify(SipPresence(target=target, watcher=None, pidf=to_pidf(away, target)[0]), now)
        else:
            bridge.hub.published(PersonId(f"user{number}@{DOMAIN}"), "desk", away)
        stalls.step("a change of state", begun)
        now += 0.01
        _answer_all(endpoint, now, stalls)
    now = _unusual(bridge, registrations, now, stalls)
    now += 4000.0  # everything runs out at once, as after a machine that slept
    for _ in range(20_000):
        begun = time.thread_time()
        endpoint.handle_timer(now)
        stalls.step("everything runs out", begun)
        _answer_all(endpoint, now, stalls)
        now += 0.01
        if not endpoint.counts["subscriptions"] and not endpoint.counts["bindings"]:
            break
    return {
        "registrations": counts["bindings"],
        "subscriptions": counts["subscriptions"],
        "base_mib": base / 2**20,
        "peopled_mib": peopled / 2**20,
        "filled_mib": filled / 2**20,
        "left": endpoint.counts["subscriptions"] + endpoint.counts["bindings"],
        "longest_stall_ms": stalls.longest * 1000,
        "stalled_by": stalls.where,
    }


def _unusual(bridge: Bridge, registrations: int, now: float, stalls: _Stalls) -> float:
    """What is seldom done and looks at all there is: another policy, and a person who is shut out. Returns the time."""
    endpoint = bridge.endpoint
    if not bridge.alone:
        begun = time.thread_time()
        bridge.hub.review()
        stalls.step("another policy", begun)
        more = True
        while more:
            begun = time.thread_time()
            more = bridge.hub.go_on()
            stalls.step("another policy, a slice", begun)
            now += 0.01
            bridge.transport.now = now
            _answer_all(endpoint, now, stalls)
    for number in (1, registrations // 2):
        begun = time.thread_time()
        endpoint.sign_off(f"user{number}@{DOMAIN}", now, for_good=True)
        stalls.step("a person is shut out", begun)
    for _ in range(200):
        now += 0.01
        _answer_all(endpoint, now, stalls)
    return now


def _answer_all(endpoint: Endpoint, now: float, stalls: _Stalls) -> None:
    begun = time.thread_time()
    endpoint.handle_timer(now)
    outputs = endpoint.to_send(now)
    stalls.step("timers", begun)
    for output in outputs:
        flow, data = output[0], output[1]
        if isinstance(flow, Flow) and isinstance(data, bytes) and data.startswith(b"NOTIFY"):
            answer = respond_bytes(parse_message(data), 200)  # type: ignore[arg-type]
            begun = time.thread_time()
            endpoint.receive(flow, answer, now)
            stalls.step("an answer", begun)
    while endpoint.next_event() is not None:
        pass


def run_many(registrations: int = REGISTRATIONS, *, alone: bool) -> dict[str, Any]:
    """Runs `many` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_presence", str(registrations), "alone" if alone else "whole"],
        capture_output=True, text=True, check=True, timeout=1800,
    )  # fmt: skip
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    gc.collect()
    if len(sys.argv) > 1:
        print(json.dumps(many(int(sys.argv[1]), alone=sys.argv[2:] == ["alone"])))
    else:
        for name, value in run_fanout().items():
            print(f"{value:8.2f} µs  {name}")
