"""Services that are spoken to as to a user (NickServ): showing a password, asking for a nickname."""

from __future__ import annotations

from transports.irc.machine.config import SessionConfig
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.message import Message


def identify_line(config: SessionConfig, nick: str, password: str) -> bytes | None:
    """IDENTIFY; None where the password cannot be sent."""
    return _line(config, f"IDENTIFY {config.services_account or nick} {password}")


def regain_line(config: SessionConfig, nick: str, password: str) -> bytes | None:
    """What is configured to free a nickname; None where nothing is, or it cannot be sent."""
    if not config.regain:
        return None
    return _line(config, config.regain.replace("{nick}", nick).replace("{password}", password))


def _line(config: SessionConfig, text: str) -> bytes | None:
    try:
        return Message(command="PRIVMSG", params=(config.nickserv, text)).encode()
    except IrcSyntaxError:
        return None  # a line end in it, or too long


def name_of(config: SessionConfig) -> str:
    """The nickname that services answer under."""
    return config.nickserv.partition("@")[0]
