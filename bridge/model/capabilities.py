"""What a network or a contact can take; the conformance suite fails where a transport declares what it does not do."""

from enum import Enum

from attrs import frozen

from bridge.model.body import Failure, Stage


class Support(Enum):
    """FULL: carried as it is. PARTIAL: carried with a loss that is reported. DROPPED: not carried."""

    FULL = "full"
    PARTIAL = "partial"
    DROPPED = "dropped"


@frozen(kw_only=True)
class Capabilities:
    """Features and limits of a transport, a link or one contact."""

    text: Support = Support.FULL
    html: Support = Support.DROPPED
    typing: Support = Support.DROPPED
    presence: Support = Support.DROPPED
    relayed_receipts: Support = Support.DROPPED
    delivered_receipts: Support = Support.DROPPED
    displayed_receipts: Support = Support.DROPPED
    offline_messages: Support = Support.DROPPED
    files: Support = Support.DROPPED
    rooms: Support = Support.DROPPED
    edits: Support = Support.DROPPED
    retractions: Support = Support.DROPPED
    reactions: Support = Support.DROPPED
    max_text_bytes: int = 8192
    """The longest text of one native message, in bytes of the encoding that the network uses for it."""


class LinkState(Enum):
    """The state of one signed-on account. It is an event, never an exception."""

    CONNECTING = "connecting"
    UP = "up"
    TRANSIENT = "transient"
    """Lost, and it will come back by itself."""
    AUTH_FAILED = "auth-failed"
    SIGNED_ON_ELSEWHERE = "signed-on-elsewhere"
    LOGGED_OUT = "logged-out"


@frozen(kw_only=True)
class LinkChange:
    """A link has entered a state."""

    network: str
    account: str
    state: LinkState
    reason: str = ""
    retry_in: float | None = None
    """Seconds until it is tried again of itself; None where it will not be."""

    @property
    def told(self) -> str:
        """The reason, and when it is tried again."""
        return self.reason if self.retry_in is None else f"{self.reason}; again in {self.retry_in:.0f} s"


RECIPIENT_OFFLINE = "offline"
"""The reason of a failure that ends when the recipient comes back: no device of theirs is registered."""
LINK_DOWN = "link-down"
"""The reason of a failure that ends when our own account is signed on again."""


@frozen(kw_only=True)
class SendResult:
    """What became of one native send.

    ``stage`` is a model Stage value; ``remote_id`` is the network's id, if any; ``aliases`` are other ids by which the
    network, or the recipient's device, may name it later.
    """

    stage: Stage
    remote_id: str | None = None
    failure: Failure | None = None
    aliases: tuple[str, ...] = ()
