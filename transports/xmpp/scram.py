"""The key of SCRAM (``Hi`` in RFC 5802 section 2.2) from OpenSSL, and not in as many rounds as a server likes.

slixmpp goes through the rounds in Python: 50 ms of the reactor for the 10,000 that Prosody asks for, and an hour for a
server that asks for a thousand million.
"""

from __future__ import annotations

from hashlib import pbkdf2_hmac
from typing import Any

from slixmpp.util import bytes as octets
from slixmpp.util.sasl.client import SASLCancelled
from slixmpp.util.sasl.mechanisms import SCRAM

MOST_ROUNDS = 500_000
"""A tenth of a second and more; servers ask for 4,096 to 210,000."""


def salted_password(mechanism: Any, password: str | bytes, salt: bytes, rounds: int) -> bytes:
    """Returns the salted password.

    Args:
        mechanism: slixmpp's, with the hash that was agreed on.
        password: as it was prepared.
        salt: the server's.
        rounds: the server's too.

    Raises:
        SASLCancelled: the number of rounds is none that we go.
    """
    if not 1 <= rounds <= MOST_ROUNDS:
        why = f"SCRAM with {rounds} rounds: 1 to {MOST_ROUNDS} are gone"
        raise SASLCancelled(why)  # type: ignore[no-untyped-call]  # slixmpp leaves it untyped
    return pbkdf2_hmac(mechanism.hash().name, octets(password), salt, rounds)


def install() -> None:
    """Puts it in the place of slixmpp's."""
    SCRAM.Hi = salted_password  # type: ignore[method-assign, assignment]  # that is the purpose
