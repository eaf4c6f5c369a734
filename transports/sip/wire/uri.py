"""SIP, SIPS and other URIs (RFC 3261 section 19.1), parsed once and kept in a bounded table.

What is read is checked against the grammar; the text is kept as it came, so that it is sent on unchanged.
A URI of another scheme (tel, isbn, ...) stays opaque (RFC 4475 sections 3.3.2 to 3.3.4).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from sys import intern
from typing import Final, TypeAlias, TypedDict, Unpack
from urllib.parse import unquote

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.memo import Memo

Pairs: TypeAlias = tuple[tuple[str, str | None], ...]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_ESCAPED: Final = r"%[0-9A-Fa-f]{2}"
_UNRESERVED: Final = r"A-Za-z0-9\-_.!~*'()"
# A raw non-ASCII letter is against the grammar, but clients send it; it is kept, and compared by its UTF-8.
_USER: Final = re.compile(rf"(?:[{_UNRESERVED}&=+$,;?/#\u0080-\U0010ffff]|{_ESCAPED})+")
_PASSWORD: Final = re.compile(rf"(?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*")
_PARAM: Final = re.compile(rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+")
_HEADER: Final = re.compile(rf"(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})*")
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9_\-]+(?:\.[A-Za-z0-9_\-]+)*\.?")
# What no URI may hold, whatever its scheme: blanks, controls, delimiters of the header around it.
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f<>\"]")
# RFC 3261 19.1.4: these decide even when only one of the two URIs has them.
_DECISIVE: Final = frozenset({"user", "ttl", "method", "maddr", "transport"})
_DECISIVE_DEFAULTS: Final = frozenset({"sip", "sips"})


class UriParts(TypedDict, total=False):
    """The parts of a URI that `SipUri.replace` can change."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    params: Pairs
    headers: Pairs


def _decode(text: str) -> str:
    return unquote(text, "utf-8", "replace") if "%" in text else text


class SipUri:
    """A `sip:` or `sips:` URI. Not to be changed after it was made: it is shared by everyone who met its text.

    `user` and `password` are as on the wire (escaped), `host` is lower case and keeps the brackets of an IPv6 address.
    """

    __slots__ = ("_text", "aor", "headers", "host", "params", "password", "port", "scheme", "user")

    def __init__(
        self,
        host: str,
        *,
        scheme: str = "sip",
        user: str | None = None,
        password: str | None = None,
        port: int | None = None,
        params: Pairs = (),
        headers: Pairs = (),
    ) -> None:
        self.scheme = scheme
        self.user = user
        self.password = password
        self.host = host
        self.port = port
        self.params = params
        self.headers = headers
        self._text: str | None = None
        #: "user@host": decoded user, lower case host, no port; the host alone where there is no user.
        bare = host.rstrip(".")
        self.aor: str = bare if user is None else f"{_decode(user)}@{bare}"

    @property
    def user_decoded(self) -> str | None:
        """The user with its escapes decoded as UTF-8, or None."""
        return None if self.user is None else _decode(self.user)

    @property
    def host_port(self) -> str:
        """The host, with `:port` where the URI has one."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def has_param(self, name: str) -> bool:
        """Whether the URI has this parameter, with a value or without. Names compare without case and escapes."""
        return any(key == name or _decode(key).lower() == name for key, _ in self.params)

    def param(self, name: str) -> str | None:
        """The decoded value of a parameter (`name` in lower case); None where it is missing or has no value."""
        for key, value in self.params:
            if key == name or _decode(key).lower() == name:
                return None if value is None else _decode(value)
        return None

    def replace(self, **parts: Unpack[UriParts]) -> SipUri:
        """A copy with other parts. Raises SipBuildError where the result would not be a URI."""
        new = SipUri(
            parts.get("host", self.host),
            scheme=parts.get("scheme", self.scheme),
            user=parts.get("user", self.user),
            password=parts.get("password", self.password),
            port=parts.get("port", self.port),
            params=parts.get("params", self.params),
            headers=parts.get("headers", self.headers),
        )
        try:
            parsed = parse_uri(str(new))
        except SipSyntaxError as error:
            raise SipBuildError(f"not a URI: {error.reason}") from error
        if not isinstance(parsed, SipUri) or parsed != new:
            raise SipBuildError(f"URI parts that read back differently: {str(new)!r}")
        return parsed

    def equivalent(self, other: object) -> bool:
        """RFC 3261 section 19.1.4: whether both URIs mean the same resource."""
        if not isinstance(other, SipUri):
            return False
        return (
            self.scheme == other.scheme
            and self.user_decoded == other.user_decoded
            and _decode(self.password or "") == _decode(other.password or "")
            and (self.password is None) == (other.password is None)
            and self.host == other.host
            and self.port == other.port
            and _same_params(self.params, other.params)
            and _folded(self.headers) == _folded(other.headers)
        )

    def __str__(self) -> str:
        text = self._text
        if text is None:
            text = self._text = self._format()
        return text

    def _format(self) -> str:
        out = [self.scheme, ":"]
        if self.user is not None:
            out += [self.user] if self.password is None else [self.user, ":", self.password]
            out.append("@")
        out.append(self.host_port)
        for name, value in self.params:
            out.append(f";{name}" if value is None else f";{name}={value}")
        for index, (name, value) in enumerate(self.headers):
            out.append(f"{'&' if index else '?'}{name}={value or ''}")
        return "".join(out)

    def _key(self) -> tuple[object, ...]:
        return (self.scheme, self.user, self.password, self.host, self.port, self.params, self.headers)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, SipUri) and self._key() == other._key())

    def __hash__(self) -> int:
        return hash((self.user, self.host, self.port))

    def __repr__(self) -> str:
        return f"SipUri({str(self)!r})"


class OtherUri:
    """A URI of a scheme that is neither sip nor sips; its text is opaque. `scheme` is in lower case."""

    __slots__ = ("scheme", "text")

    def __init__(self, scheme: str, text: str) -> None:
        self.scheme = scheme
        self.text = text

    @property
    def aor(self) -> str:
        """The text itself: an opaque URI names only itself."""
        return self.text

    def equivalent(self, other: object) -> bool:
        """Whether the other URI has the same text."""
        return self == other

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherUri) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"OtherUri({self.text!r})"


Uri: TypeAlias = SipUri | OtherUri


def _folded(pairs: Pairs) -> dict[str, str]:
    return {_decode(name).lower(): _decode(value or "") for name, value in pairs}


def _same_params(left: Pairs, right: Pairs) -> bool:
    ours, theirs = _folded(left), _folded(right)
    for name in ours.keys() | theirs.keys():
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None:
            if name in _DECISIVE:
                return False
        elif mine.lower() != other.lower():
            return False
    return True


def parse_host(text: str) -> str:
    """A host: name, IPv4 address or bracketed IPv6 address (RFC 3261 25.1 as corrected by RFC 5954).

    Returns it in lower case. Raises SipSyntaxError.
    """
    if text.startswith("["):
        return _parse_ipv6_reference(text)
    if not _HOSTNAME.fullmatch(text) or len(text) > 255:
        raise SipSyntaxError(f"bad host {text[:80]!r}")
    last = text.rstrip(".").rpartition(".")[2]
    if last.isdigit():
        try:
            IPv4Address(text)
        except AddressValueError as error:
            raise SipSyntaxError(f"bad IPv4 address {text[:80]!r}") from error
    return text.lower()


def _parse_ipv6_reference(text: str) -> str:
    if not text.endswith("]") or len(text) > 48:
        raise SipSyntaxError(f"bad IPv6 reference {text[:80]!r}")
    # RFC 5118 section 4.10: RFC 3261's grammar allowed one colon too many before an IPv4 part; ignore it.
    inner = text[1:-1].replace(":::", "::", 1) if "." in text else text[1:-1]
    try:
        if "%" in inner:
            raise SipSyntaxError(f"zone identifier in IPv6 reference {text!r}")
        IPv6Address(inner)
    except AddressValueError as error:
        raise SipSyntaxError(f"bad IPv6 reference {text!r}") from error
    return f"[{inner.lower()}]"


def parse_port(text: str) -> int:
    """A port number, 0 to 65535. Raises SipSyntaxError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise SipSyntaxError(f"bad port {text[:20]!r}")
    return int(text)


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` as (host in lower case, port or None). Raises SipSyntaxError."""
    bracket = text.find("]") if text.startswith("[") else 0
    colon = text.find(":", bracket) if bracket >= 0 else -1
    if colon < 0:
        return parse_host(text), None
    return parse_host(text[:colon]), parse_port(text[colon + 1 :])


def _parse_pairs(text: str, separator: str, grammar: re.Pattern[str], what: str) -> Pairs:
    pairs: list[tuple[str, str | None]] = []
    for item in text.split(separator):
        name, equals, value = item.partition("=")
        if not name or not grammar.fullmatch(name) or (equals and not grammar.fullmatch(value)):
            raise SipSyntaxError(f"bad URI {what} {item[:80]!r}")
        pairs.append((name, value if equals else None))
    return tuple(pairs)


def _check_utf8(user: str) -> None:
    # Two users that decode to nothing readable must not become one and the same.
    try:
        unquote(user, "utf-8", "strict")
    except UnicodeDecodeError as error:
        raise SipSyntaxError(f"escapes in user are not UTF-8: {user[:80]!r}") from error


def _parse_sip(scheme: str, text: str, rest: str) -> SipUri:
    userinfo, at, rest = rest.rpartition("@")
    user = password = None
    if at:
        user, colon, secret = userinfo.partition(":")
        if not _USER.fullmatch(user):
            raise SipSyntaxError(f"bad user in URI {text[:120]!r}")
        if "%" in user:
            _check_utf8(user)
        if colon:
            if not _PASSWORD.fullmatch(secret):
                raise SipSyntaxError("bad password in URI")
            password = secret
    rest, question, header_text = rest.partition("?")
    address, semicolon, param_text = rest.partition(";")
    host, port = split_host_port(address)
    uri = SipUri(
        host,
        scheme=scheme,
        user=user,
        password=password,
        port=port,
        params=_parse_pairs(param_text, ";", _PARAM, "parameter") if semicolon else (),
        headers=_parse_pairs(header_text, "&", _HEADER, "header") if question else (),
    )
    uri._text = text  # noqa: SLF001 - the text as it came is the text to send on
    return uri


_MEMO: Final[Memo[SipUri | OtherUri]] = Memo()


def parse_uri(text: str) -> Uri:
    """Read a URI.

    Args:
        text: the URI without angle brackets or blanks, at most 2 KiB of it are expected.

    Returns:
        SipUri for sip and sips, OtherUri for each other scheme. Equal texts give one shared object for as long as the
        table remembers it.

    Raises:
        SipSyntaxError: no scheme, or against RFC 3261 section 19.1.1.
    """
    known = _MEMO.table.get(text)
    if known is not None:
        return known
    if _FORBIDDEN.search(text):
        raise SipSyntaxError(f"blank, control or delimiter in URI {text[:120]!r}")
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme) or not rest:
        raise SipSyntaxError(f"no scheme in URI {text[:120]!r}")
    lower = intern(scheme.lower())  # the same text for all of them
    uri: Uri = _parse_sip(lower, text, rest) if lower in _DECISIVE_DEFAULTS else OtherUri(lower, text)
    _MEMO.put(text, uri)
    return uri


_QUOTE_USER: Final = re.compile(r"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")
_QUOTE_PARAM: Final = re.compile(rf"[^{_UNRESERVED}\[\]/:&+$]")


def escape_user(user: str) -> str:
    """A user name as the user part of a SIP URI: what the grammar does not allow is percent-encoded UTF-8."""
    return _QUOTE_USER.sub(_percent_encoded, user)


def escape_param(value: str) -> str:
    """A text as the value of a URI parameter, escaped in the same way."""
    return _QUOTE_PARAM.sub(_percent_encoded, value)


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogateescape"))
