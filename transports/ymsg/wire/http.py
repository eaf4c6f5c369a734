"""As much of HTTP/1.0 (RFC 1945) as two requests of a sign-on need: no redirection, no chunks, no second request."""

from __future__ import annotations

from attrs import frozen

from transports.ymsg.wire.errors import YmsgSyntaxError

MAX_HEAD = 16_384
_BLANK = b"\r\n\r\n"


@frozen(kw_only=True)
class Response:
    """An answer: its status and its body as text."""

    status: int
    body: str


def request(host: str, target: str, agent: str) -> bytes:
    """The bytes of a GET; raises `YmsgSyntaxError` where a part would break the request apart."""
    for part in (host, target, agent):
        if not part.isascii() or not part.isprintable() or (part is not agent and " " in part):
            raise YmsgSyntaxError(f"not fit for a request: {part[:40]!a}")
    head = f"GET {target} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    return head.encode("ascii")


def read_response(data: bytes, limit: int, *, closed: bool) -> Response | None:
    """The answer in what has come so far; None where it goes on.

    Args:
        data: all bytes of it so far.
        limit: the longest body, bytes.
        closed: whether the server has closed: what has no length ends there.

    Raises:
        YmsgSyntaxError: it is no answer, too long, or cut off.
    """
    head, blank, body = data.partition(_BLANK)
    if not blank:
        if closed or len(data) > MAX_HEAD:
            raise YmsgSyntaxError("the web server's answer has no head", len(data))
        return None
    status_line, *lines = head.split(b"\r\n")
    length = _length(lines)
    if len(body) > limit or (length is not None and length > limit):
        raise YmsgSyntaxError(f"the web server's answer is longer than {limit} bytes")
    if length is not None and len(body) < length:
        if closed:
            raise YmsgSyntaxError(f"the web server's answer is cut off after {len(body)} of {length} bytes")
        return None
    if length is None and not closed:
        return None
    return Response(status=_status(status_line), body=body[:length].decode("utf-8", "replace"))


def _status(line: bytes) -> int:
    words = line.split(b" ", 2)
    if not words[0].startswith(b"HTTP/") or len(words) < 2 or not words[1].isdigit() or len(words[1]) != 3:
        raise YmsgSyntaxError(f"the web server's answer begins with {line[:40]!r}")
    return int(words[1])


def _length(lines: list[bytes]) -> int | None:
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            if not digits.isdigit() or len(digits) > 9:
                raise YmsgSyntaxError(f"a Content-Length of {digits[:20]!r}")
            return int(digits)
        if name.strip().lower() == b"transfer-encoding":
            raise YmsgSyntaxError("the web server answers in chunks, which HTTP/1.0 has not")
    return None
