"""XML that servers send, read with bounds and without entities, and text for XML that we write."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape as _escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from transports.msnp.wire.errors import MsnpSyntaxError

MAX_XML = 4_194_304
_CONTROLS = (code for code in range(0x20) if chr(code) not in "\t\n\r")
_ILLEGAL = dict.fromkeys((*_CONTROLS, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF))


def parse(data: bytes, what: str) -> Element:
    """Reads a document. Raises `MsnpSyntaxError`."""
    if len(data) > MAX_XML:
        raise MsnpSyntaxError(f"{what}: a document of {len(data)} bytes")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise MsnpSyntaxError(f"{what}: not XML: {error}") from error
    return root


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def find_all(element: Element, name: str) -> Iterator[Element]:
    """All elements of a name below (or at) an element, whatever their namespace."""
    for each in element.iter():
        if local(each) == name:
            yield each


def find(element: Element, name: str) -> Element | None:
    """The first element of a name, whatever its namespace."""
    return next(find_all(element, name), None)


def text_of(element: Element, name: str) -> str:
    """The text of the first element of a name; empty where there is none."""
    found = find(element, name)
    return "" if found is None or found.text is None else found.text.strip()


def escape(text: str) -> str:
    """Text for an element or an attribute in double quotes."""
    return _escape(text.translate(_ILLEGAL), {'"': "&quot;", "'": "&apos;"})
