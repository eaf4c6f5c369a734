"""Who a rule is about, as bits: which rules name a party at which end.

Rule number ``i`` is bit ``1 << i`` of an int. A thousand rules are then 17 machine words, and the metadata part of a
decision is a dozen ANDs and ORs, whatever the number of rules.
"""

from collections.abc import Iterable, Iterator, Sequence

from bridge.model.cache import TwoGenerationCache
from bridge.policy.language import Group, Rule
from bridge.policy.values import (
    ASSURANCES,
    CONVERSATIONS,
    DIRECTIONS,
    KINDS,
    Conversation,
    Direction,
    Kind,
    Party,
)

PARTY_LIMIT = 32_768
"""Parties whose bits are kept."""
KEY_LIMIT = 512
"""Characters of a party's key beyond which nothing is cached for it: a long name costs time, not memory."""


def numbers(bits: int) -> Iterator[int]:
    """The positions of the set bits, ascending."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


class Membership:
    """The groups of a party: those that the policy resolved, and those that the caller tells."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._names = frozenset(group.name for group in groups)
        found: dict[str, list[str]] = {}
        for group in groups:
            for member in group.members:
                found.setdefault(member, []).append(group.name)
        self._of = {member: tuple(names) for member, names in found.items()}

    def groups(self, party: Party) -> frozenset[str]:
        """Declared groups that hold the party's address or person, or that the party itself names."""
        named = set(self._of.get(party.address, ()))
        if party.person is not None:
            named.update(self._of.get(party.person, ()))
        return frozenset(named | (party.groups & self._names))

    def terms(self, party: Party) -> frozenset[str]:
        """Every term of the language that is true of the party."""
        terms = {"any", f"person:{party.address}", *(f"group:{name}" for name in self.groups(party))}
        if party.network is not None:
            terms.add(f"network:{party.network}")
            terms.add(f"contact:{party.address}")
        if party.domain is not None:
            terms.add(f"domain:{party.domain}")
        if party.person is not None:
            terms.add(f"person:{party.person}")
        return frozenset(terms)


def _bits(held: Iterable[bool]) -> int:
    return sum(1 << number for number, holds in enumerate(held) if holds)


class MetadataIndex:
    """Bits of rules by each condition that depends on who, whither and what kind, not on the message."""

    def __init__(self, rules: Sequence[Rule], membership: Membership) -> None:
        self._membership = membership
        self._first: dict[str, int] = {}
        self._second: dict[str, int] = {}
        self._turned = 0
        for number, rule in enumerate(rules):
            first, second, turned = rule.ends
            for terms, index in ((first, self._first), (second, self._second)):
                for term in terms:
                    index[term] = index.get(term, 0) | 1 << number
            self._turned |= turned << number
        self._direction = {
            direction: _bits(rule.direction in {None, "both", direction} for rule in rules) for direction in DIRECTIONS
        }
        self._kind = {kind: _bits(rule.kinds is None or kind in rule.kinds for rule in rules) for kind in KINDS}
        self._conversation = {
            name: _bits(rule.conversation in {None, name} for rule in rules) for name in CONVERSATIONS
        }
        self._assurance = {
            name: _bits(rule.assurance is None or name in rule.assurance for rule in rules) for name in ASSURANCES
        }
        self._parties: TwoGenerationCache[str, tuple[int, int]] = TwoGenerationCache(PARTY_LIMIT)

    def matching(
        self, sender: Party, recipient: Party, direction: Direction, kind: Kind, conversation: Conversation
    ) -> int:
        """The rules that these do not exclude. Raises ValueError for a value that the language does not know."""
        from_first, from_second = self._ends(sender)
        to_first, to_second = self._ends(recipient)
        bits = (from_first & to_second) | (from_second & to_first & self._turned)
        try:
            return (
                bits
                & self._direction[direction]
                & self._kind[kind]
                & self._conversation[conversation]
                & self._assurance[sender.assurance]
            )
        except KeyError as error:
            raise ValueError(f"no direction, kind, conversation or assurance is {error.args[0]!r}") from None

    def _ends(self, party: Party) -> tuple[int, int]:
        """The rules that name the party at their first and at their second end."""
        found = self._parties.get(party.key)
        if found is None:
            first = second = 0
            for term in self._membership.terms(party):
                first |= self._first.get(term, 0)
                second |= self._second.get(term, 0)
            found = (first, second)
            if len(party.key) <= KEY_LIMIT:
                self._parties.put(party.key, found)
        return found
