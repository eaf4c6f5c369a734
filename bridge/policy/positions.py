"""Where each key and value of a TOML text stands.

``tomllib`` drops positions. This scanner walks a text that ``tomllib`` has already accepted (TOML 1.0) and notes the
line and column of every key and of every array element. It checks no syntax: give it valid TOML alone.
"""

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""A place in the document: keys and array indexes from the root, such as ``("rule", 0, "from", 1)``."""

Place = tuple[int, int]
"""Line and column, both from 1."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n\r]+")
_BASIC = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL = re.compile(r"'[^']*'")
_LONG_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def locate(text: str) -> Mapping[Path, Place]:
    """The place of each key, table header and array element of ``text``, valid TOML."""
    return _Scanner(text).document()


def _unescape(match: re.Match[str]) -> str:
    short, long, single = match.groups()
    if single is not None:
        return _ESCAPES.get(single, single)
    return chr(int(short or long, 16))


class _Scanner:
    """A cursor over the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._line = 0
        self._places: dict[Path, Place] = {}
        self._tables: dict[Path, int] = {}

    def document(self) -> dict[Path, Place]:
        base: Path = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                base = self._header()
            else:
                self._pair(base)
            self._skip(_SPACE)
        return self._places

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not TOML at offset {self._at}")
        self._at = match.end()
        return match.group()

    def _note(self, path: Path, offset: int) -> None:
        while self._line + 1 < len(self._line_starts) and self._line_starts[self._line + 1] <= offset:
            self._line += 1
        self._places.setdefault(path, (self._line + 1, offset - self._line_starts[self._line] + 1))

    def _header(self) -> Path:
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        keys = self._dotted_key()
        self._at += 2 if is_array else 1
        path: Path = ()
        for key, offset in keys[:-1]:
            path = self._enter((*path, key), offset)
        path = (*path, keys[-1][0])
        if is_array:
            self._note(path, start)
            index = self._tables.get(path, -1) + 1
            self._tables[path] = index
            path = (*path, index)
        self._note(path, start)
        return path

    def _enter(self, path: Path, offset: int) -> Path:
        self._note(path, offset)
        index = self._tables.get(path)
        return path if index is None else (*path, index)

    def _dotted_key(self) -> list[tuple[str, int]]:
        keys: list[tuple[str, int]] = []
        while True:
            self._skip(_BLANK)
            offset = self._at
            keys.append((self._key(), offset))
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _key(self) -> str:
        quote = self._text[self._at]
        if quote == '"':
            return _ESCAPE.sub(_unescape, self._skip(_BASIC)[1:-1])
        if quote == "'":
            return self._skip(_LITERAL)[1:-1]
        return self._skip(_BARE_KEY)

    def _pair(self, base: Path) -> None:
        path = base
        for key, offset in self._dotted_key():
            path = (*path, key)
            self._note(path, offset)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        text, at = self._text, self._at
        if text.startswith('"""', at):
            self._skip(_LONG_BASIC)
        elif text.startswith("'''", at):
            self._skip(_LONG_LITERAL)
        elif text[at] == '"':
            self._skip(_BASIC)
        elif text[at] == "'":
            self._skip(_LITERAL)
        elif text[at] == "[":
            self._array(path)
        elif text[at] == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_SPACE)
            if self._text[self._at] == "]":
                break
            element = (*path, index)
            self._note(element, self._at)
            self._value(element)
            index += 1
            self._skip(_SPACE)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while True:
            self._skip(_SPACE)
            if self._text[self._at] == "}":
                break
            self._pair(path)
            self._skip(_SPACE)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1
