"""How the demonstration looks: two columns, the SIP side and the AIM side; as good in a terminal as in a log of CI."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from attrs import define, field, frozen
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH: Final = 110
_ARROWS: Final = {"→": "cyan", "←": "magenta", "✗": "red", "·": "bright_black"}


@frozen
class Cell:
    """What one side did or saw: who, what, and the fact of the wire below it."""

    who: str = ""
    what: str = ""
    wire: str = ""


@frozen
class Row:
    """One thing that happened, as both sides saw it. ``arrow``: → to AIM, ← to SIP, ✗ refused, · neither."""

    sip: Cell
    arrow: str
    aim: Cell


def new_console() -> Console:
    """Returns the console of standard output; where that is no terminal, of a fixed width."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


@define(eq=False)
class Stage:
    """Shows what happens."""

    console: Console = field(factory=new_console)

    def header(self, facts: Iterable[tuple[str, str]]) -> None:
        """Shows what runs, and where."""
        grid = Table.grid(padding=(0, 2))
        for name, value in facts:
            grid.add_row(Text(name, "bright_black"), Text(value))
        title = "[bold]simplebridge[/]  SIP SIMPLE ⇄ AIM and ICQ, under one policy, on the record"
        self.console.print(Panel(grid, title=title, title_align="left", border_style="blue", box=box.ROUNDED))

    def columns(self) -> None:
        """Shows whose columns follow."""
        grid = self._grid()
        grid.add_row("", Text("SIP side", "bold cyan"), "", Text("AIM side", "bold magenta"))
        self.console.print(grid)

    def note(self, text: str) -> None:
        """Shows a line."""
        self.console.print(Text(text, "yellow"))

    @contextmanager
    def busy(self, title: str) -> Iterator[None]:
        """Shows in a terminal that something is under way."""
        with self.console.status(title) if self.console.is_terminal else nullcontext():
            yield

    def passed(self, number: int, title: str, seconds: float, rows: Sequence[Row]) -> None:
        """Shows a step that was seen to happen."""
        self._title("✓", "green", number, title, f"{seconds:.2f} s")
        if rows:
            grid = self._grid()
            for row in rows:
                grid.add_row("", _cell(row.sip, "cyan"), Text(row.arrow, _ARROWS[row.arrow]), _cell(row.aim, "magenta"))
            self.console.print(grid)

    def failed(self, number: int, title: str, reason: str) -> None:
        """Shows a step that did not happen."""
        self._title("✗", "red", number, title, "")
        self.console.print(Text(reason, "red"), soft_wrap=True)

    def _title(self, mark: str, colour: str, number: int, title: str, took: str) -> None:
        text = Text.assemble((f"{mark} ", f"bold {colour}"), (f"{number}  {title} ", "bold"), (took, "bright_black"))
        self.console.print(Rule(text, align="left", style="bright_black"))

    def _grid(self) -> Table:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        return grid

    def output(self, command: str, lines: Iterable[str]) -> None:
        """Shows a command and what it printed."""
        self.console.print(Text.assemble(("  $ ", "bright_black"), (command, "bold")))
        for line in lines:
            self.console.print(Text(f"    {line}"), soft_wrap=True)

    def log(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Shows records of the compliance log."""
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        for name, width in (("leaf", 4), ("record", 10), ("from", 18), ("to", 18), ("text", 28), ("result", 19)):
            table.add_column(name, overflow="ellipsis", no_wrap=True, width=width)
        for row in rows:
            who = (str(row[end]).removeprefix("sip/") for end in ("from", "to"))
            cells = (row["seq"], row["event"], *who, row["text"], row["result"])
            table.add_row(*(Text(" ".join(str(cell).split())) for cell in cells))
        self.console.print(table)

    def summary(self, rows: Iterable[tuple[str, str, float]]) -> None:
        """Shows every step, what was seen and how long it took."""
        table = Table(title="What was seen", title_justify="left", box=box.ROUNDED, border_style="green")
        for name in ("", "step", "seen on the wire"):
            table.add_column(name)
        table.add_column("seconds", justify="right")
        for step, seen, seconds in rows:
            table.add_row(Text("✓", "green"), Text(step), Text(seen), f"{seconds:.2f}")
        self.console.print(table)

    def invitation(self, title: str, lines: Iterable[tuple[str, str]], commands: Iterable[str]) -> None:
        """Shows how to go on; the commands stand alone, to be copied."""
        grid = Table.grid(padding=(0, 2))
        for name, value in lines:
            grid.add_row(Text(name, "bright_black"), Text(value, overflow="fold"))
        self.console.print(Panel(grid, title=title, title_align="left", border_style="green", box=box.ROUNDED))
        self.console.print(Text("  no softphone? in another terminal:", "bright_black"))
        for command in commands:
            self.console.print(Text(f"  {command}", "bold"), soft_wrap=True)


def _cell(cell: Cell, colour: str) -> Text:
    head = Text.assemble((cell.who, f"bold {colour}"), "  " if cell.who and cell.what else "", cell.what)
    if cell.wire:
        head.append(f"\n  {cell.wire}", "bright_black")
    return head
