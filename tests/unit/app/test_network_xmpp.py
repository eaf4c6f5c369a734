"""XMPP as a network: what its modes need, and what goes back to who wrote what is refused."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.task import Clock

from bridge.app.networks.base import Surroundings
from bridge.app.networks.xmpp import XmppWire
from bridge.app.networks.xmpp_kind import KIND, XmppOptions
from bridge.app.sections import NetworkSection
from bridge.app.values import HostPort
from bridge.delivery.ports import Intake, Refusal
from bridge.model.body import Stage
from bridge.model.capabilities import Capabilities, SendResult, Support
from bridge.model.ids import EventId, NetworkId
from transports.xmpp.wire import native as wire

XMPP = NetworkId("xmpp")
ME, ROMEO = "alice@sip.example", "romeo@x.example/a"
SERVER = HostPort.parse("127.0.0.1:5347")


@define(eq=False)
class Inner:
    """A transport that notes what it is to send."""

    sent: list[Any] = field(factory=list)

    def send(self, native: Any, key: Hashable, deadline: float | None, on_result: Callable[[SendResult], None]) -> None:
        self.sent.append(native)
        on_result(SendResult(stage=Stage.RELAYED))


@define(eq=False)
class Door:
    """Takes everything in with one answer."""

    answer: Intake

    def deliver(self, native: Any, on_recorded: Callable[[Intake], None]) -> None:
        on_recorded(self.answer)

    def link_changed(self, change: object) -> None:
        raise AssertionError(change)


def taken(code: str, **more: Any) -> tuple[bool, list[Any]]:
    """Whether the wire was told that a message is on record, and what was sent back."""
    refusal = Refusal(code=code, reason="no", reference="r1") if code else None
    inner = Inner()
    port = XmppWire(inner, Capabilities(), XMPP)  # type: ignore[arg-type]
    port.sink = Door(Intake(event=EventId("r1"), accepted=not code, refusal=refusal))
    acknowledged: list[bool] = []
    message = wire.MessageReceived(account=ME, sender=ROMEO, text="hi", **({"id": "m1"} | more))
    port.deliver(message, lambda: acknowledged.append(True))
    return bool(acknowledged), inner.sent


def test_a_refusal_goes_back_with_its_reference() -> None:
    acknowledged, (back,) = taken("forbidden")
    assert acknowledged
    assert (back.to, back.id, back.condition, back.type) == (ROMEO, "m1", "policy-violation", "modify")
    assert back.text == "no. Reference: r1"


@pytest.mark.parametrize(
    ("code", "more"), [("", {}), ("duplicate", {}), ("forbidden", {"id": ""}), ("forbidden", {"carbon": True})]
)
def test_nothing_goes_back_where_it_would_say_something_else(code: str, more: dict[str, Any]) -> None:
    assert taken(code, **more) == (True, [])


def test_what_could_not_be_recorded_is_not_acknowledged() -> None:
    assert taken("unavailable") == (False, [])


def around(**options: Any) -> Surroundings:
    section = NetworkSection(kind="xmpp", domain="xmpp.corp.example", options={})
    return Surroundings(
        network=XMPP, section=section, options=XmppOptions(**options), reactor=Clock(), clock=lambda: 0.0
    )


def test_a_component_needs_no_passwords_and_a_client_does(tmp_path: Path) -> None:
    assert KIND.needs_credentials(XmppOptions())
    secret = tmp_path / "secret"
    secret.write_text("s\n")
    given: dict[str, Any] = {"mode": "component", "server": SERVER, "component": "sip.example", "secret_file": secret}
    assert not KIND.needs_credentials(XmppOptions(**given))
    capabilities = KIND.build(around(**given)).link.transport.capabilities
    assert capabilities.presence is Support.FULL


def test_what_a_component_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs server, component and secret_file"):
        KIND.build(around(mode="component", server=SERVER))
    with pytest.raises(ValueError, match="secret_file"):
        KIND.build(around(mode="component", server=SERVER, component="c.example", secret_file=tmp_path / "none"))
    with pytest.raises(ValueError, match="ca_file"):
        KIND.build(around(ca_file=tmp_path / "none"))
