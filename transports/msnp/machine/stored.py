"""Messages that the server keeps: theirs, fetched and forgotten there once they are on record here, and ours."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from bridge.model.capabilities import SendResult
from transports.msnp.machine import incoming, results
from transports.msnp.machine.actions import Fetched, SendDone
from transports.msnp.machine.board import Item
from transports.msnp.machine.config import Urls
from transports.msnp.machine.web import Web, trusted
from transports.msnp.wire import challenge, native, offline, sso
from transports.msnp.wire.errors import MsnpSyntaxError
from transports.msnp.wire.soap import SoapFault

MAX_STORING = 16
MAX_TRIES = 3
RETRY_AFTER = 60.0


class Stored:
    """Args:
    account: our passport in normal form. name: as we write it.
    urls: of the web services; empty ones are not used.
    web: asks them.
    rng: for the id of this run.
    emit: takes events and ends of sends.
    """

    def __init__(
        self,
        account: str,
        name: str,
        urls: Urls,
        web: Web,
        rng: random.Random,
        emit: Callable[[native.Inbound | SendDone], None],
    ) -> None:
        self._account = account
        self._name = name
        self._store_url = urls.store if trusted(urls.store) else ""
        self._fetch_url = urls.stored if trusted(urls.stored) else ""
        self._web = web
        self._emit = emit
        self._run_id = f"{rng.getrandbits(128):032X}"
        self._queue: deque[offline.Waiting] = deque()
        self._known: set[str] = set()
        self._unrecorded: set[str] = set()
        self._fetching = False
        self._tries = 0
        self._again: float | None = None
        self._storing: list[Item] = []
        self._number = 0
        self._lock_key = ""
        self.ticket = ""
        self.tickets = sso.Tickets()

    # -- theirs

    def told(self, mail_data: str, now: float) -> None:
        """The server tells what waits. Raises `MsnpSyntaxError`."""
        if not self._fetch_url or not self._cookie():
            return
        waiting = offline.read_mail_data(mail_data)
        if waiting is None:
            action, body = offline.get_metadata(self._cookie())
            self._web.soap(self._fetch_url, action, body, self._listed)
            return
        self._take(waiting, now)

    def _cookie(self) -> str:
        """The ticket that opens the store, which both ways of signing on give in their own way."""
        return self.ticket or self.tickets.by_site.get(sso.MESSENGER, "")

    def _listed(self, answer: Fetched, now: float) -> None:
        try:
            if answer.error:
                raise MsnpSyntaxError(answer.error)
            self._take(offline.read_metadata(answer.body), now)
        except (MsnpSyntaxError, SoapFault):
            self._later(now)

    def _take(self, waiting: list[offline.Waiting], now: float) -> None:
        for each in waiting:
            if each.id not in self._known and len(self._known) < 10 * offline.MAX_WAITING:
                self._known.add(each.id)
                self._queue.append(each)
        self._fetch(now)

    def _fetch(self, now: float) -> None:
        if self._fetching or not self._queue or self._again is not None:
            return
        waiting = self._queue[0]
        action, body = offline.get_message(self._cookie(), waiting.id)
        self._fetching = True
        self._web.soap(self._fetch_url, action, body, self._fetched)

    def _fetched(self, answer: Fetched, now: float) -> None:
        self._fetching = False
        waiting = self._queue[0]
        try:
            if answer.error or answer.status >= 500:
                raise SoapFault(answer.error or f"HTTP status {answer.status}", "")
            stored = offline.read_message(answer.body)
        except SoapFault:
            self._later(now)
            return
        except MsnpSyntaxError as error:
            self._queue.popleft()
            self._emit(incoming.unreadable(self._account, waiting.sender, f"stored: {error}", answer.body))
            self._fetch(now)
            return
        self._queue.popleft()
        self._tries = 0
        self._unrecorded.add(waiting.id)
        self._emit(
            native.ImReceived(
                account=self._account,
                sender=waiting.sender,
                name=waiting.name,
                text=stored.text,
                message_id=waiting.id,
                timestamp=stored.sent_at,
                offline=True,
                lossy=stored.lossy,
            )
        )
        self._fetch(now)

    def _later(self, now: float) -> None:
        """The service has no answer now. What waits there stays there, until the next try or the next sign-on."""
        self._tries += 1
        self._again = now + RETRY_AFTER * self._tries if self._tries < MAX_TRIES else None

    def recorded(self, event: native.Inbound) -> None:
        """An event is safe with us: the server may forget the message."""
        guid = event.message_id if isinstance(event, native.ImReceived) and event.offline else None
        if guid is None or guid not in self._unrecorded:
            return
        self._unrecorded.discard(guid)
        action, body = offline.delete_messages(self._cookie(), (guid,))
        # one that is not deleted comes once more, and is known by its id
        self._web.soap(self._fetch_url, action, body, lambda _answer, _now: None)

    # -- ours

    def store(self, item: Item, now: float) -> bool:
        """Has the server keep a message for somebody who is away; gives whether it will be asked to."""
        ticket = self.tickets.by_site.get(sso.OFFLINE, "")
        if not self._store_url or not ticket or len(self._storing) >= MAX_STORING:
            return False
        self._storing.append(item)
        self._number += 1
        self._ask(item, self._number, ticket, tries=0)
        return True

    def _ask(self, item: Item, number: int, ticket: str, *, tries: int) -> None:
        product = challenge.product_for(15)
        run = self._run_id
        action, body = offline.store(
            ticket=ticket,
            lock_key=self._lock_key,
            sender=self._name,
            name=self._name,
            to=item.message.to,
            text=item.message.text,
            run_id=f"{run[:8]}-{run[8:12]}-{run[12:16]}-{run[16:20]}-{run[20:]}",
            number=number,
            product=product.id,
        )

        def answered(answer: Fetched, _now: float) -> None:
            self._kept(item, number, ticket, tries, answer)

        self._web.soap(self._store_url, action, body, answered)

    def _kept(self, item: Item, number: int, ticket: str, tries: int, answer: Fetched) -> None:
        cookie = item.message.cookie
        try:
            if answer.error:
                self._end(item, results.unknown(f"store: {answer.error}", cookie))
                return
            asked = offline.read_challenge(answer.body)
            if asked and not tries:
                product = challenge.product_for(15)
                self._lock_key = challenge.answer(asked, product, 15).decode("ascii")
                self._ask(item, number, ticket, tries=1)
                return
            offline.read_stored(answer.body)
        except SoapFault:
            # nothing is lost: it is tried again
            self._end(item, results.away(cookie))
        except MsnpSyntaxError as error:
            self._end(item, results.unknown(f"store: {error}", cookie))
        else:
            self._end(item, results.relayed(cookie))

    def _end(self, item: Item, result: SendResult) -> None:
        if item in self._storing:
            self._storing.remove(item)
            self._emit(SendDone(key=item.key, result=result))

    # -- time

    def next_deadline(self) -> float | None:
        """When `tick` tries again."""
        return self._again

    def tick(self, now: float) -> None:
        """Tries again."""
        if self._again is not None and self._again <= now:
            self._again = None
            self._fetch(now)

    def lost(self) -> None:
        """The account is signed off: what was being stored is unknown."""
        for item in list(self._storing):
            self._end(item, results.unknown("the connection was lost before an answer came", item.message.cookie))
        self._queue.clear()
        self._known.clear()
        self._unrecorded.clear()
        self._fetching, self._again, self._tries = False, None, 0
