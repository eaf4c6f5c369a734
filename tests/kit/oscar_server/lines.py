"""JSON lines on standard input and output, for the server and for its scripted person."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

_CHUNK = 65_536
_LONGEST = 1 << 20


def read_lines(take: Callable[[bytes], None], reactor: Any, *, ended: Callable[[], object] | None = None) -> None:
    """Hand each line of standard input to `take`, in the reactor's thread, and call `ended` there at its end.

    A thread reads, for not everything that may be standard input (a file, /dev/null) can be watched.
    """

    def lines_of(rest: bytes, chunk: bytes) -> bytes:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                reactor.callFromThread(take, line)
        return rest[:_LONGEST]

    def read() -> None:
        rest = b""
        while chunk := os.read(0, _CHUNK):
            rest = lines_of(rest, chunk)
        if ended is not None:
            reactor.callFromThread(ended)

    threading.Thread(target=read, name="standard-input", daemon=True).start()


def write_line(value: dict[str, Any]) -> None:
    """Write one line; raises `OSError` when nobody reads any more."""
    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")
    sys.stdout.flush()
