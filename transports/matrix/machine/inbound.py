"""What the homeserver pushes, event by event: who wrote to which ghost, and who came, went and invited."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from transports.matrix.machine.accounts import Accounts
from transports.matrix.machine.calls import Lost, Outcome
from transports.matrix.machine.context import Context
from transports.matrix.machine.pushes import Push, Pushes
from transports.matrix.machine.rooms import Room
from transports.matrix.wire import requests
from transports.matrix.wire.answers import Refusal, presence_in, recent_in, state_in
from transports.matrix.wire.errors import MatrixSyntaxError
from transports.matrix.wire.events import (
    Event,
    Transaction,
    object_in,
    read_event,
    readers_in,
    text_in,
    typists_in,
)
from transports.matrix.wire.names import is_room_id, is_user_id
from transports.matrix.wire.native import (
    Inbound,
    Invited,
    Join,
    Leave,
    MessageSend,
    PresenceReceived,
    ReadReceived,
    RoomLeft,
    TypingReceived,
    Unreadable,
)
from transports.matrix.wire.reading import message_of, reaction_of, redaction_of

ENCRYPTED: Final = (
    "This conversation is encrypted, and the bridge to the company cannot read that. Nothing that is written here "
    "arrives. Please write in a conversation that is not encrypted."
)
SEVERAL: Final = "Conversations of several people are not carried by this bridge yet."
MAX_RAW: Final = 65_536
_SILENT: Final = (
    "m.call.candidates", "m.call.answer", "m.call.hangup", "m.call.select_answer", "m.call.reject", "m.call.negotiate",
    "m.call.sdp_stream_metadata_changed", "m.key.verification.", "m.room_key_request",
)  # fmt: skip
"""Message events in which nobody says anything: the handshakes of calls and devices."""


class InboundEvents:
    """Takes pushes.

    Args:
        context: what the session shares.
        accounts: our ghosts.
    """

    def __init__(self, context: Context, accounts: Accounts) -> None:
        self._context = context
        self._accounts = accounts
        self.pushes: Pushes
        """Set by the owner."""
        self._answering: dict[tuple[str, str], Push] = {}
        self.malformed = 0
        self.skipped = 0

    def take(self, transaction: Transaction, push: Push, now: float) -> None:
        """Takes what a push holds, in order."""
        for raw in transaction.events:
            try:
                event = read_event(raw)
            except MatrixSyntaxError as error:
                self.malformed += 1
                self._unreadable(None, _sender_of(raw), "", "malformed", str(error), raw, push)
                continue
            if not self.pushes.was_recorded(event.event_id):
                self._event(event, raw, push, now)
        for raw in transaction.ephemeral:
            if isinstance(raw, dict):
                self._ephemeral(raw, now)

    def _tell(self, event: Inbound, event_id: str, push: Push | None) -> None:
        self._context.emit(event, self.pushes.ticket(push, event_id))

    def _event(self, event: Event, raw: object, push: Push, now: float) -> None:
        if event.type == "m.room.member" and event.state_key is not None:
            self._member(event, event.state_key, push, now)
            return
        if self._context.is_ours(event.sender):
            return  # the echo of what we did
        room = self._context.rooms.get(event.room)
        if event.state_key is not None:
            if event.type == "m.room.encryption" and room is not None and not room.encrypted:
                room.encrypted = True
                self._say(room, ENCRYPTED, "encrypted", now)
                why = "the conversation has become encrypted, and cannot be read from now on"
                self._unreadable(room, event.sender, event.event_id, event.type, why, raw, push)
            return
        if event.type.startswith(_SILENT):
            self.skipped += 1
            return
        if room is None or not room.joined or event.sender != (room.peer or room.inviter):
            why = "it came from a room in which no account of ours is with this person alone"
            self._unreadable(None, event.sender, event.event_id, event.type, why, raw, push)
            return
        self._said(room, event, raw, push, now)

    def _said(self, room: Room, event: Event, raw: object, push: Push, now: float) -> None:
        native: Inbound | None = None
        why = "this kind of event is not known here"
        if event.type in {"m.room.message", "m.sticker"}:
            native, why = message_of(event, room.account), "it has no content that can be read"
        elif event.type == "m.room.redaction":
            native, why = redaction_of(event, room.account), "it names no event"
        elif event.type == "m.reaction":
            native, why = reaction_of(event, room.account), "it names no event or no reaction"
        elif event.type == "m.room.encrypted":
            room.encrypted = True
            self._say(room, ENCRYPTED, "encrypted", now)
            why = "it is encrypted, and this bridge cannot read that"
        if native is not None:
            self._tell(native, event.event_id, push)
        else:
            self._unreadable(room, event.sender, event.event_id, event.type, why, raw, push)

    def _unreadable(
        self, room: Room | None, sender: str, event_id: str, kind: str, why: str, raw: object, push: Push
    ) -> None:
        account = "" if room is None else room.account
        room_id = text_in(raw, "room_id")[:255] if isinstance(raw, dict) else ""
        event = Unreadable(
            account=account, sender=sender, room=room_id, event_id=event_id, kind=kind[:255], reason=why, raw=_raw(raw)
        )
        self._tell(event, event_id, push)

    def _say(self, room: Room, text: str, what: str, now: float) -> None:
        """Says something in a room, once."""
        if what in room.said or not self._context.is_up():
            return
        room.said.add(what)
        txn_id = "n" + blake2b(f"{room.id}\0{what}\0{now}".encode(), digest_size=16).hexdigest()
        notice = MessageSend(account=room.account, to=room.peer, txn_id=txn_id, body=text, msgtype="m.notice")
        lane = (room.account, room.peer)
        self._context.calls.submit(requests.message(notice, room.id), lane, _nothing, now, deadline=now + 60.0)

    # Who is in a room

    def _member(self, event: Event, who: str, push: Push, now: float) -> None:
        membership = text_in(event.content, "membership")
        if self._context.is_ours(who):
            if self._context.is_ours(event.sender):
                self._own_member(event, who, membership, now)
            elif membership == "invite":
                self._invited(event, who, push, now)
            elif membership in {"leave", "ban"}:
                self._put_out(event, who, membership, push)
            return
        room = self._context.rooms.get(event.room)
        if room is None:
            return
        if membership in {"join", "invite"}:
            room.members[who] = membership
            if not room.peer:
                self._context.rooms.bind(room, who)
            if len(room.members) > 1 and room.joined:
                self._leave_several(room, event, push, now)
            elif membership == "join":
                self._accounts.look(room.account, who, now)
        else:
            room.members.pop(who, None)

    def _own_member(self, event: Event, who: str, membership: str, now: float) -> None:
        """What we did ourselves: a room that was made may be told here before its maker is answered."""
        rooms = self._context.rooms
        room = rooms.get(event.room)
        if membership == "join" and room is None and who != self._context.bot and rooms.has_room_for(who):
            if not rooms.was_left(event.room):
                rooms.add(Room(event.room, who))
        elif membership in {"leave", "ban"} and room is not None and room.account == who:
            rooms.remove(room)

    def _put_out(self, event: Event, who: str, membership: str, push: Push) -> None:
        room = self._context.rooms.get(event.room)
        if room is None or room.account != who:
            return  # an invitation was taken back
        self._context.rooms.remove(room)
        reason = text_in(event.content, "reason")[:300]
        how = "has put you out of the conversation" if membership == "leave" else "has shut you out"
        self._tell(
            RoomLeft(
                account=who, sender=event.sender, room=event.room, event_id=event.event_id, ours=False,
                reason=f"{how}: {reason}" if reason else how, timestamp=event.timestamp,
            ),
            event.event_id,
            push,
        )  # fmt: skip

    def _leave_several(self, room: Room, event: Event, push: Push, now: float) -> None:
        self._say(room, SEVERAL, "several", now)
        self._leave(room.account, room.id, SEVERAL, now)
        self._context.rooms.remove(room)
        self._tell(
            RoomLeft(
                account=room.account, sender=event.sender, room=room.id, event_id=event.event_id, ours=True,
                reason="others were asked into the conversation", timestamp=event.timestamp,
            ),
            event.event_id,
            push,
        )  # fmt: skip

    def _leave(self, account: str, room: str, reason: str, now: float) -> None:
        lane = (account, self._peer_of(room) or room)
        self._context.calls.submit(requests.leave(account, room, reason), lane, _nothing, now)

    def _peer_of(self, room: str) -> str:
        held = self._context.rooms.get(room)
        return "" if held is None else held.peer

    # Invitations

    def _invited(self, event: Event, who: str, push: Push, now: float) -> None:
        if who == self._context.bot:
            why = "the bridge itself was invited, and has nothing to say"
            self._unreadable(None, event.sender, event.event_id, event.type, why, {"room_id": event.room}, push)
            self._leave(who, event.room, "This is a bridge. Please write to the person whom you want to reach.", now)
            return
        self.pushes.hold(push)
        before = self._answering.pop((who, event.room), None)
        if before is not None:
            self.pushes.release(before)
        self._answering[who, event.room] = push
        self._tell(
            Invited(
                account=who, sender=event.sender, room=event.room, event_id=event.event_id,
                direct=event.content.get("is_direct") is True, timestamp=event.timestamp,
            ),
            event.event_id,
            push,
        )  # fmt: skip

    def _answered(self, account: str, room: str) -> None:
        push = self._answering.pop((account, room), None)
        if push is not None:
            self.pushes.release(push)

    def leave(self, native: Leave, now: float) -> None:
        """Declines an invitation, or leaves a room."""
        room = self._context.rooms.get(native.room)
        lane = (native.account, native.room if room is None else room.peer)
        if room is not None and room.account == native.account:
            self._context.rooms.remove(room)

        def answered(_outcome: Outcome, _now: float) -> None:
            self._answered(native.account, native.room)

        request = requests.leave(native.account, native.room, native.reason)
        self._context.calls.submit(request, lane, answered, now)

    def join(self, native: Join, now: float) -> None:
        """Accepts an invitation, and looks whether the room is one of two."""
        account = native.account
        rooms = self._context.rooms
        held = rooms.get(native.room)
        if (held is not None and held.account != account) or not rooms.has_room_for(account):
            self.leave(Leave(account=account, room=native.room, reason=SEVERAL), now)
            return
        # From here on the inviter writes to us in it, also before the homeserver has told who else is there.
        room = held or rooms.add(Room(native.room, account, inviter=native.sender, checked=False))
        room.joined = True

        def joined(outcome: Outcome, at: float) -> None:
            if isinstance(outcome, Refusal | Lost):
                rooms.remove(room)
                self._answered(account, native.room)
                return
            state = requests.state(account, native.room)
            self._context.calls.submit(state, (account, native.room), seen, at)

        def seen(outcome: Outcome, at: float) -> None:
            self._seen(room, native.sender, outcome, at)
            if rooms.get(native.room) is not room:
                self._answered(account, native.room)
                return
            recent = requests.recent(account, native.room)
            self._context.calls.submit(recent, (account, native.room), read, at)

        def read(outcome: Outcome, at: float) -> None:
            self._written_before(room, outcome, at)
            self._answered(account, native.room)

        timeout = self._context.config.join_timeout
        lane = (account, native.room)
        self._context.calls.submit(requests.join(account, native.room), lane, joined, now, timeout=timeout)

    def _seen(self, room: Room, inviter: str, outcome: Outcome, now: float) -> None:
        if self._context.rooms.get(room.id) is not room:
            return  # left meanwhile
        if isinstance(outcome, Refusal | Lost):
            self._take_room(room, inviter, now)  # it is asked again before anything is sent there
            return
        state = state_in(outcome)
        room.members = {user: how for user, how in state.members.items() if user != room.account}
        room.checked = True
        if len(room.members) > 1:
            self._say(room, SEVERAL, "several", now)
            self._leave(room.account, room.id, SEVERAL, now)
            self._context.rooms.remove(room)
            self._tell(
                RoomLeft(
                    account=room.account, sender=inviter, room=room.id, event_id="", ours=True,
                    reason="has asked you into a conversation of several people",
                ),
                "",
                None,
            )  # fmt: skip
            return
        peer = next(iter(room.members), inviter)
        self._take_room(room, peer, now)
        if state.encrypted:
            room.encrypted = True
            self._say(room, ENCRYPTED, "encrypted", now)

    def _written_before(self, room: Room, outcome: Outcome, now: float) -> None:
        """What was written before we had joined is pushed to nobody: it is read, up to the invitation or before it."""
        push = self._answering.get((room.account, room.id))
        if push is None or isinstance(outcome, Refusal | Lost) or self._context.rooms.get(room.id) is not room:
            return
        events: list[tuple[Event, object]] = []
        before = False
        for raw in recent_in(outcome):  # the newest first
            try:
                event = read_event(raw)
            except MatrixSyntaxError:
                continue
            if event.type == "m.room.member" and event.state_key == room.account:
                membership = text_in(event.content, "membership")
                if membership == "join":
                    before = True
                elif membership == "leave":
                    break  # what was said when we were here before is known
            elif before and event.state_key is None and not self.pushes.was_recorded(event.event_id):
                events.append((event, raw))
        for event, raw in reversed(events):
            self._event(event, raw, push, now)

    def _take_room(self, room: Room, peer: str, now: float) -> None:
        """The newest room of a pair is the one; the one before is left."""
        before = self._context.rooms.bind(room, peer)
        room.members.setdefault(peer, "join")
        if before is not None and before.joined:
            self._context.rooms.remove(before)
            self._leave(before.account, before.id, "The conversation goes on in another room.", now)
        account = self._accounts.get(room.account)
        if account is not None:
            self._accounts.note_direct(account, peer, room.id, now)
        self._accounts.look(room.account, peer, now)

    # What is not kept

    def _ephemeral(self, raw: dict[str, Any], now: float) -> None:
        kind, content = raw.get("type"), object_in(raw, "content")
        room_id = text_in(raw, "room_id")
        if kind == "m.presence":
            self._presence(text_in(raw, "sender"), content)
            return
        room = self._context.rooms.get(room_id) if is_room_id(room_id) else None
        if room is None or not room.peer:
            return
        if kind == "m.typing":
            types = room.peer in typists_in(content)
            if types != room.typing:
                room.typing = types
                event = TypingReceived(account=room.account, sender=room.peer, room=room.id, typing=types)
                self._context.emit(event)
        elif kind == "m.receipt":
            for event_id, user, moment in readers_in(content):
                if user == room.peer:
                    self._read(room, event_id, moment)

    def _read(self, room: Room, event_id: str, moment: int | None) -> None:
        for sent in room.read_up_to(event_id):
            self._context.emit(
                ReadReceived(account=room.account, sender=room.peer, room=room.id, event_id=sent, timestamp=moment)
            )

    def _presence(self, user: str, content: object) -> None:
        seen = presence_in(content)
        if seen is None or not is_user_id(user) or self._context.is_ours(user):
            return
        for room in self._context.rooms.of_peer(user):
            self._context.emit(
                PresenceReceived(
                    account=room.account,
                    user=user,
                    presence=seen.presence,
                    status_msg=seen.status_msg,
                    last_active_ago=seen.last_active_ago,
                    currently_active=seen.currently_active,
                )
            )


def _nothing(_outcome: Outcome, _now: float) -> None:
    """Nobody waits for it."""


def _sender_of(raw: object) -> str:
    sender = text_in(raw, "sender") if isinstance(raw, dict) else ""
    return sender if is_user_id(sender) else ""


def _raw(raw: object) -> bytes:
    try:
        return orjson.dumps(raw)[:MAX_RAW]
    except TypeError:
        return repr(raw).encode("utf-8", "backslashreplace")[:MAX_RAW]
