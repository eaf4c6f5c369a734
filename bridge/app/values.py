"""The values that keys of the configuration take: addresses, and the validators of words and numbers."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

LARGEST: Final = 1_000_000_000
DIGESTS: Final = ("MD5", "SHA-256", "SHA-512-256")
"""The digest algorithms that may be configured (RFC 8760)."""
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_SHOWN_CHARACTERS: Final = 80
_LISTEN_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


class InvalidValue(ValueError):
    """A value is not what its key takes; `key` is the rest of the path below the value's table."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


@frozen(kw_only=True)
class HostPort:
    """An address to connect or to listen to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "HostPort":
        """Reads ``host:port`` or ``[v6]:port``.

        Raises:
            ValueError: it is neither.
        """
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"an IPv6 address is written in brackets: {shown(text)}")
        if not (colon and host and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
            raise ValueError(f"not of the form host:port: {shown(text)}")
        return cls(host=host, port=int(port))


@frozen(kw_only=True)
class Listen:
    """A SIP listener: ``udp:127.0.0.1:5060``."""

    transport: str
    at: HostPort

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Reads ``transport:host:port``.

        Raises:
            ValueError: the transport is not known, or what follows is no address.
        """
        transport, _, rest = text.partition(":")
        if transport not in _LISTEN_TRANSPORTS:
            known = ", ".join(f"{name}:" for name in _LISTEN_TRANSPORTS)
            raise ValueError(f"{shown(text)} does not begin with one of {known}")
        return cls(transport=transport, at=HostPort.parse(rest))


def shown(value: object) -> str:
    """Returns a value as an error shows it: on one line, and not longer than a reader wants."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of too many digits"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def positive(_: object, attribute: Any, value: float) -> None:
    """Validates a number that must be greater than 0, and not so large that no clock or column holds it."""
    if value <= 0:
        raise InvalidValue(attribute.name, f"must be greater than 0, not {value}")
    if value > LARGEST:
        raise InvalidValue(attribute.name, f"must be {LARGEST} at most, not {shown(value)}")


def not_negative(_: object, attribute: Any, value: float) -> None:
    """Validates a number that may be 0, and is not so large that no clock or column holds it."""
    if not 0 <= value <= LARGEST:
        raise InvalidValue(attribute.name, f"must be between 0 and {LARGEST}, not {shown(value)}")


def addresses(_: object, attribute: Any, value: Mapping[str, str]) -> None:
    """Validates a table of addresses by addresses; ``*`` may stand for all."""
    for named, to in value.items():
        for text in (to,) if named == "*" else (named, to):
            try:
                HostPort.parse(text)
            except ValueError as e:
                raise InvalidValue(attribute.name, str(e)) from e


def domain_like(text: str) -> bool:
    """Whether a text is a domain name in lower case."""
    return len(text) <= 253 and _DOMAIN.fullmatch(text) is not None


def domain_name(_: object, attribute: Any, value: str) -> None:
    """Validates the name of a domain."""
    if not domain_like(value):
        raise InvalidValue(attribute.name, f"not a domain name in lower case: {shown(value)}")


def one_of(*choices: str) -> Any:
    """Returns a validator of a word that must be one of a few."""

    def check(_: object, attribute: Any, value: str) -> None:
        if value not in choices:
            raise InvalidValue(attribute.name, f"{shown(value)} is not one of {', '.join(choices)}")

    return check


def realm_text(_: object, attribute: Any, value: str) -> None:
    """Validates a digest realm, which stands between quotes in a header."""
    if len(value) > 255 or not value.isprintable() or set(value) & {'"', "\\"}:
        raise InvalidValue(
            attribute.name, f"must be 255 printable characters at most, without quotes, not {shown(value)}"
        )


def word(_: object, attribute: Any, value: str) -> None:
    """Validates a name of lower-case letters and digits."""
    if not _WORD.fullmatch(value):
        raise InvalidValue(attribute.name, f"must be lower-case letters, digits, '.', '_' and '-', not {shown(value)}")
