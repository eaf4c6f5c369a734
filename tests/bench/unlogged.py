"""The daemon with its record in memory, to measure what the durable one costs: ``python -m tests.bench.unlogged``.

The product has no such switch. Everything else is the same program: the journal alone answers at once, keeps nothing,
and hands out licences that stand for no record. What is not a message (registrations, identities) is stored as ever.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.app import daemon, main
from bridge.compliance import record
from bridge.compliance.record import Recorded
from bridge.delivery.ports import CommitFailed, Entry
from bridge.store.journal import GroupCommitJournal

_NO_HASH = bytes(32)


class UnloggedJournal(GroupCommitJournal):
    """Answers every entry at once, and forgets it."""

    _seq = 0

    def commit(self, entry: Entry, done: Callable[[tuple[Recorded, ...] | CommitFailed], None]) -> None:
        """Hands out a licence for each record."""
        seq = self._seq
        self._seq = seq + len(entry.records)
        done(
            tuple(
                Recorded(record._LICENCE, seq + index, _NO_HASH, draft.event, draft.msg_id, draft.envelope)
                for index, draft in enumerate(entry.records)
            )
        )


if __name__ == "__main__":
    vars(daemon)["GroupCommitJournal"] = UnloggedJournal
    main.main()
