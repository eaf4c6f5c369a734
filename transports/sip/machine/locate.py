"""Where a request to a SIP URI goes, as RFC 3263 section 4 has it: a pure walk over the answers that are there.

A walk that meets a question without an answer goes on with those beside it, so that they can be asked together.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from typing import Literal, NamedTuple, TypeAlias

from attrs import frozen

from transports.sip.machine.flow import DEFAULT_PORTS, Target
from transports.sip.machine.trunkconfig import ResolverLimits
from transports.sip.wire.uri import SipUri

Kind: TypeAlias = Literal["NAPTR", "SRV", "A", "AAAA"]


class Question(NamedTuple):
    """``name`` in lower case, without the dot at its end."""

    name: str
    kind: Kind


@frozen(kw_only=True)
class Naptr:
    """RFC 3403."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@frozen(kw_only=True)
class Srv:
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


@frozen
class Answer:
    """What DNS says. Addresses are texts. ``failed``: it said nothing, which is not that there is nothing."""

    records: tuple[Naptr | Srv | str, ...] = ()
    ttl: float | None = None
    failed: bool = False


class Wanted(NamedTuple):
    """What a URI says of the way. ``transport`` is empty where it does not say; ``host`` without brackets."""

    secure: bool
    host: str
    port: int | None
    transport: str
    proves: str
    """The name that the certificate must prove where the way is TLS: the one that was asked for (RFC 5922 7.3)."""


_SERVICES = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}
_PREFIXES = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


def wanted(uri: SipUri, proves: str = "") -> Wanted | None:
    """Returns what a URI says of the way; None where we cannot go by the transport that it names."""
    secure = uri.scheme == "sips"
    host = (uri.param("maddr") or uri.host).strip("[]").rstrip(".").lower()
    transport = (uri.param("transport") or "").lower()
    if secure and transport == "tcp":
        transport = "tls"
    if transport and (transport not in DEFAULT_PORTS or (secure and transport != "tls")):
        return None
    return Wanted(secure, host, uri.port, transport, proves or uri.host.strip("[]").rstrip(".").lower())


def is_address(host: str) -> bool:
    """Whether a host is an address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Walk:
    """One walk from a URI to targets.

    Args:
        want: what is looked for.
        lookup: returns the answer to a question; None where it must be asked first.
        random: for the weights of RFC 2782.
        families: ``A`` and ``AAAA``, as far as we have listeners for them, in the order of preference.
    """

    __slots__ = ("_families", "_limits", "_lookup", "_random", "_want", "failed", "missing")

    def __init__(
        self,
        want: Wanted,
        lookup: Callable[[Question], Answer | None],
        random: Random,
        families: tuple[Kind, ...],
        limits: ResolverLimits,
    ) -> None:
        self._want = want
        self._lookup = lookup
        self._random = random
        self._families = families
        self._limits = limits
        self.missing: list[Question] = []
        self.failed = False
        """Whether DNS did not answer a question on the way."""

    def targets(self) -> list[Target]:
        """Returns where to go, the best first. Not to be used while there are questions in ``missing``."""
        want = self._want
        if is_address(want.host):
            return [self._target(want.transport or self._default, want.host, want.port)]
        if want.port is not None:
            return self._hosts(want.transport or self._default, want.host, want.port)[: self._limits.targets]
        if want.transport:
            found = self._services(want.transport, _PREFIXES[want.transport] + want.host)
            return self._or_host(want.transport, found)
        found = self._by_naptr()
        if found is None and not self.missing:  # each step only where the one before has found nothing
            found = self._by_srv()
        return self._or_host(self._default, found)

    @property
    def _default(self) -> str:
        """RFC 3263 4.1: UDP for sip, TLS for sips, where nothing says otherwise."""
        return "tls" if self._want.secure else "udp"

    def _or_host(self, transport: str, found: list[Target] | None) -> list[Target]:
        """Returns what was found; where there are no SRV records, the host's own addresses (RFC 3263 4.2)."""
        if found is None and self.missing:
            return []
        if found is None:
            found = self._hosts(transport, self._want.host, None)
        return list(dict.fromkeys(found))[: self._limits.targets]

    def _ask(self, name: str, kind: Kind) -> tuple[Naptr | Srv | str, ...]:
        question = Question(name.rstrip(".").lower(), kind)
        answer = self._lookup(question)
        if answer is None:
            self.missing.append(question)
            return ()
        self.failed = self.failed or answer.failed
        return answer.records[: self._limits.records]

    def _target(self, transport: str, host: str, port: int | None) -> Target:
        proves = self._want.proves if transport == "tls" else ""
        return Target(transport, host, port or DEFAULT_PORTS[transport], proves)

    def _by_naptr(self) -> list[Target] | None:
        """Returns None where there is no record that we can use, and then it is as if there were none at all."""
        usable: list[tuple[int, int, str, str]] = []
        for record in self._ask(self._want.host, "NAPTR"):
            if not isinstance(record, Naptr) or record.flags.lower() != "s":
                continue
            transport = _SERVICES.get(record.service.lower(), "")
            if transport and (not self._want.secure or transport == "tls"):
                usable.append((record.order, record.preference, transport, record.replacement))
        if not usable:
            return None
        found: list[Target] = []
        for _, _, transport, name in sorted(usable):
            found += self._services(transport, name) or ()
        return found

    def _by_srv(self) -> list[Target] | None:
        """Without NAPTR: the SRV records of each transport that we have (RFC 3263 4.1)."""
        ways = [self._services(way, _PREFIXES[way] + self._want.host) for way in self._ways()]
        return None if all(way is None for way in ways) else [target for way in ways for target in way or ()]

    def _ways(self) -> tuple[str, ...]:
        return ("tls",) if self._want.secure else ("udp", "tcp")

    def _services(self, transport: str, name: str) -> list[Target] | None:
        """Returns the targets of SRV records in the order of RFC 2782; None where there are no such records."""
        records = [record for record in self._ask(name, "SRV") if isinstance(record, Srv)]
        if not records:
            return None
        found: list[Target] = []
        for record in ordered(records, self._random):
            if record.target.rstrip("."):  # a dot alone: decidedly not here
                found += self._hosts(transport, record.target, record.port)
        return found

    def _hosts(self, transport: str, host: str, port: int | None) -> list[Target]:
        if is_address(host):
            return [self._target(transport, host, port)]
        return [
            self._target(transport, address, port)
            for family in self._families
            for address in self._ask(host, family)
            if isinstance(address, str)
        ]


def ordered(records: list[Srv], random: Random) -> list[Srv]:
    """Returns SRV records in the order in which they are to be tried (RFC 2782, "Usage rules")."""
    out: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        # Those without a weight come first, which gives them their small chance.
        left = sorted((one for one in records if one.priority == priority), key=lambda one: one.weight > 0)
        while left:
            point = random.randint(0, sum(one.weight for one in left))
            running = 0
            for one in left:
                running += one.weight
                if running >= point:
                    break
            left.remove(one)
            out.append(one)
    return out
