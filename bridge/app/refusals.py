"""Requests that the SIP endpoint itself refused, put on record: who claimed what, from where, and why not.

Messages alone are recorded, for a registration or an option is not a communication. One that was merely asked for
credentials comes here when nobody has answered that in time, and not before. A flood must not fill the store:
each source has an allowance a minute, all of them together have another (a datagram's source is easily forged), and
what is beyond is counted and recorded as a line for each source when the minute is over.
"""

import time
from collections.abc import Callable

from attrs import define, field

from bridge.delivery.pipeline import Pipeline
from bridge.delivery.ports import Intake
from bridge.model.ids import SIP
from transports.sip.machine.events import RequestRefused

MINUTE = 60.0
PER_MINUTE = 120
"""Records that one source may cause in a minute by requests that are refused at the edge."""
ALL_PER_MINUTE = 3_000
"""Records that all sources together may cause in a minute."""
MAX_LINES = 100
"""Sources that are named at the end of a minute with what was beyond; further ones share a line."""


@define(eq=False)
class _Source:
    count: int = 0
    beyond: int = 0


@define(eq=False)
class EdgeRefusals:
    """Records refused messages.

    Args:
        pipeline: has the way to the record.
        clock: seconds that never go back.
    """

    pipeline: Pipeline
    clock: Callable[[], float] = time.monotonic
    _since: float = field(init=False, default=0.0)
    _recorded: int = field(init=False, default=0)
    _sources: dict[str, _Source] = field(init=False, factory=dict)
    _others: int = field(init=False, default=0)
    """Refusals of sources that had none on record when the allowance of all was used up."""

    def refused(self, event: RequestRefused) -> None:
        """Takes a request that was refused."""
        if event.method != "MESSAGE":
            return
        self.tick()
        host = event.source.rpartition(":")[0] or event.source
        source = self._sources.get(host)
        if self._recorded >= ALL_PER_MINUTE:
            if source is None:
                self._others += 1
            else:
                source.beyond += 1
            return
        if source is None:
            source = self._sources[host] = _Source()
        if source.count >= PER_MINUTE:
            source.beyond += 1
            return
        source.count += 1
        self._recorded += 1
        why = "not authenticated" if event.challenged else event.reason
        self._write(event.authenticated or event.claimed_from, _described(event), f"{event.status}: {why}")

    def tick(self) -> None:
        """Begins a new minute when one is over, and records what was beyond the allowance of the last."""
        now = self.clock()
        if now - self._since < MINUTE:
            return
        sources, others = self._sources, self._others
        self._since, self._sources, self._recorded, self._others = now, {}, 0, 0
        beyond = sorted(((s.beyond, host) for host, s in sources.items() if s.beyond), reverse=True)
        for count, host in beyond[:MAX_LINES]:
            self._write(host, host.encode(), f"429: {count} more messages of {host} were refused")
        others += sum(count for count, _ in beyond[MAX_LINES:])
        if others:
            self._write("", b"", f"429: {others} more messages of further sources were refused")

    def _write(self, claimed: str, raw: bytes, reason: str) -> None:
        self.pipeline.refuse_raw(SIP, _unicode(claimed), raw, _unicode(reason), "forbidden", _nobody_waits)


def _unicode(text: str) -> str:
    """Returns a text that can be written down: octets of a peer that were no UTF-8 are shown as what they are."""
    return text.encode("utf-8", "backslashreplace").decode()


def _described(event: RequestRefused) -> bytes:
    lines = (
        f"method: {event.method}",
        f"source: {event.source}",
        f"from: {event.claimed_from}",
        f"authenticated: {event.authenticated or '-'}",
        f"to: {event.target}",
        f"call-id: {event.call_id}",
        f"answer: {event.status} {event.reason}",
    )
    return _unicode("\n".join(lines)).encode()


def _nobody_waits(_: Intake) -> None:
    """The endpoint has answered already."""
