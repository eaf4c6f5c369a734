"""Typed reading of TOML tables: every mistake becomes a Problem with its place, and reading goes on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from bridge.policy.errors import Problem
from bridge.policy.positions import Path, Place

MISSING: Any = object()
_NAMES = {str: "a string", bool: "true or false", int: "a whole number", list: "an array", dict: "a table"}


def type_name(value: object) -> str:
    """What a TOML value is, in the words of its author."""
    return next((name for kind, name in _NAMES.items() if type(value) is kind), f"a {type(value).__name__}")


def known(names: Iterable[str]) -> str:
    """The tail of a message that lists what would have been right."""
    listed = ", ".join(sorted(names))
    return f"(known: {listed})" if listed else "(none is defined)"


@attrs.define
class Report:
    """Collects problems of one file."""

    file: str
    places: Mapping[Path, Place]
    problems: list[Problem] = attrs.field(factory=list)

    def add(self, path: Path, table: str, key: str, message: str) -> None:
        """Notes a mistake at ``path``, or at the nearest place above it that is known."""
        while path and path not in self.places:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        problem = Problem(file=self.file, line=line, column=column, table=table, key=key, message=message)
        if problem not in self.problems:
            self.problems.append(problem)


@attrs.define
class TableReader:
    """One table. Each getter takes a key off it; ``finish`` reports the keys that nobody asked for.

    ``name`` is how the table is called in messages. Getters give None where the value is missing or wrong.
    """

    report: Report
    path: Path
    name: str
    values: Mapping[str, Any]
    asked: set[str] = attrs.field(factory=set)

    @property
    def line(self) -> int:
        """Where the table begins."""
        return self.report.places.get(self.path, (0, 0))[0]

    def problem(self, key: str, message: str, index: int | None = None) -> None:
        """Reports a mistake in ``key``, or in element ``index`` of it; an empty key is the table itself."""
        path = self.path if not key else (*self.path, key)
        self.report.add(path if index is None else (*path, index), self.name, key, message)

    def take(self, key: str, kind: type, *, required: bool = False) -> Any:
        """The value of ``key`` if it is of ``kind``; MISSING otherwise."""
        self.asked.add(key)
        if key not in self.values:
            if required:
                self.problem("", f"{key} is missing")
            return MISSING
        value = self.values[key]
        if type(value) is not kind:
            self.problem(key, f"must be {_NAMES[kind]}, not {type_name(value)}")
            return MISSING
        return value

    def string(self, key: str, *, required: bool = False, empty: bool = False) -> str | None:
        """A string; an empty one is a mistake unless ``empty``."""
        value = self.take(key, str, required=required)
        if value is MISSING:
            return None
        if not value.strip() and not empty:
            self.problem(key, "is empty")
            return None
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.take(key, bool)
        return default if value is MISSING else bool(value)

    def count(self, key: str) -> int | None:
        """A whole number from 0."""
        value = self.take(key, int)
        if value is MISSING:
            return None
        if value < 0:
            self.problem(key, f"must not be negative, is {value}")
            return None
        return int(value)

    def choice(self, key: str, choices: Sequence[str], *, required: bool = False) -> str | None:
        """One of ``choices``."""
        value = self.string(key, required=required)
        if value is None or value in choices:
            return value
        self.problem(key, f"unknown value {value!r} (one of: {', '.join(choices)})")
        return None

    def strings(self, key: str, *, required: bool = False) -> tuple[tuple[int, str], ...] | None:
        """A non-empty array of strings without repetition, each with its index; wrong elements are left out."""
        value = self.take(key, list, required=required)
        if value is MISSING:
            return None
        if not value:
            self.problem(key, "is empty; leave it out to set no restriction")
            return None
        found: dict[str, int] = {}
        for index, element in enumerate(value):
            if type(element) is not str:
                self.problem(key, f"element {index + 1} must be a string, not {type_name(element)}", index)
            elif not element.strip():
                self.problem(key, f"element {index + 1} is empty", index)
            elif element in found:
                self.problem(key, f"{element!r} is told twice", index)
            else:
                found[element] = index
        return tuple((index, element) for element, index in found.items())

    def choices(self, key: str, allowed: Sequence[str]) -> frozenset[str] | None:
        """A non-empty array whose elements are all in ``allowed``."""
        elements = self.strings(key)
        if elements is None:
            return None
        for index, element in elements:
            if element not in allowed:
                self.problem(key, f"unknown value {element!r} (one of: {', '.join(allowed)})", index)
        return frozenset(element for _, element in elements if element in allowed)

    def table(self, key: str) -> "TableReader | None":
        """A table within this one."""
        value = self.take(key, dict)
        if value is MISSING:
            return None
        return TableReader(self.report, (*self.path, key), f"{self.name}.{key}" if self.name else key, value)

    def tables(self, key: str) -> "tuple[TableReader, ...]":
        """An array of tables, such as ``[[rule]]``."""
        value = self.take(key, list)
        if value is MISSING:
            return ()
        readers = []
        for index, element in enumerate(value):
            if type(element) is not dict:
                self.problem(key, f"element {index + 1} must be a table, not {type_name(element)}", index)
                continue
            path = (*self.path, key, index)
            readers.append(TableReader(self.report, path, f"{key} {index + 1}", element))
        return tuple(readers)

    def finish(self) -> None:
        """Reports every key that no getter asked for."""
        for key in self.values:
            if key not in self.asked:
                self.report.add((*self.path, key), self.name, key, f"unknown key {known(self.asked)}")
