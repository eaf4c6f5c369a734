"""The server without sockets: a clock that is set, and clients that speak to it in bytes."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field

from tests.kit.oscar_server import sockets
from tests.kit.oscar_server.accounts import Accounts
from tests.kit.oscar_server.connection import Connection
from tests.kit.oscar_server.network import Config, Network
from transports.oscar.wire import bucp, buddy, feedbag, icbm, locate, oservice, privacy
from transports.oscar.wire.flap import DATA, SIGNON, FlapFrame, FlapFramer, FlapSequence, SignonFrame
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.roast import md5_response
from transports.oscar.wire.snac import Body, SnacFrame, encode_snac
from transports.oscar.wire.text import encode_message
from transports.oscar.wire.tlv import Tlvs, tlv_text

assert sockets.FOOD_GROUPS
START = 1_700_000_000.0
T = TypeVar("T")


@define(eq=False)
class Clock:
    """Time that passes when it is told to."""

    now: float = START
    _due: list[tuple[float, int, Callable[[], None]]] = field(factory=list)

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, action: Callable[[], None], /) -> None:
        heapq.heappush(self._due, (self.now + seconds, len(self._due), action))

    def pass_(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = end


class Server:
    """A network with a clock. Accounts' passwords are their names backwards."""

    def __init__(self, *names: str, config: Config | None = None) -> None:
        self.clock = Clock()
        accounts = Accounts(self.clock.now)
        for name in names:
            accounts.add(name, name[::-1], where="test")
        self.network = Network(accounts, config or Config(), now=self.clock, later=self.clock.later)
        self.network.bos_address = "127.0.0.1:5190"

    def client(self) -> Client:
        return Client(self)

    def bos(self, name: str, *, multi: bool = True) -> Client:
        """A client whose cookie was accepted."""
        account = self.network.accounts.find(name)
        assert account is not None
        client = Client(self)
        tlvs = [(bucp.COOKIE, self.network.cookie(account))]
        if multi:
            tlvs.append((bucp.MULTI_CONN, b"\x03"))
        client.frame(SIGNON, SignonFrame(tlvs=Tlvs(tlvs)).encode())
        client.name = name
        return client

    def online(self, name: str, *, typing: bool = True) -> Client:
        """A client that has signed on completely; what it was told so far is forgotten."""
        client = self.bos(name)
        client.say(oservice.ClientVersions(((0x01, 3), (0x13, 3))))
        rates = client.one(oservice.RatesReply, client.say(oservice.RatesQuery()))
        client.say(oservice.RatesAccept(tuple(rate.id for rate in rates.classes)))
        if typing:
            client.say(icbm.SetParameters())
        client.say(feedbag.Activate())
        client.say(oservice.ClientOnline())
        return client


class Client:
    """One connection's other end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = ""
        self.closed = False
        self.aborted = False
        self.raw = bytearray()
        self._framer = FlapFramer(check_sequence=True)
        self._sequence = FlapSequence(77)
        self._request = 0
        self._frames: list[FlapFrame] = []
        self.connection = Connection(server.network, self)
        self.connection.opened()

    # -- the server's pipe

    def write(self, data: bytes) -> None:
        self.raw += data
        self._frames += self._framer.feed(data)

    def close(self) -> None:
        self.closed = True
        last = self._framer.finish()
        if last is not None:
            self._frames.append(last)

    def abort(self) -> None:
        self.closed = self.aborted = True

    # -- the client

    def frames(self) -> list[FlapFrame]:
        """What has come since the last time."""
        frames, self._frames = self._frames, []
        return frames

    def frame(self, channel: int, payload: bytes) -> list[FlapFrame]:
        self.frames()
        self.connection.received(self._sequence.frame(channel, payload))
        return self.frames()

    def say(self, body: Body, request_id: int | None = None) -> list[Body]:
        """Send a SNAC; gives the bodies that come back to this client."""
        return [decode_body(each) for each in self.say_raw(body, request_id)]

    def say_raw(self, body: Body, request_id: int | None = None) -> list[SnacFrame]:
        self._request = self._request + 1 if request_id is None else request_id
        return snacs(self.frame(DATA, encode_snac(body, self._request)))

    def heard(self) -> list[Body]:
        """What has come unasked since the last time."""
        return [decode_body(each) for each in snacs(self.frames())]

    def hang_up(self) -> None:
        self.connection.lost()

    def send(self, to: str, text: str = "hi", *, cookie: bytes = b"cookie!!", store: bool = False) -> list[Body]:
        return self.say(message(to, text, cookie=cookie, store=store))

    @staticmethod
    def one(kind: type[T], bodies: list[Body]) -> T:
        """The only body of a kind."""
        found = [body for body in bodies if isinstance(body, kind)]
        assert len(found) == 1, bodies
        return found[0]


def snacs(frames: list[FlapFrame]) -> list[SnacFrame]:
    return [SnacFrame.decode(frame.payload) for frame in frames if frame.channel == DATA]


def message(to: str, text: str = "hi", *, cookie: bytes = b"cookie!!", store: bool = False) -> icbm.SendMessage:
    tlvs = [(icbm.TLV_TEXT, encode_message(text)), (icbm.TLV_HOST_ACK, b"")]
    if store:
        tlvs.append((icbm.TLV_STORE, b""))
    return icbm.SendMessage(cookie=cookie, channel=1, to=to, tlvs=Tlvs(tlvs))


def challenge(client: Client, name: str) -> bytes:
    """17/06 answered by 17/07."""
    (body,) = client.say(bucp.ChallengeRequest(Tlvs([tlv_text(bucp.SCREEN_NAME, name)])))
    assert isinstance(body, bucp.Challenge)
    return body.key


def login(client: Client, name: str, password: str, *, hashed: bool = True) -> Tlvs:
    """The whole of BUCP; gives the TLVs of 17/03."""
    client.frame(SIGNON, SignonFrame().encode())
    digest = md5_response(password.encode(), challenge(client, name), hashed=hashed)
    tlvs = [tlv_text(bucp.SCREEN_NAME, name), (bucp.DIGEST, digest)]
    if hashed:
        tlvs.append((bucp.MD5_OF_MD5, b""))
    (body,) = client.say(bucp.LoginRequest(Tlvs(tlvs)))
    assert isinstance(body, bucp.LoginResponse)
    return body.tlvs


QUESTIONS: tuple[Body, ...] = (
    oservice.SelfInfoQuery(),
    feedbag.RightsQuery(),
    feedbag.ListQuery(),
    locate.RightsQuery(),
    buddy.RightsQuery(),
    icbm.ParametersQuery(),
    privacy.RightsQuery(),
)
