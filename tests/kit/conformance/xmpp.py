"""XMPP for the conformance suite: Prosody, people with slixmpp's client, our side as client accounts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from bridge.model.body import TypingState
from bridge.model.presence import Activity, Basic, PersonPresence
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.xmpp_user import XmppUser
from tests.peers.prosody import COMPONENT, DOMAIN, PASSWORD, SECRET, Prosody
from transports.xmpp.wire import decode
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.jid import bare
from transports.xmpp.wire.xml import CLIENT, legal

_TYPING = {
    wire.State.ACTIVE: TypingState.IDLE,
    wire.State.COMPOSING: TypingState.ACTIVE,
    wire.State.PAUSED: TypingState.PAUSED,
    wire.State.INACTIVE: TypingState.IDLE,
    wire.State.GONE: TypingState.GONE,
}
_STATES = {
    TypingState.IDLE: "active",
    TypingState.ACTIVE: "composing",
    TypingState.PAUSED: "paused",
    TypingState.GONE: "gone",
}
_SHOWS = {Activity.AWAY: "away", Activity.EXTENDED_AWAY: "xa", Activity.DO_NOT_DISTURB: "dnd"}


class XmppPerson:
    """A person on the server: a client for each time that they are signed on."""

    def __init__(self, rig: XmppRig, name: str) -> None:
        self._rig = rig
        self.name = name
        self._user: XmppUser | None = None
        self._before: list[Element] = []
        self._count = 0

    def come(self) -> None:
        """Signs on."""
        server = self._rig.prosody
        self._user = XmppUser(f"{self.name}/home", PASSWORD, server.client_port, server.certificate, agreeable=True)
        self._user.__enter__()

    def go(self) -> None:
        """Signs off."""
        user, self._user = self._running(), None
        self._before += user.stanzas
        user.__exit__()

    def come_again(self) -> None:
        """Signs on after the server was gone, if they were signed on before."""
        if self._user is not None:
            self.go()
            self.come()

    def end(self) -> None:
        """The client ends, whether the server is there or not."""
        if self._user is not None:
            self.go()

    def _running(self) -> XmppUser:
        assert self._user is not None, f"{self.name} is not signed on"
        return self._user

    def _stanzas(self) -> list[Element]:
        return self._before + ([] if self._user is None else list(self._user.stanzas))

    def send(self, to: str, text: str) -> None:
        """Writes to an account; a ping that is answered says that the server has it."""
        self._say(to, f"<body>{escape(text, {chr(13): '&#13;'})}</body>")
        user = self._running()
        ref = self._next()
        user.send(f"<iq type='get' id='{ref}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>")
        user.find(lambda one: one.get("id") == ref, what="the server's answer")

    def _next(self) -> str:
        self._count += 1
        return f"{self.name}-{self._count}-{id(self._user)}"

    def _say(self, to: str, inside: str) -> None:
        self._running().send(f"<message to='{to}' type='chat' id='{self._next()}'>{inside}</message>")

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        found: list[Heard] = []
        for stanza in self._stanzas():
            if stanza.tag != f"{{{CLIENT}}}message":
                continue
            for event in decode.message(stanza, self.name):
                if isinstance(event, wire.MessageReceived):
                    kind = "message" if event.replaces is None else "edit"
                    found.append(
                        Heard(
                            kind="edit" if kind == "edit" else "message",
                            sender=bare(event.sender),
                            text=event.text,
                            target=event.replaces,
                            remote_id=event.id,
                        )
                    )
                elif isinstance(event, wire.StateReceived):
                    found.append(Heard(kind="typing", sender=bare(event.sender), state=_TYPING[event.state]))
                elif isinstance(event, wire.MarkReceived):
                    found.append(Heard(kind="receipt", sender=bare(event.sender), target=event.id))
        return found

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        self._say(to, f"<{_STATES[state]} xmlns='http://jabber.org/protocol/chatstates'/>")

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves so."""
        show = _SHOWS.get(presence.activity, "")
        inside = (f"<show>{show}</show>" if show else "") + f"<status>{escape(presence.note)}</status>"
        self._running().send(f"<presence>{inside}</presence>")

    def watch(self, name: str) -> None:
        """Asks to see an account."""
        self._running().send(f"<presence to='{name}' type='subscribe'/>")

    def sees(self, name: str) -> PersonPresence | None:
        """How an account was last shown."""
        for stanza in reversed(self._stanzas()):
            if stanza.tag != f"{{{CLIENT}}}presence" or bare(stanza.get("from", "")) != bare(name):
                continue
            if stanza.get("type") not in {None, "unavailable"}:
                continue
            place = decode.place(stanza)
            if place is None:
                return PersonPresence(basic=Basic.CLOSED)
            activity = {show: name for name, show in _SHOWS.items()}.get(place.show.value, Activity.AVAILABLE)
            return PersonPresence(basic=Basic.OPEN, activity=activity, note=place.status)
        return None

    def displayed(self, heard: Heard) -> None:
        """Says that they have read a message."""
        self._say(heard.sender, f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{heard.remote_id}'/>")

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """Corrects a message."""
        target = remote_id or f"{self.name}-{self._count - 1}-{id(self._user)}"  # before the ping's
        replace = f"<replace xmlns='urn:xmpp:message-correct:0' id='{target}'/>"
        self._say(to, f"<body>{escape(text)}</body>{replace}")


class XmppRig:
    """Prosody, with client accounts of ours or as the component's server.

    Args:
        component: whether our side is a component.
    """

    kind = "xmpp"
    burst = 30

    def __init__(self, *, component: bool) -> None:
        self._component = component
        self.prosody = Prosody("ada", "bea", "romeo", "mercutio")
        self._people = [XmppPerson(self, f"{name}@{DOMAIN}") for name in ("romeo", "mercutio")]
        if component:
            self.accounts: Sequence[Login] = [Login(name=f"{name}@{COMPONENT}", password="") for name in ("ada", "bea")]
        else:
            self.accounts = [Login(name=f"{name}@{DOMAIN}", password=PASSWORD) for name in ("ada", "bea")]
        self._folder = Path(tempfile.mkdtemp(prefix="xmpp-rig-"))
        self._secret = self._folder / "secret"
        self._secret.write_text(SECRET, "utf-8")
        self.cannot: Mapping[Ability, str] = (
            {
                "kick": "a component has no resource that another client could bind",
                "stores_ours": "a server keeps nothing for a component that is away",
                "redelivers": "XEP-0114 has no acknowledgements: what was handed over is not handed over again",
            }
            if component
            else {}
        )

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens."""
        return "127.0.0.1", self.prosody.component_port if self._component else self.prosody.client_port

    def __enter__(self) -> Self:
        self.prosody.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self.prosody.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        lines = [f'server = "{host}:{port}"', "sign_ons_per_second = 50.0"]
        if self._component:
            return "\n".join(
                [*lines, 'mode = "component"', f'component = "{COMPONENT}"', f'secret_file = "{self._secret}"']
            )
        return "\n".join([*lines, f'ca_file = "{self.prosody.certificate}"', "resume_within = 3.0"])

    def stop_server(self) -> None:
        """The server is gone."""
        self.prosody.stop(crash=True)

    def start_server(self) -> None:
        """The server is there again."""
        self.prosody.start()
        for person in self._people:
            person.come_again()

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client binds our resource, and leaves again."""
        with XmppUser(f"{account}/simplebridge", PASSWORD, self.prosody.client_port, self.prosody.certificate):
            pass

    def sayable(self, text: str) -> str:
        """What a client can send of a text: XML 1.0 cannot hold all of Unicode."""
        return legal(text)

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes further accounts."""
        names = [f"many{number:05}" for number in range(count)]
        if self._component:
            return [Login(name=f"{name}@{COMPONENT}", password="") for name in names]
        return [Login(name=self.prosody.add(name), password=PASSWORD) for name in names]

    @property
    def hostile(self) -> Sequence[bytes]:
        """Streams that lie."""
        space = "jabber:component:accept" if self._component else "jabber:client"
        head = (
            f"<?xml version='1.0'?><stream:stream xmlns='{space}' id='1' version='1.0' from='{DOMAIN}' "
            "xmlns:stream='http://etherx.jabber.org/streams'>"
        ).encode()
        bomb = b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>"
        return [
            head + b"<message>" * 5000,
            head + b"<message><body>" + b"x" * 400_000,
            bomb + head,
            head + bomb,
            head + b"<a></b>",
            head + b"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>",
            head + b"<iq type='result' id='x'/><presence type='\xff'/>",
            head + b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>!!</success>",
            head + b"</stream:stream>",
        ]

    alike: Sequence[tuple[str, str, bool]] = (
        (f"romeo@{DOMAIN}", f"Romeo@{DOMAIN.upper()}", True),
        (f"romeo@{DOMAIN}", f"romeo@{DOMAIN}/balcony", True),
        (f"o'malley@{DOMAIN}", f"o\\27malley@{DOMAIN}", True),
        (f"romeo@{DOMAIN}", f"romе\u043e@{DOMAIN}", False),
        (f"romeo@{DOMAIN}", f"r0meo@{DOMAIN}", False),
        (f"a\\40b@{DOMAIN}", f"a@b.{DOMAIN}", False),
        (f"romeo@{DOMAIN}", f"romeo\u200b@{DOMAIN}", False),
    )
