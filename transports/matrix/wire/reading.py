"""Message events as native values (Client-Server API, "Instant Messaging", "Event replacements", "Reactions")."""

from __future__ import annotations

from typing import Final

from transports.matrix.wire.events import Event, Json, is_count, object_in, relation_of, text_in
from transports.matrix.wire.names import is_event_id
from transports.matrix.wire.native import Media, MessageReceived, ReactionReceived, RedactionReceived
from transports.matrix.wire.requests import HTML

MEDIA: Final = frozenset({"m.image", "m.file", "m.audio", "m.video", "m.location", "m.sticker"})
MAX_KEY: Final = 255


def message_of(event: Event, account: str) -> MessageReceived | None:
    """Reads an ``m.room.message`` or ``m.sticker``; None where nothing is said in it, as in one that was redacted."""
    relation = relation_of(event.content)
    content = event.content
    fresh = object_in(content, "m.new_content")
    if relation.kind == "m.replace" and fresh:
        content = fresh
    msgtype = "m.sticker" if event.type == "m.sticker" else text_in(content, "msgtype")
    body = text_in(content, "body")
    if not msgtype or (not body and not isinstance(content.get("body"), str)):
        return None
    html = text_in(content, "formatted_body") if content.get("format") == HTML else ""
    return MessageReceived(
        account=account,
        sender=event.sender,
        room=event.room,
        event_id=event.event_id,
        msgtype=msgtype[:255],
        body=body,
        html=html or None,
        timestamp=event.timestamp,
        replaces=relation.target if relation.kind == "m.replace" else "",
        reply_to=relation.reply_to,
        media=_media(content, msgtype),
    )


def _media(content: Json, msgtype: str) -> Media | None:
    if msgtype not in MEDIA:
        return None
    info = object_in(content, "info")
    size = info.get("size")
    url = text_in(content, "url") or text_in(object_in(content, "file"), "url") or text_in(content, "geo_uri")
    return Media(
        url=url[:2048],
        name=text_in(content, "filename")[:255],
        media_type=text_in(info, "mimetype")[:127],
        size=size if is_count(size) else None,
    )


def redaction_of(event: Event, account: str) -> RedactionReceived | None:
    """Reads an ``m.room.redaction``; None where it names no event."""
    if not is_event_id(event.redacts):
        return None
    return RedactionReceived(
        account=account,
        sender=event.sender,
        room=event.room,
        event_id=event.event_id,
        target=event.redacts,
        reason=text_in(event.content, "reason")[:1024],
        timestamp=event.timestamp,
    )


def reaction_of(event: Event, account: str) -> ReactionReceived | None:
    """Reads an ``m.reaction``; None where it is none."""
    relation = relation_of(event.content)
    if relation.kind != "m.annotation" or not relation.key:
        return None
    return ReactionReceived(
        account=account,
        sender=event.sender,
        room=event.room,
        event_id=event.event_id,
        target=relation.target,
        key=relation.key[:MAX_KEY],
        timestamp=event.timestamp,
    )
