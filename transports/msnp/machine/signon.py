"""The sign-on to a notification server: versions, client, ticket. What follows (the list, our status) is the session's.

Passport (MSNP8 to 12): nexus, login server, ticket. SSO (MSNP15): one SOAP request, ticket and sealed nonce.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from attrs import frozen

from transports.msnp.machine.actions import Fetched
from transports.msnp.machine.config import SessionConfig
from transports.msnp.machine.connections import Connection
from transports.msnp.machine.web import Web
from transports.msnp.wire import passport, sso
from transports.msnp.wire.codes import VERSIONS
from transports.msnp.wire.command import Command, command
from transports.msnp.wire.errors import MsnpSyntaxError


@frozen(kw_only=True)
class Refusal:
    """A sign-on that did not come about. `final`: only people can mend it."""

    reason: str
    final: bool


class SignOn:
    """One attempt.

    Args:
        name, password: of the account.
        config: the network's parameters.
        web: asks web servers.
        rng: for the sealing of the nonce.
        refused: is told when it does not come about.

    Attributes:
        version: that the server has chosen; 0 until then.
        ticket: of Passport, for stored messages. tickets: of SSO.
    """

    def __init__(
        self,
        name: str,
        password: str,
        config: SessionConfig,
        web: Web,
        rng: random.Random,
        refused: Callable[[Refusal, float], None],
    ) -> None:
        self._name = name
        self._password = password
        self._config = config
        self._web = web
        self._rng = rng
        self._refused = refused
        self._conn: Connection | None = None
        self._redirects = 0
        self.version = 0
        self.ticket = ""
        self.tickets = sso.Tickets()

    def connected(self, conn: Connection) -> None:
        """The connection stands: offer versions."""
        self._conn = conn
        self.version = 0
        offered = [f"MSNP{each}" for each in reversed(VERSIONS) if self._speaks(each)]
        conn.send(command("VER", conn.next_trid(), *offered, "CVR0"))

    def _speaks(self, version: int) -> bool:
        if version > self._config.version:
            return False
        return version < 13 or bool(self._config.urls.sso and self._config.urls.contacts)

    def handle(self, line: Command, now: float) -> bool:
        """A command of the sign-on; gives whether it was one. Raises `MsnpSyntaxError`."""
        if line.name == "VER":
            self._versions(line, now)
        elif line.name == "CVR":
            kind = "SSO" if self.version >= 15 else "TWN"
            self._say("USR", kind, "I", self._name)
        elif line.name == "USR" and len(line.args) > 2 and line.args[2] == "S":
            self._challenged(line)
        else:
            return False
        return True

    def _say(self, name: str, *args: object) -> None:
        conn = self._conn
        if conn is not None:
            conn.send(command(name, conn.next_trid(), *args))

    def _versions(self, line: Command, now: float) -> None:
        word = line.arg(1).upper()
        number = word.removeprefix("MSNP")
        chosen = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
        if chosen not in VERSIONS or not self._speaks(chosen):
            self._refused(Refusal(reason="the server speaks no version that we offer", final=True), now)
            return
        self.version = chosen
        name, version = self._config.client
        self._say("CVR", "0x0409", "winnt", "5.1", "i386", name, version, "msmsgs", self._name)

    def _challenged(self, line: Command) -> None:
        kind = line.arg(1).upper()
        if kind == "TWN" and self.version < 13:
            parameters = line.args[3] if len(line.args) > 3 else ""
            self._buy_ticket(parameters)
        elif kind == "SSO" and self.version >= 15:
            self._single_sign_on(line.arg(3), line.arg(4))
        else:
            raise MsnpSyntaxError(f"USR: a way to sign on that was not asked for: {kind[:20]!a}")

    # -- Passport

    def _buy_ticket(self, parameters: str) -> None:
        urls = self._config.urls
        if urls.login:
            self._log_in(urls.login, parameters)
            return

        def named(answer: Fetched, now: float) -> None:
            self._guarded(lambda: self._log_in(passport.login_url(_header(answer, "passporturls")), parameters), now)

        self._web.get(urls.nexus, (), named)

    def _log_in(self, url: str, parameters: str) -> None:
        header = passport.authorization(self._name, self._password, parameters)

        def answered(answer: Fetched, now: float) -> None:
            self._guarded(lambda: self._logged_in(url, answer, parameters, now), now)

        self._web.get(url, (("Authorization", header),), answered)

    def _logged_in(self, url: str, answer: Fetched, parameters: str, now: float) -> None:
        if answer.error:
            raise MsnpSyntaxError(f"login: {answer.error}")
        found = passport.read_login(answer.status, url, answer.headers)
        if found.redirect:
            self._redirects += 1
            if self._redirects > self._config.max_redirects:
                raise MsnpSyntaxError("login: sent on and on")
            self._log_in(found.redirect, parameters)
        elif found.ticket:
            self.ticket = found.ticket
            self._say("USR", "TWN", "S", found.ticket)
        else:
            self._refused(Refusal(reason=f"wrong passport or password ({found.reason[:100]})", final=True), now)

    # -- SSO

    def _single_sign_on(self, policy: str, nonce: str) -> None:
        body = sso.request(self._name, self._password, policy)

        def answered(answer: Fetched, now: float) -> None:
            self._guarded(lambda: self._sold(answer, nonce), now)

        self._web.soap(self._config.urls.sso, "", body, answered)

    def _sold(self, answer: Fetched, nonce: str) -> None:
        if answer.error:
            raise MsnpSyntaxError(f"sign-on: {answer.error}")
        self.tickets = sso.read_tickets(answer.body)
        iv = bytes(self._rng.getrandbits(8) for _ in range(sso.IV_SIZE))
        self._say("USR", "SSO", "S", self.tickets.by_site[sso.MESSENGER], sso.sealed(self.tickets.secret, nonce, iv))

    def _guarded(self, do: Callable[[], None], now: float) -> None:
        """What a web server answers may be anything: what cannot be read ends the attempt, for a while."""
        try:
            do()
        except sso.SsoRefused as error:
            self._refused(Refusal(reason=f"wrong passport or password ({error})", final=True), now)
        except MsnpSyntaxError as error:
            self._refused(Refusal(reason=str(error), final=False), now)


def _header(answer: Fetched, name: str) -> str:
    if answer.error:
        raise MsnpSyntaxError(f"nexus: {answer.error}")
    if answer.status != 200 or name not in answer.headers:
        raise MsnpSyntaxError(f"nexus: HTTP status {answer.status} and no {name}")
    return answer.headers[name]
