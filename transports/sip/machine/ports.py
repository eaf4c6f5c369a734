"""What the endpoint asks of its owner: accounts, and durable stores for registrations, subscriptions, publications."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import frozen

Done = Callable[[bool, float], None]
"""Called once when a save is durable (True) or has failed (False), with the time of the endpoint's clock."""

Entropy = Callable[[int], bytes]
"""Returns as many random bytes as asked: ``os.urandom``."""


@frozen(kw_only=True)
class Account:
    """A local SIP account. HA1 in lower-case hex by algorithm name (``MD5``, ``SHA-256``, ``SHA-512-256``).

    ``ha1`` is of ``user:realm:password``; ``ha1_domain`` of ``user@domain:realm:password``, for clients that send the
    whole address as user name.
    """

    aor: str
    ha1: Mapping[str, str]
    ha1_domain: Mapping[str, str] = {}


class Accounts(Protocol):
    """The accounts that may sign on. Answers from memory, at once."""

    def find(self, aor: str) -> Account | None:
        """Returns the enabled account of ``user@domain``, or None."""


@frozen(kw_only=True)
class StoredBinding:
    """One contact of an address-of-record, as it is kept (RFC 3261 10.3). Times are seconds since the epoch."""

    aor: str
    contact: str
    q: float
    expires_at: float
    call_id: str
    cseq: int
    transport: str
    local: tuple[str, int]
    source: tuple[str, int]
    """Where the REGISTER came from."""
    instance: str = ""
    reg_id: str = ""
    user_agent: str = ""
    path: tuple[str, ...] = ()
    generation: str = ""
    """What its temporary GRUUs are sealed from (RFC 5627)."""


class BindingStore(Protocol):
    """Keeps registrations."""

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        """Makes ``bindings`` all there is of ``aor``. The REGISTER is answered after ``done``."""

    def load(self) -> tuple[StoredBinding, ...]:
        """Returns what was kept, at the start."""


@frozen(kw_only=True)
class StoredSubscription:
    """One subscription's dialog, as it is kept (RFC 6665). ``expires_at`` is seconds since the epoch."""

    id: str
    watcher: str
    target: str
    event: str
    accept: tuple[str, ...]
    call_id: str
    local_uri: str
    remote_uri: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int
    contact: str
    routes: tuple[str, ...]
    transport: str
    local: tuple[str, int]
    source: tuple[str, int]
    expires_at: float
    entries: tuple[str, ...] | None = None
    """The URIs of a list, ``target`` being the list's (RFC 5367); None where it is one person that is watched."""
    form: int = 0
    """In which form its documents are: see `machine.packages`."""


class SubscriptionStore(Protocol):
    """Keeps subscriptions. Loss of the last change costs a refresh, so nothing waits for these writes."""

    def put(self, subscription: StoredSubscription) -> None:
        """Keeps a new or refreshed subscription."""

    def remove(self, subscription_id: str) -> None:
        """Forgets one."""

    def load(self) -> tuple[StoredSubscription, ...]:
        """Returns what was kept, at the start."""


@frozen(kw_only=True)
class StoredPublication:
    """One device's published presence, as it is kept (RFC 3903). ``expires_at`` is seconds since the epoch."""

    id: str
    version: int
    """The entity tag is ``id.version``: a device that knows it goes on with it after a restart."""
    aor: str
    source: tuple[str, str, str]
    """Whose it is, the flow that it came by, and the first Via of its way."""
    with_device: bool
    """Whether a device of this person was registered: then it holds no longer than one is."""
    expires_at: float
    body: bytes


class PublicationStore(Protocol):
    """Keeps publications."""

    def put(self, publication: StoredPublication, done: Done) -> None:
        """Keeps a new, changed or refreshed publication. The PUBLISH is answered after ``done``."""

    def remove(self, publication_id: str) -> None:
        """Forgets one, if it is there."""

    def load(self) -> tuple[StoredPublication, ...]:
        """Returns what was kept, at the start."""


class NoBindings:
    """A store that keeps nothing: registrations end with the process."""

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Done) -> None:
        """Calls back at once; the time given is ignored by the registrar for a save that ends inside the call."""
        del aor, bindings
        done(True, 0.0)

    def load(self) -> tuple[StoredBinding, ...]:
        """Returns nothing."""
        return ()


class NoSubscriptions:
    """A store that keeps nothing: subscriptions end with the process."""

    def put(self, subscription: StoredSubscription) -> None:
        """Does nothing."""

    def remove(self, subscription_id: str) -> None:
        """Does nothing."""

    def load(self) -> tuple[StoredSubscription, ...]:
        """Returns nothing."""
        return ()


class NoPublications:
    """A store that keeps nothing: publications end with the process."""

    def put(self, publication: StoredPublication, done: Done) -> None:
        """Calls back at once; the time given is ignored for a put that ends inside the call."""
        del publication
        done(True, 0.0)

    def remove(self, publication_id: str) -> None:
        """Does nothing."""

    def load(self) -> tuple[StoredPublication, ...]:
        """Returns nothing."""
        return ()
