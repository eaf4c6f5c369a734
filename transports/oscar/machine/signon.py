"""The SNACs and frames of signing on: what a client shows the authorizer, and what it tells a new server."""

from __future__ import annotations

from transports.oscar.machine.actions import Purpose
from transports.oscar.machine.config import ClientIdentity, SessionConfig, SignOnMethod
from transports.oscar.machine.connection import Connection
from transports.oscar.wire import bucp, caps, icbm, locate, oservice
from transports.oscar.wire.codes import BUCP, BUDDY, FEEDBAG, ICBM, ICQ, LOCATE, OSERVICE, PRIVACY, STATS
from transports.oscar.wire.errors import OscarSyntaxError
from transports.oscar.wire.flap import SIGNON, SignonFrame
from transports.oscar.wire.native import Availability, OwnPresence
from transports.oscar.wire.roast import md5_response, password_bytes, roast
from transports.oscar.wire.snac import Body
from transports.oscar.wire.tlv import Tlvs, tlv16, tlv32, tlv_text

VERSIONS: dict[int, int] = {
    OSERVICE: 3, LOCATE: 1, BUDDY: 1, ICBM: 1, PRIVACY: 1, STATS: 1, FEEDBAG: 3, ICQ: 1, BUCP: 1,
}  # fmt: skip
"""The version of each food group that we speak."""
_TOOL, _TOOL_VERSION = 0x0110, 0x08E4
_ONE_SESSION = 3
"""TLV 4A: we can be told why we are signed off, and want to be the only connection of the name."""
CAPABILITIES = (caps.CAP_XHTML, caps.CAP_INTEROPERATE, caps.CAP_UTF8, caps.CAP_TYPING)


def _identity_tlvs(identity: ClientIdentity) -> list[tuple[int, bytes]]:
    return [
        tlv_text(bucp.CLIENT_ID_TEXT, identity.name),
        tlv16(bucp.CLIENT_ID, identity.id),
        tlv16(bucp.MAJOR, identity.major),
        tlv16(bucp.MINOR, identity.minor),
        tlv16(bucp.LESSER, identity.lesser),
        tlv16(bucp.BUILD, identity.build),
        tlv32(bucp.DISTRIBUTION, identity.distribution),
        tlv_text(bucp.LANGUAGE, identity.language),
        tlv_text(bucp.COUNTRY, identity.country),
    ]


def challenge_request(name: str) -> bucp.ChallengeRequest:
    """17/06."""
    return bucp.ChallengeRequest(Tlvs([tlv_text(bucp.SCREEN_NAME, name)]))


def login_request(name: str, credential: str, key: bytes, config: SessionConfig) -> bucp.LoginRequest:
    """17/02; raises `OscarSyntaxError` for an empty password."""
    digest = md5_response(password_bytes(credential), key, hashed=config.hashed_password)
    tlvs = [tlv_text(bucp.SCREEN_NAME, name), (bucp.DIGEST, digest)]
    if config.hashed_password:
        tlvs.append((bucp.MD5_OF_MD5, b""))
    tlvs += _identity_tlvs(config.identity)
    tlvs.append((bucp.MULTI_CONN, bytes((_ONE_SESSION,))))
    return bucp.LoginRequest(Tlvs(tlvs))


def roasted_frame(name: str, credential: str, config: SessionConfig) -> SignonFrame:
    """Channel 1 of the old sign-on; raises `OscarSyntaxError` for an empty password."""
    tlvs = [tlv_text(bucp.SCREEN_NAME, name), (bucp.ROASTED, roast(password_bytes(credential)))]
    tlvs += _identity_tlvs(config.identity)
    tlvs.append((bucp.MULTI_CONN, bytes((_ONE_SESSION,))))
    return SignonFrame(tlvs=Tlvs(tlvs))


def cookie_frame(cookie: bytes) -> SignonFrame:
    """Channel 1 towards a server to which a cookie was given."""
    return SignonFrame(tlvs=Tlvs([(bucp.COOKIE, cookie), (bucp.MULTI_CONN, bytes((_ONE_SESSION,)))]))


def versions(groups: frozenset[int]) -> oservice.ClientVersions:
    """01/17 for the food groups that a server offers and we know (another group in version 1)."""
    return oservice.ClientVersions(tuple((group, VERSIONS.get(group, 1)) for group in sorted(groups)))


def client_online(groups: frozenset[int]) -> oservice.ClientOnline:
    """01/02."""
    return oservice.ClientOnline(
        tuple(
            oservice.ToolVersion(group=group, version=VERSIONS.get(group, 1), tool=_TOOL, tool_version=_TOOL_VERSION)
            for group in sorted(groups)
        )
    )


def message_parameters() -> icbm.SetParameters:
    """04/02: everything, typing and stored messages too, at any pace."""
    flags = icbm.FLAG_MESSAGES | icbm.FLAG_MISSED_CALLS | icbm.FLAG_EVENTS | icbm.FLAG_OFFLINE
    return icbm.SetParameters(flags=flags)


def presence_bodies(wanted: OwnPresence, config: SessionConfig, *, icq: bool, first: bool) -> list[tuple[str, Body]]:
    """The SNACs that show a presence, each with the label under which a newer one replaces it.

    `first`: of this session, so that capabilities are told and what is the default need not be.
    """
    bodies: list[tuple[str, Body]] = []
    away = wanted.state is Availability.AWAY
    tlvs: list[tuple[int, bytes]] = []
    if away:
        mime, raw = locate.mime_encode(wanted.away_message or "")
        # an empty away message would mean that we are back
        tlvs += [(locate.AWAY_MIME, mime), (locate.AWAY, raw or b" ")]
    elif not first:
        tlvs.append((locate.AWAY, b""))
    if first:
        tlvs.append((locate.CAPABILITIES, b"".join(CAPABILITIES)))
    bodies.append(("own information", locate.SetInfo(Tlvs(tlvs))))
    status = _status(wanted, icq=icq)
    if icq or not first or status:
        value = (config.status_flags << 16) | status
        bodies.append(("own status", oservice.SetStatus(Tlvs([tlv32(oservice.TLV_STATUS, value)]))))
    if not first or wanted.idle_seconds:
        bodies.append(("own idle time", oservice.Idle(wanted.idle_seconds)))
    return bodies


def _status(wanted: OwnPresence, *, icq: bool) -> int:
    status = wanted.icq_status & 0xFFFF if icq else 0
    if icq and wanted.state is Availability.AWAY and not status:
        status = 0x0001
    if wanted.state is Availability.INVISIBLE:
        status |= 0x0100
    return status


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """``host``, ``host:port`` or ``[v6]:port``; raises `OscarSyntaxError`."""
    host, separator, port = text.strip().rpartition(":")
    if not separator or (":" in host and not host.startswith("[")):
        host, port = text.strip(), str(default_port)
    host = host.strip("[]")
    if not host or len(host) > 255 or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise OscarSyntaxError(f"server address: {text[:80]!r}")
    return host, int(port)


def server_address(named: str | None, config: SessionConfig) -> tuple[str, int]:
    """Where to connect when a server names an address; raises `OscarSyntaxError` when it is none."""
    host, port = parse_address(named or config.host, config.port)
    for key in (f"{host}:{port}", host, "*"):
        if key in config.server_override:
            return config.server_override[key]
    return (config.host if config.same_host else host), port


def greet(conn: Connection, name: str, credential: str, config: SessionConfig, now: float) -> None:
    """Answer a server's first frame: with our cookie, our roasted password, or the wish for a challenge."""
    if conn.purpose is not Purpose.AUTHORIZER:
        conn.send_frame(SIGNON, cookie_frame(conn.cookie).encode(), now)
    elif config.method is SignOnMethod.ROASTED:
        conn.send_frame(SIGNON, roasted_frame(name, credential, config).encode(), now)
    else:
        conn.send_frame(SIGNON, SignonFrame().encode(), now)
        conn.send_now(challenge_request(name), now)
