"""Reads the transcripts: `--- seconds s TRANSPORT from > to`, the message with bare line feeds, an empty line.

Long values are cut with `[...]` and bodies are as they were captured, save their line ends; so Content-Length is given
anew where a body's lines were ended by CRLF on the wire.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

HERE: Final = Path(__file__).parent
FILES: Final = tuple(sorted(HERE.glob("sip-*.txt")))
_MARK: Final = re.compile(r"^--- ([0-9.]+) s (UDP|TCP|TLS) ([0-9]+) > ([0-9]+)$", re.MULTILINE)
_LENGTH: Final = re.compile(rb"^(Content-Length|l)[ \t]*:[ \t]*([0-9]+)[ \t]*$", re.IGNORECASE | re.MULTILINE)


@attrs.frozen
class Captured:
    """One message of a transcript."""

    file: str
    at: float
    transport: str
    source: int
    destination: int
    data: bytes


def read(path: Path) -> list[Captured]:
    """The messages of a transcript, in order."""
    text = path.read_text(encoding="utf-8")
    marks = list(_MARK.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Captured(path.name, float(m[1]), m[2], int(m[3]), int(m[4]), _octets(text[m.end() + 1 : end]))
        for m, end in zip(marks, ends, strict=True)
    ]


def _octets(text: str) -> bytes:
    head, _, body = text.partition("\n\n")
    head_octets = head.strip("\n").encode().replace(b"\n", b"\r\n")
    found = _LENGTH.search(head.encode())
    length = int(found[2]) if found else 0
    body_octets = body.encode()
    if length > len(body_octets) or (length and body_octets[length:].strip(b"\n1") != b""):
        body_octets = body_octets.replace(b"\n", b"\r\n")
    return head_octets + b"\r\n\r\n" + body_octets[:length]
