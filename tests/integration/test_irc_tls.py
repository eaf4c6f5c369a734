"""IRC over TLS with a real server, through the whole daemon: whose certificate is taken, and whose is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_irc import DOMAIN, POLICY, SECONDS, World
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.kit.irc.servers import PASSWORD, Ngircd
from tests.kit.irc.user import IrcUser
from tests.kit.trunk_certificates import make_authority

pytestmark = pytest.mark.peer
HOST = "localhost"


@contextmanager
def tls_world(folder: Path, name: str, *, trusted: bool) -> Iterator[World]:
    """A server with a certificate for a name, and the bridge that asks it for `HOST`."""
    authority = make_authority(folder)
    server = Ngircd(tls=authority.issue(name))
    ca = f'tls_ca = "{authority.certificate}"' if trusted else ""
    section = f"""[networks.irc]
kind = "irc"
server = "{HOST}:{server.tls_port}"
tls = true
{ca}
domain = "{DOMAIN}"
"""
    people = (Person(user="alice", names={"irc": ("alicework", PASSWORD)}),)
    with (
        server,
        IrcUser(server.port, "bob") as bob,
        BridgeProcess(people, policy=POLICY, networks=section) as bridge,
    ):
        yield World(server=server, bob=bob, bridge=bridge)


def test_messages_both_ways(tmp_path: Path) -> None:
    with tls_world(tmp_path, HOST, trusted=True) as world, Phone(world.bridge, "alice") as phone:
        world.wait_up()
        assert phone.register().status == 200
        assert phone.message(f"bob@{DOMAIN}", "h\u00e9llo \U0001f600").status == 202
        world.bob.wait(world.bob.texts, "alice's message")
        assert world.bob.texts()[0] == ("alicework", "h\u00e9llo \U0001f600")
        world.bob.message("alicework", "h\u00e9 \U0001f680")
        sender, text = phone.text()
        assert (sender.partition(";")[0], text) == (f"bob@{DOMAIN}", "h\u00e9 \U0001f680")


@pytest.mark.parametrize(
    ("name", "trusted"), [("other.example", True), (HOST, False)], ids=["of another host", "of nobody we trust"]
)
def test_a_certificate_that_is_not_taken(tmp_path: Path, name: str, trusted: bool) -> None:
    """The account does not sign on, and its password is not said; the reason stands in the log."""
    with tls_world(tmp_path, name, trusted=trusted) as world:
        until(lambda: world.state() == "transient", SECONDS, "the refusal")
        until(lambda: "certificate" in world.bridge.log_tail().lower(), SECONDS, "the reason")
        world.bob.say("ISON alicework")
        world.bob.sync()
        assert world.bob.got(" 303 ")[-1].rstrip().endswith(":")
