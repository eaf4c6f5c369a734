"""What a session is made with."""

from __future__ import annotations

from attrs import field, frozen, validators

_positive = validators.gt(0.0)


@frozen(kw_only=True)
class SessionConfig:
    """An application service's parameters; times in seconds.

    Attributes:
        service: its id in the registration.
        server_name: of the homeserver, the end of all our user ids.
        prefix: how the localparts of our ghosts begin.
        bot: the localpart of the service's own user.
        as_token, hs_token: of the registration.
        requests_per_second: at most so many requests begin in a second, and so many at once after a pause.
        max_in_flight: so many requests are under way at most; max_making: of them so many that make something.
        sign_ons_per_second: of ghosts, so that a restart is no storm.
        call_timeout, join_timeout: until a request is given up; those that other homeservers take part in take longer.
        presence_refresh: how often a presence is told again: servers take it back when nothing is heard (Synapse 30 s).
        typing_timeout: how long one "types" holds.
        probe_after: of silence, the homeserver is asked whether it is there.
        refused_wait: until a token that was refused is tried again.
        push_wait: how long an answer to a push may wait for sign-ons or for an invitation to be accepted.
    """

    service: str
    server_name: str
    prefix: str
    bot: str
    as_token: str = field(repr=False)
    hs_token: str = field(repr=False)
    requests_per_second: float = field(default=50.0, validator=_positive)
    max_in_flight: int = field(default=16, validator=validators.gt(0))
    max_making: int = field(default=4, validator=validators.gt(0))
    max_waiting: int = field(default=20_000, validator=validators.gt(0))
    sign_ons_per_second: float = field(default=20.0, validator=_positive)
    call_timeout: float = 30.0
    join_timeout: float = 60.0
    presence_refresh: float = 20.0
    typing_timeout: float = 30.0
    probe_after: float = 60.0
    backoff_base: float = 1.0
    backoff_cap: float = 60.0
    refused_wait: float = 60.0
    push_wait: float = 20.0
    max_rooms: int = 5_000
    """Of one account."""
    max_limited: int = 20
    """How often one request is tried again because the server wants us to slow down."""
