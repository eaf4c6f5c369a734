"""One connection: FLAP, and sign-on until a session has taken it over."""

from __future__ import annotations

import hmac
import uuid
from typing import Protocol

from tests.kit.oscar_server.accounts import Account
from tests.kit.oscar_server.network import Network
from tests.kit.oscar_server.session import Session
from transports.oscar.wire import bucp
from transports.oscar.wire.codes import DISCONNECT_NEW_LOGIN
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.flap import (
    DATA,
    KEEPALIVE,
    MARKER,
    SIGNOFF,
    SIGNON,
    FlapFrame,
    FlapFramer,
    FlapSequence,
    SignonFrame,
)
from transports.oscar.wire.names import is_uin
from transports.oscar.wire.registry import decode_body
from transports.oscar.wire.roast import md5_response, password_bytes, roast
from transports.oscar.wire.snac import Body, SnacFrame, encode_snac
from transports.oscar.wire.tlv import Tlvs, tlv16, tlv_text

NO_SUCH_USER, WRONG_PASSWORD, NO_SUCH_ICQ_NUMBER, BAD_COOKIE = 0x01, 0x05, 0x08, 0x0F
_DISCONNECT_REASON = 0x09
_MAX_FRAME = 16_384


class Pipe(Protocol):
    """What carries the bytes of a connection."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close when everything is sent."""

    def abort(self) -> None:
        """Close at once."""


class Connection:
    """A client's connection, whatever for: the first frame of the client tells.

    Args:
        network: all the others.
        pipe: carries the bytes.
        first_sequence: the number of the first frame.
    """

    def __init__(self, network: Network, pipe: Pipe, *, first_sequence: int = 0) -> None:
        self.network = network
        self.pipe = pipe
        self.knows_signoff = False
        self.session: Session | None = None
        self.closed = False
        self._framer = FlapFramer(max_payload=_MAX_FRAME, check_sequence=True)
        self._sequence = FlapSequence(first_sequence)
        self._out: list[bytes] = []
        self._greeted = False
        self._challenge: tuple[str, bytes] | None = None

    # -- writing

    def send(self, body: Body, request_id: int, *, flags: int = 0, extra: Tlvs | None = None) -> None:
        """Send a SNAC."""
        self.send_frame(DATA, encode_snac(body, request_id, flags=flags, extra=extra))

    def send_frame(self, channel: int, payload: bytes) -> None:
        """Send a frame, with the next `Network.flush`."""
        if self.closed:
            return
        if not self._out:
            self.network.wants_to_write(self)
        self._out.append(self._sequence.frame(channel, payload))

    def flush(self) -> None:
        """Write what has gathered."""
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self.pipe.write(data)

    def close(self) -> None:
        """Write what has gathered and close."""
        if not self.closed:
            self.flush()
            self.closed = True
            self.pipe.close()

    def abort(self) -> None:
        """Close at once, as a broken line does."""
        self.closed = True
        self._out.clear()
        self.pipe.abort()

    def sign_off(self, tlvs: Tlvs) -> None:
        """Say why and close. Clients that did not announce TLV 4A get a frame without a length, and no reason."""
        if self.closed:
            return
        if self.knows_signoff:
            self.send_frame(SIGNOFF, tlvs.encode())
        else:
            if not self._out:
                self.network.wants_to_write(self)
            self._out.append(bytes((MARKER, SIGNOFF)) + self._sequence.frame(SIGNOFF, b"")[2:4])
        self.close()

    def sign_off_elsewhere(self) -> None:
        """The name has signed on elsewhere."""
        self.sign_off(Tlvs([tlv16(_DISCONNECT_REASON, DISCONNECT_NEW_LOGIN)]))

    # -- reading

    def opened(self) -> None:
        """The connection stands: the server speaks first."""
        self.send_frame(SIGNON, SignonFrame().encode())
        self.network.flush()

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        try:
            for frame in self._framer.feed(data):
                if self.closed:
                    break
                self._frame(frame)
        except OscarSyntaxError:
            self.network.counts["broken_streams"] += 1
            self.close()
        self.network.flush()

    def lost(self) -> None:
        """The connection is gone."""
        self.closed = True
        if self.session is not None:
            self.session.lost()
            self.network.flush()

    def _frame(self, frame: FlapFrame) -> None:
        if frame.channel == SIGNON:
            self._sign_on(SignonFrame.decode(frame.payload))
        elif frame.channel == DATA:
            if self.session is not None:
                self.session.snac(frame.payload)
            else:
                self._authorize(SnacFrame.decode(frame.payload))
        elif frame.channel != KEEPALIVE:
            self.close()

    # -- sign-on

    def _sign_on(self, frame: SignonFrame) -> None:
        if self._greeted:
            raise OscarSyntaxError("a second sign-on frame")
        self._greeted = True
        self.knows_signoff = frame.tlvs.has(bucp.MULTI_CONN)
        cookie = frame.tlvs.get(bucp.COOKIE)
        name, roasted = frame.tlvs.text(bucp.SCREEN_NAME), frame.tlvs.get(bucp.ROASTED)
        if cookie is not None:
            self._enter(cookie)
        elif name is not None and roasted is not None:
            account = self.network.accounts.find(name)
            good = account is not None and hmac.compare_digest(roast(roasted), password_bytes(account.password))
            self.send_frame(SIGNOFF, self._outcome(name, account, good=good).encode())
            self.close()

    def _enter(self, cookie: bytes) -> None:
        redeemed = self.network.redeem(cookie)
        if redeemed is None:
            self.network.counts["bad_cookies"] += 1
            self.send_frame(SIGNOFF, Tlvs([tlv16(bucp.ERROR, BAD_COOKIE)]).encode())
            self.close()
            return
        account, moving = redeemed
        self.session = Session(self.network, account, self)
        self.network.enter(self.session, moving=moving)
        self.session.begin()

    def _authorize(self, frame: SnacFrame) -> None:
        """17/06 and 17/02; anything else is refused."""
        body = decode_body(frame)
        if not self._greeted:
            raise OscarSyntaxError("a SNAC before the sign-on frame")
        if isinstance(body, bucp.ChallengeRequest):
            name = _name_in(body.tlvs)
            if self.network.accounts.find(name) is None:
                self._answer(frame, self._outcome(name, None, good=False))
                return
            self._challenge = (name, str(uuid.uuid4()).encode("ascii"))
            self.send(bucp.Challenge(self._challenge[1]), frame.request_id)
        elif isinstance(body, bucp.LoginRequest):
            name = _name_in(body.tlvs)
            account = self.network.accounts.find(name)
            self._answer(frame, self._outcome(name, account, good=self._digest_is_good(account, body.tlvs)))
        else:
            self.send(SnacError(group=frame.group, code=0x01), frame.request_id)

    def _digest_is_good(self, account: Account | None, tlvs: Tlvs) -> bool:
        digest = tlvs.get(bucp.DIGEST)
        challenge, self._challenge = self._challenge, None
        if account is None or challenge is None or digest is None:
            return False
        if self.network.accounts.find(challenge[0]) is not account:
            return False
        wanted = md5_response(password_bytes(account.password), challenge[1], hashed=tlvs.has(bucp.MD5_OF_MD5))
        return hmac.compare_digest(digest, wanted)

    def _outcome(self, name: str, account: Account | None, *, good: bool) -> Tlvs:
        """What the authorizer answers."""
        shown = tlv_text(bucp.SCREEN_NAME, name if account is None else account.display)
        if account is None:
            self.network.counts["sign_on_failures"] += 1
            return Tlvs([shown, tlv16(bucp.ERROR, NO_SUCH_ICQ_NUMBER if is_uin(name) else NO_SUCH_USER)])
        if not good:
            self.network.counts["sign_on_failures"] += 1
            return Tlvs([shown, tlv16(bucp.ERROR, WRONG_PASSWORD)])
        address = tlv_text(bucp.HOST, self.network.bos_address)
        return Tlvs([shown, address, (bucp.COOKIE, self.network.cookie(account))])

    def _answer(self, frame: SnacFrame, tlvs: Tlvs) -> None:
        self.send(bucp.LoginResponse(tlvs), frame.request_id)
        self.close()


def _name_in(tlvs: Tlvs) -> str:
    name = tlvs.text(bucp.SCREEN_NAME)
    if not name:
        raise OscarSyntaxError("sign-on without a screen name")
    return name
