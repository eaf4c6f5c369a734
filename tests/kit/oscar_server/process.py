"""The server and its people as child processes, for tests of any kind: every call blocks, with a timeout.

    with OscarServerProcess({"alice": "a", "bob": "b"}) as server, \\
            OscarUserProcess(server.address, "alice", "a") as alice, \\
            OscarUserProcess(server.address, "bob", "b") as bob:
        alice.signed_on()
        bob.signed_on()
        assert alice.send("bob", "hi")["stage"] == "relayed"
        assert bob.message(sender="alice")["text"] == "hi"

`tests.kit.json_process` says how such a child is talked to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit.json_process import TIMEOUT, Event, JsonProcess, ProcessError
from transports.oscar.wire.names import normal


class OscarServerProcess(JsonProcess):
    """The server. It listens when the constructor is done; raises `ProcessError` when it does not come to that.

    Args:
        accounts: names and passwords, or a file as `accounts.Accounts.load` reads it.
        rates: ``wide`` (never limits) or ``aol``.
        bots: names and kinds (``echo``, ``sink``).
        arguments: further arguments of the command line.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | Path,
        *,
        rates: str = "wide",
        bots: Mapping[str, str] | None = None,
        listen: str = "127.0.0.1:0",
        arguments: Sequence[str] = (),
        timeout: float = TIMEOUT,
    ) -> None:
        argv = ["--listen", listen, "--rates", rates, *arguments]
        if isinstance(accounts, Path):
            argv += ["--accounts", str(accounts)]
        else:
            for name, password in accounts.items():
                argv += ["--account", f"{name}:{password}"]
        for name, kind in (bots or {}).items():
            argv += ["--bot", f"{name}={kind}"]
        super().__init__("tests.kit.oscar_server", argv)
        try:
            ready = self.wait_for(lambda event: "listening" in event, "its address", timeout=timeout)
        except ProcessError:
            self.stop()
            raise
        self.address: str = ready["listening"]
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)

    def control(self, do: str, **arguments: Any) -> Event:
        """Carry out a command of `control`; raises `ProcessError` when it is refused."""
        answer = self.ask({"do": do, **arguments})
        if not answer["ok"]:
            raise ProcessError(f"{do}: {answer['error']}")
        return answer

    def stats(self) -> Event:
        """``counts``, ``sessions`` (with the rate levels of each) and ``bots``."""
        return self.control("stats")

    def count(self, name: str) -> int:
        """One counter, for instance ``rate_refusals``."""
        number: int = self.stats()["counts"][name]
        return number

    def kick(self, name: str) -> None:
        """Sign somebody off, as if the name had signed on elsewhere."""
        self.control("kick", name=name)

    def drop(self, name: str) -> None:
        """Break somebody's socket."""
        self.control("drop", name=name)

    def migrate(self, name: str, *, timeout: float = TIMEOUT) -> None:
        """Send somebody to another connection and wait until they have come there."""
        since = len(self.events)
        self.control("migrate", name=name)
        self.happened("moved", name, timeout=timeout, since=since)

    def happened(self, event: str, name: str, *, timeout: float = TIMEOUT, since: int = 0) -> None:
        """Wait until somebody came ``online`` or went ``offline``."""
        wanted = {"event": event, "name": normal(name)}
        self.wait_for(lambda line: line == wanted, f"{wanted}", timeout=timeout, since=since)

    def delay_acks(self, seconds: float) -> None:
        """Hold back the acknowledgements of messages for so long; 0 ends that for those to come."""
        self.control("delay", seconds=seconds)

    def add_account(self, name: str, password: str) -> None:
        """One more account."""
        self.control("account", name=name, password=password)


class OscarUserProcess(JsonProcess):
    """A person. The constructor does not wait: `signed_on` does.

    Args:
        server: ``host:port``.
        name, password: of the account.
        echo: answers each message with its own text.
        count: counts messages in place of telling each (`summary`).
        arguments: further arguments of the command line.
    """

    def __init__(
        self,
        server: str,
        name: str,
        password: str,
        *,
        echo: bool = False,
        count: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        argv = ["--server", server, "--name", name, "--password", password, *arguments]
        argv += ["--echo"] * echo + ["--count"] * count
        super().__init__("tests.kit.oscar_server.user", argv)
        self.name = name

    def signed_on(self, *, timeout: float = TIMEOUT, since: int = 0) -> Event:
        """Wait until the name is signed on: its own view, a moment before the server's (`happened` there)."""
        return self.wait_for(lambda event: event["event"] == "signed_on", "sign-on", timeout=timeout, since=since)

    def link(self, state: str, *, timeout: float = TIMEOUT, since: int = 0) -> Event:
        """Wait for a state of the link: up, transient, auth-failed, signed-on-elsewhere .."""
        return self.event("link", timeout=timeout, since=since, state=state)

    def event(self, kind: str, *, timeout: float = TIMEOUT, since: int = 0, **fields: Any) -> Event:
        """Wait for an event of this kind whose fields are these."""
        wanted = {"event": kind, **fields}
        return self.wait_for(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            f"{wanted}",
            timeout=timeout,
            since=since,
        )

    def message(
        self, *, sender: str | None = None, text: str | None = None, timeout: float = TIMEOUT, since: int = 0
    ) -> Event:
        """Wait for a message (from a sender, of a text)."""
        fields = {key: value for key, value in (("from", sender), ("text", text)) if value is not None}
        return self.event("message", timeout=timeout, since=since, **fields)

    def messages(self) -> list[Event]:
        """All messages so far."""
        return [event for event in list(self.events) if event.get("event") == "message"]

    def presence(self, name: str, *, timeout: float = TIMEOUT, since: int = 0, **fields: Any) -> Event:
        """Wait until somebody's presence has these fields: online, away, idle, message."""
        return self.event("presence", timeout=timeout, since=since, name=name, **fields)

    def send(self, to: str, text: str, *, timeout: float = TIMEOUT, **options: Any) -> Event:
        """Write to somebody and wait for the result: ``stage`` is relayed, failed or unknown."""
        return self.ask({"do": "send", "to": to, "text": text, **options}, timeout=timeout)

    def post(self, to: str, text: str, **options: Any) -> None:
        """Write to somebody and wait for nothing."""
        self.send_command({"do": "send", "to": to, "text": text, **options})

    def do(self, command: str, *, timeout: float = TIMEOUT, **arguments: Any) -> Event:
        """Carry out any command that has a result: away, back, idle, invisible, typing, add, remove, ask .."""
        return self.ask({"do": command, **arguments}, timeout=timeout)

    def summary(self, *, timeout: float = TIMEOUT) -> Event:
        """What was counted so far: received, sent, relayed, failed, unknown."""
        since = len(self.events)
        self.send_command({"do": "summary"})
        return self.event("summary", timeout=timeout, since=since)
