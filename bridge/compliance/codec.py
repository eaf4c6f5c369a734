"""Envelope <-> JSON, in two halves: the headers (who, when, where) and the body (what).

The halves have commitments of their own, so that who and when can be shown without what. ``None`` and defaults are
left out. Decoding is strict: what it returns equals what was encoded, or it raises ``CodecError`` with the field.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import orjson

from bridge.compliance.errors import CodecError, UnrecordableError
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Attachment,
    Body,
    Edit,
    Failure,
    Membership,
    MembershipChange,
    Message,
    Part,
    PresenceUpdate,
    Reaction,
    Receipt,
    Retract,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.envelope import Direction, Envelope, Loss, Origin
from bridge.model.ids import (
    EventId,
    NetworkId,
    PersonId,
    RemoteConversationId,
    RemoteMessageId,
    RemoteUserId,
)
from bridge.model.presence import Activity, Basic, Device, PersonPresence

Json = dict[str, Any]
_SORTED = orjson.OPT_SORT_KEYS
_SAFE = float((1 << 53) - 1)
_TINY = 1e-4


def _seconds(value: float, name: str) -> float:
    """Returns a number in a form that RFC 8785 and orjson write alike: an integer, or a fraction of common size."""
    if value % 1.0 == 0.0 and -_SAFE <= value <= _SAFE:
        return int(value)
    if _TINY <= abs(value) <= _SAFE:  # false for NaN and the infinities, which JSON has no form for
        return value
    raise UnrecordableError(f"{name}: {value!r} is not a point in time")


def _dump(value: Json, what: str) -> bytes:
    try:
        return orjson.dumps(value, option=_SORTED)
    except TypeError as error:  # orjson.JSONEncodeError: a lone surrogate, or an integer beyond 64 bits
        raise UnrecordableError(f"{what}: {error}") from error


def _identity(identity: Identity) -> Json:
    address = identity.address
    out: Json = {"network": address.network, "user": address.user}
    if identity.person is not None:
        out["person"] = identity.person
    if identity.display_name:
        out["name"] = identity.display_name
    return out


def encode_header(envelope: Envelope) -> bytes:
    """Returns the canonical JSON of everything in an envelope but its body.

    Raises:
        UnrecordableError: a text is not valid Unicode, or a time is not finite.
    """
    origin = envelope.origin
    conversation = envelope.conversation
    source: Json = {"network": origin.network, "account": origin.account}
    if origin.remote_id is not None:
        source["remote_id"] = origin.remote_id
    if origin.user_agent:
        source["user_agent"] = origin.user_agent
    talk: Json = {"network": conversation.network, "remote_id": conversation.remote_id}
    if conversation.receiver is not None:
        talk["receiver"] = conversation.receiver
    out: Json = {
        "id": envelope.id,
        "origin": source,
        "conversation": talk,
        "sender": _identity(envelope.sender),
        "recipients": list(map(_identity, envelope.recipients)),
        "direction": envelope.direction._value_,  # `value` is a Python function in 3.11, ten times slower
        "received_at": _seconds(envelope.received_at, "received_at"),
    }
    if envelope.claimed_at is not None:
        out["claimed_at"] = _seconds(envelope.claimed_at, "claimed_at")
    if envelope.losses:
        out["losses"] = [{"feature": loss.feature, "detail": loss.detail} for loss in envelope.losses]
    return _dump(out, "headers")


def _part(part: Part) -> Json:
    if isinstance(part, TextPart):
        out: Json = {"text": part.text}
        if part.html is not None:
            out["html"] = part.html
        if part.language is not None:
            out["language"] = part.language
        return out
    return {
        "blob_ref": part.blob_ref,
        "media_type": part.media_type,
        "size": part.size,
        "sha256": part.sha256,
        "name": part.name,
    }


def _message(body: Message) -> Json:
    out: Json = {"type": "message", "parts": [_part(part) for part in body.parts]}
    if body.reply_to is not None:
        out["reply_to"] = body.reply_to
    if body.thread is not None:
        out["thread"] = body.thread
    if body.subject is not None:
        out["subject"] = body.subject
    if body.expires_at is not None:
        out["expires_at"] = _seconds(body.expires_at, "expires_at")
    if body.automatic:
        out["automatic"] = True
    if body.message_id is not None:
        out["message_id"] = body.message_id
    if body.wants:
        out["wants"] = [stage._value_ for stage in body.wants]
    return out


def _edit(body: Edit) -> Json:
    return {"type": "edit", "target": body.target, "replacement": _message(body.replacement)}


def _retract(body: Retract) -> Json:
    return {"type": "retract", "target": body.target}


def _reaction(body: Reaction) -> Json:
    out: Json = {"type": "reaction", "target": body.target, "emoji": body.emoji}
    if body.removed:
        out["removed"] = True
    return out


def _typing(body: Typing) -> Json:
    return {"type": "typing", "state": body.state.value}


def _membership(body: Membership) -> Json:
    return {"type": "membership", "member": body.member, "change": body.change.value}


def _receipt(body: Receipt) -> Json:
    out: Json = {"type": "receipt", "target": body.target, "stage": body.stage.value}
    if body.failure is not None:
        failure = body.failure
        out["failure"] = {
            "reason": failure.reason,
            "retryable": failure.retryable,
            "certain": failure.certain,
            "user_text": failure.user_text,
        }
    if body.sent_at is not None:
        out["sent_at"] = _seconds(body.sent_at, "sent_at")
    return out


def _times(source: object, names: tuple[str, ...], out: Json) -> None:
    for name in names:
        value = getattr(source, name)
        if value is not None:
            out[name] = _seconds(value, name)


def _device(device: Device) -> Json:
    out: Json = {"id": device.id, "basic": device.basic.value, "activity": device.activity.value}
    if device.note:
        out["note"] = device.note
    _times(device, ("priority", "idle_since", "timestamp"), out)
    return out


def _presence(body: PresenceUpdate) -> Json:
    person = body.presence
    out: Json = {"type": "presence", "basic": person.basic.value, "activity": person.activity.value}
    if person.note:
        out["note"] = person.note
    if person.devices:
        out["devices"] = [_device(device) for device in person.devices]
    if person.invisible:
        out["invisible"] = True
    _times(person, ("idle_since", "since", "expires_at"), out)
    return out


_ENCODERS: dict[type, Callable[[Any], Json]] = {
    Message: _message,
    Edit: _edit,
    Retract: _retract,
    Reaction: _reaction,
    Typing: _typing,
    Membership: _membership,
    Receipt: _receipt,
    PresenceUpdate: _presence,
}


def encode_body(body: Body) -> bytes:
    """Returns the canonical JSON of a body.

    Raises:
        UnrecordableError: a text is not valid Unicode, a number does not fit, or a time is not finite.
    """
    return _dump(_ENCODERS[type(body)](body), "body")


class _Reader:
    """Reads one JSON object; every error names the path to the field. A field that nobody read is an error too."""

    __slots__ = ("_left", "_path")

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise CodecError(f"{path}: not an object")
        self._left: Json = dict(value)
        self._path = path

    def fail(self, name: str, what: str) -> NoReturn:
        raise CodecError(f"{self._path}.{name}: {what}")

    def text(self, name: str) -> str:
        value = self._left.pop(name, None)
        if not isinstance(value, str):
            self.fail(name, "not a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if name in self._left else None

    def text_or_empty(self, name: str) -> str:
        return self.text(name) if name in self._left else ""

    def number(self, name: str) -> float:
        value = self._left.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, "not a number")
        return float(value)

    def number_or_none(self, name: str) -> float | None:
        return self.number(name) if name in self._left else None

    def integer(self, name: str) -> int:
        value = self._left.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(name, "not an integer")
        return value

    def flag(self, name: str) -> bool:
        value = self._left.pop(name, False)
        if not isinstance(value, bool):
            self.fail(name, "neither true nor false")
        return value

    def items(self, name: str) -> list["_Reader"]:
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            self.fail(name, "not a list")
        return [_Reader(item, f"{self._path}.{name}[{index}]") for index, item in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        value = self._left.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(name, "not a list of texts")
        return value

    def inner(self, name: str) -> "_Reader":
        return _Reader(self._left.pop(name, None), f"{self._path}.{name}")

    def has(self, name: str) -> bool:
        return name in self._left

    def done(self) -> None:
        if self._left:
            self.fail(min(self._left), "an unknown field")


def _read_identity(reader: _Reader) -> Identity:
    person = reader.text_or_none("person")
    identity = Identity(
        address=Address(network=NetworkId(reader.text("network")), user=RemoteUserId(reader.text("user"))),
        person=None if person is None else PersonId(person),
        display_name=reader.text_or_empty("name"),
    )
    reader.done()
    return identity


def _read_origin(reader: _Reader) -> Origin:
    remote = reader.text_or_none("remote_id")
    origin = Origin(
        network=NetworkId(reader.text("network")),
        account=reader.text("account"),
        remote_id=None if remote is None else RemoteMessageId(remote),
        user_agent=reader.text_or_empty("user_agent"),
    )
    reader.done()
    return origin


def _read_conversation(reader: _Reader) -> ConversationKey:
    receiver = reader.text_or_none("receiver")
    key = ConversationKey(
        network=NetworkId(reader.text("network")),
        remote_id=RemoteConversationId(reader.text("remote_id")),
        receiver=None if receiver is None else RemoteUserId(receiver),
    )
    reader.done()
    return key


def _read_loss(reader: _Reader) -> Loss:
    loss = Loss(feature=reader.text("feature"), detail=reader.text("detail"))
    reader.done()
    return loss


def _read_part(reader: _Reader) -> Part:
    part: Part
    if reader.has("text"):
        part = TextPart(
            text=reader.text("text"), html=reader.text_or_none("html"), language=reader.text_or_none("language")
        )
    else:
        part = Attachment(
            blob_ref=reader.text("blob_ref"),
            media_type=reader.text("media_type"),
            size=reader.integer("size"),
            sha256=reader.text("sha256"),
            name=reader.text("name"),
        )
    reader.done()
    return part


def _read_message(reader: _Reader) -> Message:
    reply, name = reader.text_or_none("reply_to"), reader.text_or_none("message_id")
    return Message(
        parts=tuple(_read_part(part) for part in reader.items("parts")),
        reply_to=None if reply is None else RemoteMessageId(reply),
        thread=reader.text_or_none("thread"),
        subject=reader.text_or_none("subject"),
        expires_at=reader.number_or_none("expires_at"),
        automatic=reader.flag("automatic"),
        message_id=None if name is None else RemoteMessageId(name),
        wants=tuple(Stage(word) for word in reader.texts("wants")),
    )


def _read_edit(reader: _Reader) -> Edit:
    inner = reader.inner("replacement")
    if inner.text("type") != "message":
        inner.fail("type", "only a message replaces a message")
    replacement = _read_message(inner)
    inner.done()
    return Edit(target=RemoteMessageId(reader.text("target")), replacement=replacement)


def _read_retract(reader: _Reader) -> Retract:
    return Retract(target=RemoteMessageId(reader.text("target")))


def _read_reaction(reader: _Reader) -> Reaction:
    return Reaction(
        target=RemoteMessageId(reader.text("target")), emoji=reader.text("emoji"), removed=reader.flag("removed")
    )


def _read_typing(reader: _Reader) -> Typing:
    return Typing(state=TypingState(reader.text("state")))


def _read_membership(reader: _Reader) -> Membership:
    return Membership(member=RemoteUserId(reader.text("member")), change=MembershipChange(reader.text("change")))


def _read_failure(reader: _Reader) -> Failure:
    failure = Failure(
        reason=reader.text("reason"),
        retryable=reader.flag("retryable"),
        certain=reader.flag("certain"),
        user_text=reader.text("user_text"),
    )
    reader.done()
    return failure


def _read_receipt(reader: _Reader) -> Receipt:
    return Receipt(
        target=EventId(reader.text("target")),
        stage=Stage(reader.text("stage")),
        failure=_read_failure(reader.inner("failure")) if reader.has("failure") else None,
        sent_at=reader.number_or_none("sent_at"),
    )


def _read_device(reader: _Reader) -> Device:
    device = Device(
        id=reader.text("id"),
        basic=Basic(reader.text("basic")),
        activity=Activity(reader.text("activity")),
        note=reader.text_or_empty("note"),
        priority=reader.number_or_none("priority"),
        idle_since=reader.number_or_none("idle_since"),
        timestamp=reader.number_or_none("timestamp"),
    )
    reader.done()
    return device


def _read_presence(reader: _Reader) -> PresenceUpdate:
    return PresenceUpdate(
        presence=PersonPresence(
            basic=Basic(reader.text("basic")),
            activity=Activity(reader.text("activity")),
            note=reader.text_or_empty("note"),
            idle_since=reader.number_or_none("idle_since"),
            since=reader.number_or_none("since"),
            expires_at=reader.number_or_none("expires_at"),
            devices=tuple(_read_device(device) for device in reader.items("devices")),
            invisible=reader.flag("invisible"),
        )
    )


_DECODERS: dict[str, Callable[[_Reader], Body]] = {
    "message": _read_message,
    "edit": _read_edit,
    "retract": _read_retract,
    "reaction": _read_reaction,
    "typing": _read_typing,
    "membership": _read_membership,
    "receipt": _read_receipt,
    "presence": _read_presence,
}


def _load(data: bytes, what: str) -> _Reader:
    try:
        return _Reader(orjson.loads(data), what)
    except orjson.JSONDecodeError as error:
        raise CodecError(f"{what}: not JSON: {error}") from error


def decode(header: bytes, body: bytes) -> Envelope:
    """Returns the envelope that ``encode_header`` and ``encode_body`` were given.

    Raises:
        CodecError: a field is missing, unknown or of the wrong kind; the message names it.
    """
    reader = _load(header, "headers")
    content = _load(body, "body")
    kind = content.text("type")
    decoder = _DECODERS.get(kind)
    if decoder is None:
        content.fail("type", f"unknown kind of body {kind!r}")
    try:
        decoded = decoder(content)
        content.done()
        envelope = Envelope(
            id=EventId(reader.text("id")),
            origin=_read_origin(reader.inner("origin")),
            conversation=_read_conversation(reader.inner("conversation")),
            sender=_read_identity(reader.inner("sender")),
            recipients=tuple(_read_identity(item) for item in reader.items("recipients")),
            direction=Direction(reader.text("direction")),
            received_at=reader.number("received_at"),
            body=decoded,
            claimed_at=reader.number_or_none("claimed_at"),
            losses=tuple(_read_loss(loss) for loss in reader.items("losses")),
        )
    except ValueError as error:  # a value that an Enum does not have
        raise CodecError(f"envelope: {error}") from error
    reader.done()
    return envelope
