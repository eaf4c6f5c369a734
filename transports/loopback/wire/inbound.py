"""What the server's lines mean to an account."""

from __future__ import annotations

from transports.loopback.wire import native
from transports.loopback.wire.lines import LineError, Object, number, text


def read(account: str, value: Object) -> native.Inbound | None:
    """The native event of a line; None: it is none (an answer, or of a kind that is not known).

    Raises:
        LineError: a field is missing or of the wrong type.
    """
    kind = value.get("is")
    if kind == "message":
        return _message(account, value)
    if kind == "delivered":
        return native.Delivered(account=account, by=text(value, "by"), id=text(value, "id"))
    if kind == "typing":
        return native.TypingReceived(account=account, sender=text(value, "from"), state=_typing(value))
    if kind == "presence":
        note = text(value, "note", default="")
        return native.PresenceReceived(account=account, name=text(value, "name"), show=_show(value), note=note)
    return None


def _message(account: str, value: Object) -> native.MessageReceived:
    sent = value.get("sent")
    return native.MessageReceived(
        account=account,
        sender=text(value, "from"),
        text=text(value, "text"),
        id=text(value, "id"),
        number=number(value, "number"),
        sent=float(sent) if isinstance(sent, int | float) else None,
        automatic=value.get("automatic") is True,
    )


def _typing(value: Object) -> native.Typing:
    try:
        return native.Typing(value.get("state"))
    except ValueError as error:
        raise LineError(f"state: {error}") from error


def _show(value: Object) -> native.Show:
    try:
        return native.Show(value.get("show"))
    except ValueError as error:
        raise LineError(f"show: {error}") from error
