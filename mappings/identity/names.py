"""The address rules of each kind of network, and the registry of them.

A *normal form* is the one spelling in which two names of the same user are equal; it is what an ``Address`` holds.
``normalise`` is idempotent: the normal form is its own normal form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from mappings.identity.characters import fault
from mappings.identity.errors import AddressError
from mappings.identity.jid import MAX_JID, normal_jid
from mappings.identity.matrix_names import MAX_NAME, matrix_name
from transports.irc.wire import names as irc_names
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import parse_host

MAX_SCREEN_NAME: Final = 16
MIN_SCREEN_NAME: Final = 3
MAX_MAIL_NAME: Final = 97
MAX_YAHOO_ID: Final = 32
MAX_PASSPORT: Final = 129
MIN_UIN: Final = 10_000
MAX_UIN: Final = 2_147_483_646
MIN_PHONE: Final = 3
MAX_PHONE: Final = 15
MAX_LOOPBACK_NAME: Final = 64
MAX_SIP_USER: Final = 128
MAX_SIP_ADDRESS: Final = 320

_YAHOO_ID: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_MAIL_LOCAL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.!#$&'*+-/=?^_`{|}~")
_LOOPBACK: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-@")
_MAIL_DOMAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


@frozen(kw_only=True)
class NameRules:
    """How the names of one kind of network are written.

    ``normal`` returns the normal form or raises AddressError; ``longest`` is the longest name in characters, as typed.
    """

    kind: str
    longest: int
    normal: Callable[[str], str]


def _screen_name(name: str) -> str:
    """AIM screen name, e-mail-like one, telephone or ICQ number: lower case, no spaces, an ICQ number no hyphens."""
    plain = name.replace(" ", "")
    if not plain.isascii() or not plain.isprintable():
        raise AddressError("oscar", name, "only ASCII letters, digits and spaces are allowed")
    plain = plain.lower()
    if plain[:1].isdigit():
        return _uin(name, plain)
    if "@" in plain:
        return _mail_name("oscar", name, plain)
    if plain[:1] == "+":
        return _telephone(name, plain)
    if not plain[:1].isalpha():
        raise AddressError("oscar", name, "a screen name begins with a letter")
    if not plain.isalnum():
        raise AddressError("oscar", name, "a screen name has letters, digits and spaces alone")
    if not MIN_SCREEN_NAME <= len(plain) <= MAX_SCREEN_NAME:
        raise AddressError("oscar", name, f"a screen name has {MIN_SCREEN_NAME} to {MAX_SCREEN_NAME} characters")
    return plain


def _uin(name: str, plain: str) -> str:
    digits = plain.replace("-", "")
    if not digits.isdigit():
        if "@" in plain:
            return _mail_name("oscar", name, plain)
        raise AddressError("oscar", name, "a name that begins with a digit is an ICQ number: digits alone")
    if digits[0] == "0" or len(digits) > 10 or not MIN_UIN <= int(digits) <= MAX_UIN:
        raise AddressError("oscar", name, f"an ICQ number lies between {MIN_UIN} and {MAX_UIN}")
    return digits


def _telephone(name: str, plain: str) -> str:
    """A number that AIM's text messages go to and come from (E.164: at most 15 digits)."""
    if not plain[1:].isdigit() or not MIN_PHONE <= len(plain) - 1 <= MAX_PHONE:
        raise AddressError("oscar", name, f"a telephone number is + and {MIN_PHONE} to {MAX_PHONE} digits")
    return plain


def _mail_name(kind: str, name: str, plain: str) -> str:
    local, _, domain = plain.partition("@")
    labels = domain.split(".")
    if not local or not _MAIL_LOCAL.issuperset(local) or local[0] == "." or local[-1] == "." or ".." in local:
        raise AddressError(kind, name, "the part before @ is not that of a mail address")
    if (
        len(labels) < 2
        or not _MAIL_DOMAIN.issuperset(domain)
        or any(not label or label[0] == "-" or label[-1] == "-" for label in labels)
    ):
        raise AddressError(kind, name, "the part after @ is not a domain name")
    return plain


def _nickname(name: str) -> str:
    """An IRC nickname: NFC, ASCII letters small. What else a server folds is its own affair (transports.irc)."""
    nick = irc_names.normal(name)
    wrong = irc_names.fault(nick)
    if wrong is None and not nick.isascii():
        wrong = fault(nick)
    if wrong is not None:
        raise AddressError("irc", name, wrong)
    return nick


def _loopback_name(name: str) -> str:
    """ASCII letters and digits with dots, hyphens, underscores and an @ between them; lower case."""
    plain = name.lower() if name.isascii() else ""  # the Kelvin sign's small letter is an ASCII k
    if (
        not plain
        or not _LOOPBACK.issuperset(plain)
        or not (plain[0].isalnum() and plain[-1].isalnum())
        or plain.count("@") > 1
    ):
        raise AddressError("loopback", name, "letters, digits, and dots, hyphens, underscores or one @ between them")
    return plain


def _passport(name: str) -> str:
    """A passport of MSN: a mail address, in lower case."""
    plain = name.strip(" ")
    if not plain.isascii() or not plain.isprintable():
        raise AddressError("msnp", name, "only ASCII is allowed")
    plain = plain.lower()
    if "@" not in plain:
        raise AddressError("msnp", name, "a passport is a mail address")
    return _mail_name("msnp", name, plain)


def _sip_address(name: str) -> str:
    """``user@host``: the user decoded, in NFC, with its case; the host in lower case (RFC 3261 section 19.1.4)."""
    user, at, host = name.rpartition("@")
    if not at or not user:
        raise AddressError("sip", name, "an address has the form user@host")
    user = unicodedata.normalize("NFC", user)
    if len(user) > MAX_SIP_USER:
        raise AddressError("sip", name, f"the user part is longer than {MAX_SIP_USER} characters")
    wrong = fault(user)
    if wrong is not None:
        raise AddressError("sip", name, wrong)
    try:
        return f"{user}@{parse_host(host).rstrip('.')}"
    except SipSyntaxError as error:
        raise AddressError("sip", name, error.reason) from error


def _yahoo_id(name: str) -> str:
    """Yahoo! ID: lower case, no blanks; letters, digits, ``_``, ``-`` and dots, or like a mail address."""
    plain = name.replace(" ", "")
    if not plain.isascii() or not plain.isprintable():
        raise AddressError("ymsg", name, "only ASCII letters, digits, _, - and dots are allowed")
    plain = plain.lower()
    if "@" in plain:
        return _mail_name("ymsg", name, plain)
    if not _YAHOO_ID.issuperset(plain):
        raise AddressError("ymsg", name, "a Yahoo! ID has letters, digits, _, - and dots alone")
    if not plain[:1].isalnum():
        raise AddressError("ymsg", name, "a Yahoo! ID begins with a letter or a digit")
    if plain[-1] == "." or ".." in plain:
        raise AddressError("ymsg", name, "dots stand between letters, digits, _ and - alone")
    if len(plain) > MAX_YAHOO_ID:
        raise AddressError("ymsg", name, f"a Yahoo! ID has at most {MAX_YAHOO_ID} characters")
    return plain


OSCAR: Final = NameRules(kind="oscar", longest=MAX_MAIL_NAME, normal=_screen_name)
IRC: Final = NameRules(kind="irc", longest=irc_names.MAX_NICK, normal=_nickname)
LOOPBACK: Final = NameRules(kind="loopback", longest=MAX_LOOPBACK_NAME, normal=_loopback_name)
YMSG: Final = NameRules(kind="ymsg", longest=MAX_MAIL_NAME, normal=_yahoo_id)
MSNP: Final = NameRules(kind="msnp", longest=MAX_PASSPORT, normal=_passport)
XMPP: Final = NameRules(kind="xmpp", longest=MAX_JID, normal=normal_jid)
MATRIX: Final = NameRules(kind="matrix", longest=MAX_NAME, normal=matrix_name)
SIP: Final = NameRules(kind="sip", longest=MAX_SIP_ADDRESS, normal=_sip_address)

_ALL: Final = (
    OSCAR,
    IRC,
    LOOPBACK,
    YMSG,
    MSNP,
    XMPP,
    MATRIX,
    SIP,
)
RULES: Final[Mapping[str, NameRules]] = MappingProxyType({rules.kind: rules for rules in _ALL})
"""The rules of each kind of network that configuration can name."""


def normalise(network_kind: str, name: str) -> str:
    """Returns the normal form of a name of a kind of network (``oscar``, ``irc``, ``sip``).

    Raises:
        AddressError: the kind is not known, or the name is not one of its names. A name of any length and content is
            answered in time that does not depend on more of it than the longest allowed name.
    """
    rules = RULES.get(network_kind)
    if rules is None:
        raise AddressError(network_kind, name, f"no address rules for this kind; known are {', '.join(sorted(RULES))}")
    if not name:
        raise AddressError(network_kind, name, "it is empty")
    if len(name) > rules.longest:
        raise AddressError(network_kind, name, f"longer than {rules.longest} characters")
    return rules.normal(name)


def is_uin(normal: str) -> bool:
    """Whether an OSCAR name in normal form is an ICQ number."""
    return normal.isdigit()
