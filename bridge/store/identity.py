"""Keeps the identities: reads them, and writes a change within a transaction of the caller's.

Everything here takes a SQLAlchemy Connection, so that the ``identity_change`` record of a change is written in the same
transaction. A running daemon asks ``version`` now and then (one row by its key) and reads a new snapshot when it grew.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection, RowMapping, Table, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from bridge.identity.accounts import Account, Algorithm, Ha1, LoginForm
from bridge.identity.bindings import Fact, NameKey, NormalName, holder, name_key
from bridge.identity.changes import Change, Plan
from bridge.identity.errors import ConcurrentChange, NameRefused, VaultError
from bridge.identity.planner import plan
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
from bridge.identity.state import State, make_bindings
from bridge.identity.vault import Sealed, Vault
from bridge.model.ids import NetworkId, PersonId, RemoteUserId
from bridge.store.schema_identity import (
    identity_account,
    identity_credential,
    identity_fact,
    identity_group,
    identity_ha1,
    identity_head,
    identity_primary,
    identity_version,
)

_HEAD = 1
_TRIES = 5
_CHUNK = 300  # names in one statement: two variables each, under every database's limit


@frozen(kw_only=True)
class Version:
    """One change of the identities: when (``stamped_at`` counts, ``clock_at`` is what the clock said) and by whom."""

    version: int
    stamped_at: float
    clock_at: float
    actor: str


def version(connection: Connection) -> int:
    """Returns the version of the identities; 0 where there were none ever. Cheap: for polling."""
    found = connection.execute(select(identity_head.c.version).where(identity_head.c.id == _HEAD)).scalar()
    return 0 if found is None else int(found)


def load_snapshot(connection: Connection, rules: IdentityRules) -> IdentitySnapshot:
    """Reads who is who now. It need not be in a transaction: a change that comes between its parts is noticed.

    Raises:
        ConcurrentChange: the identities changed during each of several tries.
    """
    for _ in range(_TRIES):
        before = version(connection)
        snapshot = _read_snapshot(connection, rules, before)
        if version(connection) == before:
            return snapshot
    raise ConcurrentChange(f"the identities changed {_TRIES} times while they were read")


def _read_snapshot(connection: Connection, rules: IdentityRules, at_version: int) -> IdentitySnapshot:
    now = identity_fact.c.recorded_to.is_(None) & identity_fact.c.valid_to.is_(None)
    facts = [_fact(row) for row in connection.execute(select(identity_fact).where(now)).mappings()]
    return IdentitySnapshot(
        version=at_version,
        rules=rules,
        accounts=_accounts(connection).values(),
        bindings=make_bindings(facts, _primaries(connection), _credentials(connection)),
        groups=_groups(connection),
    )


def load_state(connection: Connection) -> State:
    """Reads all that is believed now, spans that are over included: what a change is checked against."""
    head = connection.execute(select(identity_head).where(identity_head.c.id == _HEAD)).mappings().first()
    believed = select(identity_fact).where(identity_fact.c.recorded_to.is_(None)).order_by(identity_fact.c.valid_from)
    facts: dict[NameKey, tuple[Fact, ...]] = {}
    for row in connection.execute(believed).mappings():
        fact = _fact(row)
        facts[fact.key] = (*facts.get(fact.key, ()), fact)
    return State(
        version=0 if head is None else head["version"],
        stamped_at=0.0 if head is None else head["stamped_at"],
        accounts=_accounts(connection),
        facts=facts,
        primaries=_primaries(connection),
        groups=_groups(connection),
        credentials=_credentials(connection),
    )


def apply(
    connection: Connection,
    changes: Sequence[Change],
    *,
    rules: IdentityRules,
    now: float,
    actor: str,
    vault: Vault | None = None,
) -> Plan:
    """Checks and writes a change in the caller's transaction, which it neither begins nor ends.

    It takes the write lock first, so that no other change comes between what is checked and what is written.

    Args:
        connection: in a transaction (on a driver connection that commits by itself, after a ``BEGIN IMMEDIATE``).
        changes: the commands: all of them, or none.
        rules: what the deployment fixes.
        now: the time of day, seconds since the epoch.
        actor: who does it, for ``versions``.
        vault: seals the network passwords; None where the commands hold none.

    Returns:
        what was written: ``notes`` is for the compliance record, ``state`` for a new snapshot. An empty plan wrote
        nothing.

    Raises:
        IdentityError: a command is refused. Nothing was written by it: roll back.
        RuntimeError: there is no transaction.
    """
    _lock(connection)
    made = plan(load_state(connection), changes, rules, now)
    if not made.empty:
        write(connection, made, actor=actor, vault=vault)
    return made


def write(connection: Connection, made: Plan, *, actor: str, vault: Vault | None = None) -> None:
    """Writes a plan in the caller's transaction.

    Raises:
        ConcurrentChange: the identities have changed since the plan was made: roll back.
        VaultError: it holds a network password, and there is no vault.
    """
    state = made.state
    _lock(connection)
    _advance(connection, made)
    _insert(
        connection,
        identity_version,
        [{"version": state.version, "stamped_at": state.stamped_at, "clock_at": made.clock_at, "actor": actor}],
    )
    _write_accounts(connection, made)
    _write_groups(connection, made)
    _write_facts(connection, made)
    _write_primaries(connection, made)
    _write_secrets(connection, made, vault)


def _lock(connection: Connection) -> None:
    """A write to the head row takes the write lock of SQLite, and that row's lock in PostgreSQL."""
    head = update(identity_head).where(identity_head.c.id == _HEAD).values(version=identity_head.c.version)
    if not connection.execute(head).rowcount:
        try:
            connection.execute(insert(identity_head).values(id=_HEAD, version=0, stamped_at=0.0))
        except IntegrityError as error:
            raise ConcurrentChange("the identities were set up by another process just now: try again") from error
    # a driver that commits each statement by itself would tear a change apart: the caller has to begin
    if not getattr(connection.connection.dbapi_connection, "in_transaction", True):
        raise RuntimeError("a change of the identities needs a transaction: begin one before it")


def _advance(connection: Connection, made: Plan) -> None:
    state = made.state
    moved = connection.execute(
        update(identity_head)
        .where(identity_head.c.id == _HEAD, identity_head.c.version == made.before)
        .values(version=state.version, stamped_at=state.stamped_at)
    )
    if moved.rowcount != 1:
        raise ConcurrentChange(f"the identities have changed since version {made.before}: read them again")


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _write_accounts(connection: Connection, made: Plan) -> None:
    for address, account in made.accounts.items():
        connection.execute(delete(identity_ha1).where(identity_ha1.c.address == address))
        connection.execute(delete(identity_account).where(identity_account.c.address == address))
        if account is not None:
            _insert(connection, identity_account, [_account_row(account)])
            _insert(connection, identity_ha1, [_ha1_row(account, entry) for entry in account.ha1s])


def _account_row(account: Account) -> dict[str, Any]:
    return {
        "address": account.address,
        "realm": account.realm,
        "enabled": account.enabled,
        "display_name": account.display_name,
        "created_at": account.created_at,
    }


def _ha1_row(account: Account, entry: Ha1) -> dict[str, Any]:
    return {
        "address": account.address,
        "form": entry.form.value,
        "algorithm": entry.algorithm.value,
        "digest": entry.digest,
    }


def _write_groups(connection: Connection, made: Plan) -> None:
    for person, names in made.groups.items():
        connection.execute(delete(identity_group).where(identity_group.c.person == person))
        _insert(connection, identity_group, [{"person": person, "name": name} for name in sorted(names)])


def _write_facts(connection: Connection, made: Plan) -> None:
    # superseded before added: the index on open facts holds at every moment
    for fact in made.superseded:
        ended = connection.execute(
            update(identity_fact)
            .where(
                identity_fact.c.network == fact.network,
                identity_fact.c.name == fact.name,
                identity_fact.c.valid_from == fact.valid_from,
                identity_fact.c.recorded_from == fact.recorded_from,
                identity_fact.c.recorded_to.is_(None),
            )
            .values(recorded_to=made.state.version)
        )
        if ended.rowcount != 1:
            raise ConcurrentChange("the fact to supersede is not there", str(fact.key))
    rows = [
        {
            "network": fact.network,
            "name": fact.name,
            "shown": fact.shown,
            "person": fact.person,
            "valid_from": fact.valid_from,
            "valid_to": fact.valid_to,
            "recorded_from": fact.recorded_from,
            "recorded_to": fact.recorded_to,
        }
        for fact in made.added
    ]
    _insert(connection, identity_fact, rows)


def _write_primaries(connection: Connection, made: Plan) -> None:
    table = identity_primary
    if not made.primaries:
        return
    old = delete(table).where(table.c.person == bindparam("p"), table.c.network == bindparam("n"))
    connection.execute(old, [{"p": person, "n": network} for person, network in made.primaries])
    rows = [
        {"person": person, "network": network, "name": name}
        for (person, network), name in made.primaries.items()
        if name is not None
    ]
    _insert(connection, table, rows)


def _write_secrets(connection: Connection, made: Plan, vault: Vault | None) -> None:
    for owner, secret in made.secrets.items():
        _delete_credential(connection, owner)
        if secret is None:
            continue
        if vault is None:
            raise VaultError("there is no key file to seal its network password with", str(owner))
        _put_credential(connection, owner, vault.seal(owner, secret), made.state.version)


# --- network passwords


def credential(connection: Connection, vault: Vault, owner: NameKey) -> Secret | None:
    """Returns the network password of a name; None where there is none.

    Raises:
        VaultError: it does not open.
    """
    table = identity_credential
    query = select(table).where(table.c.network == owner.network, table.c.name == owner.name)
    row = connection.execute(query).mappings().first()
    return None if row is None else vault.open(owner, _sealed(row))


def reseal(connection: Connection, vault: Vault) -> int:
    """Seals every network password anew under the vault's primary key, in the caller's transaction.

    To rotate: ``KeyringFile.rotate``; ``vault.refresh``; this; commit; ``KeyringFile.drop_old(keys_in_use(...))``.
    A crash in between leaves a ring that opens everything.

    Returns:
        how many were sealed anew: those that were not under that key.

    Raises:
        VaultError: one does not open. Roll back: nothing is lost.
    """
    _lock(connection)
    table = identity_credential
    rows = connection.execute(select(table).where(table.c.key_id != vault.primary)).mappings().all()
    for row in rows:
        owner = _owner(row)
        sealed = vault.seal(owner, vault.open(owner, _sealed(row)))
        _delete_credential(connection, owner)
        _put_credential(connection, owner, sealed, row["version"])
    return len(rows)


def keys_in_use(connection: Connection) -> frozenset[str]:
    """Returns the ids of the keys that network passwords are sealed with."""
    return frozenset(connection.execute(select(identity_credential.c.key_id).distinct()).scalars())


def _delete_credential(connection: Connection, owner: NameKey) -> None:
    table = identity_credential
    connection.execute(delete(table).where(table.c.network == owner.network, table.c.name == owner.name))


def _put_credential(connection: Connection, owner: NameKey, sealed: Sealed, at_version: int) -> None:
    connection.execute(
        insert(identity_credential).values(
            network=owner.network,
            name=owner.name,
            key_id=sealed.key_id,
            nonce=sealed.nonce,
            ciphertext=sealed.ciphertext,
            version=at_version,
        )
    )


# --- history


def history(connection: Connection, *names: NameKey) -> tuple[Fact, ...]:
    """Returns every fact that was ever recorded of the names, superseded ones too: by name, then as recorded."""
    table, found = identity_fact, list[Fact]()
    for start in range(0, len(names), _CHUNK):
        keys = [(key.network, key.name) for key in names[start : start + _CHUNK]]
        query = select(table).where(tuple_(table.c.network, table.c.name).in_(keys))
        found += _facts_of(connection, query)
    return tuple(found)


def history_of_person(connection: Connection, person: PersonId) -> tuple[Fact, ...]:
    """Returns every fact that was ever recorded of a person's names: by name, then as recorded."""
    return tuple(_facts_of(connection, select(identity_fact).where(identity_fact.c.person == person)))


def history_of_name(connection: Connection, text: str, normal_name: NormalName) -> tuple[Fact, ...]:
    """Returns every fact that was ever recorded of a name, on whatever network, or of ``network/name``.

    Networks that are not configured any more are searched for the name as it is given.
    """
    networks = connection.execute(select(identity_fact.c.network).distinct()).scalars().all()
    wanted = [(network, text) for network in networks]
    wanted += [(network, text.removeprefix(f"{network}/")) for network in networks if text.startswith(f"{network}/")]
    keys = set[NameKey]()
    for network, name in wanted:
        try:
            keys.add(name_key(network, name, normal_name))
        except NameRefused:
            keys.add(NameKey(NetworkId(network), RemoteUserId(name)))
    return history(connection, *sorted(keys))


def who_was(connection: Connection, key: NameKey, at: float, as_of: int | None = None) -> PersonId | None:
    """Returns who was behind a screen name.

    Args:
        connection: to read with.
        key: the name.
        at: the moment that is asked about, seconds since the epoch.
        as_of: the version of the map to believe, as a record of the log holds it; None is the newest.
    """
    fact = holder(history(connection, key), at, as_of)
    return None if fact is None else fact.person


def names_of(connection: Connection, person: PersonId, at: float, as_of: int | None = None) -> tuple[NameKey, ...]:
    """Returns the names that a person had at a moment, as believed at a version."""
    facts = history_of_person(connection, person)
    return tuple(sorted(fact.key for fact in facts if fact.believed_at(as_of) and fact.valid_at(at)))


def version_at(connection: Connection, at: float) -> int:
    """Returns the version of the map that was the newest at a moment, seconds since the epoch; 0 before the first."""
    table = identity_version
    found = connection.execute(select(func.max(table.c.version)).where(table.c.stamped_at <= at)).scalar()
    return 0 if found is None else int(found)


def versions(connection: Connection, since: int = 0) -> tuple[Version, ...]:
    """Returns the changes after a version, oldest first."""
    table = identity_version
    rows = connection.execute(select(table).where(table.c.version > since).order_by(table.c.version)).mappings()
    return tuple(Version(**row) for row in rows)


# --- rows to values


def _facts_of(connection: Connection, query: Any) -> list[Fact]:
    table = identity_fact
    ordered = query.order_by(table.c.network, table.c.name, table.c.recorded_from, table.c.valid_from)
    return [_fact(row) for row in connection.execute(ordered).mappings()]


def _fact(row: RowMapping) -> Fact:
    return Fact(
        person=PersonId(row["person"]),
        network=NetworkId(row["network"]),
        name=RemoteUserId(row["name"]),
        shown=row["shown"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        recorded_from=row["recorded_from"],
        recorded_to=row["recorded_to"],
    )


def _owner(row: RowMapping) -> NameKey:
    return NameKey(NetworkId(row["network"]), RemoteUserId(row["name"]))


def _sealed(row: RowMapping) -> Sealed:
    return Sealed(key_id=row["key_id"], nonce=bytes(row["nonce"]), ciphertext=bytes(row["ciphertext"]))


_FORMS = {form.value: form for form in LoginForm}
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}


def _accounts(connection: Connection) -> dict[PersonId, Account]:
    table = identity_account
    rows = connection.execute(
        select(table.c.address, table.c.realm, table.c.enabled, table.c.display_name, table.c.created_at)
    )
    accounts = {
        address: Account(
            address=address, realm=realm, enabled=enabled, display_name=display_name, created_at=created_at
        )
        for address, realm, enabled, display_name, created_at in rows
    }
    for address, entries in _ha1s(connection):
        accounts[address] = evolve(accounts[address], ha1s=entries)
    return accounts


def _ha1s(connection: Connection) -> Iterator[tuple[PersonId, tuple[Ha1, ...]]]:
    """Yields the hashes of each account: those of all at once would be most of what a large bridge holds."""
    table = identity_ha1
    rows = connection.execute(
        select(table.c.address, table.c.form, table.c.algorithm, table.c.digest).order_by(table.c.address)
    )
    for address, group in groupby(rows, key=itemgetter(0)):
        yield (
            PersonId(address),
            tuple(
                Ha1(form=_FORMS[form], algorithm=_ALGORITHMS[algorithm], digest=digest)
                for _, form, algorithm, digest in group
            ),
        )


def _primaries(connection: Connection) -> dict[tuple[PersonId, NetworkId], RemoteUserId]:
    rows = connection.execute(select(identity_primary)).mappings()
    return {(PersonId(row["person"]), NetworkId(row["network"])): RemoteUserId(row["name"]) for row in rows}


def _groups(connection: Connection) -> dict[PersonId, frozenset[str]]:
    groups: dict[PersonId, set[str]] = {}
    for row in connection.execute(select(identity_group)).mappings():
        groups.setdefault(PersonId(row["person"]), set()).add(row["name"])
    return {person: frozenset(names) for person, names in groups.items()}


def _credentials(connection: Connection) -> dict[NameKey, int]:
    table = identity_credential
    rows = connection.execute(select(table.c.network, table.c.name, table.c.version)).mappings()
    return {_owner(row): row["version"] for row in rows}
