"""Who and where: addresses on networks, and the people behind them."""

from attrs import field, frozen

from bridge.model.ids import SIP, NetworkId, PersonId, RemoteConversationId, RemoteUserId


@frozen(kw_only=True, weakref_slot=False)
class Address:
    """A user on a network, in the network's normal form (``aim/theboogyman``, ``sip/alice@corp.example``)."""

    network: NetworkId
    user: RemoteUserId

    def __hash__(self) -> int:
        # A text keeps its hash. To keep one of both here would take more room than all else of an address.
        return hash(self.user)

    def __str__(self) -> str:
        return f"{self.network}/{self.user}"

    @property
    def corporate(self) -> bool:
        """Whether this address is one of the corporate SIP side."""
        return self.network == SIP

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads ``network/user``.

        Raises:
            ValueError: there is no network, no user, or a control character.
        """
        network, slash, user = text.partition("/")
        if not (network and slash and user) or not text.isprintable():
            raise ValueError(f"not an address of the form network/user: {text!r}")
        return cls(network=NetworkId(network), user=RemoteUserId(user))


@frozen(kw_only=True, weakref_slot=False)
class Identity:
    """An address with the corporate person behind it, if there is one, and a name to show."""

    address: Address
    person: PersonId | None = None
    display_name: str = field(default="", eq=False)


@frozen(kw_only=True, cache_hash=True)
class ConversationKey:
    """One conversation as a network knows it.

    ``receiver`` is set where a network has no ids of conversations: then two users name it.
    """

    network: NetworkId
    remote_id: RemoteConversationId
    receiver: RemoteUserId | None = None

    def __str__(self) -> str:
        return f"{self.network}/{self.remote_id}" + (f"/{self.receiver}" if self.receiver is not None else "")
