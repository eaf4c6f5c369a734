"""What the mappings of networks have alike: conversations between two, and a message's text as runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from attrs import field, frozen

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Body, Message, TextPart
from bridge.model.cache import TwoGenerationCache
from bridge.model.envelope import Draft, Loss, Origin
from bridge.model.ids import NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from mappings.identity import normalise, safe_display_name
from mappings.richtext import Rich, from_part, plain, to_plain

MEMO_ENTRIES: Final = 16_384
Written = Callable[[Rich], tuple[Rich, tuple[Loss, ...]]]
"""Returns what a network can write of a formatted text, and what of it is lost."""


@frozen(kw_only=True, eq=False)
class DirectMapping:
    """The drafts of a network on which two names make a conversation. Keeps nothing but a bounded memo of names.

    Args:
        network: the configured name of the network.
    """

    KIND: ClassVar[str]
    """The kind of network, whose rule of names holds (``mappings.identity``)."""
    network: NetworkId
    _identities: TwoGenerationCache[tuple[str, str], Identity] = field(
        factory=lambda: TwoGenerationCache(MEMO_ENTRIES), init=False
    )

    def _identity(self, name: str, shown: str = "") -> Identity:
        """Returns who has a name. Raises AddressError.

        ``shown``: what they call themselves, if they said so.
        """
        known = self._identities.get((name, shown))
        if known is None:
            known = self._made(name, shown)
            self._identities.put((name, shown), known)
        return known

    def _made(self, name: str, shown: str) -> Identity:
        user = normalise(self.KIND, name)
        address = Address(network=self.network, user=RemoteUserId(user))
        return Identity(
            address=address, display_name="" if not shown or shown == user else safe_display_name(shown, user)
        )

    def _draft(
        self,
        account: str,
        other: str,
        body: Body,
        *,
        shown: str = "",
        room: str | None = None,
        remote_id: RemoteMessageId | None = None,
        claimed_at: float | None = None,
        losses: tuple[Loss, ...] = (),
    ) -> Draft:
        """Returns what somebody, ``other``, tells an account of ours. Raises AddressError.

        ``shown``: what they call themselves; ``room``: what names the conversation, where it is not they.
        """
        own, sender = self._identity(account), self._identity(other, shown)
        return Draft(
            origin=Origin(network=self.network, account=own.address.user, remote_id=remote_id),
            conversation=ConversationKey(
                network=self.network,
                remote_id=RemoteConversationId(sender.address.user if room is None else room),
                receiver=own.address.user,
            ),
            sender=sender,
            recipients=(own,),
            body=body,
            claimed_at=claimed_at,
            losses=losses,
        )


def _all(rich: Rich) -> tuple[Rich, tuple[Loss, ...]]:
    return rich, ()


def rich_of(body: Message, *, keep_style: bool, written: Written = _all) -> tuple[Rich, tuple[Loss, ...]]:
    """Returns the text of a message as runs, without its subject, and what of the message is lost by that.

    Args:
        body: the message.
        keep_style: whether its formatting is to be told.
        written: what of the formatting can be.
    """
    losses = [Loss(feature="attachment", detail=part.name) for part in body.parts if not isinstance(part, TextPart)]
    part = body.parts[0] if len(body.parts) == 1 else None
    if isinstance(part, TextPart) and part.html is not None and keep_style:
        rich, lost = written(from_part(part))
        losses += lost
    else:
        rich = plain(body.text)
        if any(isinstance(item, TextPart) and item.html is not None for item in body.parts):
            losses.append(Loss(feature="html", detail="formatting is told as plain text"))
    return rich, (*losses, *rich.losses)


def rich_with_subject(body: Message, *, keep_style: bool, written: Written = _all) -> tuple[Rich, tuple[Loss, ...]]:
    """As ``rich_of``, for a network without subjects: one is told as the first line of the text."""
    rich, losses = rich_of(body, keep_style=keep_style, written=written)
    if not body.subject:
        return rich, losses
    head = plain(f"{body.subject}\n")
    runs = (*head.runs, *rich.runs) if rich.styled else plain(f"{body.subject}\n{to_plain(rich)}").runs
    return Rich(runs), (Loss(feature="subject", detail="told in the text"), *losses)
