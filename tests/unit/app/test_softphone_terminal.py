"""The softphone's terminal: keys, lines and views; and that no peer drives it."""

import io
import json
import os
import pty
import termios
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bridge.app.softphone.safe import is_safe, lines, one_line, to_json
from bridge.app.softphone.session import Event
from bridge.app.softphone.terminal import LineEditor, Reader, first_line, keys_one_by_one
from bridge.app.softphone.views import TerminalView, write_json, write_plain

ME = "alice@corp.example"
FRIEND = "sip:friend@aim.corp.example"
DRIVING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\r\nnext"

# -- nothing of a peer drives the terminal ----------------------------------------------------------------------------


@given(st.text())
def test_texts_are_made_safe(text: str) -> None:
    assert all(is_safe(c) for c in one_line(text))
    assert "\n" not in one_line(text)
    assert all(is_safe(c) for line in lines(text) for c in line)
    assert json.loads(to_json({"t": text})) == {"t": text}
    assert all(is_safe(c) for c in to_json({"t": text}))


@pytest.mark.parametrize(
    "text", ["hällo", "👩\u200d👩\u200d👧 👋🏽", "नमस्ते", "oui\u00a0!", "🏴\U000e0067\U000e0062\U000e007f"]
)
def test_what_people_write_stays(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\x9b", "\x7f", "\u202e", "\u2066", "\u2028", "\ud800", "\u0085"]
)
def test_what_drives_a_terminal_does_not(character: str) -> None:
    assert not is_safe(character)
    assert character not in one_line(f"a{character}b")


EVENTS: list[Event] = [
    {"event": "message", "from": f"sip:{DRIVING}@x", "name": DRIVING, "text": DRIVING},
    {"event": "presence", "of": FRIEND, "subscription": "active", "status": "away", "note": DRIVING},
    {"event": "presence", "of": FRIEND, "subscription": DRIVING},
    {"event": "refused", "method": "MESSAGE", "status": 403, "reason": DRIVING, "key": "1", "to": FRIEND},
    {"event": "refused", "method": "REGISTER", "status": 0, "reason": DRIVING},
    {"event": "typing", "from": DRIVING, "active": True},
    {"event": "receipt", "from": DRIVING, "of": "x", "stage": DRIVING},
    {"event": "wrong", "reason": DRIVING},
    {"event": "lost", "reason": DRIVING, "retry_in": 1.0},
    {"event": "peer", "to": f"sip:{DRIVING}@x"},
    {"event": "registered", "as": ME, "expires": 3600},
    {"event": "sent", "key": "1", "to": FRIEND, "status": 202},
    {"event": "help", "commands": ["/help"]},
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
@pytest.mark.parametrize("write", [write_plain, write_json])
def test_one_safe_line_for_an_event(write: Callable[[io.StringIO, Event], None], event: Event) -> None:
    out = io.StringIO()
    write(out, event)
    assert out.getvalue().count("\n") == 1
    assert all(is_safe(c) for c in out.getvalue()[:-1])


def _terminal() -> tuple[TerminalView, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=60, color_system=None, highlight=False, markup=False, emoji=False)
    return TerminalView(console, ME, clock=lambda: 0.0), out


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_the_terminal_shows_and_obeys_nobody(event: Event) -> None:
    view, out = _terminal()
    view.show({"event": "sending", "key": "1", "to": FRIEND, "text": DRIVING})
    view.show(event)
    assert out.getvalue().strip()
    assert all(is_safe(c) for c in out.getvalue().replace("\n", ""))


def test_the_line_that_is_typed_stays_below() -> None:
    view, out = _terminal()
    view.peer(FRIEND)
    view.typed("hal" + "x" * 100 + "\x1b")
    last = out.getvalue().rpartition("\x1b[K")[2]
    assert last.startswith("friend@aim.corp.example> ")
    assert len(last) < 60
    out.truncate(0)
    view.show({"event": "message", "from": FRIEND, "name": "", "text": "[bold]hi[/] :smile:"})
    shown = out.getvalue()
    assert "friend@aim.corp.example: [bold]hi[/] :smile:" in shown
    assert shown.rstrip("·x").endswith("friend@aim.corp.example> ")
    view.close()


# -- keys and lines ---------------------------------------------------------------------------------------------------


class Edited:
    """An editor and what it did."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ends = 0
        self.editor = LineEditor(self.lines.append, self._end, lambda _: None)

    def _end(self) -> None:
        self.ends += 1

    def type(self, keys: str) -> str:
        """Types keys; returns the line."""
        self.editor.feed(keys)
        return self.editor.text


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("hällo", "hällo"),
        ("ab\x7f", "a"),
        ("\x7f", ""),
        ("👩\u200d👩\u200d👧\x7f", ""),
        ("one two\x17", "one "),
        ("one\x17", ""),
        ("gone\x15here", "here"),
        ("a\x1b[Ab\x1bOCc\x1b[1;5Dd", "abcd"),
        ("a\x1bxb", "ab"),
        ("a\x04\tb\x00", "ab"),
    ],
)
def test_keys(keys: str, text: str) -> None:
    assert Edited().type(keys) == text


def test_lines_and_the_end() -> None:
    edited = Edited()
    assert edited.type("one\ntwo\rthree") == "three"
    assert edited.lines == ["one", "two"]
    edited.type("\x04")
    assert edited.ends == 0
    edited.type("\x15\x04")
    assert edited.ends == 1
    assert len(edited.type("x" * 10_000)) == 4000


@given(st.text(max_size=40))
def test_any_keys(keys: str) -> None:
    text = Edited().type(keys)
    assert all(c >= " " and c != "\x1b" for c in text)


class Calls:
    """Stands for a reactor: calls at once."""

    def callFromThread(self, call: Callable[..., object], *args: object) -> None:  # noqa: N802
        """Calls."""
        call(*args)


def test_lines_of_a_pipe() -> None:
    read, write = os.pipe()
    os.write(write, "secret\nhällo\r\n\nlast".encode())
    os.close(write)
    assert first_line(read) == "secret"
    got: list[str] = []
    reader = Reader(Calls(), read)

    def take(line: str) -> None:
        got.append(line)
        reader.taken()

    reader._read_lines(take, lambda: got.append("<end>"))
    os.close(read)
    assert got == ["hällo", "", "last", "<end>"]
    assert first_line(os.open(os.devnull, os.O_RDONLY)) == ""


def test_a_terminal_is_as_it_was() -> None:
    main, side = pty.openpty()
    before = termios.tcgetattr(side)
    with keys_one_by_one(side):
        assert not termios.tcgetattr(side)[3] & termios.ECHO
        os.write(main, "é".encode())
        assert os.read(side, 10) == "é".encode()
    assert termios.tcgetattr(side) == before
    os.close(main)
    got: list[str] = []
    Reader(Calls(), side)._read_keys(got.append, lambda: got.append("<end>"))
    assert got == ["<end>"]
    os.close(side)
