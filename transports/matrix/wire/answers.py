"""What a homeserver answers (Client-Server API, "Standard error response")."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from transports.matrix.wire.errors import MatrixSyntaxError
from transports.matrix.wire.events import Json, is_count, loads, object_in, read_event, text_in
from transports.matrix.wire.names import is_event_id, is_room_id, is_user_id

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds that a server may ask us to wait; more is not believed."""
DEFAULT_RETRY_AFTER: Final = 5.0


@frozen(kw_only=True)
class Refusal:
    """A request was refused. ``retry_after``: seconds that the server wants us to wait (``M_LIMIT_EXCEEDED``)."""

    status: int
    errcode: str
    error: str = ""
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.errcode}: {self.error}" if self.error else f"{self.status} {self.errcode}"

    @property
    def limited(self) -> bool:
        """Whether it may be asked again after a while."""
        return self.status == 429 or self.errcode == "M_LIMIT_EXCEEDED"

    @property
    def token_unknown(self) -> bool:
        """Whether the server does not know our token."""
        return self.errcode in {"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"}

    @property
    def server_trouble(self) -> bool:
        """Whether the server, or a proxy before it, cannot serve now."""
        return self.status >= 500


def read_answer(status: int, body: bytes, retry_after: str | None) -> Any | Refusal:
    """Reads an answer; a 2xx that holds no JSON is a `Refusal` of the code ``M_NOT_JSON``.

    Args:
        status: the HTTP status.
        body: as it came.
        retry_after: the header of that name, in seconds.
    """
    try:
        read: Any = loads(body)
    except MatrixSyntaxError:
        read = None
    if 200 <= status < 300:
        if isinstance(read, dict | list):
            return read
        return Refusal(status=502, errcode="M_NOT_JSON", error="the answer is no JSON")
    held: Json = read if isinstance(read, dict) else {}
    errcode = text_in(held, "errcode")[:64] or f"HTTP_{status}"
    return Refusal(
        status=status, errcode=errcode, error=text_in(held, "error")[:300], retry_after=_wait(status, held, retry_after)
    )


def _wait(status: int, held: Json, header: str | None) -> float | None:
    milliseconds = held.get("retry_after_ms")
    if is_count(milliseconds):
        return min(MAX_RETRY_AFTER, float(milliseconds) / 1000)  # type: ignore[arg-type]  # is_count says what it is
    if header is not None and header.isascii() and header.isdigit() and len(header) < 10:
        return min(MAX_RETRY_AFTER, float(header))
    return DEFAULT_RETRY_AFTER if status == 429 else None


def event_id_in(answer: Any) -> str | None:
    """Returns the event id of an answer."""
    found = text_in(answer, "event_id") if isinstance(answer, dict) else ""
    return found if is_event_id(found) else None


def room_id_in(answer: Any) -> str | None:
    """Returns the room id of an answer."""
    found = text_in(answer, "room_id") if isinstance(answer, dict) else ""
    return found if is_room_id(found) else None


def rooms_in(answer: Any) -> tuple[str, ...]:
    """Returns the rooms of an answer to ``joined_rooms``."""
    found = answer.get("joined_rooms") if isinstance(answer, dict) else None
    return tuple(one for one in found if isinstance(one, str) and is_room_id(one)) if isinstance(found, list) else ()


def recent_in(answer: Any) -> tuple[object, ...]:
    """Returns the events of an answer to ``messages``, as they are."""
    found = answer.get("chunk") if isinstance(answer, dict) else None
    return tuple(found) if isinstance(found, list) else ()


def direct_in(answer: Any) -> dict[str, list[str]]:
    """Returns who shares which rooms, of an answer about ``m.direct``."""
    if not isinstance(answer, dict):
        return {}
    found: dict[str, list[str]] = {}
    for user, rooms in answer.items():
        if is_user_id(user) and isinstance(rooms, list):
            found[user] = [room for room in rooms if isinstance(room, str) and is_room_id(room)]
    return found


@frozen(kw_only=True)
class RoomState:
    """What matters of a room's state: who is in it (user id to ``join`` or ``invite``), and whether it is encrypted."""

    members: dict[str, str]
    encrypted: bool


def state_in(answer: Any) -> RoomState:
    """Reads the state of a room; events that cannot be read are left out."""
    members: dict[str, str] = {}
    encrypted = False
    for raw in answer if isinstance(answer, list) else ():
        try:
            event = read_event(raw)
        except MatrixSyntaxError:
            continue
        if event.type == "m.room.encryption" and event.state_key == "":
            encrypted = True
        elif event.type == "m.room.member" and event.state_key is not None:
            membership = text_in(event.content, "membership")
            if membership in {"join", "invite"}:
                members[event.state_key] = membership
    return RoomState(members=members, encrypted=encrypted)


@frozen(kw_only=True)
class Seen:
    """Somebody's presence."""

    presence: str
    status_msg: str
    last_active_ago: int | None
    currently_active: bool


PRESENCES: Final = frozenset({"online", "unavailable", "offline", "busy", "org.matrix.msc3026.busy"})


def presence_in(content: Any) -> Seen | None:
    """Reads a presence, of an answer or an ``m.presence``; None where it is none."""
    held: Json = content if isinstance(content, dict) else {}
    presence = text_in(held, "presence")
    if presence not in PRESENCES:
        return None
    ago = held.get("last_active_ago")
    return Seen(
        presence="busy" if presence.endswith("busy") else presence,
        status_msg=text_in(held, "status_msg"),
        last_active_ago=ago if is_count(ago) else None,
        currently_active=held.get("currently_active") is True,
    )


__all__ = [
    "Refusal", "RoomState", "Seen", "direct_in", "event_id_in", "object_in", "presence_in", "read_answer",
    "room_id_in", "rooms_in", "state_in",
]  # fmt: skip
