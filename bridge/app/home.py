"""A bridge's home: its keys, its store and its people, as the daemon and the commands open them.

Everything secret is under ``data_dir/keys``, a folder of mode 0700 with files of mode 0600.

Cryptography, the policy language and the store are imported by the methods that need them: a command that asks for one
of them does not wait for the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field

from bridge.app.config import Config
from bridge.app.registry import options_of
from bridge.app.trunksections import foreign_domains, people_elsewhere
from bridge.identity.errors import NameRefused

if TYPE_CHECKING:
    import sqlalchemy

    from bridge.compliance.checkpoint import NoteSigner
    from bridge.compliance.keys import Keyring
    from bridge.compliance.record import RecordDraft
    from bridge.identity.changes import Change, Plan
    from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
    from bridge.identity.vault import Vault
    from bridge.policy.snapshot import Snapshot
    from bridge.store.journal import DirectJournal
    from bridge.store.writer import LogWriter
    from mappings.identity import SipAddressBook

NO_POLICY = '[policy]\nversion = "none"\n'
"""What is in force where no policy is configured: everything is refused."""


@define(eq=False)
class Home:
    """What a configured bridge keeps.

    Raises:
        ConfigError: a network's kind or an option is wrong.
    """

    config: Config
    kinds: Mapping[str, str] = field(init=False)
    options: Mapping[str, object] = field(init=False)

    def __attrs_post_init__(self) -> None:
        networks = self.config.networks
        self.options = {name: options_of(self.config, name) for name in networks}
        self.kinds = {"sip": "sip", **{name: section.kind for name, section in networks.items()}}

    # Names

    def normal_name(self, network: str, name: str) -> str:
        """Returns the normal form of a name on a configured network.

        Raises:
            NameRefused: there is no such network, or it is not a name there.
        """
        kind = self.kinds.get(network)
        if kind is None or kind == "sip":
            known = ", ".join(sorted(self.config.networks)) or "none"
            raise NameRefused(f"no network {network!r} is configured; known are {known}", f"{network}/{name}")
        from mappings.identity import AddressError, normalise

        try:
            return normalise(kind, name)
        except AddressError as e:
            raise NameRefused(e.reason, f"{network}/{name}") from e

    def _policy_name(self, network: str, name: str) -> str:
        try:
            return self.normal_name(network, name)
        except NameRefused as e:
            raise ValueError(str(e)) from e

    def addresses(self) -> SipAddressBook:
        """Returns which SIP domains stand for which networks."""
        from mappings.identity import NetworkDomain, SipAddressBook

        rows = [
            NetworkDomain(domain=section.domain, network=name, kind=section.kind)  # type: ignore[arg-type]
            for name, section in self.config.networks.items()
        ]
        return SipAddressBook.of([self.config.bridge.domain], rows, foreign=foreign_domains(self.config))

    def rules(self) -> IdentityRules:
        """Returns what this deployment fixes of identities."""
        from bridge.identity.snapshot import IdentityRules

        return IdentityRules(
            domains=frozenset({self.config.bridge.domain}),
            normal_name=self.normal_name,
            accounts_required=not people_elsewhere(self.config.sip),
            foreign_sip=bool(foreign_domains(self.config)),
            realm=self.config.sip.realm,
        )

    # Files

    @property
    def keys(self) -> Path:
        """The folder of the keys."""
        return self.config.bridge.data_dir / "keys"

    @property
    def database(self) -> Path:
        """The store's file."""
        from bridge.store.database import path_of

        return path_of(self.config.store.url)

    @property
    def log_name(self) -> str:
        """What the log's id begins with."""
        return f"{self.config.bridge.domain}/simplebridge"

    def prepare(self) -> None:
        """Makes the data folder and the folder of the keys.

        Raises:
            ConfigError: they cannot be made.
        """
        for folder in (self.config.bridge.data_dir, self.keys):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as e:
                raise self.config.error(("bridge", "data_dir"), f"{folder}: {e.strerror}") from e

    def keyring(self, *, create: bool) -> Keyring:
        """Returns the master keys of the compliance log."""
        from bridge.compliance.keys import Keyring

        return Keyring.open(self.keys / "master.key", create=create)

    def vault(self) -> Vault:
        """Returns the vault of network passwords; its key file is made where there is none."""
        from bridge.identity.keyring import KeyringFile
        from bridge.identity.vault import Vault

        return Vault.of_file(KeyringFile(self.keys / "vault.key"))

    @property
    def log_folder(self) -> Path:
        """Where the log's tiles and checkpoints are published."""
        return self.config.bridge.data_dir / "log"

    def signer(self, log_id: str, *, create: bool) -> NoteSigner:
        """Returns the signer of the checkpoints of a log."""
        from bridge.compliance.keys import open_signer

        return open_signer(self.keys / "log.key", log_id, create=create)

    def sip_secret(self) -> bytes:
        """Returns the secret that names of SIP requests are derived with; made where there is none."""
        from bridge.compliance.keys import read_private_file, write_private_file

        path = self.keys / "sip.key"
        if not path.exists():
            write_private_file(path, os.urandom(32), replace=False)
        return read_private_file(path)

    def unpublished(self) -> bool:
        """Returns whether no checkpoint is there yet: the key of one that is must not be made anew."""
        from bridge.compliance.files import CHECKPOINT

        return not (self.log_folder / CHECKPOINT).exists()

    # Store

    def writer(self) -> LogWriter:
        """Opens the store for writing; the log and its keys are made where there are none.

        Raises:
            StoreError, ComplianceError: they cannot be opened.
        """
        from bridge.store.writer import LogWriter

        self.prepare()
        return LogWriter(self.database, self.keyring(create=not self.database.exists()), log_name=self.log_name)

    @contextmanager
    def direct(self) -> Iterator[DirectJournal]:
        """Opens the store for the writes of a command."""
        from bridge.store.journal import DirectJournal

        journal = DirectJournal(self.writer())
        try:
            yield journal
        finally:
            journal.close()

    @contextmanager
    def reading(self) -> Iterator[sqlalchemy.Connection]:
        """Opens the store for reading."""
        from bridge.store.database import connect_readonly, sqlalchemy_over

        raw = connect_readonly(self.database)
        connection = sqlalchemy_over(raw)
        try:
            yield connection
        finally:
            connection.close()
            raw.close()

    def people(self) -> IdentitySnapshot:
        """Reads who is who now."""
        from bridge.store import identity as identity_store

        with self.reading() as connection:
            return identity_store.load_snapshot(connection, self.rules())

    def change_people(self, changes: Sequence[Change], *, actor: str) -> Plan:
        """Applies changes of identity, all or none, and puts them on record in the same transaction.

        Raises:
            IdentityError: a change is refused.
            StoreError: the store cannot take it.
        """
        from bridge.store import identity as identity_store

        self.prepare()
        vault = self.vault()

        def operation(connection: sqlalchemy.Connection) -> Plan:
            return identity_store.apply(
                connection, changes, rules=self.rules(), now=time.time(), actor=actor, vault=vault
            )

        with self.direct() as journal:
            return journal.submit(operation, records=lambda plan: identity_records(plan, actor)).result

    # Policy

    def policy(self) -> Snapshot:
        """Loads the policy that is configured; without one everything is refused.

        Raises:
            ConfigError: there is no such file.
            PolicyError: it cannot be put in force; the text names each mistake.
        """
        from bridge.policy.loader import Surroundings
        from bridge.policy.loading import load_policy, load_text

        domains = [self.config.bridge.domain]
        networks = tuple(self.config.networks)
        path = self.config.policy.file
        if path is None:
            around = Surroundings(networks=networks, domains=domains)
            return load_text(NO_POLICY, file="(no policy)", surroundings=around)
        try:
            path.open("rb").close()
        except OSError as e:
            raise self.config.error(("policy", "file"), f"{path}: {e.strerror}") from e
        return load_policy(path, networks=networks, domains=domains, normal_form=self._policy_name)


def identity_records(plan: Plan, actor: str) -> list[RecordDraft]:
    """Returns the record of a change of identities; an empty change leaves none."""
    from bridge.compliance import record

    if plan.empty:
        return []
    detail = {"notes": [note.as_dict() for note in plan.notes]}
    fields = {"identity_map_version": plan.state.version}
    return [record.event(record.IDENTITY_CHANGE, actor=actor, fields=fields, detail=detail)]
