"""Receipts: what becomes of a message is told to a sender who asked for it, in the sender's own name for it.

Two things are told. What the bridge knows itself when a delivery is settled: that the network has the message, or that
it failed. And what comes later from the other side: a network's acknowledgement, a notification of the recipient's
device. It names the message as the other side knows it, so those names are kept, bounded, for as long as somebody waits
for them.

Receipts are not on record and do not outlive the process; what they speak of is on record as the message's outcome.
"""

from collections.abc import Callable
from typing import Final

import structlog

from bridge.delivery.lanes import Parcel
from bridge.model.address import Address
from bridge.model.body import Failure, Message, Receipt, Stage
from bridge.model.capabilities import SendResult
from bridge.model.envelope import Draft, Envelope

log = structlog.get_logger(__name__)

Tell = Callable[[Envelope, Receipt], None]
"""Tells the sender of a message a receipt of it: ``EphemeralDelivery.tell_back``."""
FailedLate = Callable[[Parcel, Receipt], None]
"""Takes the news that a delivery which had ended well, or unknown, has failed."""

MOST: Final = 8192
"""Messages of which later word is understood; the oldest are forgotten first."""
MOST_EARLY: Final = 1024
"""Receipts that came before the name was known that they use: some devices report before they answer."""
_ASKED_AS: Final = {
    Stage.ACCEPTED: Stage.RELAYED,
    Stage.RELAYED: Stage.RELAYED,
    Stage.DELIVERED: Stage.DELIVERED,
    Stage.DISPLAYED: Stage.DISPLAYED,
    Stage.FAILED: Stage.FAILED,
    Stage.UNKNOWN: Stage.FAILED,
}
"""By what each stage is asked for: who wants to hear of a failure also wants to hear that nobody knows."""
_ARRIVED: Final = frozenset({Stage.DELIVERED, Stage.DISPLAYED})
_Name = tuple[Address, str]


class _Sent:
    """A message on its way to one recipient, or there."""

    __slots__ = ("names", "parcel", "pieces", "reached", "told")

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.pieces = 1
        self.names: list[_Name] = []
        self.reached: dict[Stage, set[int]] = {}
        self.told: set[Stage] = set()


def wants_receipts(envelope: Envelope) -> bool:
    """Whether the sender of a message is to be told of anything."""
    body = envelope.body
    return type(body) is Message and bool(body.wants) and body.message_id is not None


class Receipts:
    """Keeps what is asked for, and tells it once.

    Args:
        most: how many messages are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self.tell: Tell | None = None
        """Set by the owner; without it nobody is told."""
        self.failed_late: FailedLate | None = None
        self._most = most
        self._sent: dict[str, _Sent] = {}
        self._named: dict[_Name, tuple[_Sent, int]] = {}
        self._early: dict[_Name, Receipt] = {}

    def __len__(self) -> int:
        return len(self._sent)

    # What the pipeline says

    def sending(self, parcel: Parcel, pieces: int) -> None:
        """A message that wants receipts goes out, as so many native messages: each has the event's id as a name."""
        sent = self._kept(parcel)
        sent.pieces = pieces
        for index in range(pieces):
            self._name(sent, parcel.item.event if pieces == 1 else f"{parcel.item.event}.{index}", index)

    def named(self, parcel: Parcel, index: int, result: SendResult) -> None:
        """The network, or the recipient's device, may speak of a native message by these names."""
        sent = self._kept(parcel)
        for name in (*((result.remote_id,) if result.remote_id is not None else ()), *result.aliases):
            self._name(sent, name, index)

    def settled(self, parcel: Parcel, stage: Stage, failure: Failure | None, *, vouched: bool) -> None:
        """A delivery of a message that wants receipts has ended.

        ``vouched``: the network's word for delivered means that the recipient has it. A SIP device's 2xx does not
        (RFC 5438 section 8.2): there only the device's own notification makes a positive one.

        Unknown without a failure is what a network says that confirms nothing: there is no word to pass on. It would
        be a guess that the network has the message, and an alarm that it may be lost.
        """
        sent = self._kept(parcel)
        if failure is not None:
            self._tell_once(sent, stage, failure)
            if stage is Stage.FAILED:
                self._forget(sent)
            return
        if stage is Stage.UNKNOWN:
            return
        self._tell_once(sent, Stage.RELAYED, None)
        if stage in _ARRIVED and vouched:
            self._tell_once(sent, stage, None)

    def refused(self, envelope: Envelope, failure: Failure) -> None:
        """A message was refused before it was sent anywhere, and after its sender was told that it was taken."""
        if wants_receipts(envelope):
            self._tell(envelope, Stage.FAILED, failure)

    def waits(self, parcel: Parcel) -> None:
        """A message waits for its recipient."""
        if wants_receipts(parcel.envelope):
            self._tell_once(self._kept(parcel), Stage.ACCEPTED, None)

    # What comes from the other side

    def came(self, draft: Draft) -> None:
        """Takes a receipt of somebody for a message that was sent to them. One of nothing that is known ends here."""
        receipt = draft.body
        assert isinstance(receipt, Receipt)
        name = (draft.sender.address, receipt.target)
        found = self._named.get(name)
        if found is None:
            self._early.pop(name, None)
            if len(self._early) >= MOST_EARLY:
                del self._early[next(iter(self._early))]
            self._early[name] = receipt
            log.debug("a receipt of nothing that is known", of=receipt.target, stage=receipt.stage.value)
            return
        self._came(*found, receipt)

    def _came(self, sent: _Sent, index: int, receipt: Receipt) -> None:
        stage = receipt.stage
        if stage is Stage.UNKNOWN or (sent.told & _ARRIVED and stage not in _ARRIVED):
            return  # no news: a device that lets nobody know, or one of several that lags behind another
        if stage is Stage.FAILED:
            if self.failed_late is not None and sent.parcel.settled:
                self.failed_late(sent.parcel, receipt)
            self._tell_once(sent, stage, receipt.failure)
            self._forget(sent)
            return
        reached = sent.reached.setdefault(stage, set())
        reached.add(index)
        if len(reached) >= sent.pieces:
            self._tell_once(sent, stage, None)
            if stage is Stage.DISPLAYED:
                self._forget(sent)

    def _tell_once(self, sent: _Sent, stage: Stage, failure: Failure | None) -> None:
        if stage not in sent.told:
            sent.told.add(stage)
            self._tell(sent.parcel.envelope, stage, failure)

    def _tell(self, envelope: Envelope, stage: Stage, failure: Failure | None) -> None:
        body = envelope.body
        if self.tell is None or not isinstance(body, Message) or body.message_id is None:
            return
        if _ASKED_AS[stage] in body.wants:
            receipt = Receipt(target=body.message_id, stage=stage, failure=failure, sent_at=envelope.claimed_at)
            self.tell(envelope, receipt)

    # The tables

    def _kept(self, parcel: Parcel) -> _Sent:
        key = parcel.item.key
        sent = self._sent.get(key)
        if sent is None:
            if len(self._sent) >= self._most:
                self._forget(self._sent[next(iter(self._sent))])
            sent = self._sent[key] = _Sent(parcel)
        return sent

    def _name(self, sent: _Sent, name: str, index: int) -> None:
        key = (sent.parcel.envelope.recipients[0].address, name)
        if key not in self._named:
            sent.names.append(key)
        self._named[key] = (sent, index)
        early = self._early.pop(key, None)
        if early is not None:
            self._came(sent, index, early)

    def _forget(self, sent: _Sent) -> None:
        self._sent.pop(sent.parcel.item.key, None)
        for name in sent.names:
            found = self._named.get(name)
            if found is not None and found[0] is sent:
                del self._named[name]
