"""How events are shown: a JSON object a line, a plain line, or in a terminal.

Everything that a peer has written goes through ``safe``: no view lets it drive the terminal.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from attrs import define, field
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bridge.app.softphone.safe import is_safe, lines, one_line, to_json
from mappings.identity import AddressError, decode_user

Event = Mapping[str, Any]

_COLOURS: Final = {"online": "green", "offline": "bright_black"}
_MARK: Final = {"online": "●", "offline": "○"}


def write_json(out: TextIO, event: Event) -> None:
    """Writes an event as JSON on a line."""
    out.write(to_json(event) + "\n")
    out.flush()


def write_plain(out: TextIO, event: Event) -> None:
    """Writes an event as a line."""
    text = _PLAIN[event["event"]](event)
    if text:
        out.write(one_line(text) + "\n")
        out.flush()


def short(uri: str) -> str:
    """Returns a SIP URI as people write it: without the scheme, the user part decoded."""
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme.lower() not in {"sip", "sips"}:
        return uri
    user, at, host = rest.partition("@")
    try:
        return f"{decode_user(user)}{at}{host}"
    except AddressError:
        return rest


def _status_of(event: Event) -> str:
    """Returns the wire's answer: ``403 reason``, or the reason alone where none came."""
    return f"{event['status']} {event['reason']}" if event["status"] else str(event["reason"])


def _refused(event: Event) -> str:
    to = event.get("to")
    return f"refused {event['method']}{f' to {short(to)}' if to else ''}: {_status_of(event)}"


def _presence(event: Event) -> str:
    if "status" not in event:
        return f"presence of {short(event['of'])}: {event['subscription']}"
    note = f": {event['note']}" if event["note"] else ""
    return f"presence of {short(event['of'])}: {event['status']}{note}"


_PLAIN: Final[Mapping[str, Callable[[Event], str]]] = {
    "registered": lambda e: f"registered {e['as']} for {e['expires']} s",
    "sending": lambda e: "",
    "sent": lambda e: f"sent to {short(e['to'])}: {e['status']}",
    "refused": _refused,
    "message": lambda e: f"message from {short(e['from'])}: {e['text']}",
    "typing": lambda e: f"{short(e['from'])} is typing" if e["active"] else f"{short(e['from'])} stopped typing",
    "presence": _presence,
    "receipt": lambda e: f"receipt from {short(e['from'])}: {e['stage']}",
    "peer": lambda e: f"writing to {short(e['to'])}",
    "lost": lambda e: f"connection lost: {e['reason']}; again in {e['retry_in']:.0f} s",
    "wrong": lambda e: str(e["reason"]),
    "help": lambda e: "; ".join(e["commands"]),
}


@define(eq=False)
class TerminalView:
    """Events above the line that is being typed.

    Args:
        console: of rich.
        me: our own address.
        clock: seconds since the epoch.
    """

    console: Console
    me: str
    clock: Callable[[], float] = time.time
    _typed: str = field(init=False, default="")
    _to: str = field(init=False, default="")
    _prompting: bool = field(init=False, default=False)
    _sent: dict[str, str] = field(init=False, factory=dict)

    def show(self, event: Event) -> None:
        """Shows an event, and the line that is being typed below it."""
        kind = event["event"]
        if kind == "sending":
            self._sent[event["key"]] = event["text"]
            return
        if kind == "typing" and not event["active"]:
            return
        if kind == "peer":
            self._to = event["to"]
        self._erase()
        for text in self._texts(kind, event):
            self.console.print(text, soft_wrap=True)
        if self._prompting:
            self._prompt()

    def typed(self, text: str) -> None:
        """Shows the line that is being typed."""
        self._prompting = True
        self._typed = text
        self._erase()
        self._prompt()

    def peer(self, to: str) -> None:
        """Says to whom what is typed will go."""
        self._to = to

    def close(self) -> None:
        """Leaves the terminal at the beginning of a line."""
        self._erase()
        self._prompting = False

    def _erase(self) -> None:
        if self._prompting:
            self.console.file.write("\r\x1b[K")
            self.console.file.flush()

    def _prompt(self) -> None:
        name = f"{one_line(short(self._to))[:40]}> " if self._to else "/to? > "
        room = max(self.console.width - cell_len(name) - 1, 8)
        tail = "".join(c if is_safe(c) else "·" for c in self._typed)
        while cell_len(tail) > room:
            tail = tail[1:]
        self.console.print(Text.assemble((name, "bold cyan"), tail), end="", soft_wrap=True)
        self.console.file.flush()

    def _texts(self, kind: str, event: Event) -> list[Text]:
        at = (time.strftime("%H:%M ", time.localtime(self.clock())), "bright_black")
        if kind == "message":
            return _said(at, short(event["from"]), event["text"], "magenta", "")
        if kind == "sent":
            what = "" if event["status"] < 300 and event["status"] != 202 else " on its way"
            return _said(at, "you", self._sent.pop(event["key"], ""), "cyan", f"  {event['status']}{what}")
        if kind == "refused" and event.get("key") in self._sent:
            said = _said(at, "you", self._sent.pop(event["key"]), "cyan", "")
            return [*said, Text.assemble(at, ("  not sent: " + one_line(_status_of(event)), "bold red"))]
        plain = one_line(_PLAIN[kind](event))
        if kind == "presence" and "status" in event:
            status = event["status"]
            told = one_line(f"{short(event['of'])} is {status}{': ' if event['note'] else ''}{event['note']}")
            return [Text.assemble(at, (f"{_MARK.get(status, '◐')} {told}", _COLOURS.get(status, "yellow")))]
        if kind == "typing":
            return [Text.assemble(at, (f"{one_line(short(event['from']))} is typing …", "italic bright_black"))]
        if kind == "help":
            return [Text.assemble("  ", (one_line(one), "bright_black")) for one in event["commands"]]
        return [Text.assemble(at, (plain, "red" if kind in {"refused", "lost", "wrong"} else "green"))]


def _said(at: tuple[str, str], who: str, text: str, colour: str, after: str) -> list[Text]:
    first, *rest = lines(text)
    head = Text.assemble(at, (f"{one_line(who)}: ", f"bold {colour}"), first)
    texts = [head, *(Text(f"      {line}") for line in rest)]
    texts[-1].append(after, "bright_black")
    return texts
