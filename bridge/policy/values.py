"""What the policy is asked and what it answers. Plain values; the caller has resolved who the parties are."""

from datetime import datetime
from typing import Literal, Protocol, get_args

import attrs

Effect = Literal["allow", "redact", "hold", "forbid"]
Mode = Literal["off", "shadow", "notify", "enforce"]
Kind = Literal["message", "presence", "typing", "receipt"]
Direction = Literal["outbound", "inbound", "internal"]
Conversation = Literal["internal", "external"]
Assurance = Literal["directory", "authenticated", "bound", "asserted", "unverified"]

EFFECTS: tuple[Effect, ...] = get_args(Effect)
"""From the weakest to the strongest."""
MODES: tuple[Mode, ...] = get_args(Mode)
KINDS: tuple[Kind, ...] = get_args(Kind)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
CONVERSATIONS: tuple[Conversation, ...] = get_args(Conversation)
ASSURANCES: tuple[Assurance, ...] = get_args(Assurance)

DEFAULT_DENY = "default-deny"
"""The deciding id where no rule allows."""


class GroupSource(Protocol):
    """The directory, as the policy needs it: asked at load only, never on the path of a message."""

    def members(self, reference: str) -> frozenset[str] | None:
        """The addresses or person ids in the group ``reference`` ("ldap:cn=..."); None if there is no such group."""


class NormalForm(Protocol):
    """The normal form of a name on a network, as identity keeps it."""

    def __call__(self, network: str, name: str) -> str:
        """``name`` as it is compared on ``network``."""


def _fold(text: str) -> str:
    folded = text.casefold()
    return text if folded == text else folded  # the same text as others have it: there are very many parties


def _fold_known(text: str | None) -> str | None:
    return None if text is None else _fold(text)


@attrs.define(kw_only=True, slots=True, eq=False)
class Party:
    """One end of a message. Build it once per account and keep it: ``key`` is worked out at construction.

    ``address`` is ``alice@corp.example``, or ``aim/theboogyman`` with ``network`` set for a name on a network, in the
    normal form of that network. ``person`` is the corporate person behind it, where one is bound. ``groups`` names
    groups beyond those that the policy resolved itself. ``assurance`` tells how sure the identity is.
    """

    address: str = attrs.field(converter=_fold)
    domain: str | None = attrs.field(default=None, converter=_fold_known)
    network: str | None = attrs.field(default=None, converter=_fold_known)
    person: str | None = attrs.field(default=None, converter=_fold_known)
    groups: frozenset[str] = frozenset()
    assurance: Assurance = "unverified"
    key: str = attrs.field(init=False, repr=False, default="")

    def __attrs_post_init__(self) -> None:
        # A string keeps its hash, which makes the decision cache cheap; repr of a tuple cannot be forged by a name.
        self.key = repr(
            (self.address, self.domain, self.network, self.person, tuple(sorted(self.groups)), self.assurance)
        )

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Party) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    @classmethod
    def parse(cls, text: str, *, networks: frozenset[str], normal_form: NormalForm | None = None) -> "Party":
        """``alice@corp.example`` or ``aim/theboogyman`` (where ``aim`` is in ``networks``) as a party.

        Raises ValueError for anything else.
        """
        head, slash, name = text.partition("/")
        network = head.casefold()
        if slash and network in networks:
            if not name:
                raise ValueError(f"no name after {head}/")
            normal = normal_form(network, name) if normal_form else name.casefold()
            return cls(address=f"{network}/{normal}", network=network)
        user, at, domain = text.rpartition("@")
        if not (user and at and domain) or any(character.isspace() for character in text):
            raise ValueError(f"{text!r} is neither an address (user@domain) nor network/name of a known network")
        return cls(address=text, domain=domain, person=text)


def default_normal_form(network: str, name: str) -> str:
    """The normal form where identity gives none: case does not count."""
    del network
    return name.casefold()


@attrs.define(kw_only=True, slots=True)
class Subject:
    """What is to be judged.

    ``direction`` is seen from the company: outbound leaves it, inbound enters it, internal does neither.
    ``at`` is POSIX seconds, or an aware datetime. ``size`` counts bytes. ``text`` is all that a person would read: the
    body, a presence note, a file's caption. Edits, reactions and files are messages.
    """

    kind: Kind
    direction: Direction
    sender: Party
    recipient: Party
    at: float | datetime
    text: str | None = None
    content_type: str | None = None
    size: int | None = None
    conversation: Conversation = "external"
    user_agent: str | None = None
    file_name: str | None = None


@attrs.frozen(kw_only=True)
class Hit:
    """A lexicon entry that was found: ``text[start:end]`` of the original text holds it.

    ``straddles`` tells that it began in the text before this one; ``start`` is 0 then.
    """

    lexicon: str
    term: str
    start: int
    end: int
    straddles: bool = False


@attrs.frozen(kw_only=True)
class Decision:
    """The answer. ``matched`` holds the rules in force that matched, in the order of the file.

    ``deciders`` are those of them with the deciding effect, ``deciding`` is the first of these, or "default-deny".
    ``would_have`` holds matching shadow rules and ``would_effect`` what the effect were with them in force.
    ``notify`` holds rules that ask for an alert. ``redacted_text`` is what may go out when the effect is redact, or
    after a release from hold. ``reason`` may be shown to the sender: unless the policy's author wrote it, it holds
    nothing of the text, of a lexicon or of a rule's id.
    """

    effect: Effect
    matched: tuple[str, ...]
    deciding: str
    deciders: tuple[str, ...]
    reason: str
    would_have: tuple[str, ...]
    would_effect: Effect
    notify: tuple[str, ...]
    policy_digest: str
    redacted_text: str | None = None
    hits: tuple[Hit, ...] = ()
    polite: bool = False
    """Where presence is forbidden: who watches is told that nobody is there, and not kept waiting for an answer."""


def seconds(at: float | datetime) -> float:
    """A moment as POSIX seconds. Raises ValueError for a datetime without a zone, which would mean this machine's."""
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.timestamp()


def direction_between(sender: Party, recipient: Party, domains: frozenset[str]) -> Direction:
    """The direction of a message, where ``domains`` are the company's own. A guess for tests and explanations.

    A party is inside when it is of no network and of a domain of the company, or when a person is bound to it who is.
    """
    if not _is_inside(sender, domains):
        return "inbound"
    return "internal" if _is_inside(recipient, domains) else "outbound"


def _is_inside(party: Party, domains: frozenset[str]) -> bool:
    if party.network is None:
        return party.domain in domains
    return party.person is not None and party.person.rpartition("@")[2] in domains
