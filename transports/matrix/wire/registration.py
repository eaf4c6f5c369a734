"""The registration of an application service, as a homeserver reads it (Application Service API, "Registration")."""

from __future__ import annotations

import json
import re
from typing import Final

from attrs import frozen

_HEAD: Final = (
    "# The registration of simplebridge as an application service. It holds secrets: only the homeserver may read it.\n"
    "# Synapse: name this file in app_service_config_files, and start Synapse anew.\n"
)


@frozen(kw_only=True)
class Registration:
    """What a homeserver is told of us.

    Attributes:
        id: our name; it never changes.
        url: where the homeserver reaches us.
        as_token: shows the homeserver that it is us.
        hs_token: shows us that it is the homeserver.
        sender_localpart: of the service's own user.
        server_name: of the homeserver.
        prefix: all users of this server whose localparts begin so are ghosts of ours, and nobody else's.
    """

    id: str
    url: str
    as_token: str
    hs_token: str
    sender_localpart: str
    server_name: str
    prefix: str

    @property
    def user_regex(self) -> str:
        """The namespace of our ghosts."""
        return f"@{re.escape(self.prefix)}.*:{re.escape(self.server_name)}"

    def yaml(self) -> str:
        """Returns the file's text. Each value is written as JSON, which YAML 1.2 reads."""
        users = [{"exclusive": True, "regex": self.user_regex}]
        values: dict[str, object] = {
            "id": self.id,
            "url": self.url,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            "sender_localpart": self.sender_localpart,
            "rate_limited": False,
            "receive_ephemeral": True,  # typing, receipts, presence: the specification since v1.13 ...
            "de.sorunome.msc2409.push_ephemeral": True,  # ... and servers before it
            "namespaces": {"users": users, "aliases": [], "rooms": []},
        }
        return _HEAD + "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
