"""Matrix user ids as names: ``@bob:example.org``, also written without its sign (``sip:bob%3Aexample.org@…``).

The specification compares user ids letter by letter, so nothing is folded: ``@Bob:example.org`` is somebody else, as
the accounts of the past are who have capitals.
"""

from __future__ import annotations

from typing import Final

from mappings.identity.errors import AddressError
from transports.matrix.wire.names import MAX_ID, is_user_id

MAX_NAME: Final = MAX_ID


def matrix_name(name: str) -> str:
    """Returns the user id that a name means.

    Raises:
        AddressError: it is none.
    """
    user = name if name.startswith("@") else f"@{name}"
    if ":" not in user:
        raise AddressError("matrix", name, "a Matrix user id has the form @name:server")
    if not user.isascii() or not user.isprintable():
        raise AddressError("matrix", name, "a Matrix user id has printable ASCII characters alone")
    if not is_user_id(user):
        raise AddressError("matrix", name, "it is no Matrix user id of the form @name:server, 255 characters at most")
    return user
