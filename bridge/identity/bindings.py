"""Who is behind a screen name, and who was: bindings with two times.

``valid``: when it held in the world, in seconds since the epoch. ``recorded``: from which version of the identity map
on it was believed. Versions count up by one with every change and never follow the clock, so a step of the clock
reorders nothing. A fact is never altered: what is no longer believed is superseded and stays readable, so an answer
given about last year, as believed last year, is the same for ever.

All intervals are half-open: ``from <= t < to``; a ``to`` of None has no end.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from attrs import evolve, frozen

from bridge.identity.errors import NameRefused, NameTaken, NotBound, TimeRefused
from bridge.model.address import Address
from bridge.model.ids import SIP, AccountId, NetworkId, PersonId, RemoteUserId

NormalName = Callable[[NetworkId, str], str]
"""Gives a name's normal form on a network. Raises ValueError: the network is not known, or cannot have that name."""

MAX_NAME = 256
"""Characters of a screen name."""


class NameKey(NamedTuple):
    """A screen name on a network, in normal form."""

    network: NetworkId
    name: RemoteUserId

    def __str__(self) -> str:
        return f"{self.network}/{self.name}"


@frozen(kw_only=True)
class Fact:
    """It was believed from version ``recorded_from`` to ``recorded_to`` that a person held a name in a span of time."""

    person: PersonId
    network: NetworkId
    name: RemoteUserId
    shown: str
    """The name as it was written when it was bound."""
    valid_from: float
    valid_to: float | None = None
    recorded_from: int
    recorded_to: int | None = None

    @property
    def key(self) -> NameKey:
        """The name that the fact is about."""
        return NameKey(self.network, self.name)

    def valid_at(self, at: float) -> bool:
        """Whether it says something about a moment."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    def believed_at(self, version: int | None) -> bool:
        """Whether it was believed at a version of the map; None is the newest."""
        if version is None:
            return self.recorded_to is None
        return self.recorded_from <= version and (self.recorded_to is None or version < self.recorded_to)


@frozen(kw_only=True)
class Binding:
    """A name that a person has now. ``primary``: the one that they send with on that network."""

    person: PersonId
    network: NetworkId
    name: RemoteUserId
    shown: str
    since: float
    primary: bool
    credential: int | None = None
    """The version at which the name's network password was last set; None: there is none."""

    @property
    def account(self) -> AccountId:
        """The name as an account of ours."""
        return AccountId(self.name)

    @property
    def address(self) -> Address:
        """The name as an address."""
        return Address(network=self.network, user=self.name)


def name_key(network: str, name: str, normal_name: NormalName) -> NameKey:
    """Returns the normal form of a name.

    Raises:
        NameRefused: the network is the corporate side or not known, the name is empty, too long, holds characters
            that cannot be shown, or the network cannot have it.
    """
    where = f"{network}/{name}" if len(name) <= MAX_NAME else f"{network}/{name[:40]}…"
    if network == SIP:
        raise NameRefused("sip is the corporate side: bindings are for other networks", repr(where))
    if not name.strip():
        raise NameRefused("the name is empty", repr(where))
    if len(name) > MAX_NAME or not name.isprintable():
        raise NameRefused(f"a name has at most {MAX_NAME} characters, all of them printable", repr(where))
    try:
        normal = normal_name(NetworkId(network), name)
    except ValueError as error:
        raise NameRefused(str(error), repr(where)) from error
    if not normal or not normal.isprintable():
        raise NameRefused(f"nothing of the name is left in its normal form on {network}", repr(where))
    return NameKey(NetworkId(network), RemoteUserId(normal))


class Revision(NamedTuple):
    """How a change alters what is believed: facts that are superseded, and facts that take their place."""

    superseded: tuple[Fact, ...]
    added: tuple[Fact, ...]


NO_REVISION = Revision((), ())


def holder(facts: Iterable[Fact], at: float, version: int | None = None) -> Fact | None:
    """Returns who held a name at a moment, as believed at a version (None: the newest).

    Args:
        facts: all facts of that one name.
        at: seconds since the epoch.
        version: a version of the identity map, as a record in the log holds it.
    """
    return next((fact for fact in facts if fact.believed_at(version) and fact.valid_at(at)), None)


def current(facts: Iterable[Fact]) -> Fact | None:
    """Returns the fact that says who has a name now and until further notice."""
    return next((fact for fact in facts if fact.recorded_to is None and fact.valid_to is None), None)


def assign(believed: Iterable[Fact], new: Fact) -> Revision:
    """Gives a name to a person from ``new.valid_from`` on.

    Args:
        believed: all facts of that name that are believed now.
        new: an open fact (no ``valid_to``) with the version of the change in ``recorded_from``.

    Returns:
        what changes: nothing where the person has held it for that time already. Spans of the same person that
        touch the new one are joined with it.

    Raises:
        NameTaken: another person holds or held the name in that span: the past is not taken from them.
    """
    start, joined = new.valid_from, []
    for fact in believed:
        if fact.valid_to is not None and fact.valid_to < new.valid_from:
            continue
        if fact.person == new.person:
            joined.append(fact)
            start = min(start, fact.valid_from)
        elif fact.valid_to is None:
            raise NameTaken(f"is bound to {fact.person}: unbind it first", str(fact.key))
        elif fact.valid_to > new.valid_from:
            raise NameTaken(f"was bound to {fact.person} in that time", str(fact.key))
    if len(joined) == 1 and joined[0].valid_to is None and joined[0].valid_from <= new.valid_from:
        return NO_REVISION
    return Revision(tuple(joined), (evolve(new, valid_from=start),))


def release(believed: Iterable[Fact], key: NameKey, person: PersonId, until: float, version: int) -> Revision:
    """Ends a person's holding of a name at ``until``.

    Raises:
        NotBound: the person does not have it now.
        TimeRefused: the binding began after ``until``.
    """
    fact = current(believed)
    if fact is None or fact.person != person:
        raise NotBound(f"is not bound to {person}", str(key))
    if until < fact.valid_from:
        raise TimeRefused("the binding began later than the time that it shall end", str(key))
    ended = evolve(fact, valid_to=until, recorded_from=version)
    return Revision((fact,), (ended,) if until > fact.valid_from else ())
