"""Our side: a network as the daemon builds it, what it hands in, and what it was told to send."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, cast

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from bridge.app.config import parse
from bridge.app.home import Home
from bridge.app.networks.base import Network, Surroundings
from bridge.app.registry import KINDS
from bridge.delivery.ports import Intake
from bridge.identity.secret import Secret
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Body, Message, TextPart
from bridge.model.capabilities import Capabilities, LinkChange, LinkState, SendResult
from bridge.model.envelope import Direction, Draft, Envelope, Origin, Translated, Unmappable
from bridge.model.ids import SIP, EventId, IdempotencyKey, NetworkId, PersonId, RemoteConversationId, RemoteUserId
from bridge.model.presence import Basic, PersonPresence
from tests.kit.conformance.proxy import HOST, FaultProxy
from tests.kit.conformance.rig import Login, Outsider, Rig

reactor: Any = installed
NETWORK = NetworkId("net")
PATIENCE = 30.0
"""Seconds for which a wait lasts at most: a machine with other work needs some."""
ONLINE = PersonPresence(basic=Basic.OPEN)
TAKEN = Intake(event=EventId("taken"), accepted=True)
_numbers = itertools.count(1)


class NeverError(AssertionError):
    """What was waited for did not come."""


async def until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> Any:
    """Returns what `condition` gives once it is true; raises `NeverError` with `what`."""
    end = reactor.seconds() + seconds
    while not (found := condition()):
        if reactor.seconds() >= end:
            raise NeverError(f"never: {what}")
        await deferLater(reactor, 0.02)
    return found


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """Runs a coroutine as a test."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        yield Deferred.fromCoroutine(test(*args, **kwargs))

    return cast("Callable[..., Deferred[None]]", pytest_twisted.inlineCallbacks(run))


async def thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Calls what blocks (a rig, an outsider) in a thread."""
    return await deferToThread(call, *arguments)


async def pause(seconds: float) -> None:
    """Lets time pass, where nothing is to happen."""
    await deferLater(reactor, seconds)


@define(eq=False)
class Door:
    """The sink: takes everything, and answers when the test says so (at once, by default)."""

    holding: bool = False
    natives: list[Any] = field(factory=list)
    held: list[Callable[[Intake], None]] = field(factory=list)
    changes: list[LinkChange] = field(factory=list)

    def deliver(self, native: Any, on_recorded: Callable[[Intake], None]) -> None:
        """A native event has come."""
        self.natives.append(native)
        if self.holding:
            self.held.append(on_recorded)
        else:
            on_recorded(TAKEN)

    def admits(self, _native: Any) -> bool:
        """Everything is let in."""
        return True

    def link_changed(self, change: LinkChange) -> None:
        """A link has entered a state."""
        self.changes.append(change)

    def record(self) -> None:
        """Everything that was held is on record now."""
        held, self.held = self.held, []
        for on_recorded in held:
            on_recorded(TAKEN)


@define(eq=False)
class Sending:
    """One native value on its way, and every word of what became of it: there is to be exactly one."""

    native: Any
    key: IdempotencyKey
    results: list[SendResult] = field(factory=list)


class Stage:
    """Our side of a network, through a proxy to a rig's server.

    Attributes:
        network: as the daemon builds it, from configuration.
        door: what it hands in goes there.
        proxy: between it and the server.
        sendings: everything that it was told to send.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.proxy = FaultProxy(reactor, rig.server)
        self.door = Door()
        self.configure("\n".join([
            '[bridge]\ndomain = "corp.example"\ndata_dir = "var"\n[store]\nurl = "sqlite:///var/bridge.db"',
            '[sip]\nlisten = ["udp:127.0.0.1:5060"]',
            f'[networks.{NETWORK}]\nkind = "{rig.kind}"\ndomain = "net.corp.example"',
            rig.section(HOST, self.proxy.port),
        ]))  # fmt: skip
        self.sendings: list[Sending] = []

    def configure(self, text: str) -> None:
        """Builds the network from the text of a configuration."""
        self.text = text
        self.home = Home(parse(text, Path("/conformance/simplebridge.toml")))
        self.network: Network = self.build()

    def build(self) -> Network:
        """Makes the network from its configuration."""
        section = self.home.config.networks[NETWORK]
        around = Surroundings(
            network=NETWORK,
            section=section,
            options=self.home.options[NETWORK],
            reactor=reactor,
            clock=time.time,
            keys=self.home.keys,
        )
        return KINDS[section.kind].build(around)

    @property
    def capabilities(self) -> Capabilities:
        """What the network declares."""
        return self.network.link.transport.capabilities

    def normal(self, name: str) -> str:
        """The normal form of a name."""
        return self.home.normal_name(NETWORK, name)

    # -- life

    async def start(self) -> None:
        """Opens the proxy and begins."""
        self.proxy.accept()
        await self.network.start(self.door)

    async def stop(self, drain: float = 0.0) -> None:
        """Ends the network, then the proxy."""
        await self.network.stop(drain=drain)
        await pause(0.05)
        await self.proxy.stop()
        await pause(0.05)

    # -- accounts

    def sign_on(self, login: Login, *, password: str | None = None, presence: PersonPresence = ONLINE) -> str:
        """Signs an account on; gives its normal name."""
        account = self.normal(login.name)
        self.network.sign_on(account, Secret(login.password if password is None else password), presence)
        return account

    async def up(self, number: int = 0, *, presence: PersonPresence = ONLINE) -> str:
        """Signs an account of the rig on and waits until it is up; gives its normal name."""
        account = self.sign_on(self.rig.accounts[number], presence=presence)
        await self.state(account, LinkState.UP)
        return account

    def changes(self, account: str) -> list[LinkChange]:
        """What was told of an account's link."""
        return [change for change in self.door.changes if change.account == account]

    async def state(self, account: str, state: LinkState, *, since: int = 0) -> LinkChange:
        """Waits until an account was told to be in a state, among its changes from number `since` on."""

        def found() -> LinkChange | None:
            return next((change for change in self.changes(account)[since:] if change.state is state), None)

        what = f"{account} {state.value}"
        try:
            change: LinkChange = await until(found, what)
        except NeverError as error:
            raise NeverError(
                f"{error}; it was told {[(c.state.value, c.reason) for c in self.changes(account)]}"
            ) from None
        return change

    async def broken(self, account: str) -> None:
        """The link breaks and comes back: its connection ends, or, where that is no news, the server does."""
        since = len(self.changes(account))
        if "connection" not in self.rig.cannot:
            self.proxy.drop()
        else:
            await thread(self.rig.stop_server)
            try:
                await self.state(account, LinkState.TRANSIENT, since=since)
            finally:
                await thread(self.rig.start_server)
        await self.state(account, LinkState.UP, since=since)

    # -- out

    def envelope(self, account: str, to: str, body: Body) -> Envelope:
        """An envelope of the person behind an account of ours to somebody on the network."""
        number = next(_numbers)
        sender = Address(network=SIP, user=RemoteUserId(f"{'alice'}@corp.example"))
        return Envelope(
            id=EventId(f"01a208c9-1e16-7000-9e01-{number:012d}"),
            origin=Origin(network=SIP, account="alice@corp.example"),
            conversation=ConversationKey(network=SIP, remote_id=RemoteConversationId(f"c-{account}-{to}")),
            sender=Identity(address=sender, person=PersonId("alice@corp.example")),
            recipients=(self.contact(to),),
            direction=Direction.OUTBOUND,
            received_at=time.time(),
            body=body,
        )

    def contact(self, name: str) -> Identity:
        """Somebody on the network."""
        return Identity(address=Address(network=NETWORK, user=RemoteUserId(self.normal(name))))

    def translated(self, account: str, to: str, body: Body) -> Translated[Any] | Unmappable:
        """What the mapping makes of a body."""
        event = self.envelope(account, to, body)
        caps = self.network.link.transport.capabilities_of(event.recipients[0].address.user)
        return self.network.link.mapping.from_canonical(event, event.recipients[0], account, caps)

    def send(self, native: Any, *, key: str | None = None, seconds: float = 60.0) -> Sending:
        """Hands one native value to the transport."""
        sending = Sending(native, IdempotencyKey(key or f"k{next(_numbers)}"))
        self.sendings.append(sending)
        self.network.link.transport.send(
            native, key=sending.key, deadline=reactor.seconds() + seconds, on_result=sending.results.append
        )
        return sending

    def post(self, account: str, to: str, body: Body | str) -> list[Sending]:
        """Translates a body or a text and hands all its natives to the transport."""
        said = body if not isinstance(body, str) else message(body)
        translated = self.translated(account, to, said)
        if isinstance(translated, Unmappable):
            raise AssertionError(f"{type(said).__name__} cannot be said: {translated.feature}: {translated.reason}")
        return [self.send(native) for native in translated.natives]

    async def ended(self, *sendings: Sending, seconds: float = PATIENCE) -> list[SendResult]:
        """Waits until each send has ended; gives how."""
        await until(lambda: all(sending.results for sending in sendings), "the end of each send", seconds=seconds)
        return [sending.results[-1] for sending in sendings]

    async def said(self, account: str, to: str, body: Body | str) -> list[SendResult]:
        """Sends one native value after the other, as a lane does; gives how each ended."""
        said = body if not isinstance(body, str) else message(body)
        translated = self.translated(account, to, said)
        assert isinstance(translated, Translated), translated
        results = []
        for native in translated.natives:
            results += await self.ended(self.send(native))
        return results

    async def reaches(self, outsider: Outsider, text: str, *, times: int = 1) -> None:
        """Waits until somebody has heard a text so often."""

        def heard() -> bool:
            return [each.text for each in outsider.heard()].count(text) >= times

        await until(heard, f"{outsider.name} hears {text!r}")

    # -- in

    def drafts(self) -> list[Draft]:
        """What everything that was handed in means, as far as it means anything."""
        found: list[Draft] = []
        for native in self.door.natives:
            result = self.network.link.mapping.to_canonical(native)
            found += () if isinstance(result, Unmappable) else result
        return found

    def bodies(self, kind: type[Body], *, sender: str | None = None) -> list[Any]:
        """The bodies of a kind that were handed in (of a sender)."""
        wanted = None if sender is None else self.normal(sender)
        return [
            draft.body
            for draft in self.drafts()
            if isinstance(draft.body, kind) and (wanted is None or draft.sender.address.user == wanted)
        ]

    def texts(self, *, sender: str | None = None) -> list[str]:
        """The texts that were handed in, automatic ones left out."""
        return [body.text for body in self.bodies(Message, sender=sender) if not body.automatic]


def message(text: str, *, html: str | None = None) -> Message:
    """A message of one text."""
    return Message(parts=(TextPart(text=text, html=html),))
