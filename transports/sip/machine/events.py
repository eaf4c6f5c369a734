"""What an endpoint tells its owner. Values; the native events of `transports.sip.wire.native` are inside."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from bridge.model.capabilities import SendResult
from transports.sip.machine.elsewhere import PresenceFetched, PresenceSeen
from transports.sip.machine.watches import SubscriberEvent
from transports.sip.wire.native import SipMessage, SipPublished, SipRegistration, SipTyping, SipWatch


@frozen
class MessageReceived:
    """A MESSAGE of an authenticated person. Answer it with `Endpoint.answer(tx, ...)`, after the commit."""

    tx: int
    native: SipMessage | SipTyping


@frozen
class SendFinished:
    """What became of a `send_message` with this key."""

    key: str
    result: SendResult


@frozen
class TypingRanOut:
    """A client said that its user writes, and no more of it for too long (RFC 3994 section 3.3)."""

    native: SipTyping


@frozen
class RegistrationChanged:
    """An address-of-record has other contacts than before."""

    native: SipRegistration


@frozen
class Published:
    """A person's presence publication began, changed, was refreshed, or is over (``pidf`` None)."""

    native: SipPublished


@frozen
class SubscriptionOpened:
    """Somebody watches, or refreshes. Answer with `Endpoint.notify` when there is a state to show."""

    native: SipWatch
    resumed: bool = False
    """It was loaded from the store at the start."""


@frozen
class SubscriptionClosed:
    """A subscription, or the watch of an entry of a list, is over, and why."""

    id: str
    watcher: str
    target: str
    reason: str


@frozen
class RequestRefused:
    """A request that went no further, for the record: who claimed what, from where.

    ``challenged``: it was asked for credentials, and nobody came with any in the time of a transaction. To be asked is
    no refusal yet: the first request of most clients has none.
    """

    method: str
    source: str
    claimed_from: str
    target: str
    call_id: str
    status: int
    reason: str
    authenticated: str = ""
    challenged: bool = False


@frozen
class PeerChanged:
    """A trusted peer does not answer any more, or again; ``domains`` are those whose people it has."""

    name: str
    up: bool
    reason: str
    domains: tuple[str, ...]


EndpointEvent: TypeAlias = (
    MessageReceived
    | SendFinished
    | TypingRanOut
    | RegistrationChanged
    | Published
    | SubscriptionOpened
    | SubscriptionClosed
    | RequestRefused
    | PeerChanged
    | PresenceFetched
    | PresenceSeen
    | SubscriberEvent
)
