"""Changes of the identities as values: the commands, what they did, and what the store writes for them."""

from attrs import field, frozen

from bridge.identity.accounts import Account
from bridge.identity.bindings import Fact, NameKey
from bridge.identity.secret import Secret
from bridge.identity.state import State
from bridge.model.ids import NetworkId, PersonId, RemoteUserId


@frozen(kw_only=True)
class AddUser:
    """A new local account. Without a password its owner cannot sign on by Digest; a trusted peer vouches for them."""

    address: str
    password: Secret | None = None
    display_name: str = ""


@frozen(kw_only=True)
class SetPassword:
    """A new SIP password of an account."""

    address: str
    password: Secret


@frozen(kw_only=True)
class SetDisplayName:
    """A new name to show."""

    address: str
    display_name: str


@frozen(kw_only=True)
class DisableUser:
    """The account neither signs on, sends nor receives; its names stay its own."""

    address: str


@frozen(kw_only=True)
class EnableUser:
    """Ends what DisableUser began."""

    address: str


@frozen(kw_only=True)
class RemoveUser:
    """The account goes, its names are unbound, their network passwords are deleted. History stays."""

    address: str


@frozen(kw_only=True)
class SetGroups:
    """The groups that a person is in, in place of those before."""

    address: str
    groups: frozenset[str]


@frozen(kw_only=True)
class BindName:
    """A screen name belongs to a person, from ``since`` on (seconds since the epoch; None is now).

    The first name of a person on a network is the primary one, which sends; ``primary`` makes this one so.
    ``password`` is the one that the network asks for; None leaves it as it is.
    """

    address: str
    network: str
    name: str
    since: float | None = None
    primary: bool = False
    password: Secret | None = None


@frozen(kw_only=True)
class UnbindName:
    """A screen name belongs to its person no longer, from ``until`` on (None is now). Its network password is deleted.

    ``address``, if given, must be its holder's.
    """

    network: str
    name: str
    address: str | None = None
    until: float | None = None


@frozen(kw_only=True)
class ForgetPassword:
    """Deletes a name's network password."""

    network: str
    name: str


@frozen(kw_only=True)
class ImportNames:
    """A CSV file of names, as ``names_csv`` describes it: it adds bindings, it never takes a name from anyone."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    source: str = ""
    """The file's name, for errors."""


Change = (
    AddUser
    | SetPassword
    | SetDisplayName
    | DisableUser
    | EnableUser
    | RemoveUser
    | SetGroups
    | BindName
    | UnbindName
    | ForgetPassword
    | ImportNames
)


@frozen(kw_only=True)
class Note:
    """One thing that a change did, for the record and the operator; it holds no secret.

    ``action``: ``user-add``, ``user-password``, ``user-name``, ``user-disable``, ``user-enable``, ``user-remove``,
    ``groups``, ``bind``, ``unbind``, ``primary``, ``credential-set`` or ``credential-delete``.
    """

    action: str
    person: PersonId | None = None
    network: NetworkId | None = None
    name: RemoteUserId | None = None
    at: float | None = None
    """When a binding began or ended, seconds since the epoch."""
    detail: str = ""

    def as_dict(self) -> dict[str, str | int]:
        """Returns what is known, fit for canonical JSON: times are whole microseconds, as ``at_us``."""
        pairs: dict[str, str | int | None] = {
            "action": self.action,
            "person": self.person,
            "network": self.network,
            "name": self.name,
            "at_us": None if self.at is None else round(self.at * 1_000_000),
            "detail": self.detail or None,
        }
        return {key: value for key, value in pairs.items() if value is not None}


@frozen(kw_only=True)
class Plan:
    """What a change writes. With no ``notes`` nothing changes: nothing is written, and the version stays.

    ``superseded`` are facts as they were, to be ended at ``state.version``; ``added`` take their place.
    A value of None deletes: an account, a primary name, a network password.
    """

    before: int
    state: State
    clock_at: float
    """What the clock said, seconds since the epoch; ``state.stamped_at`` is the time that counts."""
    notes: tuple[Note, ...]
    accounts: dict[PersonId, Account | None]
    superseded: tuple[Fact, ...]
    added: tuple[Fact, ...]
    primaries: dict[tuple[PersonId, NetworkId], RemoteUserId | None]
    groups: dict[PersonId, frozenset[str]]
    secrets: dict[NameKey, Secret | None]

    @property
    def empty(self) -> bool:
        """Whether all of it was so already."""
        return not self.notes
