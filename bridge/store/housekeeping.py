"""Small operations on the store for ``submit``: what has expired goes, and keys are wrapped anew.

Each takes an SQLAlchemy connection in a transaction that it neither begins nor ends.
"""

from collections.abc import Callable

from sqlalchemy import Connection, delete, select, update

from bridge.compliance import record
from bridge.compliance.errors import KeyFileError
from bridge.compliance.keys import Keyring
from bridge.compliance.sealing import KekRow, KeyCase
from bridge.store.journal import DirectJournal
from bridge.store.schema import kek, log_state, publication, registration, subscription


def purge_sip(now: float) -> Callable[[Connection], int]:
    """Returns an operation that deletes what SIP clients have left that ran out by ``now``; it returns how many.

    A client that goes away without a word would otherwise leave its addresses and its presence here for ever.
    """

    def operation(connection: Connection) -> int:
        tables = (registration, subscription, publication)
        return sum(connection.execute(delete(table).where(table.c.expires_at <= now)).rowcount for table in tables)

    return operation


def rewrap(keyring: Keyring) -> Callable[[Connection], int]:
    """Returns an operation that wraps every key of the log under the active master key; it returns how many.

    Raises, when it runs:
        SealError: a key does not open; nothing was changed.
    """

    def operation(connection: Connection) -> int:
        case = KeyCase(connection.execute(select(log_state.c.log_id)).scalar_one(), keyring)
        query = select(kek).where(kek.c.wrapped.is_not(None), kek.c.master_id != keyring.active)
        rows = [KekRow(*row) for row in connection.execute(query)]
        for row in rows:
            fresh = case.rewrap(row)
            connection.execute(
                update(kek).where(kek.c.id == row.id).values(master_id=fresh.master_id, wrapped=fresh.wrapped)
            )
        return len(rows)

    return operation


def rotate_master_key(journal: DirectJournal, keyring: Keyring, *, actor: str) -> str:
    """Makes a new master key, wraps everything under it and records that; returns its id.

    The old key stays in the ring until ``retire_master_key``: a process that runs meanwhile reads the ring again when
    it meets a key that it does not know, and before it wraps a new one.

    Raises:
        KeyFileError: the ring cannot be written.
        SealError: a key of the log does not open.
        StoreError: the log cannot be written.
    """
    before = keyring.active
    after = keyring.rotate()
    journal.submit(
        rewrap(keyring),
        records=lambda count: [
            record.event(
                record.POLICY_CHANGE,
                actor=actor,
                fields={"change": "master-key", "from": before, "to": after, "rewrapped": count},
            )
        ],
    )
    return after


def retire_master_key(journal: DirectJournal, keyring: Keyring, name: str, *, actor: str) -> None:
    """Removes a master key from the ring, if nothing is wrapped under it any more, and records that.

    Raises:
        KeyFileError: it is in use, active, or not in the ring.
        StoreError: the log cannot be written.
    """
    keyring.refresh()
    if name == keyring.active or name not in keyring.ids:
        raise KeyFileError(f"master key {name!r} is the active one, or not in the ring")

    def unused(connection: Connection) -> None:
        query = select(kek.c.id).where(kek.c.wrapped.is_not(None), kek.c.master_id == name)
        if connection.execute(query).first() is not None:
            raise KeyFileError(f"master key {name!r} is still in use: rotate first")

    journal.submit(
        unused,
        records=lambda _: [
            record.event(record.POLICY_CHANGE, actor=actor, fields={"change": "master-key-retired", "from": name})
        ],
    )
    keyring.retire(name)
