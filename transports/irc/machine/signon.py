"""The sign-on: capabilities (IRCv3 CAP 302), SASL, PASS, NICK and USER, until the server says 001."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from transports.irc.machine.config import Auth, SessionConfig
from transports.irc.wire.errors import IrcSyntaxError
from transports.irc.wire.message import Message
from transports.irc.wire.names import MAX_NICK
from transports.irc.wire.sasl import Collector, External, Mechanism, Plain, SaslError, ScramSha256, chunks

WANTED: Final[tuple[str, ...]] = (
    "message-tags", "server-time", "batch", "labeled-response", "echo-message", "account-tag", "account-notify",
    "away-notify", "extended-monitor", "chghost", "setname", "extended-join", "invite-notify", "multi-prefix",
    "standard-replies", "cap-notify",
)  # fmt: skip
MAX_CAPS: Final = 256
MAX_NICK_TRIES: Final = 12
_REQ_BYTES: Final = 400
_NONCE_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_OFFERED: Final = {
    Auth.AUTO: ("SCRAM-SHA-256", "PLAIN"),
    Auth.SASL: ("SCRAM-SHA-256", "PLAIN"),
    Auth.PLAIN: ("PLAIN",),
    Auth.SCRAM: ("SCRAM-SHA-256",),
    Auth.EXTERNAL: ("EXTERNAL",),
}
_SASL_FAILED: Final = {
    "902": "the services account is locked",
    "904": "the server refused the name or the password",
    "905": "the server found the answer too long",
    "906": "the sign-on was broken off",
}


def _user_name(nick: str) -> str:
    """A user name for USER: servers refuse what a nickname may hold there."""
    return "".join(each for each in nick if each.isascii() and each.isalnum())[:10] or "user"


class SignOn:
    """One sign-on on one connection; afterwards the capabilities that are in force.

    Args:
        nick: the nickname that is wanted.
        credential: the password.
        config: the network's parameters.
        rng: for nonces and alternative nicknames.
        write: sends a line at once.
        refused: told that there is no sign-on until people change something.
        passing: told that there is none now.
        unusable: whether a nickname may not be an alternative.

    Attributes:
        nick: the nickname that was asked for last.
        caps: the capabilities that are in force.
        logged_in: the server said that we are logged in to services.
    """

    def __init__(
        self,
        nick: str,
        credential: str,
        config: SessionConfig,
        rng: random.Random,
        *,
        write: Callable[[Message], None],
        refused: Callable[[str, str], None],
        passing: Callable[[str], None],
        unusable: Callable[[str], bool],
    ) -> None:
        self.nick = nick
        self.caps: set[str] = set()
        self.logged_in = False
        self.registered = False
        self._wanted_nick = nick
        self._credential = credential
        self._config = config
        self._rng = rng
        self._write = write
        self._refused = refused
        self._passing = passing
        self._unusable = unusable
        self._offered: dict[str, str] = {}
        self._open = 0
        self._listed = False
        self._ended = False
        self._mechanism: Mechanism | None = None
        self._collector = Collector()
        self._tries = 0

    # -- out

    def begin(self) -> None:
        """The connection stands."""
        self._write(Message(command="CAP", params=("LS", "302")))

    def no_caps(self) -> None:
        """The server does not know CAP, or says nothing to it."""
        if not self._listed:
            self._offered.clear()
            self._register()

    @property
    def waits_for_caps(self) -> bool:
        """Whether nothing was heard of capabilities yet."""
        return not self._listed

    def _register(self) -> None:
        """Everything that the server offers is known."""
        self._listed = True
        offered = self._mechanism_offered()
        if offered is None and self._config.auth in {Auth.SASL, Auth.PLAIN, Auth.SCRAM, Auth.EXTERNAL}:
            # services may be away for a while: without them we are nobody, and must not look like somebody
            self._passing("the server offers no SASL mechanism that may be used")
            return
        wanted = [name for name in WANTED if name in self._offered]
        if offered is not None:
            wanted.append("sasl")
            self._mechanism = self._make(offered)
            if self._mechanism is None:
                return
        self._request(wanted)
        if self._config.auth is Auth.PASS or (self._config.auth is Auth.AUTO and offered is None and self._credential):
            self._credential_line("PASS", self._credential)
        self._write(Message(command="NICK", params=(self.nick,)))
        user = self._config.user or _user_name(self._wanted_nick)
        self._write(Message(command="USER", params=(user, "0", "*", self._config.realname)))
        self._end_if_done()

    def _credential_line(self, command: str, value: str) -> None:
        try:
            self._write(Message(command=command, params=(value,)))
        except IrcSyntaxError:
            self._refused("the password cannot be sent: it holds a line end, or is too long", "")

    def _request(self, names: list[str]) -> None:
        line: list[str] = []
        for name in [*names, ""]:
            if line and (not name or len(" ".join(line)) + len(name) > _REQ_BYTES):
                self._open += 1
                self._write(Message(command="CAP", params=("REQ", " ".join(line) + " ")))
                line = []
            line.append(name)

    def _mechanism_offered(self) -> str | None:
        may = _OFFERED.get(self._config.auth)
        if may is None or "sasl" not in self._offered:
            return None
        if self._config.auth is Auth.AUTO and not self._credential:
            return None
        offers = [name.upper() for name in self._offered["sasl"].split(",") if name]
        if not offers:
            return "PLAIN" if "PLAIN" in may else may[0]  # before 302 the server names none
        return next((name for name in may if name in offers), None)

    def _make(self, name: str) -> Mechanism | None:
        user = self._config.services_account or self._wanted_nick
        try:
            if name == "EXTERNAL":
                return External()
            if name == "PLAIN":
                return Plain(user, self._credential)
            nonce = "".join(self._rng.choice(_NONCE_CHARACTERS) for _ in range(24))
            return ScramSha256(user, self._credential, nonce)
        except SaslError as error:
            self._refused(f"SASL: {error}", "")
            return None

    def _end_if_done(self) -> None:
        if self._ended or self._open or not self._listed:
            return
        if self._mechanism is not None and not self.logged_in:
            if "sasl" in self.caps:
                self._write(Message(command="AUTHENTICATE", params=(self._mechanism.name,)))
            else:
                self._passing("the server took SASL back")
            return
        self._ended = True
        self._write(Message(command="CAP", params=("END",)))

    # -- CAP

    def cap(self, message: Message) -> None:
        """A line of CAP, during the sign-on and after it."""
        kind = message.param(1).upper()
        names = message.last.split()
        if kind == "LS" and not self.registered:
            self._offer(names)
            last = message.param(2) != "*" or len(message.params) < 4
            if last and not self._listed:
                self._register()
        elif kind == "NEW":
            self._offer(names)
            fresh = [name for name in WANTED if name in self._offered and name not in self.caps]
            if self.registered and fresh:
                self._request(fresh)
        elif kind == "DEL":
            for name in names:
                self._offered.pop(name, None)
                self.caps.discard(name)
        elif kind in {"ACK", "NAK"}:
            self._answered(names, granted=kind == "ACK")

    def _offer(self, names: list[str]) -> None:
        for name in names:
            if len(self._offered) < MAX_CAPS:
                key, _, value = name.partition("=")
                self._offered[key] = value

    def _answered(self, names: list[str], *, granted: bool) -> None:
        for name in names:
            if name.startswith("-"):
                self.caps.discard(name[1:])
            elif granted and (name in WANTED or name == "sasl"):
                self.caps.add(name)
        if self._open:
            self._open -= 1
            if not self.registered and not self._open:
                self._end_if_done()

    # -- SASL

    def sasl(self, message: Message) -> bool:
        """AUTHENTICATE and the numerics of SASL; whether it was one."""
        command = message.command
        if command == "AUTHENTICATE":
            self.authenticate(message)
        elif command == "903":
            self.sasl_succeeded()
        elif command in _SASL_FAILED:
            self.sasl_failed(command, message.last)
        else:
            return command in {"900", "901", "907", "908"}
        return True

    def authenticate(self, message: Message) -> None:
        """AUTHENTICATE: a challenge, or a part of one."""
        if self._mechanism is None or self.logged_in or self._ended:
            return
        try:
            challenge = self._collector.feed(message.param(0))
            if challenge is None:
                return
            answer = self._mechanism.respond(challenge)
        except (IrcSyntaxError, SaslError) as error:
            self._write(Message(command="AUTHENTICATE", params=("*",)))
            self._refused(f"SASL: {error}", "")
            return
        for part in chunks(answer):
            self._write(Message(command="AUTHENTICATE", params=(part,)))

    def sasl_succeeded(self) -> None:
        """903."""
        if self._mechanism is None or self._ended:
            return
        if not self._mechanism.finished():
            self._refused("SASL: the server claims a success that it has not proved", "903")
            return
        self.logged_in = True
        self._end_if_done()

    def sasl_failed(self, code: str, reason: str) -> None:
        """902, 904, 905, 906."""
        if self._mechanism is not None and not self._ended:
            self._refused(f"SASL: {_SASL_FAILED.get(code, reason)} ({reason[:120]})", code)

    # -- the nickname

    def nick_taken(self) -> bool:
        """433, 436, 437: asks for another one. False where no more are tried."""
        while self._tries < MAX_NICK_TRIES:
            self._tries += 1
            nick = self._alternative()
            if not self._unusable(nick):
                self.nick = nick
                self._write(Message(command="NICK", params=(nick,)))
                return True
        return False

    def _alternative(self) -> str:
        """Another nickname like the wanted one; after two, short ones with digits, which fit into nine characters."""
        if self._tries <= 2:
            return (self._wanted_nick + "_" * self._tries)[:MAX_NICK]
        return f"{self._wanted_nick[:5]}{self._rng.randrange(1000, 10_000)}"
