"""The WebSocket side of the SIP transport (RFC 7118): a connection whose SIP begins after an HTTP handshake."""

from __future__ import annotations

from twisted.logger import Logger

from transports.sip.machine.flow import Flow, HostPort, Target
from transports.sip.streams import Stream, StreamOwner
from transports.sip.wire.websocket import WebSocketFramer

_log = Logger()


class WebSocketStream(Stream):
    """One WebSocket. Its flow begins when the handshake is done; each message crosses in a message of its own."""

    def __init__(
        self,
        owner: StreamOwner,
        transport: str,
        flow_id: int,
        *,
        local: HostPort | None,
        target: Target | None,
        most: int,
        now: float,
        framer: WebSocketFramer,
    ) -> None:
        super().__init__(owner, transport, flow_id, local=local, target=target, most=most, now=now)
        self._framer = framer
        self._below: Flow | None = None

    def _connected(self, flow: Flow) -> None:
        self._below = flow

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Hands on the messages in what was read, and answers what is WebSocket's own."""
        if self._below is None:
            return
        messages, answer = self._framer.feed(data)
        if answer:
            self._write(answer)
        if self._framer.up and self.flow is None:
            super()._connected(self._below)
        if self.flow is not None:
            # Nothing is news too: the peer has been heard, by a ping or in the middle of a message.
            for message in messages or (b"",):
                self._owner.stream_received(self, message)
        if self._framer.over:
            _log.debug("WebSocket of {peer} is over: {reason}", peer=self._below.key, reason=self._framer.reason)
            super().close()

    def begun(self) -> int | None:
        """Returns the number of the message in whose middle the connection is."""
        return self._framer.messages if self._framer.pending else None

    def send(self, *messages: bytes) -> None:
        """Writes messages, each framed for itself, in one piece."""
        if self.flow is not None and not self._framer.over:
            self._write(b"".join(map(self._framer.frame, messages)))

    def close(self) -> None:
        """Tells the peer, and closes after what was written."""
        goodbye = self._framer.close(reason="the bridge closes")
        if goodbye:
            self._write(goodbye)
        super().close()
