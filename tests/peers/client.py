"""What all SIP chat clients of others have in common for a trial."""

from __future__ import annotations

import abc
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar, Self

import attrs

from tests.peers.process import Child, PeerError, find_program


@attrs.frozen(kw_only=True)
class Account:
    """One SIP account and where its registrar listens. `contacts` are addresses `user@domain` to subscribe to."""

    user: str
    domain: str
    password: str
    host: str
    port: int
    transport: str = attrs.field(default="udp", validator=attrs.validators.in_(("udp", "tcp")))
    contacts: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.user}@{self.domain}"


@attrs.frozen(kw_only=True)
class TextSeen:
    """A text that the client showed to its user: the sender's address without scheme, and one line of text."""

    sender: str
    text: str


@attrs.frozen(kw_only=True)
class PresenceSeen:
    """What the client showed of a contact; `state` is the client's own word in lower case."""

    who: str
    state: str


class SipClient(abc.ABC):
    """A SIP chat client in a directory of its own, which is removed when it stops.

    `start` launches it and `wait_registered` returns when its registrar has accepted it. Waits end at their deadline
    with PeerTimeout, and with PeerExited when the client dies.
    """

    program: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, account: Account) -> None:
        self.account = account
        self.executable = find_program(self.program, self.package)
        self.directory = Path(tempfile.mkdtemp(prefix=f"peer-{self.program}-"))
        self.texts: list[TextSeen] = []
        self.presence: list[PresenceSeen] = []
        self._child: Child | None = None
        self._taken = 0

    @property
    def child(self) -> Child:
        """The process.

        Raises:
            PeerError: before `start`.
        """
        if self._child is None:
            msg = f"{self.program} was not started"
            raise PeerError(msg)
        return self._child

    def start(self) -> Self:
        """Launches the client; it registers by itself."""
        self._child = self._launch()
        return self

    def stop(self) -> int:
        """Signs off, ends the process, removes its directory, and gives the exit code."""
        try:
            return self.child.stop(ask=self._ask_to_quit)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    @abc.abstractmethod
    def wait_registered(self, timeout: float = 15.0) -> None:
        """Returns when the registrar has accepted the client."""

    @abc.abstractmethod
    def send_text(self, to: str, text: str) -> None:
        """Sends one line to an address `user@domain`."""

    def wait_text(self, text: str, *, sender: str | None = None, timeout: float = 10.0) -> TextSeen:
        """The first text seen with exactly these words (and sender)."""

        def found() -> TextSeen | None:
            return next((t for t in self.texts if t.text == text and sender in {None, t.sender}), None)

        self.child.wait(lambda: found() is not None, timeout, f"the text {text!r}")
        seen = found()
        assert seen is not None
        return seen

    def wait_texts(self, count: int, *, timeout: float = 10.0) -> tuple[TextSeen, ...]:
        """All texts seen, once there are at least `count`."""
        self.child.wait(lambda: len(self.texts) >= count, timeout, f"{count} texts")
        return tuple(self.texts)

    def wait_presence(self, who: str, state: str, *, timeout: float = 45.0) -> PresenceSeen:
        """Returns when the latest that was shown of a contact is `state`."""
        wanted = PresenceSeen(who=who, state=state)
        self.child.wait(lambda: self.shown(who) == state, timeout, f"{who} being {state}")
        return wanted

    def shown(self, who: str) -> str | None:
        """The state of a contact that was shown last, None when it never was."""
        return next((p.state for p in reversed(self.presence) if p.who == who), None)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abc.abstractmethod
    def _launch(self) -> Child: ...

    @abc.abstractmethod
    def _ask_to_quit(self) -> None: ...


def plain(uri: str) -> str:
    """`user@host` of a SIP URI, without scheme and parameters."""
    return uri.removeprefix("sip:").removeprefix("sips:").split(";", 1)[0].split("?", 1)[0]
