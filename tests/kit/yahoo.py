"""A daemon with a Yahoo! network: the test server, a person on it, and the bridge, up and signed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from attrs import frozen

from tests.kit.aim import link_states, wait_links_up
from tests.kit.daemon import BridgeProcess, Person
from tests.kit.ymsg_server.process import YmsgServerProcess
from tests.kit.ymsg_server.user import YmsgUser

__all__ = ["ALICE", "FRIEND", "YAHOO_DOMAIN", "YahooWorld", "link_states", "wait_links_up", "yahoo_world"]

FRIEND = "boogy_man"
YAHOO_DOMAIN = "yahoo.corp.example"
ALICE = Person(user="alice", names={"yahoo": ("alicework", "a")})
POLICY = """
[policy]
version = "yahoo"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "yahoo"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:yahoo"]
direction = "both"
"""
"""The people of the domain may write to each other, and with Yahoo!."""


@frozen(kw_only=True)
class YahooWorld:
    """All who take part: the server of the network, a person on it, the bridge whose accounts are signed on."""

    server: YmsgServerProcess
    friend: YmsgUser
    bridge: BridgeProcess


def network_section(address: str, *, more: str = "") -> str:
    """Returns ``[networks.yahoo]`` for a server at ``host:port``, with further lines."""
    return f'[networks.yahoo]\nkind = "ymsg"\nserver = "{address}"\ndomain = "{YAHOO_DOMAIN}"\n{more}\n'


@contextmanager
def yahoo_world(
    people: Sequence[Person] = (ALICE,),
    *,
    policy: str = POLICY,
    network: str = "",
    more: str = "",
    up: bool = True,
    passwords: Mapping[str, str] = MappingProxyType({}),
    server_is: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[YahooWorld]:
    """A world that stands until the end of the block.

    Args:
        people: of the bridge; their names on Yahoo! are made on the server.
        policy: the text of the policy.
        network: further lines of ``[networks.yahoo]``.
        more: text of further sections of the configuration.
        passwords: of names on the server, where they are others than the bridge knows.
        server_is: attributes of the server (`network.Network`), before the bridge signs on.
        up: whether to wait until every account is signed on.
    """
    accounts = dict(person.names["yahoo"] for person in people if "yahoo" in person.names)
    with (
        YmsgServerProcess({**accounts, FRIEND: "f", **passwords}) as server,
        YmsgUser(server.address, FRIEND, "f") as friend,
    ):
        server.set(**server_is)
        section = network_section(server.address, more=network)
        with BridgeProcess(people, policy=policy, networks=section, more=more) as bridge:
            if up:
                wait_links_up(bridge)
            yield YahooWorld(server=server, friend=friend, bridge=bridge)
