"""The server as a child process: every call blocks, with a timeout."""

from __future__ import annotations

from collections.abc import Mapping

from tests.kit.json_process import TIMEOUT, JsonProcess, ProcessError


class YmsgServerProcess(JsonProcess):
    """The server. It listens when the constructor is done; raises `ProcessError` when it does not come to that.

    Args:
        accounts: names and passwords.
        listen: where; port 0 for any.
    """

    def __init__(self, accounts: Mapping[str, str], *, listen: str = "127.0.0.1:0", timeout: float = TIMEOUT) -> None:
        argv = ["--listen", listen]
        for name, password in accounts.items():
            argv += ["--account", f"{name}:{password}"]
        super().__init__("tests.kit.ymsg_server", argv)
        try:
            ready = self.wait_for(lambda event: "listening" in event, "its address", timeout=timeout)
        except ProcessError:
            self.stop()
            raise
        self.address: str = ready["listening"]
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)

    def set(self, **values: object) -> None:
        """Sets attributes of `network.Network`."""
        self.ask({"do": "set", "values": values})

    def add_account(self, name: str, password: str) -> None:
        """Makes a further account."""
        self.ask({"do": "add", "name": name, "password": password})

    def online(self) -> list[str]:
        """Who is signed on."""
        names: list[str] = self.ask({"do": "online"})["answer"]
        return names

    def kick(self, name: str) -> None:
        """Tells somebody's client that another has taken the name, and closes."""
        self.ask({"do": "kick", "name": name})

    def drop(self, name: str) -> None:
        """Resets somebody's connection."""
        self.ask({"do": "drop", "name": name})

    def octets(self, name: str, octets: bytes) -> None:
        """Sends somebody octets of any kind."""
        self.ask({"do": "send", "name": name, "octets": octets.hex()})

    def services(self, name: str) -> list[int]:
        """The services of the packets that somebody has sent, in their order."""
        return [service for who, service in self.ask({"do": "log"})["answer"] if who == name]

    def lists(self, name: str) -> dict[str, list[str]]:
        """Somebody's contact list by group."""
        groups: dict[str, list[str]] = self.ask({"do": "lists", "name": name})["answer"]
        return groups

    def strangers(self) -> int:
        """How many packets came without the session id that their connection was given."""
        return int(self.ask({"do": "strangers"})["answer"])
