"""The server and its people as child processes, for tests of any kind: every call blocks, with a timeout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.kit.json_process import TIMEOUT, Event, JsonProcess, ProcessError
from transports.msnp.wire.text import normal


class MsnpServerProcess(JsonProcess):
    """The server. It listens when the constructor is done.

    Args:
        accounts: passports and passwords.
        listen: where; port 0: any.
        web: the port of the login server; 0: any.
    """

    def __init__(self, accounts: Mapping[str, str], *, listen: str = "127.0.0.1:0", web: int = 0) -> None:
        argv = ["--listen", listen, "--web", str(web)]
        for name, password in accounts.items():
            argv += ["--account", f"{name}:{password}"]
        super().__init__("tests.kit.msnp_server", argv)
        try:
            ready = self.wait_for(lambda event: "listening" in event, "its address")
        except ProcessError:
            self.stop()
            raise
        self.address: str = ready["listening"]
        self.web: str = ready["web"]

    @property
    def login(self) -> str:
        """The login server's URL."""
        return f"http://{self.web}/login"

    @property
    def nexus(self) -> str:
        """The nexus's URL."""
        return f"http://{self.web}/rdr/pprdr.asp"

    def control(self, do: str, **arguments: Any) -> Event:
        """Carries out a command; raises `ProcessError` when it is refused."""
        answer = self.ask({"do": do, **arguments})
        if not answer["ok"]:
            raise ProcessError(f"{do}: {answer['error']}")
        return answer

    def happened(self, event: str, name: str, *, timeout: float = TIMEOUT, since: int = 0) -> None:
        """Waits until somebody came ``online`` or went ``offline``."""
        wanted = {"event": event, "name": normal(name)}
        self.wait_for(lambda line: line == wanted, f"{wanted}", timeout=timeout, since=since)


class MsnpUserProcess(JsonProcess):
    """A person. The constructor does not wait: `signed_on` does."""

    def __init__(self, server: MsnpServerProcess, name: str, password: str, *, version: int = 12) -> None:
        argv = ["--server", server.address, "--login", server.login, "--name", name, "--password", password]
        super().__init__("tests.kit.msnp_server.user", [*argv, "--version", str(version)])
        self.name = name

    def signed_on(self, *, since: int = 0) -> Event:
        """Waits until the name is signed on."""
        return self.event("signed_on", since=since)

    def event(self, kind: str, *, timeout: float = TIMEOUT, since: int = 0, **fields: Any) -> Event:
        """Waits for an event of this kind whose fields are these."""
        wanted = {"event": kind, **fields}
        return self.wait_for(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            f"{wanted}",
            timeout=timeout,
            since=since,
        )

    def messages(self) -> list[Event]:
        """All messages so far."""
        return [event for event in list(self.events) if event.get("event") == "message"]

    def do(self, command: str, *, timeout: float = TIMEOUT, **arguments: Any) -> Event:
        """Carries out a command and waits for its result: ``stage`` is relayed, failed or unknown."""
        return self.ask({"do": command, **arguments}, timeout=timeout)

    def send(self, to: str, text: str) -> Event:
        """Writes to somebody."""
        return self.do("send", to=to, text=text)
