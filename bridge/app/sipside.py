"""The SIP side, bound together: who may sign on, where registrations are kept, what is recorded of refused requests."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import sqlalchemy
import structlog
from attrs import asdict, define, frozen
from sqlalchemy import delete, insert, select

from bridge.app.home import Home
from bridge.app.sipconfig import endpoint_config
from bridge.delivery.ports import CommitFailed
from bridge.identity import accounts as identity
from bridge.identity.accounts import Algorithm, LoginForm
from bridge.identity.snapshot import IdentitySnapshot
from bridge.store.journal import GroupCommitJournal
from bridge.store.schema import publication, registration, subscription
from transports.sip.connector import SipTransport
from transports.sip.machine.documents import Surroundings
from transports.sip.machine.events import PeerChanged, RequestRefused
from transports.sip.machine.ports import Account, StoredBinding, StoredPublication, StoredSubscription
from transports.sip.seams import ConnectionLimits, SipTransportConfig
from transports.sip.tls import TlsFiles

log = structlog.get_logger(__name__)


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}


@frozen
class _Hashes(Mapping[str, str]):
    """The HA1s of an account for one form of its user name, by algorithm; each made into text when it is asked for."""

    account: identity.Account
    form: LoginForm

    def __getitem__(self, name: str) -> str:
        algorithm = _ALGORITHMS[name]
        found = self.account.ha1(self.form, algorithm)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (entry.algorithm.value for entry in self.account.ha1s if entry.form is self.form)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@frozen
class SnapshotAccounts:
    """The accounts that may sign on, from the people as they are now.

    Args:
        people: returns the snapshot in force.
    """

    people: Callable[[], IdentitySnapshot]

    def find(self, aor: str) -> Account | None:
        """Returns the enabled account of ``user@domain``, or None."""
        found = self.people().sip_account(aor)
        if found is None or not found.enabled:
            return None
        user, address = _Hashes(found, LoginForm.USER), _Hashes(found, LoginForm.ADDRESS)
        return Account(aor=found.address, ha1=user, ha1_domain=address)


@define(eq=False)
class StoredBindings:
    """Registrations in the store; loaded once, at the start."""

    journal: GroupCommitJournal
    kept: tuple[StoredBinding, ...]

    def save(self, aor: str, bindings: tuple[StoredBinding, ...], done: Callable[[bool], None]) -> None:
        """Makes ``bindings`` all there is of ``aor``."""
        rows = [
            {"aor": aor, "contact": _row_name(b), "expires_at": b.expires_at, "state": orjson.dumps(asdict(b))}
            for b in bindings
        ]

        def operation(connection: sqlalchemy.Connection) -> None:
            connection.execute(delete(registration).where(registration.c.aor == aor))
            if rows:
                connection.execute(insert(registration), rows)

        self.journal.submit(operation, lambda outcome: done(not isinstance(outcome, CommitFailed)))

    def load(self) -> tuple[StoredBinding, ...]:
        """Returns what was kept."""
        return self.kept


def _row_name(binding: StoredBinding) -> str:
    """Returns what tells a binding from the others of its person: flows of one device may have one Contact."""
    return f"{binding.contact}\n{binding.reg_id}" if binding.reg_id else binding.contact


@define(eq=False)
class StoredSubscriptions:
    """Subscriptions in the store; loaded once, at the start."""

    journal: GroupCommitJournal
    kept: tuple[StoredSubscription, ...]

    def put(self, stored: StoredSubscription) -> None:
        """Keeps a new or refreshed subscription."""
        row = {"id": stored.id, "expires_at": stored.expires_at, "state": orjson.dumps(asdict(stored))}

        def operation(connection: sqlalchemy.Connection) -> None:
            connection.execute(insert(subscription).prefix_with("OR REPLACE"), [row])

        self.journal.submit(operation, _log_failure)

    def remove(self, subscription_id: str) -> None:
        """Forgets one."""
        self.journal.submit(
            lambda connection: connection.execute(delete(subscription).where(subscription.c.id == subscription_id)),
            _log_failure,
        )

    def load(self) -> tuple[StoredSubscription, ...]:
        """Returns what was kept."""
        return self.kept


@define(eq=False)
class StoredPublications:
    """Publications in the store; loaded once, at the start."""

    journal: GroupCommitJournal
    kept: tuple[StoredPublication, ...]

    def put(self, stored: StoredPublication, done: Callable[[bool], None]) -> None:
        """Keeps a new, changed or refreshed publication."""
        state = {name: value for name, value in asdict(stored).items() if name != "body"}
        row = {
            "id": stored.id, "expires_at": stored.expires_at, "state": orjson.dumps(state), "body": stored.body
        }  # fmt: skip

        def operation(connection: sqlalchemy.Connection) -> None:
            connection.execute(insert(publication).prefix_with("OR REPLACE"), [row])

        def kept(outcome: object) -> None:
            _log_failure(outcome)
            done(not isinstance(outcome, CommitFailed))

        self.journal.submit(operation, kept)

    def remove(self, publication_id: str) -> None:
        """Forgets one, if it is there."""
        self.journal.submit(
            lambda connection: connection.execute(delete(publication).where(publication.c.id == publication_id)),
            _log_failure,
        )

    def load(self) -> tuple[StoredPublication, ...]:
        """Returns what was kept."""
        return self.kept


def _log_failure(outcome: object) -> None:
    if isinstance(outcome, CommitFailed):
        log.warning("a subscription or publication is not kept", reason=outcome.reason)


def load_bindings(connection: sqlalchemy.Connection, now: float) -> tuple[StoredBinding, ...]:
    """Reads the registrations that have not run out."""
    rows = connection.execute(select(registration.c.state).where(registration.c.expires_at > now))
    return tuple(StoredBinding(**_tuples(orjson.loads(state))) for (state,) in rows)


def load_subscriptions(connection: sqlalchemy.Connection, now: float) -> tuple[StoredSubscription, ...]:
    """Reads the subscriptions that have not run out."""
    rows = connection.execute(select(subscription.c.state).where(subscription.c.expires_at > now))
    return tuple(StoredSubscription(**_tuples(orjson.loads(state))) for (state,) in rows)


def load_publications(connection: sqlalchemy.Connection, now: float) -> tuple[StoredPublication, ...]:
    """Reads the publications that have not run out."""
    rows = connection.execute(select(publication.c.state, publication.c.body).where(publication.c.expires_at > now))
    return tuple(StoredPublication(**_tuples(orjson.loads(state)), body=body) for state, body in rows)


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def build_sip(
    home: Home,
    *,
    reactor: Any,
    journal: GroupCommitJournal,
    people: Callable[[], IdentitySnapshot],
    tls: TlsFiles | None,
    on_refused: Callable[[RequestRefused], None],
    on_peer: Callable[[PeerChanged], None],
    surroundings: Surroundings,
    now: float,
) -> SipTransport:
    """Builds the SIP transport of a bridge."""
    config = home.config
    with home.reading() as connection:
        bindings = StoredBindings(journal, load_bindings(connection, now))
        subscriptions = StoredSubscriptions(journal, load_subscriptions(connection, now))
        publications = StoredPublications(journal, load_publications(connection, now))
    return SipTransport(
        SipTransportConfig(
            endpoint=endpoint_config(config),
            tls=tls,
            dns_servers=tuple((at.host, at.port) for at in config.sip.dns_servers),
            limits=ConnectionLimits(
                connections=config.sip.max_connections,
                connections_per_source=config.sip.max_connections_per_source,
                origins=frozenset(origin.lower() for origin in config.sip.websocket_origins),
            ),
        ),
        reactor=reactor,
        accounts=SnapshotAccounts(people),
        secret=home.sip_secret(),
        bindings=bindings,
        subscriptions=subscriptions,
        publications=publications,
        on_refused=on_refused,
        on_peer=on_peer,
        surroundings=surroundings,
    )
