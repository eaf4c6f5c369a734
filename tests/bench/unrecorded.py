"""The daemon without the compliance log, to measure what that costs: ``python -m tests.bench.unrecorded``.

The product has no such switch. Everything else is the same program and keeps the same promise: after a 202, ``kill -9``
loses nothing. So deliveries stay in the outbox on disk, with the message beside them, which otherwise is in the log:
one transaction for a batch, as ever. There are no leaves, no sealing, no tree, no tiles. Changes of identities and
registrations are stored and recorded as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from bridge.app import main
from bridge.compliance import record
from bridge.compliance.codec import encode_body, encode_header
from bridge.compliance.record import Recorded
from bridge.delivery.ports import Entry
from bridge.store import statements, writer
from bridge.store.writer import LogWriter, Result, Script, Staging, Work

_NO_HASH = bytes(32)
_TABLE = "CREATE TABLE IF NOT EXISTS unrecorded (first INTEGER PRIMARY KEY, messages BLOB NOT NULL)"
_MESSAGES = "INSERT INTO unrecorded (first, messages) VALUES (?, ?)"


class QueueStaging(Staging):
    """A batch of entries of which only the deliveries are kept.

    Args:
        owner: counts the records that would have been made.
    """

    def __init__(self, owner: UnrecordedWriter) -> None:
        super().__init__(Script(), None, owner.appender.begin(0.0))
        self._owner = owner
        self._first = owner.seq
        self._messages: list[bytes] = []
        self._licences: list[Result] = []

    def take(self, work: Work) -> None:
        """Stages the deliveries of an entry, with the message itself."""
        if work.entry is None:
            raise writer._NeedsDatabaseError
        self._licences.append(self._queued(work.entry))

    def _queued(self, entry: Entry) -> tuple[Recorded, ...]:
        licences: list[Recorded] = []
        seqs: dict[str, int] = {}
        for draft in entry.records:
            seq = self._owner.seq
            self._owner.seq = seq + 1
            if draft.envelope is not None:
                self._messages += (encode_header(draft.envelope), encode_body(draft.envelope.body))
                seqs[draft.msg_id] = seq
            licences.append(Recorded(record._LICENCE, seq, _NO_HASH, draft.event, draft.msg_id, draft.envelope))
        for item in entry.enqueue:
            columns = (item.key, item.event, item.lane, item.network, item.account, item.recipient)
            self._outbox += (seqs[item.event], *columns, float(item.expires_at), int(item.held), b"")
        self._settle += ((settlement.seq, settlement.key) for settlement in entry.settle)
        return tuple(licences)

    def finish(self) -> None:
        """Writes what is staged."""
        if self._messages:
            self._connection.execute(_MESSAGES, (self._first, b"".join(self._messages)))
        if self._outbox:
            statements.OUTBOX.run(self._connection, self._outbox)
        if self._settle:
            self._connection.execute(statements.SETTLE, (orjson.dumps(self._settle).decode(),))

    def results(self) -> list[Result]:
        """Returns the licences of each entry."""
        return self._licences


class UnrecordedWriter(LogWriter):
    """Keeps deliveries, and no record of them. ``seq`` is that of the next record that is not made."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._open().execute(_TABLE)
        row = self._open().execute("SELECT max(first) FROM unrecorded").fetchone()
        # Beyond what the log of the identities can reach, and beyond an earlier run's.
        self.seq = (1 << 32) if row[0] is None else int(row[0]) + (1 << 20)

    def prepare(self, batch: Sequence[Work]) -> Staging | None:
        """Stages the entries of a batch; None where it has an operation: that is written and recorded as ever."""
        if self._data_version == writer._UNSEEN:
            return None
        staging = QueueStaging(self)
        try:
            for work in batch:
                staging.take(work)
        except writer._NeedsDatabaseError:
            return None
        staging.finish()
        return staging


if __name__ == "__main__":
    vars(writer)["LogWriter"] = UnrecordedWriter
    main.main()
