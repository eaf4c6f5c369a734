"""A daemon with an AIM network: the test server, a person on it, and the bridge, up and signed on.

What several integration tests want in the same form; what they want to be different, they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess

FRIEND = "theboogyman"
AIM_DOMAIN = "aim.corp.example"
ALICE = Person(user="alice", names={"aim": ("alicework", "a")})
RULES = """
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "aim"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:aim"]
direction = "both"
"""
"""The people of the domain may write to each other, and with AIM."""
POLICY = f"""
[policy]
version = "aim"
{RULES}"""
_SIGN_ON_SECONDS = 20.0


@frozen(kw_only=True)
class AimWorld:
    """All who take part: the server of the network, a person on it, the bridge whose accounts are signed on."""

    server: OscarServerProcess
    friend: OscarUserProcess
    bridge: BridgeProcess


def network_section(address: str, *, more: str = "") -> str:
    """Returns ``[networks.aim]`` for a server at ``host:port``, with further lines."""
    return f'[networks.aim]\nkind = "oscar"\nserver = "{address}"\ndomain = "{AIM_DOMAIN}"\n{more}\n'


def link_states(bridge: BridgeProcess) -> dict[str, str]:
    """Returns the state of each account of ours on a network."""
    return {link["account"]: link["state"] for link in bridge.status()["links"]}


def wait_links_up(bridge: BridgeProcess, seconds: float = _SIGN_ON_SECONDS) -> None:
    """Returns when every account of ours is signed on; raises TimeoutError."""

    def up() -> bool:
        states = link_states(bridge)
        return bool(states) and set(states.values()) == {"up"}

    until(up, seconds, "every link")


@contextmanager
def aim_world(
    people: Sequence[Person] = (ALICE,),
    *,
    policy: str = POLICY,
    rates: str = "wide",
    friend: str = FRIEND,
    network: str = "",
    host: str = "127.0.0.1",
    web: bool = False,
) -> Iterator[AimWorld]:
    """A world that stands until the end of the block.

    Args:
        people: of the bridge; their names on AIM are made on the server, in small letters.
        policy: the text of the policy.
        rates: of the server: ``wide`` or ``aol``.
        friend: the name of the person on the network.
        network: further lines of ``[networks.aim]``.
        host: where the bridge listens.
        web: whether it listens for WebSockets too.
    """
    bound = [person.names["aim"] for person in people if "aim" in person.names]
    accounts = {name.lower(): password for name, password in bound}
    with (
        OscarServerProcess({**accounts, friend: "f"}, rates=rates) as server,
        OscarUserProcess(server.address, friend, "f") as user,
        BridgeProcess(
            people, policy=policy, networks=network_section(server.address, more=network), host=host, web=web
        ) as bridge,
    ):
        user.signed_on()
        wait_links_up(bridge)
        yield AimWorld(server=server, friend=user, bridge=bridge)
