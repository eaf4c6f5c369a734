"""The contact lists: as SYN tells them, as they are edited, and as MSNP15 announces them (ADL, RML)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from attrs import frozen

from transports.msnp.wire import xml
from transports.msnp.wire.codes import Lists
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.text import friendly, unescape

MAX_LIST_PAYLOAD = 7500
"""Bytes of one ADL; servers take no more."""
PASSPORT = 1
"""The network number of a passport."""
_LETTERS = {"FL": Lists.FL, "AL": Lists.AL, "BL": Lists.BL, "RL": Lists.RL, "PL": Lists.PL}


@frozen(kw_only=True)
class Entry:
    """Somebody on our lists. `id` is the contact's id on the server where it gives one (MSNP10 and later)."""

    passport: str
    lists: Lists
    name: str = ""
    id: str = ""
    groups: tuple[str, ...] = ()


@frozen(kw_only=True)
class Sync:
    """The answer to SYN: how many contacts and groups follow; None where it does not say."""

    contacts: int | None = None
    groups: int | None = None


def read_sync(line: Command, version: int) -> Sync:
    """SYN. Where the counts are missing, the list that we have is still good, or empty. Raises `MsnpSyntaxError`."""
    at = 3 if version >= 10 else 2
    if len(line.args) < at + 2:
        return Sync()
    return Sync(contacts=line.number(at), groups=line.number(at + 1))


def read_entry(line: Command, version: int) -> Entry:
    """LST of MSNP8 and later. Raises `MsnpSyntaxError`."""
    if version < 10:
        groups = tuple(line.args[3].split(",")) if len(line.args) > 3 else ()
        return Entry(passport=line.arg(0), name=unescape(line.arg(1)), lists=Lists(line.number(2) & 31), groups=groups)
    named, rest = _named(line.args)
    if "N" not in named:
        raise MsnpSyntaxError("LST: no name")
    if not rest or not (rest[0].isascii() and rest[0].isdigit() and len(rest[0]) < 6):
        raise MsnpSyntaxError("LST: no number of lists")
    behind = rest[2:] if version >= 12 else rest[1:]
    groups = tuple(part for word in behind for part in word.split(",") if part)
    return Entry(
        passport=named["N"],
        name=unescape(named.get("F", "")),
        id=named.get("C", ""),
        lists=Lists(int(rest[0]) & 31),
        groups=groups,
    )


def _named(args: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    named: dict[str, str] = {}
    rest: list[str] = []
    for arg in args:
        if len(arg) >= 2 and arg[1] == "=" and arg[0].isalpha():
            named[arg[0].upper()] = arg[2:]
        else:
            rest.append(arg)
    return named, rest


def letters(word: str) -> Lists:
    """A list by its two letters. Raises `MsnpSyntaxError`."""
    try:
        return _LETTERS[word.upper()]
    except KeyError:
        raise MsnpSyntaxError(f"no such list: {word[:20]!a}") from None


@frozen(kw_only=True)
class Edit:
    """A contact was put on a list or taken off it (ADD, ADC, REM), by us or by them. `passport` or `id` names it."""

    added: bool
    lists: Lists
    passport: str = ""
    name: str = ""
    id: str = ""
    group: str = ""


def read_edit(line: Command, version: int) -> Edit:
    """ADD, ADC and REM of any version. Raises `MsnpSyntaxError`."""
    which = letters(line.arg(1))
    if line.name == "ADC":
        named, rest = _named(line.args[2:])
        return Edit(
            added=True,
            lists=which,
            passport=named.get("N", ""),
            name=unescape(named.get("F", "")),
            id=named.get("C", ""),
            group=rest[0] if rest else "",
        )
    # up to MSNP9 the serial number of the list stands before the name
    args = line.args[3:] if version < 10 and len(line.args) > 3 else line.args[2:]
    if not args:
        raise MsnpSyntaxError(f"{line.name}: nobody named")
    if line.name == "ADD":
        return Edit(added=True, lists=which, passport=args[0], name=unescape(args[1]) if len(args) > 1 else "")
    by_id = version >= 10 and "@" not in args[0]
    group = args[1] if len(args) > 1 else ""
    return Edit(added=False, lists=which, passport="" if by_id else args[0], id=args[0] if by_id else "", group=group)


def add(trid: int, version: int, which: Lists, passport: str, name: str = "") -> Command:
    """Puts a contact on one list (MSNP8 to 12)."""
    word = which.name or ""
    if version < 10:
        group = ("0",) if which is Lists.FL else ()
        return command("ADD", trid, word, passport, friendly(name or passport), *group)
    shown = (f"F={friendly(name or passport)}",) if which is Lists.FL else ()
    return command("ADC", trid, word, f"N={passport}", *shown)


def remove(trid: int, version: int, which: Lists, passport: str, contact_id: str = "") -> Command:
    """Takes a contact off one list (MSNP8 to 12); off the forward list by its id, from MSNP10 on."""
    by_id = version >= 10 and which is Lists.FL and contact_id
    return command("REM", trid, which.name or "", contact_id if by_id else passport)


# -- MSNP13 and later


def announce(members: Iterable[tuple[str, Lists]], *, initial: bool) -> list[bytes]:
    """The payloads of ADL for members and their lists (forward, allow, block); one empty list where there are none."""
    mark = ' l="1"' if initial else ""
    empty = f"<ml{mark}></ml>".encode()
    payloads: list[bytes] = []
    domains: dict[str, list[str]] = {}
    size = len(empty)
    for passport, lists in members:
        user, at, domain = passport.rpartition("@")
        if not at:
            continue
        bits = int(lists & (Lists.FL | Lists.AL | Lists.BL))
        entry = f'<c n="{xml.escape(user)}" l="{bits}" t="{PASSPORT}"/>'
        frame = 0 if domain in domains else len(f'<d n="{xml.escape(domain)}"></d>')
        cost = len(entry.encode("utf-8", "replace")) + frame
        if size + cost > MAX_LIST_PAYLOAD and domains:
            payloads.append(_payload(mark, domains))
            domains, size = {}, len(empty)
        domains.setdefault(domain, []).append(entry)
        size += cost
    if domains or not payloads:
        payloads.append(_payload(mark, domains))
    return payloads


def _payload(mark: str, domains: dict[str, list[str]]) -> bytes:
    inner = "".join(f'<d n="{xml.escape(name)}">{"".join(entries)}</d>' for name, entries in domains.items())
    return f"<ml{mark}>{inner}</ml>".encode("utf-8", "replace")


def read_members(payload: bytes) -> list[Entry]:
    """The members in a payload of ADL, RML or FQY. Raises `MsnpSyntaxError`."""
    root = xml.parse(payload, "ADL")
    return [_member(domain, child) for domain in xml.find_all(root, "d") for child in xml.find_all(domain, "c")]


def _member(domain: Element, child: Element) -> Entry:
    bits = child.get("l", "0")
    if not (bits.isascii() and bits.isdigit() and len(bits) < 6):
        raise MsnpSyntaxError(f"ADL: lists {bits[:20]!a}")
    passport = f"{child.get('n', '')}@{domain.get('n', '')}"
    return Entry(passport=passport, name=unescape(child.get("f", "")), lists=Lists(int(bits) & 31))
