"""Presence: what the server tells of contacts (ILN, NLN, FLN, UBX), and what we tell of ourselves (CHG, UUX)."""

from __future__ import annotations

import html

from attrs import frozen

from transports.msnp.wire import xml
from transports.msnp.wire.codes import MAX_PERSONAL_MESSAGE, OFFLINE
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.text import unescape

WITH_NETWORK = 14
"""From this version on a principal is named with the number of its network."""


@frozen(kw_only=True)
class Status:
    """Somebody is there, or (``status`` FLN) is not."""

    passport: str
    status: str
    name: str = ""
    capabilities: int = 0


def read_status(line: Command, version: int) -> Status:
    """ILN and NLN of any version. Raises `MsnpSyntaxError`."""
    args = line.args[1:] if line.name == "ILN" else line.args
    if len(args) < 2:
        raise MsnpSyntaxError(f"{line.name}: too few arguments")
    at = 3 if version >= WITH_NETWORK else 2
    name = unescape(args[at]) if len(args) > at else ""
    capabilities = args[at + 1].partition(":")[0] if len(args) > at + 1 else ""
    number = int(capabilities) if capabilities.isascii() and capabilities.isdigit() and len(capabilities) < 20 else 0
    return Status(passport=args[1], status=args[0].upper(), name=name, capabilities=number)


def read_offline(line: Command) -> Status:
    """FLN. Raises `MsnpSyntaxError`."""
    return Status(passport=line.arg(0), status=OFFLINE)


@frozen(kw_only=True)
class Personal:
    """The words beside a name: a personal message, and what is being listened to."""

    message: str = ""
    media: str = ""


def read_personal(payload: bytes) -> Personal:
    """The payload of UBX; an empty one says that there are no words. Raises `MsnpSyntaxError`.

    escargot writes words of MSNP13 to 15 without escaping ``<``: what is no XML is read between its tags.
    """
    if not payload.strip():
        return Personal()
    try:
        root = xml.parse(payload, "UBX")
    except MsnpSyntaxError:
        head, found, rest = payload.decode("utf-8", "replace").partition("<PSM>")
        words, ended, _ = rest.rpartition("</PSM>")
        if not found or not ended or len(head) > MAX_PERSONAL_MESSAGE:
            raise
        return Personal(message=html.unescape(words))
    return Personal(message=xml.text_of(root, "PSM"), media=media_text(xml.text_of(root, "CurrentMedia")))


def media_text(value: str) -> str:
    r"""What is listened to, for people: the value is ``program\0type\0enabled\0format\0first\0second\0``."""
    parts = value.split("\\0")
    if len(parts) < 5 or parts[2] != "1":
        return ""
    shown = parts[3]
    for at, part in enumerate(parts[4:12]):
        shown = shown.replace(f"{{{at}}}", part)
    return shown


def personal(trid: int, message: str) -> Command:
    """UUX: shows a personal message. It is cut where clients would not show it."""
    shown = xml.escape(message[:MAX_PERSONAL_MESSAGE])
    body = f"<Data><PSM>{shown}</PSM><CurrentMedia></CurrentMedia></Data>"
    return command("UUX", trid, payload=body.encode("utf-8", "replace"))


def change(trid: int, status: str, capabilities: int) -> Command:
    """CHG: shows a status."""
    return command("CHG", trid, status, capabilities)
