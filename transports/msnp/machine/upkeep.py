"""What is done on a notification server once it knows us: the list is loaded, our status shown, contacts are seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from transports.msnp.machine import incoming
from transports.msnp.machine.actions import Fetched, SendDone
from transports.msnp.machine.boards import Boards
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.connections import Connection
from transports.msnp.machine.edits import Edits
from transports.msnp.machine.roster import RosterState
from transports.msnp.machine.stored import Stored
from transports.msnp.machine.web import Web
from transports.msnp.wire import addressbook, challenge, codes, lists, native, presence, sso
from transports.msnp.wire.addressbook import Call
from transports.msnp.wire.codes import Lists
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.mime import Mime
from transports.msnp.wire.soap import SoapFault
from transports.msnp.wire.text import friendly, normal

T = TypeVar("T")
Say = Callable[[Callable[[int], Command], Callable[[Command, float], None]], None]
MAIL_DATA = frozenset({"text/x-msmsgsinitialmdatanotification", "text/x-msmsgsoimnotification"})
RETRY_CHANGE = 10.0
_PASSED_OVER = frozenset(
    {"QNG", "QRY", "GTC", "PRP", "BPR", "SBS", "NOT", "UUX", "CHG", "GCF", "SYN", "REA", "UBN", "IPG", "URL"}
)
"""What says nothing that anybody here would want to know."""


class Upkeep:
    """One account's dealings with its notification server.

    Attributes:
        wanted: how we are to be seen. roster: the lists. edits: what is to be changed in them.
        list_until: when the list counts as complete, though the server promised more.
    """

    def __init__(
        self,
        account: str,
        name: str,
        config: SessionConfig,
        boards: Boards,
        stored: Stored,
        web: Web,
        emit: Callable[[native.Inbound | SendDone], None],
    ) -> None:
        self._account = account
        self._name = name
        self._config = config
        self._boards = boards
        self._stored = stored
        self._web = web
        self._emit = emit
        self._conn: Connection | None = None
        self._say: Say | None = None
        self._up: Callable[[float], None] = lambda _now: None
        self._tickets = sso.Tickets()
        self._left: tuple[int, int] | None = None
        self._privacy = ""
        self._friendly = ""
        self._shown: native.OwnPresence | None = None
        self._show_at: float | None = None
        self._changed_at = float("-inf")
        self._seen: dict[str, native.ContactPresence] = {}
        self.version = 0
        self.wanted = native.OwnPresence(account=account, status=codes.ONLINE)
        self.roster = RosterState(account, config.max_roster)
        self.edits: Edits
        self.list_until: float | None = None

    # -- the list

    def begin(
        self, conn: Connection, version: int, tickets: sso.Tickets, say: Say, up: Callable[[float], None], now: float
    ) -> None:
        """The server knows us. Raises `MsnpSyntaxError` where a web server is not to be trusted."""
        self._conn, self._say, self._up = conn, say, up
        self.version = self.edits.version = version
        self._tickets = tickets
        self._left = None
        self._privacy = ""
        self.roster.begin()
        if version >= 13:
            self.call(addressbook.find_membership, self._members)
            return
        args = ("0",) if version < 10 else ("0", "0")
        self.list_until = now + self._config.list_timeout
        say(lambda trid: command("SYN", trid, *args), self._synchronized)

    def _synchronized(self, line: Command, now: float) -> None:
        if line.error is not None:
            raise MsnpSyntaxError(f"SYN: {line.error} {codes.error_name(line.error)}")
        sync = lists.read_sync(line, self.version)
        self._left = (sync.contacts or 0, sync.groups or 0)
        self.list_until = now + self._config.list_timeout
        self._perhaps_complete(now)

    def _perhaps_complete(self, now: float) -> None:
        # groups come before contacts, so that the last contact is the last of all
        if self.list_until is not None and self._left is not None and self._left[0] <= 0:
            self.list_complete(now)

    def list_complete(self, now: float) -> None:
        """All of the list is there, or as much as will come: show ourselves."""
        self.list_until = None
        if self._config.strangers and self._config.strangers != self._privacy:
            self._ask(lambda trid: command("BLP", trid, self._config.strangers))
        self._shown = None
        self._change(now)

    # -- the list of MSNP15

    def call(self, made: Callable[[str], Call], on_answer: Callable[[Fetched, float], None]) -> None:
        """Calls the contact service. Raises `MsnpSyntaxError` where there is no ticket or no trust."""
        ticket = self._tickets.by_site.get(sso.CONTACTS) or self._tickets.by_site.get(sso.MESSENGER, "")
        call = made(ticket)
        name = {"sharing": "SharingService.asmx", "abservice": "abservice.asmx"}[call.service]
        self._web.soap(f"{self._config.urls.contacts.rstrip('/')}/{name}", call.action, call.body, on_answer)

    def _members(self, answer: Fetched, now: float) -> None:
        found = self._read(answer, addressbook.read_membership)
        entries = [lists.Entry(passport=passport, lists=bits) for passport, bits in found.items()]
        self.roster.put(entries)
        self.call(addressbook.find_all, self._book)

    def _book(self, answer: Fetched, now: float) -> None:
        book = self._read(answer, addressbook.read_book)
        self.roster.put(book.contacts)
        self._friendly = book.own_name
        wanted = Lists.FL | Lists.AL | Lists.BL
        members = [(line.passport, line.lists & wanted) for line in self.roster.lines.values() if line.lists & wanted]
        payloads = lists.announce(members, initial=True)
        for payload in payloads[:-1]:
            self._ask(_announcement(payload))
        self._tell(_announcement(payloads[-1]), self._announced)

    def _read(self, answer: Fetched, reader: Callable[[bytes], T]) -> T:
        if answer.error:
            raise MsnpSyntaxError(f"contacts: {answer.error}")
        try:
            return reader(answer.body)
        except SoapFault as fault:
            raise MsnpSyntaxError(f"contacts: {fault}") from fault

    def _announced(self, line: Command, now: float) -> None:
        """The server has our list. An error in it (241) concerns single contacts: they are seen later, or not."""
        self._ask(lambda trid: command("PRP", trid, "MFN", friendly(self._friendly or self._name)))
        self.list_complete(now)

    def _tell(self, made: Callable[[int], Command], on_answer: Callable[[Command, float], None]) -> None:
        if self._say is not None:
            self._say(made, on_answer)

    def _ask(self, made: Callable[[int], Command]) -> None:
        """Says something whose answer changes nothing."""
        self._tell(made, lambda _answer, _now: None)

    # -- ourselves

    def show(self, now: float) -> None:
        """Shows ourselves as wanted, as soon as it is not too often."""
        at = max(now, self._changed_at + self._config.change_interval)
        if at <= now:
            self._change(now)
        elif self._show_at is None:
            self._show_at = at

    def _change(self, now: float) -> None:
        self._show_at = None
        wanted, shown = self.wanted, self._shown
        if wanted == shown:
            return
        self._shown, self._changed_at = wanted, now
        if shown is None or shown.status != wanted.status:
            self._tell(lambda trid: presence.change(trid, wanted.status, self._config.capabilities), self._status_shown)
        if self.version >= 11 and (shown.message if shown is not None else "") != wanted.message:
            self._ask(lambda trid: presence.personal(trid, wanted.message))

    def _status_shown(self, line: Command, now: float) -> None:
        if line.error is not None:
            self._shown = None
            self._show_at = now + RETRY_CHANGE
            return
        self._up(now)

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [self._show_at, self.edits.next_deadline()]
        return min((each for each in times if each is not None), default=None)

    def tick(self, now: float) -> None:
        """Does what is due."""
        if self._show_at is not None and self._show_at <= now:
            self._change(now)
        self.edits.tick(now)

    def lost(self) -> None:
        """The account is signed off: nobody is seen any more."""
        self._conn, self._say = None, None
        self.list_until = self._show_at = None
        self._shown = None
        self._changed_at = float("-inf")
        self.edits.lost()
        for seen in self._seen.values():
            if seen.status != codes.OFFLINE:
                gone = native.ContactPresence(account=self._account, passport=seen.passport, status=codes.OFFLINE)
                self._emit(gone)
        self._seen.clear()

    # -- what comes

    def challenged(self, conn: Connection, line: Command) -> None:
        """CHL: show that we are a client that the server knows. Raises `MsnpSyntaxError`."""
        version = self.version or self._config.version
        product = challenge.product_for(version)
        answer = challenge.answer(line.arg(1), product, version)
        conn.send(command("QRY", conn.next_trid(), product.id, payload=answer))

    def handle(self, line: Command, now: float) -> bool:
        """A command that nobody waits for; gives whether it is known. Raises `MsnpSyntaxError`."""
        name = line.name
        if name in {"LST", "LSG"}:
            self._listed(line, now)
        elif name in {"ILN", "NLN"}:
            self._status(presence.read_status(line, self.version))
        elif name == "FLN":
            self._status(presence.read_offline(line))
        elif name == "UBX":
            self._personal(line)
        elif name in {"ADD", "ADC", "REM"}:
            self.roster.edited(lists.read_edit(line, self.version))
        elif name in {"ADL", "RML"}:
            self._pushed(line)
        elif name == "BLP":
            self._privacy = line.args[-1].upper() if line.args else ""
        elif name == "MSG":
            self._said(line, now)
        else:
            return name in _PASSED_OVER
        return True

    def _listed(self, line: Command, now: float) -> None:
        contacts, groups = self._left or (0, 0)
        if line.name == "LSG":
            self._left = None if self._left is None else (contacts, groups - 1)
        else:
            self.roster.put([lists.read_entry(line, self.version)])
            self._left = None if self._left is None else (contacts - 1, groups)
        if self.list_until is not None:
            self.list_until = now + self._config.list_timeout
        self._perhaps_complete(now)

    def _status(self, status: presence.Status) -> None:
        if normal(status.passport) == self._account:
            return  # the echo of what we show ourselves
        before = self._seen.get(normal(status.passport))
        if status.status == codes.OFFLINE:
            self._boards.clients.knows(status.passport, 0)
            self._see(native.ContactPresence(account=self._account, passport=status.passport, status=codes.OFFLINE))
            return
        self._boards.clients.knows(status.passport, status.capabilities)
        self._see(
            native.ContactPresence(
                account=self._account,
                passport=status.passport,
                status=status.status if status.status in codes.STATUSES else codes.ONLINE,
                name=status.name,
                message="" if before is None else before.message,
                media="" if before is None else before.media,
            )
        )

    def _personal(self, line: Command) -> None:
        passport = line.arg(0)
        before = self._seen.get(normal(passport))
        if normal(passport) == self._account or before is None or before.status == codes.OFFLINE:
            return  # words beside the name of somebody who is not there say nothing
        words = presence.read_personal(line.payload or b"")
        self._see(
            native.ContactPresence(
                account=self._account,
                passport=before.passport,
                status=before.status,
                name=before.name,
                message=words.message,
                media=words.media,
            )
        )

    def _see(self, seen: native.ContactPresence) -> None:
        name = normal(seen.passport)
        if self._seen.get(name) == seen:
            return
        if name not in self._seen and len(self._seen) >= self._config.max_roster:
            return
        self._seen[name] = seen
        self._emit(seen)

    def _pushed(self, line: Command) -> None:
        if line.payload is None:
            return  # the OK of an announcement that was given up
        added = line.name == "ADL"
        for entry in lists.read_members(line.payload):
            self.roster.edited(
                lists.Edit(added=added, lists=entry.lists, passport=entry.passport, name=entry.name, id=entry.id)
            )

    def _said(self, line: Command, now: float) -> None:
        message = Mime.decode(line.payload or b"")
        if message.content_type in MAIL_DATA:
            inner = message.get("Mail-Data") or Mime.decode(message.body).get("Mail-Data") or ""
            self._stored.told(inner, now)
        elif message.content_type == "text/plain":
            self._emit(incoming.unreadable(self._account, None, "a message of the server itself", line.payload or b""))


def _announcement(payload: bytes) -> Callable[[int], Command]:
    return lambda trid: command("ADL", trid, payload=payload)
