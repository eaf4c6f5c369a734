"""IRC servers as Debian packages them, each in a folder of its own on loopback.

Every connection needs the same server password, so that a wrong one is refused; the operator is ``root``.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Self

from tests.kit.daemon import until
from tests.kit.ports import free_port
from tests.kit.trunk_certificates import Issued
from tests.peers.process import Child, find_program

PASSWORD = "letmein"
HOST = "127.0.0.1"
_START_SECONDS = 20.0

_NGIRCD = """
[Global]
Name = irc.test
Info = test
Listen = 127.0.0.1
Ports = {port}
Password = {password}
ServerUID = {user}
[Limits]
MaxNickLength = 30
MaxConnectionsIP = 0
MaxPenaltyTime = {penalty}
PingTimeout = 60
[Options]
DNS = no
Ident = no
PAM = no
[Operator]
Name = root
Password = root
"""

_INSPIRCD = """
<server name="irc.test" description="test" network="Test" id="42X">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="main" allow="*" password="{password}" timeout="60" pingfreq="60" fakelag="on" threshold="1000"
 commandrate="100000" recvq="8192" softsendq="8192" hardsendq="1048576" localmax="1000" globalmax="1000"
 useident="no" resolvehostnames="no">
<cidr ipv4clone="32" ipv6clone="128">
<limits maxnick="30">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="{folder}/log">
<pid file="{folder}/pid">
<class name="All" commands="*" privs="*" usermodes="*" chanmodes="*">
<type name="Admin" classes="All">
<oper name="root" password="root" host="*@*" type="Admin">
<options casemapping="{casemapping}" hidekills="">
<module name="cap"><module name="ircv3"><module name="ircv3_accounttag"><module name="ircv3_batch">
<module name="ircv3_capnotify"><module name="ircv3_chghost"><module name="ircv3_ctctags">
<module name="ircv3_echomessage"><module name="ircv3_labeledresponse"><module name="ircv3_msgid">
<module name="ircv3_servertime"><module name="ircv3_invitenotify"><module name="services_account">
<module name="setname"><module name="sanick"><module name="sajoin">
{modules}
"""
_MODULES = {"monitor": '<module name="monitor">', "watch": '<module name="watch"><watch maxwatch="64">', "ison": ""}


class IrcServer:
    """A server that can be stopped and started again on the same port."""

    program = ""
    package = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="irc-"))
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{HOST}:{self.port}"

    def configuration(self) -> str:
        """The text of the configuration file."""
        raise NotImplementedError

    def command(self, path: Path) -> list[str]:
        """What starts it in the foreground, with this file."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts it; returns when it listens."""
        path = self.folder / "irc.conf"
        path.write_text(self.configuration(), "utf-8")
        self._child = Child(self.command(path), directory=self.folder)
        until(self._listens, _START_SECONDS, f"{self.program} on port {self.port}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._child is not None
        return self._child.process.pid

    def kill(self) -> None:
        """It is gone, as at a crash: no word to anybody."""
        if self._child is not None:
            self._child.process.kill()
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Ngircd(IrcServer):
    """ngIRCd 26: CAP with multi-prefix alone, ISON, ASCII names; no echo, no tags.

    Args:
        penalty: seconds for which the server reads nothing from who has just signed on, or joined, or written much; it
            is the server's own rule at -1, and 0 does without.
        tls: a certificate and its key, for connections to `tls_port`.
    """

    program = "ngircd"
    package = "ngircd"

    def __init__(self, penalty: int = -1, tls: Issued | None = None) -> None:
        super().__init__()
        self.penalty = penalty
        self.tls = tls
        self.tls_port = free_port()

    def configuration(self) -> str:
        """Who it runs as when it is started by root does not matter here: itself."""
        user = "root" if os.getuid() == 0 else str(os.getuid())
        text = _NGIRCD.format(port=self.port, password=PASSWORD, user=user, penalty=self.penalty)
        if self.tls is None:
            return text
        return text + f"[SSL]\nCertFile = {self.tls.certificate}\nKeyFile = {self.tls.key}\nPorts = {self.tls_port}\n"

    def command(self, path: Path) -> list[str]:
        """In the foreground."""
        return [find_program(self.program, self.package), "-n", "-f", str(path)]


class Inspircd(IrcServer):
    """InspIRCd 3: IRCv3 with tags, echo and labels, RFC 1459 names; SASL only with services.

    Args:
        means: how it tells who is there: ``monitor``, ``watch`` or ``ison``.
        casemapping: ``rfc1459`` or ``ascii``.
    """

    program = "inspircd"
    package = "inspircd"

    def __init__(self, means: str = "monitor", casemapping: str = "rfc1459") -> None:
        super().__init__()
        self.means = means
        self.casemapping = casemapping

    def configuration(self) -> str:
        """With the modules that Debian's package has."""
        return _INSPIRCD.format(
            port=self.port,
            password=PASSWORD,
            folder=self.folder,
            casemapping=self.casemapping,
            modules=_MODULES[self.means],
        )

    def command(self, path: Path) -> list[str]:
        """In the foreground."""
        return [find_program(self.program, self.package), "--nofork", "--runasroot", f"--config={path}"]
