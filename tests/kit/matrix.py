"""A daemon with a Matrix network: a real Synapse, a person on it, and the bridge as its application service."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.kit.aim import link_states, wait_links_up
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.matrix_user import MatrixUser
from tests.kit.ports import free_port
from tests.peers.synapse import Synapse

SERVER = "hs.example"
MATRIX_DOMAIN = "matrix.corp.example"
ALICE = Person(user="alice", names={"matrix": (f"@_sip_alice:{SERVER}", "")})
POLICY = """
[policy]
version = "matrix"
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
[[rule]]
id = "matrix"
effect = "allow"
from = ["domain:{domain}"]
to = ["network:matrix"]
direction = "both"
"""


def section(homeserver: str, port: int, more: str = "") -> str:
    """Returns ``[networks.matrix]``."""
    return (
        f'[networks.matrix]\nkind = "matrix"\ndomain = "{MATRIX_DOMAIN}"\nhomeserver = "{homeserver}"\n'
        f'server_name = "{SERVER}"\nlisten = "127.0.0.1:{port}"\n{more}\n'
    )


@frozen(kw_only=True)
class MatrixWorld:
    """All who take part."""

    synapse: Synapse
    bob: MatrixUser
    bridge: BridgeProcess

    def sip(self, user: MatrixUser) -> str:
        """Returns the SIP address of somebody on the homeserver."""
        return f"{user.user_id.replace('@', '%40').replace(':', '%3A')}@{MATRIX_DOMAIN}"


@contextmanager
def matrix_world(
    people: Sequence[Person] = (ALICE,), *, policy: str = POLICY, limits: str = "", network: str = ""
) -> Iterator[MatrixWorld]:
    """A world that stands until the end of the block. The bridge makes the registration that Synapse starts with."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        registration = Path(folder) / "registration.yaml"
        synapse = Synapse(SERVER, registration=registration, limits=limits)
        bridge = BridgeProcess(people, policy=policy, networks=section(synapse.url, port, network))
        try:
            with bridge:
                bridge.cli("matrix", "registration", "matrix", "--output", str(registration))
                with synapse:
                    bob = MatrixUser(synapse.url, "bob").register()
                    wait_links_up(bridge, 40.0)
                    yield MatrixWorld(synapse=synapse, bob=bob, bridge=bridge)
        finally:
            synapse.stop()


def wait_state(bridge: BridgeProcess, state: str, seconds: float = 60.0) -> None:
    """Returns when every account of ours is in a state."""
    until(lambda: set(link_states(bridge).values()) == {state}, seconds, f"links that are {state}")
