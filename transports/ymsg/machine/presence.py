"""How we are seen: our own status, told when it is its turn, the last one alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable

from bridge.model.body import Stage
from bridge.model.capabilities import SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down
from transports.ymsg.machine.messages import Write
from transports.ymsg.machine.outbox import Item, Outbox
from transports.ymsg.wire import codes
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.native import OwnPresence
from transports.ymsg.wire.packet import pairs_of, require_fit
from transports.ymsg.wire.people import status_packet

_RELAYED = SendResult(stage=Stage.RELAYED)
_HIDE, _SHOW = 2, 1


class OwnStatus:
    """Our own status.

    Args:
        account: our name.
        outbox: where a change waits for its turn.
        write: writes a packet.
        toggles: whether being seen and the status are told by services of their own (0xC5, 0xC6: from version 11 on).
        emit: takes `SendDone`.

    Attributes:
        wanted: how to be seen.
    """

    def __init__(
        self, account: str, outbox: Outbox, write: Write, *, toggles: bool, emit: Callable[[SendDone], None]
    ) -> None:
        self._outbox = outbox
        self._write = write
        self._toggles = toggles
        self._emit = emit
        self._shown = OwnPresence(account=account)
        self._waits: list[Hashable] = []
        self._queued = False
        self.wanted = self._shown

    @property
    def sign_on_status(self) -> int:
        """The status of the packet that signs on: an account that hides is to be hidden from the first moment."""
        return codes.INVISIBLE if self.wanted.status == codes.INVISIBLE else codes.AVAILABLE

    def begin(self, now: float) -> None:
        """The account is signed on: be seen as is wanted."""
        self._shown = OwnPresence(account=self.wanted.account)
        if self.wanted != self._shown:
            self._submit(now)

    def show(self, value: OwnPresence, key: Hashable, now: float) -> None:
        """Be seen so. What the server was told already is not said again."""
        try:
            service, _, pairs = status_packet(value.status, value.text, away=value.away, idle=value.idle)
            require_fit(service, pairs)
        except YmsgSyntaxError as error:
            self._done(key, failed(f"unsendable: {error}", retryable=False, user_text="That cannot be shown."))
            return
        self.wanted = value
        if value == self._shown and not self._queued:
            self._done(key, _RELAYED)
            return
        self._waits.append(key)
        self._submit(now)

    def _submit(self, now: float) -> None:
        if not self._queued:
            self._queued = True
            self._outbox.submit(Item(self._go, self._lost, self._expired, math.inf), now)

    def _go(self, _now: float) -> None:
        self._queued = False
        wanted, before, self._shown = self.wanted, self._shown, self.wanted
        if wanted != before:
            self._tell(wanted, before)
        self._end(_RELAYED)

    def _tell(self, wanted: OwnPresence, before: OwnPresence) -> None:
        hidden, was_hidden = wanted.status == codes.INVISIBLE, before.status == codes.INVISIBLE
        if self._toggles and hidden != was_hidden:
            self._write(codes.VISIBLE_TOGGLE, pairs_of((codes.KEY_FLAG, _HIDE if hidden else _SHOW)), codes.OK)
        if self._toggles and hidden:
            return
        service, status, pairs = status_packet(wanted.status, wanted.text, away=wanted.away, idle=wanted.idle)
        if self._toggles:
            self._write(codes.STATUS_UPDATE, pairs, codes.OK)
            return
        if was_hidden and service != codes.IS_BACK:
            self._write(codes.IS_BACK, pairs_of((codes.KEY_STATUS, codes.AVAILABLE)), codes.AVAILABLE)
        self._write(service, pairs, status)

    def _lost(self) -> None:
        self._queued = False
        self._end(link_down("The connection to the network was lost before the status was shown."))

    def _expired(self) -> None:
        self._lost()

    def lost(self) -> None:
        """The connection is gone (what waited has been told already)."""
        self._queued = False

    def _end(self, result: SendResult) -> None:
        waits, self._waits = self._waits, []
        for key in waits:
            self._done(key, result)

    def _done(self, key: Hashable, result: SendResult) -> None:
        self._emit(SendDone(key=key, result=result))
