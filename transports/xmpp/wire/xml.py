"""The XML of a stream (RFC 6120 section 11): read without DTD, entities or depth; written without prefixes."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from transports.xmpp.wire.errors import XmppSyntaxError

CLIENT: Final = "jabber:client"
COMPONENT: Final = "jabber:component:accept"
XML: Final = "http://www.w3.org/XML/1998/namespace"
LANG: Final = f"{{{XML}}}lang"
MAX_STANZA: Final = 256 * 1024
"""Octets of one stanza; RFC 6120 section 13.12 wants at least 10,000 taken, and servers send no more than this."""
MAX_DEPTH: Final = 64

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
            raise XmppSyntaxError(f"a stanza is nested deeper than {MAX_DEPTH}")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def read(data: bytes) -> Element:
    """Returns one stanza that stands for itself, with its namespace declared.

    Raises:
        XmppSyntaxError: too large, with a DTD or entities, nested too deep, or not well formed.
    """
    if len(data) > MAX_STANZA:
        raise XmppSyntaxError(f"a stanza is larger than {MAX_STANZA} octets")
    parser = DefusedXMLParser(target=_ShallowBuilder(), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise XmppSyntaxError("a stanza with a DTD or entities") from error
    except (ParseError, LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, XmppSyntaxError):
            raise
        raise XmppSyntaxError(f"not well-formed XML: {error}") from error
    return root


def checked(element: Element) -> Element:
    """Returns a stanza that another parser has read, with component's namespace made the client's.

    Raises:
        XmppSyntaxError: it is nested too deep.
    """
    depths = [(element, 1)]
    while depths:
        here, depth = depths.pop()
        if depth > MAX_DEPTH:
            raise XmppSyntaxError(f"a stanza is nested deeper than {MAX_DEPTH}")
        if here.tag.startswith(_COMPONENT_TAG):
            here.tag = f"{{{CLIENT}}}{here.tag[len(_COMPONENT_TAG) :]}"
        depths += [(child, depth + 1) for child in here]
    return element


_COMPONENT_TAG: Final = f"{{{COMPONENT}}}"


def write(element: Element, within: str = CLIENT) -> str:
    """Returns an element as XML, inside of a parent whose default namespace is ``within``.

    No prefixes but ``xml:``: some servers and clients take a prefixed stanza for another one.
    """
    out: list[str] = []
    _write(element, within, out)
    return "".join(out)


def _write(element: Element, within: str, out: list[str]) -> None:
    space, name = split(element.tag)
    out.append(f"<{name}")
    if space != within:
        out.append(f" xmlns={quoteattr(space)}")
    for key, value in element.items():
        attribute = f"xml:{split(key)[1]}" if key.startswith(f"{{{XML}}}") else key
        out.append(f" {attribute}={quoteattr(legal(value))}")
    if not len(element) and not element.text:
        out.append("/>")
    else:
        out.append(">")
        out.append(escape(legal(element.text or ""), {"\r": "&#13;"}))
        for child in element:
            _write(child, space, out)
            out.append(escape(legal(child.tail or ""), {"\r": "&#13;"}))
        out.append(f"</{name}>")


def legal(text: str) -> str:
    """Returns a text without what XML cannot hold at all."""
    return _ILLEGAL.sub("", text)


def split(tag: str) -> tuple[str, str]:
    """Returns the namespace (empty where there is none) and the local name of a tag."""
    if tag.startswith("{"):
        space, _, name = tag[1:].partition("}")
        return space, name
    return "", tag


def make(space: str, name: str, text: str = "", **attributes: str) -> Element:
    """Returns a new element, without what XML cannot hold. An attribute whose value is empty is left out."""
    element = Element(f"{{{space}}}{name}", {key: legal(value) for key, value in attributes.items() if value})
    if text:
        element.text = legal(text)
    return element


def add(parent: Element, space: str, name: str, text: str = "", **attributes: str) -> Element:
    """Appends a new element to another, and returns it."""
    child = make(space, name, text, **attributes)
    parent.append(child)
    return child


def child(element: Element, space: str, name: str) -> Element | None:
    """Returns the first child of this name; None where there is none."""
    return element.find(f"{{{space}}}{name}")


def child_text(element: Element, name: str) -> str | None:
    """Returns the text of the first child of this name in the stanza's own namespace; None where there is none.

    RFC 6120 allows no elements in it; where a client sent some, their text is read too.
    """
    found = child(element, CLIENT, name)
    return None if found is None else "".join(found.itertext())
