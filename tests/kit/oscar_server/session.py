"""One signed-on client: its SNACs are counted, decoded and handed to the food groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from tests.kit.oscar_server.accounts import Account
from tests.kit.oscar_server.network import Network
from tests.kit.oscar_server.rating import Meter, Rating, Status
from tests.kit.oscar_server.residents import Resident
from transports.oscar.wire import oservice
from transports.oscar.wire.codes import BUDDY, FEEDBAG, ICBM, ICQ, LOCATE, OSERVICE, PRIVACY, STATS
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.snac import FROM_SERVER, Body, SnacFrame
from transports.oscar.wire.tlv import Tlvs

if TYPE_CHECKING:
    from tests.kit.oscar_server.connection import Connection

GROUPS: dict[int, int] = {BUDDY: 1, FEEDBAG: 4, ICBM: 1, ICQ: 1, LOCATE: 1, OSERVICE: 3, PRIVACY: 1, STATS: 1}
"""The food groups of this server and the highest version of each."""
INVALID, TOO_FAST, NOT_THERE, NO_SUCH_SERVICE, MALFORMED, DENIED, BLOCKED_BY_YOU = (
    0x01,
    0x02,
    0x04,
    0x06,
    0x0E,
    0x0D,
    0x10,
)
_CHANGES = {
    Status.ALERT: oservice.RATE_WARNING,
    Status.LIMITED: oservice.RATE_LIMITED,
    Status.CLEAR: oservice.RATE_CLEARED,
}

B = TypeVar("B", bound=Body)
Handler = Callable[["Session", Body, int], None]
HANDLERS: dict[type[Body], Handler] = {}
"""What answers each SNAC; filled by the food groups' modules."""


def handles(kind: type[B]) -> Callable[[Callable[[Session, B, int], None]], Callable[[Session, B, int], None]]:
    """Marks what answers a kind of SNAC: it is called with the session, the body and the request id."""

    def register(handler: Callable[[Session, B, int], None]) -> Callable[[Session, B, int], None]:
        HANDLERS[kind] = cast("Handler", handler)
        return handler

    return register


class Session(Resident):
    """A client on its connection."""

    def __init__(self, network: Network, account: Account, connection: Connection) -> None:
        super().__init__(account, network.now())
        self.network = network
        self.connection = connection
        self.rating = Rating(network.config.rates, network.now())
        self.version = 1
        self.list_in_use = False
        self.refused = 0
        self.ended = False

    # -- out

    def deliver(self, body: Body, request_id: int = FROM_SERVER, *, flags: int = 0, extra: Tlvs | None = None) -> None:
        """Send a SNAC to the client."""
        self.connection.send(body, request_id, flags=flags, extra=extra)

    def refuse(self, group: int, code: int, request_id: int) -> None:
        """Answer xx/01."""
        self.deliver(SnacError(group=group, code=code), request_id)

    # -- the session's course

    def begin(self) -> None:
        """The cookie was good."""
        self.deliver(oservice.HostOnline(tuple(GROUPS)))

    def signed_on_elsewhere(self) -> None:
        """A newer connection has the name."""
        self._end()
        self.connection.sign_off_elsewhere()

    def leave_quietly(self) -> None:
        """The same client has another connection now."""
        self._end()
        self.connection.close()

    def lost(self) -> None:
        """The connection is gone."""
        self._end()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.network.leave(self)

    # -- in

    def snac(self, payload: bytes) -> None:
        """A data frame's payload has come; raises `OscarSyntaxError` when not even the SNAC's head can be read."""
        frame = SnacFrame.decode(payload)
        if not self._rate_allows(frame):
            return
        try:
            body = decode_body(frame)
            handler = HANDLERS.get(type(body))
            if handler is None:
                self.network.counts["unknown_snacs"] += 1
                self.refuse(frame.group, INVALID, frame.request_id)
            else:
                handler(self, body, frame.request_id)
        except OscarSyntaxError:
            self.network.counts["malformed_snacs"] += 1
            self.refuse(frame.group, MALFORMED, frame.request_id)

    def _rate_allows(self, frame: SnacFrame) -> bool:
        meter, changed = self.rating.count(frame.group, frame.kind, self.network.now())
        if meter is None:
            return True
        if meter.status is Status.DISCONNECT:
            self.network.counts["rate_disconnects"] += 1
            self.connection.close()
            self.lost()
            return False
        if changed:
            self._tell_rate(meter)
        if meter.status is not Status.LIMITED:
            return True
        self.refused += 1
        self.network.counts["rate_refusals"] += 1
        if not self.network.config.refuse_in_silence:
            self.refuse(frame.group, TOO_FAST, frame.request_id)
        return False

    def _tell_rate(self, meter: Meter) -> None:
        if meter.status is Status.ALERT:
            self.network.counts["rate_warnings"] += 1
        if meter.subscribed:
            rate = meter.told(self.network.now(), extended=self.version > 1)
            self.deliver(oservice.RateChange(code=_CHANGES[meter.status], rate=rate))

    def tick(self) -> None:
        """Time has passed: classes recover."""
        for meter in self.rating.recovered(self.network.now()):
            self._tell_rate(meter)
