"""MIME entities inside of bodies: a block of headers and a content, and multiparts of them (RFC 2045, 2046, 5621).

What SIP itself writes needs none of it; CPIM messages and multipart bodies do. Reading takes time linear in the octets.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Mapping
from typing import Final

import attrs

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import parse_content_type

MAX_PARTS: Final = 32
MAX_HEAD: Final = 16 * 1024
MAX_HEADERS: Final = 64
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? \-]{0,69}[0-9A-Za-z'()+_,./:=?\-]")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})


@attrs.frozen(kw_only=True)
class Entity:
    """A content with its headers, the transfer encoding undone.

    Attributes:
        content_type: as text, with parameters; ``text/plain`` where there is none (RFC 2045 section 5.2).
        body: the octets, still encoded by Content-Encoding if there is one.
        headers: by name in lower case; of a name that comes twice the first.
    """

    content_type: str
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def disposition(self) -> str:
        """The disposition type in lower case, empty where there is none (RFC 2183)."""
        return self.headers.get("content-disposition", "").partition(";")[0].strip().lower()

    def disposition_param(self, name: str) -> str | None:
        """A parameter of Content-Disposition, such as ``handling`` or ``filename``; None where there is none."""
        found = re.search(
            rf";\s*{re.escape(name)}\s*=\s*(\"[^\"]*\"|[^;\s]+)", self.headers.get(_DISPOSITION, ""), re.IGNORECASE
        )
        return None if found is None else found[1].strip('"')

    @property
    def content_id(self) -> str:
        """The Content-ID without its angle brackets, empty where there is none (RFC 2392)."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")


_DISPOSITION: Final = "content-disposition"


def split_head(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Returns the block of headers and what comes behind its empty line.

    Raises:
        SipSyntaxError: there is no empty line in the first 16 KiB.
    """
    if data.startswith((b"\r\n", b"\n")):
        return b"", data[2 if data[0] == 13 else 1 :]
    ends = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark, 0, MAX_HEAD)) >= 0]
    if not ends:
        raise SipSyntaxError(f"{what}: no empty line ends its headers")
    at, mark = min(ends)
    return data[:at], data[at + len(mark) :]


def read_headers(block: bytes, what: str) -> list[tuple[str, str]]:
    """Returns the headers of a block in order, folded lines as one; names as they are written.

    Raises:
        SipSyntaxError: not UTF-8, more than 64, or a line that is no header.
    """
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SipSyntaxError(f"{what}: headers are not UTF-8") from error
    headers: list[tuple[str, str]] = []
    for line in _FOLD.sub(" ", text).replace("\r\n", "\n").split("\n"):
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise SipSyntaxError(f"{what}: a header without a name or a colon")
        headers.append((name.strip(), value.strip(" \t")))
        if len(headers) > MAX_HEADERS:
            raise SipSyntaxError(f"{what}: more than {MAX_HEADERS} headers")
    return headers


def read_entity(data: bytes, what: str = "MIME") -> Entity:
    """Reads headers, an empty line and a content.

    Raises:
        SipSyntaxError: the headers cannot be read, or the content is not what Content-Transfer-Encoding says.
    """
    head, body = split_head(data, what)
    headers: dict[str, str] = {}
    for name, value in read_headers(head, what):
        headers.setdefault(name.lower(), value)
    return Entity(
        content_type=headers.get("content-type") or "text/plain",
        body=_decoded(body, headers.get("content-transfer-encoding", "").strip().lower(), what),
        headers=headers,
    )


def _decoded(body: bytes, coding: str, what: str) -> bytes:
    if coding in _IDENTITY:
        return body
    if coding == "quoted-printable":
        return quopri.decodestring(body)
    if coding != "base64":
        raise SipSyntaxError(f"{what}: Content-Transfer-Encoding {coding[:40]!a} is not known here")
    try:
        return binascii.a2b_base64(body)
    except binascii.Error as error:
        raise SipSyntaxError(f"{what}: content is no base64") from error


def read_multipart(content_type: str, body: bytes) -> tuple[Entity, ...]:
    """Reads the parts of a multipart body (RFC 2046 section 5.1), at least one. What is around them is left out.

    A multipart whose last delimiter is missing ends where the octets do.

    Raises:
        SipSyntaxError: no boundary, none of it in the body, more than 32 parts (413), or a part that cannot be read.
    """
    boundary = parse_content_type(content_type).param("boundary") or ""
    boundary = boundary.strip('"')
    if not _BOUNDARY.fullmatch(boundary):
        raise SipSyntaxError("multipart: the boundary is missing or is none")
    parts = _parts(body, b"--" + boundary.encode())
    if not parts:
        raise SipSyntaxError("multipart: no part begins with the boundary")
    return tuple(read_entity(part, "multipart") for part in parts)


def _parts(body: bytes, delimiter: bytes) -> list[bytes]:
    """Cuts at lines that are the delimiter, blanks behind it allowed; one with ``--`` ends it all."""
    parts: list[bytes] = []
    begun = -1
    at = body.find(delimiter)
    while at >= 0:
        if at == 0 or body[at - 1] == 10:  # first of all: what is no line of its own costs no look for its end
            line_end = body.find(b"\n", at)
            tail = body[at + len(delimiter) : line_end if line_end >= 0 else len(body)].strip(b" \t\r")
            if tail in {b"", b"--"}:
                if begun >= 0:
                    parts.append(body[begun : max(begun, _before_line_end(body, at))])
                if tail or line_end < 0:
                    return parts
                if len(parts) >= MAX_PARTS:
                    raise SipSyntaxError(f"multipart: more than {MAX_PARTS} parts", 413)
                begun = line_end + 1
        at = body.find(delimiter, at + len(delimiter))
    if begun >= 0:
        parts.append(body[begun:])
    return parts


def _before_line_end(body: bytes, at: int) -> int:
    """The line end in front of a delimiter belongs to the delimiter (RFC 2046 section 5.1.1)."""
    if at >= 2 and body[at - 2] == 13:
        return at - 2
    return max(at - 1, 0)
