"""IRC as a network: options reach the session, limits follow names, TLS files are read at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from bridge.app.networks.base import Surroundings
from bridge.app.networks.irc_kind import KIND, IrcOptions
from bridge.app.sections import NetworkSection
from bridge.app.values import HostPort
from bridge.model.capabilities import Support
from bridge.model.ids import NetworkId
from transports.irc.connector import IrcTransport
from transports.irc.machine.config import Auth, NickInUse


def built(**options: Any) -> Any:
    given = IrcOptions(server=HostPort.parse("irc.test:6697"), **options)
    section = NetworkSection(kind="irc", domain="irc.corp.example")
    around = Surroundings(network=NetworkId("irc"), section=section, options=given, reactor=Clock(), clock=lambda: 0.0)
    return KIND.build(around)


def test_options_reach_the_session() -> None:
    network = built(
        auth="scram-sha-256", nick_in_use="wait", regain="GHOST {nick}", verified_only=True, burst=7, poll_interval=9.0,
        elsewhere_times=2, killed_wait=3.0, messages_per_second=1.5, services_account="corp", typing=False,
    )  # fmt: skip
    inner = network.wire.inner
    assert isinstance(inner, IrcTransport)
    session = inner.config.session
    assert (session.host, session.port, session.auth) == ("irc.test", 6697, Auth.SCRAM)
    assert (session.nick_in_use, session.regain, session.verified_only) == (NickInUse.WAIT, "GHOST {nick}", True)
    assert (session.burst, session.poll_interval, session.killed_wait) == (7, 9.0, 3.0)
    assert (session.comeback.elsewhere_times, session.messages_per_second) == (2, 1.5)
    assert network.wire.capabilities.typing is Support.DROPPED


def test_a_long_name_leaves_less_for_the_text() -> None:
    wire = built().wire
    assert wire.capabilities_of("b" * 60).max_text_bytes < wire.capabilities_of("bob").max_text_bytes < 400
    assert built(max_text_bytes=100).wire.capabilities_of("bob").max_text_bytes == 100


def test_a_tls_file_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a TLS file cannot be used"):
        built(tls=True, tls_ca=tmp_path / "none.pem")
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ValueError, match="a TLS file cannot be used"):
        built(tls=True, tls_certificate=tmp_path / "bad.pem")
    assert built(tls=True).wire.inner is not None


@pytest.mark.parametrize(("auth", "needed"), [("none", False), ("external", False), ("auto", True), ("nickserv", True)])
def test_where_nothing_is_asked_for_a_binding_is_enough(auth: str, needed: bool) -> None:
    options = IrcOptions(server=HostPort.parse("irc.test:6697"), auth=auth)
    assert KIND.needs_credentials(options) is needed
