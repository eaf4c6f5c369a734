"""Switchboards, the connections on which people talk: how they are asked for, and who is on them."""

from __future__ import annotations

from attrs import frozen

from transports.msnp.wire.codes import PORT
from transports.msnp.wire.command import Command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.text import unescape


def read_address(text: str) -> tuple[str, int]:
    """``host:port`` or a host alone (then the port is 1863). Raises `MsnpSyntaxError`."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, str(PORT)
    host = host.strip("[]")
    if not host or len(host) > 255 or not (port.isascii() and port.isdigit() and len(port) < 6):
        raise MsnpSyntaxError(f"not an address: {text[:60]!a}")
    number = int(port)
    if not 0 < number < 65_536:
        raise MsnpSyntaxError(f"not a port: {number}")
    return host, number


@frozen(kw_only=True)
class Transfer:
    """XFR: go to another server. `key` is the ticket for a switchboard."""

    kind: str
    host: str
    port: int
    key: str = ""


def read_transfer(line: Command) -> Transfer:
    """XFR of both kinds. Raises `MsnpSyntaxError`."""
    host, port = read_address(line.arg(2))
    kind = line.arg(1).upper()
    return Transfer(kind=kind, host=host, port=port, key=line.arg(4) if kind == "SB" else "")


@frozen(kw_only=True)
class Ring:
    """RNG: somebody calls us to a switchboard."""

    session: str
    host: str
    port: int
    key: str
    caller: str
    name: str


def read_ring(line: Command) -> Ring:
    """RNG. Raises `MsnpSyntaxError`."""
    host, port = read_address(line.arg(1))
    name = unescape(line.args[5]) if len(line.args) > 5 else ""
    return Ring(session=line.arg(0), host=host, port=port, key=line.arg(3), caller=line.arg(4), name=name)


@frozen(kw_only=True)
class Participant:
    """Somebody on a switchboard. `total` counts all in the list of which this is one (IRO), else 0.

    `capabilities` is None where the server does not tell (before MSNP12).
    """

    passport: str
    name: str
    capabilities: int | None = None
    total: int = 0


def read_participant(line: Command) -> Participant:
    """IRO and JOI. A name with the id of an endpoint behind it (MSNP16) is that of the person."""
    at = 3 if line.name == "IRO" else 0
    total = line.number(2) if line.name == "IRO" else 0
    word = line.args[at + 2].partition(":")[0] if len(line.args) > at + 2 else ""
    capabilities = int(word) if word.isascii() and word.isdigit() and len(word) < 20 else None
    name = unescape(line.args[at + 1]) if len(line.args) > at + 1 else ""
    return Participant(
        passport=line.arg(at).partition(";")[0], name=name, capabilities=capabilities, total=min(total, 10_000)
    )
