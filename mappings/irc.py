"""IRC's native events and the model: messages with formatting codes, notices, actions, away, typing.

The mapping keeps nothing but a bounded memo of names. A line end has no form on IRC: each line is a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from attrs import frozen

from bridge.model.address import Identity
from bridge.model.body import (
    ContactEdit,
    Failure,
    Message,
    PresenceUpdate,
    Receipt,
    Stage,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.direct import DirectMapping, rich_with_subject
from mappings.identity import AddressError
from mappings.irc_format import from_irc, to_irc, writable
from mappings.presence import IRC
from mappings.richtext import Rich, Run, plain, split_rich, to_part, to_plain
from mappings.text import clean, utf8_cost
from transports.irc.wire import native as wire

ACTION: Final = "/me "
_ACTION_COST: Final = len("\x01ACTION \x01")
MAX_QUOTED: Final = 400
REFERENCE_CHARACTERS: Final = 24
ABSENT: Final = "Not available"
"""What is said of who is not there: an account stays signed on, so that messages still arrive."""

IrcNative = wire.Inbound | wire.Outbound

_TYPING_IN: Final = {
    wire.Typing.ACTIVE: TypingState.ACTIVE,
    wire.Typing.PAUSED: TypingState.PAUSED,
    wire.Typing.DONE: TypingState.IDLE,
}
_TYPING_OUT: Final = {
    TypingState.ACTIVE: wire.Typing.ACTIVE,
    TypingState.PAUSED: wire.Typing.PAUSED,
    TypingState.IDLE: wire.Typing.DONE,
    TypingState.GONE: wire.Typing.DONE,
}


@frozen(kw_only=True, eq=False)
class IrcMapping(DirectMapping):
    """Translates between an IRC transport and the model.

    Args:
        network: the configured name of the network.
    """

    KIND = "irc"

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link or a channel alone.

        What a person should know of and the model has no form for (somebody else wears a contact's name, an invitation)
        becomes an automatic message from whom it is about, in brackets. Unmappable where a name is none (``address``),
        or where the sender is not who the name says (``sender``).
        """
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.MessageReceived):
            return self._message(native)
        if isinstance(native, wire.TypingReceived):
            return (self._draft(native.account, native.sender, Typing(state=_TYPING_IN[native.state])),)
        if isinstance(native, wire.ContactPresence):
            return (self._draft(native.account, native.nick, PresenceUpdate(presence=_presence(native))),)
        if isinstance(native, wire.MessageFailed | wire.MessageRelayed):
            return (self._draft(native.account, native.to, _receipt(native)),)
        told = _notice(native)
        if told is None:
            return ()
        about, text = told
        body = Message(parts=(to_part(plain(text)),), automatic=True)
        return (self._draft(native.account, about, body),)

    def _message(self, native: wire.MessageReceived) -> tuple[Draft, ...] | Unmappable:
        if native.impostor:
            reason = (
                f"{native.sender} is the name of an account of ours, and was worn by {native.userhost or 'another'}"
            )
            return Unmappable(feature="sender", reason=reason)
        if native.unverified:
            account = native.services_account
            worn = f"logged in as {account}" if account else "logged in to no account"
            return Unmappable(feature="sender", reason=f"who wears the name {native.sender} is {worn}")
        rich = from_irc(native.text)
        if native.kind is wire.Kind.ACTION:
            rich = _joined(((ACTION, rich.runs[0][1] if rich.runs else plain(ACTION).runs[0][1]), *rich.runs), rich)
        losses = rich.losses
        if native.legacy:
            losses = (*losses, Loss(feature="charset", detail="no UTF-8: read as Windows-1252"))
        body = Message(parts=(to_part(rich),), automatic=native.kind is wire.Kind.NOTICE)
        remote_id = RemoteMessageId(f"{native.sender}/{native.message_id}") if native.message_id else None
        draft = self._draft(
            native.account,
            native.sender,
            body,
            shown=native.shown,
            remote_id=remote_id,
            claimed_at=native.timestamp,
            losses=losses,
        )
        return (draft,)

    def _identity(self, name: str, shown: str = "") -> Identity:
        """As the base's; what somebody called themselves last holds where nothing is said."""
        known = self._identities.get((name, ""))
        if known is None or (shown and shown not in {name, known.display_name}):
            known = self._made(name, shown)
            self._identities.put((name, ""), known)
        return known

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[IrcNative] | Unmappable:
        """Returns the native events that carry an envelope to one nickname, from the account that sends.

        Unmappable names as ``feature`` the kind of the body where IRC has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return _send_message(event, body, to, account, caps)
        if isinstance(body, Typing):
            if caps.typing is Support.DROPPED:
                return Unmappable(feature="typing", reason="this contact takes no typing notices")
            return Translated(natives=(wire.TypingSend(account=account, to=to, state=_TYPING_OUT[body.state]),))
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, ContactEdit):
            edit = wire.ContactAdd if body.wanted else wire.ContactRemove
            return Translated(natives=(edit(account=account, nick=to),))
        return Unmappable(feature=type(body).__name__.lower(), reason="IRC has no form for it")


def to_own(account: str, presence: PersonPresence) -> tuple[wire.OwnPresence, tuple[Loss, ...]]:
    """Returns how an account of ours shows itself for a person's presence: here, or away with a text."""
    if presence.basic is Basic.CLOSED or presence.invisible:
        loss = Loss(feature="presence", detail="absence is told as being away")
        return wire.OwnPresence(account=account, away_text=ABSENT), (loss,)
    word, note, losses = IRC.word(presence.activity, " ".join(clean(presence.note)[0].split()))
    if word == "away":
        return wire.OwnPresence(account=account, away_text=note or "Away"), losses
    if presence.note:
        losses = (*losses, Loss(feature="note", detail="shown only while away"))
    return wire.OwnPresence(account=account), losses


def _presence(native: wire.ContactPresence) -> PersonPresence:
    if not native.online:
        return OFFLINE
    if not native.away:
        return PersonPresence(basic=Basic.OPEN)
    return PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note=to_plain(from_irc(native.away_text)))


def _receipt(native: wire.MessageFailed | wire.MessageRelayed) -> Receipt:
    target = RemoteMessageId(native.message_id)
    if isinstance(native, wire.MessageRelayed):
        return Receipt(target=target, stage=Stage.RELAYED)
    failure = Failure(reason=native.reason, retryable=False, certain=True, user_text=native.user_text)
    return Receipt(target=target, stage=Stage.FAILED, failure=failure)


def _notice(native: wire.Inbound) -> tuple[str, str] | None:
    """Whom an event is about, and what to tell the person behind our account; None where it concerns the link alone."""
    if isinstance(native, wire.AwayReply):
        return native.nick, f"[is away]{_quoted(native.text)}"
    if isinstance(native, wire.PeerChanged):
        return native.nick, f"[this name is worn by somebody else now: before {native.before}, now {native.after}]"
    if isinstance(native, wire.PeerRenamed):
        return native.before, f"[is called {_quoted(native.after).strip()} now; this name may be somebody else's]"
    if isinstance(native, wire.RequestDeclined):
        what = "a file or a connection" if native.command == "DCC" else f"CTCP {_quoted(native.command).strip()}"
        return native.sender, f"[proposed {what}; it was not answered]{_quoted(native.text)}"
    if isinstance(native, wire.Invited):
        return native.sender, f"[invites you to the channel {_quoted(native.channel).strip()}; it was not entered]"
    return None


def _quoted(words: str) -> str:
    said = " ".join(to_plain(from_irc(words)).split())
    return f" {said[:MAX_QUOTED]}" if said else ""


def _send_message(event: Envelope, body: Message, to: str, account: str, caps: Capabilities) -> Translated[IrcNative]:
    rich, losses = rich_with_subject(body, keep_style=caps.html is not Support.DROPPED, written=writable)
    kind = wire.Kind.NOTICE if body.automatic else wire.Kind.MESSAGE
    natives: list[IrcNative] = []
    lines = _lines(rich)
    if len(lines) > 1:
        losses = (*losses, Loss(feature="line-ends", detail="each line is a message"))
    for line in lines:
        acted = to_plain(line).startswith(ACTION)
        said = _without(line, len(ACTION)) if acted else line
        for piece in split_rich(said, caps.max_text_bytes - _ACTION_COST, utf8_cost, to_irc):
            how = wire.Kind.ACTION if acted else kind
            named = reference(event.id, to, len(natives))
            said_so = wire.MessageSend(account=account, to=to, text=to_irc(piece), kind=how, reference=named)
            natives.append(said_so)
            acted = False  # what follows goes on as a text: "/me" would stand before each piece
    return Translated(natives=tuple(natives), losses=losses)


def reference(event: str, to: str, index: int) -> str:
    """Returns the name of one piece of one delivery: the same for every attempt."""
    return sha256(f"irc\0{event}\0{to}\0{index}".encode()).hexdigest()[:REFERENCE_CHARACTERS]


def _joined(runs: Iterable[Run], like: Rich) -> Rich:
    merged: list[Run] = []
    for text, style in runs:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        elif text:
            merged.append((text, style))
    return Rich(tuple(merged), like.losses)


def _lines(rich: Rich) -> list[Rich]:
    """Cuts at line ends. Empty lines at the end say nothing; one in between is a message with a blank."""
    lines: list[list[Run]] = [[]]
    for text, style in rich.runs:
        first, *rest = text.split("\n")
        if first:
            lines[-1].append((first, style))
        lines += [[(line, style)] if line else [] for line in rest]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    return [_joined(runs, Rich(())) for runs in lines]


def _without(rich: Rich, count: int) -> Rich:
    """Leaves out the first characters."""
    runs: list[Run] = []
    for text, style in rich.runs:
        kept = text[count:]
        count = max(0, count - len(text))
        if kept:
            runs.append((kept, style))
    return Rich(tuple(runs), rich.losses)
