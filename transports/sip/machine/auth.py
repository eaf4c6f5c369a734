"""Digest authentication of those who send us requests (RFC 3261 section 22, RFC 8760).

401 for REGISTER and 407 for all else: to REGISTER we are the registrar, to the others the proxy in front of whom they
address, and this is the division that every client in use was seen to follow. Credentials are taken from either header
whatever the method, since clients (Linphone) use the nonce of their registration for everything.

Nonces are signed, not stored; what is stored, once a nonce was used with the right password, is its replay window.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from hmac import compare_digest

from attrs import frozen

from bridge.model.cache import TwoGenerationCache
from transports.sip.machine.config import AuthConfig
from transports.sip.machine.flow import Flow
from transports.sip.machine.ports import Accounts
from transports.sip.machine.throttle import Throttle
from transports.sip.wire.auth import response as digest_response
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import parse_credentials
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri, parse_uri

WINDOW = 128
"""How far nonce counts may come out of order, as they do over UDP."""
_HEX_LENGTH = {"MD5": 32, "SHA-256": 64, "SHA-512-256": 64}
_CANONICAL = {name.lower(): name for name in _HEX_LENGTH}


@frozen
class Granted:
    """The request was made by ``aor``."""

    aor: str


@frozen
class Denied:
    """The request is to be answered with this. ``guess``: credentials were given, and they were wrong."""

    status: int
    reason: str | None
    headers: tuple[tuple[str, str], ...] = ()
    guess: bool = False
    user: str = ""


_HIGHEST = 0xFFFFFFFF
"""The part of a used nonce's number that is its highest count (eight hexadecimal digits, RFC 7616 section 3.4)."""
_MISSING = 32
"""From this bit on it tells which of the counts before that were not used: bit k is the count that is k less."""
_WINDOW_BITS = (1 << WINDOW) - 1


def use_count(used: int | None, count: int) -> int | None:
    """Notes the use of a nonce with a count.

    Args:
        used: what this has returned the last time; None before the first. Where no count was left out it is the highest
            one, a small number that takes no room.
        count: the count.

    Returns:
        What is to be kept, or None where the count was used before, or is too old to tell.
    """
    if used is None:
        return count | _left_out(count) << _MISSING
    highest, missing = used & _HIGHEST, used >> _MISSING
    ahead = count - highest
    if ahead > 0:
        before = missing << ahead if ahead < WINDOW else 0
        return count | ((before | _left_out(ahead)) & _WINDOW_BITS) << _MISSING
    if -ahead >= WINDOW or not missing >> -ahead & 1:
        return None
    return highest | (missing & ~(1 << -ahead)) << _MISSING


def _left_out(ahead: int) -> int:
    """Bits of the counts between two, of which the second is so far ahead."""
    return (1 << min(ahead, WINDOW)) - 2 if ahead else 0


class Nonces:
    """Makes nonces and knows them again. Each is for the address that asked for it.

    Who forges another's address does not get the nonces that are sent there: they can neither guess in that one's name
    nor have them slowed down for guesses that they never made.

    Args:
        secret: signs them; new for each process, so a restart makes all nonces stale.
        lifetime: seconds for which one is good.
        limit: how many replay windows are kept.
    """

    __slots__ = ("_count", "_floor", "_latest", "_secret", "_turned", "_used", "lifetime")

    def __init__(self, secret: bytes, lifetime: float, limit: int) -> None:
        self._secret = secret
        self._used: TwoGenerationCache[str, int] = TwoGenerationCache(max(limit, 2))
        """By nonce and address: see `use_count`."""
        self._floor = float("-inf")
        """Of nonces that were issued until then it may be forgotten that they were used."""
        self._latest = float("-inf"), float("-inf")
        """When the last nonce was issued of the table's old half, and of its young one."""
        self._turned = float("-inf")
        """When the table was turned last."""
        self._count = 0
        self.lifetime = lifetime

    def __len__(self) -> int:
        return len(self._used)

    def make(self, now: float, source: str) -> str:
        """Returns a new nonce for an address."""
        self._count += 1
        head = int(now * 1000).to_bytes(7, "big", signed=True) + self._count.to_bytes(5, "big")
        return urlsafe_b64encode(head + self._sign(head, source)).decode()

    def _sign(self, head: bytes, source: str) -> bytes:
        return blake2b(head + source.encode(), digest_size=12, key=self._secret).digest()

    def issued(self, nonce: str, source: str) -> float | None:
        """Returns when we made a nonce for an address (to the millisecond), or None where we did not."""
        if self._used.peek(f"{nonce} {source}") is not None:
            return _issued(urlsafe_b64decode(nonce[:12]))  # that it is ours was seen when it was used first
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except (Base64Error, ValueError):
            return None
        if len(raw) != 24 or not compare_digest(self._sign(raw[:12], source), raw[12:]) or len(nonce) != 32:
            return None
        return _issued(raw)

    def use(self, nonce: str, source: str, issued: float, count: int, now: float) -> bool:
        """Notes the use of a nonce of ours with a count. Returns False where that must not be taken again."""
        key, table = f"{nonce} {source}", self._used
        known = table.peek(key)
        if known is None and issued <= self._floor:
            return False
        used = use_count(known, count)
        if used is None:
            return False
        turns = table.turns
        if now - self._turned > self.lifetime:
            table.turn()
        table.put(key, used)
        old, young = self._latest
        if table.turns != turns:
            self._turned = now
            self._floor = max(self._floor, old)
            old, young = young, issued
        self._latest = old, max(young, issued)
        return True


def _issued(raw: bytes) -> float:
    return int.from_bytes(raw[:7], "big", signed=True) / 1000


class Authenticator:
    """Challenges requests and checks what comes back.

    Args:
        config: algorithms, lifetimes, throttle.
        realm: of our challenges.
        domain: to which user names without a domain belong.
        accounts: who may sign on.
        secret: signs nonces.
    """

    def __init__(self, config: AuthConfig, realm: str, domain: str, accounts: Accounts, secret: bytes) -> None:
        self._config = config
        self._realm = realm
        self._domain = domain.lower()
        self._accounts = accounts
        self._secret = secret[:32]
        self._nonces = Nonces(self._secret, config.nonce_lifetime, config.max_nonces)
        self._dummy = blake2b(b"nobody", digest_size=32, key=self._secret).hexdigest()
        self._known = frozenset(name for rule in config.challenges for name in rule.algorithms)
        guess = (config.first_delay, config.longest_delay, config.max_guessers)
        self._by_user = Throttle(config.free_guesses, *guess)
        self._by_source = Throttle(4 * config.free_guesses, *guess)
        self._signed_on: TwoGenerationCache[str, bool] = TwoGenerationCache(max(config.max_guessers, 2))

    def check(self, request: Request, flow: Flow, now: float) -> Granted | Denied:
        """Says who made a request, or how to answer it."""
        try:
            params = self._credentials(request)
        except SipSyntaxError as error:
            return Denied(400, f"Credentials: {error.reason}")
        if params is None:
            return self._challenge(request, flow, now, stale=False)
        user = params.get("username", "")
        source = flow.prefix
        guess = f"{user.partition('@')[0].lower()} {source}"
        # The wait is looked at first and whoever the user is, so that it tells nothing of the password or the account.
        # Who has signed on from a source before does not wait for the guesses of others behind the same NAT: one device
        # with an old password would lock an office out. Guesses at that account from there are counted by themselves.
        wait = self._by_user.wait(guess, now)
        if not self._signed_on.get(guess):
            wait = max(wait, self._by_source.wait(source, now))
        if wait > 0:
            after = (("Retry-After", str(int(wait) + 1)),)
            return Denied(503, "Too many wrong passwords, wait", after, guess=True, user=user)
        problem = self._malformed(request, params)
        if problem is not None:
            return Denied(400, problem)
        issued = self._nonces.issued(params["nonce"], source)
        if issued is None:
            # Of the time before a restart, or another's: the digest is not looked at, so that nobody learns by it
            # whether a password is right, nor counts as a guesser for what was sent under their address.
            return self._challenge(request, flow, now, stale=True)
        aor = self._verify(request, params)
        if aor is None:
            self._by_user.failed(guess, now)
            self._by_source.failed(source, now)
            denied = self._challenge(request, flow, now, stale=False)
            return Denied(denied.status, denied.reason, denied.headers, guess=True, user=user)
        if not self._fresh(params, source, issued, now):
            return self._challenge(request, flow, now, stale=True)
        self._by_user.succeeded(guess)
        self._note(guess)
        return Granted(aor)

    def issued(self, nonce: str, source: str) -> bool:
        """Whether a nonce is one that we made for an address (`Flow.prefix`), however old."""
        return self._nonces.issued(nonce, source) is not None

    def _note(self, who: str) -> None:
        """Remembers a user and a source that belong together; those that were seen longest ago are forgotten."""
        if not self._signed_on.get(who):
            self._signed_on.put(who, True)

    # -- reading ----------------------------------------------------------------------------------------------------

    def _credentials(self, request: Request) -> dict[str, str] | None:
        for header in ("Proxy-Authorization", "Authorization"):
            for line in request.lines(header):
                params = _read(line)
                if params is not None and params.get("realm") == self._realm:
                    return params
        return None

    def _malformed(self, request: Request, params: dict[str, str]) -> str | None:
        for name in ("username", "nonce", "uri", "response"):
            if not params.get(name):
                return f"Credentials without {name}"
        qop = params.get("qop")
        if qop is None:
            if not self._config.legacy:
                return "Credentials without qop"
        elif qop.lower() != "auth":
            return "Credentials with a qop that was not offered"
        elif not params.get("cnonce") or _count(params) is None:
            return "Credentials without a good nc and cnonce"
        if not self._same_uri(request, params["uri"]):
            return "Digest uri is not the Request-URI"
        return None

    def _same_uri(self, request: Request, text: str) -> bool:
        if text == request.uri_text:
            return True
        try:
            uri = parse_uri(text)
        except SipSyntaxError:
            return False
        if uri.equivalent(request.uri):
            return True
        if not isinstance(uri, SipUri) or not isinstance(request.uri, SipUri):
            return False
        aliases = self._config.uri_aliases
        known = uri.host in aliases or uri.host_port in aliases
        return known and (uri.user is None or uri.user_decoded == request.uri.user_decoded)

    # -- judging ------------------------------------------------------------------------------------------------------

    def _verify(self, request: Request, params: dict[str, str]) -> str | None:
        """Returns whose the password is, or None. Does the same work for a user who does not exist."""
        algorithm = _CANONICAL.get(params.get("algorithm", "MD5").lower())
        known = algorithm is not None and algorithm in self._known
        if algorithm is None or not known:
            algorithm = "MD5"
        user, at, domain = params["username"].rpartition("@")
        if not at:
            user, domain = domain, self._domain
        account = self._accounts.find(f"{user}@{domain.lower()}") if known else None
        table = None if account is None else account.ha1_domain if at else account.ha1
        ha1 = None if table is None else table.get(algorithm)
        wanted = digest_response(
            ha1 or self._dummy[: _HEX_LENGTH[algorithm]],
            params["nonce"],
            params["uri"],
            request.method,
            algorithm,
            qop="auth" if "qop" in params else None,
            nc=params.get("nc", ""),
            cnonce=params.get("cnonce", ""),
        )
        given = params["response"].lower().encode("utf-8", "surrogateescape")
        good = compare_digest(wanted.encode(), given)
        return account.aor if good and account is not None and ha1 is not None else None

    def _fresh(self, params: dict[str, str], source: str, issued: float, now: float) -> bool:
        if "qop" not in params:
            return now - issued <= self._config.legacy_nonce_lifetime
        count = _count(params)
        if now - issued > self._config.nonce_lifetime or count is None:
            return False
        return self._nonces.use(params["nonce"], source, issued, count, now)

    # -- challenging --------------------------------------------------------------------------------------------------

    def _challenge(self, request: Request, flow: Flow, now: float, *, stale: bool) -> Denied:
        if request.method == "REGISTER":
            status, name = 401, "WWW-Authenticate"
        else:
            status, name = 407, "Proxy-Authenticate"
        nonce = self._nonces.make(now, flow.prefix)
        tail = ", stale=true" if stale else ""
        headers = tuple(
            (name, f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}')
            for algorithm in self._algorithms(request, flow)
        )
        return Denied(status, None, headers)

    def _algorithms(self, request: Request, flow: Flow) -> tuple[str, ...]:
        agent = request.first("User-Agent") or ""
        for rule in self._config.challenges:
            if rule.transport is not None and rule.transport != flow.transport:
                continue
            if rule.user_agent is not None and not rule.user_agent.search(agent):
                continue
            return rule.algorithms
        return ("MD5",)


_PLAIN = re.compile(r'Digest +(?:[a-z]+=(?:"[^"\\]*"|[^\s",]+)(?:, *|$))+')
_SCHEME = re.compile(r"digest(?:[ \t]|$)", re.IGNORECASE)
_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
_PAIR = re.compile(r'([a-z]+)=(?:"([^"]*)"|([^\s",]+))')


def _read(line: str) -> dict[str, str] | None:
    """Returns the parameters of Digest credentials, None for another scheme. Raises SipSyntaxError.

    The usual form (no escapes, no blanks around ``=``) is read in two passes of a pattern; the rest as the RFC has it.
    """
    if _PLAIN.fullmatch(line) is not None:
        pairs = _PAIR.findall(line)
        params = {name: quoted or token for name, quoted, token in pairs}
        if len(params) == len(pairs):
            return params
    if _SCHEME.match(line) is None:
        return None  # of another scheme, whose grammar is not ours to judge (RFC 9110 11.4 has some without parameters)
    return parse_credentials(line)[1]


def _count(params: dict[str, str]) -> int | None:
    text = params.get("nc", "")
    if _COUNT.fullmatch(text) is None:  # int() takes blanks, signs and underscores as well
        return None
    count = int(text, 16)
    return count if count > 0 else None
