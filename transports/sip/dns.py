"""DNS for the SIP transport: the questions of RFC 3263, asked with twisted.names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as TwistedTimeout
from twisted.logger import Logger
from twisted.names import client, dns, hosts
from twisted.names.error import DNSNameError, DomainError, ResolverError
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from transports.sip.machine.flow import HostPort
from transports.sip.machine.locate import Answer, Naptr, Question, Srv
from transports.sip.reactors import SipReactor

_log = Logger()

TIMES = (1, 2, 4)
"""Seconds that each try waits, all servers being asked in each."""
MOST_ALIASES = 8
HOSTS = Path("/etc/hosts")
RESOLV = Path("/etc/resolv.conf")
HOSTS_TTL = 60.0
_TYPES = {"NAPTR": dns.NAPTR, "SRV": dns.SRV, "A": dns.A, "AAAA": dns.AAAA}

OnAnswer = Callable[[Question, Answer], None]


class DnsClient:
    """Asks DNS.

    Args:
        reactor: of Twisted.
        servers: whom to ask; none named: those of the system.
        hosts_file: names that are known without DNS.
        resolv_file: where the system's servers stand.
    """

    def __init__(
        self,
        reactor: SipReactor,
        servers: Sequence[HostPort] = (),
        hosts_file: Path = HOSTS,
        resolv_file: Path = RESOLV,
    ) -> None:
        self._reactor = reactor
        self._servers = tuple(servers)
        self._resolv = None if servers else resolv_file
        self._seen: object = None
        self._hosts = FilePath(str(hosts_file))
        self._stopped = False
        self._resolver: Any = None

    def stop(self) -> None:
        """What is still on its way leads to nothing."""
        self._stopped = True

    def ask(self, question: Question, done: OnAnswer) -> None:
        """Asks one question. ``done`` is called once, unless it was stopped before; perhaps at once."""
        known = Answer() if not _can_be(question.name) else self._in_hosts(question)
        if known is not None:
            done(question, known)
            return
        self._query(question, question.name, done, MOST_ALIASES)

    def _in_hosts(self, question: Question) -> Answer | None:
        if question.kind not in {"A", "AAAA"}:
            return None
        version = 6 if question.kind == "AAAA" else 4
        try:
            found = hosts.searchFileForAll(self._hosts, question.name.encode("ascii"))  # type: ignore[no-untyped-call]
        except ValueError:
            return None
        records = tuple(one for one in found if ip_address(one.partition("%")[0]).version == version)
        return Answer(records, HOSTS_TTL) if records else None

    def _query(self, question: Question, name: str, done: OnAnswer, aliases: int) -> None:
        query = dns.Query(name.encode("ascii", "replace"), _TYPES[question.kind], dns.IN)
        try:
            asked: Deferred[Any] = self._asking().query(query, TIMES)
        except (OSError, ValueError, IndexError) as error:  # no socket, or no server that could be asked
            _log.warn("DNS cannot be asked for {question}: {error}", question=question, error=str(error))
            done(question, Answer(failed=True))
            return
        asked.addCallbacks(
            self._answered, self._failed, callbackArgs=(question, name, done, aliases), errbackArgs=(question, done)
        )
        asked.addErrback(self._unexpected, question, done)

    def _asking(self) -> Any:
        """Returns what asks the servers. Those of the system may change: laptops move, DHCP renews.

        Twisted could look after the file itself, with a timer that nothing ends.
        """
        if self._resolv is not None:
            seen = _seen(self._resolv)
            if seen != self._seen:
                self._seen, self._servers, self._resolver = seen, system_servers(self._resolv), None
        if self._resolver is None:
            self._resolver = client.Resolver(servers=list(self._servers), reactor=self._reactor)  # type: ignore[no-untyped-call]
        return self._resolver

    def _answered(self, result: Any, question: Question, name: str, done: OnAnswer, aliases: int) -> None:
        if self._stopped:
            return
        found = read(question, name, result[0], result[1])
        if isinstance(found, Answer):
            done(question, found)
        elif aliases > 0:
            self._query(question, found, done, aliases - 1)  # the server did not follow the alias for us
        else:
            done(question, Answer())

    def _failed(self, failure: Failure, question: Question, done: OnAnswer) -> None:
        if self._stopped:
            return
        if isinstance(failure.value, DNSNameError):
            message = failure.value.args[0] if failure.value.args else None
            done(question, Answer((), _negative_ttl(getattr(message, "authority", ()))))
            return
        failure.trap(DomainError, ResolverError, TwistedTimeout, OSError)  # type: ignore[no-untyped-call]
        _log.info("DNS does not answer {question}: {reason}", question=question, reason=failure.getErrorMessage())
        done(question, Answer(failed=True))

    def _unexpected(self, failure: Failure, question: Question, done: OnAnswer) -> None:
        """A record that cannot be read is the server's fault, and must not leave a request waiting."""
        _log.failure("the answer of DNS to {question} cannot be read", failure, question=question)
        if not self._stopped:
            done(question, Answer(failed=True))


def system_servers(path: Path) -> tuple[HostPort, ...]:
    """Returns the servers that ``resolv.conf`` names; without any, the one on this host, as the C library."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    found = [row[1] for row in words if len(row) > 1 and row[0] == "nameserver"]
    return tuple((host, 53) for host in found) or (("127.0.0.1", 53),)


def _seen(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return ""
    return status.st_mtime_ns, status.st_ino, status.st_size


def read(question: Question, name: str, answers: Sequence[Any], authority: Sequence[Any]) -> Answer | str:
    """Returns what the records of a message answer to a question; the name to ask for instead, where that is all."""
    last, ttl = _last_alias(answers, name, MOST_ALIASES)
    wanted = _TYPES[question.kind]
    mine = [one for one in answers if one.type == wanted and _text(one.name) == last]
    if mine:
        records = tuple(record for one in mine if (record := _record(one.payload)) is not None)
        return Answer(records, float(min([ttl, *(one.ttl for one in mine)])))
    return Answer((), _negative_ttl(authority)) if last == name.rstrip(".").lower() else last


def _can_be(name: str) -> bool:
    """Whether there can be such a name (RFC 1035 2.3.4); Twisted would write another one where it is too long."""
    labels = name.split(".")
    return name.isascii() and len(name) <= 253 and all(0 < len(label) <= 63 for label in labels)


def _text(name: Any) -> str:
    return str(name.name.decode("ascii", "replace").rstrip(".").lower())


def _last_alias(answers: Sequence[Any], name: str, most: int) -> tuple[str, int]:
    """Returns the name at the end of the CNAMEs in an answer, and the shortest life of these."""
    aliases = {_text(one.name): one for one in answers if one.type == dns.CNAME}
    last, ttl = name.rstrip(".").lower(), 2**31
    for _ in range(most):
        alias = aliases.get(last)
        if alias is None:
            break
        last, ttl = _text(alias.payload.name), min(ttl, alias.ttl)
    return last, ttl


def _negative_ttl(authority: Sequence[Any]) -> float | None:
    """RFC 2308 section 5: for how long it may be believed that there is nothing."""
    for one in authority:
        if one.type == dns.SOA:
            return float(min(one.ttl, one.payload.minimum))
    return None


def _record(payload: Any) -> Naptr | Srv | str | None:
    if isinstance(payload, dns.Record_SRV):
        return Srv(
            priority=payload.priority, weight=payload.weight, port=payload.port, target=_text(payload.target)
        )  # fmt: skip
    if isinstance(payload, dns.Record_NAPTR):
        return Naptr(
            order=payload.order, preference=payload.preference, flags=payload.flags.string.decode("ascii", "replace"),
            service=payload.service.string.decode("ascii", "replace"), replacement=_text(payload.replacement),
        )  # fmt: skip
    if isinstance(payload, dns.Record_A):
        return str(payload.dottedQuad())  # type: ignore[no-untyped-call]
    if isinstance(payload, dns.Record_AAAA):
        return str(ip_address(payload.address))
    return None
