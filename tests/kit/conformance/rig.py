"""What a network gives the conformance suite: a server, accounts of ours, and people on the other side.

Methods of a rig and of an outsider block, with time-outs of their own, and raise an exception that says what did not
happen: the suite calls them in a thread. Our own side is built by the suite, from configuration, as the daemon does,
and reaches the server through the suite's proxy: breaking a connection, a server that is down, silent or hostile needs
nothing of the rig.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, Self

from attrs import frozen

from bridge.model.body import TypingState
from bridge.model.presence import PersonPresence

Ability = Literal[
    "kick",
    "redelivers",
    "stores",
    "stores_ours",
    "typing",
    "presence",
    "receipts",
    "edits",
    "restart",
    "look_alikes",
    "connection",
]
"""What a rig may lack, each with its reason in `Rig.cannot`:

kick: signing an account of ours on elsewhere. redelivers: what came in and was not recorded comes again after a loss.
stores: messages wait for whoever is off-line; stores_ours: for accounts of
ours too. typing, presence, receipts, edits: as the network has them.
connection: an account is up for as long as its connection is; else a connection that breaks is no news, and the server
is stopped and started in its place.
restart: the server can be stopped and started again. look_alikes: names that look alike can have accounts.
"""


@frozen(kw_only=True)
class Login:
    """An account of ours on the server: its name as people type it, and its password ("" where it has none)."""

    name: str
    password: str


@frozen(kw_only=True)
class Heard:
    """What an outsider was told, in order.

    Attributes:
        kind: what it is.
        sender: who says so, as the network names them.
        text: of a message, an edit: in plain, as a person reads it.
        state: of a typing notice.
        target: what a receipt, an edit or a retraction is about: the network's id.
        remote_id: the network's id of a message, where it has one.
    """

    kind: Literal["message", "typing", "receipt", "edit", "retraction", "reaction"]
    sender: str
    text: str = ""
    state: TypingState | None = None
    target: str | None = None
    remote_id: str | None = None


class Outsider(Protocol):
    """Somebody on the network who is none of ours, over the real wire."""

    @property
    def name(self) -> str:
        """Their name, in the network's normal form."""

    def come(self) -> None:
        """Signs on. Returns when the server has it."""

    def go(self) -> None:
        """Signs off. Returns when the server has it."""

    def send(self, to: str, text: str) -> None:
        """Writes to an account of ours, as a person would type it. Returns when the server has taken it."""

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told since the rig began, in order."""

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account of ours, or stops."""

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves so, as far as the network can: open or away, and a note."""

    def watch(self, name: str) -> None:
        """Wants to see the presence of an account of ours (which may have to be granted)."""

    def sees(self, name: str) -> PersonPresence | None:
        """How an account of ours was last shown to them; None: it never was."""

    def displayed(self, heard: Heard) -> None:
        """Says that they have read a message."""

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """Corrects a message that they sent to an account of ours (None: their last one)."""


class Rig(Protocol):
    """One network for the suite. It is a context manager: the server and its people end with it."""

    @property
    def kind(self) -> str:
        """The kind of the network, as in ``[networks.NAME]``."""

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens: host and port. The same after a restart."""

    @property
    def accounts(self) -> Sequence[Login]:
        """Accounts of ours, at least two."""

    @property
    def burst(self) -> int:
        """How many messages one account may send in a row in a few seconds without harm (order is tested by them)."""

    @property
    def cannot(self) -> Mapping[Ability, str]:
        """What the network, or this rig of it, has no way to do, each with the reason."""

    @property
    def hostile(self) -> Sequence[bytes]:
        """What a malicious server might say in this protocol: lying lengths, half a frame, deep nesting, no end.

        The suite says each in place of a greeting and again in the middle of a session, beside octets of its own.
        """

    @property
    def alike(self) -> Sequence[tuple[str, str, bool]]:
        """Pairs of names, and whether they are one (by case, spaces ..) or two (confusables, an escaped sign ..)."""

    def __enter__(self) -> Self:
        """Starts the server, with its accounts."""

    def __exit__(self, *_: object) -> None:
        """Ends everything."""

    def section(self, host: str, port: int) -> str:
        """Options of ``[networks.NAME]`` (lines of TOML, without ``kind`` and ``domain``) for a server there.

        Whatever address the server names has to lead there too. Sign-ons are to be quick: the suite makes few.
        """

    def stop_server(self) -> None:
        """The server is gone, as at a crash."""

    def start_server(self) -> None:
        """It is there again, on the same port and with the same accounts, and who was signed on outside is so again."""

    def outsider(self, number: int) -> Outsider:
        """One of two people (0 and 1), not signed on yet; the same object each time."""

    def kick(self, account: str) -> None:
        """Signs an account of ours on elsewhere, with a client that is none of ours."""

    def sayable(self, text: str) -> str:
        """What a client of the network can send of a text: all of it, where the wire has a form for any character."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Makes so many further accounts of ours, for the benchmark of many sessions."""
