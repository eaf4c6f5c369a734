"""Who is who now: an immutable picture that the path of a message asks, dictionary look-ups only."""

from collections.abc import Iterable, Mapping

from attrs import frozen

from bridge.identity.accounts import Account, domain_of, normal_address
from bridge.identity.bindings import Binding, NameKey, NormalName, name_key
from bridge.identity.errors import IdentityError
from bridge.model.address import Address, Identity
from bridge.model.envelope import Direction, Origin
from bridge.model.ids import SIP, NetworkId, PersonId, RemoteUserId

_NONE: frozenset[str] = frozenset()


@frozen(kw_only=True)
class IdentityRules:
    """What a deployment fixes.

    ``accounts_required``: a corporate person is who has a local account. False where a trusted peer or a directory
    keeps the people: then every address of ``domains`` is a colleague's unless a local account says disabled.
    ``foreign_sip``: SIP addresses of other domains write and are written to (a federation); otherwise they are no one.
    ``realm``: the Digest realm of new accounts; None is the domain of their address.
    """

    domains: frozenset[str]
    normal_name: NormalName
    accounts_required: bool
    foreign_sip: bool = False
    realm: str | None = None


@frozen(kw_only=True)
class Route:
    """A way: both ends with the people behind them, and the account of ours that acts on the recipient's network.

    ``account``: outbound, the sender's screen name there; internal, the sender's address; inbound, the recipient's.
    """

    sender: Identity
    recipient: Identity
    account: str
    direction: Direction


@frozen(kw_only=True)
class NoRoute:
    """There is no way; the ends as far as they are known.

    ``code``: ``forbidden``, ``not-found``, ``no-binding`` or ``bad-request``. ``reason`` is fit for the sender.
    """

    sender: Identity
    recipient: Identity
    direction: Direction
    code: str
    reason: str


class IdentitySnapshot:
    """The people, their accounts and names, as one version of the identity map has them.

    Addresses may come in any form: those in normal form cost one look-up, others are brought to it first.

    Args:
        version: the version of the map.
        rules: what the deployment fixes.
        accounts: every local account.
        bindings: every name that is bound now, at most once each.
        groups: the groups of a person, from wherever they are kept.

    Raises:
        ValueError: a name is bound twice, or a person has two primary names on a network.
    """

    __slots__ = (
        "_accounts",
        "_bindings",
        "_groups",
        "_names_of",
        "_primaries",
        "rules",
        "version",
    )

    def __init__(
        self,
        *,
        version: int,
        rules: IdentityRules,
        accounts: Iterable[Account],
        bindings: Iterable[Binding],
        groups: Mapping[PersonId, frozenset[str]],
    ) -> None:
        self.version = version
        self.rules = rules
        self._accounts = {account.address: account for account in accounts}
        shared: dict[frozenset[str], frozenset[str]] = {}
        self._groups = {person: shared.setdefault(names, names) for person, names in groups.items()}
        self._bindings: dict[NameKey, Binding] = {}
        self._primaries: dict[tuple[PersonId, NetworkId], Binding] = {}
        self._names_of: dict[PersonId, list[Binding]] = {}
        for binding in bindings:
            self._add_binding(binding)

    def _add_binding(self, binding: Binding) -> None:
        key = NameKey(binding.network, binding.name)
        if key in self._bindings:
            raise ValueError(f"{key} is bound twice")
        self._bindings[key] = binding
        self._names_of.setdefault(binding.person, []).append(binding)
        if binding.primary:
            if (binding.person, binding.network) in self._primaries:
                raise ValueError(f"{binding.person} has two primary names on {binding.network}")
            self._primaries[binding.person, binding.network] = binding

    # --- who is it

    def person_of(self, address: Address) -> PersonId | None:
        """Returns the corporate person behind an address: their own, or a screen name that is bound to them.

        A person whose account is disabled is still that person: ask ``enabled``.
        """
        return self._find(address)[0]

    colleague = person_of

    def _find(self, address: Address) -> tuple[PersonId | None, Address, str]:
        """Returns who is behind an address, its normal form, and, where it has none, why."""
        if address.network == SIP:
            return self._find_sip(address)
        key = NameKey(address.network, address.user)
        binding = self._bindings.get(key)
        if binding is not None:
            return binding.person, address, ""
        try:
            normal = name_key(address.network, address.user, self.rules.normal_name)
        except IdentityError as error:
            return None, address, error.what
        if normal == key:
            return None, address, ""
        binding = self._bindings.get(normal)
        found = Address(network=normal.network, user=normal.name)
        return None if binding is None else binding.person, found, ""

    def _find_sip(self, address: Address) -> tuple[PersonId | None, Address, str]:
        account = self._accounts.get(PersonId(address.user))
        if account is not None:
            return account.address, address, ""
        try:
            normal = normal_address(address.user)
        except IdentityError as error:
            return None, address, error.what
        known = normal in self._accounts or self._kept_elsewhere(normal)
        return normal if known else None, Address(network=SIP, user=RemoteUserId(normal)), ""

    def _kept_elsewhere(self, person: PersonId) -> bool:
        return not self.rules.accounts_required and domain_of(person) in self.rules.domains

    def binding_of(self, address: Address) -> Binding | None:
        """Returns the binding of a screen name, however it is spelled."""
        normal = self._find(address)[1]
        return self._bindings.get(NameKey(normal.network, normal.user))

    def account_of(self, person: PersonId, network: NetworkId) -> Binding | None:
        """Returns the name that a person sends with on a network."""
        return self._primaries.get((person, network))

    def names_of(self, person: PersonId) -> tuple[Binding, ...]:
        """Returns all names that a person has now, on every network."""
        return tuple(self._names_of.get(person, ()))

    def bindings(self, network: NetworkId | None = None) -> tuple[Binding, ...]:
        """Returns the bindings of enabled people, on one network or on all: the accounts that may be signed on."""
        return tuple(
            binding
            for binding in self._bindings.values()
            if (network is None or binding.network == network) and self.enabled(binding.person)
        )

    def groups_of(self, person: PersonId) -> frozenset[str]:
        """Returns the groups that a person is in."""
        return self._groups.get(person, _NONE)

    def sip_account(self, address: str) -> Account | None:
        """Returns the local account of an address, in whatever spelling."""
        account = self._accounts.get(PersonId(address))
        if account is not None:
            return account
        try:
            return self._accounts.get(normal_address(address))
        except IdentityError:
            return None

    def accounts(self) -> tuple[Account, ...]:
        """Returns every local account, enabled or not."""
        return tuple(self._accounts.values())

    def enabled(self, person: PersonId) -> bool:
        """Whether a person may sign on, send and receive."""
        account = self._accounts.get(person)
        return account.enabled if account is not None else self._kept_elsewhere(person)

    def identity(self, person: PersonId) -> Identity:
        """Returns a person as they are addressed inside."""
        account = self._accounts.get(person)
        if account is not None:
            return account.identity
        return Identity(address=Address(network=SIP, user=RemoteUserId(person)), person=person)

    # --- which way

    def route(self, origin: Origin, sender: Address, recipient: Address) -> Route | NoRoute:
        """Finds the way of an event.

        A screen name that is bound to a colleague is reached inside. Whoever may not sign on neither sends nor
        receives, and no one sends or receives on a network without a name there.

        Args:
            origin: where it came from; its account is the authenticated sender on ``sip``, else ours that received it.
            sender: as the transport knows it, which has authenticated it.
            recipient: as the sender has written it.
        """
        if origin.network != sender.network:
            return self._no_route(sender, recipient, "bad-request", "the sender is not of the network it came from")
        if sender.network == SIP:
            return self._route_from_sip(origin, sender, recipient)
        return self._route_from_network(sender, recipient)

    def _route_from_sip(self, origin: Origin, sender: Address, recipient: Address) -> Route | NoRoute:
        person = self._find_sip(sender)[0]
        if person is None:
            if self._foreign(sender):
                return self._route_from_network(sender, recipient)
            return self._no_route(sender, recipient, "forbidden", "the sender is not known here")
        if origin.account != sender.user and not self._is(person, origin.account):
            return self._no_route(sender, recipient, "forbidden", "the sender is not who signed on")
        if not self.enabled(person):
            return self._no_route(sender, recipient, "forbidden", "the sender's account is disabled")
        target, normal, why_not = self._find(recipient)
        if why_not:
            return self._no_route(sender, recipient, "bad-request", why_not)
        if target is None:
            return self._route_outside(person, sender, normal)
        if not self.enabled(target):
            return self._no_route(sender, recipient, "not-found", f"{recipient} cannot be reached")
        return Route(
            sender=self.identity(person),
            recipient=self.identity(target),
            account=person,
            direction=Direction.INTERNAL,
        )

    def _is(self, person: PersonId, account: str) -> bool:
        return self._find_sip(Address(network=SIP, user=RemoteUserId(account)))[0] == person

    def _route_outside(self, person: PersonId, sender: Address, recipient: Address) -> Route | NoRoute:
        account: str = person
        if recipient.network != SIP:
            binding = self._primaries.get((person, recipient.network))
            if binding is None:
                return self._no_route(sender, recipient, "no-binding", f"you have no name on {recipient.network}")
            account = binding.account
        elif not self._foreign(recipient):
            return self._no_route(sender, recipient, "not-found", f"no one has the address {recipient.user}")
        return Route(
            sender=self.identity(person),
            recipient=Identity(address=recipient),
            account=account,
            direction=Direction.OUTBOUND,
        )

    def _route_from_network(self, sender: Address, recipient: Address) -> Route | NoRoute:
        behind, sender, _ = self._find(sender)
        if behind is not None and not self.enabled(behind):
            return self._no_route(sender, recipient, "forbidden", "the sender's account is disabled")
        target = self.person_of(recipient)
        if target is None:
            return self._no_route(sender, recipient, "no-binding", f"no one here is behind {recipient}")
        if not self.enabled(target):
            return self._no_route(sender, recipient, "not-found", f"{recipient} cannot be reached")
        if sender.network != SIP and not self._has_name(target, sender.network):
            return self._no_route(sender, recipient, "no-binding", f"{target} has no name on {sender.network}")
        return Route(
            sender=Identity(address=sender, person=behind),
            recipient=self.identity(target),
            account=target,
            direction=Direction.INBOUND,
        )

    def _has_name(self, person: PersonId, network: NetworkId) -> bool:
        return (person, network) in self._primaries

    def _foreign(self, address: Address) -> bool:
        """Whether a SIP address is another domain's, and such are let in and out."""
        if not self.rules.foreign_sip:
            return False
        _, normal, why_not = self._find_sip(address)
        return not why_not and domain_of(normal.user) not in self.rules.domains

    def _no_route(self, sender: Address, recipient: Address, code: str, reason: str) -> NoRoute:
        from_person, to_person = self.person_of(sender), self.person_of(recipient)
        if sender.network != SIP or from_person is None:
            direction = Direction.INBOUND
        elif to_person is not None or recipient.network == SIP:
            direction = Direction.INTERNAL
        else:
            direction = Direction.OUTBOUND
        return NoRoute(
            sender=Identity(address=sender, person=from_person),
            recipient=Identity(address=recipient, person=to_person),
            direction=direction,
            code=code,
            reason=reason,
        )


@frozen(kw_only=True)
class SnapshotDelta:
    """What a running daemon has to do about a new snapshot.

    ``shut_out``: people whose registrations, subscriptions and links end. ``passwords``: people whose sign-on has
    changed. ``links_down`` and ``links_up``: names to sign off and on; a name with a new network password is in both.
    """

    shut_out: frozenset[PersonId]
    passwords: frozenset[PersonId]
    links_down: tuple[Binding, ...]
    links_up: tuple[Binding, ...]


def delta(old: IdentitySnapshot, new: IdentitySnapshot) -> SnapshotDelta:
    """Returns what has changed between two snapshots for sessions that are open."""

    def links(snapshot: IdentitySnapshot) -> dict[tuple[NameKey, PersonId, int | None], Binding]:
        return {(NameKey(b.network, b.name), b.person, b.credential): b for b in snapshot.bindings()}

    before, after = links(old), links(new)
    was_in = {account.address for account in old.accounts() if account.enabled}
    return SnapshotDelta(
        shut_out=frozenset(person for person in was_in if not new.enabled(person))
        | frozenset(binding.person for binding in before.values() if not new.enabled(binding.person))
        | frozenset(a.address for a in new.accounts() if not a.enabled and old.enabled(a.address)),
        passwords=frozenset(
            account.address
            for account in old.accounts()
            if (now := new.sip_account(account.address)) is not None
            and (now.ha1s, now.realm) != (account.ha1s, account.realm)
        ),
        links_down=tuple(binding for key, binding in before.items() if key not in after),
        links_up=tuple(binding for key, binding in after.items() if key not in before),
    )
