"""Somebody on IRC, on a raw socket: every line that comes is kept, PING is answered, nothing else is done by itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from tests.kit.daemon import until
from tests.kit.irc.servers import HOST, PASSWORD

SECONDS = 15.0


class IrcUser:
    """A client that says what it is told.

    Args:
        port: of a server on loopback.
        nick: the nickname; signed on when the constructor returns.
        caps: capabilities to ask for.
        password: for PASS.
    """

    def __init__(self, port: int, nick: str, *, caps: str = "", password: str = PASSWORD) -> None:
        self.nick = nick
        self.lines: list[str] = []
        self.raw: list[bytes] = []
        self.ended = False
        self._socket = socket.create_connection((HOST, port))
        self._reader = threading.Thread(target=self._read, name=f"irc-{nick}", daemon=True)
        self._reader.start()
        if caps:
            self.say(f"CAP REQ :{caps}")
        self.say(f"PASS {password}", f"NICK {nick}", f"USER probe 0 * :{nick}")
        if caps:
            self.say("CAP END")
        self.wait(lambda: self.got(" 376 ") or self.got(" 422 "), "the end of the sign-on")

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65_536):
                *lines, rest = (rest + data).split(b"\r\n")
                for line in lines:
                    text = line.decode("utf-8", "replace")
                    if text.startswith("PING "):
                        self.say("PONG " + text[5:])
                    self.raw.append(line)
                    self.lines.append(text)
        self.ended = True

    def say(self, *lines: str) -> None:
        """Sends lines."""
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def say_raw(self, data: bytes) -> None:
        """Sends octets."""
        self._socket.sendall(data)

    def message(self, to: str, text: str) -> None:
        """Writes to somebody."""
        self.say(f"PRIVMSG {to} :{text}")

    def got(self, part: str) -> list[str]:
        """The lines that hold a text."""
        return [line for line in list(self.lines) if part in line]

    def texts(self, command: str = "PRIVMSG") -> list[tuple[str, str]]:
        """The messages that came to this nickname: who wrote, and what."""
        found = []
        for line in list(self.lines):
            rest = line.split(" ", 1)[1] if line.startswith("@") else line
            words = rest.split(" ", 3)
            if len(words) == 4 and words[1] == command and words[2].lower() == self.nick.lower():
                found.append((words[0][1:].partition("!")[0], words[3].removeprefix(":")))
        return found

    def wait(self, condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Waits for a condition; a failure shows the last lines."""
        try:
            until(condition, seconds, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.nick} last got:\n" + "\n".join(self.lines[-25:])) from None

    def sync(self) -> None:
        """Returns when the server has done everything that was said so far."""
        token = f"sync{len(self.lines)}"
        self.say(f"PING {token}")
        self.wait(lambda: [line for line in self.got("PONG") if token in line], "an answer to PING")

    def close(self) -> None:
        """The connection ends without a word."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._reader.join(5)

    def quit(self) -> None:
        """Signs off in order."""
        with contextlib.suppress(OSError):
            self.say("QUIT :bye")
        self._reader.join(5)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()


def kill(port: int, nick: str, reason: str) -> None:
    """Has an operator end somebody's session."""
    with IrcUser(port, "operoper") as oper:
        oper.say("OPER root root")
        oper.wait(lambda: oper.got(" 381 "), "to be an operator")
        oper.say(f"KILL {nick} :{reason}")
        oper.sync()
