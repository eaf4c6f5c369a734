"""linphonec, scripted through its standard input."""

from __future__ import annotations

import re
import time

from tests.kit.ports import free_port
from tests.peers.client import Account, PresenceSeen, SipClient, TextSeen, plain
from tests.peers.process import Child, PeerTimeout

_TEXT = re.compile(r"Message received from (sips?:\S+): (.*)$")
_FRIEND = re.compile(r"Friend .*<(sips?:[^>]+)> is (.+)$")
_REGISTERED = r"registered, identity="


class Linphone(SipClient):
    """linphonec 5.1. Presence states are its words in lower case: online, offline, away, busy..

    It wants a database under its home directory, or it dies at the first text.

    Args:
        account: whom it signs on as.
        rls_address: `user@domain` of a resource list server; one SUBSCRIBE with all contacts in its deflated body then
            goes there (RFC 5367) in place of one for each.
    """

    program = "linphonec"
    package = "linphone-cli"

    def __init__(self, account: Account, *, rls_address: str | None = None) -> None:
        super().__init__(account)
        self._rls = f"rls_uri=sip:{rls_address}\n" if rls_address else ""
        self.sip_port = free_port()

    def wait_registered(self, timeout: float = 15.0) -> None:
        end = time.monotonic() + timeout
        while True:  # it never says by itself that it is registered
            since = len(self.child.lines)
            self.child.send("status register")
            try:
                self.child.expect(_REGISTERED, min(0.3, max(0.0, end - time.monotonic())), since=since)
            except PeerTimeout:
                if time.monotonic() >= end:
                    raise
            else:
                return

    def send_text(self, to: str, text: str) -> None:
        self.child.send(f"chat sip:{to} {text}")

    def wire_log(self) -> str:
        """The client's own log, which holds every SIP message that it sent and received."""
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")

    def _launch(self) -> Child:
        account = self.account
        server = f"sip:{account.host}:{account.port};transport={account.transport}"
        friends = "".join(
            f'[friend_{n}]\nurl="{who}" <sip:{who}>\npol=accept\nsubscribe=1\n'
            for n, who in enumerate(account.contacts)
        )
        (self.directory / "linphonerc").write_text(
            f"""[sip]
sip_port={self.sip_port}
sip_tcp_port={self.sip_port}
sip_tls_port=0
bind_address=127.0.0.1
use_ipv6=0
guess_hostname=0
register_only_when_network_is_up=0
contact="{account.user}" <sip:{account.address}>
default_proxy=0
publish_presence=1
{self._rls}[net]
firewall_policy=0
[proxy_0]
reg_proxy=<{server}>
reg_route=<{server};lr>
reg_identity=sip:{account.address}
reg_expires=300
reg_sendregister=1
publish=1
[auth_info_0]
username={account.user}
passwd={account.password}
realm={account.domain}
domain={account.domain}
{friends}""",
            encoding="utf-8",
        )
        (self.directory / ".local/share/linphone").mkdir(parents=True)
        return Child(
            [
                self.executable,
                "-S",  # or it does not tell of friends
                "-c",
                str(self.directory / "linphonerc"),
                "-l",
                str(self.directory / "log"),
                "-d",
                "6",
            ],
            directory=self.directory,
            on_line=self._see_line,
        )

    def _see_line(self, line: str) -> None:
        text = _TEXT.search(line)
        if text is not None:
            self.texts.append(TextSeen(sender=plain(text[1]), text=text[2]))
        friend = _FRIEND.search(line)
        if friend is not None:
            self.presence.append(PresenceSeen(who=plain(friend[1]), state=friend[2].strip().lower()))

    def _ask_to_quit(self) -> None:
        self.child.send("quit")
