"""Connections that serve further food groups (01/04, 01/05): asked for, opened, and told of by `ServiceReady`."""

from __future__ import annotations

from collections.abc import Callable

from transports.oscar.machine import signon
from transports.oscar.machine.actions import ServiceReady
from transports.oscar.machine.config import SessionConfig
from transports.oscar.machine.connection import Connection, Outgoing
from transports.oscar.machine.connections import Connections
from transports.oscar.wire import oservice
from transports.oscar.wire.common import SnacError
from transports.oscar.wire.snac import Body


class Services:
    """The services of one account.

    Args:
        account: the name's normal form, which stands in every event.
        config: the network's parameters.
        conns: the book of connections.
        emit: takes the outcome of each request, once.
    """

    def __init__(
        self, account: str, config: SessionConfig, conns: Connections, emit: Callable[[ServiceReady], None]
    ) -> None:
        self._account = account
        self._config = config
        self._conns = conns
        self._emit = emit

    def request(self, conn: Connection | None, group: int, now: float) -> None:
        """Asks for a service over ``conn``; None: there is nobody to ask."""
        if conn is None or not self._conns.room_for_service():
            self.failed(group, "not possible now")
            return
        request = oservice.ServiceRequest(service=group)
        conn.submit(Outgoing(request, on_reply=lambda answer, _more, at: self._answered(group, answer, at)), now)

    def _answered(self, group: int, answer: Body, now: float) -> None:
        if isinstance(answer, oservice.ServiceResponse):
            cookie = answer.tlvs.get(oservice.TLV_COOKIE)
            if cookie is not None:
                host, port = signon.server_address(answer.tlvs.text(oservice.TLV_HOST), self._config)
                self.open(group, host, port, cookie, now)
                return
        self.failed(group, answer.name if isinstance(answer, SnacError) else "the server gave no cookie")

    def open(self, group: int, host: str, port: int, cookie: bytes, now: float) -> None:
        """Opens the connection of a service."""
        if self._conns.room_for_service():
            self._conns.open_service(group, host, port, cookie, now)
        else:
            self.failed(group, "too many services")

    def ready(self, group: int) -> None:
        """A service can be used."""
        self._emit(ServiceReady(account=self._account, group=group))

    def failed(self, group: int, reason: str) -> None:
        """A service cannot be had, or is no more."""
        self._emit(ServiceReady(account=self._account, group=group, error=reason))
