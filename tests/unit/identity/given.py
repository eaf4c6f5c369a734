"""What the tests of identity start from."""

from collections.abc import Sequence

from bridge.identity.changes import AddUser, BindName, Change
from bridge.identity.planner import plan
from bridge.identity.secret import Secret
from bridge.identity.snapshot import IdentityRules, IdentitySnapshot
from bridge.identity.state import State
from bridge.model.address import Address
from bridge.model.envelope import Origin
from bridge.model.ids import SIP, NetworkId, PersonId, RemoteUserId

AIM, MSN = NetworkId("aim"), NetworkId("msn")
ALICE, BOB, CAROL = (PersonId(f"{name}@corp.example") for name in ("alice", "bob", "carol"))
NOON = 1_700_000_000.0


def normal_name(network: NetworkId, name: str) -> str:
    """AIM's names know neither case nor blanks; MSN's are addresses; there is no other network."""
    if network == AIM:
        return name.replace(" ", "").lower()
    if network == MSN:
        if "@" not in name:
            raise ValueError("a name on msn is an address")
        return name.lower()
    raise ValueError(f"there is no network {network}")


RULES = IdentityRules(domains=frozenset({"corp.example"}), normal_name=normal_name, accounts_required=True)
OPEN_RULES = IdentityRules(domains=frozenset({"corp.example"}), normal_name=normal_name, accounts_required=False)


def after(*changes: Change, state: State | None = None, rules: IdentityRules = RULES, now: float = NOON) -> State:
    """The state after changes that are made one by one, a second apart."""
    state = State() if state is None else state
    for step, change in enumerate(changes):
        state = plan(state, [change], rules, now + step).state
    return state


def people(*addresses: str) -> Sequence[Change]:
    return [AddUser(address=address, password=Secret("geheim")) for address in addresses]


STAFF = after(*people(ALICE, BOB, CAROL))
BOUND = after(
    BindName(address=ALICE, network=AIM, name="Alice At Work"),
    BindName(address=BOB, network=AIM, name="bob99"),
    state=STAFF,
    now=NOON + 100,
)


def snapshot(*changes: Change, rules: IdentityRules = RULES, state: State = BOUND) -> IdentitySnapshot:
    return after(*changes, state=state, rules=rules, now=NOON + 200).snapshot(rules)


def sip(user: str) -> Address:
    return Address(network=SIP, user=RemoteUserId(user))


def aim(user: str) -> Address:
    return Address(network=AIM, user=RemoteUserId(user))


def origin(address: Address) -> Origin:
    return Origin(network=address.network, account=str(address.user))
