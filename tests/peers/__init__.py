"""Drivers for SIP software that others wrote, as Debian packages it (see README.md)."""

from tests.peers.baresip import Baresip
from tests.peers.bitlbee import Bitlbee
from tests.peers.client import Account, PresenceSeen, SipClient, TextSeen
from tests.peers.kamailio import Kamailio
from tests.peers.linphone import Linphone
from tests.peers.process import Child, PeerError, PeerExited, PeerMissing, PeerTimeout
from tests.peers.sipp import Sipp, SippStats, credentials

__all__ = [
    "Account",
    "Baresip",
    "Bitlbee",
    "Child",
    "Kamailio",
    "Linphone",
    "PeerError",
    "PeerExited",
    "PeerMissing",
    "PeerTimeout",
    "PresenceSeen",
    "SipClient",
    "Sipp",
    "SippStats",
    "TextSeen",
    "credentials",
]
