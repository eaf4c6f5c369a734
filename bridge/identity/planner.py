"""Checks a change against a state, and plans it.

``plan`` touches nothing: it returns what the store is to write and the state that follows, or raises an IdentityError
that names what is refused. Several commands are one change: all of them, or none.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from bridge.identity.accounts import (
    MAX_DISPLAY_NAME,
    Account,
    LoginForm,
    check_password,
    domain_of,
    ha1s,
    normal_address,
)
from bridge.identity.bindings import Fact, NameKey, Revision, assign, current, name_key, release
from bridge.identity.changes import (
    AddUser,
    BindName,
    Change,
    DisableUser,
    EnableUser,
    ForgetPassword,
    ImportNames,
    Note,
    Plan,
    RemoveUser,
    SetDisplayName,
    SetGroups,
    SetPassword,
    UnbindName,
)
from bridge.identity.errors import (
    AccountExists,
    AddressRefused,
    IdentityError,
    ImportRefused,
    LineError,
    NameRefused,
    NoSuchAccount,
    NotBound,
    TimeRefused,
)
from bridge.identity.names_csv import read_rows
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentityRules
from bridge.identity.state import State
from bridge.model.ids import NetworkId, PersonId, RemoteUserId

_TICK = 1e-6  # seconds: two changes never have one time
_MAX_GROUP = 256


def plan(state: State, changes: Sequence[Change], rules: IdentityRules, now: float) -> Plan:
    """Plans commands as one change.

    Args:
        state: what is believed before it.
        changes: the commands, in order; each sees what those before it did.
        rules: what the deployment fixes.
        now: the time of day, seconds since the epoch. A clock that was stepped back does not reorder the changes.

    Raises:
        IdentityError: one of its kinds says which command is refused and why. ImportRefused has every bad line.
    """
    draft = _Draft(state, rules, now)
    for change in changes:
        _HANDLERS[type(change)](draft, change)
    return draft.plan()


class _Draft:
    """A state in the making."""

    def __init__(self, state: State, rules: IdentityRules, now: float) -> None:
        self.before = state
        self.rules = rules
        self.clock_at = now
        self.version = state.version + 1
        self.stamp = max(now, state.stamped_at + _TICK)
        self.notes: list[Note] = []
        self.accounts = dict(state.accounts)
        self.facts = dict(state.facts)
        self.primaries = dict(state.primaries)
        self.groups = dict(state.groups)
        self.credentials = dict(state.credentials)
        self.accounts_written: dict[PersonId, Account | None] = {}
        self.superseded: list[Fact] = []
        self.added: dict[Fact, None] = {}
        self.primaries_written: dict[tuple[PersonId, NetworkId], RemoteUserId | None] = {}
        self.groups_written: dict[PersonId, frozenset[str]] = {}
        self.secrets: dict[NameKey, Secret | None] = {}
        self._logins: dict[tuple[str, str], PersonId] | None = None
        self.held: dict[tuple[PersonId, NetworkId], set[RemoteUserId]] = {}
        for facts in state.facts.values():
            if (fact := current(facts)) is not None:
                self.held.setdefault((fact.person, fact.network), set()).add(fact.name)

    def plan(self) -> Plan:
        after = self.before
        if self.notes:
            after = State(
                version=self.version,
                stamped_at=self.stamp,
                accounts=self.accounts,
                facts=self.facts,
                primaries=self.primaries,
                groups=self.groups,
                credentials=self.credentials,
            )
        return Plan(
            before=self.before.version,
            state=after,
            clock_at=self.clock_at,
            notes=tuple(self.notes),
            accounts=self.accounts_written,
            superseded=tuple(self.superseded),
            added=tuple(self.added),
            primaries=self.primaries_written,
            groups=self.groups_written,
            secrets=self.secrets,
        )

    # --- what commands are made of

    def logins(self) -> dict[tuple[str, str], PersonId]:
        """Who signs on in a realm with a user part alone."""
        if self._logins is None:
            accounts = self.accounts.values()
            self._logins = {(account.realm, account.username(LoginForm.USER)): account.address for account in accounts}
        return self._logins

    def our_address(self, text: str) -> PersonId:
        address = normal_address(text)
        if domain_of(address) not in self.rules.domains:
            ours = ", ".join(sorted(self.rules.domains))
            raise AddressRefused(f"{domain_of(address)} is not a domain of ours ({ours})", address)
        return address

    def forget_login(self, account: Account) -> None:
        self.logins().pop((account.realm, account.username(LoginForm.USER)), None)

    def account(self, text: str) -> Account:
        address = normal_address(text)
        account = self.accounts.get(address)
        if account is None:
            raise NoSuchAccount("there is no such account", address)
        return account

    def person(self, text: str) -> PersonId:
        address = self.our_address(text)
        if self.rules.accounts_required and address not in self.accounts:
            raise NoSuchAccount("there is no such account: add the user first", address)
        return address

    def put_account(self, account: Account, action: str, detail: str = "") -> None:
        self.accounts[account.address] = account
        self.accounts_written[account.address] = account
        self.notes.append(Note(action=action, person=account.address, detail=detail))

    def moment(self, at: float | None, where: str) -> float:
        if at is None:
            return self.stamp
        if not math.isfinite(at) or at > self.stamp:
            raise TimeRefused("the time lies in the future", where)
        return at

    def revise(self, key: NameKey, revision: Revision) -> None:
        facts = dict.fromkeys(self.facts.get(key, ()))
        for fact in revision.superseded:
            del facts[fact]
            if fact.recorded_from == self.version:
                del self.added[fact]  # it was never written
            else:
                self.superseded.append(fact)
            if fact.valid_to is None:
                self.held[fact.person, fact.network].discard(fact.name)
        for fact in revision.added:
            facts[fact] = None
            self.added[fact] = None
            if fact.valid_to is None:
                self.held.setdefault((fact.person, fact.network), set()).add(fact.name)
        if facts:
            self.facts[key] = tuple(sorted(facts, key=lambda fact: fact.valid_from))
        else:
            self.facts.pop(key, None)

    def put_primary(self, person: PersonId, key: NameKey) -> None:
        self.primaries[person, key.network] = key.name
        self.primaries_written[person, key.network] = key.name

    def next_primary(self, person: PersonId, network: NetworkId) -> None:
        """The primary name has gone: the one that was bound first of those left takes its place."""
        left = self.held.get((person, network))
        if not left:
            del self.primaries[person, network]
            self.primaries_written[person, network] = None
            return
        name = min(left, key=lambda name: (self.since(NameKey(network, name)), name))
        self.put_primary(person, NameKey(network, name))
        self.notes.append(Note(action="primary", person=person, network=network, name=name))

    def since(self, key: NameKey) -> float:
        fact = current(self.facts.get(key, ()))
        return math.inf if fact is None else fact.valid_from

    def put_secret(self, key: NameKey, person: PersonId, secret: Secret) -> None:
        check_password(secret.reveal(), str(key))
        self.credentials[key] = self.version
        self.secrets[key] = secret
        self.notes.append(Note(action="credential-set", person=person, network=key.network, name=key.name))

    def drop_secret(self, key: NameKey, person: PersonId) -> None:
        if self.credentials.pop(key, None) is None:
            return
        self.secrets[key] = None
        self.notes.append(Note(action="credential-delete", person=person, network=key.network, name=key.name))

    def bind(self, person: PersonId, key: NameKey, shown: str, since: float | None, *, primary: bool) -> None:
        """Binds a name. Does nothing where it is so already."""
        new = Fact(
            person=person,
            network=key.network,
            name=key.name,
            shown=shown.strip(),
            valid_from=self.moment(since, str(key)),
            recorded_from=self.version,
        )
        revision = assign(self.facts.get(key, ()), new)
        self.revise(key, revision)
        first = (person, key.network) not in self.primaries
        changes_primary = primary and self.primaries.get((person, key.network)) != key.name
        if revision.added:
            detail = "primary" if first or changes_primary else ""
            self.notes.append(
                Note(action="bind", person=person, network=key.network, name=key.name, at=new.valid_from, detail=detail)
            )
        elif changes_primary:
            self.notes.append(Note(action="primary", person=person, network=key.network, name=key.name))
        if first or changes_primary:
            self.put_primary(person, key)

    def unbind(self, person: PersonId, key: NameKey, until: float | None) -> None:
        """Unbinds a name of a person, and deletes its network password."""
        moment = self.moment(until, str(key))
        self.revise(key, release(self.facts.get(key, ()), key, person, moment, self.version))
        self.notes.append(Note(action="unbind", person=person, network=key.network, name=key.name, at=moment))
        self.drop_secret(key, person)
        if self.primaries.get((person, key.network)) == key.name:
            self.next_primary(person, key.network)


def _add_user(draft: _Draft, change: AddUser) -> None:
    address = draft.our_address(change.address)
    if address in draft.accounts:
        raise AccountExists("there is such an account already", address)
    realm = draft.rules.realm or domain_of(address)
    account = Account(
        address=address,
        realm=realm,
        ha1s=() if change.password is None else ha1s(address, realm, change.password),
        display_name=_display_name(change.display_name, address),
        created_at=draft.stamp,
    )
    login = account.username(LoginForm.USER)
    other = draft.logins().get((realm, login))
    if other is not None:
        raise AccountExists(f"{other} signs on as {login} in the realm {realm} already", address)
    draft.logins()[realm, login] = address
    draft.put_account(account, "user-add", "" if change.password is not None else "without a password")


def _display_name(name: str, address: PersonId) -> str:
    name = name.strip()
    if len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise NameRefused(f"a display name has at most {MAX_DISPLAY_NAME} characters, all of them printable", address)
    return name


def _set_password(draft: _Draft, change: SetPassword) -> None:
    account = draft.account(change.address)
    # the realm may have been configured anew since: a password is the moment to follow
    realm = draft.rules.realm or domain_of(account.address)
    new = ha1s(account.address, realm, change.password)
    login = account.username(LoginForm.USER)
    other = draft.logins().get((realm, login), account.address)
    if other != account.address:
        raise AccountExists(f"{other} signs on as {login} in the realm {realm} already", account.address)
    draft.forget_login(account)
    draft.logins()[realm, login] = account.address
    draft.put_account(evolve(account, realm=realm, ha1s=new), "user-password")


def _set_display_name(draft: _Draft, change: SetDisplayName) -> None:
    account = draft.account(change.address)
    name = _display_name(change.display_name, account.address)
    if name != account.display_name:
        draft.put_account(evolve(account, display_name=name), "user-name", name)


def _disable_user(draft: _Draft, change: DisableUser) -> None:
    account = draft.account(change.address)
    if account.enabled:
        draft.put_account(evolve(account, enabled=False), "user-disable")


def _enable_user(draft: _Draft, change: EnableUser) -> None:
    account = draft.account(change.address)
    if not account.enabled:
        draft.put_account(evolve(account, enabled=True), "user-enable")


def _remove_user(draft: _Draft, change: RemoveUser) -> None:
    account = draft.account(change.address)
    address = account.address
    held = sorted(
        NameKey(network, name) for (person, network), names in draft.held.items() if person == address for name in names
    )
    for key in held:
        draft.unbind(address, key, None)
    if draft.groups.pop(address, None) is not None:
        draft.groups_written[address] = frozenset()
    draft.forget_login(account)
    del draft.accounts[address]
    draft.accounts_written[address] = None
    draft.notes.append(Note(action="user-remove", person=address))


def _set_groups(draft: _Draft, change: SetGroups) -> None:
    person = draft.person(change.address)
    for group in change.groups:
        if not group.strip() or len(group) > _MAX_GROUP or not group.isprintable():
            raise NameRefused(f"a group's name has 1 to {_MAX_GROUP} printable characters, not {group[:40]!r}", person)
    if change.groups == draft.groups.get(person, frozenset()):
        return
    if change.groups:
        draft.groups[person] = change.groups
    else:
        del draft.groups[person]
    draft.groups_written[person] = change.groups
    draft.notes.append(Note(action="groups", person=person, detail=", ".join(sorted(change.groups))))


def _bind_name(draft: _Draft, change: BindName) -> None:
    person = draft.person(change.address)
    key = name_key(change.network, change.name, draft.rules.normal_name)
    draft.bind(person, key, change.name, change.since, primary=change.primary)
    if change.password is not None:
        draft.put_secret(key, person, change.password)


def _unbind_name(draft: _Draft, change: UnbindName) -> None:
    key = name_key(change.network, change.name, draft.rules.normal_name)
    person = _holder(draft, key) if change.address is None else normal_address(change.address)
    draft.unbind(person, key, change.until)


def _holder(draft: _Draft, key: NameKey) -> PersonId:
    fact = current(draft.facts.get(key, ()))
    if fact is None:
        raise NotBound("is not bound to anyone", str(key))
    return fact.person


def _forget_password(draft: _Draft, change: ForgetPassword) -> None:
    key = name_key(change.network, change.name, draft.rules.normal_name)
    draft.drop_secret(key, _holder(draft, key))


def _import_names(draft: _Draft, change: ImportNames) -> None:
    rows, errors = read_rows(change.data, change.source)
    lines: dict[NameKey, tuple[PersonId, int]] = {}
    for row in rows:
        try:
            person = draft.person(row.address)
            key = name_key(row.network, row.name, draft.rules.normal_name)
            earlier, line = lines.setdefault(key, (person, row.line))
            if earlier != person:
                errors.append(LineError(line=row.line, reason=f"{key} is given to {earlier} on line {line}"))
                continue
            draft.bind(person, key, row.name, None, primary=False)
        except IdentityError as error:
            errors.append(LineError(line=row.line, reason=str(error)))
    if errors:
        raise ImportRefused(tuple(sorted(errors, key=lambda error: error.line)), change.source)


_HANDLERS: dict[type[Change], Callable[[_Draft, Any], None]] = {
    AddUser: _add_user,
    SetPassword: _set_password,
    SetDisplayName: _set_display_name,
    DisableUser: _disable_user,
    EnableUser: _enable_user,
    RemoveUser: _remove_user,
    SetGroups: _set_groups,
    BindName: _bind_name,
    UnbindName: _unbind_name,
    ForgetPassword: _forget_password,
    ImportNames: _import_names,
}
