"""IRC for the conformance suite: InspIRCd (tags, echo, labels, MONITOR) and ngIRCd (none of them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from bridge.model.body import TypingState
from bridge.model.presence import Activity, Basic, PersonPresence
from mappings.irc_format import from_irc
from mappings.richtext import to_plain
from tests.kit.conformance.rig import Ability, Heard, Login, Outsider
from tests.kit.daemon import until
from tests.kit.irc.servers import HOST, PASSWORD, IrcServer
from tests.kit.irc.user import IrcUser, kill
from transports.irc.wire.ctcp import Ctcp
from transports.irc.wire.message import Message

_TYPING = {"active": TypingState.ACTIVE, "paused": TypingState.PAUSED, "done": TypingState.IDLE}
_STATES = {TypingState.GONE: "done", **{state: name for name, state in _TYPING.items()}}


def settled(user: IrcUser, account: str) -> None:
    """Returns when an account of ours wears its own name: its last session may still be there for a moment."""

    def alone() -> bool:
        since = len(user.lines)
        user.say(f"ISON {account} {account}_")
        user.wait(lambda: any(" 303 " in line for line in user.lines[since:]), "an answer to ISON")
        (line,) = (line for line in user.lines[since:] if " 303 " in line)
        return line.rpartition(":")[2].lower().split() == [account]

    until(alone, 20.0, f"{account} alone")


class IrcPerson:
    """A person on IRC: a connection for each time that they are signed on."""

    def __init__(self, rig: IrcRig, name: str) -> None:
        self._rig = rig
        self._user: IrcUser | None = None
        self._before: list[bytes] = []
        self.name = name

    def come(self) -> None:
        """Signs on."""
        self._user = IrcUser(self._rig.irc.port, self.name, caps="message-tags" if self._rig.tags else "")

    def go(self) -> None:
        """Signs off."""
        user = self._running()
        user.quit()
        self._before += user.raw
        self._user = None

    def come_back(self) -> None:
        """Signs on again, if they were, after their server was gone."""
        if self._user is not None:
            self._before += self._user.raw
            self._user.close()
            self.come()

    def end(self) -> None:
        """The connection ends, whether the server is there or not."""
        if self._user is not None:
            self._user.close()

    def _running(self) -> IrcUser:
        if self._user is not None and self._user.ended:  # the server was started anew meanwhile
            self.come_back()
        assert self._user is not None, f"{self.name} is not signed on"
        return self._user

    def _lines(self) -> list[Message]:
        raw = self._before + ([] if self._user is None else list(self._user.raw))
        return [Message.parse(line) for line in raw]

    def send(self, to: str, text: str) -> None:
        """Writes to an account; each line is a message, and an empty one is none."""
        user = self._running()
        settled(user, to)
        for line in filter(None, text.split("\n")):
            user.message(to, line)
        user.sync()

    def heard(self) -> Sequence[Heard]:
        """Everything that they were told."""
        if self._user is not None:
            self._running()
        found = []
        for line in self._lines():
            sender = "" if line.source is None else line.source.name.lower()
            if line.command == "PRIVMSG":
                action = Ctcp.parse(line.last)
                text = line.last if action is None else f"/me {action.text}"
                found.append(Heard(kind="message", sender=sender, text=to_plain(from_irc(text))))
            elif line.command == "TAGMSG" and "+typing" in line.tags:
                found.append(Heard(kind="typing", sender=sender, state=_TYPING[line.tags["+typing"]]))
        return found

    def typing(self, to: str, state: TypingState) -> None:
        """Types to an account."""
        self._running().say(f"@+typing={_STATES[state]} TAGMSG {to}")

    def show(self, presence: PersonPresence) -> None:
        """Shows themselves here or away."""
        away = presence.activity is not Activity.AVAILABLE
        self._running().say(f"AWAY :{presence.note or 'away'}" if away else "AWAY")

    def watch(self, name: str) -> None:
        """Nothing to be done beforehand: they look when they want to know."""

    def sees(self, name: str) -> PersonPresence | None:
        """How an account is shown to who looks now."""
        user = self._running()
        since = len(user.lines)
        user.say(f"WHOIS {name}")
        user.wait(lambda: any(" 318 " in line for line in user.lines[since:]), "an answer to WHOIS")
        lines = [Message.parse(line) for line in user.raw[since:]]
        if not any(line.command == "311" for line in lines):
            return PersonPresence(basic=Basic.CLOSED)
        text = next((line.last for line in lines if line.command == "301"), None)
        if text is None:
            return PersonPresence(basic=Basic.OPEN)
        return PersonPresence(basic=Basic.OPEN, activity=Activity.AWAY, note=text)

    def displayed(self, heard: Heard) -> None:
        """There is no such word."""
        raise NotImplementedError(str(heard))

    def edit(self, to: str, remote_id: str | None, text: str) -> None:
        """There is no such word."""
        raise NotImplementedError(f"{to} {remote_id} {text}")


class IrcRig:
    """A server of IRC.

    Args:
        make: makes it.
        tags: whether it carries tags.
    """

    kind = "irc"
    burst = 15

    def __init__(self, make: Callable[[], IrcServer], *, tags: bool) -> None:
        self._make = make
        self._server: IrcServer | None = None
        self.tags = tags
        self.accounts: Sequence[Login] = [Login(name=name, password=PASSWORD) for name in ("AliceWork", "davework")]
        self._people = [IrcPerson(self, name) for name in ("boogyman", "suzie")]
        self.alike: Sequence[tuple[str, str, bool]] = _ALIKE
        self.cannot: Mapping[Ability, str] = {
            "redelivers": "a server forgets a message when it has handed it out",
            "stores": "a server keeps no messages",
            "receipts": "IRC has no word for a message that was read",
            "edits": "IRC cannot correct a message",
            "look_alikes": "these servers take ASCII names alone",
            **({} if tags else {"typing": "this server carries no tags"}),
        }

    @property
    def irc(self) -> IrcServer:
        """The server."""
        assert self._server is not None, "not begun"
        return self._server

    @property
    def server(self) -> tuple[str, int]:
        """Where the server listens."""
        return HOST, self.irc.port

    def __enter__(self) -> Self:
        self._server = self._make()
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for person in self._people:
            person.end()
        self.irc.__exit__()

    def section(self, host: str, port: int) -> str:
        """Options of the network for a server there."""
        return "\n".join([
            f'server = "{host}:{port}"', "sign_ons_per_second = 50.0", "messages_per_second = 50.0", "burst = 50",
            "poll_interval = 1.0", f"typing = {str(self.tags).lower()}",
        ])  # fmt: skip

    def stop_server(self) -> None:
        """The server is gone."""
        self.irc.kill()

    def start_server(self) -> None:
        """The server is there again, and so are the people."""
        self.irc.start()
        for person in self._people:
            person.come_back()

    def outsider(self, number: int) -> Outsider:
        """One of two people."""
        return self._people[number]

    def kick(self, account: str) -> None:
        """Another client takes the name, once it is ours."""
        with IrcUser(self.irc.port, "looker") as user:
            settled(user, account)
        self._kick(account)

    def _kick(self, account: str) -> None:
        """Services end the session for another client that says whose name it is; as networks do it, by KILL."""
        kill(self.irc.port, account, "GHOST command used by somebody")

    def sayable(self, text: str) -> str:
        """What a client can send of a text: any text; line ends and empty lines are seen to where it is sent."""
        return text

    def add_accounts(self, count: int) -> Sequence[Login]:
        """Names need not be made."""
        return [Login(name=f"many{number:05}", password=PASSWORD) for number in range(count)]

    @property
    def hostile(self) -> Sequence[bytes]:
        """Lines that lie."""
        return [
            b"A" * 70_000,  # a line without an end
            b"@" + b"a=b;" * 4000 + b" PING :x\r\n",  # tags without end
            b":" + b"\x00" * 100 + b"\r\n\r\r\n\n" * 50,
            b"CAP * LS :" + b"x=" * 100 + b"\r\nCAP * LS * :\r\nCAP\r\nCAP * ACK :sasl\r\nCAP * NEW :sasl\r\n",
            b"AUTHENTICATE " + b"A" * 400 + b"\r\nAUTHENTICATE !\r\nAUTHENTICATE\r\n:x 903 * :ok\r\n",
            b":x 001\r\n:x 001 :\r\n:x 005 a CASEMAPPING=? CHANTYPES= PREFIX=( MONITOR=-1 WATCH=9999999999999 :are\r\n",
            b":x 730 a :a,b,,c!d@e\r\n:x 731\r\n:x 303\r\n:x 302 a :====\r\n:x 353 a = #c :@@@a\r\n:x 366\r\n",
            b":a!b@c NICK\r\n:a!b@c JOIN\r\n:a!b@c KICK #x\r\n:a!b@c PRIVMSG\r\n:a!b@c PRIVMSG x\r\n:a!b@c QUIT\r\n",
            b"BATCH +\r\nBATCH -\r\nACK\r\nFAIL\r\nPING\r\nPONG\r\nNOTICE\r\n:\r\n@\r\n @a :b\r\n",
        ]


_ALIKE = (
    ("boogyman", "BoogyMan", True),
    ("boogyman", "bo\u043egyman", False),
    ("boogyman", "boogymen", False),
    ("b|b", "b\\b", False),
    ("b[b", "b{b", False),
    ("bob_", "bob", False),
    ("bob`", "bob'", False),
)
