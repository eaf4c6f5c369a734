"""Lists of resources for tests: the body of a SUBSCRIBE written, the body of a NOTIFY read."""

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from attrs import frozen

from transports.sip.wire.message import Request
from transports.sip.wire.xmldoc import children, read_xml

LIST_HEADERS = (
    ("Require", "recipient-list-subscribe"),
    ("Supported", "eventlist"),
    ("Content-Type", "application/resource-lists+xml"),
    ("Content-Disposition", "recipient-list"),
)
"""What a SUBSCRIBE to a list has besides that of a single one (RFC 5367 section 3)."""


def resource_list(*uris: str) -> bytes:
    """A flat list."""
    entries = "".join(f"<entry uri={quoteattr(uri)}/>" for uri in uris)
    head = '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">'
    return f"{head}<list>{entries}</list></resource-lists>".encode()


@frozen
class Told:
    """What a NOTIFY says of a list: for each resource its instances' states, reasons and bodies."""

    uri: str
    version: int
    full: bool
    resources: dict[str, list[tuple[str, str | None, bytes | None]]]


def read_related(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """The parts of a multipart body: their headers and octets."""
    boundary = content_type.rpartition("boundary=")[2].strip('"').encode()
    assert body.startswith(b"--" + boundary + b"\r\n")
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
    inner = body[len(boundary) + 4 : -len(boundary) - 8]
    parts = []
    for part in inner.split(b"\r\n--" + boundary + b"\r\n"):
        head, _, octets = part.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        parts.append((dict(lines), octets))
    return parts


def read_rlmi(data: bytes, bodies: dict[str, bytes]) -> Told:
    """Reads an RLMI document with the bodies by Content-ID."""
    root = read_xml(data, "RLMI", 10_000_000)
    resources = {}
    for resource in children(root, "resource"):
        resources[resource.get("uri") or ""] = [
            (
                instance.get("state") or "",
                instance.get("reason"),
                None if instance.get("cid") is None else bodies[instance.get("cid") or ""],
            )
            for instance in children(resource, "instance")
        ]
    return Told(root.get("uri") or "", int(root.get("version") or -1), root.get("fullState") == "true", resources)


def told(request: Request) -> Told:
    """What a NOTIFY says of a list; the RLMI must be the first part."""
    assert request.first("Require") == "eventlist"
    kind = request.first("Content-Type") or ""
    assert kind.startswith('multipart/related;type="application/rlmi+xml"')
    (root, document), *parts = read_related(kind, request.body)
    assert root["Content-Type"].startswith("application/rlmi+xml")
    assert f'start="<{root["Content-Id"].strip("<>")}>"' in kind
    return read_rlmi(document, {head["Content-Id"].strip("<>"): octets for head, octets in parts})


def states(request: Request, uris: Iterable[str]) -> list[tuple[str, bytes | None] | None]:
    """The state and body of each of these resources; None for one without an instance."""
    resources = told(request).resources
    found = []
    for uri in uris:
        instances = resources[uri]
        found.append((instances[0][0], instances[0][2]) if instances else None)
    return found
