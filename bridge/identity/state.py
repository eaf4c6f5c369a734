"""All that is believed of the identities at one version: what a change is checked against."""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from bridge.identity.accounts import Account
from bridge.identity.bindings import Binding, Fact, NameKey, current
from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
from bridge.model.ids import NetworkId, PersonId, RemoteUserId


@frozen(kw_only=True)
class State:
    """The identities at a version. Its mappings are not altered by anyone: a change makes a new state.

    ``facts`` holds what is believed now, spans that are over included; what was superseded is in the store alone.
    """

    version: int = 0
    stamped_at: float = 0.0
    """The time of the last change, seconds since the epoch; the next one is later, whatever the clock says."""
    accounts: Mapping[PersonId, Account] = field(factory=dict)
    facts: Mapping[NameKey, tuple[Fact, ...]] = field(factory=dict)
    primaries: Mapping[tuple[PersonId, NetworkId], RemoteUserId] = field(factory=dict)
    groups: Mapping[PersonId, frozenset[str]] = field(factory=dict)
    credentials: Mapping[NameKey, int] = field(factory=dict)
    """The names with a network password, and the version at which it was set."""

    def bindings(self) -> tuple[Binding, ...]:
        """Returns who has which name now: by person and network, the primary name first."""
        open_facts = [fact for facts in self.facts.values() if (fact := current(facts)) is not None]
        return make_bindings(open_facts, self.primaries, self.credentials)

    def snapshot(self, rules: IdentityRules) -> IdentitySnapshot:
        """Returns the picture of this state that the path of a message asks."""
        return IdentitySnapshot(
            version=self.version,
            rules=rules,
            accounts=self.accounts.values(),
            bindings=self.bindings(),
            groups=self.groups,
        )


def make_bindings(
    open_facts: Iterable[Fact],
    primaries: Mapping[tuple[PersonId, NetworkId], RemoteUserId],
    credentials: Mapping[NameKey, int],
) -> tuple[Binding, ...]:
    """Returns the bindings that open facts make: by person and network, the primary name first."""
    made = [
        Binding(
            person=fact.person,
            network=fact.network,
            name=fact.name,
            shown=fact.shown,
            since=fact.valid_from,
            primary=primaries.get((fact.person, fact.network)) == fact.name,
            credential=credentials.get(fact.key),
        )
        for fact in open_facts
    ]
    return tuple(sorted(made, key=lambda b: (b.person, b.network, not b.primary, b.name)))
