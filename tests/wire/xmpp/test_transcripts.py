"""What a real server and the bridge said to each other: each stanza is read, the server's drive the machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, XMLPullParser

from bridge.model.body import Edit, Message, PresenceUpdate, Receipt, Typing, TypingState
from bridge.model.envelope import Unmappable
from bridge.model.ids import NetworkId
from bridge.model.presence import Activity
from mappings.xmpp import XmppMapping
from transports.common.machine.actions import SendDone
from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.machine.stream import StreamMachine
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.xml import checked, read, write

FILE = Path(__file__).parent / "prosody-component.txt"
DOMAIN = "sip.xmpp.test"
ME, ROMEO = f"alice@{DOMAIN}", "romeo@xmpp.test"


def stanzas(side: str) -> list[Element]:
    """All stanzas of one side, as its stream had them."""
    lines = [line for line in FILE.read_text("utf-8").splitlines() if line.startswith(f"{side}: ")]
    parser: Any = XMLPullParser(("start", "end"))
    parser.feed("".join(line[3:].replace("&#10;", "\n") for line in lines))
    depth, found = 0, []
    for event, element in parser.read_events():
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 1:
            found.append(checked(element))
    return [one for one in found if one.tag.startswith("{jabber:client}")]


def driven() -> tuple[StreamMachine, list[wire.Inbound]]:
    """A machine that has heard all that the server said, as one that watches romeo."""
    machine = StreamMachine(StreamConfig(component=True, domain=DOMAIN), lambda: "n")
    machine.add(ME, wire.Place(resource=""))
    machine.up(0.0)
    machine.send(wire.ContactAdd(account=ME, contact=ROMEO), "k", 0.0)
    told: list[wire.Inbound] = []
    for stanza in stanzas("S"):
        machine.receive(stanza, 1.0)
    while (event := machine.next_event()) is not None:
        if not isinstance(event, SendDone):
            told.append(event)
    return machine, told


def test_the_server_s_side_drives_the_machine() -> None:
    _, told = driven()
    kinds = [type(event).__name__ for event in told if not isinstance(event, wire.ContactPresence)]
    assert kinds == [
        "Asked", "StateReceived", "MessageReceived", "MessageReceived", "ConsentReceived", "ConsentReceived",
        "ConsentReceived", "MessageFailed",
    ]  # fmt: skip


def test_and_the_mapping_says_what_it_means() -> None:
    _, told = driven()
    mapping = XmppMapping(network=NetworkId("xmpp"), component=True)
    bodies = []
    for event in told:
        drafts = mapping.to_canonical(event)
        assert not isinstance(drafts, Unmappable), event
        bodies += [draft.body for draft in drafts]
    assert Typing(state=TypingState.ACTIVE) in bodies
    (message,) = [body for body in bodies if isinstance(body, Message)]
    assert message.text == "antwort 👋"
    (edit,) = [body for body in bodies if isinstance(body, Edit)]
    assert (edit.target, edit.replacement.text) == ("a2", "antwort!")
    shown = [body.presence for body in bodies if isinstance(body, PresenceUpdate)]
    assert ("Balkon 🌹", Activity.DO_NOT_DISTURB) in [(one.note, one.activity) for one in shown]
    (failed,) = [body for body in bodies if isinstance(body, Receipt)]
    assert failed.failure is not None
    assert failed.failure.reason.startswith("service-unavailable")


def test_what_we_wrote_is_what_we_write() -> None:
    """The writer gives the octets of the transcript back, but for prefixes that nobody needs."""
    said = re.findall(r"^C: (.*)$", FILE.read_text("utf-8"), re.MULTILINE)
    octets = "".join(said)
    written = [write(one) for one in stanzas("C")]
    assert len(written) >= 10
    assert all(one in octets for one in written), [one for one in written if one not in octets]
    for one in written:
        read(one.replace(" ", ' xmlns="jabber:client" ', 1).encode())
