"""The small MIME messages that MSG carries: header lines, an empty line, a body of bytes."""

from __future__ import annotations

from attrs import frozen

from transports.msnp.wire.errors import MsnpSyntaxError

MAX_HEADERS = 64
MAX_HEADER_BYTES = 16_384


@frozen
class Mime:
    """Headers in order, and the body. Names compare without case."""

    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """The first header of a name."""
        wanted = name.lower()
        return next((value for each, value in self.headers if each.lower() == wanted), None)

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty where there is none."""
        return (self.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The charset parameter in lower case; empty where there is none."""
        for parameter in (self.get("Content-Type") or "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"').lower()
        return ""

    def encode(self) -> bytes:
        """The bytes of it. Raises `MsnpSyntaxError` where a header would break its line."""
        lines = []
        for name, value in self.headers:
            if any(char in name + value for char in "\r\n\0"):
                raise MsnpSyntaxError(f"header {name[:40]!a} with a line end in it")
            lines.append(f"{name}: {value}\r\n")
        return "".join(lines).encode("utf-8", "replace") + b"\r\n" + self.body

    @classmethod
    def decode(cls, data: bytes) -> Mime:
        """Reads a payload. Raises `MsnpSyntaxError` where it has no end of headers, or too many."""
        for gap in (b"\r\n\r\n", b"\n\n"):
            head, found, body = data.partition(gap)
            if found:
                break
        else:
            if data.startswith(b"\r\n"):
                return cls((), data[2:])
            # a chunk's headers may be all there is
            head, body = data, b""
        if len(head) > MAX_HEADER_BYTES:
            raise MsnpSyntaxError(f"headers of {len(head)} bytes")
        return cls(tuple(_headers(head.decode("utf-8", "replace"))), body)


def _headers(text: str) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in {" ", "\t"} and headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon:
            raise MsnpSyntaxError(f"a header without a colon: {line[:40]!a}")
        if len(headers) >= MAX_HEADERS:
            raise MsnpSyntaxError(f"more than {MAX_HEADERS} headers")
        headers.append((name.strip(), value.strip()))
    return headers
