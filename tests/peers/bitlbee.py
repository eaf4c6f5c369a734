"""libpurple's SIMPLE client, scripted through BitlBee's IRC front over a socket pair."""

from __future__ import annotations

import re

from tests.peers.client import Account, PresenceSeen, SipClient, TextSeen, plain
from tests.peers.process import Child, PeerError, port_is_bound

_PRIVMSG = re.compile(r"^:(\S+)!(\S+) PRIVMSG (\S+) :(.*)$")
_TYPING = re.compile(r"^\x01TYPING (\d)\x01$")
_UDP_PORT = 5060
_STATES = {"JOIN": "online", "QUIT": "offline", "+v": "online", "-v": "away"}
_MODE = re.compile(r"^:\S+ MODE &bitlbee ([+-]v) (\S+)")
_JOIN = re.compile(r"^:(\S+?)!\S+ (JOIN|QUIT)\b")
_PREFS = """<?xml version='1.0' encoding='UTF-8' ?>
<pref version='1' name='/'><pref name='purple'><pref name='network'>
<pref name='auto_ip' type='bool' value='0'/>
<pref name='public_ip' type='string' value='127.0.0.1'/>
<pref name='map_ports' type='bool' value='0'/>
</pref></pref></pref>
"""


class Bitlbee(SipClient):
    """BitlBee 3.6 with libpurple 2.14. Presence states: online, away, offline.

    Its random numbers are never seeded: every process makes the same Call-IDs, tags and branches in the same order,
    after a restart too. Over UDP it binds port 5060 of every address and shares it (SO_REUSEADDR), so that two of
    them take each other's packets: one at a time. Presence comes late: it sends its SUBSCRIBEs in rounds of 10 s.
    """

    program = "bitlbee"
    package = "bitlbee-libpurple"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._nicks = {who: f"contact{n}" for n, who in enumerate(account.contacts)}
        self._people = {nick: who for who, nick in self._nicks.items()}
        self.typing: list[tuple[str, int]] = []

    def wait_registered(self, timeout: float = 15.0) -> None:
        self.child.expect(r"simple - Logging in: Logged in", timeout)
        for who, nick in self._nicks.items():
            self.control(f"add simple sip:{who} {nick}")
            self.child.expect(rf"Adding `sip:{re.escape(who)}' to contact list", timeout)

    def send_text(self, to: str, text: str) -> None:
        """Sends one line to a contact (KeyError for anybody else: IRC has no nick for strangers)."""
        self.child.send(f"PRIVMSG {self._nicks[to]} :{text}")

    def send_typing(self, to: str, *, typing: bool = True) -> None:
        """Tells a contact that the user is typing or stopped."""
        self.child.send(f"PRIVMSG {self._nicks[to]} :\x01TYPING {int(typing)}\x01")

    def set_away(self, reason: str | None) -> None:
        """Goes away with a reason, or comes back (None)."""
        self.child.send(f"AWAY :{reason}" if reason else "AWAY")

    def control(self, command: str) -> None:
        """A command of BitlBee itself (`account list`, `blist`, `add`..)."""
        self.child.send(f"PRIVMSG &bitlbee :{command}")

    def _launch(self) -> Child:
        account = self.account
        if account.transport == "udp" and port_is_bound(_UDP_PORT, "udp"):
            msg = f"libpurple would share UDP port {_UDP_PORT} with a program that has it: stop that one first"
            raise PeerError(msg)
        (self.directory / "bitlbee.conf").write_text(
            f"[settings]\nRunMode = Inetd\nAuthMode = Open\nConfigDir = {self.directory}\nMotdFile = /dev/null\n"
            "[defaults]\n",
            encoding="utf-8",
        )
        preferences = self.directory / "purple" / "peer"
        preferences.mkdir(parents=True)
        (preferences / "prefs.xml").write_text(_PREFS, encoding="utf-8")
        child = Child(
            [self.executable, "-I", "-c", str(self.directory / "bitlbee.conf"), "-d", str(self.directory)],
            directory=self.directory,
            on_line=self._see_line,
            over_socket=True,
        )
        child.send("NICK peer")
        child.send("USER peer peer peer :peer")
        child.expect(r"JOIN :&bitlbee", 10.0)
        settings = {
            "port": str(account.port),
            "useproxy": "true",
            "proxy": account.host,
            "udp": "true" if account.transport == "udp" else "false",
        }
        child.send(f"PRIVMSG &bitlbee :account add simple {account.address} {account.password}")
        child.expect(r"Account successfully added", 10.0)
        for key, value in settings.items():
            child.send(f"PRIVMSG &bitlbee :account simple set {key} {value}")
            child.expect(rf"{key} = `", 10.0)
        child.send("PRIVMSG &bitlbee :account simple on")
        return child

    def _see_line(self, line: str) -> None:
        message = _PRIVMSG.match(line)
        if message is not None and message[1] != "root":
            sender = self._people.get(message[1], plain(message[2]))
            typing = _TYPING.match(message[4])
            if typing is not None:
                self.typing.append((sender, int(typing[1])))
            else:  # a stranger's text comes in the control channel, as said to our nick
                self.texts.append(TextSeen(sender=sender, text=message[4].removeprefix("peer: ")))
            return
        for pattern, nick, state in ((_MODE, 2, 1), (_JOIN, 1, 2)):
            seen = pattern.match(line)
            if seen is not None and seen[nick] in self._people:
                self.presence.append(PresenceSeen(who=self._people[seen[nick]], state=_STATES[seen[state]]))

    def _ask_to_quit(self) -> None:
        since = len(self.child.lines)
        self.control("account simple off")
        self.child.expect(r"simple - Signing off|already offline|not online", 3.0, since=since)
        self.child.send("QUIT :done")
