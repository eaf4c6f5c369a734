"""The identities in a database: what is written is what is read, in the caller's transaction."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, update
from sqlalchemy.exc import IntegrityError

from bridge.identity.bindings import NameKey
from bridge.identity.changes import (
    AddUser,
    BindName,
    Change,
    DisableUser,
    ForgetPassword,
    ImportNames,
    Plan,
    RemoveUser,
    SetDisplayName,
    SetGroups,
    SetPassword,
    UnbindName,
)
from bridge.identity.errors import ConcurrentChange, ImportRefused, NameTaken, VaultError
from bridge.identity.keyring import Keyring, KeyringFile
from bridge.identity.names_csv import write_names
from bridge.identity.planner import plan
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentitySnapshot
from bridge.identity.state import State
from bridge.identity.vault import Vault
from bridge.model.ids import RemoteUserId
from bridge.store import identity
from bridge.store.schema import metadata
from bridge.store.schema_identity import IDENTITY_TABLES, identity_credential, identity_fact, identity_version
from tests.unit.identity.given import AIM, ALICE, BOB, CAROL, NOON, RULES, people

KEY = NameKey(AIM, RemoteUserId("boogy"))
VAULT = Vault(Keyring(primary="k1", keys={"k1": bytes(32)}))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path / 'bridge.db'}")

    @event.listens_for(made, "connect")
    def set_up(connection: object, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[attr-defined]
        connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
        connection.execute("PRAGMA busy_timeout=0")  # type: ignore[attr-defined]

    metadata.create_all(made, tables=IDENTITY_TABLES)
    yield made
    made.dispose()


def change(engine: Engine, *changes: Change, now: float = NOON, vault: Vault | None = VAULT) -> Plan:
    with engine.begin() as connection:
        return identity.apply(connection, changes, rules=RULES, now=now, actor="root@console", vault=vault)


def state(engine: Engine) -> State:
    with engine.connect() as connection:
        return identity.load_state(connection)


def snapshot(engine: Engine) -> IdentitySnapshot:
    with engine.connect() as connection:
        return identity.load_snapshot(connection, RULES)


def version(engine: Engine) -> int:
    with engine.connect() as connection:
        return identity.version(connection)


def test_an_empty_store(engine: Engine) -> None:
    assert version(engine) == 0
    assert state(engine) == State()
    assert snapshot(engine).version == 0
    with engine.connect() as connection:
        assert identity.versions(connection) == ()
        assert identity.version_at(connection, NOON) == 0


def test_what_is_written_is_what_is_read(engine: Engine) -> None:
    steps: list[list[Change]] = [
        [*people(ALICE, BOB, CAROL)],
        [BindName(address=ALICE, network="aim", name="Boogy", password=Secret("x")), DisableUser(address=CAROL)],
        [BindName(address=ALICE, network="aim", name="second", primary=True, since=NOON - 500)],
        [SetGroups(address=BOB, groups=frozenset({"sales", "all"})), SetDisplayName(address=BOB, display_name="Bob")],
        [UnbindName(network="aim", name="second"), SetPassword(address=ALICE, password=Secret("neu"))],
        [UnbindName(network="aim", name="boogy"), BindName(address=BOB, network="aim", name="BOOGY")],
        [SetGroups(address=BOB, groups=frozenset())],
        [AddUser(address="dave@corp.example"), RemoveUser(address=BOB)],
    ]
    for step, changes in enumerate(steps, start=1):
        made = change(engine, *changes, now=NOON + step)
        assert state(engine) == made.state
        assert version(engine) == made.state.version == step
        seen, expected = snapshot(engine), made.state.snapshot(RULES)
        assert seen.version == expected.version
        assert set(seen.accounts()) == set(expected.accounts())
        assert set(seen.bindings()) == set(expected.bindings())
        for person in (ALICE, BOB, CAROL):
            assert seen.names_of(person) == expected.names_of(person)
            assert seen.account_of(person, AIM) == expected.account_of(person, AIM)
            assert seen.groups_of(person) == expected.groups_of(person)


def test_nothing_is_written_where_nothing_changes(engine: Engine) -> None:
    change(engine, *people(ALICE))
    assert change(engine, SetDisplayName(address=ALICE, display_name="")).empty
    assert version(engine) == 1


def test_a_change_belongs_to_the_transaction_of_the_caller(engine: Engine) -> None:
    with engine.connect() as connection:
        identity.apply(connection, people(ALICE), rules=RULES, now=NOON, actor="a")
        assert identity.version(connection) == 1
        connection.rollback()
    assert state(engine) == State()


def test_a_change_needs_a_transaction(engine: Engine) -> None:
    by_itself = engine.execution_options(isolation_level="AUTOCOMMIT")
    with by_itself.connect() as connection:
        with pytest.raises(RuntimeError, match="begin one"):
            identity.apply(connection, people(ALICE), rules=RULES, now=NOON, actor="a")
        made = plan(State(), people(ALICE), RULES, NOON)
        with pytest.raises(RuntimeError, match="begin one"):
            identity.write(connection, made, actor="a")
        assert identity.load_state(connection) == State()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        identity.apply(connection, people(ALICE), rules=RULES, now=NOON, actor="a")
        connection.exec_driver_sql("COMMIT")
    assert set(state(engine).accounts) == {ALICE}


def test_a_refused_change_leaves_all_as_it_was(engine: Engine) -> None:
    change(engine, *people(ALICE, BOB), BindName(address=ALICE, network="aim", name="boogy"))
    before = state(engine)
    with pytest.raises(NameTaken):
        change(engine, *people(CAROL), BindName(address=BOB, network="aim", name="Boogy"))
    csv = f"address,network,name\n{BOB},aim,fine\n{BOB},aim,boogy\n".encode()
    with pytest.raises(ImportRefused):
        change(engine, ImportNames(data=csv))
    assert state(engine) == before


def test_a_large_import_and_its_export(engine: Engine) -> None:
    change(engine, *people(ALICE))
    csv = b"address,network,name\r\n" + b"".join(b"alice@corp.example,aim,n%04d\r\n" % n for n in range(1000))
    change(engine, ImportNames(data=csv))
    assert write_names(snapshot(engine).bindings()) == csv
    assert change(engine, ImportNames(data=csv)).empty
    with engine.connect() as connection:
        keys = [NameKey(AIM, RemoteUserId(f"n{n:04}")) for n in range(1000)]
        assert len(identity.history(connection, *keys)) == 1000


# --- several processes


def test_a_plan_that_is_outdated_is_refused(engine: Engine) -> None:
    made = plan(state(engine), people(ALICE), RULES, NOON)
    change(engine, *people(BOB))
    with pytest.raises(ConcurrentChange), engine.begin() as connection:
        identity.write(connection, made, actor="a")
    assert set(state(engine).accounts) == {BOB}


def test_the_write_lock_is_taken_before_reading(engine: Engine) -> None:
    change(engine, *people(ALICE))
    with engine.connect() as first, engine.connect() as second:
        identity.apply(first, people(BOB), rules=RULES, now=NOON, actor="a")
        with pytest.raises(Exception, match="locked"):
            identity.apply(second, people(CAROL), rules=RULES, now=NOON, actor="b")
        second.rollback()
        first.commit()
        identity.apply(second, people(CAROL), rules=RULES, now=NOON, actor="b")
        second.commit()
    assert set(state(engine).accounts) == {ALICE, BOB, CAROL}


def test_a_first_change_by_two_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    change(engine, *people(ALICE))

    class Unseen:
        rowcount = 0

    with engine.connect() as connection:
        real = connection.execute
        answers = iter([Unseen()])
        monkeypatch.setattr(connection, "execute", lambda *args: next(answers, None) or real(*args))
        with pytest.raises(ConcurrentChange, match="set up by another process"):
            identity.apply(connection, people(BOB), rules=RULES, now=NOON, actor="a")


def test_a_snapshot_is_of_one_version(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    change(engine, *people(ALICE))
    real, rounds = identity._read_snapshot, iter([BOB, CAROL])

    def disturbed(connection: Connection, *args: object) -> IdentitySnapshot:
        made = real(connection, *args)  # type: ignore[arg-type]
        connection.rollback()
        if (address := next(rounds, None)) is not None:
            change(engine, *people(address))
        return made

    monkeypatch.setattr(identity, "_read_snapshot", disturbed)
    seen = snapshot(engine)
    assert seen.version == 3
    assert {account.address for account in seen.accounts()} == {ALICE, BOB, CAROL}


def test_a_snapshot_that_is_never_of_one_version_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = iter(range(100))
    monkeypatch.setattr(identity, "version", lambda _connection: next(versions))
    with pytest.raises(ConcurrentChange):
        snapshot(engine)


def test_the_database_itself_binds_a_name_once(engine: Engine) -> None:
    change(engine, *people(ALICE), BindName(address=ALICE, network="aim", name="boogy"))
    row = {"network": "aim", "name": "boogy", "shown": "b", "person": BOB, "valid_from": NOON + 5, "recorded_from": 2}
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(identity_fact).values(**row))


def test_a_fact_that_is_not_there_is_not_superseded(engine: Engine) -> None:
    change(engine, *people(ALICE), BindName(address=ALICE, network="aim", name="boogy"))
    made = plan(state(engine), [UnbindName(network="aim", name="boogy")], RULES, NOON + 5)
    wrong = evolve(made, superseded=tuple(evolve(fact, valid_from=1.0) for fact in made.superseded))
    with pytest.raises(ConcurrentChange, match="aim/boogy"), engine.begin() as connection:
        identity.write(connection, wrong, actor="a")


# --- network passwords


def test_network_passwords_are_sealed(engine: Engine) -> None:
    change(engine, *people(ALICE), BindName(address=ALICE, network="aim", name="Boogy", password=Secret("geheim!")))
    with engine.connect() as connection:
        assert identity.credential(connection, VAULT, KEY) == Secret("geheim!")
        assert identity.credential(connection, VAULT, NameKey(AIM, RemoteUserId("other"))) is None
        assert identity.keys_in_use(connection) == {"k1"}
    assert b"geheim!" not in Path(str(engine.url.database)).read_bytes()
    (binding,) = snapshot(engine).bindings()
    assert binding.credential == 1
    change(engine, BindName(address=ALICE, network="aim", name="boogy", password=Secret("neu")))
    with engine.connect() as connection:
        assert identity.credential(connection, VAULT, KEY) == Secret("neu")
    change(engine, ForgetPassword(network="aim", name="boogy"))
    with engine.connect() as connection:
        assert identity.credential(connection, VAULT, KEY) is None
    (binding,) = snapshot(engine).bindings()
    assert binding.credential is None


def test_a_password_without_a_vault_is_refused(engine: Engine) -> None:
    with pytest.raises(VaultError, match="no key file"):
        change(
            engine, *people(ALICE), BindName(address=ALICE, network="aim", name="b", password=Secret("x")), vault=None
        )
    assert state(engine) == State()


def test_a_password_does_not_go_over_to_the_next_holder(engine: Engine) -> None:
    change(engine, *people(ALICE, BOB), BindName(address=ALICE, network="aim", name="boogy", password=Secret("x")))
    change(engine, UnbindName(network="aim", name="boogy"), BindName(address=BOB, network="aim", name="boogy"))
    with engine.connect() as connection:
        assert identity.credential(connection, VAULT, KEY) is None


def test_a_row_that_was_moved_does_not_open(engine: Engine) -> None:
    bind = BindName(address=ALICE, network="aim", name="boogy", password=Secret("x"))
    change(engine, *people(ALICE), bind, evolve(bind, name="mine", password=None))
    with engine.begin() as connection:
        connection.execute(update(identity_credential).values(name="mine"))
    with engine.connect() as connection, pytest.raises(VaultError):
        identity.credential(connection, VAULT, NameKey(AIM, RemoteUserId("mine")))


def test_keys_are_rotated(engine: Engine, tmp_path: Path) -> None:
    file = KeyringFile(tmp_path / "vault.keys")
    vault = Vault.of_file(file)
    names = ["boogy", "b", "c"]
    binds = [BindName(address=ALICE, network="aim", name=name, password=Secret(name)) for name in names]
    change(engine, *people(ALICE), *binds, vault=vault)
    old = vault.primary
    file.rotate()
    vault.refresh()
    with engine.begin() as connection:
        assert identity.reseal(connection, vault) == 3
        assert identity.reseal(connection, vault) == 0
    with engine.connect() as connection:
        assert identity.keys_in_use(connection) == {vault.primary} != {old}
        ring = file.drop_old(identity.keys_in_use(connection))
        assert set(ring.keys) == {vault.primary}
        for name in names:
            key = NameKey(AIM, RemoteUserId(name))
            assert identity.credential(connection, Vault.of_file(file), key) == Secret(name)
    # a new seal is not a new password: the daemon need not sign on anew
    assert {binding.credential for binding in snapshot(engine).bindings()} == {1}
    assert version(engine) == 1


def test_a_rotation_that_fails_changes_nothing(engine: Engine) -> None:
    change(engine, *people(ALICE), BindName(address=ALICE, network="aim", name="boogy", password=Secret("x")))
    with engine.begin() as connection:
        before = connection.execute(select(identity_credential)).all()
    with pytest.raises(VaultError), engine.begin() as connection:
        identity.reseal(connection, Vault(Keyring(primary="k2", keys={"k1": b"\1" * 32, "k2": bytes(32)})))
    with engine.connect() as connection:
        assert connection.execute(select(identity_credential)).all() == before


# --- history


def test_a_name_given_to_another_never_changes_the_past(engine: Engine) -> None:
    change(engine, *people(ALICE, BOB), BindName(address=ALICE, network="aim", name="boogy"), now=NOON)
    then = version(engine)
    change(engine, UnbindName(network="aim", name="boogy"), now=NOON + 100)
    change(engine, BindName(address=BOB, network="aim", name="boogy"), now=NOON + 200)
    with engine.connect() as connection:
        asked = [identity.who_was(connection, KEY, NOON + at) for at in (-1, 0, 99, 100, 199, 200, 1e9)]
        assert asked == [None, ALICE, ALICE, None, None, BOB, BOB]
        # as it was believed when the first record was written
        assert identity.who_was(connection, KEY, NOON + 150, then) == ALICE
        assert identity.who_was(connection, KEY, NOON + 50, 0) is None
        assert identity.names_of(connection, ALICE, NOON + 50) == (KEY,)
        assert identity.names_of(connection, ALICE, NOON + 150) == ()
        assert identity.names_of(connection, ALICE, NOON + 150, then) == (KEY,)
        spans = [
            (fact.person, fact.valid_from, fact.valid_to, fact.recorded_from, fact.recorded_to)
            for fact in identity.history(connection, KEY)
        ]
    assert spans == [
        (ALICE, NOON, None, 1, 2),
        (ALICE, NOON, NOON + 100, 2, None),
        (BOB, NOON + 200, None, 3, None),
    ]


def test_the_past_outlives_the_account(engine: Engine) -> None:
    change(engine, *people(ALICE), BindName(address=ALICE, network="aim", name="boogy"), now=NOON)
    change(engine, RemoveUser(address=ALICE), now=NOON + 100)
    with engine.connect() as connection:
        assert identity.who_was(connection, KEY, NOON + 50) == ALICE
        assert len(identity.history_of_person(connection, ALICE)) == 2


def test_the_history_of_a_name_on_any_network(engine: Engine) -> None:
    binds = [
        BindName(address=ALICE, network="aim", name="bob@hot.example"),
        BindName(address=BOB, network="msn", name="Bob@hot.example"),
    ]
    change(engine, *people(ALICE, BOB), *binds)

    def found(text: str) -> list[tuple[str, str]]:
        with engine.connect() as connection:
            return [(f.network, f.person) for f in identity.history_of_name(connection, text, RULES.normal_name)]

    assert found("BOB@hot.example") == [("aim", ALICE), ("msn", BOB)]
    assert found("msn/BOB@hot.example") == [("msn", BOB)]
    assert found("nobody") == []

    def none_left(network: str, _name: str) -> str:
        raise ValueError(f"there is no network {network}")

    with engine.connect() as connection:
        gone = identity.history_of_name(connection, "bob@hot.example", none_left)
    assert {fact.person for fact in gone} == {ALICE, BOB}


def test_versions(engine: Engine) -> None:
    change(engine, *people(ALICE), now=NOON)
    change(engine, *people(BOB), now=NOON - 50)
    with engine.connect() as connection:
        first, second = identity.versions(connection)
        assert identity.versions(connection, since=1) == (second,)
        assert (first.version, first.stamped_at, first.actor) == (1, NOON, "root@console")
        assert second.stamped_at > NOON
        assert second.clock_at == NOON - 50
        assert [identity.version_at(connection, at) for at in (NOON - 1, NOON, NOON + 1)] == [0, 1, 2]
        assert connection.execute(select(identity_version.c.version)).scalars().all() == [1, 2]
