"""The little XML that SIP bodies need: read without DTD or entities, bounded in size and depth; safe to write."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from transports.sip.wire.errors import SipSyntaxError

MAX_SIZE: Final = 64 * 1024
MAX_DEPTH: Final = 32
XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"

# XML 1.0 cannot hold these in any way (section 2.2), escaped or not.
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _ShallowBuilder(TreeBuilder):
    """A tree that refuses to grow deep."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SipSyntaxError(f"XML is nested deeper than {MAX_DEPTH}")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def read_xml(data: bytes, what: str, limit: int = MAX_SIZE) -> Element:
    """The root element of a document.

    Args:
        data: the octets, in the encoding that the document says.
        what: what it should be, for the reason of an error.
        limit: most octets that are read.

    Raises:
        SipSyntaxError: too large (413), or with a DTD, an entity, too many levels, or not well formed (400).
    """
    if len(data) > limit:
        raise SipSyntaxError(f"{what} is larger than {limit}", 413)
    parser = DefusedXMLParser(target=_ShallowBuilder(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise SipSyntaxError(f"{what} has a DTD or entities") from error
    except (ParseError, LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, SipSyntaxError):
            raise
        raise SipSyntaxError(f"{what} is not well-formed XML: {error}") from error
    return root


def local(element: Element) -> str:
    """An element's name without its namespace: clients agree on names more than on namespaces."""
    return element.tag.rpartition("}")[2]


def namespace(element: Element) -> str:
    """An element's namespace, or empty."""
    return element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""


def children(element: Element, name: str) -> list[Element]:
    """The children of this local name."""
    return [child for child in element if local(child) == name]


def child_text(element: Element, name: str) -> str | None:
    """The stripped text of the first child of this local name; None where there is none or it is empty."""
    for child in element:
        if local(child) == name:
            return (child.text or "").strip() or None
    return None


def number(element: Element, name: str, what: str) -> int | None:
    """An attribute that is a number of up to ten digits; None where it is not there.

    Raises:
        SipSyntaxError: it is another text.
    """
    value = element.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise SipSyntaxError(f"{what}: {name} is {value!r}"[:120])
    return int(value)


def text(value: str) -> str:
    """Character data. What XML cannot hold at all is left out."""
    return escape(_ILLEGAL.sub("", value), {"\r": "&#13;"})


def attribute(value: str) -> str:
    """An attribute value with its quotation marks. What XML cannot hold at all is left out."""
    return quoteattr(_ILLEGAL.sub("", value))
