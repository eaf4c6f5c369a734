"""The codec: one JSON object a line (RFC 8259, UTF-8), ended by LF, at most `MAX_LINE` bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

MAX_LINE = 65_536
"""Bytes of a line, its end left out."""
Object = Mapping[str, Any]


class LineError(ValueError):
    """A line that is none of the protocol: the text says what is wrong with it."""


class Framer:
    """Cuts a stream into lines. It keeps `MAX_LINE` bytes at most."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields the lines that are complete now.

        Raises:
            LineError: a line is too long; the stream cannot be read any further.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if len(line) > MAX_LINE:
                raise LineError(f"a line of {len(line)} bytes is longer than {MAX_LINE}")
            yield line
        if len(self._rest) > MAX_LINE:
            self._rest = b""
            raise LineError(f"a line is longer than {MAX_LINE} bytes")


def encode(value: Object) -> bytes:
    """The line of an object.

    Raises:
        LineError: it holds half of a surrogate pair, or is too long.
    """
    try:
        line = orjson.dumps(value)
    except TypeError as error:
        raise LineError(str(error)) from error
    if len(line) > MAX_LINE:
        raise LineError(f"a line of {len(line)} bytes is longer than {MAX_LINE}")
    return line + b"\n"


def decode(line: bytes) -> Object:
    """The object of a line; raises `LineError`."""
    try:
        value = orjson.loads(line)
    except ValueError as error:
        raise LineError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise LineError("not an object")
    return value


def text(value: Object, key: str, *, default: str | None = None) -> str:
    """The text under a key; raises `LineError` where there is none."""
    found = value.get(key, default)
    if not isinstance(found, str):
        raise LineError(f"{key}: not a text")
    return found


def number(value: Object, key: str) -> int:
    """The integer under a key; raises `LineError` where there is none."""
    found = value.get(key)
    if not isinstance(found, int) or isinstance(found, bool):
        raise LineError(f"{key}: not an integer")
    return found
