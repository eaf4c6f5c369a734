"""SIP without sockets for tests and benchmarks: an endpoint with accounts, and clients that speak to it in bytes."""

from collections.abc import Iterable

from attrs import define, field

from transports.sip.machine.config import EndpointConfig, Listener
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import CloseFlow, Flow
from transports.sip.machine.ports import (
    Account,
    BindingStore,
    Done,
    Entropy,
    PublicationStore,
    StoredBinding,
    SubscriptionStore,
)
from transports.sip.wire.auth import Challenge, answer, ha1
from transports.sip.wire.message import Request, Response, parse_message

DOMAIN = "example.test"
PASSWORD = "secret"
SERVER = ("192.0.2.1", 5060)
SERVER_TLS = ("192.0.2.1", 5061)


class KeptBindings:
    """Keeps registrations at once, for an endpoint that is started again."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[StoredBinding, ...]] = {}

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        """Keeps."""
        self.rows[aor] = bindings
        done(True, 0.0)

    def load(self) -> tuple[StoredBinding, ...]:
        """All."""
        return tuple(row for rows in self.rows.values() for row in rows)


def counting_entropy(start: int = 0) -> Entropy:
    """Bytes that never repeat and are the same in each run."""
    counter = start

    def entropy(size: int) -> bytes:
        nonlocal counter
        counter += 1
        return counter.to_bytes(4, "big").rjust(size, b"\x5a")[:size] if size >= 4 else bytes(size)

    return entropy


@define
class People:
    """Accounts in memory; every password is PASSWORD."""

    names: set[str]
    algorithms: tuple[str, ...] = ("MD5", "SHA-256", "SHA-512-256")
    _known: dict[str, Account] = field(factory=dict)

    def find(self, aor: str) -> Account | None:
        """Returns an account of one of the names."""
        account = self._known.get(aor)
        if account is not None:
            return account
        user, _, domain = aor.partition("@")
        if user not in self.names or domain != DOMAIN:
            return None
        account = Account(
            aor=aor,
            ha1={name: ha1(user, DOMAIN, PASSWORD, name) for name in self.algorithms},
            ha1_domain={name: ha1(aor, DOMAIN, PASSWORD, name) for name in self.algorithms},
        )
        self._known[aor] = account
        return account


def make_config(**changes: object) -> EndpointConfig:
    """An endpoint's configuration: UDP, TCP and TLS on SERVER's address."""
    settings: dict[str, object] = {
        "domain": DOMAIN,
        "listeners": (
            Listener(transport="udp", host=SERVER[0], port=5060),
            Listener(transport="tcp", host=SERVER[0], port=5060),
            Listener(transport="tls", host=SERVER[0], port=5061),
        ),
        "network_domains": frozenset({"aim.example.test"}),
    }
    settings.update(changes)
    return EndpointConfig(**settings)  # type: ignore[arg-type]


def make_endpoint(
    *,
    users: int = 0,
    people: People | None = None,
    bindings: BindingStore | None = None,
    subscriptions: SubscriptionStore | None = None,
    publications: PublicationStore | None = None,
    entropy: Entropy | None = None,
    now: float = 0.0,
    **changes: object,
) -> Endpoint:
    """A started endpoint with the accounts alice, bob, carol and ``user0`` to ``user<n>``."""
    names = {"alice", "bob", "carol"} | {f"user{number}" for number in range(users)}
    endpoint = Endpoint(
        make_config(**changes),
        accounts=people or People(names),
        entropy=entropy or counting_entropy(),
        secret=b"the same after a restart",
        bindings=bindings,
        subscriptions=subscriptions,
        publications=publications,
    )
    endpoint.start(now)
    return endpoint


class Client:
    """A client of an endpoint, in bytes: what it sends is written by hand, what it gets is parsed."""

    def __init__(
        self, endpoint: Endpoint, user: str, *, port: int = 40_000, transport: str = "udp", host: str = "192.0.2.9"
    ) -> None:
        self.endpoint = endpoint
        self.user = user
        self.flow = Flow(transport, SERVER_TLS if transport == "tls" else SERVER, (host, port), port)
        if self.flow.reliable:
            endpoint.flow_opened(self.flow, 0.0)
        self.challenge: Challenge | None = None
        self.count = 0
        self.cseq = 0
        self.number = 0

    @property
    def contact(self) -> str:
        """The client's Contact URI."""
        suffix = "" if self.flow.transport == "udp" else f";transport={self.flow.transport}"
        return f"sip:{self.user}@{self.host}:{self.flow.remote[1]}{suffix}"

    @property
    def host(self) -> str:
        """The client's address as a URI has it."""
        host = self.flow.remote[0]
        return f"[{host}]" if ":" in host else host

    def request(
        self,
        method: str,
        uri: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        authenticate: bool = True,
        **fields: str,
    ) -> bytes:
        """The bytes of a new request. ``fields`` replaces Via_branch, From, To, Call_ID and CSeq."""
        self.cseq += 1
        self.number += 1
        name = f"{self.user}{self.flow.remote[1]}"
        branch = fields.get("branch", f"z9hG4bK{name}x{self.number}")
        host, port = self.host, self.flow.remote[1]
        lines = [
            ("Via", fields.get("via", f"SIP/2.0/{self.flow.transport.upper()} {host}:{port};rport;branch={branch}")),
            ("Max-Forwards", fields.get("max_forwards", "70")),
            ("From", fields.get("from_", f"<sip:{self.user}@{DOMAIN}>;tag=t{name}")),
            ("To", fields.get("to", f"<{uri}>" if method != "REGISTER" else f"<sip:{self.user}@{DOMAIN}>")),
            ("Call-ID", fields.get("call_id", f"{name}-{method}" + ("" if method == "REGISTER" else str(self.number)))),
            ("CSeq", fields.get("cseq", f"{self.cseq} {method}")),
            *headers,
        ]
        if authenticate and self.challenge is not None:
            lines.append(("Proxy-Authorization", self.credentials(method, uri)))
        return Request.build(method, uri, lines, body).to_bytes()

    def credentials(self, method: str, uri: str, password: str = PASSWORD) -> str:
        """Credentials for the challenge that was met last."""
        assert self.challenge is not None
        self.count += 1
        secret = ha1(self.user, self.challenge.realm, password, self.challenge.algorithm)
        value = answer(
            self.challenge, username=self.user, ha1=secret, method=method, uri=uri, cnonce=f"c{self.count}",
            count=self.count,
        )  # fmt: skip
        return str(value)

    def deliver(self, data: bytes, now: float) -> list[Response | Request]:
        """Gives bytes to the endpoint; returns what it sends back to this client."""
        self.endpoint.receive(self.flow, data, now)
        return self.take(now)

    def take(self, now: float) -> list[Response | Request]:
        """What the endpoint has for this client; what is for others is lost."""
        mine = []
        for output in self.endpoint.to_send(now):
            if isinstance(output[0], Flow) and not isinstance(output, CloseFlow):
                flow, data = output
                assert isinstance(data, bytes)
                if flow.key == self.flow.key:
                    mine.append(parse_message(data))
        return mine

    def ask(
        self, method: str, uri: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", now: float = 0.0
    ) -> Response:
        """Sends a request, answers a challenge if there is one, and returns the response."""
        headers = list(headers)
        for _ in range(2):
            got = self.deliver(self.request(method, uri, headers, body), now)
            response = next(message for message in got if isinstance(message, Response))
            if response.status not in {401, 407}:
                return response
            line = response.first("WWW-Authenticate") or response.first("Proxy-Authenticate") or ""
            self.challenge = Challenge.parse(line)
            self.count = 0
        return response

    def register(self, now: float = 0.0, expires: int = 3600, *more: tuple[str, str]) -> Response:
        """Registers the client's contact."""
        headers = [("Contact", f"<{self.contact}>;expires={expires}"), *more]
        return self.ask("REGISTER", f"sip:{DOMAIN}", headers, now=now)
