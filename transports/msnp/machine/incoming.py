"""What comes on a switchboard, made into native events."""

from __future__ import annotations

from attrs import frozen

from transports.msnp.wire import im
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime
from transports.msnp.wire.native import (
    ImReceived,
    ImUnreadable,
    Inbound,
    InvitationDeclined,
    Nudged,
    TypingReceived,
)

_DATACASTS = {1: "nudge", 2: "wink", 3: "voice", 4: "action"}


@frozen(kw_only=True)
class Read:
    """What a message is: an event, maybe none (it says nothing to a person), and what is answered of itself."""

    event: Inbound | None = None
    answer: Mime | None = None


def read(account: str, sender: str, name: str, message: Mime) -> Read:
    """Reads a whole message. Raises `MsnpSyntaxError`, for which `unreadable` is the event."""
    kind = message.content_type
    if kind == im.TEXT:
        return Read(event=_text(account, sender, name, message))
    if kind == im.TYPING:
        return _typing(account, sender, message)
    if kind == im.DATACAST:
        datacast = im.Datacast.decode(message)
        what = _DATACASTS.get(datacast.id, "datacast")
        return Read(event=Nudged(account=account, sender=sender, what=what, text=datacast.data))
    if kind == im.INVITE:
        return _invitation(account, sender, message)
    if kind == im.P2P:
        return _proposal(account, sender, message)
    if kind in im.SILENT:
        return Read()
    raise MsnpSyntaxError(f"a message of a kind that is not known: {kind[:60]!a}")


def _text(account: str, sender: str, name: str, message: Mime) -> ImReceived:
    text, lossy = im.read_text(message)
    value = message.get("X-MMS-IM-Format")
    return ImReceived(
        account=account,
        sender=sender,
        # a gateway to another client says in a header who speaks
        name=message.get("P4-Context") or name,
        text=text,
        look=None if value is None else im.Format.decode(value),
        message_id=message.get("Message-ID"),
        lossy=lossy,
    )


def _typing(account: str, sender: str, message: Mime) -> Read:
    if message.get("TypingUser") is None:
        return Read()  # a recording user, or what later clients have added
    return Read(event=TypingReceived(account=account, sender=sender, typing=True))


def _invitation(account: str, sender: str, message: Mime) -> Read:
    invitation = im.Invitation.decode(message)
    if invitation.command != "INVITE":
        return Read()
    event = InvitationDeclined(account=account, sender=sender, what=invitation.application, file=invitation.file)
    return Read(event=event, answer=invitation.declined())


def _proposal(account: str, sender: str, message: Mime) -> Read:
    if im.p2p_proposal(message) != im.FILE_TRANSFER_GUID:
        return Read()  # pictures and the like, which clients ask for without anybody's doing
    return Read(event=InvitationDeclined(account=account, sender=sender, what="File Transfer"))


def unreadable(account: str, sender: str | None, reason: str, raw: bytes) -> ImUnreadable:
    """What is told of a message that could not be read."""
    return ImUnreadable(account=account, sender=sender, reason=reason, raw=raw)
