"""Requests that the SIP endpoint itself refused, put on record: who claimed what, from where, and why not.

Messages alone are recorded, for a registration or an option is not a communication. A flood must not fill the store:
each source has an allowance a minute, and what is beyond it is counted and recorded as one line.
"""

import time
from collections.abc import Callable

from attrs import define, field

from bridge.delivery.pipeline import Pipeline
from bridge.delivery.ports import Intake
from bridge.model.ids import SIP
from transports.sip.machine.events import RequestRefused

PER_MINUTE = 120
"""Records a source may cause in a minute by requests that are refused at the edge."""
MAX_SOURCES = 10_000


@define(eq=False)
class _Source:
    since: float
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
    _sources: dict[str, _Source] = field(init=False, factory=dict)

    def refused(self, event: RequestRefused) -> None:
        """Takes a request that was refused."""
        if event.method != "MESSAGE":
            return
        source = self._source(event.source)
        if source.count >= PER_MINUTE:
            source.beyond += 1
            return
        source.count += 1
        why = "not authenticated" if event.challenged else event.reason
        self._write(event.authenticated or event.claimed_from, _described(event), f"{event.status}: {why}")

    def _source(self, name: str) -> _Source:
        now = self.clock()
        host = name.rpartition(":")[0] or name
        known = self._sources.get(host)
        if known is not None and now - known.since < 60.0:
            return known
        if known is not None and known.beyond:
            self._write(host, host.encode(), f"429: {known.beyond} more messages of {host} were refused")
        if len(self._sources) >= MAX_SOURCES:
            self._sources.clear()
        self._sources[host] = fresh = _Source(now)
        return fresh

    def _write(self, claimed: str, raw: bytes, reason: str) -> None:
        self.pipeline.refuse_raw(SIP, claimed, raw, reason, "forbidden", _nobody_waits)


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
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _nobody_waits(_: Intake) -> None:
    """The endpoint has answered already."""
