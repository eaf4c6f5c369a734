"""Challenges to requests of ours, answered with the user and password of the server that asks (RFC 3261 22, RFC 7616).

A server that asked once is told with each request from then on (RFC 7616 section 3.6), so that it need not ask again
before the nonce is stale. A password that is wrong is not tried twice for one request.
"""

from __future__ import annotations

import re

from transports.sip.machine.ports import Entropy
from transports.sip.wire.auth import ALGORITHMS, Challenge, answer, ha1
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.message import Response

MOST_SPACES = 4
"""Realms of one server that are remembered: a proxy's and that of the server behind it are two."""
MOST_ROUNDS = 4
"""How often one request is sent anew with credentials."""
_HEADERS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
_CSEQ = re.compile(rb"(?<=\r\n)CSeq: (\d+) ", re.IGNORECASE)
_KNOWN = frozenset(name.upper() for one in ALGORITHMS for name in (one, f"{one}-sess"))


class Asked:
    """What one request has been asked for so far."""

    __slots__ = ("rounds", "spaces")

    def __init__(self) -> None:
        self.spaces: set[tuple[str, str]] = set()
        self.rounds = 0


class _Space:
    """A protection space: what its server asked last, and how often that was answered."""

    __slots__ = ("challenge", "count", "secret")

    def __init__(self, challenge: Challenge, secret: str) -> None:
        self.challenge = challenge
        self.secret = secret
        self.count = 0


class ClientAuth:
    """A user and password at one server.

    Args:
        user: the digest's user name.
        password: theirs.
        entropy: random bytes for cnonces.
    """

    def __init__(self, user: str, password: str, entropy: Entropy) -> None:
        self._user = user
        self._password = password
        self._entropy = entropy
        self._spaces: dict[tuple[str, str], _Space] = {}

    def __repr__(self) -> str:
        return f"ClientAuth({self._user!r})"

    def headers(self, method: str, uri: str, body: bytes = b"") -> str:
        """Returns the header lines for a request that is about to be sent; empty where nobody has asked yet."""
        lines = []
        for (header, _), space in self._spaces.items():
            space.count += 1
            credentials = answer(
                space.challenge, username=self._user, ha1=space.secret, method=method, uri=uri,
                cnonce=self._entropy(12).hex(), count=space.count, body=body,
            )  # fmt: skip
            lines.append(f"{header}: {credentials}\r\n")
        return "".join(lines)

    def challenged(self, response: Response, asked: Asked) -> bool:
        """Takes a 401 or 407. Returns whether the request is to be sent anew, with other `headers` than before.

        It is not where the same server refuses what was an answer to its own challenge: the password is wrong.
        """
        if response.status not in _HEADERS or asked.rounds >= MOST_ROUNDS:
            return False
        theirs, ours = _HEADERS[response.status]
        found: set[str] = set()
        again = False
        for line in response.lines(theirs):
            challenge = _readable(line)
            if challenge is None or challenge.realm in found:
                continue  # RFC 8760 section 2.4: the first one that we can answer, of each realm
            found.add(challenge.realm)
            name = (ours, challenge.realm)
            if name in asked.spaces and not challenge.stale:
                self._spaces.pop(name, None)
                return False
            if name not in self._spaces and len(self._spaces) >= MOST_SPACES:
                continue
            asked.spaces.add(name)
            self._spaces[name] = _Space(
                challenge, ha1(self._user, challenge.realm, self._password, challenge.algorithm)
            )
            again = True
        asked.rounds += again
        return again


def next_cseq(tail: bytes) -> bytes:
    """Returns a request with the next number in CSeq: one with credentials is a new request (RFC 3261 22.2)."""
    head, empty, body = tail.partition(b"\r\n\r\n")
    return _CSEQ.sub(lambda found: b"CSeq: %d " % (int(found[1]) + 1), head, count=1) + empty + body


def _readable(line: str) -> Challenge | None:
    """Returns a challenge that can be answered; None for all others."""
    try:
        challenge = Challenge.parse(line)
        if challenge is None or challenge.algorithm.upper() not in _KNOWN:
            return None
        if not challenge.answerable:
            return None
        str(challenge)  # what cannot be written back cannot be answered
    except (SipSyntaxError, SipBuildError):
        return None
    return challenge
