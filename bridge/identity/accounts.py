"""Local SIP accounts: their address, and what Digest sign-on is checked with (RFC 7616, RFC 8760).

A password is never kept. What is kept is HA1, the hash of ``username:realm:password``, for each algorithm and for each
user name that clients send: the user part (``alice``) and the whole address (``alice@corp.example``).
"""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Iterable
from enum import Enum

from attrs import field, frozen

from bridge.identity.errors import AddressRefused, PasswordRefused
from bridge.identity.secret import Secret
from bridge.model.address import Address, Identity
from bridge.model.ids import SIP, PersonId, RemoteUserId

MAX_ADDRESS = 254
"""Characters of an address, the limit of RFC 5321 that mail directories keep."""
MAX_PASSWORD = 1024
MAX_DISPLAY_NAME = 256

_USER = re.compile(r"[a-z0-9\-_.!~*'()&=+$]+")  # RFC 3261 section 25.1, user, without what needs care: , ; ? /
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")
_FOLD_ROUNDS = 4
# letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point): two people would look the same
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def normal_address(text: str) -> PersonId:
    """Returns the one form of a corporate address: ``Alice@Corp.Example.`` is ``alice@corp.example``.

    RFC 3261 compares user parts by case, and people do not. The owner of a domain decides what its user parts mean
    (section 19.1.1), so here two addresses that differ only in case, or in Unicode's compatible forms, are one person:
    otherwise one could be taken for another. A leading ``sip:`` or ``sips:`` is taken off.

    Raises:
        AddressRefused: it is not ``user@domain``, too long, or holds a character that an address may not have.
    """
    if len(text) > MAX_ADDRESS + len("sips:"):
        raise AddressRefused(f"an address has at most {MAX_ADDRESS} characters", text[:40] + "…")
    plain = _fold(text.strip())
    plain = plain.removeprefix("sip:").removeprefix("sips:")
    user, at, host = plain.rpartition("@")
    host = host.removesuffix(".")
    if not at or not user:
        raise AddressRefused("an address has the form user@domain", repr(text))
    if not _HOST.fullmatch(host):
        raise AddressRefused("the domain is not a host name (write international names in their xn-- form)", repr(text))
    _check_user(user, text)
    if len(plain) > MAX_ADDRESS:
        raise AddressRefused(f"an address has at most {MAX_ADDRESS} characters", text[:40] + "…")
    return PersonId(f"{user}@{host}")


def domain_of(address: str) -> str:
    """Returns the domain of an address in normal form."""
    return address.rpartition("@")[2]


def user_of(address: str) -> str:
    """Returns the user part of an address in normal form."""
    return address.rpartition("@")[0]


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    # lower() and NFKC each bring letters that the other changes again: they are run to rest, so that it is idempotent
    for _ in range(_FOLD_ROUNDS):
        folded = unicodedata.normalize("NFKC", text).lower()
        if folded == text:
            return text
        text = folded
    raise AddressRefused("the address has no stable normal form", repr(text))


def _check_user(user: str, text: str) -> None:
    if _USER.fullmatch(user):
        return
    for char in user:
        # letters, marks and numbers of every script: no blanks, controls, bidirectional or zero-width characters
        shown = unicodedata.category(char)[0] in "LMN" and not _UNSEEN.match(char)
        if not _USER.fullmatch(char) and (char.isascii() or not shown):
            raise AddressRefused(f"the user part may not hold {char!r}", repr(text))


class Algorithm(Enum):
    """The hash functions of SIP Digest: RFC 3261 section 22.4 and RFC 8760 section 2.1."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"


_HASHES = {Algorithm.MD5: "md5", Algorithm.SHA_256: "sha256", Algorithm.SHA_512_256: "sha512_256"}


class LoginForm(Enum):
    """Which user name a client signs on with: the user part of its address, or all of it."""

    USER = "user"
    ADDRESS = "address"


@frozen(kw_only=True)
class Ha1:
    """What a Digest response is checked with, in lower-case hexadecimal (RFC 7616 section 3.4.2)."""

    form: LoginForm
    algorithm: Algorithm
    digest: str = field(repr=False)


_SIZES = {Algorithm.MD5: 16, Algorithm.SHA_256: 32, Algorithm.SHA_512_256: 32}
_PLACES = tuple((form, algorithm) for form in LoginForm for algorithm in Algorithm)
"""What stands where in packed hashes; bit n of their first byte says whether place n is there."""


def _pack(ha1s: Iterable[Ha1] | bytes) -> bytes:
    """Returns hashes as one value: a tenth of what they take as texts, which a hundred thousand accounts feel."""
    if isinstance(ha1s, bytes):  # a copy of an account, by ``attrs.evolve``
        return ha1s
    digests = {(entry.form, entry.algorithm): bytes.fromhex(entry.digest) for entry in ha1s}
    for (_, algorithm), digest in digests.items():
        if len(digest) != _SIZES[algorithm]:
            raise ValueError(f"a {algorithm.value} HA1 has {_SIZES[algorithm]} bytes, not {len(digest)}")
    there = sum(1 << place for place, what in enumerate(_PLACES) if what in digests)
    return bytes((there,)) + b"".join([digests[what] for what in _PLACES if what in digests]) if digests else b""


def _unpack(packed: bytes, form: LoginForm, algorithm: Algorithm) -> str | None:
    """Returns one hash of packed ones, or None where it is not among them."""
    at = 1
    for place, (one, hashed) in enumerate(_PLACES):
        there = bool(packed) and packed[0] >> place & 1
        if one is form and hashed is algorithm:
            return packed[at : at + _SIZES[hashed]].hex() if there else None
        at += _SIZES[hashed] if there else 0
    return None


@frozen(kw_only=True, weakref_slot=False)
class Account:
    """A local SIP account. One without ``ha1s`` cannot sign on by Digest: a trusted peer vouches for its owner.

    Raises:
        ValueError: a hash is not one of its algorithm, in hexadecimal.
    """

    address: PersonId
    realm: str = field(converter=sys.intern)
    _packed: bytes = field(alias="ha1s", default=b"", converter=_pack, repr=False)
    enabled: bool = True
    display_name: str = ""
    created_at: float = 0.0
    """Seconds since the epoch."""
    identity: Identity = field(init=False, eq=False, repr=False)
    """Who it is, as they are addressed inside."""

    @identity.default
    def _identity(self) -> Identity:
        address = Address(network=SIP, user=RemoteUserId(self.address))
        return Identity(address=address, person=self.address, display_name=self.display_name)

    @property
    def ha1s(self) -> tuple[Ha1, ...]:
        """What sign-on is checked with, by form and algorithm; made when asked for."""
        return tuple(
            Ha1(form=form, algorithm=algorithm, digest=digest)
            for form, algorithm in _PLACES
            if (digest := self.ha1(form, algorithm)) is not None
        )

    def ha1(self, form: LoginForm, algorithm: Algorithm) -> str | None:
        """Returns one of ``ha1s`` in lower-case hexadecimal, or None where there is none."""
        return _unpack(self._packed, form, algorithm)

    def username(self, form: LoginForm) -> str:
        """Returns the Digest user name of a form."""
        return user_of(self.address) if form is LoginForm.USER else self.address


def ha1(username: str, realm: str, password: str, algorithm: Algorithm) -> str:
    """Returns H(username:realm:password) in lower-case hexadecimal, of the texts in UTF-8 (RFC 7616 section 3.4.2)."""
    data = f"{username}:{realm}:{password}".encode()
    return hashlib.new(_HASHES[algorithm], data, usedforsecurity=False).hexdigest()


def ha1s(address: PersonId, realm: str, password: Secret) -> tuple[Ha1, ...]:
    """Returns the HA1 of every form and algorithm for a password.

    Raises:
        PasswordRefused: it is empty, too long, or holds a control character (a line end that was not taken off).
    """
    text = password.reveal()
    check_password(text, address)
    usernames = {LoginForm.USER: user_of(address), LoginForm.ADDRESS: address}
    return tuple(
        Ha1(form=form, algorithm=algorithm, digest=ha1(username, realm, text, algorithm))
        for form, username in usernames.items()
        for algorithm in Algorithm
    )


def check_password(text: str, where: str) -> None:
    """Checks that a text can be a password.

    Raises:
        PasswordRefused: it is empty, too long, or holds a control character or a half of a surrogate pair.
    """
    if not text:
        raise PasswordRefused("the password is empty", where)
    if len(text) > MAX_PASSWORD:
        raise PasswordRefused(f"a password has at most {MAX_PASSWORD} characters", where)
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise PasswordRefused("the password holds a control character (a line end?)", where)
