"""What we say that we are and do (XEP-0030), and the fingerprint of it in each presence (XEP-0115)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from transports.xmpp.wire import names
from transports.xmpp.wire.xml import add


class Identity(NamedTuple):
    """What an address is, in the registrar's words."""

    category: str
    type: str
    name: str


PERSON: Final = Identity("client", "pc", "simplebridge")
DOMAIN: Final = Identity("gateway", "sip", "simplebridge")
NODE: Final = "urn:x-simplebridge:xmpp"
"""Names the program, as a URI (XEP-0115 section 4)."""


def fingerprint(identity: Identity, features: Iterable[str]) -> str:
    """Returns the verification string of an identity without a language and of features (XEP-0115 section 5.1)."""
    parts = [f"{identity.category}/{identity.type}//{identity.name}", *sorted(features)]
    text = "".join(f"{part}<" for part in parts)
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


VERSION: Final = fingerprint(PERSON, names.FEATURES)
"""The fingerprint of each of our people."""
NODES: Final = frozenset({"", f"{NODE}#{VERSION}"})
"""What of our people may be asked about: they as they are, which is what the fingerprint is of."""


def add_caps(presence: Element) -> None:
    """Adds the fingerprint to a presence of one of our people."""
    add(presence, names.CAPS, "c", hash="sha-1", node=NODE, ver=VERSION)
