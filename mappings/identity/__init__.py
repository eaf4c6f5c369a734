"""Address rules and normal forms of each network, and how SIP users address them."""

from mappings.identity.display import safe_display_name
from mappings.identity.errors import AddressError
from mappings.identity.names import RULES, NameRules, is_uin, normalise
from mappings.identity.sip import NetworkDomain, SipAddressBook, decode_user, encode_user, sip_uri

__all__ = [
    "RULES", "AddressError", "NameRules", "NetworkDomain", "SipAddressBook", "decode_user", "encode_user", "is_uin",
    "normalise", "safe_display_name", "sip_uri",
]  # fmt: skip
