"""Kamailio as a company's PBX: registrar of its people, with a trunk to the bridge.

Its routes are those that docs/how-to/beside-a-pbx.md shows. There the bridge has an address of its own, by which it is
known; here all are on one, and it is known by a port.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self

from attrs import frozen

from tests.kit.daemon import ROOT
from tests.kit.ports import free_port
from tests.peers.kamailio import Kamailio
from tests.peers.process import Child, port_is_bound

TLS_PACKAGES = "kamailio kamailio-presence-modules kamailio-sqlite-modules kamailio-tls-modules"
_MODULES = (
    "kex",
    "corex",
    "tm",
    "tmx",
    "sl",
    "rr",
    "pv",
    "maxfwd",
    "usrloc",
    "registrar",
    "siputils",
    "textops",
    "auth",
)


@frozen(kw_only=True)
class TrunkTls:
    """PEM files of a trunk over TLS."""

    certificate: Path
    key: Path
    authorities: Path


class KamailioPbx(Kamailio):
    """Kamailio 5.6 as registrar of a domain: phones at ``port`` (UDP, TCP), the bridge at ``trunk_port``.

    Args:
        domain: whose people it registers, each with the one password.
        password: theirs.
        transport: of the trunk: udp, tcp or tls.
        tls: the files of a trunk over TLS.
    """

    def __init__(self, domain: str, password: str, transport: str, tls: TrunkTls | None = None) -> None:
        super().__init__(domain, password)
        self.trunk_port = free_port()
        self.transport = transport
        self._tls = tls
        self._bridge_port = 0

    def begin(self, bridge_port: int) -> None:
        """Starts it with a trunk to a port of the bridge."""
        self._bridge_port = bridge_port
        self.start()

    def start(self, timeout: float = 10.0) -> Self:
        """Launches it and returns when it listens."""
        path = self.directory / "kamailio.cfg"
        path.write_text(self._trunk_configuration(), encoding="ascii")
        arguments = ("-DD", "-E", "-m", "256", "-f", str(path), "-Y", str(self.directory))
        self._child = Child([self._executable, *arguments], directory=self.directory)
        ports = [(self.port, "udp"), (self.port, "tcp"), (self.trunk_port, "udp" if self.transport == "udp" else "tcp")]
        self._child.wait(lambda: all(port_is_bound(port, kind) for port, kind in ports), timeout, "its ports")
        return self

    def _trunk_configuration(self) -> str:
        modules = "\n".join(f'loadmodule "{name}.so"' for name in _MODULES)
        tls = self._tls_part()
        return f"""{self._head()}
listen={self.transport}:127.0.0.1:{self.trunk_port}
{tls[0]}
{modules}
{tls[1]}
modparam("tm", "fr_timer", 5000)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "use_domain", 1)
modparam("auth", "nonce_expire", 3600)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  route(FROM_BRIDGE);
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("{self.domain}", "{self._password}", "0")) {{ www_challenge("{self.domain}", "1"); exit; }}
    if (!save("location")) {{ sl_reply_error(); }}
    exit;
  }}
  if (!pv_proxy_authenticate("{self.domain}", "{self._password}", "0")) {{
    proxy_challenge("{self.domain}", "1");
    exit;
  }}
  if ($au != $fU || $fd != "{self.domain}") {{ sl_send_reply("403", "From is not yours"); exit; }}
  consume_credentials();
  route(TO_BRIDGE);
  remove_hf("Route");
  if (!is_method("MESSAGE|OPTIONS")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}

{self._routes()}
"""

    def _routes(self) -> str:
        """The routes that the documentation shows, with the addresses of this test."""
        page = (ROOT / "docs/how-to/beside-a-pbx.md").read_text("utf-8")
        found = re.search(r"^```kamailio\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        assert found is not None
        text = found[1]
        for shown, here in (
            ('($si == "192.0.2.20")', self._from_bridge()),
            ("sip:192.0.2.20:5060;transport=tcp", f"sip:127.0.0.1:{self._bridge_port};transport={self.transport}"),
            ("tcp:192.0.2.10:5070", f"{self.transport}:127.0.0.1:{self.trunk_port}"),
            ("BRIDGE_HOST!192.0.2.20", "BRIDGE_HOST!127.0.0.1"),
        ):
            assert shown in text, shown
            text = text.replace(shown, here)
        assert "192.0.2." not in text
        return text

    def _from_bridge(self) -> str:
        # Of a connection that it opened itself, the other port is the bridge's.
        ports = f"$sp == {self._bridge_port} || $Rp == {self.trunk_port}"
        return f'($si == "127.0.0.1" && ({ports}))'

    def _tls_part(self) -> tuple[str, str]:
        if self._tls is None:
            return "", ""
        verify = "verify_certificate = yes\nrequire_certificate = yes"
        files = (
            f"private_key = {self._tls.key}\ncertificate = {self._tls.certificate}\nca_list = {self._tls.authorities}"
        )
        path = self.directory / "tls.cfg"
        path.write_text(
            f"[server:default]\nmethod = TLSv1.2+\n{verify}\n{files}\n"
            f"[client:default]\nmethod = TLSv1.2+\n{verify}\n{files}\n",
            encoding="ascii",
        )
        return "enable_tls=yes", f'loadmodule "tls.so"\nmodparam("tls", "config", "{path}")'
