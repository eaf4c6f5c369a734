"""The lists that the server keeps: as loaded, as edited by us, as edited by others."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from transports.msnp.wire.codes import Lists
from transports.msnp.wire.lists import Edit, Entry
from transports.msnp.wire.native import AddedUs, Contact, Roster
from transports.msnp.wire.text import normal

ANSWERED = Lists.AL | Lists.BL


@define
class Line:
    """Somebody on our lists."""

    passport: str
    lists: Lists
    name: str = ""
    id: str = ""


class RosterState:
    """Who is on which list.

    Args:
        account: our passport in normal form.
        max_lines: the most that are kept; what a server sends beyond is counted in `dropped`.

    Attributes:
        to_tell: something has changed that nobody was told yet. The list is told whole: of many changes, once.
    """

    def __init__(self, account: str, max_lines: int) -> None:
        self._account = account
        self._max = max_lines
        self._asked: set[str] = set()
        self.lines: dict[str, Line] = {}
        self.dropped = 0
        self.to_tell = False

    def begin(self) -> None:
        """A new sign-on: the list comes anew."""
        self.lines.clear()
        self._asked.clear()
        self.to_tell = False

    def put(self, entries: Iterable[Entry]) -> None:
        """Takes entries as loaded; of one that is known already, the lists add up."""
        for entry in entries:
            name = normal(entry.passport)
            line = self.lines.get(name)
            if line is not None:
                before = (line.lists, line.name)
                line.lists |= entry.lists
                line.name = entry.name or line.name
                line.id = entry.id or line.id
                self.to_tell = self.to_tell or before != (line.lists, line.name)
            elif len(self.lines) < self._max:
                self.lines[name] = Line(entry.passport, entry.lists, entry.name, entry.id)
                self.to_tell = True
            else:
                self.dropped += 1

    def line(self, passport: str) -> Line | None:
        """What is known of somebody."""
        return self.lines.get(normal(passport))

    def on(self, passport: str, which: Lists) -> bool:
        """Whether somebody is on a list."""
        line = self.line(passport)
        return line is not None and bool(line.lists & which)

    def edited(self, edit: Edit) -> None:
        """Somebody was put on a list or taken off it."""
        passport = edit.passport or next((line.passport for line in self.lines.values() if line.id == edit.id), "")
        if not passport or (edit.group and not edit.added):
            return  # out of a group is not off the list
        if edit.added:
            self.put([Entry(passport=passport, lists=edit.lists, name=edit.name, id=edit.id)])
            return
        line = self.line(passport)
        if line is not None:
            line.lists &= ~edit.lists
            if not line.lists:
                del self.lines[normal(passport)]
            self.to_tell = True

    def requests(self) -> list[AddedUs]:
        """Who has us on their list and has had no answer, each once in a sign-on."""
        found: list[AddedUs] = []
        for name, line in self.lines.items():
            has_us = bool(line.lists & (Lists.RL | Lists.PL))
            if has_us and not line.lists & ANSWERED and name not in self._asked:
                self._asked.add(name)
                found.append(AddedUs(account=self._account, sender=line.passport, name=line.name))
        return found

    def native(self) -> Roster:
        """The list as the mapping wants it."""
        return Roster(
            account=self._account,
            contacts=tuple(
                Contact(
                    passport=line.passport,
                    name=line.name,
                    forward=bool(line.lists & Lists.FL),
                    allowed=bool(line.lists & Lists.AL),
                    blocked=bool(line.lists & Lists.BL),
                    reverse=bool(line.lists & (Lists.RL | Lists.PL)),
                )
                for line in self.lines.values()
            ),
        )
