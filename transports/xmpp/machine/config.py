"""What a stream is told of its network, all of it data. Times are seconds."""

from __future__ import annotations

from attrs import field, frozen, validators


@frozen(kw_only=True)
class StreamConfig:
    """A stream's parameters.

    Attributes:
        component: it is a component's (XEP-0114), with every account of its domain; else one account's own.
        domain: the component's domain, or that of the account.
        resource: what the bridge calls itself.
        ping_after: after so long without a word of the server, it is asked whether it is there; ping_timeout: and then
            given up. Also a message whose taking is not confirmed until then is unknown.
        max_contacts: contacts, and watchers, of one account; max_places: resources of one contact.
        max_unconfirmed: sends that are not confirmed yet, of all accounts.
        carbons: have copies of what other clients of the account send and receive (XEP-0280).
    """

    component: bool
    domain: str
    resource: str = "simplebridge"
    ping_after: float = field(default=60.0, validator=validators.gt(0.0))
    ping_timeout: float = field(default=30.0, validator=validators.gt(0.0))
    max_contacts: int = field(default=5000, validator=validators.ge(1))
    max_places: int = field(default=32, validator=validators.ge(1))
    max_unconfirmed: int = field(default=10_000, validator=validators.ge(1))
    carbons: bool = True
