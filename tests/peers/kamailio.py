"""Kamailio as registrar, presence server and relay: what the clients' drivers are tried against."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Self

from tests.kit.ports import free_port
from tests.peers.process import Child, PeerError, find_program, port_is_bound

_SCHEMAS = Path("/usr/share/kamailio/db_sqlite")
_MODULES = (
    *("db_sqlite", "kex", "corex", "tm", "tmx", "sl", "rr", "pv", "maxfwd", "usrloc", "registrar"),
    *("siputils", "textops", "auth", "presence", "presence_xml"),
)


class Kamailio:
    """Kamailio 5.6 on a port of 127.0.0.1, UDP and TCP. Every user of the domain has the one password.

    ``longest``: what subscriptions live at most, seconds.
    """

    def __init__(self, domain: str, password: str, *, longest: int = 3600) -> None:
        self._longest = longest
        self.domain = domain
        self.port = free_port()
        self._password = password
        self._executable = find_program("kamailio", "kamailio kamailio-presence-modules kamailio-sqlite-modules")
        self.directory = Path(tempfile.mkdtemp(prefix="peer-kamailio-"))
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The main process.

        Raises:
            PeerError: before `start`.
        """
        if self._child is None:
            msg = "kamailio was not started"
            raise PeerError(msg)
        return self._child

    @property
    def data(self) -> Path:
        """Its folder."""
        return self.directory

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return "127.0.0.1"

    def port_of(self, transport: str) -> int:
        """Returns the port of its listeners for clients, UDP and TCP."""
        assert transport in {"udp", "tcp"}
        return self.port

    def start(self, timeout: float = 10.0) -> Self:
        """Launches it, with nothing in its database, and returns when it listens."""
        database = self.directory / "presence.db"
        database.unlink(missing_ok=True)
        with sqlite3.connect(database) as connection:
            for name in ("standard", "presence"):
                connection.executescript((_SCHEMAS / f"{name}-create.sql").read_text(encoding="ascii"))
        connection.close()
        configuration = self.directory / "kamailio.cfg"
        configuration.write_text(self._configuration(database), encoding="ascii")
        self._child = Child(
            [self._executable, "-DD", "-E", "-m", "256", "-f", str(configuration), "-Y", str(self.directory)],
            directory=self.directory,
        )
        self._child.wait(
            lambda: port_is_bound(self.port, "udp") and port_is_bound(self.port, "tcp"), timeout, "its two ports"
        )
        return self

    def stop(self) -> int:
        """Ends it and removes its directory; gives the exit code."""
        try:
            return self.child.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _head(self) -> str:
        """The beginning of a configuration: whose domain it is, and where phones come in."""
        return f"""#!KAMAILIO
debug=1
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
alias="{self.domain}"
listen=udp:127.0.0.1:{self.port}
listen=tcp:127.0.0.1:{self.port}"""

    def _configuration(self, database: Path) -> str:
        modules = "\n".join(f'loadmodule "{name}.so"' for name in _MODULES)
        realm, password = self.domain, self._password
        return f"""{self._head()}
{modules}
modparam("tm", "fr_timer", 5000)
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "use_domain", 1)
modparam("registrar", "gruu_enabled", 0)
modparam("auth", "nonce_expire", 3600)
modparam("presence|presence_xml", "db_url", "sqlite:///{database}")
modparam("presence", "server_address", "sip:127.0.0.1:{self.port};transport=tcp")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "max_expires", {self._longest})
modparam("presence", "publ_cache", 2)
modparam("presence", "notifier_processes", 0)
modparam("presence_xml", "force_active", 1)

request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("SUBSCRIBE") && uri == myself) {{ route(PRESENCE); exit; }}
    t_relay();
    exit;
  }}
  if (is_method("OPTIONS") && uri == myself && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("{realm}", "{password}", "0")) {{ www_challenge("{realm}", "1"); exit; }}
    if (!save("location")) {{ sl_reply_error(); }}
    exit;
  }}
  if (!pv_proxy_authenticate("{realm}", "{password}", "0")) {{ proxy_challenge("{realm}", "1"); exit; }}
  consume_credentials();
  remove_hf("Route");
  if (is_method("PUBLISH|SUBSCRIBE")) {{ route(PRESENCE); exit; }}
  if (!is_method("MESSAGE|OPTIONS")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay();
}}

route[PRESENCE] {{
  if (!t_newtran()) {{ sl_reply_error(); exit; }}
  if (is_method("PUBLISH")) {{ handle_publish(); }} else {{ handle_subscribe(); }}
}}
"""
