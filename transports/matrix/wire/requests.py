"""The requests that an application service makes of its homeserver (Client-Server API v3).

A ghost acts by the ``user_id`` of the query ("Identity assertion"): the token is the service's own.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import orjson
from attrs import frozen

from transports.matrix.wire.native import MessageSend, OwnPresence, ReactionSend

CLIENT: Final = "/_matrix/client/v3"
HTML: Final = "org.matrix.custom.html"


@frozen(kw_only=True)
class Request:
    """One request. ``user``: the ghost that makes it; empty: the service itself."""

    method: str
    path: str
    user: str = ""
    body: dict[str, Any] | None = None
    query: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        """The path with its query."""
        query = [*self.query, *((("user_id", self.user),) if self.user else ())]
        told = "&".join(f"{name}={_part(value)}" for name, value in query)
        return f"{self.path}?{told}" if told else self.path

    def content(self) -> bytes:
        """Returns the JSON of the body. Halves of surrogate pairs were taken out before: orjson refuses them."""
        return b"" if self.body is None else orjson.dumps(self.body)


def _part(text: str) -> str:
    return quote(text, safe="")


def _room(room: str, *rest: str) -> str:
    return "/".join((f"{CLIENT}/rooms", _part(room), *map(_part, rest)))


# The service


def whoami() -> Request:
    """Asks who the token belongs to."""
    return Request(method="GET", path=f"{CLIENT}/account/whoami")


def ping(service: str, transaction: str) -> Request:
    """Asks the homeserver to reach us (Application Service API, "Pinging"); servers then push what has waited."""
    path = f"/_matrix/client/v1/appservice/{_part(service)}/ping"
    return Request(method="POST", path=path, body={"transaction_id": transaction})


def register(localpart: str) -> Request:
    """Makes a ghost ("Server admin style permissions"); it gets no token of its own."""
    body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
    return Request(method="POST", path=f"{CLIENT}/register", body=body)


# A ghost


def display_name(user: str, name: str) -> Request:
    """Sets how a ghost is called."""
    path = f"{CLIENT}/profile/{_part(user)}/displayname"
    return Request(method="PUT", path=path, user=user, body={"displayname": name})


def show(own: OwnPresence) -> Request:
    """Sets a ghost's presence."""
    body = {"presence": own.presence}
    if own.status_msg:
        body["status_msg"] = own.status_msg
    path = f"{CLIENT}/presence/{_part(own.account)}/status"
    return Request(method="PUT", path=path, user=own.account, body=body)


def presence_of(user: str, other: str) -> Request:
    """Asks for somebody's presence, as a ghost may see it."""
    return Request(method="GET", path=f"{CLIENT}/presence/{_part(other)}/status", user=user)


def direct_rooms(user: str) -> Request:
    """Asks which rooms a ghost has called direct (``m.direct``)."""
    return Request(method="GET", path=f"{CLIENT}/user/{_part(user)}/account_data/m.direct", user=user)


def set_direct_rooms(user: str, rooms: dict[str, list[str]]) -> Request:
    """Notes which rooms are direct."""
    path = f"{CLIENT}/user/{_part(user)}/account_data/m.direct"
    return Request(method="PUT", path=path, user=user, body=dict(rooms))


def joined_rooms(user: str) -> Request:
    """Asks for the rooms that a ghost is in."""
    return Request(method="GET", path=f"{CLIENT}/joined_rooms", user=user)


# Rooms


def create_direct(user: str, other: str) -> Request:
    """Makes a room for two, in which both have the same rights."""
    body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [other]}
    return Request(method="POST", path=f"{CLIENT}/createRoom", user=user, body=body)


def state(user: str, room: str) -> Request:
    """Asks for the whole state of a room."""
    return Request(method="GET", path=_room(room, "state"), user=user)


def recent(user: str, room: str) -> Request:
    """Asks for the last events of a room, the newest first."""
    return Request(method="GET", path=_room(room, "messages"), user=user, query=(("dir", "b"), ("limit", "50")))


def invite(user: str, room: str, other: str) -> Request:
    """Invites somebody."""
    return Request(method="POST", path=_room(room, "invite"), user=user, body={"user_id": other})


def join(user: str, room: str) -> Request:
    """Accepts an invitation."""
    return Request(method="POST", path=_room(room, "join"), user=user, body={})


def leave(user: str, room: str, reason: str) -> Request:
    """Leaves a room, or declines."""
    body = {"reason": reason} if reason else {}
    return Request(method="POST", path=_room(room, "leave"), user=user, body=body)


def typing(user: str, room: str, timeout_ms: int) -> Request:
    """Shows that a ghost types, for so long; 0: not any more."""
    body: dict[str, Any] = {"typing": True, "timeout": timeout_ms} if timeout_ms else {"typing": False}
    return Request(method="PUT", path=_room(room, "typing", user), user=user, body=body)


def read(user: str, room: str, event_id: str) -> Request:
    """Shows that a ghost has read everything up to an event."""
    return Request(method="POST", path=_room(room, "receipt", "m.read", event_id), user=user, body={})


def message(send: MessageSend, room: str) -> Request:
    """Sends a text, or puts one in the place of an earlier one ("Event replacements")."""
    content = _content(send.msgtype, send.body, send.html)
    if send.replaces:
        fresh = content
        content = _content(send.msgtype, f"* {send.body}", None if send.html is None else f"* {send.html}")
        content["m.new_content"] = fresh
        content["m.relates_to"] = {"rel_type": "m.replace", "event_id": send.replaces}
    path = _room(room, "send", "m.room.message", send.txn_id)
    return Request(method="PUT", path=path, user=send.account, body=content)


def _content(msgtype: str, body: str, html: str | None) -> dict[str, Any]:
    content: dict[str, Any] = {"msgtype": msgtype, "body": body}
    if html is not None:
        content |= {"format": HTML, "formatted_body": html}
    return content


def reaction(send: ReactionSend, room: str) -> Request:
    """Sends a reaction ("Event annotations and reactions")."""
    body = {"m.relates_to": {"rel_type": "m.annotation", "event_id": send.target, "key": send.key}}
    path = _room(room, "send", "m.reaction", send.txn_id)
    return Request(method="PUT", path=path, user=send.account, body=body)


def redact(user: str, room: str, target: str, txn_id: str) -> Request:
    """Takes an event back."""
    return Request(method="PUT", path=_room(room, "redact", target, txn_id), user=user, body={})
