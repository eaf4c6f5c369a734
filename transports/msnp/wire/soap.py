"""What all of the web services share: an envelope, faults."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from transports.msnp.wire import xml

ADDRESS_BOOK = "http://www.msn.com/webservices/AddressBook"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


class SoapFault(Exception):
    """The service has refused; `code` is its word for it, such as ``ContactAlreadyExists``."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}" if words else code)
        self.code = code


def envelope(header: str, body: str) -> bytes:
    """A SOAP 1.1 envelope."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{_ENVELOPE}"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
        f"<soap:Header>{header}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode("utf-8", "replace")


def read(body: bytes, what: str) -> Element:
    """Reads an answer.

    Raises:
        SoapFault: the service refused.
        MsnpSyntaxError: it is not XML.
    """
    root = xml.parse(body, what)
    fault = xml.find(root, "Fault")
    if fault is not None:
        code = xml.text_of(fault, "errorcode") or xml.text_of(fault, "faultcode")
        raise SoapFault(code[:100], (xml.text_of(fault, "errorstring") or xml.text_of(fault, "faultstring"))[:200])
    return root
