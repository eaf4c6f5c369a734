"""The notification server's side of one sign-on."""

from __future__ import annotations

from tests.kit.msnp_server.connection import Role
from tests.kit.msnp_server.network import User
from transports.msnp.wire import challenge, presence, xml
from transports.msnp.wire.codes import STATUSES, Lists
from transports.msnp.wire.command import Command
from transports.msnp.wire.lists import letters
from transports.msnp.wire.text import escape, normal, unescape

VERSIONS = (12, 11, 10, 9, 8)
PARAMETERS = "ct=1,rver=1,wp=FS_40SEC_0_COMPACT,lc=1,id=1"
CHALLENGE = "22940274951814684551"
SHORT = 3


class Notification(Role):
    """One client."""

    version = 0
    user: User | None = None
    claimed = ""
    initial = True

    def handle(self, line: Command) -> None:
        """A command of the client's."""
        if self.user is None and line.name not in {"VER", "CVR", "USR", "OUT"}:
            self.wire.close()
            return
        handler = getattr(self, f"_{line.name.lower()}", None)
        if handler is None or len(line.args) < (0 if line.name in {"PNG", "OUT"} else 1):
            self.error(200, line)
        else:
            handler(line)

    def lost(self) -> None:
        """They are gone."""
        user = self.user
        if user is not None and user.session is self:
            self._gone(user)

    def _gone(self, user: User) -> None:
        user.session = None
        before, user.status = user.status, "FLN"
        if before not in {"FLN", "HDN"}:
            self._spread_absence(user)
        self.network.tell("offline", user.passport)

    def kick(self) -> None:
        """Another client of theirs has signed on."""
        self.say("OUT", "OTH")
        if self.user is not None and self.user.session is self:
            self._gone(self.user)
        self.wire.close()

    # -- sign-on

    def _ver(self, line: Command) -> None:
        offered = {word.upper() for word in line.args[1:]}
        self.version = next((each for each in VERSIONS if f"MSNP{each}" in offered), 0)
        if not self.version:
            self.say("VER", line.trid, 0)
            self.wire.close()
        else:
            self.say("VER", line.trid, f"MSNP{self.version}")

    def _cvr(self, line: Command) -> None:
        self.say("CVR", line.trid, "7.0.0777", "7.0.0777", "6.2.0205", "http://127.0.0.1/", "http://127.0.0.1/")

    def _usr(self, line: Command) -> None:
        kind, step, word = (*line.args[1:4], "", "", "")[:SHORT]
        if kind != "TWN" or not self.version:
            self.error(911, line)
            self.wire.close()
        elif step == "I":
            self.claimed = normal(word)
            self.say("USR", line.trid, "TWN", "S", PARAMETERS)
        else:
            self._ticket(line, word)

    def _ticket(self, line: Command, ticket: str) -> None:
        passport = self.network.tickets.pop(ticket, None)
        user = None if passport is None or passport != self.claimed else self.network.user(passport)
        if user is None:
            self.error(911, line)
            self.wire.close()
            return
        if user.session is not None:
            user.session.kick()
        self.user, user.session = user, self
        name = () if self.version >= 10 else (escape(user.name),)
        self.say("USR", line.trid, "OK", user.passport, *name, 1, 0)
        profile = f"MIME-Version: 1.0\r\nContent-Type: text/x-msmsgsprofile; charset=UTF-8\r\nMSPAuth: {ticket}\r\n\r\n"
        self.say("MSG", "Hotmail", "Hotmail", payload=profile.encode())
        self.say("CHL", 0, CHALLENGE)

    def _qry(self, line: Command) -> None:
        product = challenge.product_for(self.version)
        if line.arg(1) != product.id or line.payload != challenge.answer(CHALLENGE, product, self.version):
            self.error(540, line)
            self.wire.close()
            return
        self.network.counts["challenges"] += 1
        self.say("QRY", line.trid)

    def _out(self, line: Command) -> None:
        self.wire.close()

    def _png(self, line: Command) -> None:
        self.say("QNG", *((50,) if self.version >= 9 else ()))

    # -- the list

    def _syn(self, line: Command) -> None:
        user = self._me()
        lines = list(user.lists.items())
        if self.version < 10:
            self.say("SYN", line.trid, 1, len(lines), 1)
        else:
            stamp = "2000-01-01T00:00:00.0-00:00"
            self.say("SYN", line.trid, stamp, stamp, len(lines), 0)
        self.say("GTC", "A")
        self.say("BLP", user.privacy)
        if self.version < 10:
            self.say("LSG", 0, "Other%20Contacts", 0)
        for passport, lists in lines:
            other = self.network.users[passport]
            if self.version < 10:
                self.say("LST", passport, escape(other.name), int(lists), 0)
                continue
            guid = (f"C={other.guid}",) if lists & Lists.FL else ()
            kind = (1,) if self.version >= 12 else ()
            self.say("LST", f"N={passport}", f"F={escape(other.name)}", *guid, int(lists), *kind)

    def _adc(self, line: Command) -> None:
        named = {arg[0]: arg[2:] for arg in line.args[2:] if arg[1:2] == "="}
        self._put(line, line.arg(1), named.get("N", ""))

    def _add(self, line: Command) -> None:
        self._put(line, line.arg(1), line.arg(2))

    def _put(self, line: Command, word: str, passport: str) -> None:
        user, which = self._me(), letters(word)
        other = self.network.user(passport)
        if other is None:
            self.error(208 if self.version >= 10 else 205, line)
            return
        lists = user.lists.get(other.passport, Lists.NONE)
        if lists & which:
            self.error(215, line)
            return
        user.lists[other.passport] = lists | which
        self._told_edit(line, word, other)
        if which is Lists.FL:
            self._reverse(user, other)
            if other.shown_to(user):
                self._present("ILN", other, line.trid)
        elif which is Lists.BL and user.shown_to(other) is False and other.session is not None:
            other.session.say("FLN", user.passport)
        elif which is Lists.AL:
            self._spread(user)

    def _told_edit(self, line: Command, word: str, other: User) -> None:
        if self.version < 10:
            self.say("ADD", line.trid, word, 2, other.passport, escape(other.name))
            return
        more = (f"F={escape(other.name)}", f"C={other.guid}") if word == "FL" else ()
        self.say("ADC", line.trid, word, f"N={other.passport}", *more)

    def _reverse(self, user: User, other: User) -> None:
        other.lists[user.passport] = other.lists.get(user.passport, Lists.NONE) | Lists.RL
        session = other.session
        if session is None:
            return
        if session.version < 10:
            session.say("ADD", 0, "RL", 3, user.passport, escape(user.name))
        else:
            session.say("ADC", 0, "RL", f"N={user.passport}", f"F={escape(user.name)}")

    def _rem(self, line: Command) -> None:
        user, which = self._me(), letters(line.arg(1))
        word = line.arg(2)
        named = next((each for each in self.network.users.values() if each.guid == word), self.network.user(word))
        lists = Lists.NONE if named is None else user.lists.get(named.passport, Lists.NONE)
        if named is None or not lists & which:
            self.error(216, line)
            return
        user.lists[named.passport] = lists & ~which
        serial = (4,) if self.version < 10 else ()
        self.say("REM", line.trid, line.arg(1), *serial, word)
        if which is Lists.BL:
            self._spread(user)

    def _blp(self, line: Command) -> None:
        self._me().privacy = line.arg(1)
        self.say("BLP", line.trid, line.arg(1))

    def _prp(self, line: Command) -> None:
        self.say("PRP", *line.args)

    # -- presence

    def _chg(self, line: Command) -> None:
        user = self._me()
        status = line.arg(1)
        if status not in STATUSES:
            self.error(201, line)
            return
        before, user.status = user.status, status
        user.capabilities = int(line.args[2]) if len(line.args) > 2 else 0
        self.say("CHG", *line.args)
        if self.initial:
            self.initial = False
            for other in self.network.users.values():
                if user.on(other, Lists.FL) and other.shown_to(user):
                    self._present("ILN", other, line.trid)
            self.network.tell("online", user.passport)
        if status == "HDN" and before not in {"FLN", "HDN"}:
            self._spread_absence(user)
        else:
            self._spread(user)

    def _uux(self, line: Command) -> None:
        user = self._me()
        user.message = presence.read_personal(line.payload or b"").message
        self.say("UUX", line.trid, 0)
        for other in self.network.watchers(user):
            if other.session is not None and user.shown_to(other):
                other.session.words(user)

    def words(self, user: User) -> None:
        """Tells the words beside somebody's name."""
        if self.version >= 11:
            body = f"<Data><PSM>{xml.escape(user.message)}</PSM><CurrentMedia></CurrentMedia></Data>"
            self.say("UBX", user.passport, payload=body.encode())

    def _present(self, name: str, other: User, trid: int = 0) -> None:
        first = (trid,) if name == "ILN" else ()
        self.say(name, *first, other.status, other.passport, escape(other.name), other.capabilities)
        if other.message:
            self.words(other)

    def _spread(self, user: User) -> None:
        for other in self.network.watchers(user):
            if other.session is not None and user.shown_to(other):
                other.session._present("NLN", user)

    def _spread_absence(self, user: User) -> None:
        for other in self.network.watchers(user):
            if other.session is not None and user.admits(other):
                other.session.say("FLN", user.passport)

    # -- switchboards

    def _xfr(self, line: Command) -> None:
        user = self._me()
        if user.status == "HDN":
            self.error(913, line)
            return
        self.say("XFR", line.trid, "SB", self.network.address, "CKI", self.network.key(user.passport, ""))

    def ring(self, session: str, caller: User) -> None:
        """Somebody calls them."""
        key = self.network.key(self._me().passport, session)
        self.say("RNG", session, self.network.address, "CKI", key, caller.passport, escape(caller.name))

    def _rea(self, line: Command) -> None:
        self._me().name = unescape(line.arg(2))
        self.say("REA", line.trid, 5, line.arg(1), line.arg(2))

    def _me(self) -> User:
        assert self.user is not None
        return self.user
