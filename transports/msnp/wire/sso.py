"""Single sign-on, that of MSNP15: a web service sells tickets and a secret, which seals the server's nonce."""

from __future__ import annotations

import hmac
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha1

from attrs import field, frozen
from cryptography.hazmat.primitives.ciphers import Cipher, modes

try:  # 3DES has moved there with cryptography 43
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

from transports.msnp.wire import xml
from transports.msnp.wire.errors import MsnpSyntaxError

MESSENGER = "messengerclear.live.com"
CONTACTS = "contacts.msn.com"
OFFLINE = "messengersecure.live.com"
IV_SIZE = 8
MAX_TICKET = 6000


@frozen(kw_only=True)
class Tickets:
    """What the web service sold: a ticket for each site, and the messenger's secret (base64)."""

    by_site: dict[str, str] = field(factory=dict)
    secret: str = ""


class SsoRefused(Exception):
    """The name or the password is wrong; the text is the server's."""


def request(passport: str, password: str, policy: str) -> bytes:
    """The body that asks for tickets. `policy` is what USR SSO S named, such as MBI_KEY_OLD."""
    sites = ((MESSENGER, policy or "MBI_KEY_OLD"), (CONTACTS, "MBI"), (OFFLINE, "MBI_SSL"))
    wanted = "".join(
        f'<wst:RequestSecurityToken Id="RST{at}"><wst:RequestType>'
        "http://schemas.xmlsoap.org/ws/2004/04/security/trust/Issue</wst:RequestType>"
        f"<wsp:AppliesTo><wsa:EndpointReference><wsa:Address>{site}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
        f'<wsse:PolicyReference URI="{xml.escape(rule)}"/></wst:RequestSecurityToken>'
        for at, (site, rule) in enumerate((("http://Passport.NET/tb", ""), *sites))
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:wsse="http://schemas.xmlsoap.org/ws/2003/06/secext"'
        ' xmlns:wsp="http://schemas.xmlsoap.org/ws/2002/12/policy"'
        ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/03/addressing"'
        ' xmlns:wst="http://schemas.xmlsoap.org/ws/2004/04/trust">'
        '<Header><ps:AuthInfo xmlns:ps="http://schemas.microsoft.com/Passport/SoapServices/PPCRL" Id="PPAuthInfo">'
        "<ps:HostingApp>{7108E71A-9926-4FCB-BCC9-9A9D3F32E423}</ps:HostingApp><ps:BinaryVersion>4</ps:BinaryVersion>"
        "<ps:UIVersion>1</ps:UIVersion><ps:Cookies></ps:Cookies><ps:RequestParams>AQAAAAIAAABsYwQAAAAxMDMz"
        "</ps:RequestParams></ps:AuthInfo>"
        f'<wsse:Security><wsse:UsernameToken Id="user"><wsse:Username>{xml.escape(passport)}</wsse:Username>'
        f"<wsse:Password>{xml.escape(password)}</wsse:Password></wsse:UsernameToken></wsse:Security></Header>"
        '<Body><ps:RequestMultipleSecurityTokens xmlns:ps="http://schemas.microsoft.com/Passport/SoapServices/PPCRL"'
        f' Id="RSTS">{wanted}</ps:RequestMultipleSecurityTokens></Body></Envelope>'
    ).encode("utf-8", "replace")


def read_tickets(body: bytes) -> Tickets:
    """Reads the answer of the web service.

    Raises:
        SsoRefused: the credentials are wrong.
        MsnpSyntaxError: an answer without the messenger's ticket and secret.
    """
    root = xml.parse(body, "RST")
    by_site: dict[str, str] = {}
    secret = ""
    for answer in xml.find_all(root, "RequestSecurityTokenResponse"):
        site = xml.text_of(answer, "Address")
        ticket = xml.text_of(answer, "BinarySecurityToken")
        if not site or not ticket or len(ticket) > MAX_TICKET or any(char.isspace() for char in ticket):
            continue
        by_site[site] = ticket
        if site == MESSENGER:
            secret = xml.text_of(answer, "BinarySecret")
    if MESSENGER in by_site and secret:
        return Tickets(by_site=by_site, secret=secret)
    if xml.find(root, "Fault") is not None or xml.find(root, "faultcode") is not None:
        code = xml.text_of(root, "faultcode")
        words = xml.text_of(root, "faultstring") or "refused"
        if "FailedAuthentication" in code or xml.text_of(root, "reqstatus") == "0x80048821":
            raise SsoRefused(words[:200])
        raise MsnpSyntaxError(f"RST: {code}: {words[:200]}")
    raise MsnpSyntaxError("RST: no ticket for the messenger")


def sealed(secret: str, nonce: str, iv: bytes) -> str:
    """The last argument of USR SSO S: the nonce, authenticated and encrypted with keys made of the secret (base64).

    Args:
        secret: from `Tickets`, base64.
        nonce: of USR SSO S, as it stands there.
        iv: 8 random bytes.

    Raises:
        MsnpSyntaxError: the secret is none, or the nonce is empty.
    """
    try:
        key = b64decode(secret, validate=True)
    except (Base64Error, ValueError) as error:
        raise MsnpSyntaxError("RST: a secret that is not base64") from error
    if not nonce or len(nonce) > 1024:
        raise MsnpSyntaxError("USR: no nonce")
    plain = nonce.encode("utf-8", "replace")
    digest = _hash(_derive(key, b"WS-SecureConversationSESSION KEY HASH"), plain)
    padding = 8 - len(plain) % 8
    cipher_key = TripleDES(_derive(key, b"WS-SecureConversationSESSION KEY ENCRYPTION"))
    encryptor = Cipher(cipher_key, modes.CBC(iv)).encryptor()
    cipher = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    head = struct.pack("<7I", 28, 1, 0x6603, 0x8004, IV_SIZE, len(digest), len(cipher))
    return b64encode(head + iv + digest + cipher).decode("ascii")


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, sha1).digest()


def _derive(key: bytes, magic: bytes) -> bytes:
    first = _hash(key, magic)
    second = _hash(key, first + magic)
    third = _hash(key, first)
    return second + _hash(key, third + magic)[:4]
