"""What a homeserver pushes: transactions, and the events and ephemeral data in them.

Application Service API, "Pushing events"; Client-Server API, "Room Events" and "Modules". Everything comes from people
on any server, so nothing is taken to be of the type that it should have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from attrs import frozen

from transports.matrix.wire.errors import MatrixSyntaxError
from transports.matrix.wire.names import is_event_id, is_room_id, is_user_id

Json = Mapping[str, Any]
_EPHEMERAL: Final = ("ephemeral", "de.sorunome.msc2409.ephemeral")
MAX_TEXT: Final = 65_536
"""An event is no larger than this; a longer text in one is cut off, as no server lets it pass."""


@frozen(kw_only=True)
class Transaction:
    """What one push holds. ``fingerprint`` is the same when the same is pushed again, whatever its age is then."""

    events: tuple[object, ...]
    ephemeral: tuple[object, ...]
    fingerprint: bytes


@frozen(kw_only=True)
class Event:
    """One event of a room. ``state_key`` is None where it is no state. ``timestamp``: the sender's, in milliseconds."""

    type: str
    event_id: str
    room: str
    sender: str
    content: Json
    state_key: str | None = None
    timestamp: int | None = None
    redacts: str = ""


def loads(data: bytes) -> Any:
    """Reads JSON.

    Raises:
        MatrixSyntaxError: it is none.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass  # it refuses halves of surrogate pairs and large numbers, which other servers may let through
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MatrixSyntaxError(f"not JSON: {str(error)[:120]}") from error


def decode_transaction(data: bytes) -> Transaction:
    """Reads the body of a push.

    Raises:
        MatrixSyntaxError: it is no JSON object, or its lists are none. A single event that is wrong is not looked at.
    """
    body = loads(data)
    if not isinstance(body, dict):
        raise MatrixSyntaxError("a transaction is a JSON object")
    events = body.get("events", [])
    ephemeral: object = next((body[name] for name in _EPHEMERAL if name in body), [])
    if not isinstance(events, list) or not isinstance(ephemeral, list):
        raise MatrixSyntaxError("events and ephemeral are lists")
    return Transaction(events=tuple(events), ephemeral=tuple(ephemeral), fingerprint=_fingerprint(events, ephemeral))


def _fingerprint(events: list[object], ephemeral: list[object]) -> bytes:
    ids = [event.get("event_id") if isinstance(event, dict) else None for event in events]
    told = json.dumps([ids, ephemeral], sort_keys=True, default=str)
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def read_event(raw: object) -> Event:
    """Reads one event.

    Raises:
        MatrixSyntaxError: it has not what every event has.
    """
    if not isinstance(raw, dict):
        raise MatrixSyntaxError("an event is a JSON object")
    kind, event_id = text_in(raw, "type"), text_in(raw, "event_id")
    room, sender = text_in(raw, "room_id"), text_in(raw, "sender")
    if not kind:
        raise MatrixSyntaxError("an event without a type")
    if not is_event_id(event_id) or not is_room_id(room) or not is_user_id(sender):
        raise MatrixSyntaxError(f"{kind[:80]!a}: event_id, room_id or sender is no such identifier")
    content = raw.get("content")
    state_key, timestamp = raw.get("state_key"), raw.get("origin_server_ts")
    redacts = text_in(raw, "redacts")
    if not isinstance(content, dict):
        raise MatrixSyntaxError(f"{kind[:80]!a}: its content is no JSON object")
    if kind == "m.room.redaction" and not redacts:
        redacts = text_in(content, "redacts")  # since room version 11
    return Event(
        type=kind,
        event_id=event_id,
        room=room,
        sender=sender,
        content=content,
        state_key=state_key if isinstance(state_key, str) else None,
        timestamp=timestamp if is_count(timestamp) else None,
        redacts=redacts,
    )


def text_in(held: Json, key: str) -> str:
    """Returns a text of an object; empty where there is none, or something else."""
    value = held.get(key)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def object_in(held: Json, key: str) -> Json:
    """Returns an object of an object; empty where there is none, or something else."""
    value = held.get(key)
    return value if isinstance(value, dict) else {}


def is_count(value: object) -> bool:
    """Whether a value is a whole number of JSON that is not negative (and no boolean)."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


@frozen(kw_only=True)
class Relation:
    """How a message stands to another (``m.relates_to``)."""

    kind: str = ""
    """``m.replace``, ``m.annotation``, ``m.thread``, or nothing."""
    target: str = ""
    key: str = ""
    reply_to: str = ""


def relation_of(content: Json) -> Relation:
    """Reads the relation of a content; what is malformed is none."""
    relates = object_in(content, "m.relates_to")
    target, reply_to = text_in(relates, "event_id"), text_in(object_in(relates, "m.in_reply_to"), "event_id")
    return Relation(
        kind=text_in(relates, "rel_type") if is_event_id(target) else "",
        target=target if is_event_id(target) else "",
        key=text_in(relates, "key"),
        reply_to=reply_to if is_event_id(reply_to) else "",
    )


def readers_in(content: Json) -> Iterator[tuple[str, str, int | None]]:
    """Yields event id, user and time (milliseconds) of the public read receipts of an ``m.receipt``."""
    for event_id, kinds in content.items():
        if not is_event_id(event_id) or not isinstance(kinds, dict):
            continue
        for user, detail in object_in(kinds, "m.read").items():
            if is_user_id(user):
                moment = detail.get("ts") if isinstance(detail, dict) else None
                yield event_id, user, moment if is_count(moment) else None


def typists_in(content: Json) -> frozenset[str]:
    """Returns who types, of an ``m.typing``."""
    users = content.get("user_ids")
    return frozenset(user for user in users if isinstance(user, str)) if isinstance(users, list) else frozenset()
