"""A client of an endpoint that subscribes to any package, and answers NOTIFYs as it is told."""

import zlib
from collections.abc import Iterable
from typing import ClassVar

from tests.kit.sip import Client, make_endpoint
from transports.sip.machine.endpoint import Endpoint
from transports.sip.machine.flow import Flow
from transports.sip.wire.message import Request, Response, parse_message, respond_bytes

_MOST_ENDPOINTS = 16
"""Whose messages wait at a time: more than any one test has. (Compiled, an endpoint bears no weak reference.)"""


class Subscriber(Client):
    """One client; each dialog has its Call-ID."""

    dialog = "dialog"
    _inboxes: ClassVar[dict[Endpoint, dict[str, list[Response | Request]]]] = {}
    """What an endpoint has sent to whom, and was not looked at yet."""

    def take(self, now: float) -> list[Response | Request]:
        """What the endpoint has for this client; what is for others waits for them."""
        inbox = self._inboxes.setdefault(self.endpoint, {})
        if len(self._inboxes) > _MOST_ENDPOINTS:
            del self._inboxes[next(iter(self._inboxes))]
        for output in self.endpoint.to_send(now):
            flow, data = output[0], output[1]
            if isinstance(flow, Flow) and isinstance(data, bytes):
                inbox.setdefault(flow.key, []).append(parse_message(data))
        return inbox.pop(self.flow.key, [])

    def subscribe(
        self,
        uri: str,
        now: float = 1.0,
        *,
        event: str = "presence",
        expires: int | None = 600,
        tag: str = "",
        more: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """SUBSCRIBE, new or (with our ``tag``) in the dialog. Returns the answer."""
        headers = [("Event", event), ("Contact", f"<{self.contact}>"), *more]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        to = f"<{uri}>" + (f";tag={tag}" if tag else "")
        got = self.deliver(self.request("SUBSCRIBE", uri, headers, body, call_id=self.dialog, to=to), now)
        return next(message for message in got if isinstance(message, Response))

    def notified(self, now: float, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> list[Request]:
        """The NOTIFYs at ``now``, each answered with ``status``."""
        self.endpoint.handle_timer(now)
        got = [message for message in self.take(now) if isinstance(message, Request)]
        for request in got:
            self.endpoint.receive(self.flow, respond_bytes(request, status, to_tag="t", headers=tuple(headers)), now)
        return got


def subscriber(user: str = "alice", endpoint: Endpoint | None = None, **changes: object) -> Subscriber:
    """A registered client, and no event waiting."""
    client = Subscriber(
        endpoint or make_endpoint(**changes), user, port=40_000 + sum(user.encode())  # type: ignore[arg-type]
    )  # fmt: skip
    client.register()
    events(client.endpoint)
    return client


def events(endpoint: Endpoint) -> list[object]:
    """All events that wait."""
    return list(iter(endpoint.next_event, None))


def states(requests: Iterable[Request]) -> list[tuple[str, bytes]]:
    """Subscription-State and body of NOTIFYs; a deflated body inflated."""
    return [(request.first("Subscription-State") or "", inflated(request)) for request in requests]


def inflated(request: Request) -> bytes:
    """The body of a NOTIFY as it was before Content-Encoding."""
    if request.first("Content-Encoding") == "deflate":
        return zlib.decompress(request.body)
    return request.body
