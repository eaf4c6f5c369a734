"""SIP over real sockets, by hand: one socket that speaks to the daemon, and a user agent that answers challenges."""

from __future__ import annotations

import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, TextMessage
from wsproto.events import Request as WebRequest

from transports.sip.wire.auth import Challenge, answer, ha1
from transports.sip.wire.framing import StreamFramer
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes

TRANSPORTS = ("udp", "tcp", "tls")
SECONDS = 5.0
"""How long an answer may take."""
_numbers = itertools.count(1)

Header = tuple[str, str]


class Server(Protocol):
    """Whom a phone speaks to: the daemon, or a PBX in front of it."""

    @property
    def domain(self) -> str:
        """The SIP domain."""

    @property
    def host(self) -> str:
        """The address that it listens on."""

    def port_of(self, transport: str) -> int:
        """Returns the port of a listener."""

    @property
    def data(self) -> Path:
        """Where its certificate is: ``tls/cert.pem``."""


class NoAnswer(AssertionError):
    """Nothing came in time."""


class Web:
    """The client's side of a WebSocket on a connected socket (RFC 7118); its handshake is done when it is made."""

    def __init__(self, stream: socket.socket, host: str) -> None:
        self._stream = stream
        self._connection = WSConnection(ConnectionType.CLIENT)
        hello = WebRequest(host=host, target="/", subprotocols=["sip"])
        stream.sendall(self._connection.send(hello))
        while True:
            self._connection.receive_data(stream.recv(65_536) or None)
            for event in self._connection.events():
                assert isinstance(event, AcceptConnection), event
                assert event.subprotocol == "sip"
                return

    def send(self, data: bytes) -> None:
        """Sends a message."""
        self._stream.sendall(self._connection.send(TextMessage(data.decode())))

    def take(self, data: bytes) -> list[bytes]:
        """Returns the messages that end in what was read."""
        if not data:
            return []
        self._connection.receive_data(data)
        found = []
        for event in self._connection.events():
            if isinstance(event, TextMessage | BytesMessage):
                assert event.message_finished
                text = event.data
                found.append(text.encode() if isinstance(text, str) else bytes(text))
        return found


class Wire:
    """One socket to the daemon: a connection, or a bound datagram socket.

    Args:
        bridge: the daemon.
        transport: udp, tcp, tls, ws or wss.
        local: the address to bind; a free port of the daemon's address otherwise.
    """

    def __init__(self, bridge: Server, transport: str, local: tuple[str, int] | None = None) -> None:
        self.transport = transport
        self.remote = (bridge.host, bridge.port_of(transport))
        self._framer = StreamFramer()
        self._ready: list[bytes] = []
        self.closed = False
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        plain = socket.socket(socket.AF_INET6 if ":" in bridge.host else socket.AF_INET, kind)
        plain.settimeout(SECONDS)
        plain.bind(local or (bridge.host, 0))
        if transport != "udp":
            plain.connect(self.remote)
        if transport in {"tls", "wss"}:
            context = ssl.create_default_context(cafile=str(bridge.data / "tls" / "cert.pem"))
            self.socket: socket.socket = context.wrap_socket(plain, server_hostname=bridge.domain)
        else:
            self.socket = plain
        self.local: tuple[str, int] = self.socket.getsockname()[:2]
        self._web = Web(self.socket, self.host) if transport in {"ws", "wss"} else None

    @property
    def host(self) -> str:
        """Our address as a URI has it."""
        return f"[{self.local[0]}]" if ":" in self.local[0] else self.local[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends octets: a datagram, or on the connection."""
        if self.transport == "udp":
            self.socket.sendto(data, self.remote)
        elif self._web is not None:
            self._web.send(data)
        else:
            self.socket.sendall(data)

    def receive_bytes(self, seconds: float = SECONDS) -> bytes:
        """Returns the next message as it came.

        Raises:
            NoAnswer: none came in time, or the connection is closed.
        """
        end = time.monotonic() + seconds
        while not self._ready:
            left = end - time.monotonic()
            if left <= 0 or self.closed:
                raise NoAnswer(f"nothing more over {self.transport}" + (": it was closed" if self.closed else ""))
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                continue
            if self.transport == "udp":
                self._ready.append(data)
                continue
            self.closed = not data
            if self._web is not None:
                self._ready += self._web.take(data)
                continue
            self._ready += [item for item in self._framer.feed(data) if isinstance(item, bytes)]
            assert self._framer.error is None, self._framer.error
        return self._ready.pop(0)

    def receive(self, seconds: float = SECONDS) -> Request | Response:
        """Returns the next message; raises NoAnswer."""
        return parse_message(self.receive_bytes(seconds))

    def response(self, seconds: float = SECONDS) -> Response:
        """Returns the next message, which must be a response; raises NoAnswer."""
        message = self.receive(seconds)
        assert isinstance(message, Response), message.to_bytes()
        return message

    def wait_closed(self, seconds: float = SECONDS) -> None:
        """Returns when the daemon has closed the connection; what comes before is lost."""
        end = time.monotonic() + seconds
        while not self.closed:
            try:
                self.receive_bytes(end - time.monotonic())
            except NoAnswer:
                assert self.closed, "the connection stays open"

    def options(self, domain: str = "corp.example") -> Response:
        """Asks OPTIONS on this socket and returns the very next message: so what was sent before had no answer."""
        number = next(_numbers)
        lines = [
            ("Via", f"SIP/2.0/{self.transport.upper()} {self.host}:{self.local[1]};rport;branch=z9hG4bKo{number}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:probe@{domain}>;tag=p{number}"),
            ("To", f"<sip:{domain}>"),
            ("Call-ID", f"probe-{number}"),
            ("CSeq", "1 OPTIONS"),
        ]
        self.send(Request.build("OPTIONS", f"sip:{domain}", lines).to_bytes())
        response = self.response()
        assert response.call_id == f"probe-{number}", response.to_bytes()
        return response


class Phone(Wire):
    """A user agent of one person on one socket.

    Args:
        bridge: the daemon.
        user: the user part.
        transport: udp, tcp, tls, ws or wss.
        password: of the account.
        local: the address to bind.
    """

    def __init__(
        self,
        bridge: Server,
        user: str,
        transport: str = "udp",
        *,
        password: str = "secret",
        local: tuple[str, int] | None = None,
    ) -> None:
        super().__init__(bridge, transport, local)
        self.user = user
        self.domain = bridge.domain
        self.password = password
        self.name = f"{user}-{next(_numbers)}"
        self._cseq = 0
        self._count = 0
        self._challenge: Challenge | None = None
        self._inbox: list[Request] = []

    @property
    def contact(self) -> str:
        """The Contact's URI."""
        suffix = "" if self.transport == "udp" else f";transport={self.transport.replace('wss', 'ws')}"
        host = f"{self.name}.invalid" if self._web is not None else f"{self.host}:{self.local[1]}"
        return f"sip:{self.user}@{host}{suffix}"

    def build(
        self,
        method: str,
        uri: str,
        headers: Iterable[Header] = (),
        body: bytes = b"",
        *,
        from_: str = "",
        to: str = "",
        branch: str = "",
        call_id: str = "",
        authenticate: bool = True,
    ) -> bytes:
        """Returns the octets of a new request, with credentials where there was a challenge."""
        self._cseq += 1
        number = next(_numbers)
        via = f"SIP/2.0/{self.transport.upper()} {self.host}:{self.local[1]};rport;branch="
        lines = [
            ("Via", via + (branch or f"z9hG4bK{self.name}x{number}")),
            ("Max-Forwards", "70"),
            ("From", from_ or f"<sip:{self.user}@{self.domain}>;tag={self.name}"),
            ("To", to or f"<{uri if method != 'REGISTER' else f'sip:{self.user}@{self.domain}'}>"),
            ("Call-ID", call_id or (self.name if method == "REGISTER" else f"{self.name}-{number}")),
            ("CSeq", f"{self._cseq} {method}"),
            *headers,
        ]
        if authenticate and self._challenge is not None:
            name = "Authorization" if method == "REGISTER" else "Proxy-Authorization"
            lines.append((name, self._credentials(method, uri)))
        return Request.build(method, uri, lines, body).to_bytes()

    def _credentials(self, method: str, uri: str) -> str:
        challenge = self._challenge
        assert challenge is not None
        self._count += 1
        secret = ha1(self.user, challenge.realm, self.password, challenge.algorithm)
        cnonce, count = f"c{self._count}", self._count
        value = answer(challenge, username=self.user, ha1=secret, method=method, uri=uri, cnonce=cnonce, count=count)
        return str(value)

    def ask(self, method: str, uri: str, headers: Iterable[Header] = (), body: bytes = b"", **fields: str) -> Response:
        """Sends a request, answers one challenge (a second one only for a stale nonce), returns the final response."""
        headers = list(headers)
        if method != "REGISTER":
            fields.setdefault("call_id", f"{self.name}-{next(_numbers)}")  # the same again: RFC 3261 22.2
        for _ in range(2):
            self.send(self.build(method, uri, headers, body, **fields))  # type: ignore[arg-type]
            response = self.final()
            if response.status not in {401, 407} or (self._count and not _stale(response)):
                return response
            self.take_challenge(response)
        return response

    def take_challenge(self, response: Response) -> None:
        """Answers this challenge from now on."""
        line = response.first("WWW-Authenticate") or response.first("Proxy-Authenticate") or ""
        self._challenge = Challenge.parse(line)
        self._count = 0

    def final(self, seconds: float = SECONDS) -> Response:
        """Returns the next final response; requests that come meanwhile are kept for ``incoming``."""
        while True:
            message = self.receive(seconds)
            if isinstance(message, Request):
                self._inbox.append(message)
            elif message.status >= 200:
                return message

    def register(self, expires: int = 3600) -> Response:
        """Registers the contact."""
        return self.ask("REGISTER", f"sip:{self.domain}", [("Contact", f"<{self.contact}>;expires={expires}")])

    def message(self, to: str, text: str, *, kind: str = "text/plain", **fields: str) -> Response:
        """Sends a text to ``user`` or ``user@domain``."""
        uri = f"sip:{to}" if "@" in to else f"sip:{to}@{self.domain}"
        return self.ask("MESSAGE", uri, [("Content-Type", kind)], text.encode(), **fields)

    def incoming(
        self, wanted: Callable[[Request], bool] = lambda _: True, seconds: float = SECONDS, status: int = 200
    ) -> Request:
        """Returns the next request that is wanted, answered; the others are answered with 200 and lost."""
        end = time.monotonic() + seconds
        while True:
            message = self._inbox.pop(0) if self._inbox else self.receive(end - time.monotonic())
            if isinstance(message, Request):
                mine = wanted(message)
                self.reply(message, status if mine else 200)
                if mine:
                    return message

    def reply(self, request: Request, status: int) -> None:
        """Answers a request."""
        self.send(respond_bytes(request, status, to_tag=self.name))

    def text(self, seconds: float = SECONDS) -> tuple[str, str]:
        """Returns the next text that comes in: who wrote it (``user@domain``), and what."""
        message = self.incoming(lambda request: request.method == "MESSAGE", seconds)
        uri = message.from_.uri
        return str(uri).partition(":")[2], message.body.decode()


def _stale(response: Response) -> bool:
    """Whether a challenge says that the password was right, and the nonce too old (RFC 7616 3.3)."""
    return "stale=true" in (response.first("WWW-Authenticate") or response.first("Proxy-Authenticate") or "")
