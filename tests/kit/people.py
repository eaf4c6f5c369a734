"""A small company: alice and bob with screen names on AIM, carol without, dave disabled."""

from bridge.identity.accounts import Account
from bridge.identity.bindings import Binding
from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
from bridge.model.ids import NetworkId, PersonId, RemoteUserId

DOMAIN = "corp.example"


def normal_name(network: str, name: str) -> str:
    return name.replace(" ", "").lower() if network in {"aim", "icq"} else name.lower()


def account(user: str, *, enabled: bool = True, display_name: str = "") -> Account:
    address = PersonId(f"{user}@{DOMAIN}")
    return Account(address=address, realm=DOMAIN, enabled=enabled, ha1s=(), display_name=display_name)


def binding(user: str, name: str, network: str = "aim") -> Binding:
    return Binding(
        person=PersonId(f"{user}@{DOMAIN}"),
        network=NetworkId(network),
        name=RemoteUserId(normal_name(network, name)),
        shown=name,
        since=0.0,
        primary=True,
    )


def snapshot(
    *bindings: Binding, version: int = 1, groups: dict[PersonId, frozenset[str]] | None = None, alice: str = ""
) -> IdentitySnapshot:
    """The company; its bindings unless others are given. ``alice`` is alice's display name."""
    return IdentitySnapshot(
        version=version,
        rules=IdentityRules(domains=frozenset({DOMAIN}), normal_name=normal_name, accounts_required=True),
        accounts=[
            account("alice", display_name=alice),
            account("bob"),
            account("carol"),
            account("dave", enabled=False),
        ],
        bindings=bindings or (binding("alice", "AliceWork"), binding("bob", "BobWork"), binding("dave", "DaveWork")),
        groups=groups or {},
    )
