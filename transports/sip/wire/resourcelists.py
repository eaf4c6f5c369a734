"""Lists of resources: application/resource-lists+xml (RFC 4826), as SUBSCRIBE carries them (RFC 5367 section 4)."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.xmldoc import MAX_SIZE, children, local, read_xml

CONTENT_TYPE: Final = "application/resource-lists+xml"
MAX_ENTRIES: Final = 500


def parse_resource_lists(data: bytes, limit: int = MAX_SIZE, entries: int = MAX_ENTRIES) -> tuple[str, ...]:
    """Read the URIs of all entries, in order, each text once. Lists within lists count as one.

    What is more than a flat list of URIs is left out, as RFC 5367 section 4 allows: names, and references to entries
    and lists elsewhere (`entry-ref`, `external`), which would have us fetch what a client names. The URIs are not
    looked at: one that cannot be read is that entry's misfortune, and not the list's.

    Args:
        data: the document.
        limit: most octets that are read.
        entries: most entries, those that are repeated included.

    Raises:
        SipSyntaxError: too large or too many entries (413); not well formed, a DTD or entities, too many levels, no
            `resource-lists` root, an entry without a URI (400).
    """
    root = read_xml(data, "resource-lists", limit)
    if local(root) != "resource-lists":
        raise SipSyntaxError(f"resource-lists: the root is {local(root)[:40]!r}")
    found: list[str] = []
    for item in children(root, "list"):
        _collect(item, found, entries)
    return tuple(dict.fromkeys(found))


def _collect(element: Element, found: list[str], limit: int) -> None:
    """Takes the entries of a list and of the lists in it, as deep as `read_xml` lets them be."""
    for child in element:
        name = local(child)
        if name == "list":
            _collect(child, found, limit)
        elif name == "entry":
            uri = (child.get("uri") or "").strip()
            if not uri:
                raise SipSyntaxError("resource-lists: entry without uri")
            if len(found) >= limit:
                raise SipSyntaxError(f"resource-lists: more than {limit} entries", 413)
            found.append(uri)
