"""The server without I/O: accounts, lists, who is there, stored messages, conferences."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from hashlib import md5

from attrs import define, field

from transports.ymsg.wire import codes
from transports.ymsg.wire.challenge import answers, y64
from transports.ymsg.wire.charset import decode_label
from transports.ymsg.wire.names import normal
from transports.ymsg.wire.packet import Packet, Pair, pairs_of

LIST_PIECE = 815
"""Bytes of a list in one packet; what is longer comes in several."""
_NO_GROUP = "(No Group)"
_CONFERENCE = frozenset({codes.CONF_ADD_INVITE, codes.CONF_MESSAGE, codes.CONF_LOGON, codes.CONF_LOGOFF})


@define(eq=False)
class Account:
    """A person: their list by group, whom they ignore, what is stored for them."""

    name: str
    password: str
    groups: dict[str, list[str]] = field(factory=dict)
    ignored: list[str] = field(factory=list)
    stored: list[tuple[Pair, ...]] = field(factory=list)

    def lists(self, name: str) -> bool:
        """Whether somebody is on the list."""
        return any(normal(name) == normal(each) for names in self.groups.values() for each in names)


@define(eq=False)
class Session:
    """A connection.

    Attributes:
        write: takes packets to be sent.
        close: ends it.
        account: once signed on.
        status, text, mark: how they are seen: key 10, 19 and 47.
    """

    write: Callable[[Packet], None]
    close: Callable[[], None]
    id: int = 0
    version: int = 10
    challenge: bytes = b""
    account: Account | None = None
    status: int = codes.AVAILABLE
    text: bytes = b""
    mark: bytes = b"0"
    strangers: int = 0
    """Packets whose session id was not ours."""

    @property
    def seen(self) -> bool:
        return self.status != codes.INVISIBLE


@define(eq=False)
class Network:
    """All of it.

    Attributes:
        accounts: by name in normal form.
        session_ids: whether connections get an id, which clients are to repeat.
        mute: keep-alives are not answered.
        cut: at the next message of this name the connection ends; `keep`: after it was handed on.
        refuse: sign-ons are refused with this code.
        method: key 13 of the challenge: 0 hashes, 2 a token.
        crumb: what the token server gives to whom it lets in.
        log: services of all packets that came, with the name of who sent them.
    """

    rng: random.Random
    clock: Callable[[], float]
    accounts: dict[str, Account] = field(factory=dict)
    session_ids: bool = False
    mute: bool = False
    cut: str = ""
    keep: bool = False
    refuse: int = 0
    method: int = 0
    crumb: str = ""
    sessions: list[Session] = field(factory=list)
    log: list[tuple[str, int]] = field(factory=list)

    def add(self, name: str, password: str) -> None:
        self.accounts[normal(name)] = Account(name, password)

    def session(self, name: str) -> Session | None:
        """The session of somebody who is signed on."""
        return next(
            (s for s in self.sessions if s.account is not None and normal(s.account.name) == normal(name)), None
        )

    def _account(self, raw: bytes | None) -> Account | None:
        return self.accounts.get(normal(decode_label(raw or b"")))

    def _send(
        self, session: Session, service: int, pairs: Iterable[tuple[int, str | bytes | int]], status: int = codes.DONE
    ) -> None:
        packet = Packet(service=service, status=status, session=session.id, pairs=pairs_of(*pairs))
        session.write(packet)

    # -- connections

    def opened(self, write: Callable[[Packet], None], close: Callable[[], None]) -> Session:
        session = Session(write, close)
        self.sessions.append(session)
        return session

    def closed(self, session: Session) -> None:
        if session in self.sessions:
            self.sessions.remove(session)
            self._gone(session)

    def _gone(self, session: Session) -> None:
        account, session.account = session.account, None
        if account is not None and session.seen and self.session(account.name) is None:
            self._tell_watchers(account.name, codes.LOGOFF, session, online=False)

    def receive(self, session: Session, packet: Packet) -> None:
        """A packet has come; what does not fit is ignored."""
        who = session.account.name if session.account is not None else ""
        self.log.append((who, packet.service))
        if self.session_ids and session.id and packet.session != session.id:
            session.strangers += 1
            return
        before = {codes.HANDSHAKE: self._handshake, codes.AUTH: self._auth, codes.AUTH_RESPONSE: self._auth_response}
        if packet.service in before:
            before[packet.service](session, packet)
        elif session.account is not None:
            self._signed_on(session, session.account, packet)

    # -- sign-on

    def _handshake(self, session: Session, packet: Packet) -> None:
        session.version = packet.version
        if self.session_ids:
            session.id = self.rng.randint(1, 0xFFFFFFFF)
        self._send(session, codes.HANDSHAKE, ())

    def _auth(self, session: Session, packet: Packet) -> None:
        session.challenge = y64(self.rng.randbytes(16))
        more = ((codes.KEY_FLAG, self.method),) if self.method else ()
        name = packet.get(codes.KEY_ME) or b""
        self._send(session, codes.AUTH, ((codes.KEY_ME, name), (codes.KEY_CHALLENGE, session.challenge), *more))

    def _auth_response(self, session: Session, packet: Packet) -> None:
        account = self._account(packet.get(codes.KEY_NAME))
        code = self.refuse
        if account is None:
            code = code or 3
        elif not self._proved(session, account, packet):
            code = code or 13
        if code or account is None:
            name = packet.get(codes.KEY_ME) or b""
            self._send(
                session,
                codes.AUTH_RESPONSE,
                ((codes.KEY_ME, name), (codes.KEY_CODE, code), (codes.KEY_NAME, packet.get(codes.KEY_NAME) or b"")),
                codes.FAILED,
            )
            session.close()
            return
        other = self.session(account.name)
        if other is not None:
            self.kick(other)
        session.account = account
        session.status = codes.INVISIBLE if packet.status == codes.INVISIBLE else codes.AVAILABLE
        self._welcome(session, account)

    def _proved(self, session: Session, account: Account, packet: Packet) -> bool:
        if self.method:
            right = y64(md5(self.crumb.encode() + session.challenge).digest())
            return bool(self.crumb) and packet.get(307) == right
        proof = answers(decode_label(packet.get(codes.KEY_NAME) or b""), account.password, session.challenge)
        return packet.get(6) == proof.plain and packet.get(96) == proof.crypted

    def kick(self, session: Session) -> None:
        """Another client has taken the name."""
        self._send(session, codes.LOGOFF, (), codes.FAILED)
        account, session.account = session.account, None
        del account
        session.close()

    def _welcome(self, session: Session, account: Account) -> None:
        self._send_list(session, account)
        self._send_online(session, account)
        if session.version >= 10:
            self._send(session, codes.PING, ((143, 60), (144, 13)), codes.OK)
        stored, account.stored = account.stored, []
        pairs = [pair for message in stored for pair in message]
        if pairs:
            self._send(session, codes.MESSAGE, pairs, codes.MORE)
        if session.seen:
            self._tell_watchers(account.name, codes.LOGON, session, online=True)

    def _send_list(self, session: Session, account: Account) -> None:
        lines = [f"{group}:{','.join(names)}\n" for group, names in account.groups.items() if names]
        whole = "".join(lines).encode()
        if len(whole) > LIST_PIECE:
            for at in range(0, len(whole), LIST_PIECE):
                self._send(session, codes.LIST, ((87, whole[at : at + LIST_PIECE]),), codes.MORE)
            whole = b""
        self._send(
            session,
            codes.LIST,
            (
                (87, whole),
                (88, ",".join(account.ignored)),
                (89, account.name),
                (59, "Y\tv=1&n=&l=; path=/"),
                (59, "T\tz=0; path=/"),
                (59, "C\tmg=1"),
                (3, account.name),
                (90, "1"),
                (100, "0"),
                (101, ""),
                (102, ""),
                (93, "86400"),
            ),
            codes.OK,
        )

    def _send_online(self, session: Session, account: Account) -> None:
        there = [
            (name, other)
            for names in account.groups.values()
            for name in names
            if (other := self.session(name)) is not None and other.seen
        ]
        people = [pair for name, other in there for pair in self._seen(name, other, online=True)]
        head = ((codes.KEY_NAME, account.name), (codes.KEY_ME, account.name), (8, len(there)))
        self._send(session, codes.LOGON, (*head, *people), codes.OK)

    # -- presence

    def _seen(self, name: str, session: Session, *, online: bool) -> list[tuple[int, str | bytes | int]]:
        custom = online and session.status == codes.CUSTOM
        text: list[tuple[int, str | bytes | int]] = [(19, session.text), (47, session.mark)] if custom else []
        status = session.status if online else codes.AVAILABLE
        return [(7, name), (10, status), (11, "0"), *text, (17, "0"), (13, int(online))]

    def _tell_watchers(self, name: str, service: int, session: Session, *, online: bool) -> None:
        for watcher in list(self.sessions):
            if watcher.account is None or watcher is session or not watcher.account.lists(name):
                continue
            head = () if service == codes.LOGOFF else ((codes.KEY_NAME, watcher.account.name),)
            self._send(watcher, service, (*head, *self._seen(name, session, online=online)))

    def _status(self, session: Session, account: Account, packet: Packet) -> None:
        was = session.seen
        back = packet.service == codes.IS_BACK
        session.status = codes.AVAILABLE if back else packet.number(codes.KEY_STATUS) or codes.AVAILABLE
        session.text = packet.get(codes.KEY_STATUS_TEXT) or b""
        session.mark = packet.get(codes.KEY_AWAY) or b"0"
        if session.seen and not was:
            self._tell_watchers(account.name, codes.LOGON, session, online=True)
        elif session.seen:
            back = session.status == codes.AVAILABLE
            self._tell_watchers(account.name, codes.IS_BACK if back else codes.IS_AWAY, session, online=True)
        elif was:
            self._tell_watchers(account.name, codes.LOGOFF, session, online=False)

    # -- what is done once signed on

    def _signed_on(self, session: Session, account: Account, packet: Packet) -> None:
        service = packet.service
        if service in {codes.IS_AWAY, codes.IS_BACK}:
            self._status(session, account, packet)
        elif service == codes.MESSAGE:
            self._message(session, account, packet)
        elif service == codes.NOTIFY:
            self._notify(account, packet)
        elif service == codes.KEEPALIVE and not self.mute:
            self._send(session, codes.KEEPALIVE, ((codes.KEY_ME, account.name),), codes.OK)
        elif service == codes.LOGOFF:
            self._gone(session)
            session.close()
        else:
            self._others(session, account, packet)

    def _others(self, session: Session, account: Account, packet: Packet) -> None:
        service = packet.service
        if service == codes.ADD_BUDDY:
            self._add(session, account, packet)
        elif service == codes.REMOVE_BUDDY:
            self._remove(session, account, packet)
        elif service == codes.DENY_CONTACT:
            self._deny(account, packet)
        elif service == codes.CONF_INVITE:
            self._invite(account, packet)
        elif service == codes.CONF_DECLINE:
            self._decline(account, packet)
        elif service in _CONFERENCE:
            self._relay(account, packet, packet.all(53) or packet.all(3))
        elif service == codes.P2P_FILE_TRANSFER:
            self._relay(account, packet, packet.all(codes.KEY_TO))

    def _message(self, session: Session, account: Account, packet: Packet) -> None:
        cut = bool(self.cut) and normal(account.name) == self.cut
        if cut and not self.keep:
            self.cut = ""
            session.close()
            return
        recipient = self._account(packet.get(codes.KEY_TO))
        if recipient is not None:
            self._hand_on(account, recipient, packet)
        if cut:
            self.cut = ""
            session.close()

    def _hand_on(self, account: Account, recipient: Account, packet: Packet) -> None:
        other = self.session(recipient.name)
        text = packet.get(codes.KEY_TEXT) or b""
        marks = tuple((key, value) for key in (63, 64, 97) if (value := packet.get(key)) is not None)
        if other is not None:
            head = ((codes.KEY_TO, recipient.name), (codes.KEY_FROM, account.name), (codes.KEY_TEXT, text))
            self._send(other, codes.MESSAGE, (*head, *marks))
            return
        mark = tuple((key, value) for key, value in marks if key == codes.KEY_UTF8)
        kept = ((31, 6), (32, 6), (codes.KEY_FROM, account.name), (codes.KEY_TO, recipient.name))
        recipient.stored.append(pairs_of(*kept, (codes.KEY_TEXT, text), (codes.KEY_TIME, int(self.clock())), *mark))

    def _notify(self, account: Account, packet: Packet) -> None:
        recipient = self._account(packet.get(codes.KEY_TO))
        other = None if recipient is None else self.session(recipient.name)
        if other is None or recipient is None:
            return
        kept = ((key, packet.get(key) or b"") for key in (49, codes.KEY_TEXT, codes.KEY_FLAG))
        self._send(other, codes.NOTIFY, ((codes.KEY_TO, recipient.name), (codes.KEY_FROM, account.name), *kept))

    # -- lists

    def _add(self, session: Session, account: Account, packet: Packet) -> None:
        name, group = decode_label(packet.get(7) or b""), decode_label(packet.get(65) or b"")
        other = self.accounts.get(normal(name))
        code = codes.EDIT_DONE
        if other is None:
            code = codes.EDIT_NO_SUCH
        elif any(normal(name) == normal(each) for each in account.groups.get(group, ())):
            code = codes.EDIT_KNOWN
        new = other is not None and not account.lists(name)
        if other is not None and code == codes.EDIT_DONE:
            account.groups.setdefault(group, []).append(other.name)
            if new:
                self._show_new(session, other)
        self._send(session, codes.ADD_BUDDY, ((1, account.name), (7, name), (65, group), (66, code)))
        if new and other is not None and (there := self.session(other.name)) is not None:
            head = ((1, other.name), (3, account.name), (14, packet.get(14) or b""))
            self._send(there, codes.NEW_CONTACT, (*head, (15, int(self.clock()))), codes.ASKS)

    def _show_new(self, session: Session, other: Account) -> None:
        there = self.session(other.name)
        online = there is not None and there.seen
        seen = self._seen(other.name, there or session, online=online)
        self._send(session, codes.NEW_CONTACT, ((8, int(online)), *seen))

    def _remove(self, session: Session, account: Account, packet: Packet) -> None:
        name, group = decode_label(packet.get(7) or b""), decode_label(packet.get(65) or b"")
        names = account.groups.get(group, [])
        account.groups[group] = [each for each in names if normal(each) != normal(name)]
        self._send(session, codes.REMOVE_BUDDY, ((1, account.name), (66, 0), (7, name), (65, group)))

    def _deny(self, account: Account, packet: Packet) -> None:
        other = self._account(packet.get(7))
        there = None if other is None else self.session(other.name)
        if there is not None and other is not None:
            pairs = ((1, other.name), (3, account.name), (14, packet.get(14) or b""))
            self._send(there, codes.NEW_CONTACT, pairs, codes.DENIED)

    # -- conferences and files

    def _invite(self, account: Account, packet: Packet) -> None:
        for raw in packet.all(52):
            other = self._account(raw)
            there = None if other is None else self.session(other.name)
            if there is None or other is None:
                continue
            rest = ((52, each) for each in packet.all(52))
            pairs = ((1, other.name), (57, packet.get(57) or b""), (50, account.name), (58, packet.get(58) or b""))
            self._send(there, codes.CONF_INVITE, (*pairs, *rest, (13, "0")))

    def _decline(self, account: Account, packet: Packet) -> None:
        for raw in packet.all(3):
            other = self._account(raw)
            there = None if other is None else self.session(other.name)
            if there is not None and other is not None:
                pairs = ((1, other.name), (57, packet.get(57) or b""), (54, account.name), (14, packet.get(14) or b""))
                self._send(there, codes.CONF_DECLINE, pairs)

    def _relay(self, account: Account, packet: Packet, names: tuple[bytes, ...]) -> None:
        who = {codes.CONF_MESSAGE: 3, codes.CONF_LOGON: 53, codes.CONF_LOGOFF: 56}.get(packet.service, codes.KEY_FROM)
        kept = [(key, value) for key, value in packet.pairs if key not in {1, 3, 53}]
        for raw in names:
            other = self._account(raw)
            there = None if other is None else self.session(other.name)
            if there is not None and other is not account:
                self._send(there, packet.service, ((1, decode_label(raw)), (who, account.name), *kept))
