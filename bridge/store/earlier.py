"""What the log tells a process that starts: which events came in a short while ago, and how the last process ended."""

from collections import deque
from collections.abc import Mapping

import orjson
import structlog

from bridge.compliance.errors import CodecError, SealError
from bridge.compliance.log import Restorer
from bridge.compliance.opening import read_leaf
from bridge.compliance.record import DECISION, INTAKES, START, STOP
from bridge.compliance.rows import LeafRow, SealedRow
from bridge.delivery.ports import SeenKey
from bridge.model.ids import EventId, NetworkId
from bridge.store.reader import SqliteLogReader

_log = structlog.get_logger(__name__)
_MICROSECONDS = 1_000_000
_LOOK_BACK = 100_000
"""Leaves in which the end of the last process is looked for: commands may write behind it, but not that much."""


def read_seen(
    reader: SqliteLogReader, restorer: Restorer, since: Mapping[NetworkId, float], most: int
) -> list[SeenKey]:
    """Returns what the events are known by that were taken in since a time; see ``delivery.ports.Journal.seen``.

    What was refused is not among them: it is judged again if it comes again. A record that does not open is left out,
    and told; ``verify`` names it too.

    Raises:
        StoreDamagedError: the log cannot be read.
    """
    found: deque[SeenKey] = deque(maxlen=most)
    if not since:
        return []
    start = reader.first_since(int(min(since.values()) * _MICROSECONDS))
    rows = reader.sealed(start)
    sealed = next(rows, None)
    intakes: dict[str, tuple[LeafRow, SealedRow | None]] = {}
    for leaf in reader.leaves(start):
        while sealed is not None and sealed.seq < leaf.seq:
            sealed = next(rows, None)
        if leaf.msg_id is None or leaf.content is None:
            continue
        if leaf.event in INTAKES:
            intakes[leaf.msg_id] = (leaf, sealed if sealed is not None and sealed.seq == leaf.seq else None)
        elif leaf.event == DECISION and leaf.msg_id in intakes:
            intake = intakes.pop(leaf.msg_id)
            if _wanted(intake[0], leaf, since):
                key = _key(restorer, *intake)
                if key is not None:
                    found.append(key)
    return list(found)


def _wanted(intake: LeafRow, decision: LeafRow, since: Mapping[NetworkId, float]) -> bool:
    """Whether an event was taken, and lately. What is read here is checked when the record is opened."""
    assert intake.content is not None
    assert decision.content is not None
    try:
        network = orjson.loads(intake.content).get("connector")
        effect = orjson.loads(decision.content).get("decision")
    except (orjson.JSONDecodeError, AttributeError):
        return True  # opening it says what is wrong with it
    return effect != "forbid" and network in since and intake.t_intake >= since[network] * _MICROSECONDS


def _key(restorer: Restorer, leaf: LeafRow, sealed: SealedRow | None) -> SeenKey | None:
    try:
        recorded = restorer.restore(leaf, sealed)
    except (CodecError, SealError) as error:
        _log.error("record-does-not-open", seq=leaf.seq, reason=str(error))
        return None
    envelope = recorded.envelope
    if envelope is None or envelope.origin.remote_id is None:
        return None
    origin = envelope.origin
    return SeenKey(
        network=origin.network,
        account=origin.account,
        remote_id=str(origin.remote_id),
        event=EventId(envelope.id),
        taken_at=envelope.received_at,
    )


def ended_in_order(reader: SqliteLogReader) -> bool:
    """Whether the last thing that a daemon wrote is that it stopped with no delivery in doubt.

    Raises:
        StoreDamagedError: the log cannot be read.
    """
    last = reader.last_of((START, STOP), _LOOK_BACK)
    if last is None or last.event != STOP:
        return False
    try:
        return bool(read_leaf(last, reader.state().log_id).get("uncertain") == 0)
    except CodecError as error:
        _log.error("record-does-not-open", seq=last.seq, reason=str(error))
        return False
