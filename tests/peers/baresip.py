"""baresip, scripted through its ctrl_tcp module (netstrings of JSON)."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from pathlib import Path

from tests.kit.ports import free_port
from tests.peers.client import Account, PresenceSeen, SipClient, TextSeen, plain
from tests.peers.process import Child, PeerError, PeerTimeout

_TEXT = re.compile(r'^\s*(sips?:\S+): "(.*)"$')
_FAILURE = re.compile(r"^\s*([4-6]\d\d) (.+)$")
_CHANGED = re.compile(r"<(sips?:[^>]+)> changed status from (\w+) to (\w+)")
_CONTACT = re.compile(r"^(>?)\s*(\w+) (.*?) <(sips?:[^>]+)>")
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_MODULES = "/usr/lib/baresip/modules"


class Baresip(SipClient):
    """baresip 1.0. Presence states: online, offline, busy, unknown.

    Its `message` command goes to the current contact alone, so who is written to must be a contact; the driver walks
    the list of contacts first.
    """

    program = "baresip"
    package = "baresip-core"

    def __init__(self, account: Account, *, by_flow: bool = False) -> None:
        """``by_flow``: it registers by SIP Outbound (RFC 5626), two flows of one device to one server."""
        super().__init__(account)
        self._by_flow = by_flow
        self.failures: list[int] = []  # the status codes that its texts were refused with
        self.sip_port = free_port()
        self._control_port = free_port()
        self._control: Control | None = None

    def wait_registered(self, timeout: float = 15.0) -> None:
        self.child.expect(r"useragents? registered successfully", timeout)

    def send_text(self, to: str, text: str) -> None:
        self.select(to)
        self.command("message", text)

    def wait_failure(self, status: int, *, timeout: float = 10.0) -> None:
        """Returns when a text was refused with this status code."""
        self.child.wait(lambda: status in self.failures, timeout, f"a refusal with {status}")

    def set_online(self, online: bool) -> None:
        """Publishes open or closed."""
        self.command("presence_online" if online else "presence_offline")

    def wait_presence(self, who: str, state: str, *, timeout: float = 20.0) -> PresenceSeen:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self._read_contacts()  # the first state of a contact is in this list alone, a line tells of changes only
            with contextlib.suppress(PeerTimeout):
                return super().wait_presence(who, state, timeout=0.2)
        return super().wait_presence(who, state, timeout=0.0)

    def select(self, who: str) -> None:
        """Makes a contact the current one.

        Raises:
            PeerError: when it is not among the contacts.
        """
        count = len(self.account.contacts)
        for step in ("contact_next",) * count + ("contact_prev",) * count:  # the list has two ends
            if any(mark and uri == who for mark, _, uri in self._read_contacts()):
                return
            self.command(step)
        msg = f"{who} is no contact of this baresip"
        raise PeerError(msg)

    def command(self, name: str, parameters: str = "") -> str:
        """What a command printed.

        Raises:
            PeerError: when baresip refuses it.
        """
        if self._control is None:
            self._control = Control(self._control_port, self.child)
        return self._control.command(name, parameters)

    def _read_contacts(self) -> list[tuple[bool, str, str]]:
        rows = []
        for line in _SGR.sub("", self.command("contacts")).splitlines():
            match = _CONTACT.match(line)
            if match is not None:
                who, state = plain(match[4]), match[2].lower()
                rows.append((bool(match[1]), state, who))
                if self.shown(who) != state:
                    self.presence.append(PresenceSeen(who=who, state=state))
        return rows

    def _launch(self) -> Child:
        account = self.account
        (self.directory / "config").write_text(
            f"""sip_listen 127.0.0.1:{self.sip_port}
net_interface 127.0.0.1
module_path {_MODULES}
module stdio.so
module_tmp uuid.so
module_app account.so
module_app contact.so
module_app presence.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{self._control_port}
""",
            encoding="utf-8",
        )
        server = f"sip:{account.host}:{account.port};transport={account.transport}"
        flows = (
            f';outbound1="{server}";outbound2="{server}";sipnat=outbound' if self._by_flow else f';outbound="{server}"'
        )
        (self.directory / "accounts").write_text(
            f"<sip:{account.address}>;auth_user={account.user};auth_pass={account.password}{flows}"
            ";regint=300;pubint=600;answermode=manual\n",
            encoding="utf-8",
        )
        (self.directory / "contacts").write_text(
            "".join(f'"{who}" <sip:{who}>;presence=p2p\n' for who in account.contacts), encoding="utf-8"
        )
        if not Path(_MODULES).is_dir():
            msg = f"baresip's modules are not in {_MODULES}"
            raise PeerError(msg)
        return Child(
            [self.executable, "-4", "-f", str(self.directory)], directory=self.directory, on_line=self._see_line
        )

    def _see_line(self, line: str) -> None:
        text = _TEXT.match(line)
        if text is not None:
            self.texts.append(TextSeen(sender=plain(text[1]), text=text[2]))
        failure = _FAILURE.match(line)
        if failure is not None:
            self.failures.append(int(failure[1]))
        change = _CHANGED.search(line)
        if change is not None:
            self.presence.append(PresenceSeen(who=plain(change[1]), state=change[3].lower()))

    def _ask_to_quit(self) -> None:
        self.command("quit")

    def stop(self) -> int:
        try:
            return super().stop()
        finally:
            if self._control is not None:
                self._control.close()


class Control:
    """One connection to ctrl_tcp: each command waits for the response that carries its token."""

    def __init__(self, port: int, child: Child, timeout: float = 5.0) -> None:
        self._child = child
        self._timeout = timeout
        self._token = 0
        self._responses: dict[str, tuple[bool, str]] = {}
        self.events: list[dict[str, object]] = []
        child.expect(r"baresip is ready", timeout)
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.settimeout(None)
        threading.Thread(target=self._read, name="read-ctrl_tcp", daemon=True).start()

    def command(self, name: str, parameters: str) -> str:
        self._token += 1
        token = str(self._token)
        body = json.dumps({"command": name, "params": parameters, "token": token}, ensure_ascii=False).encode()
        self._socket.sendall(b"%d:%b," % (len(body), body))
        self._child.wait(lambda: token in self._responses, self._timeout, f"the response to {name}")
        ok, data = self._responses.pop(token)
        if not ok:
            msg = f"baresip refused {name} {parameters}: {data.strip()}"
            raise PeerError(msg)
        return data

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            buffer += data
            while b":" in buffer:
                length, rest = buffer.split(b":", 1)
                if len(rest) < int(length) + 1:
                    break
                self._see(json.loads(rest[: int(length)]))
                buffer = rest[int(length) + 1 :]

    def _see(self, message: dict[str, object]) -> None:
        if "response" in message:
            self._responses[str(message.get("token"))] = (message.get("ok") is True, str(message.get("data", "")))
        else:
            self.events.append(message)
        self._child.notify()
