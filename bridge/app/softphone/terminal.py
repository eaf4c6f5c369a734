"""Reads what is typed: whole lines from a pipe or a file, keys from a terminal.

A thread reads the descriptor, for not everything that may be standard input can be watched by a reactor, and
``sys.stdin`` is left alone: its lock must not be held by a thread while the process ends.
"""

import codecs
import os
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from attrs import define, field

CHUNK: Final = 65_536
MAX_LINE: Final = 1 << 20
MAX_TYPED: Final = 4000
MAX_AHEAD: Final = 256
"""Lines that are read before the ones ahead of them are done with."""
_ERASE: Final = frozenset("\x7f\x08")


@define(eq=False)
class LineEditor:
    """The line that is being typed.

    Args:
        line: called with each finished line.
        end: called at Ctrl-D on an empty line.
        changed: called with the line after each change.
    """

    line: Callable[[str], object]
    end: Callable[[], object]
    changed: Callable[[str], object]
    text: str = field(init=False, default="")
    _escape: str = field(init=False, default="")

    def feed(self, keys: str) -> None:
        """Takes keys. Escape sequences (arrows, function keys) change nothing."""
        for key in keys:
            if self._in_escape(key):
                continue
            if key in "\r\n":
                done, self.text = self.text, ""
                self.line(done)
            elif key in _ERASE:
                self.text = _without_last(self.text)
            elif key == "\x15":  # Ctrl-U
                self.text = ""
            elif key == "\x17":  # Ctrl-W
                self.text = self.text.rstrip().rpartition(" ")[0] + " " * (" " in self.text.strip())
            elif key == "\x04":  # Ctrl-D
                if not self.text:
                    self.end()
            elif key >= " " and len(self.text) < MAX_TYPED:
                self.text += key
        self.changed(self.text)

    def _in_escape(self, key: str) -> bool:
        """CSI and SS3 sequences (ECMA-48 section 5.4), and a key with Alt."""
        if not self._escape:
            if key == "\x1b":
                self._escape = key
            return key == "\x1b"
        self._escape += key
        if len(self._escape) == 2 and key in "[O":
            return True
        if len(self._escape) == 2 or "@" <= key <= "~" or len(self._escape) > 16:
            self._escape = ""
        return True


def _without_last(text: str) -> str:
    import regex

    clusters = regex.findall(r"\X", text[-64:])
    return text[: -len(clusters[-1])] if clusters else ""


@contextmanager
def keys_one_by_one(descriptor: int) -> Iterator[None]:
    """Has a terminal hand over each key and show none; Ctrl-C stays a signal. Afterwards it is as it was."""
    before = termios.tcgetattr(descriptor)
    now = termios.tcgetattr(descriptor)
    now[3] &= ~(termios.ICANON | termios.ECHO)
    now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSADRAIN, now)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def first_line(descriptor: int) -> str:
    """Reads the first line and nothing behind it; empty where there is none."""
    data = b""
    while len(data) < MAX_LINE and (byte := os.read(descriptor, 1)) and byte != b"\n":
        data += byte
    return data.decode("utf-8", "replace").rstrip("\r")


@define(eq=False)
class Reader:
    """Reads standard input in a thread.

    Args:
        reactor: calls are made on its thread.
        descriptor: to read.
    """

    reactor: Any
    descriptor: int = 0
    _ahead: threading.Semaphore = field(init=False, factory=lambda: threading.Semaphore(MAX_AHEAD))

    def lines(self, line: Callable[[str], object], end: Callable[[], object]) -> None:
        """Hands over whole lines, at most ``MAX_AHEAD`` that ``taken`` was not called for; then ``end``."""
        self._begin(lambda: self._read_lines(line, end))

    def keys(self, feed: Callable[[str], object], end: Callable[[], object]) -> None:
        """Hands over keys as they come; then ``end``."""
        self._begin(lambda: self._read_keys(feed, end))

    def taken(self) -> None:
        """One line is done with."""
        self._ahead.release()

    def _begin(self, read: Callable[[], None]) -> None:
        threading.Thread(target=read, name="standard-input", daemon=True).start()

    def _read_lines(self, line: Callable[[str], object], end: Callable[[], object]) -> None:
        rest = b""
        while chunk := self._chunk():
            *whole, rest = (rest + chunk).split(b"\n")
            for one in whole:
                self._hand(line, one)
            rest = rest[:MAX_LINE]
        if rest:
            self._hand(line, rest)
        self.reactor.callFromThread(end)

    def _hand(self, line: Callable[[str], object], data: bytes) -> None:
        self._ahead.acquire()
        self.reactor.callFromThread(line, data.decode("utf-8", "replace").rstrip("\r"))

    def _read_keys(self, feed: Callable[[str], object], end: Callable[[], object]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := self._chunk():
            self.reactor.callFromThread(feed, decoder.decode(chunk))
        self.reactor.callFromThread(end)

    def _chunk(self) -> bytes:
        try:
            return os.read(self.descriptor, CHUNK)
        except OSError:  # the terminal is gone
            return b""
