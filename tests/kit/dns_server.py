"""A real DNS server as a process of its own, on a port of 127.0.0.1, with records that a test gives it.

``python -m tests.kit.dns_server PORT`` serves the records of its standard input (JSON), over UDP and TCP.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from tests.kit.daemon import ROOT, until
from tests.kit.ports import free_port
from tests.peers.process import port_is_bound

Records = Mapping[str, Sequence[Sequence[Any]]]
"""By name: a kind, a TTL and its values: ``["SRV", 60, priority, weight, port, target]``."""


class DnsServer:
    """Serves a zone, ``test`` with all below it. What is not in it does not exist."""

    def __init__(self, records: Records) -> None:
        self.port = free_port()
        self._records = records
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.kit.dns_server", str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, env=_environment())
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._records).encode())
        self._process.stdin.close()
        until(lambda: port_is_bound(self.port, "udp") and port_is_bound(self.port, "tcp"), 10.0, "the DNS server")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _serve(port: int, records: Records) -> None:
    from twisted.internet import reactor
    from twisted.names import authority, server
    from twisted.names import dns as untyped

    dns: Any = untyped
    make_factory: Any = server.DNSServerFactory
    made: dict[bytes, list[Any]] = {
        b"test": [dns.Record_SOA(mname="ns.test", rname="x.test", serial=1, minimum=7, ttl=7), dns.Record_NS("ns.test")]
    }
    make: dict[str, Any] = {
        "A": lambda ttl, *values: dns.Record_A(*values, ttl=ttl),
        "AAAA": lambda ttl, *values: dns.Record_AAAA(*values, ttl=ttl),
        "CNAME": lambda ttl, *values: dns.Record_CNAME(*values, ttl=ttl),
        "SRV": lambda ttl, *values: dns.Record_SRV(*values, ttl=ttl),
        "NAPTR": lambda ttl, order, preference, flags, service, regexp, replacement: dns.Record_NAPTR(
            order, preference, flags.encode(), service.encode(), regexp.encode(), replacement, ttl=ttl
        ),
    }
    for name, rows in records.items():
        for kind, ttl, *values in rows:
            made.setdefault(name.encode(), []).append(make[kind](ttl, *values))

    base: Any = authority.FileAuthority

    class Zone(base):  # type: ignore[misc]
        """A zone out of memory."""

        def __init__(self) -> None:
            self.soa = (b"test", made[b"test"][0])
            self.records = made
            super(base, self).__init__()

    factory = make_factory(authorities=[Zone()])
    running: Any = reactor
    running.listenUDP(port, dns.DNSDatagramProtocol(factory), interface="127.0.0.1")
    running.listenTCP(port, factory, interface="127.0.0.1")
    running.run()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), json.loads(sys.stdin.read()))
