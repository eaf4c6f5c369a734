"""Yahoo! Messenger as a network: options reach the session, what is not on record is not acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from bridge.app.config import ConfigError, parse
from bridge.app.home import Home
from bridge.app.networks.base import Surroundings
from bridge.app.networks.sessions import SessionNetwork
from bridge.app.networks.ymsg import YmsgWire
from bridge.app.networks.ymsg_kind import KIND, YmsgOptions
from bridge.app.sections import NetworkSection
from bridge.app.values import HostPort
from bridge.delivery.ports import Intake, Refusal
from bridge.identity.secret import Secret
from bridge.model.capabilities import Capabilities, LinkChange, LinkState
from bridge.model.ids import EventId, NetworkId
from bridge.model.presence import OFFLINE
from transports.ymsg.connector import YmsgTransport
from transports.ymsg.machine.config import TokenServer
from transports.ymsg.wire import codes, native

YAHOO = NetworkId("yahoo")
TAKEN = Intake(event=EventId("e"), accepted=True)
REFUSED = Intake(event=EventId("e"), accepted=False, refusal=Refusal(code="forbidden", reason="no"))
UNRECORDED = Intake(event=None, accepted=False, refusal=Refusal(code="unavailable", reason="the disk is full"))


@define(eq=False)
class Door:
    """Takes everything in with one answer."""

    answer: Intake
    taken: list[Any] = field(factory=list)
    changes: list[LinkChange] = field(factory=list)

    def deliver(self, value: Any, on_recorded: Callable[[Intake], None]) -> None:
        self.taken.append(value)
        on_recorded(self.answer)

    def link_changed(self, change: LinkChange) -> None:
        self.changes.append(change)


def options(**changes: Any) -> YmsgOptions:
    return YmsgOptions(server=HostPort(host="127.0.0.1", port=5050), **changes)


def build(**changes: Any) -> SessionNetwork:
    around = Surroundings(
        network=YAHOO,
        section=NetworkSection(kind="ymsg", domain="yahoo.corp.example"),
        options=options(**changes),
        reactor=Clock(),
        clock=lambda: 0.0,
    )
    network = KIND.build(around)
    assert isinstance(network, SessionNetwork)
    return network


def inner(network: SessionNetwork) -> YmsgTransport:
    found = network.wire.inner
    assert isinstance(found, YmsgTransport)
    return found


def test_options_reach_the_session() -> None:
    network = build(
        version=16,
        token_server="https://login.test/config",
        tls=True,
        max_text_bytes=500,
        messages_per_second=0.5,
        burst=3,
        keepalive=20.0,
        elsewhere_wait=0.0,
        elsewhere_times=1,
        sign_ons_per_second=2.0,
    )
    config = inner(network).config
    session = config.session
    assert (session.host, session.port, session.version, session.tls) == ("127.0.0.1", 5050, 16, True)
    assert session.token_server == TokenServer(host="login.test", port=443, path="/config", tls=True)
    assert (session.rate, session.burst, session.keepalive) == (0.5, 3, 20.0)
    assert (session.comeback.elsewhere_wait, session.comeback.elsewhere_times) == (0.0, 1)
    assert config.signons_per_second == 2.0
    assert network.link.transport.capabilities.max_text_bytes == 500


def test_a_token_server_for_trials() -> None:
    network = build(token_server="http://127.0.0.1:8080")
    assert inner(network).config.session.token_server == TokenServer(host="127.0.0.1", port=8080, path="", tls=False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("version = 12", "12 is not one of 9, 10, 15, 16"),
        ("max_text_bytes = 10", "must be between 64 and 32768"),
        ('token_server = "ftp://x"', "not of the form https://host/path"),
        ('token_server = "https://u:p@x/config"', "not of the form https://host/path"),
        ('token_server = "https://x:99999/config"', "not of the form https://host/path"),
        ("burst = 0", "must be greater than 0"),
        ("elsewhere_wait = -1.0", "must be between 0 and"),
    ],
)
def test_wrong_options_are_named(line: str, told: str) -> None:
    text = (
        '[bridge]\ndomain = "corp.example"\n[networks.yahoo]\nkind = "ymsg"\nserver = "127.0.0.1:5050"\n'
        f'domain = "yahoo.corp.example"\n{line}\n'
    )
    with pytest.raises(ConfigError, match=line.partition(" ")[0]) as caught:
        Home(parse(text, Path("/nowhere/simplebridge.toml")))
    assert told in str(caught.value)


@pytest.mark.parametrize(("answer", "recorded"), [(TAKEN, 1), (REFUSED, 1), (UNRECORDED, 0)])
def test_only_what_is_on_record_is_acknowledged(answer: Intake, recorded: int) -> None:
    count = 0

    def on_recorded() -> None:
        nonlocal count
        count += 1

    wire = YmsgWire(build().wire.inner, Capabilities(), YAHOO)
    wire.sink = Door(answer)
    wire.deliver(native.ImReceived(account="me", sender="bob", text="hi", message_id="1"), on_recorded)
    assert count == recorded
    wire.deliver(native.SystemMessage(account="me", text="down at noon"), on_recorded)
    assert count == 2 * recorded
    assert len(wire.sink.taken) == 2


def test_states_are_told_and_an_account_begins_hidden() -> None:
    network = build()
    door = Door(TAKEN)
    network.wire.sink = door
    inner(network)._sink = network.wire
    network.sign_on("Me", Secret(""), OFFLINE)
    assert [(change.account, change.state) for change in door.changes] == [("me", LinkState.AUTH_FAILED)]
    assert network.states() == {"me": LinkState.AUTH_FAILED}
    (session,) = inner(network).sessions()
    assert session._work.own.wanted.status == codes.INVISIBLE
    assert network.numbers()["unknown_packets"] == 0
    network.sign_off("me")
    assert network.states() == {}
